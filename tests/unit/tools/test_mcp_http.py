"""MCP over streamable HTTP: a small server in the test answers, refuses, hangs, and goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from vllm_tui.tools.mcp_server import McpServerConfig
from vllm_tui.tools.runner import Limits, Ran, run_tool
from vllm_tui.tools.sources import ToolsConfig, ToolSources

pytest.importorskip("mcp")
ECHO = {"name": "echo", "description": "Say it again.", "inputSchema": {"type": "object", "properties": {}}}


class Box:
    """Answers JSON-RPC with JSON replies; keeps the headers it was sent."""

    def __init__(self) -> None:
        self.headers: list[str] = []
        self.open: set[asyncio.StreamWriter] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                self.headers += lines
                sizes = [int(line.split(":")[1]) for line in lines if line.startswith("content-length")]
                body = await reader.readexactly(sizes[0]) if sizes else b""
                writer.write(await self._reply(lines[0], body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def _reply(self, request: str, body: bytes) -> bytes:
        message = json.loads(body) if body else {}
        if not request.startswith("post") or "id" not in message:
            status = b"202 Accepted" if request.startswith("post") else b"405 Method Not Allowed"
            return b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n"
        text = json.dumps({"jsonrpc": "2.0", "id": message["id"], **await self._answer(message)}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        return head.encode() + text

    async def _answer(self, message: dict[str, object]) -> dict[str, object]:
        params = message.get("params")
        assert isinstance(params, dict | None)
        match message["method"]:
            case "initialize":
                version = (params or {})["protocolVersion"]
                info = {"name": "box", "version": "1"}
                return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
            case "tools/list":
                return {"result": {"tools": [ECHO]}}
            case "tools/call":
                text = (params or {})["arguments"].get("text")
                if text == "hang":
                    await asyncio.Event().wait()
                return {"result": {"content": [{"type": "text", "text": text}]}}
        return {"error": {"code": -32601, "message": "no such method"}}


@asynccontextmanager
async def serving(box: Box) -> AsyncIterator[str]:
    server = await asyncio.start_server(box, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        for writer in tuple(box.open):
            writer.close()


async def say(sources: ToolSources, text: str, seconds: float = 20.0) -> Ran:
    tool = sources.registry.offered("web__echo")
    assert tool is not None
    return await run_tool(tool, {"text": text}, Limits(seconds=seconds), lambda: 0.0)


async def test_a_server_is_reached_by_url_with_its_headers_and_a_call_that_hangs_is_given_up() -> None:
    box = Box()
    async with serving(box) as url:
        config = McpServerConfig(name="web", url=url, headers={"x-team": "red"})
        sources = ToolSources(ToolsConfig(mcp=(config,)))
        await sources.open()
        try:
            assert sources.registry.notes == ()
            assert await say(sources, "hello") == Ran("done", "hello", 0.0)
            assert (await say(sources, "hang", seconds=0.2)).state == "timed_out"
            assert await say(sources, "again") == Ran("done", "again", 0.0)
            assert "x-team: red" in box.headers
        finally:
            await sources.close()


async def test_a_server_that_went_away_is_an_error_result() -> None:
    async with serving(Box()) as url:
        sources = ToolSources(ToolsConfig(mcp=(McpServerConfig(name="web", url=url),)))
        await sources.open()
        found = await say(sources, "hello")
    try:
        assert found.state == "done"
        gone = await say(sources, "hello", seconds=5.0)
        assert gone.state == "failed"
        assert str(gone.output).startswith("web: ") or "is gone" in str(gone.output)
    finally:
        await sources.close()
