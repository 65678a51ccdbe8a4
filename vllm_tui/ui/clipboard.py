"""Copies text to the person's clipboard through the terminal (OSC 52), and keeps it in a file besides."""

from __future__ import annotations

import base64
import os
from pathlib import Path

MAX_BYTES = 100_000
"""Terminals drop longer sequences, or the connection stalls on them."""

FILE_NAME = "last-copy.txt"


def osc52(text: str) -> str:
    """Return the sequence that asks a terminal to take `text` as its clipboard, ended by ST; tmux takes it too."""
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    return f"\x1b]52;c;{encoded}\x1b\\"


def fits_terminal(text: str) -> bool:
    """Return whether `text` is short enough to be sent to a terminal."""
    return len(text.encode("utf-8", "replace")) <= MAX_BYTES


def keep_copy(folder: Path, text: str) -> Path:
    """Write `text` to `last-copy.txt` in `folder`, readable by its owner alone. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, fresh = folder / FILE_NAME, folder / f".{FILE_NAME}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    fresh.replace(path)
    return path
