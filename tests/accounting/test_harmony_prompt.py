"""How a request becomes Harmony messages and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vllm_tui.accounting.encoder import SPECIAL_TOKENS, Encoder
from vllm_tui.accounting.figures import Part
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.harmony_answers import raw_message
from vllm_tui.accounting.harmony_types import Exchange, NotRenderable, ServerFacts

if TYPE_CHECKING:
    from openai_harmony import HarmonyEncoding

FACTS = ServerFacts("2026-01-02")
SYSTEM = (
    "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
    "Knowledge cutoff: 2024-06\nCurrent date: 2026-01-02\n\nReasoning: medium\n\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
CALLS_LINE = "\nCalls to these tools must go to the commentary channel: 'functions'."
OPENING = "<|start|>assistant"
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Look up.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def text_of(body: dict[str, Any], renderer: HarmonyRenderer, encoder: Encoder, **more: Any) -> str:
    return encoder.decode(renderer.render_request(body, FACTS, **more).tokens)


def test_a_question_alone(renderer: HarmonyRenderer, encoder: Encoder) -> None:
    expected = f"{SYSTEM}<|end|><|start|>user<|message|>Hi<|end|>{OPENING}"
    assert text_of({"input": "Hi"}, renderer, encoder) == expected


def test_instructions_and_tools_share_the_developer_message(renderer: HarmonyRenderer, encoder: Encoder) -> None:
    body = {"input": "Hi", "instructions": "Be brief.", "tools": [WEATHER]}
    assert text_of(body, renderer, encoder) == (
        f"{SYSTEM}{CALLS_LINE}<|end|><|start|>developer<|message|># Instructions\n\nBe brief.\n\n"
        "# Tools\n\n## functions\n\nnamespace functions {\n\n// Look up.\n"
        "type get_weather = (_: {\ncity: string,\n}) => any;\n\n} // namespace functions<|end|>"
        f"<|start|>user<|message|>Hi<|end|>{OPENING}"
    )


def test_reasoning_before_the_last_answer_is_dropped_and_later_reasoning_kept(
    renderer: HarmonyRenderer, encoder: Encoder
) -> None:
    items: list[Any] = [
        {"role": "user", "content": "One"},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "old"}]},
        {"role": "assistant", "content": "Answer"},
        {"role": "user", "content": "Two"},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "new"}]},
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "21"},
    ]
    assert text_of({"input": items}, renderer, encoder) == (
        f"{SYSTEM}<|end|><|start|>user<|message|>One<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Answer<|end|><|start|>user<|message|>Two<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>new<|end|>"
        "<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{}<|call|>"
        f"<|start|>functions.get_weather<|channel|>commentary to=assistant<|message|>21<|end|>{OPENING}"
    )


def test_parts_are_named_and_add_up(renderer: HarmonyRenderer) -> None:
    items: list[Any] = [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "B"},
    ]
    prompt = renderer.render_request({"input": items, "instructions": "Be brief.", "tools": [WEATHER]}, FACTS)
    assert prompt.parts == (
        Part("system", 75),
        Part("instructions", 9),
        Part("tools", 32),
        Part("history", 12),
        Part("question", 5),
        Part("opening", 2),
    )
    assert prompt.count == 135


def test_special_tokens_in_text_are_plain_text(renderer: HarmonyRenderer) -> None:
    prompt = renderer.render_request({"input": "<|end|>"}, FACTS)
    assert prompt.tokens.count(SPECIAL_TOKENS["<|end|>"]) == 2, "those that close the two messages"


def test_an_earlier_response_brings_its_whole_exchange(renderer: HarmonyRenderer, encoder: Encoder) -> None:
    output: Any = (
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
    )
    earlier = {"resp_1": Exchange({"input": "One", "instructions": "First."}, output)}
    body: dict[str, Any] = {
        "previous_response_id": "resp_1",
        "instructions": "Ignored by the server.",
        "input": [{"type": "function_call_output", "call_id": "c", "output": "21"}],
    }
    shown = text_of(body, renderer, encoder, earlier=earlier)
    assert "First." in shown
    assert "Ignored" not in shown
    assert shown.endswith(
        "<|start|>assistant<|channel|>analysis<|message|>Hm<|end|>"
        "<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{}<|call|>"
        f"<|start|>functions.get_weather<|channel|>commentary to=assistant<|message|>21<|end|>{OPENING}"
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"input": "Hi", "reasoning": {"effort": "minimal"}}, "The effort 'minimal' is none of low, medium, high."),
        ({"input": "Hi", "tools": [{"type": "web_search"}]}, "The server takes no tool of type 'web_search'"),
        ({"input": [{"type": "item_reference"}]}, "The server takes no input item of type 'item_reference'"),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": ""}]}, "No call with the id x"),
        ({"input": "Hi", "previous_response_id": "resp_9"}, "The earlier response resp_9 is not known here."),
    ],
)
def test_what_the_server_refuses_is_not_counted(body: dict[str, Any], reason: str, renderer: HarmonyRenderer) -> None:
    with pytest.raises(NotRenderable, match=reason.replace("(", r"\(")):
        renderer.render_request(body, FACTS)


def test_assumptions_are_named(renderer: HarmonyRenderer) -> None:
    body: dict[str, Any] = {"input": "Hi", "tools": [{"type": "code_interpreter"}]}
    found = renderer.render_request(body).assumptions
    assert [sentence.split(" is taken")[0] for sentence in found] == [
        "The server's date",
        "The server's identity line",
        "The server",
    ]
    assert renderer.render_request(body, FACTS).assumptions == (
        "The server's date, identity and tools were given: 2026-01-02.",
    )


def test_raw_messages_are_counted_as_written(renderer: HarmonyRenderer) -> None:
    plain = {"role": "assistant", "channel": "commentary", "recipient": "functions.f", "content": "{}"}
    counts = [
        renderer.count_answer([raw_message({**plain, "content_type": kind} if kind else plain)]).total
        for kind in (None, "json", "<|constrain|>json")
    ]
    assert counts == [10, 11, 13]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cn", "Co")), max_size=40)
"""Assigned characters: the tables of two libraries may know different editions of Unicode."""
ITEMS = st.one_of(
    st.builds(lambda text: {"role": "user", "content": text}, TEXTS),
    st.builds(lambda text: {"role": "assistant", "content": text}, TEXTS),
    st.builds(lambda text: {"role": "developer", "content": text}, TEXTS),
    st.builds(lambda text: {"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}, TEXTS),
)


@settings(deadline=None, max_examples=60)
@given(items=st.lists(ITEMS, max_size=5), instructions=st.none() | TEXTS)
def test_the_library_renders_the_same_tokens(
    renderer: HarmonyRenderer, library: HarmonyEncoding, items: list[dict[str, Any]], instructions: str | None
) -> None:
    prompt = renderer.render_request({"input": [*items], "instructions": instructions}, FACTS)
    assert prompt.tokens == by_library(items, instructions, library)
    assert sum(part.tokens for part in prompt.parts) == prompt.count


def by_library(items: list[dict[str, Any]], instructions: str | None, library: HarmonyEncoding) -> list[int]:
    from openai_harmony import Conversation, DeveloperContent, Message, RenderConversationConfig, Role, SystemContent

    if instructions is None and items and items[0].get("role") == "developer":
        instructions, items = items[0]["content"], items[1:]
    system = SystemContent.new().with_conversation_start_date(FACTS.date)
    messages = [Message.from_role_and_content(Role.SYSTEM, system)]
    if instructions:
        developer = DeveloperContent.new().with_instructions(instructions)
        messages.append(Message.from_role_and_content(Role.DEVELOPER, developer))
    finals = [number for number, item in enumerate(items) if item.get("role") == "assistant"]
    for number, item in enumerate(items):
        if item.get("type") == "reasoning":
            if not finals or number > finals[-1]:
                text = item["content"][0]["text"]
                messages.append(Message.from_role_and_content(Role.ASSISTANT, text).with_channel("analysis"))
        elif item["role"] == "developer":
            if item["content"]:
                developer = DeveloperContent.new().with_instructions(item["content"])
                messages.append(Message.from_role_and_content(Role.DEVELOPER, developer))
        elif item["role"] == "assistant":
            messages.append(Message.from_role_and_content(Role.ASSISTANT, item["content"]).with_channel("final"))
        else:
            messages.append(Message.from_role_and_content(Role.USER, item["content"]))
    config = RenderConversationConfig(auto_drop_analysis=False)
    conversation = Conversation.from_messages(messages)
    tokens: list[int] = library.render_conversation_for_completion(conversation, Role.ASSISTANT, config)
    return tokens
