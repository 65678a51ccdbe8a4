"""Counts text that is still growing: what is settled is counted once, only the open end again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_LOOK_BACK = 256
_CUT = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])|(?<=\n)(?=[^\s/])")
"""Places where no o200k token can reach across.

Before a space between two Latin letters, as a word takes the space in front of it; and after a line feed before
anything but white space and `/`, which punctuation at a line's end may swallow.
"""


def settled_length(text: str) -> int:
    """Return how much of `text` will be the same tokens whatever follows."""
    start = max(0, len(text) - _LOOK_BACK)
    while True:
        places = [match.start() for match in _CUT.finditer(text, start)]
        if places or start == 0:
            return places[-1] if places else 0
        start = max(0, 2 * start - len(text))


class TextCounter:
    """The tokens of a text that comes in pieces; equal at any moment to those of the whole."""

    def __init__(self, encode: Callable[[str], Sequence[int]]) -> None:
        self._encode = encode
        self._settled = 0
        self._tail = ""
        self._pieces: list[str] = []
        self._count = 0
        self._is_fresh = True

    def add(self, text: str) -> None:
        """Take the next piece; costs nothing until the count is asked for."""
        self._pieces.append(text)
        self._is_fresh = False

    @property
    def count(self) -> int:
        """Return the tokens so far; encodes what came since the last time."""
        if not self._is_fresh:
            self._tail += "".join(self._pieces)
            self._pieces.clear()
            self._settle()
            self._count = self._settled + len(self._encode(self._tail))
            self._is_fresh = True
        return self._count

    def _settle(self) -> None:
        length = settled_length(self._tail)
        if length:
            self._settled += len(self._encode(self._tail[:length]))
            self._tail = self._tail[length:]
