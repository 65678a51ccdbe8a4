"""Tool files and Python modules: what they may say, and programs that behave badly."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.python_tools import PythonModule, load_python_tools
from vllm_tui.tools.runner import Limits, Ran, run_tool
from vllm_tui.tools.tool import Tool, ToolFailed
from vllm_tui.tools.tool_files import load_tool_file


def write_tool(folder: Path, script: str, **extra: JsonValue) -> Tool:
    """Return a tool that runs a Python script."""
    (folder / "script.py").write_text(script)
    entry: JsonObject = {"name": "job", "command": [sys.executable, "script.py"], **extra}
    (folder / "tool.json").write_text(json.dumps(entry))
    return load_tool_file(folder / "tool.json")[0]


async def run(tool: Tool, arguments: JsonObject | None = None, seconds: float = 20.0) -> Ran:
    return await run_tool(tool, arguments or {}, Limits(seconds=seconds, characters=1000), lambda: 0.0)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while is_running(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def written(path: Path) -> str:
    text = path.read_text() if path.exists() else ""
    return text if text.endswith("\n") else ""


async def until_written(path: Path) -> str:
    async with asyncio.timeout(10):
        while not written(path):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return written(path)


async def test_a_program_gets_the_arguments_and_its_output_is_the_result(tmp_path: Path) -> None:
    tool = write_tool(tmp_path, "import json, sys; print('got', json.load(sys.stdin)['city'])")
    assert (await run(tool, {"city": "Paris"})) == Ran("done", "got Paris\n", 0.0)


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    (tmp_path / "tool.json").write_text(json.dumps({"name": "say", "command": ["echo", "$HOME; `id` && *"]}))
    assert (await run(load_tool_file(tmp_path / "tool.json")[0])).output == "$HOME; `id` && *\n"


async def test_the_environment_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "canary-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-2")
    tool = write_tool(tmp_path, "import os; print(*os.environ.items())", env={"MINE": "yes"})
    output = str((await run(tool)).output)
    assert "canary" not in output
    assert "('MINE', 'yes')" in output


async def test_a_program_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    tool = write_tool(tmp_path, "import sys; print('no such city', file=sys.stderr); sys.exit(3)")
    assert await run(tool) == Ran("failed", "The program failed (exit code 3). no such city", 0.0)


async def test_a_program_that_hangs_is_stopped_at_the_time_limit(tmp_path: Path) -> None:
    ran = await run(write_tool(tmp_path, "import time; time.sleep(600)"), seconds=0.2)
    assert ran == Ran("timed_out", "job was stopped: it took longer than 0.2 seconds.", 0.0)


async def test_children_left_behind_by_a_program_that_ended_are_stopped(tmp_path: Path) -> None:
    script = "import subprocess\nprint(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)\n"
    begun = time.monotonic()
    ran = await run(write_tool(tmp_path, script))
    assert ran.state == "done"
    assert time.monotonic() - begun < 10
    await until_gone(int(str(ran.output)))


async def test_stopping_a_program_stops_all_it_started_before_the_caller_goes_on(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "stray = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "with open('pids', 'w') as f: print(os.getpid(), child.pid, stray.pid, file=f)\n"
        "time.sleep(600)\n"
    )
    running = asyncio.ensure_future(run(write_tool(tmp_path, script)))
    pids = [int(pid) for pid in (await until_written(tmp_path / "pids")).split()]
    assert all(is_running(pid) for pid in pids)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_running(pids[0])
    for pid in pids[1:]:
        await until_gone(pid)


async def test_a_program_that_prints_a_gigabyte_is_stopped_early(tmp_path: Path) -> None:
    begun = time.monotonic()
    ran = await run(write_tool(tmp_path, "import os\nwhile True: os.write(1, b'spam ' * 20000)"))
    assert ran.state == "failed"
    assert str(ran.output).startswith("The program was stopped: it printed more than 20 MB.\nspam spam")
    assert time.monotonic() - begun < 10


async def test_long_output_is_cut_and_says_so(tmp_path: Path) -> None:
    ran = await run(write_tool(tmp_path, "print('x' * 5000)"))
    note = "cut to the first 1,000 of 5,001 characters"
    assert ran == Ran("done", "x" * 1000 + f"\n[{note}]", 0.0, (note,))


async def test_binary_output_is_described(tmp_path: Path) -> None:
    ran = await run(write_tool(tmp_path, "import os; os.write(1, b'\\x89PNG\\r\\n\\x1a\\n' + bytes(100))"))
    words = "Binary data: 108 bytes, a PNG picture, beginning with 89 50 4e 47 0d 0a 1a 0a."
    assert ran == Ran("done", words, 0.0, ("binary output was described, not shown",))


async def test_a_program_that_reads_nothing_gets_large_arguments_all_the_same(tmp_path: Path) -> None:
    assert (await run(write_tool(tmp_path, "print('fine')"), {"a": "x" * 900_000})).output == "fine\n"


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "./missing", "bad\x00name"])
async def test_a_program_that_can_not_start_is_an_error(tmp_path: Path, program: str) -> None:
    (tmp_path / "tool.json").write_text(json.dumps({"name": "job", "command": [program]}))
    ran = await run(load_tool_file(tmp_path / "tool.json")[0])
    assert ran.state == "failed"
    assert "could not be started" in str(ran.output)
    assert open_files() < 100


def test_a_file_may_hold_specs_only_in_the_shapes_people_have(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    path.write_text(
        json.dumps(
            {
                "tools": [
                    {"name": "flat", "description": "d", "parameters": parameters},
                    {"type": "function", "function": {"name": "nested", "parameters": parameters, "strict": True}},
                    {"name": "bare"},
                ]
            }
        )
    )
    tools = load_tool_file(path)
    assert [(tool.name, tool.function, tool.pure) for tool in tools] == [
        ("flat", None, False),
        ("nested", None, False),
        ("bare", None, False),
    ]
    assert tools[1].spec.parameters == parameters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON: it is nested too deeply"),
        ("[]", "holds no tools"),
        ("5", "holds no tools"),
        ('{"tools": [1]}', "holds no tools"),
        ('{"description": "x"}', "Tool 1 of .*: it has no name"),
        ('[{"name": "a"}, {"name": "b", "comand": ["x"]}]', "Tool 2 of .*: comand is not known here"),
        ('{"name": "a", "command": "rm -rf /"}', "command must be a list of texts"),
        ('{"name": "a", "command": []}', "command must be a list of texts"),
        ('{"name": "a", "command": ["x"], "env": {"A": 1}}', "env must be an object of texts"),
        ('{"name": "a", "parameters": []}', "parameters an object"),
        (" " * 1_000_001, "larger than 1 MB"),
    ],
    ids=range(12),
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "tools.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load_tool_file(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: No such file"):
        load_tool_file(tmp_path / "none.json")


MODULE = '''
"""Tools of a person."""
import sys, time
from typing import Annotated, Literal

print("noise on standard output")

def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b (int): The second.
    """
    print("more noise")
    return a + b

