"""Keys come from commands without a shell, are masked, and are warned about where others can read them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import load_settings
from vllm_tui.settings.secrets import is_loopback, masked, run_key_command, warnings_of


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_the_first_line_of_a_command_is_the_key() -> None:
    code = "import os; print(os.environ['WHO'] + '-key\\nmore')"
    assert run_key_command(python(code), {"WHO": "my"}) == "my-key"


def test_no_shell_reads_the_command() -> None:
    assert run_key_command((*python("import sys; print(sys.argv[1])"), "$HOME;id"), {}) == "$HOME;id"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-program-here",), "no-such-program-here could not be started: "),
        (python("print('canary'); raise SystemExit(3)"), "ended with status 3."),
        (python("pass"), "printed no key"),
        (python("print('canary with spaces')"), "printed no key"),
        (python("import sys; sys.stdout.buffer.write(b'canary\\xff')"), "printed no key"),
    ],
)
def test_a_failing_command_is_explained_without_its_output(command: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_key_command(command, {})
    assert str(caught.value).startswith("api_key_command: ")
    assert message in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_command_that_waits_is_ended() -> None:
    with pytest.raises(ConfigurationError, match=r"gave no answer within 0\.1 s"):
        run_key_command(python("import time; time.sleep(60)"), {}, seconds=0.1)


def test_the_command_gives_the_provider_its_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"api_key_command = ['{sys.executable}', '-c', 'print(\"from-command\")']\n")
    settings = load_settings({}, {}, path)
    assert settings.value("api_key") == "EMPTY"
    assert settings.provider_mapping()["api_key"] == "from-command"


def test_a_key_of_a_higher_layer_wins_over_the_command(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("api_key_command = ['no-such-program-here']\n")
    settings = load_settings({}, {"VLLM_API_KEY": "from-environment"}, path)
    assert settings.provider_mapping()["api_key"] == "from-environment"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("api_key", "sk-1", "••••••••"),
        ("api_key", "EMPTY", "EMPTY"),
        ("api_key", "${KEY}", "${KEY}"),
        ("base_url", "http://me:pw@host/v1", "http://me:••••••••@host/v1"),
        ("extra_body", {"a": {"Token": "t"}, "b": 1}, {"a": {"Token": "••••••••"}, "b": 1}),
        ("extra_body", {"b": [{"password": 1}]}, {"b": [{"password": "••••••••"}]}),
        ("seed", 1, 1),
    ],
)
def test_keys_are_masked_at_any_depth(name: str, value: object, shown: object) -> None:
    assert masked(name, value) == shown


@pytest.mark.parametrize(
    ("text", "mode", "is_warned"),
    [
        ('api_key = "sk-1"', 0o644, True),
        ('api_key = "sk-1"', 0o640, True),
        ('api_key = "sk-1"', 0o600, False),
        ('api_key = "${KEY}"', 0o644, False),
        ("seed = 1", 0o644, False),
        ('[[providers]]\nmodule = "m"\n[providers.config]\napi_key = "sk-1"', 0o604, True),
    ],
)
def test_a_file_with_a_key_that_others_can_read_is_warned_about(
    tmp_path: Path, text: str, mode: int, is_warned: bool
) -> None:
    path = tmp_path / "my config.toml"
    path.write_text(text)
    path.chmod(mode)
    expected = (f"{path} holds a key and others can read it. Run: chmod 600 '{path}'",) if is_warned else ()
    assert warnings_of(load_settings({}, {"KEY": "k"}, path)) == expected


@pytest.mark.parametrize(
    ("base_url", "key", "is_warned"),
    [
        ("http://box:8000/v1", "sk-1", True),
        ("http://box:8000/v1", "", False),
        ("https://box:8000/v1", "sk-1", False),
        ("http://localhost:8000/v1", "sk-1", False),
        ("http://127.9.9.9:8000/v1", "sk-1", False),
        ("http://127.evil.example/v1", "sk-1", True),
    ],
)
def test_a_key_that_travels_in_the_clear_is_warned_about(base_url: str, key: str, is_warned: bool) -> None:
    warnings = warnings_of(load_settings({"base_url": base_url}, {"VLLM_API_KEY": key}, None))
    assert [warning.startswith("The API key travels unencrypted to ") for warning in warnings] == [True] * is_warned


@pytest.mark.parametrize(("name", "needed"), [("raw_debug", "debug"), ("resume", "enable_state")])
def test_a_switch_without_effect_is_warned_about(name: str, needed: str) -> None:
    assert warnings_of(load_settings({name: True}, {}, None)) == (f"{name} has no effect without {needed}.",)
    assert warnings_of(load_settings({name: True, needed: True}, {}, None)) == ()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]", "0.0.0.0"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(f"http://{host}:1/v1")
