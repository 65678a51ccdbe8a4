"""Which tools the demo's model calls, with which arguments, and what it says about their results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.demo.ask import text_of
from vllm_tui.demo.places import cities_in
from vllm_tui.demo.schema import fitting_object

if TYPE_CHECKING:
    from vllm_tui.demo.ask import Ask
    from vllm_tui.domain.values import JsonObject, JsonValue

WEATHER = re.compile(
    r"\b(?:weather|forecast|temperature (?:in|outside)|raining|sunny|umbrella|how (?:warm|cold) is)\b", re.I
)
TIME = re.compile(
    r"\b(?:what time|what'?s the time|current time|the time (?:now|in)|time is it|today'?s date|what day)\b", re.I
)
_SUM = r"(?P<sum>-?\d{1,12}(?:\.\d{1,6})?(?:\s*[-+*/x\u00d7]\s*\d{1,12}(?:\.\d{1,6})?){1,20})"
_SUM_ASKED = re.compile(
    rf"\b(?:what is|what's|whats|how much is|calculate|compute|evaluate|solve)\s+{_SUM}(?![\w.])", re.I
)
_SUM_ALONE = re.compile(rf"\s*{_SUM}\s*[=?]?\s*")
_WEATHER_TOOL = re.compile(r"weather|forecast|temperature", re.I)
_TIME_TOOL = re.compile(r"(?:^|[_.-])(?:time|clock|now|date|datetime)(?:$|[_.-])|currenttime|gettime", re.I)
_SUM_TOOL = re.compile(r"calc|math|arithmetic|evaluate", re.I)
_PLACE_FIELDS = ("city", "location", "place", "town", "query", "q", "address")
_ZONE_FIELDS = ("tz", "timezone", "time_zone", "zone", "tz_name", "iana_timezone")
_SUM_FIELDS = ("expression", "expr", "formula", "input", "query")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the model writes it; `arguments` is JSON text, or meant to be."""

    name: str
    arguments: str


def plan_calls(ask: Ask, question: str) -> tuple[Call, ...]:
    """Return the calls the model makes now; those already answered since the question are left out."""
    if not ask.tools or (ask.body.get("tool_choice") == "none" and not ask.model.is_harmony):
        return ()
    wanted = _wanted(ask, question)
    answered = sum(item.get("type") == "function_call_output" for item in ask.since_question)
    if not wanted and not answered:
        wanted = _demanded(ask, question)
    left = wanted[answered:]
    return left[:1] if ask.body.get("parallel_tool_calls") is False else left


def _wanted(ask: Ask, question: str) -> tuple[Call, ...]:
    found: list[Call] = []
    cities = cities_in(question)
    if WEATHER.search(question) and (tool := _tool(ask, _WEATHER_TOOL)):
        found += [_call(tool, _place_hints(name)) for name in [city.name for city in cities] or ["Paris"]]
    if TIME.search(question) and (tool := _tool(ask, _TIME_TOOL)):
        zones = [city.zone for city in cities] or ["UTC"]
        found += [_call(tool, {"*": zone, **dict.fromkeys(_ZONE_FIELDS, zone)}) for zone in zones]
    term = sum_in(question)
    if term and (tool := _tool(ask, _SUM_TOOL)):
        found.append(_call(tool, {"*": term, **dict.fromkeys(_SUM_FIELDS, term)}))
    if found:
        return tuple(found)
    words = re.sub(r"[_\s-]+", " ", question.casefold())
    named = [tool for tool in ask.tools if re.sub(r"[_\s-]+", " ", str(tool.get("name")).casefold()) in words]
    return tuple(_call(tool, {"*": question}) for tool in named)


def sum_in(question: str) -> str:
    """Return the sum a question asks for, as `12 * 7 + 1`; empty when it asks for none."""
    found = _SUM_ALONE.fullmatch(question) or _SUM_ASKED.search(question)
    return found["sum"].replace("x", "*").replace("\u00d7", "*") if found else ""


def _place_hints(name: str) -> dict[str, str]:
    return {"unit": "celsius", "units": "celsius", "*": name, **dict.fromkeys(_PLACE_FIELDS, name)}


def _demanded(ask: Ask, question: str) -> tuple[Call, ...]:
    choice = ask.body.get("tool_choice")
    if choice == "required":
        return (_call(ask.tools[0], {"*": question}),)
    name = choice.get("name") if isinstance(choice, dict) else None
    return tuple(_call(tool, {"*": question}) for tool in ask.tools if tool.get("name") == name and name)


def _tool(ask: Ask, pattern: re.Pattern[str]) -> JsonObject | None:
    return next((tool for tool in ask.tools if pattern.search(str(tool.get("name")))), None)


def _call(tool: JsonObject, hints: dict[str, str]) -> Call:
    parameters = tool.get("parameters")
    arguments = fitting_object(parameters, hints) if isinstance(parameters, dict) else {}
    return Call(str(tool.get("name")), json.dumps(arguments, ensure_ascii=False))


def broken_call(ask: Ask) -> Call:
    """Return a call whose arguments are no JSON: of a tool for the weather, else the first one, else none offered."""
    tool = _tool(ask, _WEATHER_TOOL) or (ask.tools[0] if ask.tools else {"name": "get_weather"})
    name = str(tool.get("name"))
    return Call(name, '{"city": "Paris", "unit": celsius, "days": [1, 2')


def describe_results(ask: Ask) -> str | None:
    """Return what the model says about the results since the question, or None when there are none."""
    names = {item.get("call_id"): item for item in ask.items if item.get("type") == "function_call"}
    outputs = [item for item in ask.since_question if item.get("type") == "function_call_output"]
    if not outputs:
        return None
    parts = [_describe(names.get(item.get("call_id")), text_of(item)) for item in outputs]
    return "\n\n".join(parts)


def _describe(call: JsonObject | None, output: str) -> str:
    name = f"`{call.get('name')}`" if call else "the tool"
    about = _subject(call)
    if re.match(
        r"\W*(?:\{\"error\"|error|failed|refused|denied|not allowed|the user (?:refused|declined))", output, re.I
    ):
        return (
            f"I could not use {name}{about}. It answered:\n\n> {_short(output)}\n\nI will not guess the result instead."
        )
    value = _json(output)
    if isinstance(value, dict) and value:
        rows = "\n".join(f"| {key} | {_cell(part)} |" for key, part in value.items())
        return f"According to {name}{about}:\n\n| | |\n|---|---|\n{rows}"
    return (
        f"According to {name}{about}: **{_short(output)}**" if output.strip() else f"{name} gave nothing back{about}."
    )


def _subject(call: JsonObject | None) -> str:
    arguments = _json(str(call.get("arguments"))) if call else None
    first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else None
    return f" for {first}" if isinstance(first, str) and len(first) < 60 else ""


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _cell(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _short(text).replace("|", "\\|")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 400 else f"{line[:400]}…"
