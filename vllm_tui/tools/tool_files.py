"""Tool files: JSON with a tool's spec, and if it should run, the program (no shell) that gets the arguments as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.output import decode_text, describe_binary
from vllm_tui.tools.process import MAX_OUTPUT, Command, Finished, run_process
from vllm_tui.tools.tool import Tool, ToolFailed, ToolFunction, ToolOutput

MAX_FILE_BYTES = 1_000_000
_SPEC_KEYS = {"type", "name", "description", "parameters", "strict"}
_RUN_KEYS = {"command", "env"}
_LAST_WORDS = 2_000


def load_tool_file(path: Path) -> tuple[Tool, ...]:
    """Read the tools of a JSON file: one object, a list, or `{"tools": [...]}`. Raises ConfigurationError.

    A tool is `{"name", "description", "parameters"}`, flat or inside `function` as in Chat Completions. With
    `"command": ["program", "argument"]` it runs that program in the file's folder, arguments as JSON on standard
    input, result from standard output; `"env"` adds variables. Without a command a person answers each call.
    """
    entries = _entries(path, _parsed(path))
    return tuple(_tool(_Entry(path, number, entry)) for number, entry in enumerate(entries, start=1))


def _parsed(path: Path) -> JsonValue:
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigurationError(f"The tool file {path} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        value: JsonValue = json.loads(data)
    except OSError as error:
        raise ConfigurationError(f"The tool file {path} can't be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(f"The tool file {path} is not JSON: {reason}.") from error
    return value


def _entries(path: Path, value: JsonValue) -> list[JsonObject]:
    if isinstance(value, dict) and "tools" in value:
        value = value["tools"]
    entries = value if isinstance(value, list) else [value]
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(f"The tool file {path} holds no tools.", hint="It should hold an object with a name.")
    return [entry for entry in entries if isinstance(entry, dict)]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tool of a file, and how to complain about it."""

    path: Path
    number: int
    content: JsonObject

    def wrong(self, words: str) -> ConfigurationError:
        return ConfigurationError(f"Tool {self.number} of {self.path}: {words}.")

    def texts(self, key: str, value: JsonValue) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self.wrong(f"{key} must be a list of texts, the program first")
        return tuple(str(item) for item in value)


def _tool(entry: _Entry) -> Tool:
    content = entry.content
    inner = content.get("function")
    if isinstance(inner, dict):
        content = {**{key: value for key, value in content.items() if key != "function"}, **inner}
    unknown = sorted(set(content) - _SPEC_KEYS - _RUN_KEYS)
    if unknown:
        raise entry.wrong(f"{', '.join(unknown)} is not known here")
    name, description = content.get("name"), content.get("description")
    parameters = content.get("parameters", {"type": "object", "properties": {}})
    if not isinstance(name, str) or not name:
        raise entry.wrong("it has no name")
    if not isinstance(description, str | None) or not isinstance(parameters, dict):
        raise entry.wrong("description must be text and parameters an object")
    spec = ToolSpec(name=name, description=description, parameters=parameters)
    function = _runs(_command(entry, content)) if "command" in content else None
    return Tool(spec, "file", function, origin=str(entry.path))


def _command(entry: _Entry, content: JsonObject) -> Command:
    argv = entry.texts("command", content["command"])
    env = content.get("env", {})
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise entry.wrong("env must be an object of texts")
    folder = entry.path.expanduser().resolve().parent
    program = str(folder / argv[0]) if "/" in argv[0] else argv[0]
    return Command((program, *argv[1:]), cwd=str(folder), env={key: str(value) for key, value in env.items()})


def _runs(command: Command) -> ToolFunction:
    async def run(arguments: JsonObject) -> ToolOutput:
        given = json.dumps(arguments).encode("ascii")
        return result_of(await run_process(command, given))

    return run


def result_of(finished: Finished) -> ToolOutput:
    """Return what a program printed; raises ToolFailed when it failed or printed too much."""
    if finished.is_flooded:
        start = last_words(finished.stdout[:_LAST_WORDS])
        raise ToolFailed(f"The program was stopped: it printed more than {MAX_OUTPUT // 1_000_000} MB.\n{start}")
    if finished.exit_code:
        how = f"exit code {finished.exit_code}" if finished.exit_code > 0 else f"signal {-finished.exit_code}"
        raise ToolFailed(f"The program failed ({how}). {last_words(finished.stderr or finished.stdout)}".rstrip())
    return finished.stdout if decode_text(finished.stdout) is None else finished.stdout.decode("utf-8", "ignore")


def last_words(data: bytes) -> str:
    """Return the end of what was printed, as text."""
    end = data[-_LAST_WORDS:]
    return describe_binary(data) if b"\x00" in end else end.decode("utf-8", "replace").strip()
