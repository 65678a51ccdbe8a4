"""One request and its answer as they crossed the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Headers = tuple[tuple[str, str], ...]
"""Header names in lower case, in order, values as text."""

Ending = Literal["complete", "broken", "cancelled", "open"]
"""The body ended as it should, broke off, was left by the client, or is still coming."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request without its secrets; `body` is text."""

    method: str
    url: str
    headers: Headers
    body: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that arrived together, `at` seconds after the request left."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came back; without a `status` there was no answer.

    `started_at` is in seconds since 1970, all other times in seconds since the request left. `error` names what
    broke it, as `Kind: message`.
    """

    request: RecordedRequest
    started_at: float
    status: int | None = None
    headers: Headers = ()
    answered_at: float | None = None
    chunks: tuple[Chunk, ...] = ()
    ending: Ending = "open"
    ended_at: float | None = None
    error: str | None = None

    @property
    def body(self) -> bytes:
        """The whole body as far as it came."""
        return b"".join(chunk.data for chunk in self.chunks)

    def header(self, name: str) -> str:
        """Return the value of a response header, or an empty text."""
        return next((value for key, value in self.headers if key == name), "")
