"""Real servers' answers, byte for byte, through the provider and the SDK: what comes out is what they said."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.replay import Recording, Replay, index, play, provider_of, replay_of
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.builder import ResponseBuilder
from vllm_tui.domain.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    NotFound,
    ServerError,
    StreamInterrupted,
    VLLMError,
)
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, Notice, ResponseFinished, StreamEvent
from vllm_tui.domain.response import ChatResponse

ANSWERS = [recording for recording in index().values() if recording.status == 200]
STREAMS = [recording for recording in ANSWERS if recording.is_stream and not recording.broke_off]
REPLIES = [recording for recording in ANSWERS if not recording.is_stream]
BROKEN = [recording for recording in ANSWERS if recording.broke_off]
ERRORS = [recording for recording in index().values() if recording.status >= 400]
PAIRS = [
    (stream, reply)
    for stream in STREAMS
    for reply in (index().get(f"{stream.name.removesuffix('_stream')}_nostream"),)
    if reply is not None and {**stream.request, "stream": None} == {**reply.request, "stream": None}
]


# a reader of its own: no state machine, only what the events say in their order


@dataclass
class Read:
    """What a stream or a reply says; calls are (call id, name, arguments)."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    final: dict[str, Any] = field(default_factory=dict)


def events_in(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]


def read_items(items: list[dict[str, Any]]) -> Read:
    read = Read()
    for item in items:
        match item["type"]:
            case "message":
                read.texts += [part["text"] for part in item["content"]]
            case "reasoning":
                read.thoughts.append("\n".join(part["text"] for part in item["content"] or ()))
            case "function_call":
                read.calls.append((item["call_id"], item["name"], item["arguments"]))
            case "custom_tool_call":
                read.calls.append((item["call_id"], item["name"], item["input"]))
    return read


def read_stream(body: bytes) -> Read:
    read = Read()
    for event in events_in(body):
        kind = event["type"]
        if kind == "response.output_item.added":
            item = event["item"]
            if item["type"] == "message":
                read.texts.append("")
            elif item["type"] == "reasoning":
                read.thoughts.append("")
            elif item["type"] in ("function_call", "custom_tool_call"):
                read.calls.append((item["call_id"], item["name"], ""))
        elif kind == "response.output_text.delta":
            read.texts[-1] += event["delta"]
        elif kind == "response.reasoning_text.delta":
            read.thoughts[-1] += event["delta"]
        elif kind in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
            call_id, name, arguments = read.calls[-1]
            read.calls[-1] = (call_id, name, arguments + event["delta"])
        elif kind == "response.completed":
            read.final = event["response"]
    return with_final_calls(read)


def with_final_calls(read: Read) -> Read:
    """Take calls and their ids from the final object; JSON that was streamed in place of a call is no text."""
    final = read_items(read.final.get("output", []))
    if not final.calls:
        return read
    if not read.calls:
        arguments = [json.loads(call[2]) for call in final.calls]
        read.texts = [text for text in read.texts if not is_list_of_calls(text, arguments)]
    read.calls = final.calls
    return read


def is_list_of_calls(text: str, arguments: list[Any]) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return value in arguments or (isinstance(value, list) and [call["parameters"] for call in value] == arguments)


def seen(texts: list[str]) -> list[str]:
    return [text.lstrip("\n") for text in texts if text.strip()]


def expected_status(final: dict[str, Any], limit: int) -> str:
    usage = final.get("usage") or {}
    is_cut = (
        final["status"] == "incomplete"
        or any(item.get("status") == "incomplete" for item in final["output"])
        or usage.get("output_tokens", 0) >= (final.get("max_output_tokens") or limit)
    )
    return "incomplete" if is_cut else "completed"


def expected_usage(final: dict[str, Any]) -> tuple[int, int, int, int, int] | None:
    usage = final.get("usage") or {}
    if not usage.get("total_tokens"):
        return None
    return (
        usage["input_tokens"],
        usage["output_tokens"],
        usage["total_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
    )


# what the provider makes of it


def texts_of(response: ChatResponse) -> list[str]:
    return [block.text for block in response.content if isinstance(block, TextBlock)]


def thoughts_of(response: ChatResponse) -> list[str]:
    return [block.thinking for block in response.content if isinstance(block, ThinkingBlock)]


def calls_of(response: ChatResponse) -> list[tuple[str, str, str]]:
    return [(call.id, call.name, call.raw_arguments or "") for call in response.tool_calls]


def usage_of(response: ChatResponse) -> tuple[int | None, ...] | None:
    usage = response.usage
    if usage is None:
        return None
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.reasoning_tokens,
        usage.cache_read_tokens,
    )


def limit_of(recording: Recording) -> int:
    return recording.chat_request().max_output_tokens or 4096


