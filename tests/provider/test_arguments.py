"""Arguments of calls: read by the declared schema, kept raw when they are no object."""

from __future__ import annotations

import json

import pytest
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.arguments import MAX_DEPTH, ReadArguments, arguments_text, read_arguments


def declared(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": {**properties}}


@pytest.mark.parametrize(
    ("raw", "found", "repairs"),
    [
        ('{"city":"Oslo"}', {"city": "Oslo"}, ()),
        ('{"todos":"[{\\"c\\":1}]"}', {"todos": [{"c": 1}]}, ("unpacked todos",)),
        ('{"a":" [1, \\"{\\\\\\"b\\\\\\": 2}\\"] "}', {"a": [1, {"b": 2}]}, ("unpacked a", "unpacked a.1")),
        ('{"s":"[not json","n":"5"}', {"s": "[not json", "n": "5"}, ()),
        ('"{\\"city\\":\\"Oslo\\"}"', {"city": "Oslo"}, ("unpacked the whole object",)),
        ("", {}, ()),
        (" \n", {}, ()),
        ("null", {}, ()),
        ("{}", {}, ()),
    ],
)
def test_arguments_are_read_without_a_schema(raw: str, found: JsonObject, repairs: tuple[str, ...]) -> None:
    assert read_arguments(raw, None) == ReadArguments(found, None, repairs)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("[1,2]", "The arguments are a list, not an object."),
        ("5", "The arguments are a number, not an object."),
        ("true", "The arguments are true or false, not an object."),
        ('"Oslo"', "The arguments are text, not an object."),
        ('{"city":"Os', "The arguments are not valid JSON: Unterminated string starting at at character 9."),
        ('{"n": NaN}', "The arguments are not valid JSON: NaN is no JSON number."),
    ],
)
def test_what_is_no_object_stays_raw_and_has_a_problem(raw: str, problem: str) -> None:
    assert read_arguments(raw, None) == ReadArguments(raw, problem, ())


TEXT = '{"a": 1}\n'
STRING: JsonObject = {"type": "string"}
OBJECT: JsonObject = {"type": "object", "properties": {"inner": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        STRING,
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "object"}, {"type": "string"}]},
        {"enum": [TEXT, "b"]},
        {"const": TEXT},
        {"$ref": "#/$defs/text"},
        {"type": "array"},
        {"type": "integer"},
    ],
)
def test_text_stays_text_unless_its_shape_is_wanted(schema: JsonObject) -> None:
    whole: JsonObject = {**declared(content=schema), "$defs": {"text": STRING}}
    assert read_arguments(json.dumps({"content": TEXT}), whole) == ReadArguments({"content": TEXT}, None, ())


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"properties": {}},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"$ref": "#/$defs/thing"},
    ],
)
def test_text_is_unpacked_where_an_object_is_wanted_or_nothing_is_said(schema: JsonObject) -> None:
    whole: JsonObject = {**declared(content=schema), "$defs": {"thing": {"type": "object"}}}
    expected = ReadArguments({"content": {"a": 1}}, None, ("unpacked content",))
    assert read_arguments(json.dumps({"content": TEXT}), whole) == expected


def test_unpacked_objects_keep_their_own_declared_text() -> None:
    raw = json.dumps({"thing": json.dumps({"inner": "[1]", "other": "[2]"}), "list": ["{}", "{}"]})
    schema = declared(thing=OBJECT, list={"type": "array", "prefixItems": [STRING], "items": {"type": "object"}})
    assert read_arguments(raw, schema) == ReadArguments(
        {"thing": {"inner": "[1]", "other": [2]}, "list": ["{}", {}]},
        None,
        ("unpacked thing", "unpacked thing.other", "unpacked list.1"),
    )


def test_a_property_declared_text_in_one_alternative_stays_text() -> None:
    options: JsonObject = {"anyOf": [{"type": "object", "properties": {"b": {}}}, declared(a=STRING)]}
    raw = '{"thing":{"a":"[1]"}}'
    assert read_arguments(raw, declared(thing=options)) == ReadArguments({"thing": {"a": "[1]"}}, None, ())


def test_properties_nobody_named_follow_additional_properties() -> None:
    schema: JsonObject = {"type": "object", "additionalProperties": STRING}
    assert read_arguments('{"a":"[1]"}', schema) == ReadArguments({"a": "[1]"}, None, ())


def test_a_schema_that_refers_to_itself_is_no_trap() -> None:
    node: JsonObject = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "array", "items": {"$ref": "#/$defs/node"}}]}
    schema: JsonObject = {**declared(node={"$ref": "#/$defs/node"}), "$defs": {"node": node}}
    assert read_arguments('{"node":"[\\"[]\\"]"}', schema) == ReadArguments(
        {"node": [[]]}, None, ("unpacked node", "unpacked node.0")
    )


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 5_000, 200_000])
def test_deep_nesting_is_a_problem_and_no_crash(levels: int) -> None:
    raw = '{"a":' + "[" * levels + "]" * levels + "}"
    assert read_arguments(raw, None) == ReadArguments(raw, "The arguments are nested more than 100 levels deep.", ())


@pytest.mark.parametrize(
    ("value", "text"),
    [({}, "{}"), ("", "{}"), ({"a": "é"}, '{"a": "é"}'), ('{"city":"Os', '{"city":"Os')],
)
def test_arguments_are_written_as_text(value: JsonObject | str, text: str) -> None:
    assert arguments_text(value) == text
