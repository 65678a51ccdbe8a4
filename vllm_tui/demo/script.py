"""What the demo's model thinks and says to a request."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.demo.answers import find_topic, long_answer
from vllm_tui.demo.answers.general import answer_anything, think_about
from vllm_tui.demo.answers.hostile import HOSTILE
from vllm_tui.demo.ask import text_of
from vllm_tui.demo.calls import TIME, WEATHER, Call, broken_call, describe_results, plan_calls, sum_in
from vllm_tui.demo.failures import without_markers
from vllm_tui.demo.places import capital_asked
from vllm_tui.demo.schema import fitting_value

if TYPE_CHECKING:
    from vllm_tui.demo.ask import Ask
    from vllm_tui.domain.values import JsonObject

_DEPTH = {"none": 0, "minimal": 1, "low": 2, "medium": 5, "high": 12, "xhigh": 15, "max": 18}
"""Sentences of reasoning at each effort."""
_LONG = re.compile(r"\b(?:long answer|very long|complete guide|essay|in great detail)\b", re.IGNORECASE)
_GO_ON = re.compile(r"^\W*(?:please )?(?:continue|go on|carry on|keep going|finish)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes back: thoughts, an answer, calls; any may be empty."""

    thoughts: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()
    is_continuation: bool = False


def plan_reply(ask: Ask, failure: str | None) -> Reply:
    """Return the reply to a request, acting out `failure` where it concerns what is said."""
    question = without_markers(ask.question)
    started = _unfinished(ask)
    if started is not None:
        return _carry_on(ask, *started)
    if failure == "arguments" and describe_results(ask) is None:
        return Reply(_think(ask, "the weather", ("A tool should know.",)), calls=(broken_call(ask),))
    calls = plan_calls(ask, question)
    if calls:
        names = " and ".join(sorted({call.name for call in calls}))
        need = (f"This needs a fact I do not have, and {names} is offered.", "I will call it and wait.")
        return Reply(_think(ask, question, need), calls=calls)
    thoughts, text = _say(ask, question)
    if failure == "escape":
        text = HOSTILE
    return Reply("" if failure == "no-reasoning" else _think(ask, question, thoughts), text)


def _say(ask: Ask, question: str) -> tuple[tuple[str, ...], str]:
    shape = _json_shape(ask)
    if shape is not None:
        value = fitting_value(shape, {"*": question[:40]})
        return ("The answer must be JSON of the given shape.",), json.dumps(value, ensure_ascii=False, indent=2)
    results = describe_results(ask)
    if results is not None:
        return ("The results are here; I report them as they are.",), results
    quick = _quick(question)
    if quick is not None:
        return ("A question with a short answer.",), quick
    if _LONG.search(question):
        return ("They want it long: the whole guide, from the engine up to the protocol.",), long_answer()
    topic = find_topic(question)
    if topic is not None:
        return topic.thoughts, topic.text
    return (), answer_anything(question)


def _quick(question: str) -> str | None:
    if WEATHER.search(question) or TIME.search(question):
        asked = "weather" if WEATHER.search(question) else "time"
        return (
            f"I have no way to know the {asked} by myself: no tool for it is offered in this request.\n\n"
            f"Switch on a tool such as `{'get_weather' if asked == 'weather' else 'current_time'}` and ask again; "
            "then I can call it and use what it returns."
        )
    city = capital_asked(question)
    if city is not None:
        return f"The capital of {city.country} is **{city.name}**."
    term = sum_in(question)
    return f"`{term}` is **{calculate(term)}**." if term else None


def calculate(term: str) -> str:
    """Return the value of a sum of products such as `2 + 3 * 4`, or why it has none."""
    total = 0.0
    for sign, product in re.findall(r"(^-?|[-+])\s*([^-+]+)", term):
        first, *rest = re.split(r"\s*([*/])\s*", product.strip())
        value = float(first)
        for operator, digits in zip(rest[::2], rest[1::2], strict=True):
            if operator == "/" and float(digits) == 0:
                return "undefined: a division by zero"
            value = value * float(digits) if operator == "*" else value / float(digits)
        total += -value if sign == "-" else value
    return f"{total:,.12g}"


def _json_shape(ask: Ask) -> JsonObject | None:
    text = ask.body.get("text")
    shape = text.get("format") if isinstance(text, dict) else None
    if not isinstance(shape, dict):
        return None
    schema = shape.get("schema")
    if shape.get("type") == "json_schema" and isinstance(schema, dict):
        return schema
    if shape.get("type") == "json_object":
        answer: JsonObject = {"type": "string"}
        return {"type": "object", "properties": {"answer": answer}, "required": ["answer"]}
    return None


def _think(ask: Ask, question: str, thoughts: tuple[str, ...]) -> str:
    depth = _DEPTH[ask.effort or "medium"]
    return think_about(question, thoughts, depth)


def _unfinished(ask: Ask) -> tuple[str, str] | None:
    since = ask.since_question
    if since and since[-1].get("role") == "assistant":
        return without_markers(ask.question), text_of(since[-1])
    if not _GO_ON.match(ask.question) or len(ask.items) < 3:
        return None
    users = [number for number, item in enumerate(ask.items) if item.get("role") == "user"]
    if len(users) < 2:
        return None
    between = [text_of(item) for item in ask.items[users[-2] : users[-1]] if item.get("role") == "assistant"]
    return without_markers(text_of(ask.items[users[-2]])), "".join(between)


def _carry_on(ask: Ask, question: str, partial: str) -> Reply:
    _, whole = _say(ask, question)
    thoughts = "The answer was cut; I carry on where it stopped." if ask.model.is_harmony else ""
    return Reply(thoughts, _rest(whole, partial.lstrip("\n")), is_continuation=True)


def _rest(whole: str, partial: str) -> str:
    if whole.startswith(partial):
        return whole[len(partial) :] or "\n\nThat was all."
    place = whole.find(partial[-30:]) if partial else -1
    return whole[place + len(partial[-30:]) :] if place >= 0 else "\n\nTo sum up: that was the whole of it."
