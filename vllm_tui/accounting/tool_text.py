"""Tools as the text gpt-oss reads: JSON Schema written like TypeScript, byte for byte as the Harmony library does.

Its oddities are kept, since they are tokens: the indent before an object's comment, `Array<any>` only for arrays
without items, comments that are not carried over to a second line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from vllm_tui.domain.values import JsonObject, JsonValue

_EXPONENT = re.compile(r"(?<=\d)e\+?(-?)0*(?=\d)")
_PLAIN_TYPES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}


def tools_section(namespaces: Iterable[tuple[str, str | None, Sequence[JsonObject]]]) -> str:
    """Return the section of a message that offers tools; each name space is its name, description and tools."""
    return "\n\n".join(("# Tools", *(_namespace(*entry) for entry in namespaces)))


def _namespace(name: str, description: str | None, tools: Sequence[JsonObject]) -> str:
    if not tools:
        return "\n".join((f"## {name}", "", *_lines(description))) if description else f"## {name}\n"
    lines = [f"## {name}", "", *_comment(description), f"namespace {name} {{", ""]
    for tool in tools:
        lines += [*_comment(tool.get("description")), f"type {tool.get('name')} = {_signature(tool)} => any;", ""]
    return "\n".join((*lines, f"}} // namespace {name}"))


def _signature(tool: JsonObject) -> str:
    parameters = tool.get("parameters")
    return "()" if parameters is None else f"(_: {type_text(parameters)})"


def _comment(text: JsonValue) -> list[str]:
    return [f"// {line}" for line in _lines(text)]


def _lines(text: JsonValue) -> list[str]:
    if not isinstance(text, str) or not text:
        return []
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def type_text(schema: JsonValue, indent: str = "") -> str:
    """Return a schema as a type; `indent` is the white space in front of its lines."""
    if not isinstance(schema, dict):
        return "any"
    variants = schema.get("oneOf")
    if isinstance(variants, list):
        return "".join(f"\n{indent} | {_variant(variant, indent, is_inner=True)}" for variant in variants)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_PLAIN_TYPES.get(name, name) for name in kind if isinstance(name, str)) or "any"
    return _single_type(kind, schema, indent)


def _single_type(kind: JsonValue, schema: JsonObject, indent: str) -> str:
    match kind:
        case "object":
            return _object(schema, indent)
        case "string":
            return _enum(schema) or "string"
        case "array":
            return f"{type_text(schema['items'], indent)}[]" if "items" in schema else "Array<any>"
        case str():
            return _PLAIN_TYPES.get(kind, "any")
        case _:
            return "any"


def _variant(
    schema: JsonValue, indent: str, said: JsonValue = None, *, is_said: bool = False, is_inner: bool = False
) -> str:
    """Return one of several types with its notes; a description is left out when `said` above or by `is_said`."""
    text = type_text(schema, f"{indent}   ")
    if not isinstance(schema, dict):
        return text
    description = schema.get("description")
    notes = [description] if isinstance(description, str) and not is_said and description != said else []
    if "default" in schema:
        notes.append(f"default: {_default(schema, is_quoted=is_inner)}")
    note = f" // {' '.join(notes)}" if notes else ""
    return f"{_nullable(text, schema)}{note}"


def _nullable(text: str, schema: JsonObject) -> str:
    return f"{text} | null" if schema.get("nullable") is True and "null" not in text else text


def _enum(schema: JsonObject) -> str:
    values = schema.get("enum")
    return " | ".join(f'"{value}"' for value in values if isinstance(value, str)) if isinstance(values, list) else ""


def _object(schema: JsonObject, indent: str) -> str:
    description = schema.get("description")
    head = f"{indent}// {description}\n" if isinstance(description, str) else ""
    properties = schema.get("properties")
    required = schema.get("required")
    needed = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    inside = "".join(
        _property(name, value, indent, is_needed=name in needed)
        for name, value in (properties.items() if isinstance(properties, dict) else ())
    )
    return f"{head}{{\n{inside}{indent}}}"


def _property(name: str, schema: JsonValue, indent: str, *, is_needed: bool) -> str:
    mark = "" if is_needed else "?"
    details = schema if isinstance(schema, dict) else {}
    lines = _notes(details, indent)
    variants = details.get("oneOf")
    if isinstance(variants, list):
        if "default" in details:
            lines.append(f"{indent}// default: {_default(details)}")
        lines.append(f"{indent}{name}{mark}:")
        said = details.get("description")
        for number, variant in enumerate(variants):
            lines.append(f"{indent} | {_variant(variant, indent, said, is_said=number == 0 and isinstance(said, str))}")
        return "\n".join((*lines, f"{indent},\n"))
    text = _nullable(type_text(schema, f"{indent}    "), details)
    default = f" // default: {_default(details)}" if "default" in details else ""
    return "\n".join((*lines, f"{indent}{name}{mark}: {text},{default}\n"))


def _notes(details: JsonObject, indent: str) -> list[str]:
    title, description, examples = details.get("title"), details.get("description"), details.get("examples")
    lines = [f"{indent}// {title}", f"{indent}//"] if isinstance(title, str) else []
    about = [f"{indent}// {description}"] if isinstance(description, str) else []
    given = examples if isinstance(examples, list) else []
    shown = [f"{indent}// Examples:"] if given else []
    shown += [f'{indent}// - "{value}"' for value in given if isinstance(value, str)]
    if isinstance(details.get("oneOf"), list):
        return [*lines, *shown, *([] if description == _first_description(details) else about)]
    return [*lines, *about, *shown]


def _first_description(details: JsonObject) -> JsonValue:
    """Return what the first of several variants says of itself; the property does not say it twice."""
    variants = details.get("oneOf")
    first = variants[0] if isinstance(variants, list) and variants else None
    return first.get("description") if isinstance(first, dict) else None


def _default(schema: JsonObject, *, is_quoted: bool = False) -> str:
    value = schema["default"]
    if isinstance(value, str):
        is_bare = not is_quoted and isinstance(schema.get("enum"), list) and schema["enum"]
        return value if is_bare else f'"{value}"'
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _EXPONENT.sub(r"e\1", text) if isinstance(value, float) else text
