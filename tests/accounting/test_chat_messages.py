"""Requests of ordinary models as the server's /tokenize takes them."""

from __future__ import annotations

from vllm_tui.accounting.chat_messages import text_parts, tokenize_body
from vllm_tui.domain.values import JsonObject

TOOL: JsonObject = {"type": "function", "name": "f", "description": "Do.", "parameters": {}, "strict": None}
ROUND: JsonObject = {
    "model": "m",
    "instructions": "Be brief.",
    "tools": [TOOL, {"type": "web_search_preview"}],
    "reasoning": {"effort": "none"},
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "One"}]},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": ""},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"role": "assistant", "content": "Done"},
        {"role": "user", "content": "Two"},
    ],
}


def test_reasoning_and_calls_become_one_assistant_message() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert tokenize_body(ROUND) == {
        "model": "m",
        "add_generation_prompt": True,
        "tools": [{"type": "function", "function": {"name": "f", "description": "Do.", "parameters": {}}}],
        "chat_template_kwargs": {"reasoning_effort": "none", "enable_thinking": False},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "One"}]},
            {"role": "assistant", "reasoning": "Hm", "tool_calls": [{"id": "a", **call}, {"id": "b", **call}]},
            {"role": "tool", "content": "1", "tool_call_id": "a"},
            {"role": "assistant", "content": "Done"},
            {"role": "user", "content": "Two"},
        ],
    }


def test_a_plain_question_is_one_message() -> None:
    assert tokenize_body({"input": "Hi"}) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "add_generation_prompt": True,
    }


def test_texts_know_their_part() -> None:
    assert [part for part, _ in text_parts(ROUND)] == [
        "instructions",
        "tools",
        "tools",
        "history",
        "reasoning",
        "calls",
        "calls",
        "results",
        "history",
        "question",
    ]
