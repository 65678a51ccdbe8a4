"""Token counts of one response, and how they are known."""

from __future__ import annotations

from typing import Literal

from vllm_tui.domain.values import Value

Source = Literal["server", "computed", "estimate"]
"""Reported by the server, computed exactly on this side, or estimated."""

_WEAKEST_FIRST: tuple[Source, ...] = ("estimate", "computed", "server")


class Usage(Value):
    """Tokens of one response; None means unknown, never zero.

    `output_tokens` includes `reasoning_tokens` and tool-call tokens (vLLM counts them so). The `per_turn`
    tuples hold one entry for each round the server itself ran (Harmony models with built-in tools).
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    tool_output_tokens: int | None = None
    input_tokens_per_turn: tuple[int, ...] = ()
    output_tokens_per_turn: tuple[int, ...] = ()
    source: Source = "server"


def weaker(first: Source, second: Source) -> Source:
    """Return the source to name for a sum of two figures."""
    return min(first, second, key=_WEAKEST_FIRST.index)
