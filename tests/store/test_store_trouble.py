"""Bad folders, bad files, full disks: a message with the next step, and nothing deleted."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from turn_values import answered, turn
from vllm_tui.domain.blocks import TextBlock
from vllm_tui.domain.errors import StorageError
from vllm_tui.store.conversations import ConversationStore
from vllm_tui.store.database import Database

FILE = "conversations.db"


async def failure_of(folder: Path) -> StorageError:
    async with ConversationStore(folder, busy_seconds=0.05) as store:
        with pytest.raises(StorageError) as caught:
            await store.start_turn(turn())
    assert caught.value.hint
    return caught.value


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.iterdir())}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
async def test_folder_and_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    folder = tmp_path / "data"
    with umask(mask):
        async with ConversationStore(folder) as store:
            await store.start_turn(turn())
            found = modes(folder)
    assert found == {
        "data": "0o700",
        FILE: "0o600",
        f"{FILE}-wal": "0o600",
        f"{FILE}-shm": "0o600",
        "running": "0o700",
    }


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    (tmp_path / FILE).chmod(0o644)
    async with ConversationStore(tmp_path) as store:
        await store.open()
    assert modes(tmp_path)[FILE] == "0o600"


async def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "data" / FILE).symlink_to(target)
    error = await failure_of(tmp_path / "data")
    assert error.message == f"{tmp_path / 'data' / FILE} is a symbolic link, which is not followed."
    assert target.read_bytes() == b"precious"


async def test_a_pipe_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    assert (await failure_of(tmp_path)).message == f"{tmp_path / FILE} is not a plain file."


async def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is not a folder" in (await failure_of(tmp_path / "file")).message
    assert "is not a folder" in (await failure_of(tmp_path / "file" / "below")).message


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert (await failure_of(tmp_path)).message == f"{tmp_path / FILE} can't be used: is a directory."


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be refused")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    for path in (tmp_path, *list(tmp_path.parents)[:-1]):
        with suppress(PermissionError):
            if str(path).startswith("/tmp/pytest"):
                path.chmod(path.stat().st_mode | 0o055)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from vllm_tui.store.database import Database\n"
        "from vllm_tui.domain.errors import StorageError\n"
        "os.setuid(65534)\n"
        "try: Database(Path(sys.argv[1]), busy_seconds=0)\n"
        "except StorageError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert run.stdout == (
        f"{folder / FILE} can't be used: permission denied. Check its permissions. "
        "Choose another data folder, or run without saving.\n"
    ), run.stderr


async def test_a_locked_file_gives_a_message_after_the_wait(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.open()
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    error = await failure_of(tmp_path)
    other.close()
    assert str(error) == f"{tmp_path / FILE} is in use by another program. Close the other program, then try again."


async def test_a_lock_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path, busy_seconds=5) as store:
        await store.open()
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.note_progress(turn())
        other.close()
        await store.start_turn(turn())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"This is no database at all. " * 100, id="text"),
        pytest.param(b"SQLite format 3\x00" + b"\xff" * 5000, id="broken header"),
    ],
)
async def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    async with ConversationStore(tmp_path) as store:
        notice = await store.open()
        await store.finish_turn(turn(status="completed"))
        assert await store.load_conversation("c1") == (turn(status="completed"),)
    (aside,) = [path for path in tmp_path.iterdir() if ".damaged-" in path.name]
    assert aside.read_bytes() == content
    assert notice == (f"{tmp_path / FILE} was damaged. It is kept as {aside.name}; new conversations go to a new file.")


async def test_damage_that_is_found_later_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(answered(turn(), (TextBlock(text="x" * 200_000),), status="completed"))
    content = bytearray((tmp_path / FILE).read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    (tmp_path / FILE).write_bytes(content)
    error = await failure_of(tmp_path)
    assert error.message == f"{tmp_path / FILE} is damaged."


async def test_a_file_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    error = await failure_of(tmp_path)
    assert "newer vllm-tui (version 99" in error.message
    assert (tmp_path / FILE).read_bytes() == before


async def test_a_turn_of_a_newer_program_is_an_error_and_others_are_read(tmp_path: Path) -> None:
    async with ConversationStore(tmp_path) as store:
        await store.finish_turn(turn("a", conversation_id="bad", status="completed"))
        await store.finish_turn(turn("b", conversation_id="good", status="completed"))
        connection = sqlite3.connect(tmp_path / FILE)
        connection.execute('UPDATE turns SET data = \'{"question": {"role": "ghost"}}\' WHERE id = \'a\'')
        connection.commit()
        connection.close()
        with pytest.raises(StorageError, match="A turn of conversation bad can't be read"):
            await store.load_conversation("bad")
        assert len(await store.load_conversation("good")) == 1


async def test_a_full_disk_is_told_and_the_whole_turn_is_written_once_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own page limit stands for the disk."""
    databases: list[Database] = []
    build = Database.__init__

    def remember(self: Database, folder: Path, *, busy_seconds: float) -> None:
        build(self, folder, busy_seconds=busy_seconds)
        databases.append(self)

    monkeypatch.setattr(Database, "__init__", remember)
    long_answer = answered(turn(), (TextBlock(text="x" * 300_000),), status="completed")
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(turn())
        await set_page_limit(store, 20)
        store.note_progress(long_answer.model_copy(update={"status": "running"}))
        with pytest.raises(StorageError, match="the disk is full"):
            await store.finish_turn(long_answer)
        assert [kept.rounds for kept in await store.load_conversation("c1")] == [()]
        await set_page_limit(store, 10_000)
        await store.finish_turn(long_answer)
        assert (store.problem, await store.load_conversation("c1")) == (None, (long_answer,))


async def set_page_limit(store: ConversationStore, pages: int) -> None:
    await store._call(lambda database: database._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def test_progress_that_can_not_be_written_shows_as_a_problem_until_a_save_works(tmp_path: Path) -> None:
    long_answer = answered(turn(), (TextBlock(text="x" * 300_000),))
    async with ConversationStore(tmp_path) as store:
        await store.start_turn(turn())
        await set_page_limit(store, 20)
        store.note_progress(long_answer)
        while store.problem is None:
            await store.list_conversations()
        assert "the disk is full" in store.problem.message
        await set_page_limit(store, 10_000)
        await store.finish_turn(long_answer.model_copy(update={"status": "completed"}))
        assert store.problem is None


def test_sqlite_is_not_loaded_before_the_first_call() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from vllm_tui.store.conversations import ConversationStore\n"
        "ConversationStore(Path('unused'))\n"
        "print('sqlite3' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
