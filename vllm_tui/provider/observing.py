"""Tells observers what happens in a call; an observer that fails never hurts the answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from vllm_tui.domain.values import JsonObject, JsonValue

logger = logging.getLogger("vllm_tui.provider")

_OBSERVER_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Observer(Protocol):
    """Receives structured events such as `llm:request`; called on the event loop, so it must be quick."""

    def emit(self, name: str, payload: JsonObject) -> None:
        """Take one event."""


class Reporter:
    """Sends the events of one call to all observers, joined by one request id."""

    def __init__(self, observers: Sequence[Observer], request_id: str) -> None:
        self.request_id = request_id
        self._observers = tuple(observers)
        self._warned = False

    def emit(self, name: str, /, **payload: JsonValue) -> None:
        """Send an event; `request_id` and `provider` are added."""
        for observer in self._observers:
            try:
                observer.emit(name, {**payload, "request_id": self.request_id, "provider": "vllm"})
            except _OBSERVER_FAULTS as error:
                self._warn(observer, name, error)

    def _warn(self, observer: Observer, name: str, error: Exception) -> None:
        """Name the fault without its text, which may hold parts of the payload."""
        if not self._warned:
            self._warned = True
            kind, fault = type(observer).__name__, type(error).__name__
            logger.warning("The observer %s failed on %s (%s); the answer goes on.", kind, name, fault)