async def streamed(recording: Recording, chunks: tuple[bytes, ...] | None = None) -> ResponseBuilder:
    """Return the fold of the whole stream; raises what the provider raises."""
    builder = ResponseBuilder()
    async with play(recording, chunks) as provider:
        async for event in provider.stream(recording.chat_request()):
            builder.add(event)
    return builder


async def completed(recording: Recording) -> ChatResponse:
    async with play(recording) as provider:
        return await provider.complete(recording.chat_request())


async def failure(recording: Recording, chunks: tuple[bytes, ...] | None = None) -> VLLMError:
    with pytest.raises(VLLMError) as caught:
        await streamed(recording, chunks)
    return caught.value


def names(recordings: list[Recording]) -> Iterator[Any]:
    return (pytest.param(recording, id=recording.name) for recording in recordings)


def test_the_recordings_are_all_there() -> None:
    assert (len(STREAMS), len(REPLIES), len(BROKEN)) == (261, 292, 40)


@pytest.mark.parametrize("recording", names(STREAMS))
async def test_a_stream_folds_to_what_was_streamed(recording: Recording) -> None:
    builder = await streamed(recording)
    response = builder.response
    read = read_stream(recording.body)
    assert response is not None
    assert builder.content == response.content
    assert texts_of(response) == seen(read.texts)
    assert thoughts_of(response) == [thought for thought in read.thoughts if thought]
    assert calls_of(response) == read.calls
    assert response.status == expected_status(read.final, limit_of(recording))
    assert usage_of(response) == expected_usage(read.final)
    assert response.response_id == read.final["id"]


@pytest.mark.parametrize("recording", names(REPLIES))
async def test_a_reply_in_one_piece_folds_to_what_it_says(recording: Recording) -> None:
    builder = await streamed(recording)
    response = builder.response
    final = json.loads(recording.body)
    read = read_items(final["output"])
    assert response is not None
    assert builder.content == response.content
    assert texts_of(response) == seen(read.texts)
    assert thoughts_of(response) == [thought for thought in read.thoughts if thought]
    assert calls_of(response) == read.calls
    assert response.status == expected_status(final, limit_of(recording))
    assert usage_of(response) == expected_usage(final)


SERVERS = sorted({recording.name.rpartition("/")[0] for recording in ANSWERS})


def answers_of(server: str) -> list[Recording]:
    return [recording for recording in STREAMS + REPLIES if recording.name.startswith(f"{server}/")]


@pytest.mark.parametrize("server", SERVERS)
async def test_complete_returns_what_the_stream_folds_to(server: str) -> None:
    for recording in answers_of(server):
        assert await completed(recording) == (await streamed(recording)).response, recording.name


@pytest.mark.parametrize("server", SERVERS)
async def test_events_come_in_their_order(server: str) -> None:
    for recording in answers_of(server):
        async with play(recording) as provider:
            events = [event async for event in provider.stream(recording.chat_request())]
        check_order(events, recording.name)


def check_order(events: list[StreamEvent], name: str) -> None:
    """Blocks open at 0, 1, 2, ..., grow only while open, and stand as they grew; the response is last."""
    opened: list[int] = []
    grown: dict[int, str] = {}
    closed: dict[int, Block | None] = {}
    for event in events[:-1]:
        match event:
            case BlockStarted(index=place):
                opened.append(place)
                grown[place] = ""
            case BlockDelta(index=place, text=text):
                assert place in grown, name
                assert place not in closed, name
                grown[place] += text
            case BlockFinished(index=place, block=block):
                assert place in grown, name
                closed[place] = block
            case _:
                assert isinstance(event, Notice), name
    last = events[-1]
    assert isinstance(last, ResponseFinished), name
    assert opened == list(range(len(opened))), name
    assert sorted(closed) == opened, name
    kept = [(place, block) for place, block in sorted(closed.items()) if block is not None]
    assert tuple(block for _, block in kept) == last.response.content, name
    assert [grown[place] for place, _ in kept] == [words_of(block) for _, block in kept], name


def words_of(block: Block) -> str:
    match block:
        case TextBlock(text=text):
            return text
        case ThinkingBlock(thinking=thinking):
            return thinking
        case ToolCallBlock(raw_arguments=raw):
            return raw or ""
    raise AssertionError(block)


@pytest.mark.parametrize("recording", names([recording for recording in BROKEN if recording.body]))
async def test_a_stream_that_breaks_off_raises_with_what_came(recording: Recording) -> None:
    error = await failure(recording)
    read = read_stream(recording.body)
    assert isinstance(error, StreamInterrupted)
    came = ChatResponse(content=()) if error.partial is None else error.partial
    assert (texts_of(came), thoughts_of(came), calls_of(came)) == (
        seen(read.texts),
        [thought for thought in read.thoughts if thought],
        read.calls,
    )
    assert error.partial is None or error.partial.status == "interrupted"


