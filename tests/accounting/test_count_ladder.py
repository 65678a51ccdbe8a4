"""Every rung of the ladder names its source and says how."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_counts import load
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.accounting.figures import Figure, Part
from vllm_tui.accounting.harmony_types import ServerFacts
from vllm_tui.accounting.ladder import Ladder, TokenizeFailed, count_reported, is_harmony_model, scaled
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonObject

BODY: JsonObject = {"model": "m", "input": "What is the capital of France?", "instructions": "Be brief."}
GPT_OSS = "openai/gpt-oss-20b"


async def counts_forty(body: JsonObject) -> int:
    return 40


async def refuses(body: JsonObject) -> int:
    raise TokenizeFailed("404.")


@pytest.fixture
def with_vocabulary(encoder: Encoder) -> Ladder:
    return Ladder(lambda: encoder)


@pytest.fixture
def without() -> Ladder:
    return Ladder(lambda: None)


async def test_the_servers_usage_is_the_best(with_vocabulary: Ladder) -> None:
    counted = await with_vocabulary.count(BODY, "SmolLM2", usage=Usage(input_tokens=37, output_tokens=8))
    assert (counted.rung, counted.figure) == ("usage", Figure(37, "server", "The usage of the final event."))
    assert sum(part.tokens for part in counted.parts) == 37


async def test_an_exact_count_that_differs_stands_beside_the_servers(with_vocabulary: Ladder) -> None:
    counted = await with_vocabulary.count(BODY, GPT_OSS, usage=Usage(input_tokens=99))
    assert counted.figure.value == 99
    assert counted.figure.other is not None
    assert (counted.figure.other.value, counted.figure.other.source) == (84, "computed")


def test_zeros_are_no_report() -> None:
    assert count_reported(Usage(input_tokens=0, output_tokens=0, total_tokens=0)) is None
    assert count_reported(None) is None


def test_counts_by_round_are_summed() -> None:
    counted = count_reported(Usage(input_tokens=0, input_tokens_per_turn=(116, 156)))
    assert counted is not None
    assert (counted.rung, counted.figure.value, counted.figure.mark) == ("rounds", 272, "●")


def test_raw_tokens_are_counted() -> None:
    item = load("0.32.0/default/response_messages")
    assert item is not None
    counted = count_reported(None, item.response["input_messages"])
    assert counted is not None
    assert (counted.rung, counted.figure.value) == ("raw", item.usage["input_tokens"])


async def test_ordinary_models_are_counted_by_their_server(with_vocabulary: Ladder) -> None:
    counted = await with_vocabulary.count(BODY, "SmolLM2", tokenize=counts_forty)
    assert (counted.rung, counted.figure.value, counted.figure.mark) == ("tokenize", 40, "◐")
    assert sum(part.tokens for part in counted.parts) == 40


async def test_gpt_oss_is_rendered_here_and_its_server_not_asked(with_vocabulary: Ladder) -> None:
    counted = await with_vocabulary.count(BODY, GPT_OSS, tokenize=refuses)
    assert (counted.rung, counted.figure.value, counted.figure.mark) == ("harmony", 84, "◐")
    assert [part.name for part in counted.parts] == ["system", "instructions", "question", "opening"]
    assert len(counted.assumptions) == 2


async def test_gpt_oss_without_a_vocabulary_takes_the_servers_template_as_an_estimate(without: Ladder) -> None:
    counted = await without.count(BODY, GPT_OSS, tokenize=counts_forty)
    assert (counted.rung, counted.figure.mark) == ("tokenize", "○")


async def test_a_server_that_cannot_count_is_named_and_the_next_rung_taken(without: Ladder) -> None:
    counted = await without.count(BODY, "SmolLM2", tokenize=refuses)
    assert (counted.rung, counted.figure.mark) == ("characters", "○")
    assert counted.figure.note == "From the number of characters. The server's /tokenize was no help: 404."


def test_another_vocabulary_gives_an_estimate(with_vocabulary: Ladder) -> None:
    counted = with_vocabulary.count_locally(BODY, "SmolLM2")
    assert (counted.rung, counted.figure.value, counted.figure.mark) == ("vocabulary", 18, "○")
    assert counted.parts == (Part("instructions", 7), Part("question", 11))


def test_what_the_server_would_refuse_is_estimated_with_the_reason(with_vocabulary: Ladder) -> None:
    counted = with_vocabulary.count_locally({**BODY, "reasoning": {"effort": "minimal"}}, GPT_OSS)
    assert (counted.rung, counted.figure.mark) == ("vocabulary", "○")
    assert "Not rendered exactly: The effort 'minimal'" in counted.figure.note


def test_plain_text_is_exact_for_gpt_oss_alone(with_vocabulary: Ladder, without: Ladder) -> None:
    marks = [
        with_vocabulary.count_text("Hello world", GPT_OSS).figure.mark,
        with_vocabulary.count_text("Hello world", "llama").figure.mark,
        without.count_text("Hello world", GPT_OSS).figure.mark,
    ]
    assert marks == ["◐", "○", "○"]


def test_a_given_date_is_said(encoder: Encoder) -> None:
    counted = Ladder(lambda: encoder, facts=ServerFacts("2026-01-02")).count_locally(BODY, GPT_OSS)
    assert counted.assumptions == ("The server's date, identity and tools were given: 2026-01-02.",)


def test_the_json_holds_tokens_source_and_parts(with_vocabulary: Ladder) -> None:
    assert with_vocabulary.count_locally(BODY, "SmolLM2").as_json() == {
        "input_tokens": 18,
        "source": "estimate",
        "method": "vocabulary",
        "explanation": "Estimated. The texts counted with the o200k vocabulary, which need not be this model's.",
        "assumptions": [],
        "parts": {"instructions": 7, "question": 11},
    }


@pytest.mark.parametrize(
    ("name", "expected"), [("openai/gpt-oss-20b", True), ("GPT-OSS-120B", True), ("gpt-4o", False), ("", False)]
)
def test_harmony_models_are_known_by_name(name: str, expected: bool) -> None:
    assert is_harmony_model(name) is expected


@given(sizes=st.lists(st.integers(0, 500), min_size=1, max_size=6), total=st.integers(0, 5000))
def test_scaled_parts_add_up(sizes: list[int], total: int) -> None:
    parts = scaled([Part(str(number), size) for number, size in enumerate(sizes)], total)
    if sum(sizes):
        assert sum(part.tokens for part in parts) == total
    assert all(part.tokens >= 0 for part in parts)


def test_odd_bodies_are_counted_without_falling(with_vocabulary: Ladder) -> None:
    odd: list[dict[str, Any]] = [
        {},
        {"input": None},
        {"input": [1, None, "x"]},
        {"input": [{"role": "user"}]},
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}], "tools": "none"},
        {"input": [{"type": "function_call"}], "reasoning": "high"},
    ]
    for body in odd:
        assert with_vocabulary.count_locally(body, GPT_OSS).figure.is_known
        assert with_vocabulary.count_locally(body, "llama").figure.is_known
