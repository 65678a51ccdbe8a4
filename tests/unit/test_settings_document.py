"""The configuration file: its shape, its lines, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.document import parse_document, read_document

FILE = Path("/c/config.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1\n= 2", "/c/config.toml is not valid TOML: Invalid statement (at line 2, column 1)."),
        ("providers = 3", "providers in /c/config.toml is not a list of tables. Write [[providers]]."),
        ("[[providers]]", 'number 1 in /c/config.toml: module is missing; write module = "provider-vllm".'),
        ("[[providers]]\nmodule = 'm'\nurl = 'x'", "unknown key url; it takes module, instance_id, source, config."),
        ("[[providers]]\nmodule = 'm'\ninstance_id = 3", "instance_id is not a name."),
        ("[[providers]]\nmodule = 'm'\nconfig = 3", "config is not a table; write [providers.config]."),
        (
            "[[providers]]\nmodule = 'm'\n[providers.config]\ntemprature = 1",
            "There is no option temprature (/c/config.toml, line 4). Did you mean temperature?",
        ),
        (
            "[[providers]]\nmodule = 'm'\n[[providers]]\nmodule = 'm'",
            "Two [[providers]] in /c/config.toml are called m.",
        ),
        ("x = [" * 5000, "/c/config.toml is not valid TOML"),
        ("seed = 1" + "0" * 5000, "/c/config.toml is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text, FILE)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "profile", "line"),
    [
        ("\nseed = 1", "seed", None, 2),
        ("'seed' = 1", "seed", None, 1),
        ("[extra_body]\na = 1", "extra_body", None, 1),
        ("[[providers]]\nmodule = 'm'\n[ providers . config ]\nseed = 1", "seed", 0, 4),
        ("[[providers]]\nmodule = 'm'\n[providers.config.extra_body]\nseed = 1", "extra_body", 0, 3),
        ("[[providers]]\nmodule = 'm'\nconfig = {seed = 1}", "seed", 0, None),
        ("seed = 1\n[[providers]]\nmodule='m'\n[[providers]]\nmodule='n'\n[providers.config]\nseed=2", "seed", 1, 7),
    ],
)
def test_the_line_of_an_option_is_found(text: str, name: str, profile: int | None, line: int | None) -> None:
    document = parse_document(text, FILE)
    owner = None if profile is None else document.profiles[profile]
    assert document.where(name, owner) == "/c/config.toml" + ("" if line is None else f", line {line}")


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    document = read_document(tmp_path / "config.toml")
    assert (document.text, document.values, document.profiles) == ("", {}, ())


def test_a_file_from_another_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 1\r\ntheme = 'light'\r\n")
    assert read_document(path).values == {"seed": 1, "theme": "light"}


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"seed = \xff")
    with pytest.raises(ConfigurationError, match=r"is not UTF-8 text \(byte 7\)"):
        read_document(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        read_document(tmp_path)
