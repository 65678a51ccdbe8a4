"""Where a conversation's tools come from, as the person configured it; a source that fails is a note, not a crash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.values import Value
from vllm_tui.tools.files import build_file_tools
from vllm_tui.tools.mcp_server import McpServer, McpServerConfig
from vllm_tui.tools.pins import Pins
from vllm_tui.tools.python_tools import PythonModule, load_python_tools
from vllm_tui.tools.registry import Registry, build_builtins, tool_problem
from vllm_tui.tools.tool import Tool, ToolFailed
from vllm_tui.tools.tool_files import load_tool_file

_CHECK_SECONDS = 10.0


class ToolsConfig(Value):
    """Tools from the person's own configuration. `pins` is the file that remembers accepted MCP tools.

    `folder` is what `list_files` and `read_file` may see; `python` holds module names or paths ending in .py.
    """

    folder: str | None = None
    python: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    mcp: tuple[McpServerConfig, ...] = ()
    pins: str | None = None


class ToolSources:
    """The registry of a conversation and what keeps it filled. Open it off the main path; close it at the end."""

    def __init__(self, config: ToolsConfig | None = None, *, is_demo: bool = False) -> None:
        """Register the built-in tools, whose schemas need no check; the rest comes with `open`."""
        self.config = config or ToolsConfig()
        self.registry = Registry(build_builtins(is_demo=is_demo), check=lambda tool: None)
        self.is_open = False
        self._servers: list[McpServer] = []
        self._pins = Pins()

    async def open(self) -> None:
        """Load files and modules and connect to servers, at the same time; what fails is noted in the registry."""
        self.is_open = True
        self._load_pins()
        self.registry.on_approved = self._accept
        for tools in self._read_files():
            await self._add(tools)
        modules = [self._load_python(name) for name in self.config.python]
        await asyncio.gather(*modules, *(self._connect(server) for server in self.config.mcp))

    async def close(self) -> None:
        """Close every server."""
        servers, self._servers = self._servers, []
        await asyncio.gather(*(server.close() for server in servers))

    async def connect_again(self, name: str) -> None:
        """Close a server and open it anew; raises ConfigurationError for an unknown name."""
        config = next((entry for entry in self.config.mcp if entry.name == name), None)
        if config is None:
            raise ConfigurationError(f"There is no MCP server called {name!r} in the configuration.")
        for server in [entry for entry in self._servers if entry.config.name == name]:
            self._servers.remove(server)
            await server.close()
        self.registry.remove("mcp", name)
        await self._connect(config)

    def _load_pins(self) -> None:
        if self.config.pins is None:
            return
        try:
            self._pins = Pins(Path(self.config.pins).expanduser())
        except ConfigurationError as error:
            self.registry.note(str(error))

    def _read_files(self) -> Iterator[Sequence[Tool]]:
        readers: list[Callable[[], Sequence[Tool]]] = []
        if self.config.folder is not None:
            readers.append(partial(build_file_tools, Path(self.config.folder)))
        readers += [partial(load_tool_file, Path(name).expanduser()) for name in self.config.files]
        for read in readers:
            try:
                yield read()
            except ConfigurationError as error:
                self.registry.note(str(error))

    async def _load_python(self, name: str) -> None:
        try:
            found = await load_python_tools(PythonModule(name))
        except ToolFailed as error:
            self.registry.note(f"The tools of {name} could not be loaded: {error}")
            return
        for problem in found.problems:
            self.registry.note(f"{name}: {problem}")
        await self._add(found.tools)

    async def _connect(self, config: McpServerConfig) -> None:
        server = McpServer(config, partial(self._take, config.name), partial(self._lose, config.name))
        self._servers.append(server)
        try:
            await server.open()
        except ToolFailed as error:
            self._servers.remove(server)
            self.registry.note(str(error))

    async def _take(self, name: str, tools: Sequence[Tool]) -> None:
        """Replace the tools of a server; those that differ from what was accepted wait for the person."""
        off = {entry.name for entry in self.registry.listings if not entry.is_enabled}
        self.registry.remove("mcp", name)
        await self._add(tools, off)
        self._keep_pins()

    def _lose(self, name: str, why: str) -> None:
        self.registry.remove("mcp", name)
        self.registry.note(f"The MCP server {name} is gone: {why}. Its tools are no longer offered.")

    def _accept(self, tool: Tool) -> None:
        if tool.kind == "mcp":
            self._pins.accept(tool)
            self._keep_pins()

    def _keep_pins(self) -> None:
        try:
            self._pins.save()
        except ConfigurationError as error:
            self.registry.note(str(error))

    async def _add(self, tools: Sequence[Tool], off: Collection[str] = ()) -> None:
        problems = await asyncio.to_thread(_problems, tools)
        for tool, problem in zip(tools, problems, strict=True):
            changed = self._pins.difference(tool) if tool.kind == "mcp" else None
            try:
                self.registry.add(
                    tool, is_enabled=tool.name not in off, changed=changed, check=partial(_known, problem)
                )
            except ConfigurationError as error:
                self.registry.note(str(error))


def _known(problem: str | None, tool: Tool) -> str | None:
    return problem


def _problems(tools: Sequence[Tool]) -> list[str | None]:
    """Check tools one by one, for some seconds altogether."""
    deadline = time.monotonic() + _CHECK_SECONDS
    late = "its source has too many schemas that take long to check"
    return [tool_problem(tool) if time.monotonic() < deadline else late for tool in tools]
