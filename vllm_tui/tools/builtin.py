"""The tools that come with the program: time, calculator, a stub a person answers, and demo weather."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.calculator import calculate
from vllm_tui.tools.tool import Tool, ToolFailed

Now = Callable[[], datetime]


def text_argument(arguments: JsonObject, name: str, default: str | None = None) -> str:
    """Return a text argument; raises ToolFailed when it is missing or no text."""
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise ToolFailed(f"The argument {name} must be text.")
    return value


def _object(required: list[JsonValue], **properties: JsonValue) -> JsonObject:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _zone(name: str) -> tzinfo:
    if name in ("UTC", "Z", ""):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ToolFailed(f"There is no time zone {name!r}. Use a name such as Europe/Paris or UTC.") from error


def build_current_time(now: Now = _utc_now) -> Tool:
    """Return the tool that tells date and time in a time zone."""

    async def run(arguments: JsonObject) -> JsonValue:
        name = text_argument(arguments, "timezone", "UTC")
        moment = now().astimezone(_zone(name))
        return {"time": moment.isoformat(timespec="seconds"), "timezone": name, "weekday": moment.strftime("%A")}

    zone: JsonObject = {"type": "string", "description": "IANA name, for example Europe/Paris. UTC when left out."}
    spec = ToolSpec(
        name="current_time",
        description="Tell the current date and time in a time zone.",
        parameters=_object([], timezone=zone),
    )
    return Tool(spec, "builtin", run, pure=True)


def build_calculator() -> Tool:
    """Return the tool that works out an arithmetic expression."""

    async def run(arguments: JsonObject) -> JsonValue:
        return str(calculate(text_argument(arguments, "expression")))

    expression: JsonObject = {"type": "string", "description": "For example (2 + 3) * 4 or sqrt(2)"}
    spec = ToolSpec(
        name="calculator",
        description="Work out an arithmetic expression.",
        parameters=_object(["expression"], expression=expression),
    )
    return Tool(spec, "builtin", run, pure=True)


def build_stub(spec: ToolSpec | None = None, answer: str | None = None) -> Tool:
    """Return a tool that does nothing: it returns `answer`, or a person types the answer to each call."""
    spec = spec or ToolSpec(
        name="stub",
        description="A stand-in for testing: returns what the operator types.",
        parameters=_object([], text={"type": "string", "description": "Anything."}),
    )
    if answer is None:
        return Tool(spec, "builtin", None)

    async def run(arguments: JsonObject) -> JsonValue:
        return answer

    return Tool(spec, "builtin", run, pure=True)


def build_demo_weather() -> Tool:
    """Return a weather tool whose data is made up and says so; the same city always has the same weather."""

    async def run(arguments: JsonObject) -> JsonValue:
        city = text_argument(arguments, "city")
        unit = text_argument(arguments, "unit", "celsius")
        seed = zlib.crc32(city.strip().casefold().encode("utf-8", "replace"))
        celsius = seed % 30 + 2
        degrees = celsius if unit == "celsius" else round(celsius * 9 / 5 + 32)
        sky = ("sunny", "cloudy", "light rain", "windy")[seed // 31 % 4]
        return {"city": city, "temperature": degrees, "unit": unit, "sky": sky, "source": "demo data, not real"}

    spec = ToolSpec(
        name="get_weather",
        description="Get the weather of a city. Demo data, made up.",
        parameters=_object(
            ["city"],
            city={"type": "string", "description": "For example Paris"},
            unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
        ),
    )
    return Tool(spec, "demo", run, origin="demo")
