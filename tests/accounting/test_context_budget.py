"""A request that can't fit is known before it is sent."""

from __future__ import annotations

import pytest
from vllm_tui.domain.window import Budget, check_budget, is_input_cut

EXACT = 3000
PARTS = (("system", 75), ("tools", 400), ("history", 2000), ("question", 525))


def test_what_fits_is_left_alone() -> None:
    assert check_budget(EXACT, 4096, 1000) == Budget("fits", 3000, 0, 4096, 1000)
    assert check_budget(EXACT, 4096, 1000).free == 96


def test_the_answer_is_clamped_to_what_is_left() -> None:
    assert check_budget(EXACT, 4096, 2000) == Budget("clamped", 3000, 0, 4096, 1096)


def test_what_cannot_fit_names_what_to_drop() -> None:
    assert check_budget(EXACT, 2048, 1000, PARTS, least_output=256) == Budget(
        "too_long", 3000, 0, 2048, 0, 1208, "Leave out older turns (2,000 tokens)."
    )
    assert check_budget(EXACT, 600, 1000, PARTS).advice == (
        "Leave out older turns (2,000 tokens) and part of the question (525 tokens)."
    )
    assert check_budget(EXACT, 600, 1000).advice == "Shorten the conversation."


def test_an_estimate_keeps_a_margin_and_says_so() -> None:
    assert check_budget(3000, 4096, 1000, is_estimate=True) == Budget("clamped", 3450, 450, 4096, 646)
    assert check_budget(10, 4096, 1000, is_estimate=True).margin == 64


@pytest.mark.parametrize(("counted", "window"), [(None, 4096), (EXACT, None), (EXACT, 0)])
def test_nothing_is_said_without_numbers(counted: int | None, window: int | None) -> None:
    assert check_budget(counted, window, 100).verdict == "unknown"


def test_an_exact_fit_is_a_fit() -> None:
    assert check_budget(EXACT, 3001, 1).verdict == "fits"
    assert check_budget(EXACT, 3000, 1).verdict == "too_long"


@pytest.mark.parametrize(
    ("counted", "reported", "expected"),
    [(8068, 4095, True), (4095, 4095, False), (8068, 3000, False), (None, 4095, False), (8068, None, False)],
)
def test_a_silently_cut_input_is_noticed(counted: int | None, reported: int | None, expected: bool) -> None:
    assert is_input_cut(counted, reported, 4096) is expected
