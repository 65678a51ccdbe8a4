"""Hints: the likely cause of a tool problem, and silence when there is none."""

from __future__ import annotations

import time

import pytest
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import InvalidRequest, RateLimited, ServerError, StreamInterrupted, VLLMError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.response import ChatResponse
from vllm_tui.tools.builtin import build_demo_weather
from vllm_tui.tools.hints import answer_hints, called_in_text, error_hints
from vllm_tui.tools.parsers import reasoning_flags, tool_flags

WEATHER = build_demo_weather().spec
TOOLS = (WEATHER, ToolSpec(name="current_time"))
QWEN = "Qwen/Qwen2.5-7B-Instruct"


def said(*content: Block) -> ChatResponse:
    return ChatResponse(content=content)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "get_weather", "arguments": {"city": "Paris"}}',
        'Sure! ```json\n{"name": "get_weather", "parameters": {"city": "Paris"}}\n```',
        '{"city": "Paris", "unit": "celsius"}',
        '{"function": {"name": "get_weather", "arguments": "{}"}}',
        '[{"name": "functions.get_weather", "arguments": {}}]',
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        '[get_weather(city="Paris")]',
        'get_weather(city="Paris")',
    ],
)
def test_a_call_written_as_text_is_noticed_and_the_flags_are_named(text: str) -> None:
    (hint,) = answer_hints(said(TextBlock(text=text)), TOOLS, QWEN)
    assert (hint.code, hint.flags) == ("call_as_text", ("--enable-auto-tool-choice", "--tool-call-parser hermes"))
    assert "a call of get_weather written as text; nothing ran" in hint.message


@pytest.mark.parametrize(
    "text",
    ["<|python_tag|>weather.get()", "[TOOL_CALLS]", "<function=x>", "<tool_call>{cut", "to=functions.search"],
)
def test_the_markup_of_other_formats_is_noticed_too(text: str) -> None:
    assert [hint.code for hint in answer_hints(said(TextBlock(text=text)), TOOLS, QWEN)] == ["call_as_text"]


def test_a_call_cut_at_the_output_limit_is_not_blamed_on_the_parser() -> None:
    text = 'I will check.\n<tool_call>\n{"name": "get_weather", "arguments": {"city":'
    (hint,) = answer_hints(ChatResponse(content=(TextBlock(text=text),), status="incomplete"), TOOLS, QWEN)
    words = "The answer was cut inside a tool call: raise the output limit (max_tokens). Nothing ran."
    assert (hint.message, hint.flags) == (words, ())
    cut = ChatResponse(content=(ThinkingBlock(thinking="Hm"),), status="incomplete")
    assert answer_hints(cut, TOOLS, QWEN, is_call_required=True) == ()


def test_a_broken_call_left_as_text_may_be_the_models_doing() -> None:
    text = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", \n</tool_call>'
    (hint,) = answer_hints(said(TextBlock(text=text)), TOOLS, QWEN)
    assert "Or the call is broken JSON" in hint.message


@pytest.mark.parametrize(
    "text",
    [
        "Paged attention stores the cache in blocks.",
        'An example of JSON: {"colour": "red"}',
        '{"name": "rm", "arguments": {}}',
        "{}",
        "The function get_weather(city) returns the weather.",
        "Use { and } in C.",
        "",
    ],
)
def test_ordinary_answers_get_no_hint(text: str) -> None:
    assert answer_hints(said(TextBlock(text=text)), TOOLS, QWEN) == ()


def test_without_tools_there_is_nothing_to_say() -> None:
    assert answer_hints(said(TextBlock(text='{"name": "get_weather", "arguments": {}}')), (), QWEN) == ()


def test_a_call_that_came_as_a_call_gets_no_hint() -> None:
    call = ToolCallBlock(id="1", name="get_weather", input={"city": "Paris"})
    assert answer_hints(said(TextBlock(text="I can't access the internet."), call), TOOLS, QWEN) == ()


