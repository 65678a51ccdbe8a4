"""Matches the regular expressions of a schema in a process of their own, which is killed when one takes too long.

Python's `re` can't be interrupted while it backtracks, and one pattern can take longer than the sun will shine.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

MAX_PATTERN = 1_000
_START_SECONDS = 0.7
"""What is added for starting an interpreter on a busy machine."""
_MEMORY = 512 * 1024 * 1024
_CHILD = (
    "import json, re, sys\n"
    "try:\n"
    f"    import resource; resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))\n"
    "except (ImportError, ValueError, OSError): pass\n"
    "for line in sys.stdin:\n"
    "    pattern, text = json.loads(line)\n"
    "    try: found = 'y' if re.search(pattern, text) else 'n'\n"
    "    except (re.error, RecursionError, OverflowError, MemoryError): found = 'e'\n"
    "    print(found, flush=True)\n"
)


class PatternFailed(Exception):
    """A pattern is no regular expression, is too long, or took too long; the message says which."""


class PatternMatcher:
    """Matches patterns in one child process that starts with the first match; a context manager that ends it."""

    def __init__(self, seconds: float = 0.3) -> None:
        self._left = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._known: dict[tuple[str, str], bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def is_found(self, pattern: str, text: str) -> bool:
        """Return whether the pattern matches anywhere in the text; raises PatternFailed."""
        if len(pattern) > MAX_PATTERN:
            raise PatternFailed(f"the pattern is longer than {MAX_PATTERN} characters")
        key = (pattern, text)
        if key not in self._known:
            self._known[key] = self._ask(pattern, text)
        return self._known[key]

    def close(self) -> None:
        """End the child process."""
        if self._child is None:
            return
        self._child.kill()
        with self._child:
            self._child = None

    def _ask(self, pattern: str, text: str) -> bool:
        begun = time.monotonic()
        child = self._child or self._start()
        line = json.dumps([pattern, text]).encode("ascii") + b"\n"
        answer = self._exchange(child, line)
        self._left -= time.monotonic() - begun
        if answer not in (b"y", b"n"):
            self.close()
            raise PatternFailed(
                "the pattern took too long" if answer == b"" else "the pattern is no regular expression"
            )
        return answer == b"y"

    def _start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-I", "-S", "-c", _CHILD]
        child = subprocess.Popen(  # noqa: S603
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
        )
        assert child.stdin is not None
        os.set_blocking(child.stdin.fileno(), False)
        self._child = child
        self._left += _START_SECONDS
        return child

    def _exchange(self, child: subprocess.Popen[bytes], line: bytes) -> bytes:
        assert child.stdin is not None
        assert child.stdout is not None
        deadline = time.monotonic() + max(self._left, 0.0)
        with selectors.DefaultSelector() as ends:
            ends.register(child.stdout, selectors.EVENT_READ)
            ends.register(child.stdin, selectors.EVENT_WRITE)
            while (left := deadline - time.monotonic()) > 0:
                ready = [key.fileobj for key, _ in ends.select(left)]
                if child.stdout in ready:
                    return os.read(child.stdout.fileno(), 1)
                if child.stdin in ready:
                    line = line[_write(child.stdin.fileno(), line) :]
                    if not line:
                        ends.unregister(child.stdin)
        return b""


def _write(pipe: int, data: bytes) -> int:
    """Write what fits; a child that is gone is noticed when its answer is read."""
    try:
        return os.write(pipe, data[:65_536])
    except BrokenPipeError:
        return len(data)
