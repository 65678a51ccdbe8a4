"""One request to the demo's /v1/responses, read and checked as vLLM 0.32 does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.demo.refusals import Refused, invalid, malformed, not_one_of, refuse, unknown_model

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject, JsonValue

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
HARMONY_EFFORTS = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Model:
    """A model the demo serves; `window` in tokens, `rate` in tokens a second."""

    name: str
    window: int
    rate: float
    is_harmony: bool


MODELS = (
    Model("openai/gpt-oss-20b", 131072, 95.0, is_harmony=True),
    Model("Qwen/Qwen3-8B", 32768, 70.0, is_harmony=False),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked request: its body, its model, and the whole conversation as input items."""

    body: JsonObject
    model: Model
    items: tuple[JsonObject, ...]

    @property
    def effort(self) -> str | None:
        """The requested reasoning effort; None when the request leaves it to the model."""
        reasoning = self.body.get("reasoning")
        effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
        return effort if isinstance(effort, str) else None

    @property
    def tools(self) -> tuple[JsonObject, ...]:
        """The function tools on offer."""
        tools = self.body.get("tools")
        if not isinstance(tools, list):
            return ()
        return tuple(tool for tool in tools if isinstance(tool, dict) and tool.get("type") == "function")

    @property
    def question(self) -> str:
        """The text of the last user message."""
        position = self._last_user()
        return text_of(self.items[position]) if position >= 0 else ""

    @property
    def since_question(self) -> tuple[JsonObject, ...]:
        """The items after the last user message: calls, their results, an unfinished answer."""
        return self.items[self._last_user() + 1 :]

    def _last_user(self) -> int:
        for position in range(len(self.items) - 1, -1, -1):
            if self.items[position].get("role") == "user":
                return position
        return -1


