"""Reads the arguments a model wrote for a tool: by the declared schema, and never losing its text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.values import JsonObject, JsonValue

_MAX_REFERENCES = 8
_SHOWN = 60


@dataclass(slots=True)
class Reading:
    """What a text of arguments turned out to be; `problem` is None when `value` is an object."""

    value: JsonObject | str
    problem: str | None = None
    repairs: list[str] = field(default_factory=list)


def build_call(name: str, call_id: str, text: str, schema: JsonObject | None) -> ToolCallBlock:
    """Return the call block for arguments `text`; `schema` is what the tool declared, None when it is unknown."""
    reading = read_arguments(text, schema)
    return ToolCallBlock(
        id=call_id,
        name=name,
        input=reading.value,
        raw_arguments=text,
        problem=reading.problem,
        repairs=tuple(reading.repairs),
    )


def read_arguments(text: str, schema: JsonObject | None) -> Reading:
    """Return the arguments in `text` as an object, or the text itself with the problem in plain words."""
    required = _required(schema)
    if not text.strip():
        return Reading(text, f"no arguments came, but {required[0]} is required") if required else Reading({})
    try:
        value = parse_json(text)
    except ValueError as error:
        return Reading(text, str(error))
    repairs: list[str] = []
    if isinstance(value, str):
        unpacked = _packed(value)
        if isinstance(unpacked, dict):
            value, repairs = unpacked, ["unpacked arguments"]
    if value is None and not required:
        return Reading({})
    if not isinstance(value, dict):
        return Reading(text, f"the arguments are {_kind(value)}, not an object")
    walker = _Unpacker(schema)
    return Reading(walker.object(value, schema), None, repairs + walker.repairs)


def parse_json(text: str) -> JsonValue:
    """Return the JSON value in `text`; ValueError in plain words when it is none."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = "they end too early" if error.pos >= len(text.rstrip()) - 1 else f"at character {error.pos + 1}"
        raise ValueError(f"the arguments are not valid JSON ({error.msg}; {where})") from error
    except RecursionError:
        raise ValueError("the arguments are nested too deeply") from None
    return _clean(value)


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"the arguments are not valid JSON ({name} is no JSON value)")


def _clean(value: JsonValue) -> JsonValue:
    """Return `value` with lone surrogates replaced, so that it can be kept and sent."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): _clean(item) for key, item in value.items()}
    return value


def _packed(text: str) -> JsonValue:
    """Return the array or object that `text` spells, None when it spells neither."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return parse_json(text)
    except ValueError:
        return None


def _required(schema: JsonObject | None) -> list[str]:
    names = (schema or {}).get("required")
    return [str(name) for name in names] if isinstance(names, list) else []


def _kind(value: JsonValue) -> str:
    match value:
        case list():
            return "a list"
        case str():
            return "a text"
        case None:
            return "null"
        case bool():
            return "true or false"
        case _:
            return "a number"


class _Unpacker:
    """Replaces texts that spell an array or object by their value, except where the schema wants text."""

    def __init__(self, root: JsonObject | None) -> None:
        self._root = root or {}
        self.repairs: list[str] = []

    def object(self, value: JsonObject, schema: JsonValue, path: str = "") -> JsonObject:
        declared = self._resolve(schema)
        properties = declared.get("properties")
        others = declared.get("additionalProperties")
        known: Mapping[str, JsonValue] = properties if isinstance(properties, dict) else {}
        return {
            key: self._value(item, known.get(key, others), f"{path}.{key}" if path else key)
            for key, item in value.items()
        }

    def _value(self, value: JsonValue, schema: JsonValue, path: str) -> JsonValue:
        declared = self._resolve(schema)
        if isinstance(value, str) and not _allows_text(declared, self._resolve):
            unpacked = _packed(value)
            if unpacked is not None:
                self.repairs.append(f"unpacked {path[:_SHOWN]}")
                value = unpacked
        if isinstance(value, dict):
            return self.object(value, declared, path)
        if isinstance(value, list):
            return [self._value(item, declared.get("items"), f"{path}[{n}]") for n, item in enumerate(value)]
        return value

    def _resolve(self, schema: JsonValue) -> JsonObject:
        """Return `schema` as an object, local references followed; empty when it says nothing."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return schema
            found: JsonValue = self._root
            for step in reference[2:].split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
            schema = found
        return {}


def _allows_text(schema: JsonObject, resolve: object) -> bool:
    """Return whether `schema` declares text as a possible value; a schema that says nothing does not."""
    assert callable(resolve)
    kind = schema.get("type")
    if kind == "string" or (isinstance(kind, list) and "string" in kind):
        return True
    values = schema.get("enum")
    if isinstance(values, list) and any(isinstance(value, str) for value in values):
        return True
    if isinstance(schema.get("const"), str):
        return True
    for word in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(word)
        if isinstance(choices, list) and any(_allows_text(resolve(choice), resolve) for choice in choices):
            return True
    return False
