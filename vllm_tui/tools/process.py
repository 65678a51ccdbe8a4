"""Runs a program without a shell: scrubbed environment, bounded output, and nothing of it left running afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from vllm_tui.tools.tool import ToolFailed

MAX_OUTPUT = 20_000_000
"""Bytes a program may print before it is stopped; what is kept of it is cut further by the runner."""
RUN_MARK = "VLLM_TUI_TOOL_RUN"
_PASSED_ON = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SYSTEMROOT"})
_PROC = Path("/proc")
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments; `env` is added to the few variables that are passed on."""

    argv: tuple[str, ...]
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program printed and how it ended; `is_flooded`: it was stopped because it printed too much."""

    stdout: bytes
    stderr: bytes
    exit_code: int
    is_flooded: bool


def scrubbed_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment a tool gets: path, home, language and time zone, plus `extra`. No keys, no tokens."""
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    return kept | {"TERM": "dumb"} | dict(extra)


class _Sink(asyncio.Protocol):
    """Collects what comes out of a pipe, up to a limit."""

    def __init__(self, limit: int, flooded: asyncio.Event) -> None:
        self.data = bytearray()
        self.closed = asyncio.Event()
        self._limit = limit
        self._flooded = flooded

    def data_received(self, data: bytes) -> None:
        self.data += data[: self._limit - len(self.data)]
        if len(self.data) >= self._limit:
            self._flooded.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def run_process(command: Command, given: bytes = b"", *, limit: int = MAX_OUTPUT) -> Finished:
    """Run a program with `given` on its standard input until it ends, prints too much, or the caller is cancelled.

    Everything it started is killed when it ends. Raises ToolFailed when it can't be started.
    """
    mark = uuid.uuid4().hex
    flooded = asyncio.Event()
    out, err = _Sink(limit, flooded), _Sink(limit, flooded)
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        async with _pipe(out) as out_end, _pipe(err) as err_end:
            process = await _start(command, source.fileno(), out_end.fileno(), err_end.fileno(), mark)
            out_end.close()
            err_end.close()
            exit_code = await _until_gone(process, flooded, mark)
            await _drain(out, err)
    return Finished(bytes(out.data), bytes(err.data), exit_code, flooded.is_set())


@asynccontextmanager
async def _pipe(sink: _Sink) -> AsyncIterator[FileIO]:
    """Give the writing end of a pipe whose reading end feeds the sink."""
    read_end, write_end = os.pipe()
    with FileIO(write_end, "w") as writer, FileIO(read_end, "r") as reader:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: sink, reader)
        try:
            yield writer
        finally:
            transport.close()
            await sink.closed.wait()


async def _until_gone(process: asyncio.subprocess.Process, flooded: asyncio.Event, mark: str) -> int:
    try:
        await _first(process.wait(), flooded.wait())
    finally:
        kill_run(process.pid, mark)
        code = await asyncio.shield(process.wait())
    return code


async def _start(command: Command, source: int, out: int, err: int, mark: str) -> asyncio.subprocess.Process:
    environment = scrubbed_environment(command.env) | {RUN_MARK: mark}
    try:
        return await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=source,
            stdout=out,
            stderr=err,
            cwd=command.cwd,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ToolFailed(f"{command.argv[0]} could not be started: {reason}.") from error


async def _first(*waits: Coroutine[object, object, object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _drain(*sinks: _Sink) -> None:
    """Wait until the pipes are read to their end, a moment at most: a stray child may still hold one open."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            for sink in sinks:
                await sink.closed.wait()


def kill_run(pid: int, mark: str) -> None:
    """Kill the process group of `pid`, and on Linux also what left the group but carries the mark of this run."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for _ in range(5):
        if sum(_kill_marked(entry, mark) for entry in _PROC.glob("[0-9]*")) == 0:
            return


def _kill_marked(entry: Path, mark: str) -> bool:
    """Kill one process if it carries the mark; the handle keeps a reused number from being hit."""
    try:
        handle = os.pidfd_open(int(entry.name))
    except OSError:
        return False
    try:
        if f"{RUN_MARK}={mark}".encode() not in (entry / "environ").read_bytes():
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
