"""A scripted HTTP/1.1 server on the loopback: any bytes at any pace, and a record of what came."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


class Cut:
    """A step that resets the connection."""


CUT = Cut()
Step = bytes | float | asyncio.Event | Cut
"""Bytes to send, seconds to pause, an event to wait for, or the reset."""


@dataclass(frozen=True)
class Reply:
    """One scripted answer; `framing` is `chunked`, `length` or `close` (until the connection ends)."""

    steps: tuple[Step, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"content-type": "text/event-stream"}))
    framing: str = "chunked"

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted", "connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.framing == "chunked":
            lines.append("transfer-encoding: chunked")
        if self.framing == "length":
            lines.append(f"content-length: {sum(len(step) for step in self.steps if isinstance(step, bytes))}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Exchange:
    """One request as it came; `closed` is set once the client has closed the connection."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class SocketServer:
    """Plays replies in order, one a connection; an unexpected request is refused with status 418."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self.replies = list(replies)
        self.exchanges: list[Exchange] = []
        self.arrived = asyncio.Condition()
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def bodies(self) -> list[Any]:
        return [exchange.body for exchange in self.exchanges]

    async def requests(self, count: int) -> Sequence[Exchange]:
        """Wait until `count` requests came."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.exchanges) >= count)
        return self.exchanges

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = await _read_request(reader)
        reply = self.replies.pop(0) if self.replies else Reply((b"no reply is scripted",), 418, {}, "length")
        async with self.arrived:
            self.exchanges.append(exchange)
            self.arrived.notify_all()
        watch = asyncio.create_task(_watch(reader, exchange))
        try:
            await _play(reply, writer)
            if writer.can_write_eof() and not writer.transport.is_closing():
                writer.write_eof()
            await exchange.closed.wait()
        except ConnectionError:
            exchange.closed.set()
        finally:
            watch.cancel()


async def _read_request(reader: asyncio.StreamReader) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        if name:
            headers[name.strip().lower()] = value.strip()
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Exchange(method, path, headers, raw)


async def _watch(reader: asyncio.StreamReader, exchange: Exchange) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(1024):
            pass
    exchange.closed.set()


async def _play(reply: Reply, writer: asyncio.StreamWriter) -> None:
    writer.write(reply.head())
    for step in reply.steps:
        match step:
            case bytes() if step:
                framed = b"%x\r\n%s\r\n" % (len(step), step) if reply.framing == "chunked" else step
                writer.write(framed)
                await writer.drain()
            case float() | int():
                await asyncio.sleep(step)
            case asyncio.Event():
                await step.wait()
            case Cut():
                writer.transport.abort()
                return
    if reply.framing == "chunked":
        writer.write(b"0\r\n\r\n")
    await writer.drain()


@asynccontextmanager
async def socket_server(*replies: Reply) -> AsyncIterator[SocketServer]:
    """Run a server that gives `replies` in order."""
    scripted = SocketServer(replies)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, limit=2**20)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        await scripted.stop()
