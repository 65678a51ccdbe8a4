"""Long or unclean pastes wait behind a short token and are put back when the prompt is sent."""

from __future__ import annotations

import re

from vllm_tui.domain.hygiene import is_clean, without_surrogates

TOKEN_LIMIT = 1_000
"""A paste of more characters than this becomes a token."""

_TOKEN = re.compile(r"\[Pasted [\d,]+ characters(?: #\d+)?\]")


class Pastes:
    """Pasted texts by their token."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def take(self, text: str) -> str:
        """Return what to put in the prompt for a paste: itself, or a token when it is long or holds control codes."""
        text = without_surrogates(text.replace("\r\n", "\n").replace("\r", "\n"))
        if len(text) <= TOKEN_LIMIT and is_clean(text):
            return text
        token = f"[Pasted {len(text):,} characters]"
        number = 1
        while self._texts.get(token, text) != text:
            number += 1
            token = f"[Pasted {len(text):,} characters #{number}]"
        self._texts[token] = text
        return token

    def expand(self, text: str) -> str:
        """Return `text` with every known token replaced by what was pasted."""
        if not self._texts:
            return text
        return _TOKEN.sub(lambda match: self._texts.get(match.group(), match.group()), text)

    def used_in(self, text: str) -> tuple[tuple[str, str], ...]:
        """Return the tokens that occur in `text` with what they stand for."""
        return tuple((token, pasted) for token, pasted in self._texts.items() if token in text)

    def restore(self, pastes: tuple[tuple[str, str], ...]) -> None:
        """Know these tokens again: an earlier prompt came back."""
        self._texts.update(pastes)

    def clear(self) -> None:
        """Forget all: the prompt is empty."""
        self._texts.clear()

    def token_before(self, line: str, column: int) -> int:
        """Return the length of the known token that ends at `column` of `line`, 0 when none does."""
        for token in self._texts:
            if line[:column].endswith(token):
                return len(token)
        return 0
