"""What is asked again and when, what is sent, and how a server's shortcomings are worked around."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import Any

import pytest
from tests.support.provider_calls import answer_of, asking, linked
from tests.support.socket_server import Reply, socket_server
from tests.support.wire_answers import (
    completed,
    created,
    delta,
    json_reply,
    message,
    opened,
    page,
    refusal,
    response,
    streamed,
)
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import (
    AccessDenied,
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    NotFound,
    RateLimited,
    RequestError,
    ServerError,
    VLLMError,
)
from vllm_tui.domain.events import BlockDelta, ContinuationStarted, HistoryTrimmed, Notice, RetryScheduled
from vllm_tui.domain.messages import Message

HELLO = (TextBlock(text="Hello"),)
UNKNOWN_ID = "Response with id 'resp_0' not found."
CUT: dict[str, Any] = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


def cut_stream(text: str, **fields: Any) -> Reply:
    return streamed(created() + opened() + delta(text) + completed(message(text), **{**CUT, **fields}))


def codes(events: list[Any]) -> list[str]:
    return [event.code for event in events if isinstance(event, Notice)]


def past_turn(**metadata: Any) -> tuple[Message, ...]:
    answer = (ThinkingBlock(thinking="hm"), TextBlock(text="Yes."))
    return (
        Message(role="user", content="First?"),
        Message(role="assistant", content=answer, metadata=metadata or None),
        Message(role="user", content="Second?"),
    )


async def test_delays_double_and_each_is_announced() -> None:
    async with linked(*[refusal(500)] * 3, streamed()) as link:
        events = await link.stream()
    assert link.waits == [1.0, 2.0, 4.0]
    retries = [(e.attempt, e.max_retries, e.delay) for e in events if isinstance(e, RetryScheduled)]
    assert retries == [(1, 5, 1.0), (2, 5, 2.0), (3, 5, 4.0)]
    assert answer_of(events).content == HELLO


async def test_retries_end_after_their_number_and_the_longest_delay_holds() -> None:
    async with linked(*[refusal(503)] * 9, max_retry_delay=3) as link:
        with pytest.raises(ServerError):
            await link.complete()
    assert link.waits == [1.0, 2.0, 3.0, 3.0, 3.0]
    assert len(link.server.exchanges) == 6


@pytest.mark.parametrize(("random", "delays"), [(0.0, [0.8, 1.6]), (1.0, [1.2, 2.4])])
async def test_jitter_is_a_fraction(random: float, delays: list[float]) -> None:
    async with linked(refusal(500), refusal(500), streamed(), retry_jitter=0.2) as link:
        link.provider._session.random = lambda: random
        await link.complete()
    assert link.waits == pytest.approx(delays)


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds_is_a_lower_bound(status: int) -> None:
    async with linked(refusal(status, retry_after="7"), refusal(status, retry_after="0"), streamed()) as link:
        await link.complete()
    assert link.waits == [7.0, 2.0]


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_may_be_a_date(status: int) -> None:
    async with linked(refusal(status, retry_after=formatdate(time.time() + 30, usegmt=True)), streamed()) as link:
        await link.complete()
    assert 25 < link.waits[0] <= 30


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_beyond_the_longest_fails_at_once(status: int) -> None:
    async with linked(refusal(status, retry_after="61")) as link:
        with pytest.raises((RateLimited, ServerError)) as caught:
            await link.complete()
    assert (caught.value.retryable, caught.value.retry_after, link.waits) == (False, 61.0, [])


@pytest.mark.parametrize("wait", ["nan", "-5", "soon", "inf"])
async def test_a_senseless_retry_after_is_ignored(wait: str) -> None:
    async with linked(refusal(429, retry_after=wait), streamed()) as link:
        await link.complete()
    assert link.waits == [1.0]


TRANSIENT = {
    "408": refusal(408),
    "500": refusal(500),
    "502": page(502, "<html><title>Bad Gateway</title></html>"),
    "504": page(504, "<html></html>"),
    "challenge": page(403, "<html><title>Just a moment...</title></html>"),
    "warm-up 404": page(404, "<html>Service is starting</html>"),
    "warm-up 425": page(425, "warming up"),
}


@pytest.mark.parametrize("reply", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_what_may_pass_is_asked_again(reply: Reply) -> None:
    async with linked(reply, streamed()) as link:
        assert (await link.complete()).content == HELLO
    assert link.waits == [1.0]


FINAL: dict[str, tuple[Reply, type[VLLMError]]] = {
    "400": (refusal(400), InvalidRequest),
    "401": (refusal(401), AuthenticationFailed),
    "403": (page(403, "<html><title>403 Forbidden</title><h1>nginx</h1></html>"), AccessDenied),
    "404": (page(404, "<html><title>Not Found</title></html>"), NotFound),
    "404 in JSON": (refusal(404, "The service is starting"), NotFound),
    "409": (refusal(409), RequestError),
    "413": (refusal(413), InvalidRequest),
    "422": (refusal(422), InvalidRequest),
    "501": (refusal(501), ServerError),
    "overflow": (refusal(400, "This model's maximum context length is 10 tokens."), ContextLengthExceeded),
}


@pytest.mark.parametrize(("reply", "kind"), FINAL.values(), ids=FINAL.keys())
async def test_what_will_not_pass_is_asked_once(reply: Reply, kind: type[VLLMError]) -> None:
    async with linked(reply) as link:
        with pytest.raises(kind) as caught:
            await link.complete()
    assert (type(caught.value), caught.value.retryable, link.waits) == (kind, False, [])


async def test_a_refused_connection_is_tried_again() -> None:
    async with linked(max_retries=2) as link:
        link.provider = type(link.provider)({"base_url": "http://127.0.0.1:1/v1", "max_retries": 2, "retry_jitter": 0})
        link.provider._session.sleep = link._sleep
        with pytest.raises(VLLMError, match=r"127\.0\.0\.1:1"):
            await link.complete()
        await link.provider.aclose()
    assert link.waits == [1.0, 2.0]


async def test_the_body_holds_no_null_and_zero_is_a_temperature() -> None:
    async with linked(streamed(), streamed(), temperature=0, max_tokens=9) as link:
        await link.complete()
        await link.complete(metadata={"stream": False}, temperature=0.5)
    first = {
        "model": "m",
        "input": [{"role": "user", "content": "Hi"}],
        "store": False,
        "max_output_tokens": 9,
        "temperature": 0.0,
        "truncation": "auto",
    }
    assert link.server.bodies == [{**first, "stream": True}, {**first, "temperature": 0.5}]


async def test_nothing_of_the_sdks_environment_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("API_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL", "ADMIN_KEY", "WEBHOOK_SECRET", "CUSTOM_HEADERS", "LOG")
    for name in names:
        monkeypatch.setenv(f"OPENAI_{name}", "http://canary.invalid/canary")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-canary: canary")
    async with linked(streamed(), json_reply({"object": "list", "data": []})) as link:
        await link.complete()
        await link.provider.list_models()
    for exchange in link.server.exchanges:
        assert "canary" not in str(exchange)
        assert exchange.headers["authorization"] == "Bearer EMPTY"
        assert not [name for name in exchange.headers if name.startswith(("openai", "x-stainless"))]
    assert [exchange.path for exchange in link.server.exchanges] == ["/v1/responses", "/v1/models"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_never_follows_a_redirect_elsewhere(status: int) -> None:
    async with socket_server(streamed()) as other:
        elsewhere = Reply((), status, {"location": f"{other.url}/responses"}, "length")
        async with linked(elsewhere, api_key="canary-key") as link:
            with pytest.raises(RequestError) as caught:
                await link.complete()
    assert (other.exchanges, caught.value.status) == ([], status)
    assert link.server.exchanges[0].headers["authorization"] == "Bearer canary-key"


async def test_a_redirect_within_the_server_is_followed() -> None:
    async with linked(Reply((), 307, {"location": "/v1/answers"}, "length"), streamed(), api_key="k") as link:
        assert (await link.complete()).content == HELLO
    assert [(e.method, e.path) for e in link.server.exchanges] == [("POST", "/v1/responses"), ("POST", "/v1/answers")]
    assert link.server.bodies[0] == link.server.bodies[1]


async def test_state_chains_by_the_latest_response_id() -> None:
    async with linked(streamed(), enable_state=True) as link:
        await link.complete(messages=past_turn(**{"vllm:response_id": "resp_0"}))
    body = link.server.bodies[0]
    assert (body["store"], body["previous_response_id"]) == (True, "resp_0")
    assert body["input"] == [{"role": "user", "content": "Second?"}]


@pytest.mark.parametrize("status", [404, 400])
async def test_a_server_without_a_store_gets_the_whole_history_from_then_on(status: int) -> None:
    history = past_turn(**{"vllm:response_id": "resp_0"})
    async with linked(refusal(status, UNKNOWN_ID), streamed(), streamed(), enable_state=True) as link:
        events = await link.stream(messages=history)
        again = await link.stream(messages=history)
    assert (codes(events), codes(again), link.waits) == (["store_unavailable"], [], [])
    assert "VLLM_ENABLE_RESPONSES_API_STORE=1" in next(e.message for e in events if isinstance(e, Notice))
    bodies = link.server.bodies
    assert ["previous_response_id" in body for body in bodies] == [True, False, False]
    assert [(len(body["input"]), body["store"]) for body in bodies[1:]] == [(4, False), (4, False)]


async def test_with_state_an_unknown_model_is_not_taken_for_a_missing_store() -> None:
    history = past_turn(**{"vllm:response_id": "resp_0"})
    async with linked(refusal(404, "The model `m` does not exist."), enable_state=True) as link:
        with pytest.raises(NotFound, match="does not serve the model"):
            await link.complete(messages=history)
    assert not link.provider._session.lacks_store


async def test_with_state_another_invalid_request_is_not_taken_for_a_missing_store() -> None:
    history = past_turn(**{"vllm:response_id": "resp_0"})
    async with linked(refusal(400, "top_k must be at least -1"), enable_state=True) as link:
        with pytest.raises(InvalidRequest, match="top_k"):
            await link.complete(messages=history)
    assert not link.provider._session.lacks_store


async def test_a_server_that_refuses_structured_items_gets_plain_ones_from_then_on() -> None:
    said = "Unknown part type: output_text"
    async with linked(refusal(400, said), streamed(), streamed()) as link:
        events = await link.stream(messages=past_turn())
        again = await link.stream(messages=past_turn())
    assert (codes(events), codes(again), link.waits) == (["plain_history"], [], [])
    plain = [
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Second?"},
    ]
    assert [body["input"] for body in link.server.bodies[1:]] == [plain, plain]


async def test_a_plain_request_that_is_refused_too_is_an_error() -> None:
    said = "Unknown part type: output_text"
    async with linked(refusal(400, said), refusal(400, said)) as link:
        with pytest.raises(InvalidRequest):
            await link.complete(messages=past_turn())
    assert len(link.server.exchanges) == 2


async def test_a_refused_effort_lists_those_that_are_supported() -> None:
    said = "Unsupported value: reasoning effort 'max' is not supported. Supported values are: 'low', 'high'."
    async with linked(refusal(400, said)) as link:
        with pytest.raises(InvalidRequest) as caught:
            await link.complete(reasoning_effort="max")
    assert caught.value.supported == ("low", "high")


async def test_a_cut_answer_goes_on_without_a_seam() -> None:
    rest = created() + opened() + delta("ld.") + completed(message("ld."), id="resp_2")
    async with linked(cut_stream("Hello wor"), streamed(rest), max_continuations=5) as link:
        events = await link.stream()
    answer = answer_of(events)
    assert (answer.content, answer.status, answer.response_id) == (
        (TextBlock(text="Hello world."),),
        "completed",
        "resp_2",
    )
    assert [(e.index, e.text) for e in events if isinstance(e, BlockDelta)] == [(0, "Hello wor"), (0, "ld.")]
    assert [e for e in events if isinstance(e, ContinuationStarted)] == [
        ContinuationStarted(1, 5, "max_output_tokens", "resp_1")
    ]
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 4)
    assert answer.metadata["vllm:continuation_count"] == 1
    item = link.server.bodies[1]["input"][-1]
    assert (item["role"], item["status"], item["content"]) == (
        "assistant",
        "incomplete",
        [{"type": "output_text", "text": "Hello wor", "annotations": []}],
    )
    assert [name for name in link.notes.names() if name.startswith("provider:")] == ["provider:incomplete_continuation"]


async def test_a_harmony_model_gets_its_words_as_a_finished_message() -> None:
    rest = streamed(opened() + delta("ld.") + completed(message("ld.")))
    async with linked(cut_stream("Hello wor"), rest, max_continuations=5, default_model="openai/gpt-oss-20b") as link:
        answer = await link.complete()
    assert answer.text == "Hello world."
    assert link.server.bodies[1]["input"][-1]["status"] == "completed"


async def test_continuations_end_after_their_number() -> None:
    async with linked(*[cut_stream("a")] * 4, max_continuations=2) as link:
        answer = await link.complete()
    assert (answer.text, answer.status, len(link.server.exchanges)) == ("aaa", "incomplete", 3)
    texts = [body["input"][-1]["content"][0]["text"] for body in link.server.bodies[1:]]
    assert texts == ["a", "aa"]


async def test_by_default_nothing_is_continued() -> None:
    async with linked(cut_stream("a")) as link:
        assert (await link.complete()).finish_reason == "length"
    assert len(link.server.exchanges) == 1


async def test_a_failing_continuation_keeps_what_came() -> None:
    async with linked(cut_stream("Hello"), refusal(500), max_continuations=5) as link:
        answer = await link.complete()
    assert (answer.content, answer.status, link.waits) == (HELLO, "incomplete", [])


async def test_a_continuation_that_breaks_off_keeps_all_that_was_shown() -> None:
    async with linked(cut_stream("Hel"), streamed(opened() + delta("lo")), max_continuations=5) as link:
        events = await link.stream()
    assert "".join(event.text for event in events if isinstance(event, BlockDelta)) == "Hello"
    assert (answer_of(events).content, answer_of(events).status) == (HELLO, "incomplete")


ENDINGS = {
    "content filter": completed(message("Hello"), status="incomplete", incomplete_details={"reason": "content_filter"}),
    "cut reasoning": completed(
        {"type": "reasoning", "id": "r", "content": [{"type": "reasoning_text", "text": "hm"}]}, **CUT
    ),
    "cut call": completed(
        {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": '{"city": "Os'}, **CUT
    ),
}


@pytest.mark.parametrize("body", ENDINGS.values(), ids=ENDINGS.keys())
async def test_what_can_not_go_on_is_not_asked_again(body: bytes) -> None:
    async with linked(streamed(body), max_continuations=5) as link:
        answer = await link.complete()
    assert (answer.status, len(link.server.exchanges)) == ("incomplete", 1)
    for call in answer.tool_calls:
        assert call == ToolCallBlock(
            id="c", name="f", input=call.input, raw_arguments='{"city": "Os', problem=call.problem
        )
        assert call.problem


async def test_with_auto_the_oldest_turns_are_left_out() -> None:
    long = "word " * 200
    messages = (
        *[Message(role=role, content=long) for _ in range(6) for role in ("user", "assistant")],
        Message(role="user", content="And now?"),
    )
    async with linked(streamed(), context_window=1500, max_tokens=300) as link:
        events = await link.stream(messages=messages)
    trimmed = next(event for event in events if isinstance(event, HistoryTrimmed))
    sent = link.server.bodies[0]
    assert trimmed.dropped_turns > 0
    assert (trimmed.context_window, trimmed.input_tokens + trimmed.output_reserve <= 1500) == (1500, True)
    assert len(sent["input"]) == len(messages) - trimmed.dropped_messages
    assert sent["input"][-1] == {"role": "user", "content": "And now?"}
    assert sent["truncation"] == "auto"


async def test_disabled_refuses_an_overflow_with_the_numbers() -> None:
    async with linked(context_window=1000, max_tokens=300, truncation="disabled") as link:
        with pytest.raises(ContextLengthExceeded) as caught:
            await link.complete("word " * 3000)
    assert all(number in caught.value.message for number in ("1,000", "300", "tokens"))
    assert link.server.exchanges == []


async def test_an_image_for_a_text_model_is_a_clear_error() -> None:
    async with linked(refusal(400, "m is not a multimodal model")) as link:
        with pytest.raises(InvalidRequest, match="does not take images"):
            await link.provider.complete(asking())


async def test_a_reply_in_one_piece_is_retried_too() -> None:
    async with linked(refusal(500), json_reply(response(message("Hello"))), use_streaming=False) as link:
        assert (await link.complete()).content == HELLO
    assert link.waits == [1.0]


async def test_a_long_error_page_becomes_a_short_message() -> None:
    html = f"<html><title>Oops</title>{'x' * 1_000_000}</html>"
    async with linked(page(400, html)) as link:
        with pytest.raises(InvalidRequest) as caught:
            await link.complete()
    assert len(str(caught.value)) < 500
    assert "Oops" in caught.value.message


async def test_a_proxy_of_the_environment_is_not_asked_for_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with linked(streamed(), max_retries=0) as link:
        assert (await link.complete()).content == HELLO


async def test_a_refusal_that_stalls_is_read_as_far_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vllm_tui.provider.transport.ERROR_BODY_SECONDS", 0.1)
    stalled = Reply((b"the model is too large", asyncio.Event()), 400, {"content-type": "text/plain"})
    async with linked(stalled) as link:
        with pytest.raises(InvalidRequest, match="too large"):
            await link.complete()


async def test_state_and_a_retry_send_the_same_body() -> None:
    history = past_turn(**{"vllm:response_id": "resp_0"})
    async with linked(refusal(500), streamed(), enable_state=True) as link:
        await link.complete(messages=history)
    assert link.server.bodies[0] == link.server.bodies[1]


async def test_a_continuation_of_a_stored_answer_keeps_its_chain() -> None:
    history = past_turn(**{"vllm:response_id": "resp_0"})
    rest = streamed(opened() + delta("lo") + completed(message("lo")))
    async with linked(cut_stream("Hel"), rest, enable_state=True, max_continuations=1) as link:
        assert (await link.complete(messages=history)).content == HELLO
    assert [body["previous_response_id"] for body in link.server.bodies] == ["resp_0", "resp_0"]
    assert [len(body["input"]) for body in link.server.bodies] == [1, 2]


async def test_a_length_that_is_not_kept_is_a_cut() -> None:
    short = Reply((b'{"output": []',), 200, {"content-type": "application/json", "content-length": "999"}, "close")
    async with linked(short, json_reply(response(message("Hello"))), use_streaming=False) as link:
        assert (await link.complete()).content == HELLO
    assert link.waits == [1.0]
