"""What observers, the wire listener, logs and errors tell of a call, and what they never tell."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from tests.support.provider_calls import Notes, answer_of, asking, linked
from tests.support.socket_server import Reply
from tests.support.wire_answers import (
    completed,
    created,
    delta,
    event,
    json_reply,
    message,
    opened,
    refusal,
    streamed,
    text_stream,
)
from vllm_tui.domain.errors import AuthenticationFailed, VLLMError
from vllm_tui.domain.messages import Message
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.client import VLLMProvider
from vllm_tui.provider.wire import WireEnd, WireEvent, WireRecord, WireRequest, WireResponse

KEY = "canary-5up3r-s3cr3t"


async def test_one_request_id_joins_the_events_of_a_call() -> None:
    thinking = event("response.reasoning_text.delta", delta="hm")
    body = created() + thinking + opened() + delta("Hel") + delta("lo") + completed(message("Hello"))
    async with linked(refusal(500), streamed(body)) as link:
        await link.stream()
    assert link.notes.names() == [
        "llm:request",
        "provider:retry",
        "llm:stream_block_start",
        "llm:stream_block_delta",
        "llm:stream_block_end",
        "llm:stream_block_start",
        "llm:stream_block_delta",
        "llm:stream_block_delta",
        "llm:stream_block_end",
        "llm:response",
    ]
    assert len({payload["request_id"] for _, payload in link.notes.events}) == 1
    assert {payload["provider"] for _, payload in link.notes.events} == {"vllm"}


async def test_the_payloads_say_what_happened() -> None:
    async with linked(refusal(503, "busy"), streamed(created() + opened() + delta("Hello") + completed())) as link:
        await link.complete(reasoning_effort="low")
    seen = {
        name: {key: value for key, value in payload.items() if key not in ("request_id", "duration_ms", "provider")}
        for name, payload in link.notes.events
    }
    assert seen == {
        "llm:request": {
            "model": "m",
            "message_count": 1,
            "has_instructions": False,
            "reasoning_enabled": True,
            "thinking_enabled": True,
            "thinking_budget": None,
        },
        "provider:retry": {
            "attempt": 1,
            "max_retries": 5,
            "delay": 1.0,
            "error_type": "ServerError",
            "error_message": "The server failed (503): busy.",
        },
        "llm:stream_block_start": {"block_index": 0, "block_type": "text"},
        "llm:stream_block_delta": {"block_index": 0, "block_type": "text", "sequence": 0, "text": "Hello"},
        "llm:stream_block_end": {"block_index": 0, "block_type": "text"},
        "llm:response": {
            "model": "m",
            "usage": {"input_tokens": 5, "output_tokens": 2, "cost_usd": None},
            "status": "ok",
            "continuation_count": 0,
        },
    }


async def test_a_failed_call_says_so_last() -> None:
    async with linked(refusal(401, "bad key")) as link:
        with pytest.raises(AuthenticationFailed):
            await link.complete()
    name, payload = link.notes.events[-1]
    assert (name, payload["status"], payload["error_type"]) == ("llm:response", "error", "AuthenticationFailed")


async def test_an_attempt_that_showed_nothing_is_not_called_aborted() -> None:
    async with linked(streamed(created()), streamed()) as link:
        await link.complete()
    assert "llm:stream_aborted" not in link.notes.names()


async def test_a_lost_tool_result_is_announced_once_and_repaired_always() -> None:
    call: Any = {"type": "tool_call", "id": "call_a", "name": "look", "input": {}}
    messages = (
        Message(role="user", content="Look."),
        Message(role="assistant", content=(call,)),
        Message(role="user", content="Well?"),
    )
    async with linked(streamed(), streamed()) as link:
        first = await link.stream(messages=messages)
        await link.stream(messages=messages)
    repaired = link.notes.payloads("provider:tool_sequence_repaired")
    assert [payload["repairs"] for payload in repaired] == [[{"tool_call_id": "call_a", "tool_name": "look"}]]
    for body in link.server.bodies:
        assert [item.get("call_id") for item in body["input"] if item.get("type") == "function_call_output"] == [
            "call_a"
        ]
    assert answer_of(first).text == "Hello"


class Broken:
    """An observer and wire listener that always fails."""

    def __init__(self, fault: type[Exception]) -> None:
        self.fault = fault

    def emit(self, name: str, payload: JsonObject) -> None:
        raise self.fault("observer")

    def on_wire(self, request_id: str, attempt: int, record: WireRecord) -> None:
        raise self.fault("listener")


@pytest.mark.parametrize("fault", [RuntimeError, Exception, VLLMError, StopAsyncIteration])
async def test_an_observer_that_fails_hurts_nobody(fault: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken(fault)
    async with linked(streamed()) as link:
        settings: JsonObject = {"base_url": link.server.url, "default_model": "m"}
        link.provider = VLLMProvider(settings, observer=broken, wire=broken)
        answer = await link.complete()
        await link.provider.aclose()
    assert answer.text == "Hello"
    assert [record.message for record in caplog.records if record.name.startswith("vllm_tui")] == [
        f"The observer Broken failed on {occasion} ({fault.__name__}); the answer goes on."
        for occasion in ("llm:request", "WireRequest")
    ]


class Wire:
    """A wire listener that keeps everything."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, WireRecord]] = []

    def on_wire(self, request_id: str, attempt: int, record: WireRecord) -> None:
        self.records.append((request_id, attempt, record))


