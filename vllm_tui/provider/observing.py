"""Tells observers what happens in a call; an observer that fails never hurts the answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol, Self

from vllm_tui.domain.values import JsonObject, JsonValue

logger = logging.getLogger("vllm_tui.provider")


class Guard:
    """Keeps the faults of a listener from the answer and logs the first; a cancellation passes through.

    Listeners are foreign code and may raise anything. The fault's text is not logged, as it may hold parts of what
    the listener was told.
    """

    def __init__(self, listener: object) -> None:
        self._listener = type(listener).__name__
        self._occasion = ""
        self._warned = False

    def on(self, occasion: str) -> Self:
        """Name what the listener is about to be told."""
        self._occasion = occasion
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        if not self._warned:
            self._warned = True
            failed = (self._listener, self._occasion, kind.__name__)
            logger.warning("The observer %s failed on %s (%s); the answer goes on.", *failed)
        return True


class Observer(Protocol):
    """Receives structured events such as `llm:request`; called on the event loop, so it must be quick."""

    def emit(self, name: str, payload: JsonObject) -> None:
        """Take one event."""


class Reporter:
    """Sends the events of one call to all observers, joined by one request id."""

    def __init__(self, observers: Sequence[Observer], request_id: str) -> None:
        self.request_id = request_id
        self._guarded = tuple((observer, Guard(observer)) for observer in observers)

    def emit(self, name: str, /, **payload: JsonValue) -> None:
        """Send an event; `request_id` and `provider` are added."""
        for observer, guard in self._guarded:
            with guard.on(name):
                observer.emit(name, {**payload, "request_id": self.request_id, "provider": "vllm"})
