"""Opens the OpenAI SDK's client for a vLLM server so that nothing meant for OpenAI travels there.

The SDK reads OPENAI_API_KEY, OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_BASE_URL, OPENAI_ADMIN_KEY and OPENAI_LOG by
itself. What is given here wins over them, and the guarded transport sends no header that is not ours.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vllm_tui.provider.transport import connection_timeout, open_http_client

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

    from vllm_tui.provider.config import ProviderConfig


def preload() -> None:
    """Import what the first request needs (half a second of work; safe to call in a thread)."""
    _import_sdk()
    import openai.resources.responses
    import openai.types.responses  # noqa: F401


def open_sdk(config: ProviderConfig, transport: httpx2.AsyncBaseTransport | None) -> AsyncOpenAI:
    """Return an SDK client that never retries by itself and knows only what `config` says."""
    sdk_class = _import_sdk()
    client = sdk_class(
        api_key=config.api_key,
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        base_url=config.base_url,
        max_retries=0,
        timeout=connection_timeout(config.timeout),
        http_client=open_http_client(config, transport),
    )
    client.organization = client.project = None
    return client


def _import_sdk() -> type[AsyncOpenAI]:
    log_level = os.environ.pop("OPENAI_LOG", None)
    try:
        from openai import AsyncOpenAI as Sdk
    finally:
        if log_level is not None:
            os.environ["OPENAI_LOG"] = log_level
    return Sdk
