"""Pictures of the tool bench, compared with those a person has looked at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from tests.support.chat_app import LAUNCH, Chat
from tests.support.scripted_provider import HandClock, Pause, ScriptedBackend, ScriptedProvider, answer
from textual.pilot import Pilot
from vllm_tui.domain.tool_bench import BenchPlan, BenchRun, Outcome
from vllm_tui.tools.builtin import build_calculator, build_current_time, build_demo_weather
from vllm_tui.tools.registry import Registry
from vllm_tui.tools.toolbox import CheckedToolbox
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.screens.toolbench import ToolBenchScreen

Compare = Callable[..., bool]
OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("valid", ""),
    ("valid", ""),
    ("invalid", "unit: must be one of 'celsius', 'fahrenheit', not 'kelvin'"),
    ("valid", ""),
    ("no_call", "It is always sunny in Paris, so 21 °C."),
    ("valid", ""),
    ("wrong_tool", "called current_time"),
    ("valid", ""),
    ("unparsable", "the arguments end in the middle of a text"),
    ("valid", ""),
)


@dataclass
class FixedBench(ScriptedBackend):
    """Answers a bench with runs that were written down, up to a pause."""

    pause: Pause | None = None
    fails: bool = False

    async def bench_tools(self, plan: BenchPlan) -> AsyncGenerator[BenchRun, None]:
        for number in range(plan.runs):
            if self.pause is not None and number == 6:
                self.pause.reached.set()
                await self.pause.opened.wait()
            for effort in plan.efforts:
                outcome, detail = OUTCOMES[number % len(OUTCOMES)]
                if self.fails:
                    outcome, detail = "error", "gpu-box:8000 answered 503: the engine is dead. See journalctl -u vllm."
                seconds = 1.25 + number % 3 / 4 + (2 if effort == "high" else 0)
                calls = 0 if outcome in ("no_call", "error") else 1
                yield BenchRun(effort, number, outcome, calls, seconds, 38 + number if calls else None, detail)


def toolbox() -> CheckedToolbox:
    return CheckedToolbox(Registry([build_demo_weather(), build_current_time(), build_calculator()]))


Steps = Callable[[Chat], Awaitable[None]]


def picture(
    compare: Compare, backend: FixedBench, steps: Steps, *, size: tuple[int, int] = (120, 40), theme: str = "dark"
) -> bool:
    backend.tools = toolbox()
    app = ChatApp(replace(LAUNCH, theme=theme), backend, clock=HandClock())

    async def prepare(pilot: Pilot[int | None]) -> None:
        chat = Chat(app, pilot, backend)
        await chat.opened()
        await chat.ask("What is the weather in Paris, in degrees Celsius?")
        await chat.send("/toolbench")
        await chat.until(lambda: isinstance(app.screen, ToolBenchScreen))
        await pilot.pause()
        await steps(chat)
        await pilot.pause()

    return compare(app, terminal_size=size, run_before=prepare)


def provider() -> ScriptedProvider:
    return ScriptedProvider(answer("It is 21 °C."))


async def wait(chat: Chat) -> None:
    await chat.pilot.pause()


async def two_efforts(chat: Chat) -> None:
    await chat.press("down", "down", "down", "down", "enter", "space", "down", "down", "space", "down", "down", "space")
    await chat.press("enter")
    await chat.until(lambda: isinstance(chat.app.screen, ToolBenchScreen))


async def finished(chat: Chat) -> None:
    await two_efforts(chat)
    await chat.press("f5")
    screen = chat.app.screen
    assert isinstance(screen, ToolBenchScreen)
    await chat.until(lambda: len(screen._bench.runs) == 40 and not screen.is_measuring)
    await chat.press("tab", "up", "up")


SIZES = pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 50)], ids=["120x40", "80x24", "200x50"])


@SIZES
def test_before(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, FixedBench(provider()), wait, size=size)


@SIZES
def test_running(snap_compare: Compare, size: tuple[int, int]) -> None:
    backend = FixedBench(provider(), pause=Pause())

    async def run(chat: Chat) -> None:
        await two_efforts(chat)
        await chat.press("f5")
        assert backend.pause is not None
        await chat.until(backend.pause.reached.is_set)

    assert picture(snap_compare, backend, run, size=size)


@SIZES
def test_finished(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, FixedBench(provider()), finished, size=size)


@pytest.mark.parametrize("theme", ["light", "terminal"])
def test_finished_in_other_themes(snap_compare: Compare, theme: str) -> None:
    assert picture(snap_compare, FixedBench(provider()), finished, theme=theme)


def test_every_request_fails(snap_compare: Compare) -> None:
    assert picture(snap_compare, FixedBench(provider(), fails=True), finished, size=(80, 24))


def test_choosing_tools(snap_compare: Compare) -> None:
    async def choose(chat: Chat) -> None:
        await chat.press("down", "enter", "down", "space")

    assert picture(snap_compare, FixedBench(provider()), choose, size=(80, 24))
