"""Requests and answers as they crossed the wire, as a person looks at them. Values and protocols only.

Imports nothing heavy at run time, as screens match on these values. Nothing here holds a credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Form = Literal["curl", "python", "json"]
"""How a request can be taken away."""

WireEnding = Literal["complete", "broken", "cancelled", "open"]
"""The body ended as it should, broke off, was left by this program, or is still coming."""


@dataclass(frozen=True, slots=True)
class WireSummary:
    """One exchange in a list; `about` is the id of its turn, `attempt` counts the requests of one call from 1.

    `started_at` is in seconds since 1970, `seconds` how long it took or takes, `size` in bytes of the answer. `cut`
    events came after what is kept of one answer.
    """

    number: int
    about: str
    attempt: int
    method: str
    url: str
    started_at: float
    seconds: float
    status: int | None
    events: int
    size: int
    ending: WireEnding
    error: str | None = None
    note: str = ""
    cut: int = 0


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A request, or an answer that is no stream: its headers and its body as text."""

    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class WireEventRow:
    """One event of a stream: `at` and `since_last` in seconds, `size` in bytes, `data` its text as it came."""

    number: int
    at: float
    since_last: float
    type: str
    size: int
    data: str
    flags: tuple[str, ...] = ()
    is_gap: bool = False


class WireCatalog(Protocol):
    """The traffic of this session; `dropped` exchanges were the oldest and had no room any more."""

    about: str
    """The turn that the next requests belong to."""

    @property
    def dropped(self) -> int:
        """How many exchanges were dropped."""
        ...

    def exchanges(self) -> Sequence[WireSummary]:
        """Every exchange that is kept, oldest first."""
        ...

    def request(self, number: int) -> WireMessage:
        """The request of an exchange."""
        ...

    def answer(self, number: int) -> WireMessage:
        """The head of an answer, and its body unless it is a stream."""
        ...

    def events(self, number: int) -> Sequence[WireEventRow]:
        """The events of a stream as far as they came."""
        ...

    def take_away(self, number: int, form: Form) -> str:
        """A request as text that repeats it."""
        ...

    def cassette(self, number: int | None = None) -> str:
        """One exchange, or all that are kept, as the text of a cassette file."""
        ...

    def bundle(self) -> str:
        """All that a report about a fault needs: versions, settings, cassette; without secrets."""
        ...

    async def send_again(self, number: int, effort: str | None = None, profile: str | None = None) -> int:
        """Send a request once more, also with another effort or to another profile; return the new one's number."""
        ...
