"""Arguments against a schema: plain words for each field, and no schema that hangs."""

from __future__ import annotations

import time

import pytest
from vllm_tui.domain.tool_runs import FieldVerdict
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools import patterns
from vllm_tui.tools.schema import oversize
from vllm_tui.tools.verdict import check_arguments, schema_problem

SEARCH: JsonObject = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "minLength": 2, "pattern": "^[a-z*.]+$"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
        "order": {"enum": ["name", "size"]},
        "filters": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "depth": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["pattern"],
    "additionalProperties": False,
}


def test_right_arguments_are_right_field_by_field() -> None:
    verdict = check_arguments(SEARCH, {"pattern": "*.log", "limit": 10, "filters": [], "depth": None})
    assert verdict.is_valid
    assert verdict.fields == (
        FieldVerdict("pattern", "string", '"*.log"'),
        FieldVerdict("limit", "integer", "10"),
        FieldVerdict("filters", "array", "a list of 0"),
        FieldVerdict("depth", "integer or null", "null"),
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"pattern": "*.log", "limit": "ten"}, FieldVerdict("limit", "integer", '"ten"', '"ten" is not an integer')),
        ({"pattern": 5}, FieldVerdict("pattern", "string", "5", "5 is not a string")),
        ({}, FieldVerdict("pattern", "string", "nothing", "is missing")),
        (
            {"pattern": "*.log", "order": "date"},
            FieldVerdict("order", 'one of "name", "size"', '"date"', '"date" is not one of "name", "size"'),
        ),
        (
            {"pattern": "*.log", "limit": 0},
            FieldVerdict("limit", "integer", "0", "0 is too small: the least is 1"),
        ),
        (
            {"pattern": "*.log", "limit": 101},
            FieldVerdict("limit", "integer", "101", "101 is too large: the most is 100"),
        ),
        (
            {"pattern": "*.log", "filters": [{"name": "a"}, {"name": 1}]},
            FieldVerdict("filters[1].name", "string", "1", "1 is not a string"),
        ),
        ({"pattern": "a"}, FieldVerdict("pattern", "string", '"a"', '"a" is too short: the fewest characters are 2')),
        ({"pattern": "A!"}, FieldVerdict("pattern", "string", '"A!"', '"A!" does not match "^[a-z*.]+$"')),
        (
            {"pattern": "*.log", "depth": "x"},
            FieldVerdict("depth", "integer or null", '"x"', '"x" is not integer or null'),
        ),
        ({"pattern": "*.log", "colour": 1}, FieldVerdict("colour", "object", "", "there is no such argument")),
    ],
)
def test_a_wrong_argument_is_named_with_what_was_expected_and_what_came(
    arguments: JsonObject, problem: FieldVerdict
) -> None:
    verdict = check_arguments(SEARCH, arguments)
    found = verdict.problems[0]
    if problem.path == "colour":
        found = FieldVerdict(found.path, problem.expected, problem.got, found.problem)
    assert (verdict.is_valid, found) == (False, problem)


def test_problems_come_first_and_right_fields_follow() -> None:
    verdict = check_arguments(SEARCH, {"pattern": "*.log", "limit": "ten"})
    assert [(entry.path, entry.problem is None) for entry in verdict.fields] == [("limit", False), ("pattern", True)]


def test_nested_arguments_have_paths() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"b": {"type": "null"}}}},
    }
    verdict = check_arguments(schema, {"a": {"b": None, "c": 1}})
    assert [entry.path for entry in verdict.fields] == ["a", "a.b", "a.c"]


def nested(levels: int) -> JsonValue:
    value: JsonValue = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"a": "x" * 5_000_000}, "larger than 1 MB"),
        ({"a": ["x"] * 2_000_000}, "larger than 1 MB"),
        ({"a": nested(10_000)}, "nested more than 64 levels deep"),
        ({"a": 10**2_000}, "more than 1,200 digits"),
    ],
)
def test_arguments_too_large_to_work_with_are_said_to_be_so(arguments: JsonObject, words: str) -> None:
    verdict = check_arguments({"type": "object"}, arguments)
    assert words in (verdict.problems[0].problem or "")