@pytest.mark.parametrize("recording", names([recording for recording in BROKEN if not recording.body]))
async def test_a_stream_without_one_event_is_an_error(recording: Recording) -> None:
    assert (await failure(recording)).kind in ("interrupted", "protocol")


# streamed and in one piece

_LOST = "vLLM 0.10.1.1 streams no function calls of gpt-oss"
_RAW_CALL = "without streaming, broken or unwanted call text is a plain message"
_TWICE = "a second think tag is text in a stream; the reply is parsed as a whole"
_CODE = "the reply repeats the code of a built-in tool as reasoning"
_REFUSED = "the reply is refused after it was made, the stream is not"
DIFFERENT = {
    "0.10.1.1/gpt-oss/mcp_call_without_mcp_tool_stream": _REFUSED,
    "0.10.1.1/gpt-oss/tool_auto_preamble_stream": _REFUSED,
    "0.10.1.1/gpt-oss/tool_auto_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_bad_json_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_call_without_tools_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_two_calls_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_unknown_name_stream": _LOST,
    "0.20.0/gpt-oss/builtin_python_no_toolserver_stream": _CODE,
    "0.20.0/gpt-oss/json_schema_stream": _REFUSED,
    "0.20.0/smollm2/think_twice_stream": _TWICE,
    "0.20.0/smollm2/tool_bad_json_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_call_without_tools_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_choice_none_but_model_calls_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_cut_by_max_tokens_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_unfinished_eos_stream": _RAW_CALL,
    "0.32.0/gpt-oss-toolserver/builtin_not_requested_stream": _CODE,
    "0.32.0/gpt-oss-toolserver/builtin_python_and_function_stream": _CODE,
    "0.32.0/gpt-oss-toolserver/builtin_python_stream": _CODE,
    "0.32.0/gpt-oss-toolserver/builtin_python_via_mcp_label_stream": _CODE,
    "0.32.0/gpt-oss/builtin_python_no_toolserver_stream": _CODE,
    "0.32.0/serve-sh/tool_bad_json_stream": _RAW_CALL,
    "0.32.0/serve-sh/tool_unfinished_eos_stream": _RAW_CALL,
    "0.32.0/think-tools-store/think_twice_stream": _TWICE,
    "0.32.0/think-tools-store/tool_cut_by_max_tokens_stream": _RAW_CALL,
}
"""Exchanges whose stream and whose reply in one piece the server itself made differ, with the reason."""


async def outcome(recording: Recording) -> tuple[object, ...]:
    """Return what does not depend on the ids of one run."""
    try:
        response = await completed(recording)
    except VLLMError as error:
        return (type(error),)
    calls = [(call.name, call.input) for call in response.tool_calls]
    return (texts_of(response), thoughts_of(response), calls, response.status, response.finish_reason)


@pytest.mark.parametrize(
    ("stream", "reply"), [pytest.param(*pair, id=pair[0].name) for pair in PAIRS if pair[0].name not in DIFFERENT]
)
async def test_a_stream_and_a_reply_to_the_same_request_are_one_answer(stream: Recording, reply: Recording) -> None:
    assert await outcome(stream) == await outcome(reply)


@pytest.mark.parametrize(
    ("stream", "reply"), [pytest.param(*pair, id=pair[0].name) for pair in PAIRS if pair[0].name in DIFFERENT]
)
async def test_the_listed_differences_still_exist(stream: Recording, reply: Recording) -> None:
    assert await outcome(stream) != await outcome(reply)


def test_every_listed_difference_is_a_pair() -> None:
    assert set(DIFFERENT) <= {stream.name for stream, _ in PAIRS}


# errors

_OVERFLOW = re.compile(r"maximum context length|exceeds the max_model_len|max_tokens must be at least 1, got -")
_EFFORT = re.compile(r"^'(minimal|none|xhigh|max)'$")


def expected_error(recording: Recording) -> type[VLLMError]:
    message = recording.body.decode(errors="replace")
    said = re.search(r'"message":"([^"]*)"', message)
    if _OVERFLOW.search(message):
        return ContextLengthExceeded
    if said is not None and _EFFORT.search(said[1]):
        return InvalidRequest
    by_status: dict[int, type[VLLMError]] = {400: InvalidRequest, 401: AuthenticationFailed, 404: NotFound}
    return by_status.get(recording.status, ServerError)


