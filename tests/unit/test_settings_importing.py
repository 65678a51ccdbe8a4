"""Settings of other programs come in as edits; what is not ours is named, what is wrong is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.document import Document, parse_document
from vllm_tui.settings.importing import Import, read_import
from vllm_tui.settings.layers import load_settings
from vllm_tui.settings.saving import Edit, save_edits

PAGE = """\
providers:
  - module: provider-vllm
    source: git+https://github.com/microsoft/amplifier-module-provider-vllm@main
    config:
      base_url: "http://192.168.128.5:8000/v1"
      default_model: openai/gpt-oss-20b
"""


def imported(folder: Path, text: str, name: str = "in.yaml", into: str = "") -> Import:
    path = folder / name
    path.write_text(text)
    return read_import(path, parse_document(into, None))


def test_the_example_of_the_provider_s_page_is_imported(tmp_path: Path) -> None:
    plan = imported(tmp_path, PAGE)
    assert plan == Import(
        (
            Edit("source", "git+https://github.com/microsoft/amplifier-module-provider-vllm@main", "provider-vllm"),
            Edit("base_url", "http://192.168.128.5:8000/v1", "provider-vllm"),
            Edit("default_model", "openai/gpt-oss-20b", "provider-vllm"),
        ),
        (),
    )
    path = tmp_path / "config.toml"
    save_edits(Document(path), plan.edits, {})
    settings = load_settings({}, {}, path)
    assert (settings.profile, settings.value("base_url")) == ("provider-vllm", "http://192.168.128.5:8000/v1")


def test_several_providers_keep_their_names_and_types(tmp_path: Path) -> None:
    text = """
session: {orchestrator: loop-basic}
providers:
- module: provider-anthropic
  config: {default_model: x}
- module: provider-vllm
  instance_id: one
  config: {temperature: 0, debug: true, timeout: 600, reasoning: null, stop: [a, b], api_key: "${KEY}"}
- module: provider-vllm-tui
  instance_id: two
  config: {reasoning: {effort: high, summary: auto}, extra_body: {a: {b: 1}}}
"""
    assert imported(tmp_path, text) == Import(
        (
            Edit("module", "provider-vllm", "one"),
            Edit("temperature", 0, "one"),
            Edit("debug", True, "one"),
            Edit("timeout", 600, "one"),
            Edit("stop", ("a", "b"), "one"),
            Edit("api_key", "${KEY}", "one"),
            Edit("module", "provider-vllm-tui", "two"),
            Edit("reasoning", "high", "two"),
            Edit("reasoning_summary", "auto", "two"),
            Edit("extra_body", {"a": {"b": 1}}, "two"),
        ),
        ("session", "provider-anthropic"),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("temperature: 0.5\n", "in.yaml"),
        ("temperature = 0.5\n", "in.toml"),
        ('{"temperature": 0.5}', "in.json"),
        ("config:\n  temperature: 0.5\n", "in.yml"),
    ],
)
def test_plain_options_are_imported_too(tmp_path: Path, text: str, name: str) -> None:
    assert imported(tmp_path, text, name).edits == (Edit("temperature", 0.5, None),)


def test_a_null_takes_away_what_the_file_has_set(tmp_path: Path) -> None:
    assert imported(tmp_path, "temperature: null", into="temperature = 1.0").edits == (Edit("temperature", None, None),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAGE.replace("default_model", "defualt_model"), "There is no option defualt_model"),
        ("max_tokens: null", "Option max_tokens: null is not allowed."),
        ("max_tokens: 2024-01-01", "Option max_tokens: 2024-01-01 is not allowed."),
        ("reasoning: {depth: 3}", "Option reasoning: the table is not understood."),
        ("a: [1\nb: 2", "is not valid YAML: "),
        ("a: &x 1\nb: *x", "holds YAML aliases"),
        ("!!python/object/apply:os.system [id]", "is not valid YAML: could not determine a constructor"),
        ("just text", "holds no table of options."),
        ("", "holds no table of options."),
        ("providers: []", "holds no options of this program."),
        ("providers: {module: provider-vllm}", "is not a list of tables."),
        ("providers:\n- config: {}\n", "module is missing"),
    ],
)
def test_what_can_not_be_imported_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        imported(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff", "is not UTF-8 text."), (b"a" * 1_000_001, "is larger than a configuration can be.")],
)
def test_bytes_that_are_no_configuration_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "in.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        read_import(path, Document(None))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: No such file"):
        read_import(tmp_path / "none.yaml", Document(None))
