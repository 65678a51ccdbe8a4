"""Real servers' answers, byte for byte, through the provider and the SDK: what comes out is what they said."""

from __future__ import annotations

import json

import pytest
from tests.support.recorded_reader import (
    ANSWERS,
    BROKEN,
    QUEUED,
    REPLIES,
    STREAMS,
    calls_of,
    completed,
    expected_status,
    expected_usage,
    failure,
    limit_of,
    names,
    read_items,
    read_stream,
    seen,
    streamed,
    texts_of,
    thoughts_of,
    usage_of,
)
from tests.support.replay import Recording, play
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import StreamInterrupted
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, Notice, ResponseFinished, StreamEvent
from vllm_tui.domain.response import ChatResponse


def test_the_recordings_are_all_there() -> None:
    assert (len(STREAMS), len(REPLIES), len(BROKEN)) == (261, 289, 40)


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


@pytest.mark.parametrize("recording", names(QUEUED))
async def test_a_queued_request_is_no_answer(recording: Recording) -> None:
    error = await failure(recording)
    assert error.message == "The server put the request in its background queue instead of answering."
    assert not error.retryable
