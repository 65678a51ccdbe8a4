"""Says in plain words whether a tool's schema can be used and what is wrong with a call's arguments."""

from __future__ import annotations

import json

from vllm_tui.domain.tool_runs import FieldVerdict, Verdict
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.schema import MAX_SCHEMA_BYTES, Violation, check_schema, check_value, oversize

_MAX_FIELDS = 200
_SHOWN = 60


def schema_problem(schema: JsonObject) -> str | None:
    """Say why a tool's schema can't be used, or None."""
    too_much = oversize(schema, MAX_SCHEMA_BYTES)
    if too_much:
        return f"the schema is {too_much}"
    if schema.get("type") != "object":
        return 'the schema must say "type": "object"'
    findings = check_schema(schema)
    if findings.failure:
        return f"the schema can't be checked: {findings.failure}"
    if findings.violations:
        first = findings.violations[0]
        return f"the schema is not valid at {first.path or 'its top'}: {_plain(first)}"
    return None


def check_arguments(schema: JsonObject, arguments: JsonObject) -> Verdict:
    """Return the verdict on a call's arguments, field by field. Never hangs and raises for no schema."""
    too_much = oversize(arguments)
    if too_much:
        return Verdict((FieldVerdict("", "a workable size", "an object", f"the arguments are {too_much}"),))
    findings = check_value(schema, arguments)
    problems = [_problem(violation) for violation in findings.violations]
    if findings.failure:
        problems.append(
            FieldVerdict("", "a schema that can be checked", "an object", f"not checked: {findings.failure}")
        )
    wrong = {problem.path for problem in problems}
    return Verdict((*problems, *(entry for entry in _fields(schema, arguments) if entry.path not in wrong)))


def _fields(schema: JsonObject, arguments: JsonObject) -> list[FieldVerdict]:
    """Return the arguments at the first two levels with what the schema expects of them."""
    found: list[FieldVerdict] = []
    pending: list[tuple[str, JsonValue, JsonValue, int]] = [("", schema, arguments, 0)]
    while pending and len(found) < _MAX_FIELDS:
        path, part, value, depth = pending.pop(0)
        if depth:
            found.append(FieldVerdict(path, expected_of(part), _short(value)))
        if depth < 2 and isinstance(value, dict):
            named = part.get("properties") if isinstance(part, dict) else None
            known = named if isinstance(named, dict) else {}
            pending += [(f"{path}.{k}" if path else k, known.get(k, {}), v, depth + 1) for k, v in value.items()]
    return found


def expected_of(schema: JsonValue) -> str:
    """Say in a few words what a schema expects, such as `integer` or `one of "a", "b"`."""
    if not isinstance(schema, dict):
        return "nothing" if schema is False else "anything"
    match schema:
        case {"enum": [*choices]}:
            return f"one of {_listed(choices)}"
        case {"const": only}:
            return _short(only)
        case {"type": kinds}:
            return " or ".join(str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds]))
        case {"anyOf": [*parts]} | {"oneOf": [*parts]}:
            return " or ".join(dict.fromkeys(expected_of(part) for part in parts[:8]))
    return "anything"


def _listed(choices: list[JsonValue]) -> str:
    return ", ".join(_short(choice) for choice in choices[:8]) + (", …" if len(choices) > 8 else "")


def _problem(violation: Violation) -> FieldVerdict:
    if violation.keyword == "additionalProperties" and violation.demand is False:
        return FieldVerdict(violation.path, "nothing", _short(violation.found), _plain(violation))
    if violation.keyword != "required":
        return FieldVerdict(violation.path, expected_of(violation.schema), _short(violation.found), _plain(violation))
    name = _missing(violation)
    named = violation.schema.get("properties") if isinstance(violation.schema, dict) else None
    expected = expected_of(named.get(name, {})) if isinstance(named, dict) else "anything"
    return FieldVerdict(f"{violation.path}.{name}" if violation.path else name, expected, "nothing", "is missing")


def _missing(violation: Violation) -> str:
    """Return the name a `required` violation is about; jsonschema reports one for each missing name."""
    names = violation.demand if isinstance(violation.demand, list) else []
    return next((str(name) for name in names if violation.message.startswith(repr(name))), "?")


_BOUNDS = {
    "minimum": "is too small: the least is",
    "exclusiveMinimum": "is too small: it must be more than",
    "maximum": "is too large: the most is",
    "exclusiveMaximum": "is too large: it must be less than",
    "multipleOf": "is not a multiple of",
    "minLength": "is too short: the fewest characters are",
    "maxLength": "is too long: the most characters are",
    "minItems": "has too few items: the fewest are",
    "maxItems": "has too many items: the most are",
}


def _plain(violation: Violation) -> str:
    found = _short(violation.found)
    match violation.keyword:
        case "type":
            return f"{found} is not {_article(expected_of({'type': violation.demand}))}"
        case "enum" | "const" | "anyOf" | "oneOf":
            return f"{found} is not {expected_of(violation.schema)}"
        case keyword if keyword in _BOUNDS:
            return f"{found} {_BOUNDS[keyword]} {_short(violation.demand)}"
        case "pattern":
            return f"{found} does not match {_short(violation.demand)}"
        case "required":
            return f"{_missing(violation)} is missing"
    return _clip(violation.message, 200)


def _article(words: str) -> str:
    return f"an {words}" if words[:1] in "aeiou" else f"a {words}"


def _short(value: JsonValue) -> str:
    match value:
        case str():
            return json.dumps(_clip(value, _SHOWN), ensure_ascii=False)
        case dict():
            return f"an object with {len(value)} member{'' if len(value) == 1 else 's'}"
        case list():
            return f"a list of {len(value)}"
    return _clip(json.dumps(value), _SHOWN)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
