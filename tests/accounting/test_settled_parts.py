"""An estimated split is brought to what the server reported; an exact one is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vllm_tui.accounting.figures import FigureSource, Part, settled_parts

PARTS = (Part("tools", 140), Part("question", 10))


@pytest.mark.parametrize(
    ("source", "reported", "expected"),
    [
        ("computed", 160, PARTS),
        ("estimate", None, PARTS),
        ("estimate", 150, PARTS),
        ("estimate", 296, (Part("system", 146), *PARTS)),
        ("estimate", 75, (Part("system", 0), Part("tools", 70), Part("question", 5))),
    ],
)
def test_what_an_estimate_missed_is_the_template(
    source: FigureSource, reported: int | None, expected: tuple[Part, ...]
) -> None:
    assert settled_parts(PARTS, source, reported) == expected


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=6), st.integers(1, 20_000))
def test_a_settled_split_adds_up_to_the_report(tokens: list[int], reported: int) -> None:
    parts = tuple(Part(f"p{number}", count) for number, count in enumerate(tokens))
    settled = settled_parts(parts, "estimate", reported)
    assert sum(part.tokens for part in settled) == (reported if sum(tokens) else 0)
    assert all(part.tokens >= 0 for part in settled)
