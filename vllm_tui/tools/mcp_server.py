"""One MCP server: started or reached, listed, called, and closed. The official SDK is loaded when it is opened."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject, JsonValue, Value
from vllm_tui.tools.mcp_stdio import ServerTail, stdio_streams
from vllm_tui.tools.process import Command
from vllm_tui.tools.registry import NAME_LIMIT
from vllm_tui.tools.tool import Tool, ToolFailed, ToolFunction, ToolOutput

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client._transport import Transport, TransportStreams
    from mcp.types import CallToolResult
    from mcp.types import Tool as McpTool

_CONNECT_SECONDS = 20.0
_CLOSE_SECONDS = 10.0
_REFRESH_SECONDS = 1.0
_MAX_TOOLS = 500
_MAX_PAGES = 50


class McpServerConfig(Value):
    """A server from the person's own configuration: a command to start (no shell), or the URL of a running one.

    `env` is added to the few variables that are passed on; `headers` go with every request to the URL.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str | None = None
    cwd: str | None = None
    env: dict[str, str] | None = None
    headers: dict[str, str] | None = None


class McpServer:
    """A connection with its tools. `on_tools` is told of a new list, `on_gone` once when the server is gone."""

    def __init__(
        self,
        config: McpServerConfig,
        on_tools: Callable[[Sequence[Tool]], Awaitable[None]],
        on_gone: Callable[[str], None],
    ) -> None:
        self.config = config
        self._on_tools = on_tools
        self._on_gone = on_gone
        self._tail = ServerTail()
        self._client: Client | None = None
        self._owner: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()

    async def open(self, seconds: float = _CONNECT_SECONDS) -> None:
        """Connect and list; `on_tools` has been called when this returns. Raises ToolFailed with the reason."""
        problem = config_problem(self.config)
        if problem:
            raise ToolFailed(f"The MCP server {self.config.name} is not set up: {problem}.")
        self._owner = asyncio.create_task(self._own(), name=f"mcp {self.config.name}")
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._owner, ready}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            if not self._ready.is_set():
                await self.close()
        if not self._ready.is_set():
            raise ToolFailed(f"The MCP server {self.config.name} did not start: {self._why(seconds)}.")
        self._owner.add_done_callback(self._tell_gone)

    async def close(self) -> None:
        """End the connection, and the server if we started it. Safe to call at any time."""
        owner = self._owner
        if owner is None:
            return
        self._closing.set()
        if not self._ready.is_set():
            owner.cancel()
        await asyncio.wait({owner}, timeout=_CLOSE_SECONDS)
        if not owner.done():
            owner.cancel()
            await asyncio.wait({owner})

    async def _own(self) -> None:
        """Hold the connection from one task, as the SDK's scopes ask for; load the SDK beside the event loop."""
        await asyncio.to_thread(import_module, "mcp")
        from mcp import Client
        from mcp.types import ToolListChangedNotification

        async def on_message(message: object) -> None:
            if isinstance(message, ToolListChangedNotification):
                self._changed.set()

        async with Client(self._transport(), message_handler=on_message) as client:
            self._client = client
            try:
                await self._refresh(client)
                self._ready.set()
                await self._until_closed(client)
            finally:
                self._client = None

    async def _until_closed(self, client: Client) -> None:
        closing = asyncio.ensure_future(self._closing.wait())
        ended = asyncio.ensure_future(self._tail.ended.wait())
        try:
            while not closing.done() and not ended.done():
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({closing, ended, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if self._changed.is_set():
                    self._changed.clear()
                    await self._refresh(client)
                    await asyncio.wait({closing, ended}, timeout=_REFRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
            ended.cancel()

    async def _refresh(self, client: Client) -> None:
        from mcp.types import PaginatedRequestParams

        found: list[McpTool] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            found += page.tools
            cursor = page.next_cursor
            if not cursor or len(found) >= _MAX_TOOLS:
                break
        await self._on_tools([self._tool(entry) for entry in found[:_MAX_TOOLS]])

    def _tool(self, entry: McpTool) -> Tool:
        spec = ToolSpec(
            name=offered_name(self.config.name, entry.name),
            description=entry.description,
            parameters=_schema(entry.input_schema),
        )
        title = f"{self.config.name}/{entry.name}"
        return Tool(spec, "mcp", self._runs(entry.name), origin=self.config.name, title=title)

    def _runs(self, name: str) -> ToolFunction:
        async def run(arguments: JsonObject) -> ToolOutput:
            return await self._call(name, arguments)

        return run

    async def _call(self, name: str, arguments: JsonObject) -> ToolOutput:
        import anyio
        from mcp import MCPError
        from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult

        if self._client is None:
            raise ToolFailed(f"The MCP server {self.config.name} is gone: {self._tail.words()}.")
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=dict(arguments)))
        try:
            result = await self._client.session.send_request(request, CallToolResult)
        except MCPError as error:
            gone = f" The server is gone: {self._tail.words()}." if self._tail.ended.is_set() else ""
            raise ToolFailed(f"{self.config.name}: {error.message}.{gone}") from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise ToolFailed(f"The MCP server {self.config.name} is gone: {self._tail.words()}.") from error
        except ValueError as error:
            raise ToolFailed(f"{self.config.name} sent an answer that is no tool result.") from error
        output = _output(result)
        if result.is_error:
            raise ToolFailed(output if isinstance(output, str) else str(output))
        return output

    @asynccontextmanager
    async def _http(self) -> AsyncIterator[TransportStreams]:
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        assert self.config.url is not None
        async with (
            create_mcp_http_client(headers=dict(self.config.headers or {})) as http,
            streamable_http_client(self.config.url, http_client=http) as streams,
        ):
            yield streams

    def _transport(self) -> Transport:
        if self.config.url is not None:
            return self._http()
        command = Command(self.config.command, cwd=self.config.cwd, env=self.config.env or {})
        return stdio_streams(command, self._tail)

    def _why(self, seconds: float) -> str:
        assert self._owner is not None
        if not self._owner.done() or self._owner.cancelled():
            return f"no answer within {seconds:g} seconds"
        error = self._owner.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, ImportError):
            return 'the MCP library is not installed; run: pip install "vllm-tui[mcp]"'
        if isinstance(error, ToolFailed):
            return str(error).rstrip(".")
        return f"{error}; {self._tail.words()}" if self.config.url is None else str(error or "it closed the connection")

    def _tell_gone(self, owner: asyncio.Task[None]) -> None:
        if not owner.cancelled():
            owner.exception()
        if not self._closing.is_set():
            self._on_gone(self._tail.words())


