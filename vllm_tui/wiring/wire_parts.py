"""What the wire log needs of the rest: keys to hide, facts for a report, and a way to send again."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.options import BY_NAME, OPTIONS

if TYPE_CHECKING:
    from vllm_tui.cassette.exchange import RecordedRequest
    from vllm_tui.cassette.tape import Take
    from vllm_tui.provider.config import ProviderConfig
    from vllm_tui.settings.layers import Settings

_PACKAGES = ("vllm-tui", "textual", "openai", "httpx2", "pydantic", "tiktoken", "openai-harmony", "mcp")


def secrets_of(settings: Settings, *more: str) -> frozenset[str]:
    """Return what must never be shown: keys, and the values of headers and variables of MCP servers."""
    found = {str(settings.value("api_key") or ""), *more} - {"", str(BY_NAME["api_key"].default)}
    servers = settings.value("mcp_servers")
    for server in servers.values() if isinstance(servers, dict) else ():
        for name in ("headers", "env"):
            part = server.get(name) if isinstance(server, dict) else None
            found |= {str(value) for value in part.values()} if isinstance(part, dict) else set()
    return frozenset(found)


def describe(settings: Settings, server: str) -> str:
    """Return versions and settings as text; secrets are masked."""
    lines = [f"# Report, {server}", "", f"Python {platform.python_version()} on {platform.platform()}"]
    for name in _PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} not installed")
    lines += ["", "# Settings that are not the default"]
    changed = [option.name for option in OPTIONS if settings.origin(option.name).layer != "default"]
    lines += [f"{name} = {settings.shown(name)}  ({settings.origin(name).layer})" for name in changed]
    return "\n".join(lines) + "\n"


async def repeat(
    request: RecordedRequest,
    settings: Settings | None,
    config: Callable[[], Awaitable[ProviderConfig]],
    *,
    demo: bool,
) -> Take:
    """Send a request again: to the server of `settings` where they are given, else to its own. Raises VLLMError."""
    from vllm_tui.cassette.repeat import Repeat, changed
    from vllm_tui.cassette.tape import Tape

    if demo and settings is None:
        from vllm_tui.demo.transport import DemoTransport

        return await Repeat(request, "EMPTY", Tape(), DemoTransport()).run()
    if settings is None:
        current = await config()
        if _origin(current.base_url) != _origin(request.url):
            raise ConfigurationError(
                "Not sent: this request went to another server than the one that is set now, and its key is not known.",
                hint="Choose its profile in the list instead.",
            )
        key = current.api_key
    else:
        mapping = await asyncio.to_thread(settings.provider_mapping)
        key = str(mapping["api_key"])
        request = changed(request, base_url=settings.text("base_url"), model=settings.text("default_model"))
    return await Repeat(request, key, Tape(secrets=[key])).run()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return what a key belongs to: the server of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
