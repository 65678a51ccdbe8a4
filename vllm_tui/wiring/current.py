"""The provider as the settings of the moment describe it; a running answer keeps the one it began with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from vllm_tui.settings.kinds import format_value
from vllm_tui.settings.options import OPTIONS
from vllm_tui.settings.references import escape_references

if TYPE_CHECKING:
    from vllm_tui.domain.events import StreamEvent
    from vllm_tui.domain.request import ChatRequest
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.provider.config import ProviderConfig
    from vllm_tui.settings.layers import Settings

Build = Callable[["Settings"], "VLLMProvider"]
"""Makes a provider; may run `api_key_command`. Raises ConfigurationError."""


class CurrentProvider:
    """Passes every request to the provider of the newest settings, made when the first request needs it."""

    def __init__(self, settings: Settings, build: Build) -> None:
        self._wanted = settings
        self._build = build
        self._built: Settings | None = None
        self._provider: VLLMProvider | None = None
        self._running: Counter[VLLMProvider] = Counter()
        self._lock = asyncio.Lock()

    def use(self, settings: Settings, build: Build | None = None) -> None:
        """Take what holds for the next request on; `build` replaces how providers are made."""
        self._wanted = settings
        if build is not None:
            self._build, self._built = build, None

    def build(self) -> None:
        """Make the provider now; for a thread, before anything else uses it."""
        self._provider, self._built = self._build(self._wanted), self._wanted

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of one answer; raises VLLMError, ConfigurationError among them."""
        provider = await self._ready()
        self._running[provider] += 1
        try:
            async with aclosing(provider.stream(request)) as events:
                async for event in events:
                    yield event
        finally:
            self._running[provider] -= 1
            await self._close_unused(provider)

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """Return what the server of the newest settings serves; raises VLLMError."""
        return await (await self._ready()).list_models()

    async def config(self) -> ProviderConfig:
        """Return the configuration that holds for the next request; raises ConfigurationError."""
        return (await self._ready()).config

    async def aclose(self) -> None:
        """Close every connection."""
        providers = {*self._running, *([self._provider] if self._provider is not None else [])}
        for provider in providers:
            await provider.aclose()

    async def _ready(self) -> VLLMProvider:
        async with self._lock:
            before = self._provider
            if before is not None and self._built is not None and _is_same(self._built, self._wanted):
                return before
            wanted = self._wanted
            settings = wanted if before is None else _with_known_key(wanted, self._built, before)
            provider = await asyncio.to_thread(self._build, settings)
            if before is not None:
                provider.take_over(before)
            self._provider, self._built = provider, wanted
            if before is not None:
                await self._close_unused(before)
            return provider

    async def _close_unused(self, provider: VLLMProvider) -> None:
        if provider is not self._provider and not self._running[provider]:
            del self._running[provider]
            await provider.aclose()


def _is_same(before: Settings, now: Settings) -> bool:
    names = [option.name for option in OPTIONS if not option.local or option.name == "api_key_command"]
    return before is now or all(
        format_value(before.value(name)) == format_value(now.value(name)) and before.origin(name) == now.origin(name)
        for name in names
    )


def _with_known_key(settings: Settings, before: Settings | None, provider: VLLMProvider) -> Settings:
    """Return the settings with the key that `api_key_command` printed before, where nothing about it changed."""
    names = ("api_key", "api_key_command", "base_url")
    if before is None or settings.value("api_key_command") is None:
        return settings
    if any(
        before.value(name) != settings.value(name) or before.origin(name) != settings.origin(name) for name in names
    ):
        return settings
    key = escape_references(provider.config.api_key)
    return settings.with_session("api_key_command", None).with_session("api_key", str(key))
