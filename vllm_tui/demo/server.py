"""The demo on a loopback socket: a small HTTP/1.1 server for benchmarks and other clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from vllm_tui.demo.app import Answer, ConnectionBroken, DemoServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HOST = "127.0.0.1"
"""The demo listens here and nowhere else."""
MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
_NO_CONTENT = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class _BadRequest(Exception):
    """The bytes are no HTTP request this server takes."""


@asynccontextmanager
async def serve(server: DemoServer, port: int = 0) -> AsyncIterator[int]:
    """Serve on loopback while the context lasts and yield the port; 0 takes a free one. Raise OSError if taken."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        tasks.add(task)
        try:
            await _serve_connection(server, reader, writer)
        finally:
            tasks.discard(task)

    listener = await asyncio.start_server(connected, HOST, port, limit=MAX_HEAD)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve_connection(server: DemoServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            request = await _read_request(reader, writer)
            if request is None:
                return
            answer = await server.answer(request.method, request.path, request.headers, request.body)
            await _write_answer(writer, answer)
            if request.headers.get("connection", "").lower() == "close":
                return
    except _BadRequest:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    except ConnectionBroken:
        writer.transport.abort()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return  # the client went away, or sends what no client would
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Request | None:
    """Return the next request, or None when the client closed between two."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    path, _, protocol = rest.partition(" ")
    if not protocol.startswith("HTTP/1."):
        raise _BadRequest
    pairs = (line.partition(":") for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY or "transfer-encoding" in headers:
        raise _BadRequest
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(length))
    return _Request(method, path.split("?")[0], headers, body)


async def _write_answer(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = {"date": formatdate(usegmt=True), "server": "uvicorn", **answer.headers, "vary": "Origin"}
    if isinstance(answer.body, bytes):
        headers["content-length"] = str(len(answer.body))
    else:
        headers["transfer-encoding"] = "chunked"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{lines}\r\n".encode("latin-1"))
    if isinstance(answer.body, bytes):
        writer.write(answer.body)
        await writer.drain()
        return
    async with aclosing(cast("AsyncGenerator[bytes]", answer.body)) as chunks:
        async for chunk in chunks:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
    writer.write(_NO_CONTENT)
    await writer.drain()
