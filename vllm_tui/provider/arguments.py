"""Reads the arguments of a tool call by the tool's declared schema, and writes them for sending."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vllm_tui.domain.values import JsonObject, JsonValue

MAX_DEPTH = 100
"""Levels of nesting that are read; stored values refuse much deeper ones."""

_MAX_ENCODINGS = 4
_MAX_REFERENCES = 8
_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}


@dataclass(frozen=True, slots=True)
class ReadArguments:
    """The arguments as an object, or the raw text with the problem that kept it from being read as one."""

    input: JsonObject | str
    problem: str | None = None
    repairs: tuple[str, ...] = ()


class _TooDeepError(ValueError):
    pass


def read_arguments(raw: str, schema: JsonObject | None) -> ReadArguments:
    """Return what `raw` says; text is unpacked only where `schema` wants an object or array, or says nothing.

    Blank text and `null` mean no arguments. Never raises: what is no object comes back as it was, with a problem.
    """
    if not raw.strip():
        return ReadArguments({})
    try:
        return _read(raw, schema)
    except (_TooDeepError, RecursionError):
        return ReadArguments(raw, f"The arguments are nested more than {MAX_DEPTH} levels deep.")
    except json.JSONDecodeError as error:
        return ReadArguments(raw, f"The arguments are not valid JSON: {error.msg} at character {error.pos + 1}.")
    except ValueError as error:
        return ReadArguments(raw, f"The arguments are not valid JSON: {error}.")


def arguments_text(input: JsonObject | str) -> str:  # noqa: A002
    """Return arguments as the text that is sent: an object as JSON, text as it is, nothing as `{}`."""
    if isinstance(input, str):
        return input if input.strip() else "{}"
    return json.dumps(input, ensure_ascii=False)


def _read(raw: str, schema: JsonObject | None) -> ReadArguments:
    value = _parse(raw)
    repairs: list[str] = []
    for _ in range(_MAX_ENCODINGS):
        if not isinstance(value, str) or not value.lstrip().startswith(("{", '"')):
            break
        value = _parse(value)
        repairs = ["unpacked the whole object"]
    if value is None:
        return ReadArguments({})
    if not isinstance(value, dict):
        return ReadArguments(raw, f"The arguments are {_KINDS[type(value)]}, not an object.")
    walk = _Walk(schema or {}, repairs)
    return ReadArguments({name: walk.member(value, schema or {}, name) for name in value}, None, tuple(repairs))


def _parse(text: str) -> JsonValue:
    value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    return value


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON number")


@dataclass(frozen=True, slots=True)
class _Walk:
    """One pass over the arguments; `root` resolves references, `repairs` collects what was unpacked."""

    root: JsonObject
    repairs: list[str]

    def member(self, parent: JsonObject, schema: JsonObject, name: str, path: str = "", depth: int = 1) -> JsonValue:
        declared = self._declared(schema, name)
        return self.value(parent[name], declared, f"{path}.{name}" if path else name, depth)

    def value(self, value: JsonValue, schema: JsonObject, path: str, depth: int) -> JsonValue:
        if depth > MAX_DEPTH:
            raise _TooDeepError
        if isinstance(value, str):
            unpacked = self._unpack(value, schema)
            if isinstance(unpacked, str):
                return value
            self.repairs.append(f"unpacked {path}")
            value = unpacked
        if isinstance(value, dict):
            return {name: self.member(value, schema, name, path, depth + 1) for name in value}
        if isinstance(value, list):
            return [
                self.value(entry, self._item(schema, index), f"{path}.{index}", depth + 1)
                for index, entry in enumerate(value)
            ]
        return value

    def _unpack(self, text: str, schema: JsonObject) -> JsonValue:
        """Return the object or array `text` holds, or `text` when the schema does not ask for it."""
        if not text.lstrip().startswith(("{", "[")):
            return text
        types = self._types(schema)
        if "string" in types:
            return text
        try:
            found = _parse(text)
        except (ValueError, RecursionError):
            return text
        return found if not types or _type_name(found) in types else text

    def _declared(self, schema: JsonObject, name: str) -> JsonObject:
        """Return what is declared for a property, in any alternative; an empty schema when nothing is."""
        places = self._places(schema)
        found = [p[name] for p in (place.get("properties") for place in places) if isinstance(p, dict) and name in p]
        return _any_of(found or [place["additionalProperties"] for place in places if "additionalProperties" in place])

    def _item(self, schema: JsonObject, index: int) -> JsonObject:
        found: list[JsonValue] = []
        for place in self._places(schema):
            prefix = place.get("prefixItems")
            inside = isinstance(prefix, list) and index < len(prefix)
            found.append(prefix[index] if isinstance(prefix, list) and inside else place.get("items"))
        return _any_of(found)

    def _types(self, schema: JsonObject) -> set[str]:
        """Return the JSON types the schema allows; none when it does not say."""
        return {name for place in self._places(schema) for name in _own_types(place)}

    def _places(self, schema: JsonObject) -> list[JsonObject]:
        """Return the schema and all its alternatives, references followed, each once."""
        found: list[JsonObject] = []
        waiting: list[JsonValue] = [schema]
        while waiting:
            place = self._resolve(waiting.pop(0))
            if any(place is known for known in found):
                continue
            found.append(place)
            lists = [place.get(word) for word in ("allOf", "anyOf", "oneOf")]
            waiting.extend(entry for entries in lists if isinstance(entries, list) for entry in entries)
        return found

    def _resolve(self, schema: JsonValue) -> JsonObject:
        """Return the schema a local `$ref` points at; one that can't be followed says nothing."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema
            schema = self._look_up(reference)
        return {}

    def _look_up(self, reference: str) -> JsonValue:
        found: JsonValue = self.root if reference.startswith("#") else None
        for step in reference.split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found


def _any_of(schemas: list[JsonValue]) -> JsonObject:
    known = [schema for schema in schemas if isinstance(schema, dict)]
    return known[0] if len(known) == 1 else {"anyOf": [*known]}


def _type_name(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "string" if isinstance(value, str) else "other"


def _own_types(schema: JsonObject) -> set[str]:
    match schema.get("type"):
        case str(name):
            return {name}
        case list(names):
            return {name for name in names if isinstance(name, str)}
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return {_type_name(value) for value in values}
    implied = {"object": "properties", "array": "items"}
    return {name for name, word in implied.items() if word in schema}
