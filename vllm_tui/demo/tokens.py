"""Cuts text into pieces as a tokenizer would, so that the demo streams and counts believably."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r" ?[A-Za-z\u00c0-\u024f]{1,9}(?![a-z])"  # a short word with its leading space
    r"| ?[A-Za-z\u00c0-\u024f]{1,5}"  # the parts of a longer one
    r"|\d{1,3}"
    r"|\n+"
    r"|[ \t]+"
    r"|[^\sA-Za-z\u00c0-\u024f\d]{1,2}"
    r"|.",
    re.DOTALL,
)


def split_tokens(text: str) -> list[str]:
    """Return the pieces of `text`; joined they are `text` again."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """Return how many pieces `text` has."""
    return len(_PIECE.findall(text))
