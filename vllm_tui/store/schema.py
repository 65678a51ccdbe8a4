"""The tables of the conversation file, as ordered migrations; SQLite's `user_version` counts those that ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_tui.domain.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

_FIRST_TABLES = (
    """CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL
    )""",
    "CREATE INDEX conversations_by_use ON conversations (updated)",
    """CREATE TABLE turns (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        parent_id TEXT,
        status TEXT NOT NULL,
        owner TEXT,
        created REAL NOT NULL,
        question TEXT NOT NULL,
        data TEXT NOT NULL
    )""",
    "CREATE INDEX turns_by_conversation ON turns (conversation_id, number)",
    """CREATE TABLE rounds (
        turn INTEGER NOT NULL REFERENCES turns (number) ON DELETE CASCADE,
        round INTEGER NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (turn, round)
    )""",
    """CREATE TABLE blocks (
        number INTEGER PRIMARY KEY,
        turn INTEGER NOT NULL REFERENCES turns (number) ON DELETE CASCADE,
        round INTEGER NOT NULL,
        block INTEGER NOT NULL,
        piece INTEGER NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        data TEXT NOT NULL,
        UNIQUE (turn, round, block, piece)
    )""",
)


def _create_first_tables(connection: sqlite3.Connection) -> None:
    """A block is one row, or several pieces in order while it is still being streamed."""
    for statement in _FIRST_TABLES:
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create_first_tables,)
VERSION = len(MIGRATIONS)


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file; StorageError when a newer program wrote it."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StorageError(
            f"{path} was written by a newer vllm-tui (version {version} of its tables, this one knows {VERSION}).",
            hint="Update vllm-tui, or choose another data folder.",
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to VERSION, one transaction for each step; safe when two programs start at once."""
    while check_version(connection, path) < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = check_version(connection, path)
            if version < VERSION:
                MIGRATIONS[version](connection)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
