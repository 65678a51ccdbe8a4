"""A subject the demo can speak about."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject: the words that call for it, what the model thinks first, and its answer in Markdown."""

    name: str
    words: str
    thoughts: tuple[str, ...]
    text: str

    def match(self, question: str) -> int:
        """Return how well a question fits: the letters of all distinct words that match."""
        return sum(
            map(len, {found.casefold() for found in re.findall(rf"\b(?:{self.words})", question, re.IGNORECASE)})
        )
