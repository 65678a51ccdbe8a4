"""Sums of figures: a whole is what its parts are together, however they are put together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from vllm_tui.accounting.figures import (
    ConversationFigures,
    Figure,
    FigureSource,
    Part,
    Span,
    TurnFigures,
    conversation_of,
    join_parts,
    join_spans,
    resumed,
    weakest,
)

SOURCES: list[FigureSource] = ["server", "computed", "estimate"]
NAMES = ("input", "cached", "output", "reasoning", "answer", "tool_calls", "total")
figures = st.builds(Figure, st.integers(0, 10**6) | st.none(), st.sampled_from(SOURCES))
disagreeing = st.builds(lambda first, second: first.beside(second), figures, figures)
parts = st.lists(st.builds(Part, st.sampled_from(["tools", "history", "question"]), st.integers(0, 10**5)), max_size=4)
turns = st.builds(
    TurnFigures,
    **dict.fromkeys(NAMES, figures | disagreeing),
    input_parts=parts.map(tuple),
    requests=st.integers(1, 3),
)


@given(st.lists(turns, max_size=8))
def test_a_conversation_is_the_sum_of_its_turns(found: list[TurnFigures]) -> None:
    sums = conversation_of(found)
    assert (sums.turns, sums.parts) == (len(found), tuple(found))
    assert sums.unknown_turns == sum(turn.total.value is None for turn in found)
    for name in NAMES:
        known = [getattr(turn, name) for turn in found if getattr(turn, name).value is not None]
        assert getattr(sums, name).value == (sum(figure.value for figure in known) if known else None)
        assert getattr(sums, name).source == weakest(known)


@given(st.lists(turns, max_size=8), st.integers(0, 8))
def test_turns_that_are_added_later_change_no_sum(found: list[TurnFigures], cut: int) -> None:
    later = conversation_of(found[:cut])
    for turn in found[cut:]:
        later = later.plus(turn)
    assert later == conversation_of(found)


@given(st.lists(turns, max_size=5))
def test_the_other_sources_of_a_sum_add_up_too(found: list[TurnFigures]) -> None:
    total = conversation_of(found).total
    others = [turn.total.other or turn.total for turn in found if turn.total.value is not None]
    if total.other is not None:
        assert total.other.value == sum(other.value or 0 for other in others)


@given(st.lists(parts, max_size=5))
def test_joined_parts_keep_every_token(splits: list[list[Part]]) -> None:
    joined = join_parts(*splits)
    assert sum(part.tokens for part in joined) == sum(part.tokens for split in splits for part in split)
    assert len({part.name for part in joined}) == len(joined)


def test_the_split_of_a_conversation_needs_that_of_every_turn() -> None:
    whole = TurnFigures(input_parts=(Part("tools", 5),), parts_source="computed")
    assert conversation_of([whole, whole]).input_parts == (Part("tools", 10),)
    assert conversation_of([whole, TurnFigures(), whole]).input_parts == ()
    assert ConversationFigures().input_parts == ()


def test_a_turn_that_goes_on_after_a_cut_is_one_turn() -> None:
    before = TurnFigures(
        input=Figure(100, "server"),
        output=Figure(40, "server"),
        ttft=Figure(0.2, "computed"),
        mean_tokens_per_second=Figure(20.0, "server"),
        requests=1,
        spans=(Span("waiting", 0.2), Span("answering", 2.0)),
    )
    after = replace(before, ttft=Figure(0.9, "computed"), context_used=Figure(280, "server"))
    both = resumed(before, after)
    assert (both.input.value, both.output.value, both.requests) == (200, 80, 2)
    assert (both.ttft.value, both.context_used.value) == (0.2, 280)
    assert both.mean_tokens_per_second.value == 20.0
    assert both.spans == (Span("waiting", 0.4), Span("answering", 4.0))
    assert join_spans(both.spans) == both.spans
