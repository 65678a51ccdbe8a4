"""Our counts of recorded gpt-oss requests equal those of the real server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from recorded_counts import RECORDED_ON, Recorded, gpt_oss_exchanges, load
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.harmony_answers import raw_message
from vllm_tui.accounting.harmony_messages import request_messages
from vllm_tui.accounting.harmony_types import Namespace, ServerFacts

ALL = gpt_oss_exchanges()
EARLIER = {item.response["id"]: item.exchange for item in ALL}


def tool(name: str, description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    return {
        "name": name,
        "description": description,
        "parameters": parameters | ({"required": required} if required else {}),
    }


PYTHON = Namespace("python", "Run Python code.", (tool("python", "Run code.", ["code"], code={"type": "string"}),))
NUMBER = {"default": 0, "type": "integer"}
BROWSER = Namespace(
    "browser",
    "Search the web.",
    (
        tool("search", "Search.", ["query"], query={"type": "string"}),
        tool("open", "Open.", [], id=NUMBER, cursor=NUMBER),
        tool("find", "Find.", ["pattern"], pattern={"type": "string"}, cursor=NUMBER),
    ),
)
FACTS = ServerFacts(RECORDED_ON)
TOOL_SERVER = ServerFacts(RECORDED_ON, tool_namespaces=(PYTHON, BROWSER))
"""What the recorded tool server offered."""

TRUNCATED = "0.32.0/gpt-oss/too_long_truncation_auto_stream"
NOT_SHOWN = {
    "natural_random": "the model's noise has no channel header, and the response does not say so",
    "json_schema_unscripted": "noise is not tokenised in the shortest way",
    "builtin_python": "the call to python is shown as reasoning, without its header",
    "builtin_not_requested": "the call to python is shown as reasoning, without its header",
    "too_long_truncation_auto": "one token of a header",
}
"""Answers whose tokens the response does not show, and why."""


def facts_of(item: Recorded) -> ServerFacts:
    return TOOL_SERVER if "gpt-oss-toolserver" in item.name else FACTS


@pytest.mark.parametrize("item", [item for item in ALL if item.name != TRUNCATED], ids=lambda item: item.name)
def test_the_input_count_equals_the_servers(item: Recorded, renderer: HarmonyRenderer) -> None:
    prompt = renderer.render_request(item.body, facts_of(item), EARLIER)
    assert prompt.count == item.input_by_round[0]
    assert sum(part.tokens for part in prompt.parts) == prompt.count


def test_every_recorded_request_is_compared() -> None:
    assert len(ALL) == 81


def test_a_request_the_server_cut_is_counted_whole(renderer: HarmonyRenderer) -> None:
    item = load(TRUNCATED)
    assert item is not None
    assert item.input_by_round == [4095]
    assert renderer.render_request(item.body, FACTS).count == 8068, (
        "vLLM 0.29 names this number when it refuses the same text"
    )


def is_shown(item: Recorded) -> bool:
    return not any(item.name.split("/")[-1].startswith(name) for name in NOT_SHOWN)


@pytest.mark.parametrize("item", [item for item in ALL if is_shown(item)], ids=lambda item: item.name)
def test_the_output_count_equals_the_servers(item: Recorded, renderer: HarmonyRenderer) -> None:
    counted = renderer.count_output(item.response["output"], is_complete=item.response["status"] == "completed")
    usage = item.usage
    assert (counted.total, counted.reasoning) == (
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )
    assert sum(part.tokens for part in counted.parts) == counted.total


def rounds_of(item: Recorded) -> list[tuple[int, int]]:
    details = item.usage["output_tokens_details"]
    return list(zip(item.input_by_round, details["output_tokens_per_turn"], strict=True))


RAN_PYTHON = [item for item in ALL if "gpt-oss-toolserver/builtin_python" in item.name]


@pytest.mark.parametrize("item", RAN_PYTHON, ids=lambda item: item.name)
def test_every_round_the_server_ran_itself_is_counted(item: Recorded, renderer: HarmonyRenderer) -> None:
    raw = load("0.32.0/gpt-oss-toolserver/builtin_python_messages_nostream")
    assert raw is not None
    answered = [raw_message(entry) for entry in raw.response["output_messages"]]
    prompt = request_messages(item.body, TOOL_SERVER)
    assert list(renderer.count_rounds(prompt, answered)) == rounds_of(item)


def test_a_browser_round_is_counted(renderer: HarmonyRenderer) -> None:
    item = load("0.32.0/gpt-oss-toolserver/builtin_browser_stream")
    assert item is not None
    result = "Result for weather Paris: sunny, 21 degrees."
    answered = [
        raw_message(entry)
        for entry in (
            {"role": "assistant", "channel": "analysis", "content": "Search the web."},
            {
                "role": "assistant",
                "channel": "analysis",
                "recipient": "browser.search",
                "content_type": "code",
                "content": '{"query": "weather Paris"}',
            },
            {
                "role": "tool",
                "name": "browser.search",
                "channel": "analysis",
                "recipient": "assistant",
                "content": result,
            },
            {"role": "assistant", "channel": "final", "content": "It is sunny."},
        )
    ]
    prompt = request_messages(item.body, TOOL_SERVER)
    assert list(renderer.count_rounds(prompt, answered)) == rounds_of(item)


def test_another_date_counts_the_same(renderer: HarmonyRenderer) -> None:
    item = ALL[0]
    counts = {renderer.render_request(item.body, ServerFacts(date)).count for date in ("2024-01-01", "2031-12-30")}
    assert counts == {renderer.render_request(item.body, FACTS).count}


def test_another_identity_is_counted(renderer: HarmonyRenderer) -> None:
    item = ALL[0]
    longer = replace(FACTS, identity=FACTS.identity + " Speak plainly.")
    difference = renderer.render_request(item.body, longer).count - renderer.render_request(item.body, FACTS).count
    assert difference == 3, "Speak, plainly and the full stop"
