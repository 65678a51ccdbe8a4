"""What the token view shows of a turn: the prompt and the answer, token by token. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import FigureSource, Part
from vllm_tui.accounting.tokens_view import Piece

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonValue


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have stood there, and its probability from 0 to 1."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as shown: its piece, and where the server said so its probability and the likeliest others."""

    piece: Piece
    probability: float | None = None
    others: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenSide:
    """A prompt or an answer: its tokens, how they are known (None: they are not), and the counts by part."""

    tokens: tuple[Shown, ...] = ()
    source: FigureSource | None = None
    note: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        """Return the text of all tokens joined."""
        return "".join(shown.piece.text for shown in self.tokens)


@dataclass(frozen=True, slots=True)
class TokenView:
    """Both sides of one turn."""

    prompt: TokenSide
    answer: TokenSide


def shown_pieces(pieces: Sequence[Piece]) -> tuple[Shown, ...]:
    """Return pieces of which nothing more is known."""
    return tuple(Shown(piece) for piece in pieces)


def shown_logprobs(entries: JsonValue, part: str = "answer") -> tuple[Shown, ...]:
    """Return the tokens of `[token, logprob, [[other, logprob], ...]]` entries; junk among them is passed over."""
    found: list[Shown] = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], str):
            others = [other for other in entry[2] if isinstance(other, list)] if isinstance(entry[2], list) else []
            alternatives = tuple(Alternative(str(other[0]), _probability(other[1]) or 0.0) for other in others)
            found.append(Shown(Piece(entry[0], -1, False, part), _probability(entry[1]), alternatives))
    return tuple(found)


def _probability(logprob: JsonValue) -> float | None:
    if not isinstance(logprob, int | float) or isinstance(logprob, bool):
        return None
    return math.exp(min(float(logprob), 0.0))
