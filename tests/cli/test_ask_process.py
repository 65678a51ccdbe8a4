"""`ask` as a process: keys, signals, kills and terminals."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vllm_tui.domain.turns import Turn
from vllm_tui.store.conversations import ConversationStore

SCRIPT = Path(__file__).with_name("ask_slowly.py")
ANSWER = "Begun\x1b]0;title\x07"


def kept(folder: Path) -> Turn:
    async def load() -> Turn:
        async with ConversationStore(folder) as store:
            (turn,) = await store.load_conversation(await store.latest_conversation() or "")
            return turn

    return asyncio.run(load())


def started(folder: Path, *words: str, output: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SCRIPT), str(folder), "Hi", *words]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        preexec_fn=take_signals,  # noqa: PLW1509
    )


def take_signals() -> None:
    """Undo what a shell does for background jobs and nohup: a program keeps ignoring what it was started to ignore."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)], ids=str
)
def test_a_signal_ends_the_turn_and_keeps_what_came(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with started(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.read(len(ANSWER)) == ANSWER.encode()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (code, b"", b"")
    turn = kept(tmp_path)
    assert (turn.status, turn.rounds[0].answer.text) == ("cancelled", ANSWER)


def test_a_killed_run_leaves_what_was_streamed_marked_as_interrupted(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert process.stdout is not None
        process.stdout.read(len(ANSWER))
        begun = time.monotonic()
        while not kept(tmp_path).rounds:
            assert time.monotonic() < begun + 20
        assert kept(tmp_path).status == "running"
        process.kill()
    turn = kept(tmp_path)
    assert (turn.status, turn.rounds[0].answer.text) == ("interrupted", ANSWER)


def test_a_terminal_gets_no_escape_sequence(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with started(tmp_path, output=terminal) as process:
        os.close(terminal)
        shown = b""
        while b"title" not in shown:
            shown += os.read(controller, 1000)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    os.close(controller)
    assert shown.decode().startswith("Begun\u241b]0;title")
    assert b"\x1b" not in shown
    assert b"\x07" not in shown
