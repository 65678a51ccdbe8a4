"""Prompts that build on a response the server keeps: counted as the server renders what it kept."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.provider_calls import Link, linked
from tests.support.replay import index
from tests.support.socket_server import Reply
from tests.support.wire_answers import closed, completed, created, delta, message, opened, streamed
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.events import ContinuationStarted, PromptCounted, ResponseFinished
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.counting import Counted
from vllm_tui.wiring.counting import LadderCounter

MODEL = "gpt-oss-tiny"
FOLDER = "0.32.0/gpt-oss"


def recorded(name: str) -> Reply:
    recording = index()[f"{FOLDER}/{name}"]
    return Reply((recording.body,), headers={"content-type": recording.content_type})


def tools_of(name: str) -> tuple[ToolSpec, ...]:
    given = index()[f"{FOLDER}/{name}"].request.get("tools", ())
    return tuple(ToolSpec(name=t["name"], description=t["description"], parameters=t["parameters"]) for t in given)


def use(link: Link, encoder: Encoder) -> None:
    link.provider._session.counter = LadderCounter(lambda: encoder, ProviderConfig(base_url=link.server.url))


async def ask(link: Link, request: ChatRequest) -> tuple[PromptCounted, ChatResponse]:
    events = [event async for event in link.provider.stream(request)]
    counted = next(event for event in events if isinstance(event, PromptCounted))
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    return counted, last.response


def answer(response: ChatResponse) -> Message:
    return Message(role="assistant", content=response.content, metadata={"vllm:response_id": response.response_id})


@pytest.mark.parametrize(
    ("first", "question", "second", "words"),
    [
        (
            "store_turn1",
            "Please answer. [[script:reason_text]]",
            "store_turn2_prev_id_stream",
            "Please answer. [[script:final_only]]",
        ),
        (
            "store_tool_turn1_stream",
            "What is the weather in Paris? [[script:weather]]",
            "store_tool_turn2_prev_id_stream",
            '{"temp": 21, "unit": "celsius"}',
        ),
    ],
)
async def test_a_prompt_on_a_kept_response_counts_as_the_server_counts_it(
    first: str, question: str, second: str, words: str, encoder: Encoder
) -> None:
    async with linked(recorded(first), recorded(second), default_model=MODEL, enable_state=True) as link:
        use(link, encoder)
        tools, asked = tools_of(first), Message(role="user", content=question)
        stream: JsonObject = {"stream": index()[f"{FOLDER}/{first}"].is_stream}
        counted, response = await ask(link, ChatRequest(messages=(asked,), tools=tools, metadata=stream))
        assert response.usage is not None
        assert (counted.input_tokens, counted.source) == (response.usage.input_tokens, "computed")
        calls = [block for block in response.content if isinstance(block, ToolCallBlock)]
        more = Message(role="user", content=words)
        if calls:
            more = Message(role="tool", content=words, tool_call_id=calls[0].id)
        history = (asked, answer(response), more)
        counted, response = await ask(link, ChatRequest(messages=history, tools=tools))
        assert link.server.bodies[1]["previous_response_id"].startswith("resp_")
    assert response.usage is not None
    assert (counted.input_tokens, counted.source) == (response.usage.input_tokens, "computed")


async def test_a_kept_response_that_is_not_known_here_leaves_an_estimate_of_the_whole(encoder: Encoder) -> None:
    async with linked(recorded("store_turn2_prev_id_stream"), default_model=MODEL, enable_state=True) as link:
        use(link, encoder)
        past = Message(role="assistant", content="word " * 400, metadata={"vllm:response_id": "resp_of_another_day"})
        messages = (Message(role="user", content="One"), past, Message(role="user", content="Two"))
        counted, _ = await ask(link, ChatRequest(messages=messages))
    assert counted.source == "estimate"
    assert counted.input_tokens > 400, "what the server keeps is part of the prompt"


def test_the_count_from_before_the_request_fills_missing_usage(encoder: Encoder) -> None:
    counter = LadderCounter(lambda: encoder, ProviderConfig())
    body: JsonObject = {"input": "Two", "previous_response_id": "resp_of_another_day"}
    filled = counter.finish(ChatResponse(content=()), body, MODEL, Counted(512, "estimate"))
    assert filled.usage == Usage(input_tokens=512, source="estimate")


async def test_a_continued_answer_without_usage_is_counted_piece_by_piece(encoder: Encoder) -> None:
    zeros = {"usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, **zeros}
    long, rest = "one two three " * 50 + "four", " five"

    def reply(text: str, **fields: Any) -> Reply:
        return streamed(created() + opened() + delta(text) + closed(text) + completed(message(text), **fields))

    async with linked(reply(long, **cut), reply(rest, **zeros), default_model=MODEL, max_continuations=1) as link:
        use(link, encoder)
        events = await link.stream()
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    assert any(isinstance(event, ContinuationStarted) for event in events)
    usage = last.response.usage
    assert usage is not None
    assert usage.source == "computed"
    assert usage.output_tokens is not None
    whole = len(encoder.encode(long + rest))
    assert whole < usage.output_tokens < whole + 20, "markers of two messages, and no text twice"
    assert usage.input_tokens == sum(event.input_tokens for event in events if isinstance(event, PromptCounted))
