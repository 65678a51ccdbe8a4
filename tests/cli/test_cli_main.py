"""The command line: quick help, flags from the table, clear refusals, the screen only on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from vllm_tui import __version__
from vllm_tui.cli import main as cli
from vllm_tui.domain.errors import StorageError
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.options import GROUPS, OPTIONS

HEAVY = ("textual", "rich", "openai", "pydantic", "httpx2", "tomllib", "tomli_w", "yaml", "platformdirs", "asyncio")
REQUIRE_TERMINAL = cli.require_terminal


class Started:
    """Stands for the screen: remembers how it was started."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.ways: dict[str, bool] = {}

    def run_app(self, settings: Settings, **ways: bool) -> int:
        self.settings, self.ways = settings, ways
        return 0

    def value(self, name: str) -> object:
        assert self.settings is not None
        return self.settings.value(name)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    screen = Started()
    wiring = ModuleType("vllm_tui.wiring.screen")
    vars(wiring)["run_app"] = screen.run_app
    monkeypatch.setitem(sys.modules, "vllm_tui.wiring.screen", wiring)
    monkeypatch.setattr(cli, "require_terminal", lambda environ: None)
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    for option in OPTIONS:
        monkeypatch.delenv(option.environment, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("VLLM_TUI_CONFIG", str(tmp_path / "config.toml"))
    return screen


def run(
    *words: str, environ: dict[str, str] | None = None, code: str = "from vllm_tui.__main__ import main"
) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.argv = ['vllm-tui', *{list(words)!r}]\n{code}"
    everything = {**os.environ, "COLUMNS": "80", **(environ or {})}
    return subprocess.run(
        [sys.executable, "-c", program], env=everything, capture_output=True, text=True, check=False, stdin=-3
    )


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_version_and_help_load_nothing_heavy(flag: str) -> None:
    code = (
        "import atexit\n"
        f"atexit.register(lambda: print([n for n in {HEAVY!r} if n in sys.modules], file=sys.stderr))\n"
        "from vllm_tui.cli.main import main\n"
        "main()"
    )
    done = run(flag, code=code)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_the_version_is_one_line() -> None:
    assert run("--version").stdout == f"vllm-tui {__version__}\n"


def test_help_fits_80_columns_and_names_every_flag_default_and_variable() -> None:
    done = run("--help")
    joined = " ".join(done.stdout.split()).replace("- ", "-")
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert [group for group in GROUPS if f"\n{group}:\n" not in done.stdout] == []
    flags = [option for option in OPTIONS if option.flag_name is not None]
    assert [option.name for option in flags if f"{option.flag_name}" not in joined] == []
    assert [option.name for option in flags if f"; {option.environment}]" not in joined] == []
    assert "[0 to 1; 0.2; VLLM_RETRY_JITTER]" in joined


@pytest.mark.parametrize("command", [item.name for item in cli.COMMANDS])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: vllm-tui {command}" in capsys.readouterr().out


def test_a_command_that_is_not_given_is_not_loaded() -> None:
    code = "from vllm_tui.cli.main import main\ntry: main()\nfinally: print('vllm_tui.cli.ask' in sys.modules)"
    assert run("config", "path", code=code).stdout.splitlines()[-1] == "False"


def test_flags_reach_the_screen_as_settings(started: Started) -> None:
    words = ["--demo", "-c", "--base-url", "http://h:1/v1", "--model=m", "--effort", "low", "--temperature", "0"]
    code = cli.main([*words, "--max-tokens", "7", "--no-mouse", "--slow-link", "--stop", "a", "--stop", "b"])
    assert (code, started.ways) == (0, {"demo": True, "resume_last": True})
    names = ("base_url", "default_model", "reasoning", "temperature", "max_tokens", "mouse", "slow_link", "stop")
    assert [started.value(name) for name in names] == ["http://h:1/v1", "m", "low", 0.0, 7, False, True, ("a", "b")]


def test_without_flags_the_screen_starts_as_configured(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('theme = "light"\n[[providers]]\nmodule = "m"\ninstance_id = "box"\n')
    monkeypatch.setenv("VLLM_TIMEOUT", "9")
    assert cli.main(["--profile", "box"]) == 0
    assert started.settings is not None
    assert (started.settings.profile, started.value("theme"), started.value("timeout")) == ("box", "light", 9.0)
    assert started.ways == {"demo": False, "resume_last": False}


def test_another_file_can_be_named(started: Started, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("seed = 5")
    assert cli.main(["--config", str(other)]) == 0
    assert started.value("seed") == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "hot"], "vllm-tui: Option temperature: hot is not allowed. It comes from the flag"),
        (["--effort", "hgih"], "vllm-tui: Option reasoning: hgih is not allowed. It comes from the flag --effort."),
        (["--profile", "x"], "vllm-tui: There is no profile x in "),
        (["--config", "/"], "vllm-tui: / can't be read: Is a directory."),
    ],
)
def test_wrong_settings_end_with_one_message_and_code_2(
    started: Started, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert (error.startswith(message), error.count("\n"), started.settings) == (True, 1, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperatur", "1"], "error: there is no flag --temperatur; did you mean --temperature?\n"),
        (["--xyz=1"], "error: there is no flag --xyz\n"),
        (["config", "show", "--temp", "1"], "error: unrecognized arguments: --temp 1\n"),
        (["hello"], "error: argument COMMAND: invalid choice: 'hello'"),
    ],
)
def test_an_unknown_flag_or_command_is_refused(
    started: Started, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert (ended.value.code, started.settings) == (2, None)
    assert message in capsys.readouterr().err


def test_other_failures_end_with_their_message_and_code_1(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(settings: Settings, **ways: bool) -> int:
        raise StorageError(f"{settings.value('theme')}\x1b[2J: the data folder can't be read.", hint="Look at it.")

    vars(sys.modules["vllm_tui.wiring.screen"])["run_app"] = fail
    assert cli.main([]) == 1
    assert capsys.readouterr().err == "vllm-tui: dark␛[2J: the data folder can't be read. Look at it.\n"


@pytest.mark.parametrize(
    ("stdin", "stdout", "stderr", "term", "reason"),
    [
        (True, False, True, "xterm", "standard output is not a terminal"),
        (False, True, True, "xterm", "standard input is not a terminal"),
        (True, True, False, "xterm", "standard error output is not a terminal"),
        (True, True, True, "dumb", "the terminal (TERM=dumb) can't place text"),
        (True, True, True, "", "the terminal (TERM=) can't place text"),
    ],
)
def test_without_a_terminal_the_program_names_ask(
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stdin: bool,
    stdout: bool,
    stderr: bool,
    term: str,
    reason: str,
) -> None:
    monkeypatch.setattr(cli, "require_terminal", REQUIRE_TERMINAL)
    monkeypatch.setattr("sys.stdin.isatty", lambda: stdin, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: stdout, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: stderr, raising=False)
    monkeypatch.setenv("TERM", term)
    assert (cli.main([]), started.settings) == (2, None)
    expected = f'The screen can\'t be drawn: {reason}. Without a screen use: vllm-tui ask "your question"'
    assert capsys.readouterr().err == f"vllm-tui: {expected}\n"


def test_a_dumb_terminal_is_refused_before_the_screen_is_loaded() -> None:
    ours, theirs = pty.openpty()
    code = "import sys\nfrom vllm_tui.cli.main import main\ncode = main([])\nprint(code, 'textual' in sys.modules)"
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "dumb"},
            check=False,
        )
        os.close(theirs)
        shown = screen.read(1000)
    assert done.returncode == 0
    assert b"(TERM=dumb)" in shown
    assert b"\x1b" not in shown
    assert shown.endswith(b"2 False\r\n")


def test_a_crash_shows_no_key() -> None:
    code = (
        "import vllm_tui.wiring.screen\n"
        "from vllm_tui.cli import main as cli\n"
        "cli.require_terminal = lambda environ: None\n"
        "def crash(settings, **ways): raise RuntimeError(settings.value('api_key') + settings.value('base_url'))\n"
        "vllm_tui.wiring.screen.run_app = crash\n"
        "cli.main()"
    )
    environ = {"VLLM_API_KEY": "sk-canary", "VLLM_BASE_URL": "http://me:pa55word@h/v1"}
    done = run(environ=environ, code=code)
    assert done.returncode == 1
    assert "RuntimeError: ••••••••http://me:••••••••@h/v1" in done.stderr
    assert "sk-canary" not in done.stderr
    assert "pa55word" not in done.stderr