def text_of(item: JsonObject) -> str:
    """Return the text of a message, a function output or a reasoning item."""
    content = item.get("output") if item.get("type") == "function_call_output" else item.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def parse_body(raw: bytes) -> JsonObject:
    """Return the JSON object in `raw`; refuse anything else."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        at = getattr(error, "pos", 0)
        reason = getattr(error, "msg", "not JSON")
        raise malformed(
            f"body.{at}",
            f"{{'type': 'json_invalid', 'loc': 'body.{at}', 'msg': 'JSON decode error', "
            f"'input': '<dict of 0 items>', 'ctx': {{'error': '{reason}'}}}}",
        ) from error
    if not isinstance(body, dict):
        kind = "Input should be a valid dictionary or object to extract fields from"
        given = f"<list of {len(body)} items>" if isinstance(body, list) else repr(body)
        raise malformed(
            "body", f"{{'type': 'model_attributes_type', 'loc': 'body', 'msg': '{kind}', 'input': '{given}'}}"
        )
    return body


def choose_model(body: JsonObject) -> Model:
    """Return the model a body names; absent or empty means the first."""
    name = body.get("model")
    if not name:
        return MODELS[0]
    for model in MODELS:
        if model.name == name:
            return model
    raise unknown_model(str(name), tuple(model.name for model in MODELS))


def read_ask(body: JsonObject, earlier: tuple[JsonObject, ...]) -> Ask:
    """Return the checked request; `earlier` are the items of the stored response it builds on."""
    items = _input_items(body)
    for field in ("tools", "tool_choice", "service_tier", "truncation", "background"):
        if field in body and body[field] is None:
            raise malformed(f"body.{field}", f"{{'type': 'none_not_allowed', 'loc': 'body.{field}', 'input': 'None'}}")
    model = choose_model(body)
    ask = Ask(body, model, earlier + items)
    _check_words(ask)
    _check_numbers(body, model)
    _check_tools(ask)
    if model.is_harmony:
        _check_outputs(ask)
    return ask


def _input_items(body: JsonObject) -> tuple[JsonObject, ...]:
    if "input" not in body:
        found = f"<dict of {len(body) + 1} items>"  # the server has added an id by then
        raise malformed(
            "body.input", f"{{'type': 'missing', 'loc': 'body.input', 'msg': 'Field required', 'input': '{found}'}}"
        )
    given = body["input"]
    if isinstance(given, str):
        return ({"type": "message", "role": "user", "content": given},)
    if not isinstance(given, list):
        raise malformed(
            "body.input",
            "{'type': 'string_type', 'loc': 'body.input', "
            f"'msg': 'Input should be a valid string', 'input': '{given}'}}",
            f"{{'type': 'list_type', 'loc': 'body.input', 'msg': 'Input should be a valid list', 'input': '{given}'}}",
        )
    if not given:
        message = "Cannot apply chat template to an empty conversation. Provide at least one message."
        raise refuse(400, message, "BadRequestError", None)
    for number, item in enumerate(given):
        if not isinstance(item, dict):
            raise malformed(f"body.input.{number}", f"{{'type': 'dict_type', 'loc': 'body.input.{number}'}}")
    return tuple(item for item in given if isinstance(item, dict))


def _check_words(ask: Ask) -> None:
    body = ask.body
    truncation = body.get("truncation", "disabled")
    if truncation not in ("auto", "disabled"):
        raise not_one_of("body.truncation", truncation, "auto", "disabled")
    effort = ask.effort
    if effort is None:
        return
    if effort not in EFFORTS:
        raise not_one_of("body.reasoning.effort", effort, *EFFORTS)
    if ask.model.is_harmony and effort not in HARMONY_EFFORTS:
        known = ", ".join(HARMONY_EFFORTS)
        message = f"reasoning_effort='{effort}' is not supported by Harmony. Supported values are: {known}."
        raise invalid("reasoning_effort", message)


def _number(body: JsonObject, field: str) -> float | None:
    value: JsonValue = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"body.{field}", f"{{'type': 'number_type', 'loc': 'body.{field}', 'input': '{value}'}}")
    return value


def _check_numbers(body: JsonObject, model: Model) -> None:
    temperature = _number(body, "temperature")
    if temperature is not None and temperature < 0:
        raise invalid("temperature", f"temperature must be non-negative, got {float(temperature)}.", float(temperature))
    if temperature is not None and temperature > 2:
        raise invalid("temperature", f"temperature must be in [0, 2], got {float(temperature)}.", float(temperature))
    top_p = _number(body, "top_p")
    if top_p is not None and not 0 < top_p <= 1:
        raise invalid("top_p", f"top_p must be in (0, 1], got {float(top_p)}.", float(top_p))
    limit = _number(body, "max_output_tokens")
    if limit is not None and limit > model.window:
        message = f"max_output_tokens={limit} cannot be greater than max_model_len={model.window}."
        raise invalid("max_output_tokens", f"{message} Please request fewer output tokens.", limit)
    if limit is not None and limit < 1:
        raise invalid("max_tokens", f"max_tokens must be at least 1, got {limit}.", limit)


def _check_tools(ask: Ask) -> None:
    choice = ask.body.get("tool_choice", "auto")
    names = {tool.get("name") for tool in ask.tools}
    if choice == "required" and not names:
        raise invalid("tool_choice", "Tool choice 'required' must be specified with 'tools' parameter.")
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name") not in names:
        raise invalid("tool_choice", "Tool choice 'function' not found in 'tools' parameter.")


def _check_outputs(ask: Ask) -> None:
    called = {item.get("call_id") for item in ask.items if item.get("type") == "function_call"}
    for item in ask.items:
        if item.get("type") == "function_call_output" and item.get("call_id") not in called:
            message = f"No call message found for {item.get('call_id')} (parameter=input)"
            raise refuse(400, message, "invalid_request_error", "input")


__all__ = ["MODELS", "Ask", "Model", "Refused", "choose_model", "parse_body", "read_ask", "text_of"]
