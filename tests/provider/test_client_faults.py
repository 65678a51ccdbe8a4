"""The provider against servers, proxies and networks that do it wrong, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pytest
from tests.support.provider_calls import answer_of, linked
from tests.support.socket_server import CUT, Reply
from tests.support.wire_answers import (
    JSON_HEADERS,
    closed,
    completed,
    created,
    delta,
    event,
    json_reply,
    message,
    opened,
    page,
    response,
    streamed,
    text_stream,
)
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import InvalidRequest, ProtocolError, ServerError, StreamInterrupted, TimedOut, VLLMError
from vllm_tui.domain.events import BlockDelta, Notice

HELLO = (TextBlock(text="Hello"),)
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a": 1}'}
REASONING = {"type": "reasoning", "id": "rs_1", "content": [{"type": "reasoning_text", "text": "hmm"}], "summary": []}

STREAMS = {
    "as it should be": text_stream(),
    "nothing but the terminal event": completed(message("Hello")),
    "no opening events": delta("Hel") + delta("lo") + completed(message("Hello")),
    "no closing events": created() + opened() + delta("Hello") + completed(message("Hello")),
    "no output in the final object": created() + opened() + delta("Hello") + completed(),
    "null output in the final object": opened()
    + delta("Hello")
    + event("response.completed", response={**response(), "output": None}),
    "ids that change": created()
    + opened("msg_a")
    + delta("Hel", "msg_b")
    + delta("lo", "msg_c")
    + closed("Hello", "d")
    + completed({**message("Hello"), "id": "e"}, id="resp_1"),
    "null ids": created()
    + opened(None)
    + delta("Hel", None)
    + delta("lo", None)
    + closed("Hello", None)
    + completed(message("Hello")),
    "a done marker behind": text_stream() + b"data: [DONE]\n\n",
    "a done marker in front": b"data: [DONE]\n\n" + text_stream(),
    "carriage return and line feed": text_stream().replace(b"\n", b"\r\n"),
    "bare carriage returns": text_stream().replace(b"\n", b"\r"),
    "data lines alone": b"\n".join(line for line in text_stream().split(b"\n") if not line.startswith(b"event:")),
    "comments between": b": hi\n\n" + text_stream().replace(b"\n\n", b"\n\n: keep-alive\n\n"),
    "no blank line at the end": text_stream().rstrip(b"\n"),
    "unknown events": event("response.surprise", item=3) + text_stream(),
    "junk payloads": b"data: 3\n\ndata: null\n\ndata: []\n\n" + text_stream(),
    "a byte order mark": b"\xef\xbb\xbf" + text_stream(),
}


@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS.keys())
async def test_an_odd_stream_gives_the_same_answer(body: bytes) -> None:
    async with linked(streamed(body)) as link:
        events = await link.stream()
    assert "".join(e.text for e in events if isinstance(e, BlockDelta)) == "Hello" or b"delta" not in body
    answer = answer_of(events)
    assert (answer.content, answer.status, answer.finish_reason) == (HELLO, "completed", "stop")
    assert answer.response_id == "resp_1"


async def test_items_that_all_claim_index_zero_stay_apart() -> None:
    body = (
        created()
        + event("response.output_item.added", output_index=0, item={**REASONING, "content": None})
        + event("response.reasoning_text.delta", output_index=0, item_id="rs_1", delta="hmm")
        + event("response.output_item.done", output_index=0, item=REASONING)
        + opened()
        + delta("Hello")
        + closed("Hello")
        + event("response.output_item.added", output_index=0, item={**CALL, "arguments": ""})
        + event("response.function_call_arguments.delta", output_index=0, item_id="fc_1", delta='{"a": 1}')
        + event("response.output_item.done", output_index=0, item={**CALL, "id": None})
        + completed(REASONING, message("Hello"), CALL)
    )
    async with linked(streamed(body)) as link:
        answer = await link.complete()
    call = ToolCallBlock(id="call_1", name="f", input={"a": 1}, raw_arguments='{"a": 1}')
    assert answer.content == (ThinkingBlock(thinking="hmm"), *HELLO, call)
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("kind", ["response.incomplete", "response.completed"])
@pytest.mark.parametrize(("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
async def test_a_cut_answer_is_incomplete_whatever_its_last_event_is_called(
    kind: str, reason: str, finish: str
) -> None:
    cut = completed(message("Hello"), kind=kind, status="incomplete", incomplete_details={"reason": reason})
    async with linked(streamed(created() + opened() + delta("Hello") + cut)) as link:
        answer = await link.complete()
    assert (answer.content, answer.status, answer.finish_reason) == (HELLO, "incomplete", finish)
    assert answer.metadata["vllm:incomplete_reason"] == reason
    assert len(link.server.exchanges) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_pieces_may_end_inside_a_character_and_between_line_ends(size: int) -> None:
    body = event("response.output_text.delta", delta="x").replace(b'"x"', '"Grüße 🎉 漢字"'.encode())
    body = (opened() + body + completed()).replace(b"\n", b"\r\n")
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    async with linked(streamed(*pieces)) as link:
        answer = await link.complete()
    assert answer.text == "Grüße 🎉 漢字"


async def test_invalid_bytes_are_replaced() -> None:
    body = (opened() + delta("HelXlo") + completed()).replace(b"X", b"\xff")
    async with linked(streamed(body)) as link:
        answer = await link.complete()
    assert answer.text == "Hel\ufffdlo"


async def test_lone_surrogates_never_reach_the_answer() -> None:
    body = opened() + delta("a\ud83db") + completed()
    async with linked(streamed(body)) as link:
        answer = await link.complete()
    assert answer.text == "a?b"


async def test_an_event_of_five_megabytes_works() -> None:
    text = "x" * 5_000_000
    async with linked(streamed(opened() + delta(text) + completed())) as link:
        answer = await link.complete()
    assert answer.text == text


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/event-stream"])
async def test_one_json_reply_to_a_streaming_request_is_the_answer(content_type: str) -> None:
    text = "word " * 40_000
    reply = json_reply(response(REASONING, message(text)))
    async with linked(Reply(reply.steps, 200, {"content-type": content_type}, "length")) as link:
        answer = await link.complete()
    assert answer.content == (ThinkingBlock(thinking="hmm"), TextBlock(text=text))


@pytest.mark.parametrize("headers", [{"content-type": "text/event-stream"}, JSON_HEADERS, {}])
async def test_a_stream_answers_a_request_for_one_reply(headers: dict[str, str]) -> None:
    async with linked(Reply((text_stream(),), 200, headers), use_streaming=False) as link:
        answer = await link.complete()
    assert answer.content == HELLO
    assert "stream" not in link.server.bodies[0]


async def test_one_request_can_opt_out_of_streaming() -> None:
    async with linked(json_reply(response(message("Hello")))) as link:
        answer = await link.complete(metadata={"stream": False})
    assert answer.content == HELLO
    assert "stream" not in link.server.bodies[0]


@pytest.mark.parametrize("is_streaming", [True, False])
async def test_a_page_with_status_200_is_an_error(is_streaming: bool) -> None:
    html = page(200, "<html><head><title>Welcome to nginx!</title></head></html>")
    async with linked(html, use_streaming=is_streaming, max_retries=0) as link:
        with pytest.raises(ProtocolError, match="web page") as caught:
            await link.complete()
    assert "Welcome to nginx!" in (caught.value.detail or "")


async def test_plain_text_with_status_200_is_an_error_that_shows_it() -> None:
    reply = Reply((b"upstream is asleep",), 200, {"content-type": "text/plain"}, "length")
    async with linked(reply, max_retries=0) as link:
        with pytest.raises(ProtocolError) as caught:
            await link.complete()
    assert "upstream is asleep" in f"{caught.value} {caught.value.detail}"
    assert len(link.server.exchanges) == 1


FLAT = {"object": "error", "message": "CUDA died", "type": "InternalServerError", "param": None, "code": 500}
ERRORS = {
    "flat": b"data: %s\n\n" % json.dumps(FLAT).encode(),
    "bare": b'data: {"error": {"message": "CUDA died", "type": "InternalServerError", "code": 500}}\n\n',
    "error event": event("error", code="server_error", message="CUDA died"),
    "failed": completed(
        kind="response.failed", status="failed", error={"code": "server_error", "message": "CUDA died"}
    ),
    "failed without saying so": completed(status="failed", error={"code": "server_error", "message": "CUDA died"}),
}


@pytest.mark.parametrize("data", ERRORS.values(), ids=ERRORS.keys())
async def test_an_error_inside_the_stream_carries_the_servers_words(data: bytes) -> None:
    async with linked(streamed(created() + data), streamed()) as link:
        answer = await link.complete()
    assert (answer.content, link.waits) == (HELLO, [1.0])
    assert "CUDA died" in str(link.notes.payloads("provider:retry")[0]["error_message"])


@pytest.mark.parametrize("data", ERRORS.values(), ids=ERRORS.keys())
async def test_after_visible_text_an_error_ends_the_stream_with_what_came(data: bytes) -> None:
    async with linked(streamed(created() + opened() + delta("Hel") + data)) as link:
        with pytest.raises(ServerError, match="CUDA died") as caught:
            await link.stream()
    assert [found.text for found in link.seen if isinstance(found, BlockDelta)] == ["Hel"]
    assert caught.value.partial is not None
    assert caught.value.partial.content == (TextBlock(text="Hel"),)
    assert len(link.server.exchanges) == 1


async def test_an_error_of_the_request_inside_the_stream_is_not_tried_again() -> None:
    bad = b'data: {"error": {"message": "bad input", "type": "BadRequestError", "code": 400}}\n\n'
    async with linked(streamed(created() + bad)) as link:
        with pytest.raises(InvalidRequest, match="bad input"):
            await link.complete()
    assert len(link.server.exchanges) == 1


async def test_broken_json_is_tried_again() -> None:
    async with linked(streamed(created() + opened() + delta("Hel") + b'data: {"type": "resp\n\n'), streamed()) as link:
        answer = await link.complete()
    assert (answer.content, link.waits) == (HELLO, [1.0])


async def test_broken_json_after_visible_text_keeps_what_came() -> None:
    async with linked(streamed(created() + opened() + delta("Hel") + b'data: {"type": "resp\n\n')) as link:
        with pytest.raises(VLLMError) as caught:
            await link.stream()
    assert caught.value.partial is not None
    assert caught.value.partial.content == (TextBlock(text="Hel"),)
    assert len(link.server.exchanges) == 1


ENDS = {"reset": streamed(created() + opened() + delta("Hel"), CUT), "silent end": streamed(opened() + delta("Hel"))}


@pytest.mark.parametrize("reply", ENDS.values(), ids=ENDS.keys())
async def test_a_cut_stream_is_interrupted_with_what_came_and_not_repeated(reply: Reply) -> None:
    async with linked(reply, streamed()) as link:
        with pytest.raises(StreamInterrupted) as caught:
            await link.stream()
    partial = caught.value.partial
    assert partial is not None
    assert (partial.content, partial.status) == ((TextBlock(text="Hel"),), "interrupted")
    assert (len(link.server.exchanges), link.waits) == (1, [])


@pytest.mark.parametrize("reply", ENDS.values(), ids=ENDS.keys())
async def test_a_whole_answer_is_asked_again_after_a_cut(reply: Reply) -> None:
    async with linked(reply, streamed()) as link:
        answer = await link.complete()
    assert (answer.content, link.waits) == (HELLO, [1.0])
    assert link.notes.payloads("llm:stream_aborted")[0]["error"] == {
        "type": "StreamInterrupted",
        "msg": "The connection broke before the answer was complete.",
    }


async def test_a_stream_cut_before_anything_was_seen_is_repeated() -> None:
    async with linked(streamed(created(), CUT), streamed(created()), streamed()) as link:
        events = await link.stream()
    assert (answer_of(events).content, link.waits) == (HELLO, [1.0, 2.0])


async def test_an_empty_answer_falls_back_to_one_reply_and_remembers() -> None:
    empty = Reply((), 200, {"content-type": "text/event-stream"})
    whole = json_reply(response(message("Hello")))
    async with linked(empty, whole, whole) as link:
        events = await link.stream()
        again = await link.stream()
    notices = [found.code for found in events if isinstance(found, Notice)]
    assert (notices, answer_of(events).content, answer_of(again).content) == (["streaming_unavailable"], HELLO, HELLO)
    assert [found for found in again if isinstance(found, Notice)] == []
    assert [body.get("stream") for body in link.server.bodies] == [True, None, None]
    assert link.waits == []


async def test_an_empty_reply_is_a_failed_turn() -> None:
    empty = Reply((), 200, {"content-type": "application/json"}, "length")
    async with linked(empty, empty, max_retries=1, use_streaming=False) as link:
        with pytest.raises(ProtocolError, match="empty"):
            await link.complete()
    assert link.waits == [1.0]


async def test_a_stall_times_out_and_names_the_option() -> None:
    stalled = streamed(created() + opened() + delta("Hel"), asyncio.Event())
    async with linked(stalled, stream_idle_timeout=0.15) as link:
        with pytest.raises(TimedOut, match="stream_idle_timeout") as caught:
            await link.stream()
        await asyncio.wait_for(link.server.exchanges[0].closed.wait(), 5)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"


async def test_comments_are_life() -> None:
    waiting = [step for _ in range(14) for step in (b": keep-alive\n\n", 0.05)]
    async with linked(streamed(*waiting, text_stream()), stream_idle_timeout=0.5, max_retries=0) as link:
        answer = await link.complete()
    assert answer.content == HELLO


async def test_the_whole_attempt_is_bounded_even_while_events_arrive() -> None:
    endless = [created() + opened(), *[step for _ in range(100) for step in (delta("x"), 0.02)]]
    async with linked(streamed(*endless)) as link:
        with pytest.raises(TimedOut, match=r"0\.3 s \(timeout\)"):
            await link.stream(timeout=0.3)
        await asyncio.wait_for(link.server.exchanges[0].closed.wait(), 5)


async def test_a_silent_server_is_bounded_by_the_attempts_time() -> None:
    async with linked(streamed(asyncio.Event()), timeout=0.2, stream_idle_timeout=9, max_retries=0) as link:
        with pytest.raises(TimedOut, match="timeout"):
            await link.complete()


async def test_one_reply_has_no_idle_limit() -> None:
    slow = Reply((b'{"output": [], ', 0.3, b'"status": "completed"}'), 200, JSON_HEADERS)
    async with linked(slow, use_streaming=False, stream_idle_timeout=0.1, max_retries=0) as link:
        assert (await link.complete()).status == "completed"


async def test_the_answer_is_there_with_its_terminal_event() -> None:
    async with linked(streamed(text_stream(), asyncio.Event()), timeout=5) as link:
        async with asyncio.timeout(2):
            answer = await link.complete()
        await asyncio.wait_for(link.server.exchanges[0].closed.wait(), 5)
    assert answer.content == HELLO


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [5, 65_536 * 40, 3_000_001])
async def test_a_packed_answer_is_unpacked_though_nobody_asked_for_it(encoding: str, size: int) -> None:
    body = opened() + delta("x" * size) + completed()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    headers = {"content-type": "text/event-stream", "content-encoding": encoding}
    async with linked(Reply((packed[:50], packed[50:]), 200, headers), max_retries=0) as link:
        answer = await link.complete()
    assert len(answer.text) == size
    assert link.server.exchanges[0].headers["accept-encoding"] == "identity"


async def test_an_unknown_packing_is_a_clear_error() -> None:
    headers = {"content-type": "text/event-stream", "content-encoding": "br"}
    async with linked(Reply((b"xx",), 200, headers), max_retries=0) as link:
        with pytest.raises(ProtocolError, match="br"):
            await link.complete()


async def test_one_reply_that_breaks_off_is_asked_again() -> None:
    cut = Reply((b'{"output": [', CUT), 200, JSON_HEADERS)
    async with linked(cut, json_reply(response(message("Hello"))), use_streaming=False) as link:
        assert (await link.complete()).content == HELLO
    assert link.waits == [1.0]


async def test_comments_alone_are_a_cut_stream() -> None:
    async with linked(streamed(b": keep-alive\n\n"), streamed()) as link:
        assert (await link.complete()).content == HELLO
    assert [body["stream"] for body in link.server.bodies] == [True, True]


async def test_the_head_of_the_answer_may_be_cut() -> None:
    async with linked(Reply((CUT,), 200, {}), streamed()) as link:
        assert (await link.complete()).content == HELLO
    assert link.waits == [1.0]


@pytest.mark.parametrize("at", range(0, len(text_stream()) - 2, 23))
async def test_a_stream_cut_anywhere_is_never_taken_for_an_answer(at: int) -> None:
    async with linked(streamed(text_stream()[:at]), streamed(), streamed()) as link:
        assert (await link.complete()).content == HELLO
    assert len(link.server.exchanges) > 1


@pytest.mark.parametrize("payload", [FLAT, {"error": {"message": "CUDA died", "code": 500}}, {"error": "CUDA died"}])
@pytest.mark.parametrize("is_streaming", [True, False])
async def test_an_error_with_status_200_carries_the_servers_words(payload: object, is_streaming: bool) -> None:
    async with linked(json_reply(payload), use_streaming=is_streaming, max_retries=0) as link:
        with pytest.raises(ServerError, match="CUDA died"):
            await link.complete()


@pytest.mark.parametrize("text", ["[1]", "null", '{"id": 1}', '{"output": [', "{" * 5000 + '"a"', '"text"'])
async def test_json_that_is_no_response_is_a_protocol_error(text: str) -> None:
    reply = Reply((text.encode(),), 200, JSON_HEADERS, "length")
    async with linked(reply, use_streaming=False, max_retries=0) as link:
        with pytest.raises(ProtocolError):
            await link.complete()