def test_a_call_of_a_tool_that_was_not_offered_is_named() -> None:
    (hint,) = answer_hints(said(ToolCallBlock(id="1", name="rm", input={})), TOOLS, QWEN)
    assert (hint.code, hint.message) == (
        "undeclared_tool",
        "The model called 'rm', which it was not offered. Nothing ran.",
    )


def test_a_call_inside_the_reasoning_points_at_both_parsers() -> None:
    thinking = ThinkingBlock(thinking='So I call {"name": "get_weather", "arguments": {"city": "Paris"}}')
    (hint,) = answer_hints(said(thinking), TOOLS, "Qwen/Qwen3-8B")
    assert hint.code == "call_in_reasoning"
    assert hint.flags == ("--enable-auto-tool-choice", "--tool-call-parser hermes", "--reasoning-parser qwen3")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't access real-time data.",
        "As an AI I do not have access to the internet.",
        "I am unable to use external tools.",
        "I don’t have live data.",
    ],
)
def test_a_model_that_says_it_has_no_tools_is_noticed(text: str) -> None:
    assert [hint.code for hint in answer_hints(said(TextBlock(text=text)), TOOLS, QWEN)] == ["refused_tools"]


def test_a_required_call_that_did_not_come_is_the_servers_doing() -> None:
    (hint,) = answer_hints(said(TextBlock(text="Hello")), TOOLS, QWEN, is_call_required=True)
    assert hint.code == "required_ignored"


def test_for_gpt_oss_the_version_is_named_and_no_flags() -> None:
    (hint,) = answer_hints(said(TextBlock(text='{"city": "Paris"}')), TOOLS, "openai/gpt-oss-20b")
    assert ("0.11.1" in hint.message, hint.flags) == (True, ())


def test_reasoning_that_came_as_text_is_noticed() -> None:
    (hint,) = answer_hints(said(TextBlock(text="<think>Hm.</think>Hi")), TOOLS, "deepseek-ai/DeepSeek-R1")
    assert (hint.code, hint.flags) == ("reasoning_as_text", ("--reasoning-parser deepseek_r1",))


@pytest.mark.parametrize(
    ("error", "model", "code"),
    [
        (
            InvalidRequest("Tool use is not supported in Responses API without Harmony", status=400),
            QWEN,
            "tools_unsupported",
        ),
        (ServerError("not implemented", status=501), "gpt-oss-20b", "tools_unsupported"),
        (ServerError("Unexpected token 12 while parsing Harmony", status=500), "x", "server_parser"),
        (StreamInterrupted("cut"), "openai/gpt-oss-120b", "server_parser"),
    ],
)
def test_an_error_is_explained_where_tools_are_the_likely_cause(error: VLLMError, model: str, code: str) -> None:
    assert [hint.code for hint in error_hints(error, model)] == [code]


@pytest.mark.parametrize("error", [RateLimited("slow down", status=429), ServerError("boom", status=500)])
def test_other_errors_get_no_hint(error: VLLMError) -> None:
    assert error_hints(error, QWEN) == ()


@pytest.mark.parametrize(
    "text", ["{" * 100_000, " " * 100_000, "[" * 100_000, '{"a":' * 50_000, "no " * 30_000, "(" * 100_000]
)
def test_no_answer_keeps_the_hints_busy(text: str) -> None:
    begun = time.monotonic()
    answer_hints(said(TextBlock(text=text)), TOOLS, QWEN)
    assert called_in_text(text, TOOLS) is None
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "--tool-call-parser llama3_json"),
        ("Qwen/Qwen3-Coder-30B", "--tool-call-parser qwen3_coder"),
        ("someone/unheard-of", "--tool-call-parser PARSER"),
    ],
)
def test_the_parser_is_guessed_from_the_name(model: str, flags: str) -> None:
    assert tool_flags(model) == ("--enable-auto-tool-choice", flags)
    assert reasoning_flags("openai/gpt-oss-20b") == ()
