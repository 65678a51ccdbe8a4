"""Streams an answer into the store of a folder until the process is killed; prints a line once text is on disk."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

from turn_values import answered, turn
from vllm_tui.domain.blocks import TextBlock
from vllm_tui.store.conversations import ConversationStore


async def stream(folder: Path, turn_id: str) -> None:
    store = ConversationStore(folder)
    running = turn(turn_id, conversation_id=turn_id)
    await store.start_turn(running)
    count = 0
    while True:
        count += 1
        store.note_progress(answered(running, (TextBlock(text="word " * count),)))
        await asyncio.sleep(0.01)
        if count % 10 == 0 and words_on_disk(folder, turn_id) > 20:
            print("on disk", flush=True)


def words_on_disk(folder: Path, turn_id: str) -> int:
    connection = sqlite3.connect(folder / "conversations.db")
    query = "SELECT group_concat(text, '') FROM blocks JOIN turns ON turns.number = blocks.turn WHERE turns.id = ?"
    (text,) = connection.execute(query, (turn_id,)).fetchone()
    connection.close()
    return (text or "").count("word ")


asyncio.run(stream(Path(sys.argv[1]), sys.argv[2]))
