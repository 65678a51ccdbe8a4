"""Python functions as tools. They are described and run in a process of their own, so that they can be stopped."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools import python_host
from vllm_tui.tools.process import Command, Finished, run_process
from vllm_tui.tools.tool import Tool, ToolFailed, ToolFunction, ToolOutput
from vllm_tui.tools.tool_files import last_words, result_of

_PYTHON_VARIABLES = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")


@dataclass(frozen=True, slots=True)
class PythonModule:
    """A module by dotted name, or a path that ends in .py; `env` is added to the few variables passed on."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PythonTools:
    """The tools of a module, and why some functions are left out."""

    tools: tuple[Tool, ...]
    problems: tuple[str, ...]


async def load_python_tools(module: PythonModule, *, seconds: float = 20.0) -> PythonTools:
    """Describe the functions of a module (schema from signature and docstring). Raises ToolFailed with the reason."""
    try:
        async with asyncio.timeout(seconds):
            finished = await run_process(_command(module, "describe"))
    except TimeoutError as error:
        raise ToolFailed(f"{module.name} took longer than {seconds:g} seconds to import.") from error
    answer = _answer(finished)
    specs, problems = answer.get("tools"), answer.get("problems")
    if not isinstance(specs, list) or not isinstance(problems, list):
        raise ToolFailed(f"{module.name} could not be described.")
    tools = tuple(_tool(module, spec) for spec in specs if isinstance(spec, dict))
    return PythonTools(tools, tuple(str(problem) for problem in problems))


def _tool(module: PythonModule, spec: JsonObject) -> Tool:
    made = ToolSpec.model_validate(spec)
    return Tool(made, "python", _runs(module, made.name), origin=module.name)


def _runs(module: PythonModule, name: str) -> ToolFunction:
    async def run(arguments: JsonObject) -> ToolOutput:
        given = json.dumps(arguments).encode("ascii")
        answer = _answer(await run_process(_command(module, "call", name), given))
        binary = answer.get("binary")
        return base64.b64decode(binary) if isinstance(binary, str) else answer.get("value")

    return run


def _command(module: PythonModule, verb: str, *rest: str) -> Command:
    name = str(Path(module.name).expanduser().absolute()) if module.name.endswith(".py") else module.name
    kept = {key: os.environ[key] for key in _PYTHON_VARIABLES if key in os.environ}
    argv = (sys.executable, "-P", "-B", str(python_host.__file__), verb, name, *rest)
    return Command(argv, env={**kept, "PYTHONIOENCODING": "utf-8", **module.env})


def _answer(finished: Finished) -> JsonObject:
    try:
        answer: JsonValue = json.loads(finished.stdout) if not finished.is_flooded else None
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and "error" in answer:
        raise ToolFailed(str(answer["error"]))
    if isinstance(answer, dict) and finished.exit_code == 0:
        return answer
    result_of(finished)
    raise ToolFailed(f"The function ended without a result. {last_words(finished.stderr)}".rstrip())
