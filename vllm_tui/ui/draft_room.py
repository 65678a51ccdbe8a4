"""Whether the text in the prompt still fits, said while it is typed or pasted."""

from __future__ import annotations

_CHARACTERS_PER_TOKEN = 3.6
"""On the safe side for English text."""

_LARGE_DRAFT, _NEARLY_FULL = 4_000, 0.8


def room_words(used: int | None, window: int | None, characters: int, *, drops_turns: bool) -> str:
    """Return a warning when `characters` more text would nearly fill or overfill the window; empty when all is well.

    `used` are tokens of the conversation so far, as the last request had them; the draft is an estimate.
    """
    if not window or not characters:
        return ""
    draft = round(characters / _CHARACTERS_PER_TOKEN)
    before = used or 0
    total = before + draft
    if total < _NEARLY_FULL * window or (characters < _LARGE_DRAFT and before < _NEARLY_FULL * window):
        return ""
    figures = f"about {total:,} of {window:,} tokens with this text ({draft:,} of them)"
    if draft >= window:
        return f"{figures}: it does not fit, shorten it"
    if total < window:
        return f"{figures}: little room is left for the answer"
    return f"{figures}: " + ("the oldest turns will be left out" if drops_turns else "start a new conversation, ^N")
