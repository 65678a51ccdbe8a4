"""Conversations kept on disk, for callers in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vllm_tui.domain.errors import StorageError
from vllm_tui.domain.turns import ConversationSummary, Turn
from vllm_tui.store.worker import Worker

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from vllm_tui.store.database import Database

T = TypeVar("T")
BUSY_SECONDS = 5.0


class ConversationStore:
    """The conversations in `folder`; made cheaply, the file is opened by the first call.

    Several programs may use one folder at once. Every method raises StorageError when the disk fails.
    """

    def __init__(self, folder: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._worker = Worker(folder, busy_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> str | None:
        """Open the file now; return what the person should know, such as a damaged file that was set aside."""
        return await self._call(lambda database: database.notice)

    async def aclose(self) -> None:
        """Write what is waiting and close the file; a later call opens it again."""
        thread = self._worker.stop()
        if thread is not None:
            await asyncio.to_thread(thread.join)

    @property
    def problem(self) -> StorageError | None:
        """Return why the last progress could not be written, None when all is well."""
        return self._worker.problem

    async def start_turn(self, turn: Turn) -> None:
        """Keep a turn whose request has not left yet; returns once it is committed."""
        await self._keep(lambda database: database.save([turn]))

    def note_progress(self, turn: Turn) -> None:
        """Take the turn as it stands without waiting; it is on disk within a second, see `problem`."""
        self._worker.note(turn)

    async def finish_turn(self, turn: Turn) -> None:
        """Keep the turn as it ended; done even if the caller stops waiting."""
        self._worker.forget(turn.id)
        await self._keep(lambda database: database.finish(turn))

    async def latest_conversation(self) -> str | None:
        """Return the id of the conversation that was used last, None when there is none."""
        return await self._call(lambda database: database.latest_id())

    async def load_conversation(
        self, conversation_id: str, *, limit: int | None = None, tip: str | None = None
    ) -> tuple[Turn, ...]:
        """Return the turns that lead to the newest one, or to the turn `tip`, oldest first; none when unknown.

        `limit` keeps the last so many; the turns before them are loaded with `tip=turns[0].parent_id`.
        """
        return await self._call(lambda database: database.load(conversation_id, limit, tip))

    async def list_conversations(self, limit: int = 50) -> tuple[ConversationSummary, ...]:
        """Return the conversations used last, newest first."""
        return await self._call(lambda database: database.summaries(limit))

    async def delete_conversation(self, conversation_id: str) -> None:
        """Remove a conversation with all its turns; an unknown id is no error."""
        await self._call(lambda database: database.delete(conversation_id))

    async def delete_unused(self, since: float) -> int:
        """Remove the conversations last used before `since` (seconds since the epoch); return how many."""
        return await self._call(lambda database: database.delete_unused(since))

    async def _call(self, job: Callable[[Database], T]) -> T:
        future = self._worker.submit(job)
        return await asyncio.wrap_future(future)

    async def _keep(self, job: Callable[[Database], None]) -> None:
        await self._call(job)
        self._worker.problem = None
