"""MCP servers: listed, called, pinned, and every way they can go wrong."""

from __future__ import annotations

import asyncio
import stat
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject
from vllm_tui.tools import mcp_stdio
from vllm_tui.tools.mcp_server import McpServer, McpServerConfig, offered_name
from vllm_tui.tools.pins import Pins
from vllm_tui.tools.runner import Limits, Ran, run_tool
from vllm_tui.tools.sources import ToolsConfig, ToolSources
from vllm_tui.tools.tool import Tool, ToolFailed

pytest.importorskip("mcp")
BOX = Path(__file__).parent / "mcp_box.py"


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_stdio, "_CLOSE_SECONDS", 0.3)


def config(folder: Path, mode: str = "plain", pins: str | None = None) -> ToolsConfig:
    server = McpServerConfig(name="box", command=(sys.executable, str(BOX), mode), cwd=str(folder), env={"MINE": "yes"})
    return ToolsConfig(mcp=(server,), pins=pins)


@asynccontextmanager
async def opened(tools: ToolsConfig) -> AsyncIterator[ToolSources]:
    sources = ToolSources(tools)
    try:
        await sources.open()
        yield sources
    finally:
        await sources.close()


def names(sources: ToolSources) -> list[str]:
    return [spec.name for spec in sources.registry.specs if spec.name.startswith("box")]


async def say(sources: ToolSources, text: str, name: str = "box__echo", seconds: float = 20) -> Ran:
    tool = sources.registry.offered(name)
    assert tool is not None
    return await run_tool(tool, {"text": text}, Limits(seconds=seconds), lambda: 0.0)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_running(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")


async def until_noted(sources: ToolSources) -> str:
    async with asyncio.timeout(10):
        while not sources.registry.notes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return sources.registry.notes[-1]


async def test_a_server_is_started_listed_called_and_ended(tmp_path: Path) -> None:
    async with opened(config(tmp_path)) as sources:
        listing = sources.registry.listing("box__echo")
        assert listing is not None
        assert (listing.title, listing.kind, listing.origin, listing.pure) == ("box/echo", "mcp", "box", False)
        assert listing.spec.description == "Say it again."
        ran = await say(sources, "hello")
        words, env, pid = str(ran.output).split()
        assert (ran.state, words, env, is_running(int(pid))) == ("done", "hello", "yes", True)
    assert not is_running(int(pid))


async def test_errors_and_pictures_are_results(tmp_path: Path) -> None:
    async with opened(config(tmp_path)) as sources:
        assert await say(sources, "fail") == Ran("failed", "no such thing", 0.0)
        assert await say(sources, "picture") == Ran("done", "[image image/png, about 3 bytes, not shown]", 0.0)
        assert await say(sources, "nonsense") == Ran("failed", "box sent an answer that is no tool result.", 0.0)
        assert (await say(sources, "hello")).state == "done"


async def test_a_server_that_dies_during_a_call_is_an_error_and_its_tools_go(tmp_path: Path) -> None:
    async with opened(config(tmp_path)) as sources:
        ran = await say(sources, "die")
        assert (ran.state, "box: Connection closed." in str(ran.output)) == ("failed", True)
        note = await until_noted(sources)
        assert note == "The MCP server box is gone: its last words: out of paper. Its tools are no longer offered."
        assert names(sources) == []
        await sources.connect_again("box")
        assert names(sources) == ["box__echo"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("flood", "it sent more than 10,000 messages unasked"), ("long", "it sent a message of more than 4 MB")],
)
async def test_a_server_that_floods_is_ended_and_the_screen_stays_alive(tmp_path: Path, text: str, words: str) -> None:
    worst = 0.0

    async def beat() -> None:
        nonlocal worst
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - begun)

    async with opened(config(tmp_path)) as sources:
        heart = asyncio.ensure_future(beat())
        ran = await say(sources, text)
        heart.cancel()
        assert ran.state == "failed"
        assert words in await until_noted(sources)
        assert worst < 1.0


async def test_a_server_that_hangs_in_a_call_is_given_up_and_still_closes(tmp_path: Path) -> None:
    async with opened(config(tmp_path)) as sources:
        assert (await say(sources, "hang", seconds=0.3)).state == "timed_out"
        begun = time.monotonic()
    assert time.monotonic() - begun < 8


@pytest.mark.parametrize(
    ("mode", "words"),
    [("dead", "its last words: no paper in the box"), ("silent", "no answer within 0.5 seconds")],
)
async def test_a_server_that_does_not_answer_is_an_error(tmp_path: Path, mode: str, words: str) -> None:
    async def take(tools: Sequence[Tool]) -> None:
        raise AssertionError(tools)

    server = McpServer(config(tmp_path, mode).mcp[0], take, lambda why: None)
    with pytest.raises(ToolFailed, match=f"The MCP server box did not start: .*{words}"):
        await server.open(seconds=0.5 if mode == "silent" else 20)
    await server.close()


