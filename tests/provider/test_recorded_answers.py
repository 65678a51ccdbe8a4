"""What representative recorded answers of vLLM 0.10.1.1, 0.20.0 and 0.32.0 say, written out."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.replay import index, play
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.response import ChatResponse

LONG_THOUGHT = (
    "The user wants a long answer. I should write several sentences with care so that it is long enough to be cut."
)
NOT_JSON = "The arguments are not valid JSON: "


def text(words: str) -> TextBlock:
    return TextBlock(text=words)


def thought(words: str) -> ThinkingBlock:
    return ThinkingBlock(thinking=words)


def call(call_id: str, name: str, arguments: dict[str, Any] | str, *, raw: str, problem: str = "") -> ToolCallBlock:
    return ToolCallBlock(
        id=call_id,
        name=name,
        input=arguments,
        raw_arguments=raw,
        problem=NOT_JSON + problem if problem else None,
    )


def weather(call_id: str, city: str) -> ToolCallBlock:
    raw = f'{{"city": "{city}", "unit": "celsius"}}'
    return call(call_id, "get_weather", {"city": city, "unit": "celsius"}, raw=raw)


def broken_weather(call_id: str, raw: str, character: int) -> ToolCallBlock:
    problem = f"Expecting property name enclosed in double quotes at character {character}."
    return call(call_id, "get_weather", raw, raw=raw, problem=problem)


# name -> finish reason; tokens read, made, together, of reasoning, from the cache; blocks
ANSWERS: dict[str, tuple[str, tuple[int, ...] | None, list[Block]]] = {
    "0.10.1.1/gpt-oss/final_only_stream": ("stop", None, [text("Hello there.")]),
    "0.10.1.1/gpt-oss/reason_text_stream": (
        "stop",
        None,
        [
            thought("The user asks about France.\nIts capital is well known."),
            text("The capital of France is **Paris**."),
        ],
    ),
    "0.10.1.1/gpt-oss/tool_auto_stream": ("stop", None, [thought("Let me look it up.")]),
    "0.10.1.1/gpt-oss/tool_auto_nostream": (
        "tool_calls",
        None,
        [thought("Let me look it up."), weather("call_84f333d6d95e4b7399bccd6377797efc", "Paris")],
    ),
    "0.10.1.1/gpt-oss/tool_bad_json_nostream": (
        "tool_calls",
        None,
        [broken_weather("call_11294cd5dbfe4621bd9112639d0e6e66", '{"city": "Paris", ', 19)],
    ),
    "0.10.1.1/gpt-oss/cut_in_text_stream": (
        "stop",
        None,
        [
            thought(LONG_THOUGHT),
            text("First sentence of"),
        ],
    ),
    "0.10.1.1/gpt-oss/cut_in_call_stream": ("stop", None, [thought("Let me look it up.")]),
    "0.10.1.1/smollm2/system_in_input": (
        "stop",
        (28, 13, 41, 0, 0),
        [thought("user\nWhat is the capital of the United States?")],
    ),
    "0.20.0/smollm2/incomplete_stream": ("length", (41, 5, 46, 0, 0), [thought("user\nWhat is")]),
    "0.20.0/smollm2/tool_choice_required_stream": (
        "tool_calls",
        (496, 54, 550, 0, 384),
        [
            thought("<|im_start|>user\nWhat is the weather in Tokyo?"),
            weather("chatcmpl-tool-8debcec76c97dfc9", "Tokyo"),
        ],
    ),
    "0.20.0/smollm2/tool_choice_required_thinking_stream": (
        "tool_calls",
        (496, 54, 550, 0, 384),
        [
            thought("<|im_start|>user\nWhat is the weather in Tokyo?"),
            weather("chatcmpl-tool-9db10d9db770ddbd", "Tokyo"),
        ],
    ),
    "0.20.0/smollm2/tool_choice_named_stream": (
        "tool_calls",
        (496, 32, 528, 0, 384),
        [
            thought("<|im_start|>user\nWhat is the weather in Tokyo?"),
            call(
                "chatcmpl-tool-811c7a18646c8cb2",
                "get_weather",
                {"city": "Tokyo", "unit": "celsius"},
                raw='{\n\n"city": "Tokyo", "unit": "celsius"\n\n}',
            ),
        ],
    ),
    "0.20.0/smollm2/tool_two_calls_stream": (
        "tool_calls",
        (503, 61, 564, 0, 384),
        [
            thought("I need two tools.\n"),
            weather("chatcmpl-tool-858eb7b411099ae7", "London"),
            call("chatcmpl-tool-b6f653f8ccaaec58", "get_time", {"tz": "UTC"}, raw='{"tz": "UTC"}'),
        ],
    ),
    "0.20.0/smollm2/tool_cut_by_max_tokens_stream": (
        "length",
        (497, 36, 533, 0, 384),
        [
            thought("Let me look it up.\n"),
            text("I will check the weather.\n"),
            broken_weather("call_a629fa398bf73f53", '{"city": "Paris",', 18),
        ],
    ),
    "0.20.0/smollm2/think_twice_stream": (
        "stop",
        (43, 20, 63, 2, 0),
        [thought("First thought.\n"), text("Partial answer. <think>second thought</think> More answer.")],
    ),
    "0.20.0/smollm2/tool_custom_stream": (
        "tool_calls",
        (188, 29, 217, 0, 0),
        [
            thought("Hm.\n"),
            call("chatcmpl-tool-b5ca80150e8e4a8c", "shell", {"input": "ls -l"}, raw='{"input": "ls -l"}'),
        ],
    ),
    "0.20.0/smollm2/empty_output_stream": ("stop", (40, 1, 41, 0, 0), []),
    "0.20.0/smollm2/tool_auto_text_and_call_stream": (
        "tool_calls",
        (501, 47, 548, 0, 0),
        [
            thought("Let me look it up.\n"),
            text("I will check the weather.\n"),
            weather("chatcmpl-tool-bfd4f1342f1327a8", "Paris"),
        ],
    ),
    "0.20.0/smollm2/reason_cut_in_reasoning_stream": (
        "length",
        (42, 6, 48, 0, 0),
        [thought("The user asks about France.")],
    ),
    "0.20.0/gpt-oss/tool_auto_preamble_stream": (
        "tool_calls",
        (208, 49, 257, 19, 128),
        [thought("Look it up."), text("I will check the weather."), weather("call_9bb06094ff1a2e3f", "Paris")],
    ),
    "0.20.0/gpt-oss/cut_in_text_stream": (
        "length",
        (75, 36, 111, 25, 0),
        [
            thought(LONG_THOUGHT),
            text("First sentence of"),
        ],
    ),
    "0.20.0/gpt-oss/cut_in_call_stream": ("length", (202, 22, 224, 7, 0), [thought("Let me look it up.")]),
    "0.20.0/gpt-oss/bad_harmony_stream": ("length", (77, 11, 88, 0, 0), []),
    "0.20.0/gpt-oss/mcp_call_stream": ("stop", (75, 28, 103, 12, 0), [thought("Call the MCP tool.")]),
    "0.32.0/default/incomplete_stream": ("length", (39, 5, 44, 0, 0), [text("One hundred is a very")]),
    "0.32.0/default/max_output_1_stream": ("length", (37, 1, 38, 0, 0), [text("The")]),
    "0.32.0/default/tools_auto_no_parser_stream": (
        "length",
        (37, 20, 57, 0, 0),
        [text("Paris, the City of Light, the capital of art and culture. The weather in Paris is indeed")],
    ),
    "0.32.0/gpt-oss/tool_auto_preamble_stream": (
        "tool_calls",
        (208, 49, 257, 17, 128),
        [thought("Look it up."), text("I will check the weather."), weather("call_8e5487c54368b9d4", "Paris")],
    ),
    "0.32.0/gpt-oss/cut_in_call_stream": (
        "length",
        (202, 22, 224, 6, 0),
        [
            thought("Let me look it up."),
            text("<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>"),
        ],
    ),
    "0.32.0/gpt-oss/bad_harmony_stream": (
        "length",
        (77, 11, 88, 0, 0),
        [text("Hello, this has no channel header at all.<|return|>")],
    ),
    "0.32.0/gpt-oss/empty_output_stream": ("length", (75, 1, 76, 0, 0), [text("<|return|>")]),
    "0.32.0/gpt-oss/reason_only_stream": ("stop", (76, 11, 87, 6, 0), [thought("I keep thinking about it.")]),
    "0.32.0/gpt-oss/tool_two_calls_stream": (
        "tool_calls",
        (207, 35, 242, 16, 128),
        [thought("Two tools."), weather("call_8554244231d3ddbe", "London")],
    ),
    "0.32.0/gpt-oss-toolserver/builtin_python_stream": (
        "stop",
        (272, 45, 317, 15, 0),
        [thought("I need to compute."), thought("Got 42."), text("The answer is 42.")],
    ),
    "0.32.0/gpt-oss-toolserver/builtin_browser_stream": (
        "stop",
        (389, 34, 423, 11, 128),
        [thought("Search the web."), text("It is sunny.")],
    ),
    "0.32.0/serve-sh/tool_bad_json_stream": (
        "tool_calls",
        (384, 28, 412, 4, 256),
        [thought("Hm.\n"), broken_weather("chatcmpl-tool-916c41d75c914bf0", '{"city": "Paris",', 18)],
    ),
    "0.32.0/serve-sh/tool_unfinished_eos_nostream": (
        "stop",
        (383, 25, 408, 4, 256),
        [thought("Hm.\n"), text('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Par')],
    ),
    "0.32.0/serve-sh/empty_output_stream": ("stop", (40, 1, 41, 0, 0), []),
    "0.32.0/serve-sh/tool_long_args_stream": (
        "tool_calls",
        (382, 74, 456, 3, 256),
        [
            thought("Writing.\n"),
            call(
                "chatcmpl-tool-a33ebfb70a47bc3c",
                "write_file",
                {"path": "notes/a b.txt", "text": 'Line one\nLine two "quoted" \\ back\nünïcödé ✓ 日本語 🎉\nend'},
                raw='{"path": "notes/a b.txt", '
                '"text": "Line one\\nLine two \\"quoted\\" \\\\ back\\nünïcödé ✓ 日本語 🎉\\nend"}',
            ),
        ],
    ),
    "0.32.0/think-tools-store/tool_cut_by_max_tokens_stream": (
        "length",
        (384, 36, 420, 7, 256),
        [
            thought("Let me look it up.\n"),
            text("I will check the weather.\n"),
            broken_weather("chatcmpl-tool-99d24c247168f371", '{"city": "Paris",', 18),
        ],
    ),
    "0.32.0/think-tools-store/tool_custom_stream": (
        "tool_calls",
        (204, 29, 233, 4, 0),
        [
            thought("Hm.\n"),
            call(
                "chatcmpl-tool-983c6d7d581a2ccd",
                "shell",
                "ls -l",
                raw="ls -l",
                problem="Expecting value at character 1.",
            ),
        ],
    ),
    "0.32.0/think-tools-store/tool_no_args_stream": (
        "tool_calls",
        (388, 24, 412, 4, 256),
        [thought("Hm.\n"), call("chatcmpl-tool-b1e3b6b7b5a550e2", "get_time", {}, raw="{}")],
    ),
    "0.32.0/think-tools-store/tool_call_then_text_stream": (
        "tool_calls",
        (388, 36, 424, 4, 256),
        [thought("Hm.\n"), call("chatcmpl-tool-bfc5d7eb0e7736be", "get_time", {"tz": "CET"}, raw='{"tz": "CET"}')],
    ),
    "0.32.0/think-tools-store/reason_cut_in_reasoning_stream": (
        "length",
        (42, 6, 48, 6, 0),
        [thought("The user asks about France.")],
    ),
}


def tokens(response: ChatResponse) -> tuple[int | None, ...] | None:
    usage = response.usage
    if usage is None:
        return None
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.reasoning_tokens,
        usage.cache_read_tokens,
    )


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_is_heard_as_written_here(name: str) -> None:
    recording = index()[name]
    async with play(recording) as provider:
        response = await provider.complete(recording.chat_request())
    reason, counts, blocks = ANSWERS[name]
    assert response.content == tuple(blocks)
    assert (response.finish_reason, tokens(response)) == (reason, counts)
    assert response.status == ("incomplete" if reason == "length" else "completed")
