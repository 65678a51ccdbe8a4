"""The mounted module: answers, errors, events, limits, and nothing secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from amplifier_core import llm_errors
from amplifier_core import message_models as kernel
from vllm_tui.amplifier.error_map import kernel_error
from vllm_tui.amplifier.events import HookObserver
from vllm_tui.amplifier.module import VLLMModule, read_options
from vllm_tui.amplifier.request_map import Thinking
from vllm_tui.amplifier.response_map import model_of, response_of
from vllm_tui.domain import errors
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.usage import Usage
from vllm_tui.provider.config import ProviderConfig

CANARY = "sk-canary-4711"
HI = kernel.ChatRequest(messages=[kernel.Message(role="user", content="Hi")])


class Hooks:
    """Keeps what it hears, and can fail."""

    def __init__(self, fails: bool = False) -> None:
        self.heard: list[tuple[str, dict[str, object]]] = []
        self._fails = fails

    async def emit(self, event: str, data: dict[str, object]) -> None:
        await asyncio.sleep(0)
        self.heard.append((event, data))
        if self._fails:
            raise RuntimeError("hook")


class Core:
    """A provider that tells two events and answers or fails as it is told."""

    def __init__(self, observer: HookObserver, answer: ChatResponse | errors.VLLMError) -> None:
        self.requests: list[ChatRequest] = []
        self._observer = observer
        self._answer = answer

    async def complete(self, request: ChatRequest) -> ChatResponse:
        self.requests.append(request)
        self._observer.emit("llm:request", {"model": "m"})
        await asyncio.sleep(0)
        self._observer.emit("llm:response", {"status": "ok"})
        if isinstance(self._answer, errors.VLLMError):
            raise self._answer
        return self._answer

    async def list_models(self) -> tuple[ModelInfo, ...]:
        if isinstance(self._answer, errors.VLLMError):
            raise self._answer
        return (ModelInfo(id="m", display_name="m", context_window=8192, capabilities=("tools",)),)

    async def aclose(self) -> None:
        self.requests.clear()


def module(
    answer: ChatResponse | errors.VLLMError | None = None, hooks: Hooks | None = None, **options: object
) -> VLLMModule:
    config, thinking = read_options({"api_key": CANARY, "default_model": "m", **options})
    observer = HookObserver(hooks, "vllm")
    return VLLMModule(Core(observer, answer or ChatResponse()), config, observer, thinking)


def test_an_answer_is_carried_over_whole() -> None:
    answer = ChatResponse(
        content=(
            ThinkingBlock(thinking="Hm"),
            TextBlock(text="Let me look."),
            ToolCallBlock(id="c1", name="f", input={"a": 1}),
            ToolCallBlock(id="c2", name="f", input='{"a', problem="cut off"),
        ),
        usage=Usage(input_tokens=5, output_tokens=7, total_tokens=12, reasoning_tokens=2, cache_read_tokens=0),
        finish_reason="tool_calls",
        response_id="resp_1",
        metadata={"vllm:continuation_count": 1},
    )
    found = response_of(answer)
    broken = {"_raw_arguments": '{"a', "_error": "cut off"}
    assert [block.model_dump(exclude_none=True) for block in found.content] == [
        {"type": "thinking", "thinking": "Hm"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_call", "id": "c1", "name": "f", "input": {"a": 1}},
        {"type": "tool_call", "id": "c2", "name": "f", "input": broken},
    ]
    assert found.tool_calls == [
        kernel.ToolCall(id="c1", name="f", arguments={"a": 1}),
        kernel.ToolCall(id="c2", name="f", arguments=broken),
    ]
    assert found.usage == kernel.Usage(
        input_tokens=5, output_tokens=7, total_tokens=12, reasoning_tokens=2, cache_read_tokens=0, source="server"
    )
    assert found.usage.cost_usd is None
    assert (found.text, found.finish_reason) == ("Let me look.", "tool_calls")
    assert [block.type.value for block in found.content_blocks] == ["thinking", "text", "tool_call", "tool_call"]
    assert found.metadata == {"vllm:status": "completed", "vllm:response_id": "resp_1", "vllm:continuation_count": 1}
    assert kernel.ChatResponse.model_validate_json(found.model_dump_json()).tool_calls == found.tool_calls


def test_what_nobody_knows_is_none() -> None:
    found = response_of(ChatResponse(content=(ThinkingBlock(thinking="Hm"),)))
    assert (found.text, found.tool_calls, found.usage) == (None, None, None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.RateLimited("x", status=429, retry_after=3.0), llm_errors.RateLimitError),
        (errors.AuthenticationFailed("x", status=401), llm_errors.AuthenticationError),
        (errors.AccessDenied("x", status=403), llm_errors.AccessDeniedError),
        (errors.ContextLengthExceeded("x", status=400), llm_errors.ContextLengthError),
        (errors.ContentFiltered("x", status=400), llm_errors.ContentFilterError),
        (errors.NotFound("x", status=404), llm_errors.NotFoundError),
        (errors.InvalidRequest("x", status=400), llm_errors.InvalidRequestError),
        (errors.TimedOut("x"), llm_errors.LLMTimeoutError),
        (errors.ConnectionFailed("x"), llm_errors.NetworkError),
        (errors.GatewayWarmingUp("x", status=503), llm_errors.ProviderUnavailableError),
        (errors.ServerError("x", status=501, retryable=False), llm_errors.ProviderUnavailableError),
        (errors.StreamInterrupted("x"), llm_errors.StreamError),
        (errors.ConfigurationError("x"), llm_errors.ConfigurationError),
        (errors.ProtocolError("x"), llm_errors.LLMError),
        (errors.VLLMError("x"), llm_errors.LLMError),
    ],
)
async def test_every_error_becomes_the_kernels(error: errors.VLLMError, kind: type[Exception]) -> None:
    with pytest.raises(llm_errors.LLMError) as caught:
        await module(error).complete(HI, model="other")
    assert type(caught.value) is kind
    found: Any = caught.value
    assert (found.provider, found.model, found.status_code) == ("vllm", "other", error.status)
    assert (found.retryable, found.retry_after, found.__cause__) == (error.retryable, error.retry_after, error)
    assert type(kernel_error(error, "vllm", None)) is kind


async def test_events_of_a_call_are_told_in_order_under_one_id() -> None:
    hooks = Hooks()
    mounted = module(hooks=hooks)
    await asyncio.gather(*(mounted.complete(HI) for _ in range(3)))
    by_id: dict[object, list[str]] = {}
    for name, data in hooks.heard:
        assert data["provider"] == "vllm"
        by_id.setdefault(data["request_id"], []).append(name)
    assert list(by_id.values()) == [["llm:request", "llm:response"]] * 3


async def test_a_handler_that_fails_does_not_harm_the_answer() -> None:
    hooks = Hooks(fails=True)
    found = await module(ChatResponse(content=(TextBlock(text="Hi"),)), hooks).complete(HI)
    assert (found.text, len(hooks.heard)) == ("Hi", 2)


async def test_a_handler_that_hangs_does_not_outlive_a_cancelled_call() -> None:
    class Hanging(Hooks):
        async def emit(self, event: str, data: dict[str, object]) -> None:
            asked.set()
            await asyncio.Event().wait()

    asked = asyncio.Event()
    call = asyncio.ensure_future(module(hooks=Hanging()).complete(HI))
    await asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_events_outside_a_call_are_dropped() -> None:
    hooks = Hooks()
    HookObserver(hooks, "vllm").emit("provider:retry", {})
    assert hooks.heard == []


def test_no_key_is_in_what_the_module_shows() -> None:
    mounted = module()
    shown = json.dumps([mounted.config, mounted.get_info().model_dump(mode="json")], default=str) + repr(vars(mounted))
    assert CANARY not in shown


async def test_limits_are_assumed_until_models_are_listed() -> None:
    mounted = module()
    before = mounted.get_model_info()
    assert (before.context_window, before.max_output_tokens) == (128_000, 32_768)
    (listed,) = await mounted.list_models()
    assert (listed.context_window, listed.max_output_tokens, listed.capabilities) == (8192, 4096, ["tools"])
    assert mounted.get_model_info() == listed


@pytest.mark.parametrize(
    ("card", "configured", "expected"),
    [
        (ModelInfo(id="m", display_name="m", context_window=131072), (None, None), (131072, 32768)),
        (ModelInfo(id="m", display_name="m", context_window=8192, max_output_tokens=8192), (None, None), (8192, 4096)),
        (ModelInfo(id="m", display_name="m"), (None, None), (128_000, 32768)),
        (ModelInfo(id="m", display_name="m", context_window=8192), (200_000, None), (8192, 4096)),
        (ModelInfo(id="m", display_name="m", context_window=131072), (16384, None), (16384, 8192)),
        (ModelInfo(id="m", display_name="m", context_window=131072), (None, 1000), (131072, 1000)),
    ],
)
def test_a_models_limits(card: ModelInfo, configured: tuple[int | None, int | None], expected: tuple[int, int]) -> None:
    found = model_of(card, *configured)
    assert (found.context_window, found.max_output_tokens) == expected


async def test_errors_of_listing_are_the_kernels_too() -> None:
    with pytest.raises(llm_errors.NetworkError):
        await module(errors.ConnectionFailed("refused")).list_models()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (5, 100, False, Thinking())),
        ({"max_continuations": 0, "priority": 3}, (0, 3, False, Thinking())),
        ({"raw": True, "reasoning_effort": "low", "thinking_budget_tokens": 9}, (5, 100, True, Thinking("low", 9))),
    ],
)
def test_options_are_read(options: Mapping[str, object], expected: object) -> None:
    config, thinking = read_options(options)
    assert (config.max_continuations, config.priority, config.raw_debug, thinking) == expected
    assert isinstance(config, ProviderConfig)


@pytest.mark.parametrize("options", [{"base_urll": "x"}, {"timeout": -1}, {"thinking_budget_tokens": "many"}])
def test_a_wrong_option_is_refused(options: Mapping[str, object]) -> None:
    with pytest.raises(errors.ConfigurationError):
        read_options(options)


def test_calls_of_an_answer_are_listed() -> None:
    call = kernel.ToolCall(id="c", name="f", arguments={})
    assert module().parse_tool_calls(kernel.ChatResponse(content=[], tool_calls=[call])) == [call]
    assert module().parse_tool_calls(kernel.ChatResponse(content=[])) == []
