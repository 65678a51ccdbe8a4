"""What goes into the store comes out again, and costs what it should."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from turn_values import FULL, answered, turn
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.ports import Archive, Transcript
from vllm_tui.store.conversations import ConversationStore


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "conversations.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def test_a_turn_with_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(FULL)
    async with ConversationStore(tmp_path) as store:
        assert await store.load_conversation("c1") == (FULL,)


async def test_the_question_is_committed_when_start_turn_returns(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(turn(text="Is it kept?"))
        assert rows(tmp_path, "SELECT question, status FROM turns") == [("Is it kept?", "running")]


async def test_progress_is_on_disk_without_anybody_waiting(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(turn())
        for length in range(1, 50):
            store.note_progress(answered(turn(), (ThinkingBlock(thinking="Hm."), TextBlock(text="word " * length))))
        await until(lambda: rows(tmp_path, "SELECT sum(length(text)) FROM blocks WHERE kind = 'text'") == [(245,)])


async def test_progress_writes_only_what_was_added(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(turn())
        for text in ("one ", "one two ", "one two three"):
            store.note_progress(answered(turn(), (TextBlock(text=text),)))
            await until(lambda: rows(tmp_path, "SELECT group_concat(text, '') FROM blocks") == [(text,)])  # noqa: B023
        assert rows(tmp_path, "SELECT piece, text FROM blocks") == [(0, "one "), (1, "two "), (2, "three")]
        done = answered(turn(), (TextBlock(text="one two three."),), status="completed")
        await store.finish_turn(done)
        assert rows(tmp_path, "SELECT piece, text FROM blocks") == [(0, "one two three.")]
        assert await store.load_conversation("c1") == (done,)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(TextBlock(text="abc"),), (TextBlock(text="xyz"),)], id="text that was corrected"),
        pytest.param([(TextBlock(text="abc"), TextBlock(text="d")), (TextBlock(text="abc"),)], id="block taken back"),
        pytest.param([(TextBlock(text="abc"),), ()], id="all blocks taken back"),
        pytest.param([(TextBlock(text="abc"),), (ThinkingBlock(thinking="abcd"),)], id="kind changed"),
        pytest.param(
            [
                (ToolCallBlock(id="", name="f", input='{"a', raw_arguments='{"a', problem="still streaming"),),
                (ToolCallBlock(id="", name="f", input='{"a": ', raw_arguments='{"a": ', problem="still streaming"),),
                (ToolCallBlock(id="1", name="f", input={"a": 1}, raw_arguments='{"a": 1}'),),
            ],
            id="tool call that streams",
        ),
    ],
)
async def test_what_changes_between_saves_is_changed_on_disk(tmp_path: Path, steps: list[tuple[TextBlock]]) -> None:
    async with ConversationStore(tmp_path) as store:
        for blocks in steps:
            state = answered(turn(), blocks)
            await store.start_turn(state)
            assert await store.load_conversation("c1") == (state,)


async def test_rounds_that_go_away_are_removed(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(answered(turn(), (TextBlock(text="a"),), (TextBlock(text="b"),)))
        done = answered(turn(), (TextBlock(text="a"),), status="completed")
        await store.finish_turn(done)
        assert await store.load_conversation("c1") == (done,)


async def test_an_answer_of_a_turn_that_ended_can_go_on(tmp_path: Path) -> None:
    cut = answered(turn(), (TextBlock(text="a"),), status="truncated")
    more = answered(turn(), (TextBlock(text="a"),), (TextBlock(text="b"),), status="completed")
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(cut)
        await store.start_turn(cut.model_copy(update={"status": "running"}))
        await store.finish_turn(more)
        assert await store.load_conversation("c1") == (more,)


async def test_a_line_of_turns_loads_from_its_newest_end(tmp_path: Path) -> None:
    line = [turn(f"t{n}", parent_id=f"t{n - 1}" if n else None, status="completed") for n in range(6)]
    async with ConversationStore(tmp_path) as store:
        for entry in line:
            await store.finish_turn(entry)
        assert await store.load_conversation("c1") == tuple(line)
        assert await store.load_conversation("c1", limit=2) == tuple(line[4:])
        assert await store.load_conversation("c1", limit=2, tip="t3") == tuple(line[2:4])
        assert await store.load_conversation("unknown") == ()


async def test_alternatives_stay_on_disk_and_the_newest_is_loaded(tmp_path: Path) -> None:
    first = turn("t0", status="completed")
    old, new = (turn(name, parent_id="t0", status="completed") for name in ("old", "new"))
    async with ConversationStore(tmp_path) as store:
        for entry in (first, old, new):
            await store.finish_turn(entry)
        assert await store.load_conversation("c1") == (first, new)
        assert await store.load_conversation("c1", tip="old") == (first, old)


async def test_conversations_are_listed_by_their_last_use(tmp_path: Path) -> None:
    long_question = "\n  " + "word " * 40 + "\nmore"
    async with ConversationStore(tmp_path) as store:
        assert await store.latest_conversation() is None
        await store.finish_turn(turn("a", long_question, conversation_id="c1"))
        await store.finish_turn(turn("b", "Second", conversation_id="c2"))
        await store.finish_turn(turn("c", "More", conversation_id="c1", parent_id="a"))
        found = await store.list_conversations()
        assert [(entry.id, entry.title, entry.turns) for entry in found] == [
            ("c1", ("word " * 40)[:79] + "…", 2),
            ("c2", "Second", 1),
        ]
        assert all(entry.created <= entry.updated for entry in found)
        assert await store.list_conversations(limit=1) == found[:1]
        assert await store.latest_conversation() == "c1"


async def test_a_deleted_conversation_leaves_no_text_behind(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(answered(turn(text="my secret question"), (TextBlock(text="my secret answer" * 500),)))
        await store.finish_turn(turn("b", conversation_id="c2"))
        await store.delete_conversation("c1")
        await store.delete_conversation("never there")
        assert [entry.id for entry in await store.list_conversations()] == ["c2"]
        assert b"my secret" not in bytes_in(tmp_path)


async def test_conversations_nobody_used_for_long_can_be_removed(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(turn("a", conversation_id="old", status="completed"))
        (old,) = await store.list_conversations()
        await store.finish_turn(turn("b", conversation_id="new", status="completed"))
        assert await store.delete_unused(old.updated) == 0
        assert await store.delete_unused(old.updated + 1e-6) == 1
        assert [entry.id for entry in await store.list_conversations()] == ["new"]


async def test_a_closed_store_opens_again_when_it_is_needed(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path)
    for number in range(3):
        await store.finish_turn(turn(f"t{number}", status="completed"))
        closing = asyncio.create_task(store.aclose())
        await asyncio.sleep(0)
        await store.finish_turn(turn(f"u{number}", status="completed"))
        await closing
    assert [entry.turns for entry in await store.list_conversations()] == [6]
    await store.aclose()


async def test_the_store_is_what_the_engine_asks_for(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        transcript: Transcript = store
        archive: Archive = store
        await transcript.finish_turn(turn(status="completed"))
        assert await archive.latest_conversation() == "c1"


async def test_a_turn_whose_conversation_was_deleted_meanwhile_is_kept_whole(tmp_path: Path) -> None:
    running = answered(turn(), (TextBlock(text="partial"),))
    async with ConversationStore(tmp_path) as store, ConversationStore(tmp_path) as other:
        await store.start_turn(running)
        await other.delete_conversation("c1")
        done = answered(turn(), (TextBlock(text="partial and more"),), status="completed")
        await store.finish_turn(done)
        assert await other.load_conversation("c1") == (done,)


async def test_a_lone_surrogate_does_not_stop_the_save(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(answered(turn(text="a\ud800b", status="failed"), (TextBlock(text="x\udfff"),)))
        (kept,) = await store.load_conversation("c1")
    assert kept == answered(turn(text="a?b", status="failed"), (TextBlock(text="x?"),))


async def test_a_caller_that_stops_waiting_does_not_stop_the_save(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        saving = asyncio.create_task(store.finish_turn(turn(status="cancelled")))
        await asyncio.sleep(0)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
    async with ConversationStore(tmp_path) as store:
        assert await store.load_conversation("c1") == (turn(status="cancelled"),)


async def test_closing_writes_what_is_waiting(tmp_path: Path) -> None:
    states: list[Turn] = [answered(turn(), (TextBlock(text="a" * n),)) for n in (1, 2)]
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(turn())
        for state in states:
            store.note_progress(state)
    async with ConversationStore(tmp_path) as store:
        assert await store.load_conversation("c1") == (states[-1].model_copy(update={"status": "interrupted"}),)


async def test_a_store_that_was_never_used_leaves_no_trace(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path / "never"):
        pass
    assert bytes_in(tmp_path) == b""


async def test_a_question_of_blocks_gives_the_title(tmp_path: Path) -> None:
    question = Message(role="user", content=(TextBlock(text="In blocks"),))
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(turn(question=question))
        assert [entry.title for entry in await store.list_conversations()] == ["In blocks"]
