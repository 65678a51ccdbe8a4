"""A toolbox with a tool that must be asked for, and answers in which a model calls it."""

from __future__ import annotations

import asyncio
from itertools import count

from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider, Step, answer
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.events import BlockFinished, BlockStarted, ResponseFinished
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.registry import Registry, build_builtins
from vllm_tui.tools.tool import Tool, ToolFailed
from vllm_tui.tools.toolbox import CheckedToolbox

PARAMETERS: JsonObject = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "description": "For example *.log"},
        "folder": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1},
    },
    "required": ["pattern"],
    "additionalProperties": False,
}
ASKED: JsonObject = {"pattern": "*.log", "folder": "/var/log", "limit": 10}


class Search:
    """A tool that touches the machine; keeps what it was run with."""

    def __init__(self, result: JsonValue = None) -> None:
        self.runs: list[JsonObject] = []
        self.held: asyncio.Event | None = None
        self._result: JsonValue = {"files": ["a.log", "b.log"], "more": False} if result is None else result

    async def run(self, arguments: JsonObject) -> JsonValue:
        self.runs.append(arguments)
        if self.held is not None:
            await self.held.wait()
        if arguments.get("pattern") == "fail":
            raise ToolFailed("the disk is gone")
        return self._result

    @property
    def tool(self) -> Tool:
        spec = ToolSpec(name="search_files", description="Search files by name.", parameters=PARAMETERS)
        return Tool(spec, "file", self.run, origin="tools.json")


def call(call_id: str = "call_1", given: JsonObject | str | None = None, name: str = "search_files") -> ToolCallBlock:
    arguments = ASKED if given is None else given
    problem = "The arguments are not valid JSON." if isinstance(arguments, str) else None
    raw = arguments if isinstance(arguments, str) else None
    return ToolCallBlock(id=call_id, name=name, input=arguments, raw_arguments=raw, problem=problem)


def calling(*calls: ToolCallBlock) -> list[Step]:
    """Return an answer that is nothing but calls."""
    steps: list[Step] = []
    for at, block in enumerate(calls):
        steps += [BlockStarted(at, "tool_call", block.name, block.id), BlockFinished(at, block)]
    return [*steps, ResponseFinished(ChatResponse(content=calls, finish_reason="tool_calls", status="completed"))]


def search_backend(search: Search, *calls: ToolCallBlock, more: tuple[list[Step], ...] = ()) -> ScriptedBackend:
    """Return a backend whose model makes `calls`, then answers; its clock moves a quarter of a second a look."""
    ticks = count()
    registry = Registry([*build_builtins(), search.tool])
    toolbox = CheckedToolbox(registry, monotonic=lambda: next(ticks) / 4)
    first = calling(*(calls or (call(),)))
    return ScriptedBackend(ScriptedProvider(first, *more, answer("There are two.")), tools=toolbox)
