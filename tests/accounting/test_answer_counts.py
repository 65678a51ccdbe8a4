"""Usage the server does not report is filled in; what it reports is left alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from recorded_counts import Recorded, load
from vllm_tui.accounting.answers import fill_usage, output_items
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.accounting.ladder import Ladder
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.usage import Usage

ZEROS = Usage(input_tokens=0, output_tokens=0, total_tokens=0, reasoning_tokens=0, cache_read_tokens=0)


def recorded(name: str) -> Recorded:
    found = load(name)
    assert found is not None
    return found


def blocks_of(item: dict[str, Any]) -> Block:
    text = item["content"][0]["text"]
    return ThinkingBlock(thinking=text) if item["type"] == "reasoning" else TextBlock(text=text)


def test_the_old_servers_zeros_become_what_the_new_server_reports(
    encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = recorded("0.10.1.1/gpt-oss/reason_text_nostream"), recorded("0.32.0/gpt-oss/reason_text_nostream")
    assert old.usage["total_tokens"] == 0
    response = ChatResponse(content=tuple(blocks_of(item) for item in old.response["output"]), usage=ZEROS)
    with caplog.at_level(logging.INFO):
        filled = fill_usage(response, old.body, "openai/gpt-oss-20b", Ladder(lambda: encoder))
    assert filled.usage == Usage(
        input_tokens=new.usage["input_tokens"],
        output_tokens=new.usage["output_tokens"],
        total_tokens=new.usage["total_tokens"],
        reasoning_tokens=new.usage["output_tokens_details"]["reasoning_tokens"],
        source="computed",
    )
    assert caplog.messages == ["[TOKEN_ACCOUNTING] Injected usage: input=90, output=31, total=121"]


def test_reported_usage_is_left_alone(encoder: Encoder) -> None:
    response = ChatResponse(content=(TextBlock(text="Hi"),), usage=Usage(input_tokens=9, output_tokens=2))
    assert fill_usage(response, {"input": "Hi"}, "gpt-oss", Ladder(lambda: encoder)) is response


def test_an_empty_answer_of_nothing_is_left_alone() -> None:
    response = ChatResponse(usage=ZEROS)
    assert fill_usage(response, {"input": "Hi"}, "gpt-oss", Ladder(lambda: None)) is response


def test_without_a_vocabulary_the_numbers_are_estimates() -> None:
    call = ToolCallBlock(id="c", name="f", input={"city": "Paris"})
    content = (ThinkingBlock(thinking="x" * 40), TextBlock(text="y" * 20), call)
    filled = fill_usage(ChatResponse(content=content), {"input": "z" * 8}, "gpt-oss", Ladder(lambda: None))
    assert filled.usage == Usage(
        input_tokens=6, output_tokens=19, total_tokens=25, reasoning_tokens=10, source="estimate"
    )


def test_blocks_become_output_items() -> None:
    content = (
        ThinkingBlock(thinking="Hm"),
        ToolCallBlock(id="c", name="f", input={"a": 1}),
        ToolCallBlock(id="d", name="g", input="broken {"),
        TextBlock(text="Done"),
    )
    assert output_items(content) == (
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'},
        {"type": "function_call", "call_id": "d", "name": "g", "arguments": "broken {"},
        {"type": "message", "content": [{"type": "output_text", "text": "Done"}]},
    )
