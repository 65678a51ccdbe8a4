"""Recorded streams in any chunks are the same answer; cut short they are errors with what came."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.recorded_reader import completed, read_stream, seen, streamed, texts_of
from tests.support.replay import Replay, index, provider_of, replay_of
from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.response import ChatResponse

CHUNKED = [
    "0.10.1.1/gpt-oss/reason_text_stream",
    "0.20.0/smollm2/tool_choice_required_stream",
    "0.20.0/gpt-oss/tool_auto_preamble_stream",
    "0.32.0/gpt-oss-toolserver/builtin_browser_stream",
    "0.32.0/serve-sh/tool_long_args_stream",
    "0.32.0/think-tools-store/tool_two_calls_stream",
    "0.32.0/think-tools-store/tool_custom_stream",
    "0.32.0/think-tools-store/tool_auto_text_and_call_stream",
]
SHORT = "0.10.1.1/gpt-oss/final_only_stream"


def pieces_of(body: bytes, places: list[int]) -> tuple[bytes, ...]:
    edges = [0, *sorted({place % len(body) for place in places}), len(body)]
    return tuple(body[begin:end] for begin, end in pairwise(edges))


@pytest.mark.parametrize("name", CHUNKED)
@given(places=st.lists(st.integers(0, 1_000_000), max_size=300))
@settings(max_examples=25, deadline=None)
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
            assert texts_of(partial) == texts_before(body[:end], counts_last=not broke_off)
            assert whole.text.startswith(partial.text)


def texts_before(came: bytes, *, counts_last: bool) -> list[str]:
    """Return the messages in `came`; its last event counts without a blank line after it when a body just ends."""
    finished, _, last = came.rpartition(b"\n\n")
    if counts_last and is_json(last.partition(b"\ndata: ")[2]):
        finished = came
    return seen(read_stream(finished).texts)


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


LEFT_OUT = {
    "closing events": r"\.done$",
    "deltas": r"\.delta$",
    "part events": r"part\.(added|done)$",
    "all but the final object": r"^response\.(?!created$|completed$)",
}
COMPLETE_FINALS = [name for name in CHUNKED if name.startswith("0.32.0")]


@pytest.mark.parametrize("kinds", LEFT_OUT)
@pytest.mark.parametrize("name", COMPLETE_FINALS)
async def test_events_that_repeat_others_may_be_missing(name: str, kinds: str) -> None:
    recording = index()[name]
    sparse = b"".join(
        event + b"\n\n"
        for event in recording.body.split(b"\n\n")
        if event and not re.search(LEFT_OUT[kinds], event.partition(b"\n")[0].decode().removeprefix("event: "))
    )
    assert len(sparse) < len(recording.body)
    built = await streamed(recording, (sparse,))
    assert built.response == await completed(recording)
    assert built.content == built.response.content
