"""Reads conversations back: the newest line of turns, summaries, and which is the latest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import groupby

from vllm_tui.domain.turns import ConversationSummary, Turn
from vllm_tui.store.row_map import BlockRow, TurnRow, read_turn

_LINE = """
WITH RECURSIVE line (number, id, parent_id, depth) AS (
    SELECT * FROM (
        SELECT number, id, parent_id, 1 FROM turns
        WHERE conversation_id = :conversation AND (:tip IS NULL OR id = :tip)
        ORDER BY number DESC LIMIT 1
    )
    UNION ALL
    SELECT turns.number, turns.id, turns.parent_id, depth + 1 FROM turns JOIN line ON turns.id = line.parent_id
    WHERE depth < :limit
)
SELECT number FROM line ORDER BY depth DESC
"""
_NO_LIMIT = 1_000_000_000


class TurnReader:
    """Reads turns; `is_alive` tells whether the program that runs a turn still lives."""

    def __init__(self, connection: sqlite3.Connection, is_alive: Callable[[str | None], bool]) -> None:
        self._connection = connection
        self._is_alive = is_alive

    def read_line(self, conversation_id: str, limit: int | None, tip: str | None) -> tuple[Turn, ...]:
        """Return the turns that lead to `tip` (the newest turn without one), oldest first, at most the last `limit`."""
        values = {"conversation": conversation_id, "tip": tip, "limit": _NO_LIMIT if limit is None else limit}
        numbers = self._connection.execute(_LINE, values).fetchall()
        return tuple(self._read_turn(number) for (number,) in numbers)

    def _read_turn(self, number: int) -> Turn:
        *columns, owner = self._connection.execute(
            "SELECT id, conversation_id, parent_id, status, created, question, data, owner FROM turns WHERE number = ?",
            (number,),
        ).fetchone()
        row = TurnRow(*columns)
        if row.status == "running" and not self._is_alive(owner):
            row = row._replace(status="interrupted")
        blocks = _read_blocks(self._connection, number)
        rounds = self._connection.execute(
            "SELECT round, data FROM rounds WHERE turn = ? ORDER BY round", (number,)
        ).fetchall()
        return read_turn(row, ((data, blocks.get(place, [])) for place, data in rounds))


def _read_blocks(connection: sqlite3.Connection, number: int) -> dict[int, list[BlockRow]]:
    pieces = connection.execute(
        "SELECT round, block, kind, text, data FROM blocks WHERE turn = ? ORDER BY round, block, piece", (number,)
    ).fetchall()
    found: dict[int, list[BlockRow]] = {}
    for (place, _), group in groupby(pieces, key=lambda piece: (piece[0], piece[1])):
        rows = list(group)
        kind, data = rows[0][2], rows[0][4]
        found.setdefault(place, []).append(BlockRow(kind, "".join(row[3] for row in rows), data))
    return found


def read_latest_id(connection: sqlite3.Connection) -> str | None:
    """Return the id of the conversation that was used last, None when there is none."""
    row = connection.execute("SELECT id FROM conversations ORDER BY updated DESC, rowid DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def read_summaries(connection: sqlite3.Connection, limit: int) -> tuple[ConversationSummary, ...]:
    """Return the conversations used last, newest first."""
    rows = connection.execute(
        "SELECT id, title, (SELECT count(*) FROM turns WHERE conversation_id = conversations.id), created, updated"
        " FROM conversations ORDER BY updated DESC, rowid DESC LIMIT ?",
        (limit,),
    ).fetchall()
    names = ("id", "title", "turns", "created", "updated")
    return tuple(ConversationSummary.model_validate(dict(zip(names, row, strict=True))) for row in rows)
