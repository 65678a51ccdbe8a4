"""Says in words what SQLite's error codes mean for the person whose conversations they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vllm_tui.domain.errors import StorageError

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SAYINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("is in use by another program", "Close the other program, then try again."),
    sqlite3.SQLITE_LOCKED: ("is in use by another program", "Close the other program, then try again."),
    sqlite3.SQLITE_FULL: ("can't grow: the disk is full", "Free some space, then try again."),
    sqlite3.SQLITE_READONLY: ("can't be written", "Check its permissions, or choose another data folder."),
    sqlite3.SQLITE_PERM: ("can't be opened", "Check its permissions, or choose another data folder."),
    sqlite3.SQLITE_CANTOPEN: ("can't be opened", "Check its folder and permissions, or choose another data folder."),
    sqlite3.SQLITE_IOERR: ("can't be read or written", "Check the disk and the space on it, then try again."),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Move it away and start again; `sqlite3 FILE .recover` may save its text."),
    sqlite3.SQLITE_NOTADB: ("is not a database", "Move it away and start again."),
}


def is_damage(problem: sqlite3.Error) -> bool:
    """Return whether the file itself is broken."""
    return _primary_code(problem) in _DAMAGED


def is_busy(problem: sqlite3.Error) -> bool:
    """Return whether another program holds the file."""
    return _primary_code(problem) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def storage_error(problem: sqlite3.Error, path: Path) -> StorageError:
    """Return the error for a person: what failed, where, and the next step."""
    saying, hint = _SAYINGS.get(
        _primary_code(problem), ("can't be used", "Check the disk, or choose another data folder.")
    )
    return StorageError(f"{path} {saying}.", hint=hint.replace("FILE", str(path)), detail=str(problem))


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into StorageError."""
    try:
        yield
    except sqlite3.Error as problem:
        raise storage_error(problem, path) from problem


def _primary_code(problem: sqlite3.Error) -> int:
    code: int = getattr(problem, "sqlite_errorcode", 0)
    return code & 0xFF
