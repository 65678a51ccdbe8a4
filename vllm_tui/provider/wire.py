"""What travels on the wire, told to a listener attempt by attempt (for an inspector or a recorder)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it leaves; secret headers are replaced by `[REDACTED]`. `time` is seconds on a steady clock."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    time: float


@dataclass(frozen=True, slots=True)
class WireResponse:
    """The head of the answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    time: float


@dataclass(frozen=True, slots=True)
class WireEvent:
    """One event of a stream (`name` may be empty), or the whole body of a reply that is no stream."""

    name: str
    data: bytes
    time: float


@dataclass(frozen=True, slots=True)
class WireEnd:
    """The end of the attempt; `error` is None when the body ended as it should."""

    error: str | None
    time: float


WireRecord = WireRequest | WireResponse | WireEvent | WireEnd


class WireListener(Protocol):
    """Hears every record of every attempt; `request_id` joins a call, `attempt` counts from 1 within it."""

    def on_wire(self, request_id: str, attempt: int, record: WireRecord) -> None:
        """Take one record, at once and without waiting."""
        ...


Tap = Callable[[WireRecord], None]

CURRENT_TAP: ContextVar[Tap | None] = ContextVar("vllm_tui_wire_tap", default=None)
"""Where the transport reports the exchange that is under way in this task."""

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"})


def redacted_headers(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers with credentials and cookies replaced."""
    return tuple((name, "[REDACTED]" if name.lower() in _SECRET_HEADERS else value) for name, value in headers)
