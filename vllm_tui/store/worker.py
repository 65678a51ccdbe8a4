"""The thread that owns the database: jobs run in order, progress is merged and written a few times a second."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vllm_tui.domain.errors import StorageError
from vllm_tui.domain.turns import Turn

if TYPE_CHECKING:
    from vllm_tui.store.database import Database

T = TypeVar("T")
_Job = Callable[[], None]
PROGRESS_SECONDS = 0.4
_UNFORESEEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Worker:
    """Runs jobs on a Database that it opens when the first one comes; sqlite3 is imported in its thread."""

    def __init__(self, folder: Path, busy_seconds: float) -> None:
        self.problem: StorageError | None = None
        self._folder = folder
        self._busy_seconds = busy_seconds
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._noted: dict[str, Turn] = {}
        self._last_write = 0.0
        self._thread: threading.Thread | None = None
        self._ending: threading.Thread | None = None
        self._database: Database | None = None

    def submit(self, job: Callable[[Database], T]) -> Future[T]:
        """Queue `job`; its result or its StorageError comes through the future."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on a caller that stops waiting can't stop the job

        def run() -> None:
            try:
                result = self._attempt(job)
            except StorageError as problem:
                future.set_exception(problem)
            else:
                future.set_result(result)

        self._enqueue(run)
        return future

    def note(self, turn: Turn) -> None:
        """Take the newest state of a running turn, to be written soon."""
        with self._lock:
            is_first = not self._noted
            self._noted[turn.id] = turn
        if is_first:
            self._enqueue(_wake)

    def forget(self, turn_id: str) -> None:
        """Drop a noted state that a newer one replaces."""
        with self._lock:
            self._noted.pop(turn_id, None)

    def stop(self) -> threading.Thread | None:
        """Let the thread write what is noted, close the file and end; return it, None when it never started."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            self._jobs = queue.SimpleQueue()
            self._ending = thread
        return thread

    def _enqueue(self, job: _Job) -> None:
        self._jobs.put(job)
        if self._thread is None:
            work = (self._jobs, self._ending)
            self._thread = threading.Thread(target=self._run, args=work, name="conversations", daemon=True)
            self._thread.start()

    def _attempt(self, job: Callable[[Database], T]) -> T:
        try:
            return job(self._open_database())
        except _UNFORESEEN as problem:
            raise StorageError(
                f"{self._folder} can't be used: {problem!r}.", hint="Choose another data folder, or run without saving."
            ) from problem

    def _open_database(self) -> Database:
        if self._database is None:
            from vllm_tui.store.database import Database

            self._database = Database(self._folder, busy_seconds=self._busy_seconds)
        return self._database

    def _run(self, jobs: queue.SimpleQueue[_Job | None], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        while True:
            try:
                job = jobs.get(timeout=self._seconds_until_write())
            except queue.Empty:
                self._write_noted()
                continue
            if job is None:
                break
            job()
        self._write_noted()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _seconds_until_write(self) -> float | None:
        with self._lock:
            if not self._noted:
                return None
        return max(0.0, self._last_write + PROGRESS_SECONDS - time.monotonic())

    def _write_noted(self) -> None:
        with self._lock:
            noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            self._attempt(lambda database: database.save(noted.values()))
        except StorageError as problem:
            self.problem = problem
        else:
            self.problem = None
        self._last_write = time.monotonic()


def _wake() -> None:
    """Do nothing: the loop looks at the clock again."""
