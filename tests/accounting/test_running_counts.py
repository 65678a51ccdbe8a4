"""The running provider with its counter: exact before the request leaves, filled in where a server reports zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded_counts import load
from tests.support.replay import index, provider_of, replay_of
from tests.support.socket_server import socket_server
from tests.support.wire_answers import json_reply
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.accounting.source import EncoderSource
from vllm_tui.domain.events import PromptCounted, ResponseFinished
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.ui.launch import VocabularyStand
from vllm_tui.wiring.counting import LadderCounter
from vllm_tui.wiring.vocabulary import fetch, stand_of

MODEL = "openai/gpt-oss-20b"
QUESTION: dict[str, Any] = {"input": [{"role": "user", "content": "Hello"}], "model": MODEL}
ZEROS = [
    name
    for name, recording in index().items()
    if name.startswith("0.10.1.1/gpt-oss/")
    and recording.is_stream
    and recording.status == 200
    and not recording.broke_off
]


def counter_of(encoder: Encoder | None, url: str = "http://nowhere.invalid/v1") -> LadderCounter:
    return LadderCounter(lambda: encoder, ProviderConfig(base_url=url))


@pytest.mark.parametrize("name", ["final_only_stream", "reason_text_stream", "markdown_stream", "reason_effort_low"])
def test_the_same_question_counts_the_same_on_old_and_new_servers(encoder: Encoder, name: str) -> None:
    found = load(f"0.32.0/gpt-oss/{name}")
    old = index()[f"0.10.1.1/gpt-oss/{name}"].request
    assert found is not None
    counter = counter_of(encoder)
    new_count, old_count = counter.count(found.body, MODEL), counter.count(old, MODEL)
    assert new_count is not None
    assert old_count == new_count
    assert (new_count.tokens, new_count.source) == (found.usage["input_tokens"], "computed")
    assert sum(tokens for _, tokens in new_count.parts) == new_count.tokens


async def finished(name: str, encoder: Encoder | None) -> tuple[PromptCounted, ResponseFinished] | None:
    recording = index()[name]
    provider = provider_of(replay_of(recording))
    provider._session.counter = counter_of(encoder)
    counted: PromptCounted | None = None
    async for event in provider.stream(recording.chat_request().model_copy(update={"model": MODEL})):
        if isinstance(event, PromptCounted):
            counted = event
        if isinstance(event, ResponseFinished):
            assert counted is not None
            return counted, event
    return None


@pytest.mark.parametrize("name", ZEROS)
async def test_an_answer_of_an_old_server_gets_computed_usage(name: str, encoder: Encoder) -> None:
    found = await finished(name, encoder)
    assert found is not None
    counted, event = found
    usage = event.response.usage
    assert usage is not None
    assert (usage.source, usage.input_tokens) == ("computed", counted.input_tokens)
    assert bool(usage.output_tokens) == bool(event.response.content)


async def test_without_a_vocabulary_the_figures_are_estimates(encoder: Encoder) -> None:
    found = await finished(ZEROS[0], None)
    assert found is not None
    counted, event = found
    assert counted.source == "estimate"
    assert event.response.usage is not None
    assert event.response.usage.source == "estimate"


async def test_a_server_counts_for_its_own_model() -> None:
    reply = json_reply({"count": 31, "max_model_len": 4096, "tokens": [1] * 31})
    async with socket_server(reply) as server:
        counter = counter_of(None, server.url)
        counted = await counter.ask_server({"input": "Hello", "model": "smol"}, "smol")
        asked = server.bodies[0]
    assert counted is not None
    assert (counted.tokens, counted.source, counted.parts) == (31, "computed", ())
    assert asked["messages"] == [{"role": "user", "content": "Hello"}]


async def test_a_server_without_tokenize_is_asked_once() -> None:
    async with socket_server(json_reply({"detail": "Not Found"}, 404)) as server:
        counter = counter_of(None, server.url)
        answers = [await counter.ask_server({"input": "Hello"}, "smol") for _ in range(3)]
        assert (answers, len(server.exchanges)) == ([None] * 3, 1)


async def test_what_a_server_can_not_count_right_is_not_asked() -> None:
    counter = counter_of(None)
    assert await counter.ask_server(QUESTION, MODEL) is None
    assert await counter.ask_server({"input": "x", "reasoning": {"effort": "low"}}, "smol") is None


def test_an_estimate_is_split_by_length() -> None:
    parts = counter_of(None).split({"instructions": "a" * 30, "input": "b" * 10}, 20)
    assert parts == (("instructions", 15), ("question", 5))


@pytest.mark.parametrize("policy", ["ask", "never"])
def test_the_screen_says_how_the_vocabulary_stands(policy: str, tmp_path: Path) -> None:
    source = EncoderSource("ask" if policy == "ask" else "never", folder=tmp_path)
    source._prepare_file = lambda: _without_package(source)  # type: ignore[method-assign]
    source.start()
    source.wait(10)
    words = stand_of(source, MODEL).words
    assert ("/vocab" in words, stand_of(source, "smol"), stand_of(None, MODEL)) == (
        True,
        VocabularyStand(),
        VocabularyStand(),
    )


def _without_package(source: EncoderSource) -> bool:
    return source._download()


def test_a_vocabulary_that_is_loaded_needs_no_words(vocabulary_file: Path) -> None:
    source = EncoderSource("never", folder=vocabulary_file.parent)
    source.start()
    assert source.wait(10) is not None
    assert stand_of(source, MODEL) == VocabularyStand()
    assert fetch(source, MODEL) == "the vocabulary is loaded; counts are exact"
    assert "demo" in fetch(None, MODEL)
    assert "gpt-oss" in fetch(source, "smol")
