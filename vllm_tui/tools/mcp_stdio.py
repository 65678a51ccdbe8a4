"""The pipe to an MCP server we start: lines of JSON with a bound on their length and number, and a sure end.

The official SDK's own pipe keeps reading a line however long it grows, and leaves children alone that left the
process group; everything above the pipe is the SDK's.
"""

from __future__ import annotations

import asyncio
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from vllm_tui.tools.process import RUN_MARK, Command, kill_run, scrubbed_environment
from vllm_tui.tools.tool import ToolFailed

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

MAX_LINE = 4_000_000
"""Bytes of one message."""
MAX_UNASKED = 10_000
"""Messages a server may send while it was asked nothing new."""
_TAIL = 2_000
_CLOSE_SECONDS = 2.0


class ServerTail:
    """The last words a server wrote to its standard error, why its pipe was closed, and whether it is."""

    def __init__(self) -> None:
        self.errors = b""
        self.reason: str | None = None
        self.ended = asyncio.Event()

    def words(self) -> str:
        """Say why the server is gone, as far as is known."""
        last = self.errors.decode("utf-8", "replace").strip().splitlines()
        return self.reason or (f"its last words: {last[-1][:300]}" if last else "it said nothing")


@asynccontextmanager
async def stdio_streams(
    command: Command, tail: ServerTail
) -> AsyncIterator[
    tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]
]:
    """Start a server and give the SDK its two streams. Raises ToolFailed when it can't be started."""
    import anyio

    mark = uuid.uuid4().hex
    process = await _start(command, mark)
    incoming, given = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
    taken, outgoing = anyio.create_memory_object_stream["SessionMessage"](0)
    pipe = _Pipe(process, mark, tail)
    tasks = [
        asyncio.ensure_future(pipe.read(incoming)),
        asyncio.ensure_future(pipe.write(outgoing)),
        asyncio.ensure_future(pipe.listen()),
    ]
    try:
        yield given, taken
    finally:
        for stream in (incoming, given, taken, outgoing):
            stream.close()
        await asyncio.shield(_end(process, mark, tasks))


async def _start(command: Command, mark: str) -> Process:
    environment = scrubbed_environment(command.env) | {RUN_MARK: mark}
    try:
        return await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=command.cwd,
            env=environment,
            start_new_session=True,
            limit=MAX_LINE,
        )
    except (OSError, ValueError) as error:
        raise ToolFailed(f"{command.argv[0]} could not be started: {error}.") from error


async def _end(process: Process, mark: str, tasks: Sequence[asyncio.Future[None]]) -> None:
    """Let the server leave by itself for a moment, then kill all of it."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await process.wait()
    kill_run(process.pid, mark)
    await process.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


class _Pipe:
    """The three ends of a server process."""

    def __init__(self, process: Process, mark: str, tail: ServerTail) -> None:
        self._process = process
        self._mark = mark
        self._tail = tail
        self._unasked = 0

    async def read(self, incoming: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Hand on messages; then throw away what still comes, as a full pipe would hide the end of the process."""
        import anyio

        assert self._process.stdout is not None
        with incoming, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            while line := await self._line(self._process.stdout):
                await incoming.send(_message(line))
        self._tail.ended.set()
        while await self._process.stdout.read(65_536):
            pass

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        """Return the next line, or nothing at the end. A server that sends too much is killed."""
        self._unasked += 1
        if self._unasked > MAX_UNASKED:
            return self._flooded(f"it sent more than {MAX_UNASKED:,} messages unasked")
        try:
            return await stdout.readline()
        except ValueError:
            return self._flooded(f"it sent a message of more than {MAX_LINE // 1_000_000} MB")

    def _flooded(self, reason: str) -> bytes:
        self._tail.reason = reason
        kill_run(self._process.pid, self._mark)
        return b""

    async def write(self, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with outgoing, suppress(ConnectionError):
            async for message in outgoing:
                self._unasked = 0
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                stdin.write(text.encode("utf-8") + b"\n")
                await stdin.drain()

    async def listen(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(65_536):
            self._tail.errors = (self._tail.errors + data)[-_TAIL:]


def _message(line: bytes) -> SessionMessage | Exception:
    from mcp.shared.message import SessionMessage
    from mcp.types import jsonrpc_message_adapter

    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error
