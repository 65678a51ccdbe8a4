"""Makes a value that fits a JSON Schema, for tool arguments and structured answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject, JsonValue

DEPTH = 8
"""Nested deeper than this, a schema gets null."""


def fitting_value(schema: JsonValue, hints: dict[str, str], name: str = "", depth: int = 0) -> JsonValue:
    """Return a value for `schema`; a text property whose name is in `hints` gets that text where it may."""
    if not isinstance(schema, dict) or depth > DEPTH:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return _choose(choices, hints.get(name))
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list) and options:
            return fitting_value(options[0], hints, name, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        kind = kind[0]
    return _typed_value(schema, str(kind), hints, name, depth)


def _typed_value(schema: JsonObject, kind: str, hints: dict[str, str], name: str, depth: int) -> JsonValue:
    match kind:
        case "string":
            return _text(schema, hints.get(name, hints.get("*", "demo")))
        case "integer" | "number":
            least = schema.get("minimum")
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "array":
            return [fitting_value(schema.get("items"), hints, name, depth + 1)] if schema.get("items") else []
        case "null":
            return None
        case _:
            return fitting_object(schema, hints, depth)


def fitting_object(schema: JsonObject, hints: dict[str, str], depth: int = 0) -> JsonObject:
    """Return an object with the required properties and those that a hint knows."""
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, dict):
        return {}
    needed = required if isinstance(required, list) else []
    return {
        name: fitting_value(part, hints, name, depth + 1)
        for name, part in properties.items()
        if name in needed or name in hints
    }


def _choose(choices: list[JsonValue], hint: str | None) -> JsonValue:
    for choice in choices:
        if hint is not None and str(choice).casefold() == hint.casefold():
            return choice
    return choices[0]


def _text(schema: JsonObject, text: str) -> str:
    longest = schema.get("maxLength")
    return text[: int(longest)] if isinstance(longest, int | float) else text
