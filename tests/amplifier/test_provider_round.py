"""The module with the real provider on a socket: bodies, arguments, retries, errors, events, no key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from amplifier_core import llm_errors
from amplifier_core import message_models as kernel
from vllm_tui.amplifier.module import VLLMModule, build_module

CANARY = "sk-canary-4711"
Reply = tuple[int, dict[str, Any]]


class Hooks:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def emit(self, event: str, data: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.heard.append((event, data))


class Coordinator:
    """A coordinator that has hooks."""

    def __init__(self) -> None:
        self.hooks = Hooks()

    async def mount(self, point: str, module: object, *, name: str) -> None:
        raise AssertionError(f"{name} is not mounted here: {point}, {module}")


def said(*output: dict[str, Any]) -> Reply:
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    return 200, {"id": "resp_1", "object": "response", "status": "completed", "output": list(output), "usage": usage}


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def refused(status: int, text: str, **fields: object) -> Reply:
    return status, {"error": {"message": text, "type": "Error", "code": status, **fields}}


@asynccontextmanager
async def served(*replies: Reply, **options: object) -> AsyncIterator[tuple[VLLMModule, Hooks, list[dict[str, Any]]]]:
    """Serve the replies in turn, the last one for ever; give a module for it, its hooks and the bodies it sent."""
    bodies: list[dict[str, Any]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        bodies.append(json.loads(await reader.readexactly(length)))
        status, payload = replies[min(len(bodies), len(replies)) - 1]
        body = json.dumps(payload).encode()
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(body)}"]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    given = {"base_url": url, "api_key": CANARY, "default_model": "m", "max_retries": 0, "min_retry_delay": 0}
    coordinator = Coordinator()
    module = build_module(coordinator, {**given, **options})
    try:
        yield module, coordinator.hooks, bodies
    finally:
        await module.close()
        server.close()
        await server.wait_closed()


def asking(*messages: kernel.Message, **fields: Any) -> kernel.ChatRequest:
    return kernel.ChatRequest(messages=list(messages) or [kernel.Message(role="user", content="Hi")], **fields)


async def test_the_arguments_of_a_call_reach_the_server() -> None:
    async with served(said(message("Hello"))) as (module, _, bodies):
        reasoning = {"effort": "high", "summary": "concise"}
        await module.complete(
            asking(),
            model="other",
            store=True,
            truncation="disabled",
            reasoning=reasoning,
            max_tokens=77,
            temperature=0.5,
        )
        await module.complete(asking())
    names = ("model", "store", "truncation", "reasoning", "max_output_tokens", "temperature")
    assert [[body.get(name) for name in names] for body in bodies] == [
        ["other", True, "disabled", reasoning, 77, 0.5],
        ["m", False, "auto", None, 4096, None],
    ]


async def test_arguments_that_are_no_object_go_out_and_back_as_they_came() -> None:
    raw = '{"city": "Par'
    call = {"type": "function_call", "id": "f", "call_id": "c1", "name": "get_weather", "arguments": raw}
    tool = kernel.ToolSpec(name="get_weather", description="", parameters={"type": "object", "properties": {}})
    async with served(said(call), said(message("Sorry"))) as (module, _, bodies):
        first = await module.complete(asking(tools=[tool]))
        (asked,) = module.parse_tool_calls(first)
        assert (asked.id, asked.name, asked.arguments["_raw_arguments"]) == ("c1", "get_weather", raw)
        assert asked.arguments["_error"]
        question = kernel.Message(role="user", content="Hi")
        answer = kernel.Message(role="assistant", content=first.content, metadata=first.metadata)
        result = kernel.Message(role="tool", content="unreadable", tool_call_id=asked.id)
        second = await module.complete(asking(question, answer, result, tools=[tool]))
    sent = [item for item in bodies[1]["input"] if item.get("type", "message") != "message"]
    assert [(item["type"], item["call_id"], item.get("arguments")) for item in sent] == [
        ("function_call", "c1", raw),
        ("function_call_output", "c1", None),
    ]
    assert second.text == "Sorry"


async def test_a_retry_is_told_and_every_call_has_its_own_id() -> None:
    busy = refused(503, "busy")
    async with served(busy, said(message("Hello")), max_retries=2) as (module, hooks, _):
        await module.complete(asking())
        first, hooks.heard = hooks.heard, []
        await asyncio.gather(module.complete(asking()), module.complete(asking()))
    names = [name for name, _ in first]
    assert (names[:2], names[-1]) == (["llm:request", "provider:retry"], "llm:response")
    retry = first[1][1]
    assert (retry["attempt"], retry["max_retries"], retry["error_type"]) == (1, 2, "ServerError")
    assert len({data["request_id"] for _, data in first}) == 1
    by_call: dict[str, list[str]] = {}
    for name, data in hooks.heard:
        by_call.setdefault(data["request_id"], []).append(name)
    told = ["llm:request", "llm:stream_block_start", "llm:stream_block_delta", "llm:stream_block_end", "llm:response"]
    assert list(by_call.values()) == [told, told]


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        (refused(401, "Unauthorized"), llm_errors.AuthenticationError, False),
        (refused(403, "no"), llm_errors.AccessDeniedError, False),
        (refused(404, "The model `m` does not exist."), llm_errors.NotFoundError, False),
        (refused(400, "temperature must be at most 2"), llm_errors.InvalidRequestError, False),
        (refused(400, "This model's maximum context length is 10 tokens."), llm_errors.ContextLengthError, False),
        (refused(429, "slow down"), llm_errors.RateLimitError, True),
        (refused(500, "engine died"), llm_errors.ProviderUnavailableError, True),
    ],
)
async def test_a_refusal_is_the_kernels_error(reply: Reply, kind: type[llm_errors.LLMError], retryable: bool) -> None:
    async with served(reply) as (module, hooks, _):
        with pytest.raises(kind) as caught:
            await module.complete(asking())
    error = caught.value
    assert (type(error), error.provider, error.model) == (kind, "vllm", "m")
    assert (error.status_code, error.retryable) == (reply[0], retryable)
    assert (hooks.heard[-1][0], hooks.heard[-1][1]["status"]) == ("llm:response", "error")


async def test_raw_events_hold_the_body_and_never_the_key() -> None:
    async with served(said(message("Hello")), debug=True, raw_debug=True) as (module, hooks, bodies):
        answer = await module.complete(asking())
    raw = dict(hooks.heard)
    assert raw["llm:request:raw"]["request"] == bodies[0]
    assert raw["llm:response:raw"]["response"]["content"] == [{"type": "text", "text": "Hello"}]
    assert CANARY not in json.dumps([hooks.heard, bodies, answer.model_dump()], default=str)


async def test_a_server_that_repeats_the_key_does_not_spread_it() -> None:
    async with served(refused(401, f"Incorrect API key provided: {CANARY}")) as (module, hooks, _):
        with pytest.raises(llm_errors.AuthenticationError) as caught:
            await module.complete(asking())
    assert CANARY not in f"{caught.value}{json.dumps(hooks.heard, default=str)}"


async def test_a_failed_answer_that_repeats_the_key_does_not_spread_it() -> None:
    failed = {"object": "response", "status": "failed", "error": {"message": f"bad key {CANARY}", "code": "x"}}
    async with served((200, failed)) as (module, hooks, _):
        with pytest.raises(llm_errors.LLMError) as caught:
            await module.complete(asking())
    assert "bad key [REDACTED]" in str(caught.value)
    assert CANARY not in f"{caught.value}{json.dumps(hooks.heard, default=str)}"