@pytest.mark.parametrize("recording", names(ERRORS))
async def test_a_refusal_raises_the_error_it_means(recording: Recording) -> None:
    error = await failure(recording)
    assert (type(error), error.status) == (expected_error(recording), recording.status)
    assert error.retryable == (type(error) is ServerError and recording.status != 501)
    assert len(str(error)) < 2000
    assert error.partial is None


@pytest.mark.parametrize(
    ("name", "supported"),
    [
        ("0.32.0/gpt-oss/reason_effort_minimal", ("low", "medium", "high")),
        ("0.32.0/gpt-oss/reason_effort_xhigh", ("low", "medium", "high")),
        ("0.20.0/gpt-oss/reason_effort_minimal", ("low", "medium", "high")),
        ("0.10.1.1/smollm2/reasoning_effort_none", ("minimal", "low", "medium", "high")),
        (
            "0.32.0/default/reasoning_effort_bogus",
            ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        ),
    ],
)
async def test_a_refused_effort_names_those_that_work(name: str, supported: tuple[str, ...]) -> None:
    error = await failure(index()[name])
    assert isinstance(error, InvalidRequest)
    assert error.supported == supported


async def test_an_unknown_model_names_the_models_there_are() -> None:
    error = await failure(index()["0.32.0/default/unknown_model"])
    assert "'nope'" in error.message
    assert "It serves SmolLM2-135M-Instruct." in error.message


# chunks and cuts

CHUNKED = [
    "0.10.1.1/gpt-oss/reason_text_stream",
    "0.20.0/smollm2/tool_choice_required_stream",
    "0.20.0/gpt-oss/tool_auto_preamble_stream",
    "0.32.0/gpt-oss-toolserver/builtin_browser_stream",
    "0.32.0/serve-sh/tool_long_args_stream",
    "0.32.0/think-tools-store/tool_two_calls_stream",
]
SHORT = "0.32.0/gpt-oss/reason_only_stream"


def pieces_of(body: bytes, places: list[int]) -> tuple[bytes, ...]:
    edges = [0, *sorted({place % len(body) for place in places}), len(body)]
    return tuple(body[begin:end] for begin, end in pairwise(edges))


@pytest.mark.parametrize("name", CHUNKED)
@given(places=st.lists(st.integers(0, 1_000_000), max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_chunking_folds_to_the_same_answer(name: str, places: list[int]) -> None:
    recording = index()[name]
    whole = asyncio.run(completed(recording))
    chunked = asyncio.run(streamed(recording, pieces_of(recording.body, places)))
    assert chunked.response == whole
    assert chunked.content == whole.content


@pytest.mark.parametrize("name", CHUNKED)
async def test_single_bytes_fold_to_the_same_answer(name: str) -> None:
    recording = index()[name]
    body = recording.body
    single = tuple(body[place : place + 1] for place in range(len(body)))
    assert (await streamed(recording, single)).response == await completed(recording)


@pytest.mark.parametrize("broke_off", [False, True], ids=["ended", "broken off"])
async def test_a_cut_at_any_byte_is_an_error_with_what_came(broke_off: bool) -> None:
    recording = index()[SHORT]
    body = recording.body.rstrip(b"\n")
    request = recording.chat_request()
    replay = replay_of(recording)
    async with provider_of(replay) as provider:
        whole = await provider.complete(request)
        replay.broke_off = broke_off
        for end in range(len(body) - 1, -1, -3 if broke_off else -1):
            replay.chunks = (body[:end],)
            with pytest.raises(VLLMError) as caught:
                await provider.complete(request)
            partial = caught.value.partial or ChatResponse(content=())
            assert thoughts_of(partial) == thoughts_before(body[:end], counts_last=not broke_off)
            assert whole.thinking.startswith(partial.thinking)
            assert texts_of(partial) == []


def thoughts_before(came: bytes, *, counts_last: bool) -> list[str]:
    """Return the reasoning in `came`; its last event counts without a blank line after it when a body just ends."""
    finished, _, last = came.rpartition(b"\n\n")
    if counts_last and is_json(last.partition(b"\ndata: ")[2]):
        finished = came
    return [said for said in read_stream(finished).thoughts if said]


def is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


async def test_the_last_blank_line_may_be_missing() -> None:
    recording = index()[SHORT]
    ended = await streamed(recording, (recording.body.rstrip(b"\n"),))
    assert ended.response == await completed(recording)


@pytest.mark.parametrize("body", [b"OK", b"event: response.cre", b"event: response.created\ndata: {"])
async def test_a_body_that_is_no_answer_is_not_taken_for_an_empty_one(body: bytes) -> None:
    replay = Replay((body,), content_type="text/event-stream")
    async with provider_of(replay) as provider:
        with pytest.raises(VLLMError):
            await provider.complete(index()[SHORT].chat_request())
    assert [sent.get("stream") for sent in replay.requests] == [True]
