"""The kernel's requests as ours: messages, calls, and what one call may set."""

from __future__ import annotations

from typing import Any

import pytest
from amplifier_core import message_models as kernel
from vllm_tui.amplifier.request_map import Defaults, Thinking, request_of
from vllm_tui.domain.blocks import ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest

DEFAULTS = Defaults(max_tokens=4096, has_reasoning=False)


def made(envelope: dict[str, Any], defaults: Defaults = DEFAULTS, **arguments: object) -> ChatRequest:
    messages = {"messages": [{"role": "user", "content": "Hi"}]}
    return request_of(kernel.ChatRequest.model_validate(messages | envelope), arguments, defaults)


def test_the_least_request_sets_nothing() -> None:
    assert made({}) == ChatRequest(messages=(Message(role="user", content="Hi"),))


def test_every_field_of_the_envelope_is_honoured() -> None:
    envelope = {
        "tools": [{"name": "f", "parameters": {"type": "object"}, "description": "d"}],
        "temperature": 0,
        "top_p": 0.5,
        "max_output_tokens": 99,
        "model": "m",
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "stop": ["END"],
        "reasoning_effort": "low",
        "timeout": 5,
        "metadata": {"stream": False, "when": object},
        "response_format": {"type": "json"},
    }
    assert made(envelope) == ChatRequest(
        messages=(Message(role="user", content="Hi"),),
        tools=(ToolSpec(name="f", parameters={"type": "object"}, description="d"),),
        temperature=0.0,
        top_p=0.5,
        max_output_tokens=99,
        model="m",
        tool_choice={"type": "function", "name": "f"},
        stop=("END",),
        reasoning_effort="low",
        timeout=5.0,
        metadata={"stream": False, "when": "<class 'object'>"},
        response_format={"type": "json_object"},
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object"}, {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}),
        ({"name": "n", "schema": {}}, {"type": "json_schema", "name": "n", "schema": {}, "strict": True}),
    ],
)
def test_a_response_schema_takes_the_form_of_the_responses_api(schema: object, expected: object) -> None:
    envelope = {"response_format": {"type": "json_schema", "json_schema": schema, "strict": True}}
    assert made(envelope).response_format == expected


def test_arguments_of_the_call_win_but_for_temperature_and_length() -> None:
    envelope = {"model": "a", "temperature": 0.1, "max_output_tokens": 10, "tool_choice": "none"}
    request = made(
        envelope,
        model="b",
        temperature=0.9,
        max_tokens=20,
        tool_choice="required",
        parallel_tool_calls=False,
        store=True,
        truncation="disabled",
    )
    assert (request.model, request.temperature, request.max_output_tokens) == ("b", 0.1, 10)
    assert (request.tool_choice, request.parallel_tool_calls) == ("required", False)
    assert request.metadata == {"store": True, "truncation": "disabled"}
    assert (made({}, temperature=0.9, max_tokens=20).temperature, made({}, max_tokens=20).max_output_tokens) == (
        0.9,
        20,
    )


@pytest.mark.parametrize(
    ("envelope", "arguments", "effort", "kept"),
    [
        ({"reasoning_effort": "low"}, {"reasoning": "high"}, "high", None),
        ({"reasoning_effort": "low", "reasoning": "medium"}, {}, "medium", None),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {}, "high", {"effort": "high", "summary": "auto"}),
        ({}, {"reasoning": {"summary": "concise"}}, "medium", {"effort": "medium", "summary": "concise"}),
        ({}, {"extended_thinking": True}, "high", None),
        ({}, {"extended_thinking": True, "reasoning_effort": "low"}, "low", None),
        ({"reasoning_effort": "medium"}, {"extended_thinking": True}, "medium", None),
        ({}, {"reasoning_effort": "low"}, None, None),
    ],
)
def test_reasoning_is_taken_from_the_first_that_says_something(
    envelope: dict[str, Any], arguments: dict[str, Any], effort: str | None, kept: object
) -> None:
    request = made(envelope, **arguments)
    assert request.reasoning_effort == effort
    assert (request.metadata or {}).get("reasoning") == kept


def test_extended_thinking_leaves_a_configured_effort_alone() -> None:
    assert made({}, Defaults(4096, True), extended_thinking=True).reasoning_effort is None


