"""The conversation file as its worker thread sees it: opened safely, changed in transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from vllm_tui.domain.errors import StorageError
from vllm_tui.domain.turns import ConversationSummary, Turn
from vllm_tui.store.failures import in_words, is_busy, is_damage, storage_error
from vllm_tui.store.folder import FILE_NAME, prepare_file, prepare_folder, set_aside
from vllm_tui.store.owner import Owner, forget_dead_owners, is_alive
from vllm_tui.store.schema import check_version, migrate
from vllm_tui.store.turn_reader import TurnReader, read_latest_id, read_summaries
from vllm_tui.store.turn_writer import TurnWriter

_RETRY_SECONDS = 0.02


class Database:
    """One connection and the turns written through it; every failure is a StorageError."""

    def __init__(self, folder: Path, *, busy_seconds: float) -> None:
        self.path = folder / FILE_NAME
        self.notice: str | None = None
        self._owners = folder / "running"
        prepare_folder(folder)
        self._connection = self._open(busy_seconds)
        try:
            self._owner = Owner(self._owners)
        except StorageError:
            self._connection.close()
            raise
        self._writer = TurnWriter(self._connection, self._owner.id)
        forget_dead_owners(self._owners)

    def close(self) -> None:
        """Close the file; SQLite folds its journal back when this was the last program."""
        with suppress(sqlite3.Error):
            self._connection.close()
        self._owner.close()

    def save(self, turns: Iterable[Turn]) -> None:
        """Write turns that still run, in one transaction."""
        self._write(list(turns), is_last=False)

    def finish(self, turn: Turn) -> None:
        """Write a turn as it ended."""
        self._write([turn], is_last=True)
        self._writer.forget(turn.id)

    def latest_id(self) -> str | None:
        """Return the id of the conversation that was used last."""
        with in_words(self.path):
            return read_latest_id(self._connection)

    def load(self, conversation_id: str, limit: int | None, tip: str | None) -> tuple[Turn, ...]:
        """Return a line of turns, oldest first; a running turn whose program is gone comes as interrupted."""
        with self._transaction("DEFERRED"):
            reader = TurnReader(self._connection, self._is_alive)
            return reader.read_line(conversation_id, limit, tip)

    def summaries(self, limit: int) -> tuple[ConversationSummary, ...]:
        """Return the conversations used last, newest first."""
        with in_words(self.path):
            return read_summaries(self._connection, limit)

    def delete(self, conversation_id: str) -> None:
        """Remove a conversation and overwrite its pages."""
        self._delete("id = ?", conversation_id)

    def delete_unused(self, since: float) -> int:
        """Remove conversations last used before `since`; return how many."""
        return self._delete("updated < ?", since)

    def _delete(self, condition: Literal["id = ?", "updated < ?"], value: str | float) -> int:
        with in_words(self.path):
            self._connection.execute("PRAGMA secure_delete = ON")
        try:
            with self._transaction():
                query = f"DELETE FROM conversations WHERE {condition}"  # noqa: S608 - one of two constants
                count = self._connection.execute(query, (value,)).rowcount
            with in_words(self.path):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return count
        finally:
            with in_words(self.path):
                self._connection.execute("PRAGMA secure_delete = FAST")

    def _write(self, turns: list[Turn], *, is_last: bool) -> None:
        write = self._writer.finish if is_last else self._writer.write
        is_written = False
        try:
            with self._transaction():
                for turn in turns:
                    write(turn, time.time())
            is_written = True
        finally:
            if not is_written:
                for turn in turns:
                    self._writer.forget(turn.id)

    def _is_alive(self, owner: str | None) -> bool:
        return is_alive(self._owners, owner)

    @contextmanager
    def _transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[None]:
        with in_words(self.path):
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _open(self, busy_seconds: float) -> sqlite3.Connection:
        try:
            return self._connect(busy_seconds)
        except sqlite3.Error as problem:
            if not is_damage(problem):
                raise storage_error(problem, self.path) from problem
        aside = set_aside(self.path, time.strftime("%Y%m%d-%H%M%S"))
        self.notice = f"{self.path} was damaged. It is kept as {aside.name}; new conversations go to a new file."
        with in_words(self.path):
            return self._connect(busy_seconds)

    def _connect(self, busy_seconds: float) -> sqlite3.Connection:
        prepare_file(self.path)
        connection = sqlite3.connect(self.path, timeout=busy_seconds, isolation_level=None)
        is_ready = False
        try:
            check_version(connection, self.path)
            _enter_wal(connection, busy_seconds)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, self.path)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            is_ready = True
        finally:
            if not is_ready:
                connection.close()
        return connection


def _enter_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch the journal; SQLite does not wait by itself when another program switches at the same moment."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as problem:
            if not is_busy(problem) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return
