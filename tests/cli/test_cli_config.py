"""`vllm-tui config`: values with their origin, files checked, settings imported after a look at them."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest
from vllm_tui.cli import main as cli
from vllm_tui.settings.options import OPTIONS
from vllm_tui.settings.table import options_markdown

FILE = """\
theme = "light"

[[providers]]
module = "provider-vllm"
instance_id = "box"

[providers.config]
base_url = "https://me:pa55word@box:1/v1"
api_key = "sk-canary"
"""


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    for option in OPTIONS:
        monkeypatch.delenv(option.environment, raising=False)
    monkeypatch.setenv("VLLM_TUI_CONFIG", str(path))
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    return path


def test_show_names_the_origin_of_every_value_and_masks_keys(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(FILE)
    monkeypatch.setenv("VLLM_TIMEOUT", "9")
    assert cli.main(["--effort", "low", "config", "show", "--temperature", "0"]) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("  ")}
    assert set(lines) == {option.name for option in OPTIONS}
    assert {name: lines[name] for name in ("theme", "timeout", "temperature", "reasoning", "seed", "api_key")} == {
        "theme": f"light  (file: {config}, line 1)",
        "timeout": "9.0  (environment: VLLM_TIMEOUT)",
        "temperature": "0.0  (flag: --temperature)",
        "reasoning": "low  (flag: --effort)",
        "seed": "null  (default)",
        "api_key": f"••••••••  (file: {config}, line 9)",
    }
    assert "sk-canary" not in shown
    assert "pa55word" not in shown


def test_show_as_json_is_one_object_without_keys(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(FILE)
    assert cli.main(["config", "show", "--json"]) == 0
    output = capsys.readouterr().out
    shown = json.loads(output)
    assert (shown["path"], shown["profile"], shown["profiles"]) == (str(config), "box", ["box"])
    assert set(shown["options"]) == {option.name for option in OPTIONS}
    assert shown["options"]["base_url"] == {
        "value": "https://me:••••••••@box:1/v1",
        "layer": "file",
        "where": f"{config}, line 8",
    }
    assert "sk-canary" not in output


def test_path_is_printed_even_when_the_file_is_broken(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("seed = ")
    assert cli.main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{config}\n"


def test_check_says_fine_and_warns_about_readable_keys(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(FILE)
    config.chmod(0o644)
    assert cli.main(["config", "check"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{config}: fine\nprofiles, preferred first: box\n"
    assert printed.err == f"warning: {config} holds a key and others can read it. Run: chmod 600 {config}\n"


def test_check_without_a_file_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "check"]) == 0
    assert capsys.readouterr().out == f"{config}: not there; defaults hold\n"


def test_check_reads_profiles_that_are_not_in_use(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(FILE + '\n[[providers]]\nmodule = "m"\n[providers.config]\npriority = 200\ntop_p = 3\n')
    assert cli.main(["config", "check"]) == 2
    assert f"Option top_p: 3 is not allowed. It comes from {config}, line 15." in capsys.readouterr().err


def test_options_prints_the_table(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not config.exists()
    assert cli.main(["config", "options", "--markdown"]) == 0
    assert capsys.readouterr().out == options_markdown()
    assert cli.main(["config", "options"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(OPTIONS)


IMPORTED = (
    "providers:\n  - module: provider-vllm\n    instance_id: box\n    config: {temperature: 0, api_key: sk-new}\n"
)


def test_import_shows_the_difference_asks_and_writes(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("# mine\n" + FILE)
    (tmp_path / "in.yaml").write_text(IMPORTED)
    questions: list[str] = []

    def agree(question: str) -> str:
        questions.append(question)
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", agree)
    assert cli.main(["config", "import", str(tmp_path / "in.yaml")]) == 0
    printed = capsys.readouterr()
    assert "+temperature = 0\n~ api_key changes (not shown)\n" in printed.out
    assert printed.out.endswith(f"Written: {config}\n")
    assert f"Comments in {config} do not survive; the file is kept as {config}.bak." in printed.err
    assert questions == [f"Write this to {config}? [y/N] "]
    assert "sk-" not in printed.out + printed.err
    assert tomllib.loads(config.read_text())["providers"][0]["config"] == {
        "base_url": "https://me:pa55word@box:1/v1",
        "api_key": "sk-new",
        "temperature": 0,
    }


def test_import_writes_nothing_after_no(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.yaml").write_text(IMPORTED)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert cli.main(["config", "import", str(tmp_path / "in.yaml")]) == 1
    assert capsys.readouterr().out.endswith("Nothing was written.\n")
    assert not config.exists()


def test_import_asks_nobody_where_nobody_can_answer(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.yaml").write_text(IMPORTED)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert cli.main(["config", "import", str(tmp_path / "in.yaml")]) == 2
    assert "Add --yes to write." in capsys.readouterr().err
    assert not config.exists()


def test_import_twice_has_nothing_to_do(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.yaml").write_text(IMPORTED)
    assert cli.main(["config", "import", str(tmp_path / "in.yaml"), "--yes"]) == 0
    before = config.read_text()
    assert cli.main(["config", "import", str(tmp_path / "in.yaml"), "--yes"]) == 0
    assert capsys.readouterr().out.endswith(f"Nothing to do: {config} already holds all of it.\n")
    assert config.read_text() == before


def test_import_of_a_bad_value_writes_nothing(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.yaml").write_text("top_p: 4")
    assert cli.main(["config", "import", str(tmp_path / "in.yaml"), "--yes"]) == 2
    assert "Option top_p: 4 is not allowed." in capsys.readouterr().err
    assert not config.exists()