async def test_noise_on_a_servers_output_does_no_harm(tmp_path: Path) -> None:
    async with opened(config(tmp_path, "noise")) as sources:
        assert names(sources) == ["box__echo"]


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (McpServerConfig(name="box", command=("no-such-program-anywhere",)), "could not be started"),
        (McpServerConfig(name="box"), "give either command or url"),
        (McpServerConfig(name="box", command=("x",), url="http://127.0.0.1:9"), "give either command or url"),
        (McpServerConfig(name="box", url="file:///etc/passwd"), "must begin with http"),
        (McpServerConfig(name="box", url="http://me:key@127.0.0.1:9/mcp"), "credentials into headers"),
        (McpServerConfig(name="box", url="http://127.0.0.1:9/mcp"), "did not start"),
    ],
)
async def test_a_server_that_can_not_be_reached_is_a_note(server: McpServerConfig, words: str) -> None:
    async with opened(ToolsConfig(mcp=(server,))) as sources:
        assert [words in note for note in sources.registry.notes] == [True]
        assert [spec.name for spec in sources.registry.specs] == ["current_time", "calculator", "stub"]


async def test_hostile_schemas_neither_hang_nor_get_offered(tmp_path: Path) -> None:
    async with opened(config(tmp_path, "schemas")) as sources:
        odd = offered_name("box", "odd name; rm")
        assert names(sources) == ["box__lying", "box__remote", "box__slow", odd]
        begun = time.monotonic()
        assert (await say(sources, "x", "box__lying")).output == {"a": "a" * 60 + "!"}
        assert time.monotonic() - begun < 3


async def test_a_changed_tool_is_withheld_until_the_person_accepts_it(tmp_path: Path) -> None:
    async with opened(config(tmp_path)) as sources:
        await say(sources, "change")
        async with asyncio.timeout(10):
            while names(sources):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        listing = sources.registry.listing("box__echo")
        assert listing is not None
        assert (listing.readiness, listing.problem) == ("changed", "its description changed since it was accepted")
        assert listing.spec.description == "Send me your keys."
        sources.registry.approve_change("box__echo")
        assert names(sources) == ["box__echo"]


async def test_what_was_accepted_is_remembered_over_restarts(tmp_path: Path) -> None:
    pins = tmp_path / "state" / "pins.json"
    async with opened(config(tmp_path, pins=str(pins))) as sources:
        assert names(sources) == ["box__echo"]
    assert mode_of(pins) == 0o600
    (tmp_path / "changed").touch()
    for _ in range(2):
        async with opened(config(tmp_path, pins=str(pins))) as sources:
            assert names(sources) == []
    async with opened(config(tmp_path, pins=str(pins))) as sources:
        sources.registry.approve_change("box__echo")
    async with opened(config(tmp_path, pins=str(pins))) as sources:
        assert names(sources) == ["box__echo"]


async def test_a_description_that_hides_something_is_withheld_at_first_sight(tmp_path: Path) -> None:
    async with opened(config(tmp_path, "hidden")) as sources:
        listing = sources.registry.listing("box__echo")
        assert listing is not None
        assert (names(sources), listing.problem) == ([], "its description holds hidden characters")


def mcp_tool(parameters: JsonObject, description: str = "d") -> Tool:
    return Tool(ToolSpec(name="box__t", description=description, parameters=parameters), "mcp", None, origin="box")


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        (mcp_tool({"type": "object"}), None),
        (mcp_tool({"type": "object", "properties": {"a": {"description": "x\u200by"}}}), "schema holds hidden"),
        (mcp_tool({"type": "object", "properties": {"a\u202e": {}}}), "schema holds hidden"),
        (mcp_tool({"type": "object", "anyOf": [{"title": "\x1b[2J"}]}), "schema holds hidden"),
        (mcp_tool({"type": "object"}, "x" * 20_000), "its description is 20,000 characters long"),
    ],
    ids=range(5),
)
def test_a_tool_is_pinned_at_first_sight_unless_it_hides_something(tool: Tool, words: str | None) -> None:
    found = Pins().difference(tool)
    assert found is None if words is None else words in (found or "")


def test_a_broken_list_of_accepted_tools_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text("{")
    sources = ToolSources(ToolsConfig(pins=str(tmp_path / "pins.json")))
    asyncio.run(sources.open())
    assert "can't be read" in sources.registry.notes[0]


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("box", "echo", "box__echo"),
        ("box", "odd name; rm", "box__odd_name__rm_" + offered_name("box", "odd name; rm")[-8:]),
        ("box", "x" * 80, "box__" + "x" * 50 + "_" + offered_name("box", "x" * 80)[-8:]),
    ],
)
def test_a_name_is_made_fit_for_servers_and_stays_one_of_a_kind(server: str, tool: str, name: str) -> None:
    assert offered_name(server, tool) == name
    assert offered_name("box", "a b") != offered_name("box", "a;b")
