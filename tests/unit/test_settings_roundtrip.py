"""Any mapping of options comes back the same from file, environment and flags, or is refused by name."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vllm_tui.cli.flags import add_option_flags, option_flags
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.document import Document, parse_document, read_document
from vllm_tui.settings.kinds import check_value, format_value
from vllm_tui.settings.layers import file_entries, load_settings
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.options import OPTIONS, option_named
from vllm_tui.settings.references import escape_references
from vllm_tui.settings.saving import Edit, edited_text, save_edits

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
ANY_TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
ODD = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | JSON


URLS = ["http://h", "https://u:p@h:1/v1", "http://[::1]:9/v1/", " http://h "]
TEXTS = WORDS | st.sampled_from(["${HOME}", "$${x}", "null", ' "quoted" ', "-x", "a\r\nb", "=", "[1"])
PLAUSIBLE: dict[str, st.SearchStrategy[object]] = {
    "switch": st.booleans(),
    "integer": st.integers(-2, 200),
    "number": st.floats(-2, 200),
    "url": st.sampled_from(URLS),
    "list": st.lists(WORDS, min_size=1, max_size=3),
    "mapping": st.dictionaries(WORDS, JSON, max_size=3),
    "text": TEXTS,
}


def plausible(option: Option) -> st.SearchStrategy[object]:
    return st.sampled_from(option.choices) if option.choices else PLAUSIBLE[option.kind]


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, object]:
    chosen = draw(st.lists(st.sampled_from(OPTIONS), unique_by=lambda option: option.name, max_size=8))
    return {
        option.name: draw(plausible(option) | ODD if draw(st.booleans()) else plausible(option)) for option in chosen
    }


def checked(mapping: dict[str, object]) -> dict[str, OptionValue]:
    return {name: check_value(option_named(name), value) for name, value in mapping.items()}


def expected(values: dict[str, OptionValue]) -> dict[str, OptionValue]:
    return {option.name: values.get(option.name, option.default) for option in OPTIONS}


def expect_a_name(error: ConfigurationError, mapping: dict[str, object]) -> None:
    assert any(name in str(error) for name in mapping)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mappings())
def test_a_mapping_survives_environment_and_flags_or_is_refused_by_name(mapping: dict[str, object]) -> None:
    try:
        values = checked(mapping)
        texts = {option_named(name): format_value(value) for name, value in values.items() if value is not None}
        through_environment = load_settings({}, {option.environment: text for option, text in texts.items()}, None)
    except ConfigurationError as error:
        expect_a_name(error, mapping)
        return
    assert {option.name: through_environment.value(option.name) for option in OPTIONS} == expected(values)

    words = [word for option, text in texts.items() for word in words_of(option, text)]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_option_flags(parser)
    flags = option_flags(parser.parse_args(words))
    through_flags = load_settings(flags, {"VLLM_API_KEY": format_value(values.get("api_key", "EMPTY"))}, None)
    assert {option.name: through_flags.value(option.name) for option in OPTIONS} == expected(values)


def words_of(option: Option, text: str) -> list[str]:
    if option.flag_name is None:
        return []
    if option.kind == "switch":
        return [option.flag_name if text == "true" else option.flag_name.replace("--", "--no-", 1)]
    return [f"{option.flag_name}={text}"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mappings(), st.sampled_from([None, "gpu-box"]))
def test_a_mapping_survives_the_file_or_is_refused_by_name(mapping: dict[str, object], profile: str | None) -> None:
    try:
        values = checked(mapping)
        edits = [Edit(name, as_edit(value), profile) for name, value in values.items()]
        text = edited_text(Document(Path("/nowhere/config.toml")), edits, {})
    except ConfigurationError as error:
        expect_a_name(error, mapping)
        return
    document = parse_document(text, None)
    entries = file_entries(document, next(iter(document.profiles), None), {})
    assert {name: entry.value for name, entry in entries.items()} == values
    assert edited_text(document, [], {}) == text


@pytest.mark.parametrize("profile", [None, "gpu-box"])
def test_every_option_survives_the_disk(tmp_path: Path, profile: str | None) -> None:
    values: dict[str, OptionValue] = {
        "base_url": "https://u:p@h:1/v1",
        "api_key": "sk-${not}",
        "instructions": "Line\r\n\ttwo \u202e ${x} $${y} \x1b[31m \"q\" 'q' \\ #",
        "stop": ("${a}", "b"),
        "extra_body": {"a": [1, {"b": "${c}"}], "d.e": 2.5, "": True},
        "temperature": 0.0,
        "seed": -(2**63),
        "reasoning": "none",
        "include_reasoning": False,
        "theme": "terminal",
        "cache_salt": None,
    }
    path = tmp_path / "deep" / "config.toml"
    save_edits(read_document(path), [Edit(name, as_edit(value), profile) for name, value in values.items()], {})
    loaded = load_settings({}, {}, path)
    assert {option.name: loaded.value(option.name) for option in OPTIONS} == expected(values)
    assert {name: loaded.origin(name).layer for name in values} == dict.fromkeys(values, "file")


def as_edit(value: OptionValue) -> OptionValue:
    escaped = escape_references(value)
    assert escaped is None or isinstance(escaped, str | int | float | bool | tuple | dict)
    return escaped
