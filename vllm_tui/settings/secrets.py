"""Keys: commands that print them, masks over them, and warnings about places where others can read them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.document import Document
from vllm_tui.settings.kinds import MASK, mask_address
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.options import BY_NAME
from vllm_tui.settings.references import has_references

KEY_COMMAND_SECONDS = 15.0
"""How long `api_key_command` may run."""

_SENSITIVE = frozenset(
    {"api_key", "apikey", "api-key", "x-api-key", "secret", "password", "token", "credential", "credentials"}
    | {"private_key", "privatekey", "auth", "authorization", "cookie"}
)


def run_key_command(command: tuple[str, ...], environ: Mapping[str, str], seconds: float = KEY_COMMAND_SECONDS) -> str:
    """Return the first line that `command` prints, run without a shell; errors never quote its output."""
    name = clean_line(command[0]) if command else ""
    try:
        run = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=dict(environ), check=False
        )
    except subprocess.TimeoutExpired:
        raise _failed(name, f"gave no answer within {seconds:g} s") from None
    except (OSError, ValueError) as error:
        raise _failed(name, f"could not be started: {error}") from None
    if run.returncode != 0:
        raise _failed(name, f"ended with status {run.returncode}")
    lines = run.stdout.decode("utf-8", "replace").strip().splitlines()
    key = lines[0].strip() if lines else ""
    if not key or any(not "!" <= character <= "~" for character in key):
        raise _failed(name, "printed no key (one line of printable ASCII without spaces)")
    return key


def masked(name: str, value: object) -> object:
    """Return `value`, known as `name`, with keys and passwords in it masked; references stay readable."""
    option = BY_NAME.get(name)
    is_secret = name.lower() in _SENSITIVE or (option is not None and option.secret)
    if is_secret and not isinstance(value, dict):
        is_harmless = value in (None, "") or (option is not None and value == option.default) or has_references(value)
        return value if is_harmless else MASK
    match value:
        case str():
            return mask_address(value) if option is not None and option.kind == "url" else value
        case dict():
            return {key: masked(str(key), item) for key, item in value.items()}
        case list() | tuple():
            return [masked("", item) for item in value]
        case _:
            return value


def warnings_of(settings: Settings) -> tuple[str, ...]:
    """Return what a person should know about these settings, a sentence or two each."""
    found = [_readable_key(settings.document), _key_in_the_clear(settings), _switch_without_effect(settings)]
    return tuple(warning for warning in found if warning is not None)


def is_loopback(base_url: str) -> bool:
    """Return whether an address leads to this machine: localhost, 127.0.0.0/8, ::1 or 0.0.0.0."""
    host = (urlsplit(base_url).hostname or "").lower()
    if host in ("localhost", "::1", "0.0.0.0"):  # noqa: S104
        return True
    parts = host.split(".")
    return parts[0] == "127" and len(parts) == 4 and all(part.isdigit() for part in parts)


def has_literal_key(document: Document) -> bool:
    """Return whether the file itself holds a key."""
    tables = [document.values, *(profile.values for profile in document.profiles)]
    return any(masked("", dict(table)) != dict(table) for table in tables)


def _readable_key(document: Document) -> str | None:
    path = document.path
    if path is None or os.name != "posix" or not has_literal_key(document):
        return None
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if not mode & 0o077:
        return None
    return f"{path} holds a key and others can read it. Run: chmod 600 {_quoted(str(path))}"


def _key_in_the_clear(settings: Settings) -> str | None:
    base_url = settings.text("base_url")
    if urlsplit(base_url).scheme != "http" or is_loopback(base_url):
        return None
    has_key = settings.value("api_key") != BY_NAME["api_key"].default or settings.value("api_key_command") is not None
    if not has_key:
        return None
    host = clean_line(urlsplit(base_url).hostname or "")
    return f"The API key travels unencrypted to {host}. Use https:// or a tunnel to localhost."


def _switch_without_effect(settings: Settings) -> str | None:
    for name, needed in (("raw_debug", "debug"), ("resume", "enable_state")):
        if settings.is_on(name) and not settings.is_on(needed):
            return f"{name} has no effect without {needed}."
    return None


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)


def _failed(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"api_key_command: {name} {what}.", hint="Run it by hand, or set VLLM_API_KEY.")