def servers_from(described: JsonObject) -> tuple[tuple[McpServerConfig, ...], tuple[str, ...]]:
    """Return the servers of a configuration, by name; those that can't be used are left out with the reason."""
    found: list[McpServerConfig] = []
    problems: list[str] = []
    for name, entry in described.items():
        try:
            config = McpServerConfig.model_validate(
                {**(entry if isinstance(entry, dict) else {"url": entry}), "name": name}
            )
            problem = config_problem(config)
        except ValueError as error:  # of pydantic: a line of its own, then where and what; what was given stays out
            _, where, what, *_ = [*str(error).splitlines(), "", ""]
            problem = f"{where}: {what.partition(' [type=')[0].strip()}"
        if problem is None:
            found.append(config)
        else:
            problems.append(f"mcp_servers: {name} is left out; {problem}.")
    return tuple(found), tuple(problems)


def config_problem(config: McpServerConfig) -> str | None:
    """Say what is wrong with a server's configuration, or None."""
    if bool(config.command) == bool(config.url):
        return "give either command or url"
    parts = urlsplit(config.url or "")
    if config.url and (parts.scheme not in ("http", "https") or not parts.hostname):
        return "the url must begin with http:// or https://"
    if parts.username or parts.password:
        return "put credentials into headers, not into the url"
    return None


def offered_name(server: str, tool: str) -> str:
    """Return the name the model sees, `server__tool`, in characters every server takes; a long one ends in a hash."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}__{tool}")
    if len(name) <= NAME_LIMIT and name == f"{server}__{tool}":
        return name
    mark = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "replace")).hexdigest()[:8]
    return f"{name[: NAME_LIMIT - 9]}_{mark}"


def _schema(schema: dict[str, JsonValue]) -> JsonObject:
    return dict(schema)


def _output(result: CallToolResult) -> ToolOutput:
    """Return the structured result if there is one, else the texts; pictures and sounds are described."""
    if isinstance(result.structured_content, dict):
        return dict(result.structured_content)
    return "\n".join(_content(part) for part in result.content)


def _content(part: object) -> str:
    text = getattr(part, "text", None)
    if isinstance(text, str):
        return text
    data, kind = getattr(part, "data", None), getattr(part, "mime_type", None)
    size = f", about {len(data) * 3 // 4:,} bytes" if isinstance(data, str) else ""
    return f"[{getattr(part, 'type', 'content')} {kind or ''}{size}, not shown]"
