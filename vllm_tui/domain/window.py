"""Whether a request fits into a model's window, before it is sent, and what would have to go. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ESTIMATE_MARGIN = 0.15
"""Share added to an estimated input, so that it is rather too large than too small."""

_MARGIN_FLOOR = 64
_DROPPABLE = {
    "history": "older turns",
    "results": "tool results",
    "reasoning": "reasoning of earlier rounds",
    "tools": "tools that are not needed",
    "instructions": "instructions",
    "calls": "earlier tool calls",
    "question": "part of the question",
}
"""What a person can leave out, by part of the prompt."""

Verdict = Literal["unknown", "fits", "clamped", "too_long"]
"""`clamped`: it fits with a shorter answer than wanted. `unknown`: no window or no count."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How a request stands to the window. All in tokens.

    `input` holds the margin of an estimate already, which `margin` tells. `output` is what is left for the answer, at
    most what was wanted; `excess` what has to go before the wanted minimum fits. `advice` names what to drop.
    """

    verdict: Verdict
    input: int = 0
    margin: int = 0
    window: int = 0
    output: int = 0
    excess: int = 0
    advice: str = ""

    @property
    def free(self) -> int:
        """Return what neither the input nor the answer takes."""
        return max(0, self.window - self.input - self.output)


def check_budget(
    tokens: int | None,
    window: int | None,
    wanted_output: int,
    parts: Sequence[tuple[str, int]] = (),
    *,
    is_estimate: bool = False,
    least_output: int = 1,
) -> Budget:
    """Return whether `tokens` of input and `wanted_output` fit into `window`, `least_output` for an answer at least.

    An estimated input is taken with a margin; exact ones are taken as they are. `parts` are (name, tokens).
    """
    if tokens is None or not window:
        return Budget("unknown", window=window or 0)
    margin = max(_MARGIN_FLOOR, round(tokens * ESTIMATE_MARGIN)) if is_estimate else 0
    used = tokens + margin
    left = window - used
    if left < least_output:
        excess = least_output - left
        return Budget("too_long", used, margin, window, 0, excess, _advice(parts, excess))
    output = min(left, wanted_output)
    return Budget("fits" if output == wanted_output else "clamped", used, margin, window, output)


def is_input_cut(counted: int | None, reported: int | None, window: int | None) -> bool:
    """Return whether the server silently cut an input that was exactly `counted`: it kept all but one token of room."""
    if reported is None or not window or counted is None:
        return False
    return reported >= window - 1 and counted > reported


def _advice(parts: Sequence[tuple[str, int]], excess: int) -> str:
    """Name the largest part that can go; two when one is not enough."""
    candidates = sorted((part for part in parts if part[0] in _DROPPABLE), key=lambda part: -part[1])
    named: list[str] = []
    for name, tokens in candidates:
        named.append(f"{_DROPPABLE[name]} ({tokens:,} tokens)")
        excess -= tokens
        if excess <= 0 or len(named) == 2:
            break
    return f"Leave out {' and '.join(named)}." if named else "Shorten the conversation."
