"""The tool bench: judging answers, intervals, and what is written to files."""

from __future__ import annotations

import csv
import io
import json
from itertools import count

import pytest
from vllm_tui.domain.blocks import Block, TextBlock, ToolCallBlock
from vllm_tui.domain.errors import ServerError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.tool_bench import BenchRow, BenchRun, Rate, safe_cell, summarise, to_csv, to_json
from vllm_tui.domain.usage import Usage
from vllm_tui.tools.bench import judge, run_bench
from vllm_tui.tools.builtin import build_demo_weather

TOOLS = (build_demo_weather().spec, ToolSpec(name="current_time"))
GOOD = ToolCallBlock(id="1", name="get_weather", input={"city": "Paris"})
BAD = ToolCallBlock(id="2", name="get_weather", input={"city": 5})
BROKEN = ToolCallBlock(id="3", name="get_weather", input='{"city', problem="cut off")
OTHER = ToolCallBlock(id="4", name="rm", input={})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ((GOOD,), ("valid", "")),
        ((TextBlock(text="Hi"),), ("no_call", "Hi")),
        ((BAD,), ("invalid", "city: 5 is not a string")),
        ((BROKEN,), ("unparsable", "cut off")),
        ((OTHER,), ("wrong_tool", "called rm")),
        ((GOOD, BAD), ("invalid", "city: 5 is not a string")),
        ((GOOD, OTHER, BROKEN, BAD), ("unparsable", "cut off")),
    ],
)
def test_an_answer_is_judged_by_its_worst_call(content: tuple[Block, ...], expected: tuple[str, str]) -> None:
    assert judge(ChatResponse(content=content), TOOLS) == expected


def test_a_declared_tool_is_wrong_when_another_was_expected() -> None:
    assert judge(ChatResponse(content=(GOOD,)), TOOLS, "current_time") == ("wrong_tool", "called get_weather")


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [
        (Rate(8, 10), 0.4902, 0.9433),
        (Rate(0, 10), 0.0, 0.2775),
        (Rate(20, 20), 0.8389, 1.0),
        (Rate(1, 2), 0.0945, 0.9055),
    ],
)
def test_intervals_are_wilsons(rate: Rate, low: float, high: float) -> None:
    assert rate.interval == pytest.approx((low, high), abs=1e-4)


def test_a_rate_of_nothing_is_unknown() -> None:
    assert (Rate(0, 0).value, Rate(0, 0).interval) == (None, None)


async def test_efforts_take_turns_and_every_run_is_told_as_it_ends() -> None:
    ticks = count()
    contents: list[tuple[Block, ...]] = [(GOOD,), (TextBlock(text="no"),), (BAD,), (GOOD,)]
    answers = iter(contents)
    asked: list[str | None] = []

    async def ask(effort: str | None) -> ChatResponse:
        asked.append(effort)
        return ChatResponse(content=next(answers), usage=Usage(output_tokens=7))

    found = [
        run
        async for run in run_bench(ask, TOOLS, runs=2, efforts=("low", "high"), monotonic=lambda: float(next(ticks)))
    ]
    assert asked == ["low", "high", "low", "high"]
    assert found == [
        BenchRun("low", 0, "valid", 1, 1.0, 7),
        BenchRun("high", 0, "no_call", 0, 1.0, 7, "no"),
        BenchRun("low", 1, "invalid", 1, 1.0, 7, "city: 5 is not a string"),
        BenchRun("high", 1, "valid", 1, 1.0, 7),
    ]
    assert summarise(found) == (
        BenchRow("low", 2, 0, Rate(2, 2), Rate(1, 2), Rate(0, 2), Rate(0, 2), 1.0),
        BenchRow("high", 2, 0, Rate(1, 2), Rate(1, 1), Rate(0, 1), Rate(0, 1), 1.0),
    )


async def test_a_request_that_fails_counts_as_an_error_and_in_no_rate() -> None:
    async def ask(effort: str | None) -> ChatResponse:
        raise ServerError("The server failed.", hint="Look at its log.")

    found = [run async for run in run_bench(ask, TOOLS, runs=1, monotonic=lambda: 0.0)]
    assert found == [BenchRun(None, 0, "error", 0, 0.0, detail="The server failed. Look at its log.")]
    assert summarise(found) == (BenchRow(None, 1, 1, Rate(0, 0), Rate(0, 0), Rate(0, 0), Rate(0, 0), None),)


def test_json_holds_rows_and_runs() -> None:
    written = json.loads(to_json([BenchRun("low", 0, "valid", 1, 1.5, 7)]))
    assert written["runs"] == [
        {"effort": "low", "number": 0, "outcome": "valid", "calls": 1, "seconds": 1.5, "output_tokens": 7, "detail": ""}
    ]
    assert written["rows"][0]["valid"] == {
        "count": 1,
        "total": 1,
        "value": 1.0,
        "interval": [pytest.approx(0.2065, abs=1e-4), 1.0],
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv([BenchRun(text, 0, "no_call", 0, 1.0, None, text)]), newline="")))
    assert rows[1] == ["'" + text, "0", "no_call", "0", "1.0", "", "'" + text]
    assert safe_cell("plain") == "plain"
