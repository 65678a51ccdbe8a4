"""Hands the provider's events to the kernel's hooks, in order, under one request id for each call."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Protocol

log = logging.getLogger(__name__)

_Entry = tuple[str, dict[str, object]]


class Hooks(Protocol):
    """The kernel's hook registry."""

    def emit(self, event: str, data: dict[str, object]) -> Awaitable[object]:
        """Tell every handler of an event."""
        ...


class HookObserver:
    """An observer of the provider. Takes events at once; the kernel hears them in order while the call goes on.

    A handler that raises never harms the answer; the failure is logged.
    """

    def __init__(self, hooks: Hooks | None, provider: str) -> None:
        self._hooks = hooks
        self._provider = provider
        self._call: ContextVar[tuple[str, asyncio.Queue[_Entry | None]] | None] = ContextVar("call", default=None)

    def emit(self, name: str, payload: Mapping[str, object]) -> None:
        """Take one event of the call this task belongs to; events outside a call are dropped."""
        call = self._call.get()
        if call is not None:
            request_id, queue = call
            queue.put_nowait((name, {"provider": self._provider, **payload, "request_id": request_id}))

    @asynccontextmanager
    async def call(self) -> AsyncIterator[str]:
        """Give a call its request id; when it ends, all its events have been told. Cancelling tells no more."""
        request_id, queue = uuid.uuid4().hex, asyncio.Queue[_Entry | None]()
        token = self._call.set((request_id, queue))
        teller = asyncio.create_task(self._tell(queue))
        try:
            yield request_id
        finally:
            self._call.reset(token)
            queue.put_nowait(None)
            try:
                await asyncio.wait({teller})
            finally:
                teller.cancel()

    async def _tell(self, queue: asyncio.Queue[_Entry | None]) -> None:
        while (entry := await queue.get()) is not None:
            if self._hooks is None:
                continue
            told = asyncio.ensure_future(self._hooks.emit(*entry))
            await asyncio.wait({told})
            error = None if told.cancelled() else told.exception()
            if error is not None:
                log.warning("A handler of %s failed: %s", entry[0], type(error).__name__)
