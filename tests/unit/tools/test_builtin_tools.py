"""The built-in tools: what they answer, and what they refuse."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject
from vllm_tui.tools.builtin import build_calculator, build_current_time, build_demo_weather, build_stub
from vllm_tui.tools.calculator import calculate
from vllm_tui.tools.tool import Tool, ToolFailed, ToolOutput


async def run(tool: Tool, arguments: JsonObject) -> ToolOutput:
    assert tool.function is not None
    return await tool.function(arguments)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("7 // 2 + 7 % 2", 4),
        ("-2 ** 2", -4),
        ("10 / 4", 2.5),
        ("sqrt(16) + abs(-1)", 5.0),
        ("round(pi * 100)", 314),
        ("max(1, 2, 3) - min(4, 5)", -1),
        ("log(8, 2)", 3.0),
        ("factorial(5)", 120),
        ("2 ** 1000", 2**1000),
        ("1 ** 999999999999", 1),
        ("2 ** -1", 0.5),
        ("2 ** -99999999999999", 0.0),
        ("  1+1 ", 2),
    ],
)
def test_the_calculator_works_out_arithmetic(expression: str, value: float) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("9 ** 9 ** 9", "too large"),
        ("10 ** 10 ** 10 ** 10", "too large"),
        ("(10 ** 1000) * (10 ** 1000)", "too large"),
        ("9.9 ** 9999", "no result"),
        ("1e308 * 10", "too large"),
        ("factorial(100000)", "factorial takes"),
        ("factorial(2.5)", "factorial takes"),
        ("1 / 0", "Division by zero"),
        ("(-1) ** 0.5", "not a real number"),
        ("sqrt(-1)", "no result"),
        ("1 +", "not an arithmetic expression"),
        ("", "not an arithmetic expression"),
        ("1\x00+1", "not an arithmetic expression"),
        ("__import__('os').system('true')", "Only numbers"),
        ("(1).__class__", "Only numbers"),
        ("[1][0]", "Only numbers"),
        ("'a' * 3", "Only numbers"),
        ("True + 1", "Only real numbers"),
        ("2j * 2", "Only real numbers"),
        ("sqrt()", "sqrt takes 1"),
        ("max(1, key=abs)", "Only numbers"),
        ("-" * 80 + "1", "nested too deeply"),
        ("(" * 400 + "1" + ")" * 400, "not an arithmetic expression"),
        ("1+" * 499 + "1", "nested too deeply"),
        ("1" * 1001, "longer than"),
        ("1" * 999, 1),
    ],
)
def test_the_calculator_refuses_what_it_should(expression: str, words: str | int) -> None:
    begun = time.monotonic()
    if isinstance(words, int):
        assert calculate(expression) == int(expression)
        return
    with pytest.raises(ToolFailed, match=words):
        calculate(expression)
    assert time.monotonic() - begun < 1


async def test_the_calculator_tool_answers_with_text_so_that_no_digit_is_lost() -> None:
    assert await run(build_calculator(), {"expression": "2 ** 100"}) == "1267650600228229401496703205376"
    with pytest.raises(ToolFailed, match="expression must be text"):
        await run(build_calculator(), {"expression": 4})


async def test_the_time_is_told_in_the_zone_asked_for() -> None:
    tool = build_current_time(lambda: datetime(2026, 11, 23, 4, 30, tzinfo=UTC))
    assert await run(tool, {"timezone": "Asia/Tokyo"}) == {
        "time": "2026-11-23T13:30:00+09:00",
        "timezone": "Asia/Tokyo",
        "weekday": "Monday",
    }
    assert await run(tool, {}) == {"time": "2026-11-23T04:30:00+00:00", "timezone": "UTC", "weekday": "Monday"}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "", "a" * 5000, "Europe", "\x00"])
async def test_an_unknown_zone_is_refused_by_name(zone: str) -> None:
    tool = build_current_time(lambda: datetime(2026, 11, 23, tzinfo=UTC))
    if zone == "":
        assert await run(tool, {"timezone": zone}) is not None
        return
    with pytest.raises(ToolFailed, match="There is no time zone"):
        await run(tool, {"timezone": zone})


async def test_demo_weather_says_that_it_is_made_up_and_is_always_the_same() -> None:
    tool = build_demo_weather()
    first = await run(tool, {"city": "Paris"})
    assert first == await run(tool, {"city": " paris "}) | {"city": "Paris"}  # type: ignore[operator]
    assert isinstance(first, dict)
    assert first["source"] == "demo data, not real"
    assert set(first) == {"city", "temperature", "unit", "sky", "source"}


async def test_a_stub_returns_what_was_typed_or_waits_for_a_person() -> None:
    spec = ToolSpec(name="search", description="Search.")
    assert await run(build_stub(spec, "three hits"), {"anything": 1}) == "three hits"
    assert build_stub(spec).function is None