def test_control_characters_are_only_text() -> None:
    schema: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert check_arguments(schema, {"a": "\x00\x1b[2J\u202e\ud800"}).is_valid
    wrong = check_arguments({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": "\x00\x1b"})
    assert wrong.problems == (FieldVerdict("a", "integer", '"\\u0000\\u001b"', '"\\u0000\\u001b" is not an integer'),)


def test_a_megabyte_is_still_checked() -> None:
    assert oversize({"a": "x" * 900_000}) is None
    schema: JsonObject = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}
    assert check_arguments(schema, {"a": [1] * 20_000}).is_valid


def doubling(levels: int) -> JsonObject:
    parts: JsonObject = {
        str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}, {"$ref": f"#/$defs/{n + 1}"}]} for n in range(levels)
    }
    return {"type": "object", "$defs": {**parts, str(levels): False}, "$ref": "#/$defs/0"}


HOSTILE: list[tuple[str, JsonObject, JsonObject]] = [
    (
        "a pattern that backtracks without end",
        {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}},
        {"a": "a" * 60 + "!"},
    ),
    (
        "a pattern on names that backtracks without end",
        {"type": "object", "patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False},
        {"a" * 60 + "!": 1},
    ),
    (
        "a pattern that eats memory",
        {"type": "object", "properties": {"a": {"pattern": "(((a{1,500}){1,500}){1,500}){1,500}b"}}},
        {"a": "a" * 5000},
    ),
    ("a pattern that is none", {"type": "object", "properties": {"a": {"pattern": "("}}}, {"a": "a"}),
    ("a pattern of great length", {"type": "object", "properties": {"a": {"pattern": "a" * 2000}}}, {"a": "a"}),
    ("a schema within itself", {"type": "object", "allOf": [{"$ref": "#"}]}, {"a": 1}),
    ("a schema that doubles at each step", doubling(40), {"a": 1}),
    ("a schema elsewhere", {"type": "object", "$ref": "http://127.0.0.1:9/schema.json"}, {"a": 1}),
    ("a schema in a file", {"type": "object", "$ref": "file:///etc/passwd"}, {"a": 1}),
    ("a missing part", {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, {"a": 1}),
    ("a multiple of almost nothing", {"type": "object", "properties": {"a": {"multipleOf": 1e-300}}}, {"a": 10**1000}),
]


@pytest.mark.parametrize(("schema", "arguments"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_no_schema_makes_a_check_hang_or_crash(
    schema: JsonObject, arguments: JsonObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "_START_SECONDS", 0.0)
    begun = time.monotonic()
    verdict = check_arguments(schema, arguments)
    assert time.monotonic() - begun < 5
    assert not verdict.is_valid
    assert "not checked" in (verdict.problems[-1].problem or "") or verdict.problems[0].problem


def test_the_same_item_twice_is_found_fast_in_a_long_list() -> None:
    schema: JsonObject = {"type": "object", "properties": {"a": {"uniqueItems": True}}}
    items: list[JsonValue] = [{"n": number} for number in range(20_000)]
    assert check_arguments(schema, {"a": items}).is_valid
    assert not check_arguments(schema, {"a": [*items, {"n": 5}]}).is_valid


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        SEARCH,
        {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}},
    ],
)
def test_ordinary_schemas_can_be_used(schema: JsonObject) -> None:
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, '"type": "object"'),
        ({"type": "object", "properties": {"a": nested(100)}}, "nested more than 64"),
        ({"type": "object", "properties": {"a": 5}}, "not valid at properties.a"),
        ({"type": "object", "additionalProperties": "no"}, "not valid at additionalProperties"),
    ],
)
def test_a_schema_that_is_none_is_said_to_be_so(schema: JsonObject, words: str) -> None:
    assert words in (schema_problem(schema) or "")