async def test_the_wire_is_told_attempt_by_attempt_without_the_key() -> None:
    wire = Wire()
    async with linked(refusal(500), streamed(completed())) as link:
        settings: JsonObject = {"base_url": link.server.url, "default_model": "m", "api_key": KEY, "min_retry_delay": 0}
        link.provider = VLLMProvider(settings, wire=wire)
        await link.complete()
        await link.provider.aclose()
    assert [(attempt, type(record)) for _, attempt, record in wire.records] == [
        (1, WireRequest),
        (1, WireResponse),
        (1, WireEvent),
        (1, WireEnd),
        (2, WireRequest),
        (2, WireResponse),
        (2, WireEvent),
        (2, WireEnd),
    ]
    assert len({identity for identity, _, _ in wire.records}) == 1
    assert KEY not in repr(wire.records)


def echoing(status: int) -> Reply:
    """A refusal that repeats the key, as some servers do."""
    return refusal(status, f"Incorrect API key provided: {KEY}.")


TELLTALES = {
    "401": echoing(401),
    "400": echoing(400),
    "500": echoing(500),
    "404": echoing(404),
    "page": Reply((f"<html><title>{KEY}</title></html>".encode(),), 403, {"content-type": "text/html"}, "length"),
    "text": Reply((f"denied {KEY}".encode(),), 200, {"content-type": "text/plain"}, "length"),
    "bare error": streamed(b'data: {"error": {"message": "no %s", "code": 400}}\n\n' % KEY.encode()),
    "cut": streamed(created() + opened() + delta("Hel")),
}


@pytest.mark.parametrize("reply", TELLTALES.values(), ids=TELLTALES.keys())
async def test_the_key_is_in_no_event_log_error_or_repr(
    reply: Reply, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    notes, log = Notes(), tmp_path / "debug.jsonl"
    caplog.set_level(logging.DEBUG)
    async with linked(reply, streamed()) as link:
        settings: JsonObject = {
            "base_url": link.server.url,
            "api_key": KEY,
            "debug": True,
            "raw_debug": True,
            "max_retries": 0,
        }
        provider = VLLMProvider(settings, observer=notes, debug_log=log)
        with pytest.raises(VLLMError) as caught:
            await provider.complete(asking())
        await provider.complete(asking())
        await provider.aclose()
    error = caught.value
    told = [notes.events, vars(error), repr(error), str(error), repr(provider), repr(provider.config), caplog.text]
    assert KEY not in "".join(traceback.format_exception(error)) + log.read_text() + repr(told)
    assert all(exchange.headers["authorization"] == f"Bearer {KEY}" for exchange in link.server.exchanges)
    assert log.stat().st_mode & 0o777 == 0o600


async def test_raw_debugging_tells_bodies_and_answers() -> None:
    async with linked(streamed(), raw_debug=True) as link:
        await link.complete("A question")
    assert link.notes.payloads("llm:request:raw")[0]["request"] == link.server.bodies[0]
    assert "Hello" in str(link.notes.payloads("llm:response:raw")[0]["response"])


async def test_without_debugging_no_prompt_is_told() -> None:
    async with linked(streamed(text_stream("fine"))) as link:
        await link.complete("a private question")
    assert "private" not in repr(link.notes.events)


async def test_the_models_are_listed_with_their_windows() -> None:
    cards = {"object": "list", "data": [{"id": "m", "max_model_len": 4096}]}
    async with linked(json_reply(cards)) as link:
        models = await link.provider.list_models()
    assert [(model.id, model.context_window, model.max_output_tokens) for model in models] == [("m", 4096, 2048)]


async def test_a_refused_model_list_is_our_error_without_the_key() -> None:
    async with linked(echoing(401), api_key=KEY) as link:
        with pytest.raises(AuthenticationFailed) as caught:
            await link.provider.list_models()
    assert KEY not in str(caught.value) + repr(vars(caught.value))


async def test_the_wire_is_told_whole_replies_and_refusals() -> None:
    wire, refused, whole = Wire(), refusal(400, "no"), json_reply({"status": "completed", "output": []})
    async with linked(whole, refused) as link:
        link.provider = VLLMProvider({"base_url": link.server.url, "use_streaming": False}, wire=wire)
        await link.complete()
        with pytest.raises(VLLMError):
            await link.complete()
        await link.provider.aclose()
    bodies = [record.data for _, _, record in wire.records if isinstance(record, WireEvent)]
    assert bodies == [whole.steps[0], refused.steps[0]]
    assert [record.error for _, _, record in wire.records if isinstance(record, WireEnd)] == [
        None,
        "The server found the request invalid (400): no.",
    ]
