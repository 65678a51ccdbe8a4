"""Tokens are laid out so that every one can be found, none commands the terminal, and rows never overflow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from vllm_tui.accounting.token_view import shown_logprobs
from vllm_tui.domain.hygiene import is_clean
from vllm_tui.ui.tokens.layout import lay_out, visible
from vllm_tui.ui.tokens.texts import percent

TEXTS = st.lists(st.text(max_size=12), max_size=30)


@given(TEXTS, st.integers(8, 60))
def test_rows_hold_every_token_in_order_and_fit(texts: list[str], width: int) -> None:
    rows = lay_out(texts, width)
    shown = ["" for _ in texts]
    for row in rows.rows:
        assert sum(cell_len(cell.text) for cell in row) <= width
        for cell in row:
            assert is_clean(cell.text)
            assert "\n" not in cell.text
            shown[cell.token] += cell.text
    assert shown == [visible(text).replace("\n", "") for text in texts]
    assert len(rows.first_tokens) == len(rows.rows)


@given(TEXTS.filter(bool), st.integers(8, 30))
def test_the_row_of_a_token_is_where_it_begins(texts: list[str], width: int) -> None:
    rows = lay_out(texts, width)
    for number in range(len(texts)):
        places = [at for at, row in enumerate(rows.rows) if any(cell.token == number for cell in row)]
        if places:
            assert rows.row_of(number) == places[0]


def test_white_space_and_control_characters_are_visible() -> None:
    assert [visible(text) for text in (" a", "\n\n", "\t", "\x1b[31m", "a\r\nb")] == [
        "·a",
        "⏎\n⏎\n",
        "→",
        "␛[31m",
        "a⏎\nb",
    ]


def test_log_probabilities_become_probabilities_and_junk_is_passed_over() -> None:
    shown = shown_logprobs([["The", 0.0, [["A", -2.302585]]], ["x", None, []], ["bad"], 7, ["y", True, "z"]])
    assert [(item.piece.text, item.probability) for item in shown] == [("The", 1.0), ("x", None), ("y", None)]
    assert shown[0].others[0].text == "A"
    assert shown[0].others[0].probability == pytest.approx(0.1)


@pytest.mark.parametrize(("value", "words"), [(1.0, "100 %"), (0.123, "12 %"), (0.05, "5.0 %"), (0.0001, "<0.1 %")])
def test_small_probabilities_can_be_told_apart(value: float, words: str) -> None:
    assert percent(value) == words
