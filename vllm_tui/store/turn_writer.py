"""Writes a turn as it grows: each save costs in proportion to what was added since the last."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from vllm_tui.domain.turns import Round, Turn
from vllm_tui.store.row_map import BlockRow, block_rows, round_data, title_of, turn_row


@dataclass(slots=True)
class _SavedBlock:
    row: BlockRow
    pieces: int = 1


@dataclass(slots=True)
class _SavedTurn:
    """What the file holds of a running turn."""

    number: int
    head: Turn
    rounds: list[Round] = field(default_factory=list)
    blocks: list[list[_SavedBlock]] = field(default_factory=list)


class TurnWriter:
    """Writes turns inside the caller's transaction; call `settle` once it is committed, `forget` if it was not."""

    def __init__(self, connection: sqlite3.Connection, owner: str) -> None:
        self._connection = connection
        self._owner = owner
        self._saved: dict[str, _SavedTurn] = {}

    def write(self, turn: Turn, now: float) -> None:
        """Write what changed since the last call; the turn is complete on disk after the commit."""
        saved = self._saved.get(turn.id)
        if saved is None or not self._is_there(saved):
            saved = self._write_head(turn, now)
        elif _head_changed(saved.head, turn):
            self._update_head(saved.number, turn)
        saved.head = turn
        self._write_rounds(saved, turn)

    def finish(self, turn: Turn, now: float) -> None:
        """Write the turn as it ended: pieces joined, no owner any more."""
        self.write(turn, now)
        saved = self._saved[turn.id]
        for number, blocks in enumerate(saved.blocks):
            for index, block in enumerate(blocks):
                if block.pieces > 1:
                    self._replace_block(saved.number, number, index, block)
        execute = self._connection.execute
        execute("UPDATE turns SET owner = NULL WHERE number = ?", (saved.number,))
        execute("UPDATE conversations SET updated = ? WHERE id = ?", (now, turn.conversation_id))

    def forget(self, turn_id: str) -> None:
        """Drop what is remembered of the turn: it ended, or its write was rolled back."""
        self._saved.pop(turn_id, None)

    def _is_there(self, saved: _SavedTurn) -> bool:
        found = self._connection.execute("SELECT id FROM turns WHERE number = ?", (saved.number,)).fetchone()
        return bool(found == (saved.head.id,))

    def _write_head(self, turn: Turn, now: float) -> _SavedTurn:
        row = turn_row(turn)
        execute = self._connection.execute
        execute(
            "INSERT INTO conversations (id, title, created, updated) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET updated = max(updated, excluded.updated)",
            (turn.conversation_id, title_of(turn), now, now),
        )
        number: int = execute(
            "INSERT INTO turns (id, conversation_id, parent_id, status, created, question, data, owner)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET status = excluded.status, data = excluded.data, owner = excluded.owner"
            " RETURNING number",
            (*row, self._owner),
        ).fetchone()[0]
        execute("DELETE FROM rounds WHERE turn = ?", (number,))
        execute("DELETE FROM blocks WHERE turn = ?", (number,))
        saved = self._saved[turn.id] = _SavedTurn(number, turn)
        return saved

    def _update_head(self, number: int, turn: Turn) -> None:
        row = turn_row(turn)
        self._connection.execute(
            "UPDATE turns SET status = ?, data = ?, owner = ? WHERE number = ?",
            (row.status, row.data, self._owner, number),
        )

    def _write_rounds(self, saved: _SavedTurn, turn: Turn) -> None:
        for number, entry in enumerate(turn.rounds):
            before = saved.rounds[number] if number < len(saved.rounds) else None
            if before is not entry:
                self._write_round(saved, number, entry, before)
        if len(turn.rounds) < len(saved.rounds):
            self._drop_rounds(saved, len(turn.rounds))

    def _write_round(self, saved: _SavedTurn, number: int, entry: Round, before: Round | None) -> None:
        data = round_data(entry)
        if before is None or round_data(before) != data:
            self._connection.execute(
                "INSERT OR REPLACE INTO rounds (turn, round, data) VALUES (?, ?, ?)", (saved.number, number, data)
            )
        if before is None:
            saved.rounds.append(entry)
            saved.blocks.append([])
        else:
            saved.rounds[number] = entry
        self._write_blocks(saved, number, block_rows(entry))

    def _write_blocks(self, saved: _SavedTurn, number: int, rows: tuple[BlockRow, ...]) -> None:
        blocks = saved.blocks[number]
        for index, row in enumerate(rows):
            if index == len(blocks):
                blocks.append(_SavedBlock(row))
                self._insert_piece(saved.number, number, index, 0, row)
            elif row != blocks[index].row:
                self._change_block(saved.number, number, index, blocks[index], row)
        if len(rows) < len(blocks):
            del blocks[len(rows) :]
            self._connection.execute(
                "DELETE FROM blocks WHERE turn = ? AND round = ? AND block >= ?", (saved.number, number, len(rows))
            )

    def _change_block(self, turn: int, number: int, index: int, block: _SavedBlock, row: BlockRow) -> None:
        before = block.row
        block.row = row
        if row.kind == before.kind and row.data == before.data and row.text.startswith(before.text):
            piece = row._replace(text=row.text[len(before.text) :])
            self._insert_piece(turn, number, index, block.pieces, piece)
            block.pieces += 1
        else:
            self._replace_block(turn, number, index, block)

    def _replace_block(self, turn: int, number: int, index: int, block: _SavedBlock) -> None:
        place = (turn, number, index)
        self._connection.execute("DELETE FROM blocks WHERE turn = ? AND round = ? AND block = ?", place)
        self._insert_piece(*place, 0, block.row)
        block.pieces = 1

    def _insert_piece(self, turn: int, number: int, index: int, piece: int, row: BlockRow) -> None:
        self._connection.execute(
            "INSERT INTO blocks (turn, round, block, piece, kind, text, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (turn, number, index, piece, *row),
        )

    def _drop_rounds(self, saved: _SavedTurn, count: int) -> None:
        del saved.rounds[count:], saved.blocks[count:]
        for table in ("rounds", "blocks"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE turn = ? AND round >= ?",  # noqa: S608 - one of two names above
                (saved.number, count),
            )


def _head_changed(before: Turn, after: Turn) -> bool:
    return any(
        getattr(before, name) != getattr(after, name)
        for name in ("status", "error", "notes", "metadata", "model", "effort")
    )
