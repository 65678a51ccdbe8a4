"""The chat in a real pseudo-terminal: what it writes, what it leaves behind, how it ends."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from tests.terminal.pseudo_terminal import Terminal

CHAT = "tests.terminal.scripted_chat"
POINTER_SHAPE = "\x1b]22;default"
MODES_OFF = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l", b"\x1b[?1003l")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path)


def test_nothing_hostile_reaches_the_terminal_raw(folder: str) -> None:
    with Terminal(CHAT, "hostile", folder) as terminal:
        terminal.shows("Enter choose")
        terminal.type("\r")
        terminal.shows("Ask ")
        terminal.type("first\r")
        terminal.shows("LAST WORD")
        terminal.type("second\r")
        terminal.shows("REFUSED")
        terminal.type("\x10")
        terminal.shows("Choose the model")
        terminal.type("\x1b")
        terminal.until(lambda: "Enter choose" not in terminal.screen)
        terminal.type("\x0f")
        terminal.shows("Enter choose")
        terminal.type("\x1b[B\r\r")
        terminal.shows("── model b")
        terminal.type("/copy\r")
        terminal.until(lambda: b"\x1b]52;c;" in terminal.output)
        terminal.shows("sent to your terminal")
        assert terminal.process.poll() is None
        written = bytes(terminal.output)
    text = written.decode("utf-8")
    commands = [word for word in re.findall(r"\x1b\][^\x07\x1b]*", text) if word != POINTER_SHAPE]
    assert len(commands) == 1, "one copy the person asked for, nothing else"
    assert "aGFja2Vk" not in commands[0]
    assert not re.search(r"[\x80-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", text)
    assert not re.search(r"\x1b[PX^_]|[\x00-\x06\x08\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f]", text)
    assert "\x1b[31mred" not in text
    assert "\x1b[2Jx" not in text
    assert "[@click=app.quit]x[/]" in text


def test_keys_typed_before_the_first_frame_are_kept(folder: str) -> None:
    with Terminal(CHAT, "plain", folder) as terminal:
        terminal.type("typed early")
        terminal.shows("❯ typed early")


def test_a_bracketed_paste_is_not_sent(folder: str) -> None:
    with Terminal(CHAT, "plain", folder) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("\x1b[200~one\rtwo\r\x1b[201~")
        terminal.shows("two")
        terminal.type("\x1b\r!")
        terminal.until(lambda: terminal.screen.count("!") == 1 and "two\n\n   !" in terminal.screen)
        assert not (Path(folder) / "started").exists()


def test_nothing_is_written_while_nothing_happens(folder: str) -> None:
    with Terminal(CHAT, "plain", folder) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("hello\r")
        terminal.shows("A plain answer.")
        terminal.until(lambda: "ready" in terminal.screen)
        settled = _settled(terminal)
        before = terminal.cpu_seconds()
        time.sleep(2.0)
        assert len(terminal.output) == settled
        assert terminal.cpu_seconds() - before <= 0.05


def test_leaving_restores_the_terminal(folder: str) -> None:
    with Terminal(CHAT, "plain", folder) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("\x11")
        assert terminal.exit_code() == 0
        terminal.until(lambda: all(mode in terminal.output for mode in MODES_OFF))
        assert terminal.modes_now() == terminal.modes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_the_turn_and_restores_the_terminal(folder: str, number: signal.Signals) -> None:
    with Terminal(CHAT, "endless", folder) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("hello\r")
        terminal.shows("Half an answer")
        terminal.process.send_signal(number)
        assert terminal.exit_code() == 128 + number
        terminal.until(lambda: all(mode in terminal.output for mode in MODES_OFF))
        assert (Path(folder) / "finished").read_text() == "cancelled"


@pytest.mark.parametrize("ignore_hangup", [False, True])
def test_a_lost_terminal_saves_the_turn_and_ends(folder: str, ignore_hangup: bool) -> None:
    with Terminal(CHAT, "endless", folder, ignore_hangup=ignore_hangup) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("hello\r")
        terminal.shows("Half an answer")
        terminal.hang_up()
        assert terminal.exit_code() == 128 + signal.SIGHUP
        assert (Path(folder) / "finished").read_text() == "cancelled"


def test_no_colour_writes_no_colour(folder: str) -> None:
    with Terminal(CHAT, "plain", folder, environ={"NO_COLOR": "1"}) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("hello\r")
        terminal.shows("A plain answer.")
        styles = {code for group in re.findall(rb"\x1b\[([\d;]*)m", terminal.output) for code in group.split(b";")}
        assert styles <= {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"39", b"49"}


def test_ctrl_z_does_nothing_and_the_program_goes_on(folder: str) -> None:
    with Terminal(CHAT, "plain", folder) as terminal:
        terminal.shows("Ask gpt-oss-20b")
        terminal.type("\x1aalive")
        terminal.shows("alive")


def _settled(terminal: Terminal) -> int:
    """Return the number of bytes written once nothing came for half a second."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if len(terminal.output) != seen:
            seen, since = len(terminal.output), time.monotonic()
        time.sleep(0.02)
    return seen
