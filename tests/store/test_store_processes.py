"""Killed programs, and several programs at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from turn_values import answered, turn
from vllm_tui.domain.blocks import TextBlock
from vllm_tui.store.conversations import ConversationStore
from vllm_tui.store.owner import forget_dead_owners

SCRIPT = Path(__file__).with_name("stream_until_killed.py")


@contextmanager
def streaming(folder: Path, turn_id: str) -> Iterator[subprocess.Popen[str]]:
    """Run the script until its text is on disk; it is killed at the end."""
    command = [sys.executable, str(SCRIPT), str(folder), turn_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "on disk\n"
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


async def test_a_killed_program_leaves_a_partial_answer_marked_as_interrupted(tmp_path: Path) -> None:
    with streaming(tmp_path, "killed"):
        pass
    async with ConversationStore(tmp_path) as store:
        assert await store.latest_conversation() == "killed"
        (kept,) = await store.load_conversation("killed")
    text = kept.rounds[0].answer.text
    assert kept.status == "interrupted"
    assert len(text) > 100
    assert text == "word " * (len(text) // 5)


async def test_a_turn_of_another_program_that_lives_is_still_running(tmp_path: Path) -> None:
    with streaming(tmp_path, "alive"):
        async with ConversationStore(tmp_path) as store:
            (before,) = await store.load_conversation("alive")
            await store.finish_turn(turn("mine", conversation_id="mine", status="completed"))
    async with ConversationStore(tmp_path) as store:
        (after,) = await store.load_conversation("alive")
        summaries = await store.list_conversations()
    assert (before.status, after.status) == ("running", "interrupted")
    assert {entry.id for entry in summaries} == {"alive", "mine"}


async def test_two_programs_streaming_at_once_lose_nothing(tmp_path: Path) -> None:
    with streaming(tmp_path, "one"), streaming(tmp_path, "two"):
        pass
    async with ConversationStore(tmp_path) as store:
        kept = [turn for name in ("one", "two") for turn in await store.load_conversation(name)]
    assert [(turn.id, turn.status, len(turn.rounds[0].answer.text) > 100) for turn in kept] == [
        ("one", "interrupted", True),
        ("two", "interrupted", True),
    ]


async def test_two_stores_that_open_a_new_folder_at_once_both_work(tmp_path: Path) -> None:
    stores = [ConversationStore(tmp_path / "new" / "folder") for _ in range(6)]
    await asyncio.gather(*(store.finish_turn(turn(f"t{n}", conversation_id=f"c{n}")) for n, store in enumerate(stores)))
    assert {entry.id for entry in await stores[0].list_conversations()} == {f"c{n}" for n in range(6)}
    for store in stores:
        await store.aclose()


async def test_two_programs_that_go_on_with_one_conversation_keep_both_lines(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as one, ConversationStore(tmp_path) as two:
        await one.finish_turn(turn("first", status="completed"))
        mine = answered(turn("mine", parent_id="first"), (TextBlock(text="a"),), status="completed")
        yours = answered(turn("yours", parent_id="first"), (TextBlock(text="b"),), status="completed")
        await one.finish_turn(mine)
        await two.finish_turn(yours)
        assert (await one.load_conversation("c1"))[-1] == yours
        assert (await one.load_conversation("c1", tip="mine"))[-1] == mine


async def test_marks_of_dead_programs_are_cleared_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    marks = tmp_path / "running"
    async with ConversationStore(tmp_path) as store:
        await store.open()
        (alive,) = marks.iterdir()
        (marks / "dead").touch()
        for path in marks.iterdir():
            os.utime(path, (0, 0))
        forget_dead_owners(marks)
        assert list(marks.iterdir()) == [alive]
    assert list(marks.iterdir()) == []