async def look(city: str, unit: Literal["c", "f"] = "c", tags: list[str] | None = None) -> dict:
    """Look outside.

    :param city: Where.
    """
    return {"city": city, "unit": unit, "tags": tags}

def fail(why: Annotated[str, "The reason"]):
    raise ValueError(why)

def leave(): sys.exit(7)
def sleep(): time.sleep(600)
def blob() -> bytes: return bytes(range(256))
def huge(): return "x" * 30_000_000
def spread(*values: int): ...
def odd(value: complex): ...
def _private(): ...
'''


@pytest.fixture
def module(tmp_path: Path) -> PythonModule:
    path = tmp_path / "mine.py"
    path.write_text(MODULE)
    return PythonModule(str(path))


async def named(module: PythonModule, name: str) -> Tool:
    return next(tool for tool in (await load_python_tools(module)).tools if tool.name == name)


async def test_functions_become_tools_with_schemas_from_their_signatures(module: PythonModule) -> None:
    found = await load_python_tools(module)
    specs = {tool.name: tool.spec for tool in found.tools}
    assert list(specs) == ["add", "look", "fail", "leave", "sleep", "blob", "huge"]
    assert specs["add"].description == "Add two numbers."
    assert specs["add"].parameters == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "The first."},
            "b": {"type": "integer", "description": "The second.", "default": 2},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    assert specs["look"].parameters["properties"] == {
        "city": {"type": "string", "description": "Where."},
        "unit": {"enum": ["c", "f"], "default": "c"},
        "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None},
    }
    assert specs["fail"].parameters["properties"] == {"why": {"type": "string", "description": "The reason"}}
    assert [problem.split(":")[0] for problem in found.problems] == ["spread is left out", "odd is left out"]


async def test_functions_run_and_what_they_print_is_not_the_result(module: PythonModule) -> None:
    tools = {tool.name: tool for tool in (await load_python_tools(module)).tools}
    assert await run(tools["add"], {"a": 1}) == Ran("done", 3, 0.0)
    assert (await run(tools["look"], {"city": "Oslo"})).output == {"city": "Oslo", "unit": "c", "tags": None}
    assert await run(tools["fail"], {"why": "no luck"}) == Ran("failed", "ValueError: no luck", 0.0)
    assert str((await run(tools["leave"])).output).startswith("The program failed (exit code 7).")
    assert str((await run(tools["blob"])).output).startswith("Binary data: 256 bytes")
    assert str((await run(tools["huge"])).output).startswith("The program was stopped: it printed more than 20 MB")
    assert str((await run(tools["add"], {"c": 1})).output).startswith("TypeError: add() got an unexpected keyword")


async def test_a_function_that_hangs_is_stopped(module: PythonModule) -> None:
    ran = await run(await named(module, "sleep"), seconds=0.5)
    assert ran.state == "timed_out"


@pytest.mark.parametrize(
    ("text", "words"),
    [("raise ImportError('nothing here')", "ImportError: nothing here"), ("import sys; sys.exit(2)", "exit code 2")],
)
async def test_a_module_that_does_not_import_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(ToolFailed, match=words):
        await load_python_tools(PythonModule(str(tmp_path / "bad.py")))


async def test_a_module_that_hangs_while_importing_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(600)")
    with pytest.raises(ToolFailed, match=r"took longer than 0\.3 seconds to import"):
        await load_python_tools(PythonModule(str(tmp_path / "slow.py")), seconds=0.3)


async def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(ToolFailed, match="ModuleNotFoundError"):
        await load_python_tools(PythonModule("no_such_module_anywhere"))
