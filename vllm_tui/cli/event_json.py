"""The events of a turn as JSON lines, one shape for each kind, for scripts that read `ask --json`.

`type` is the event's name (`block_delta`, `turn_finished`, ...); the other keys are its fields. Blocks, responses and
turns are objects as they are stored; an error is `{"kind", "message", "hint", "detail", "status", "retryable",
"retry_after"}`. Lines are pure ASCII, so they are safe for a terminal and any text survives.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.values import JsonObject, JsonValue, Value

if TYPE_CHECKING:
    from vllm_tui.engine.events import TurnEvent

_WORD = re.compile("(?<!^)(?=[A-Z])")
_DELETE = "\x7f"


def event_line(event: TurnEvent) -> str:
    """Return the event as one line of JSON, newline included."""
    content = {field.name: _plain(getattr(event, field.name)) for field in fields(event)}
    return _line({"type": _WORD.sub("_", type(event).__name__).lower(), **content})


def error_line(error: VLLMError) -> str:
    """Return an error that no turn could report as one line of JSON: `{"type": "error", "error": {...}}`."""
    return _line({"type": "error", "error": _error(error)})


def _line(content: JsonObject) -> str:
    return json.dumps(content, allow_nan=False).replace(_DELETE, "\\u007f") + "\n"


def _plain(value: object) -> JsonValue:
    match value:
        case VLLMError():
            return _error(value)
        case Value():
            return _plain(value.model_dump())
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def _error(error: VLLMError) -> JsonObject:
    return {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "detail": error.detail,
        "status": error.status,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
    }
