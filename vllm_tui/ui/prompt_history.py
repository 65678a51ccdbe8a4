"""What was asked before, as the prompt walks through it with Up and Down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt as it was typed: its text with paste tokens, and what the tokens stand for."""

    text: str
    pastes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class PromptHistory:
    """Earlier prompts, oldest first, and the place in them; the unsent draft waits at the end."""

    entries: list[Draft] = field(default_factory=list)
    _place: int | None = None
    _unsent: Draft = Draft("")

    def load(self, texts: Iterable[str]) -> None:
        """Put the questions of an earlier session first."""
        self.entries = ([Draft(text) for text in texts] + self.entries)[-MAX_ENTRIES:]
        self._place = None

    def add(self, draft: Draft) -> None:
        """Keep a draft that was sent or cleared; the same one twice in a row is kept once."""
        self._place = None
        if draft.text.strip() and (not self.entries or self.entries[-1] != draft):
            self.entries = [*self.entries, draft][-MAX_ENTRIES:]

    def earlier(self, current: Draft) -> Draft | None:
        """Return the entry before, None at the oldest; `current` is kept to come back to."""
        place = len(self.entries) if self._place is None else self._place
        if place == 0:
            return None
        if self._place is None:
            self._unsent = current
        self._place = place - 1
        return self.entries[self._place]

    def later(self) -> Draft | None:
        """Return the entry after, the unsent draft after the newest, None when already there."""
        if self._place is None:
            return None
        self._place += 1
        if self._place < len(self.entries):
            return self.entries[self._place]
        self._place = None
        return self._unsent

    def forget_place(self) -> None:
        """Make the next Up start from the newest entry: the text was edited."""
        self._place = None
