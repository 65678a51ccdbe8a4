"""Runs a program in a pseudo-terminal and keeps every byte it writes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pyte

ROOT = Path(__file__).parent.parent.parent
SIZE = (120, 40)


class Terminal:
    """A program behind a terminal of 120x40; use as a context manager."""

    def __init__(
        self, module: str, *words: str, environ: Mapping[str, str] | None = None, ignore_hangup: bool = False
    ) -> None:
        self.output = bytearray()
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        self.modes = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environ or {})},
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hangup else signal.SIG_DFL),  # noqa: PLW1509
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)
        self.hang_up()
        self._reader.join(5)

    @property
    def screen(self) -> str:
        """What the terminal shows now."""
        screen = pyte.Screen(*SIZE)
        pyte.ByteStream(screen).feed(bytes(self.output).replace(b"\x1b[<u", b"").replace(b"\x1b[>25u", b""))
        return "\n".join(line.rstrip() for line in screen.display)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, condition: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait until `condition` holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.screen
            time.sleep(0.01)

    def shows(self, text: str) -> None:
        """Wait until the screen shows `text`."""
        self.until(lambda: text in self.screen)

    def exit_code(self) -> int:
        """Wait until the program ended."""
        return self.process.wait(15)

    def modes_now(self) -> list[object]:
        return termios.tcgetattr(self._slave)

    def hang_up(self) -> None:
        """Close both ends on this side, as a lost connection does."""
        for handle in ("_slave", "_master"):
            if (number := getattr(self, handle)) >= 0:
                setattr(self, handle, -1)
                os.close(number)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self) -> None:
        master = self._master
        with suppress(OSError):
            while piece := os.read(master, 65536):
                self.output += piece