@pytest.mark.parametrize(
    ("envelope", "arguments", "tokens"),
    [
        ({}, {"thinking_budget_tokens": 8000}, 9024),
        ({"max_output_tokens": 20_000}, {"thinking_budget_tokens": 8000}, 20_000),
        ({}, {"thinking_budget_tokens": 8000, "thinking_budget_buffer": 0}, 8000),
        ({}, {"thinking_budget_tokens": 1000}, 4096),
        ({}, {}, None),
    ],
)
def test_a_thinking_budget_raises_the_output_limit(
    envelope: dict[str, Any], arguments: dict[str, Any], tokens: int | None
) -> None:
    assert made(envelope, extended_thinking=True, **arguments).max_output_tokens == tokens


def test_a_configured_budget_counts_too_and_only_with_extended_thinking() -> None:
    defaults = Defaults(4096, False, Thinking(budget=8000))
    assert made({}, defaults, extended_thinking=True).max_output_tokens == 9024
    assert made({}, defaults).max_output_tokens is None


def test_messages_of_every_role_and_block_are_carried_over() -> None:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be short."}]},
        {"role": "developer", "content": "File."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "reasoning", "content": [], "summary": [{"type": "summary_text", "text": "So"}]},
                {"type": "tool_call", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "text", "text": "Done"},
            ],
            "metadata": {"vllm:response_id": "resp_1"},
        },
        {
            "role": "tool",
            "content": [{"type": "tool_result", "tool_call_id": "c1", "output": {"b": 2}}],
            "tool_call_id": "c1",
        },
        {"role": "function", "content": "old", "name": "g"},
        {"role": "assistant", "content": ""},
    ]
    assert made({"messages": messages}).messages == (
        Message(role="system", content=(TextBlock(text="Be short."),)),
        Message(role="developer", content="File."),
        Message(
            role="user",
            content=(
                TextBlock(text="Look"),
                ImageBlock(source={"type": "base64", "media_type": "image/png", "data": "AA"}),
            ),
        ),
        Message(
            role="assistant",
            content=(
                ThinkingBlock(thinking="Hm"),
                ThinkingBlock(thinking="So"),
                ToolCallBlock(id="c1", name="f", input={"a": 1}),
                TextBlock(text="Done"),
            ),
            metadata={"vllm:response_id": "resp_1"},
        ),
        Message(role="tool", content=(ToolResultBlock(tool_call_id="c1", output={"b": 2}),), tool_call_id="c1"),
        Message(role="tool", content="old", name="g"),
    )


@pytest.mark.parametrize(
    ("entry", "call"),
    [
        ({"id": "c1", "name": "f", "arguments": {"a": 1}}, ToolCallBlock(id="c1", name="f", input={"a": 1})),
        ({"id": "c1", "tool": "f", "arguments": '{"a": 1}'}, ToolCallBlock(id="c1", name="f", input={"a": 1})),
        (
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ToolCallBlock(id="c1", name="f", input={}),
        ),
        (
            {"id": "c1", "name": "f", "arguments": "{cut"},
            ToolCallBlock(id="c1", name="f", input="{cut", problem="the arguments are no JSON object"),
        ),
        (
            {"id": "c1", "name": "f", "arguments": {"_raw_arguments": "{cut", "_error": "cut off"}},
            ToolCallBlock(id="c1", name="f", input="{cut", problem="cut off"),
        ),
    ],
)
def test_a_list_of_calls_beside_the_content_is_read(entry: object, call: ToolCallBlock) -> None:
    (message,) = made({"messages": [{"role": "assistant", "content": "Wait", "tool_calls": [entry]}]}).messages
    assert message == Message(role="assistant", content=(TextBlock(text="Wait"), call))


def test_a_call_given_twice_is_carried_once() -> None:
    content = [{"type": "tool_call", "id": "c1", "name": "f", "input": {}}]
    calls = [{"id": "c1", "name": "f", "arguments": {}}, {"id": "c2", "name": "g", "arguments": {}}, {"name": "h"}, 5]
    (message,) = made({"messages": [{"role": "assistant", "content": content, "tool_calls": calls}]}).messages
    assert [call.id for call in message.tool_calls] == ["c1", "c2"]
