"""A real provider with no waits, and short ways to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.socket_server import Reply, SocketServer, socket_server
from vllm_tui.domain.events import ResponseFinished, StreamEvent
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.client import VLLMProvider


class Notes:
    """An observer that keeps all events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, JsonObject]] = []

    def emit(self, name: str, payload: JsonObject) -> None:
        self.events.append((name, payload))

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def payloads(self, name: str) -> list[JsonObject]:
        return [payload for found, payload in self.events if found == name]


class Link:
    """A provider and its server; `waits` are seconds it would have slept, `seen` the events of the last stream."""

    def __init__(self, server: SocketServer, options: dict[str, Any]) -> None:
        self.server = server
        self.notes = Notes()
        self.waits: list[float] = []
        self.seen: list[StreamEvent] = []
        settings = {"base_url": server.url, "default_model": "m", "retry_jitter": 0, **options}
        self.provider = VLLMProvider(settings, observer=self.notes)
        self.provider._session.sleep = self._sleep

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def complete(self, text: str = "Hi", **fields: Any) -> ChatResponse:
        return await self.provider.complete(asking(text, **fields))

    async def stream(self, text: str = "Hi", **fields: Any) -> list[StreamEvent]:
        self.seen = []
        async for event in self.provider.stream(asking(text, **fields)):
            self.seen.append(event)
        return self.seen


def asking(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ChatRequest(**{"messages": (Message(role="user", content=text),), **fields})


def answer_of(events: list[StreamEvent]) -> ChatResponse:
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    return last.response


@asynccontextmanager
async def linked(*replies: Reply, **options: Any) -> AsyncIterator[Link]:
    """Yield a provider joined to a server that gives `replies`."""
    async with socket_server(*replies) as server:
        link = Link(server, options)
        try:
            yield link
        finally:
            await link.provider.aclose()
