"""Pictures of the chat, compared with those a person has looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
from tests.support.chat_app import LAUNCH, Chat
from tests.support.scripted_provider import (
    MODEL,
    FixedTools,
    HandClock,
    Pause,
    ScriptedBackend,
    ScriptedProvider,
    Step,
    Wait,
    answer,
)
from textual.app import App
from textual.pilot import Pilot
from vllm_tui.domain.blocks import ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import ConnectionFailed, ServerError
from vllm_tui.domain.events import BlockFinished, BlockStarted, RetryScheduled
from vllm_tui.domain.response import ModelInfo
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.launch import Sample
from vllm_tui.ui.screens.help import HelpScreen
from vllm_tui.ui.screens.pick import PickScreen

Compare = Callable[..., bool]
Scene = Callable[[Chat], Awaitable[None]]

QUESTION = "Why does paged attention reduce fragmentation?"
THINKING = "The user asks about paged attention. The KV cache is split into blocks of fixed size, so nothing is wasted."
ANSWER = """Paged attention stores the **KV cache** in fixed-size blocks, so memory is handed out *as it is needed*.

| scheme | waste | note |
|---|---:|---|
| contiguous | 60 % | reserves the maximum |
| paged | < 4 % | one block per sequence |

```python
def allocate(block: int) -> None:
    free.remove(block)  # constant time
```

- no external fragmentation
- blocks can be [shared](https://docs.vllm.ai) between requests
"""
CALL = ToolCallBlock(id="1", name="get_weather", input={"city": "Paris"}, raw_arguments='{"city": "Paris"}')


def timed(clock: HandClock, steps: list[Step]) -> list[Step]:
    """Return `steps` with believable waits: 0.18 s to the first, 2.4 s of reasoning, 2.5 s for the rest."""
    found: list[Step] = [Wait(clock, 0.18)]
    for step in steps[:-1]:
        if isinstance(step, BlockFinished) and isinstance(step.block, ThinkingBlock):
            found.append(Wait(clock, 2.42))
        found.append(step)
    return [*found, Wait(clock, 2.5), steps[-1]]


def full(clock: HandClock) -> list[Step]:
    return timed(clock, answer(ANSWER, thinking=THINKING))


def picture(
    compare: Compare,
    scene: Scene,
    *scripts: list[Step],
    size: tuple[int, int] = (120, 40),
    clock: HandClock | None = None,
    backend: ScriptedBackend | None = None,
    **launch: object,
) -> bool:
    """Compare the chat after `scene` with its picture."""
    backend = backend or ScriptedBackend(ScriptedProvider(*scripts), tools=FixedTools(get_weather="sunny, 21 °C"))
    app = ChatApp(replace(LAUNCH, effort="high", **launch), backend, clock=clock or HandClock())  # type: ignore[arg-type]

    async def prepare(pilot: Pilot[int | None]) -> None:
        chat = Chat(app, pilot, backend)
        await chat.opened()
        await scene(chat)
        if not chat.screen.show.is_running:
            await chat.until(lambda: not chat.view.is_busy)
            chat.view.window.go_end()  # how many empty rows are left below the end depends on the number of frames
            chat.view.show_window()
        await pilot.pause()

    checked: App[int] = app
    return compare(checked, terminal_size=size, run_before=prepare)


async def asked(chat: Chat, sees: str = "between requests") -> None:
    await chat.ask(QUESTION)
    await chat.until(lambda: sees in chat.rows)


async def nothing(chat: Chat) -> None:
    await chat.until(lambda: chat.state == "ready")


def test_empty(snap_compare: Compare) -> None:
    assert picture(snap_compare, nothing)


def test_answered_with_folded_reasoning(snap_compare: Compare) -> None:
    clock = HandClock()
    assert picture(snap_compare, asked, full(clock), clock=clock)


def test_reasoning_open(snap_compare: Compare) -> None:
    clock = HandClock()

    async def unfolded(chat: Chat) -> None:
        await asked(chat)
        await chat.press("ctrl+t")
        await chat.until(lambda: "nothing is wasted" in chat.rows)

    assert picture(snap_compare, unfolded, full(clock), clock=clock)


@pytest.mark.parametrize("phase", ["thinking", "answering"])
def test_streaming(snap_compare: Compare, phase: str) -> None:
    clock, stop = HandClock(), Pause()
    steps = full(clock)
    kind = "thinking" if phase == "thinking" else "text"
    start = next(n for n, step in enumerate(steps) if isinstance(step, BlockStarted) and step.kind == kind)
    script: list[Step] = [*steps[: start + 12], Wait(clock, 1.2), stop, *steps[start + 12 :]]

    async def half(chat: Chat) -> None:
        await chat.send(QUESTION)
        await stop.reached.wait()
        await chat.until(lambda: chat.state.startswith(phase))
        await chat.press(*"typing goes on")
        await chat.until(lambda: ("Thinking" if phase == "thinking" else "Paged attention") in chat.rows)

    assert picture(snap_compare, half, script, clock=clock)


def test_tool_card(snap_compare: Compare) -> None:
    clock = HandClock()
    scripts = [timed(clock, answer(call=CALL)), timed(clock, answer("It is sunny in Paris, 21 °C."))]
    assert picture(snap_compare, partial(asked, sees="It is sunny"), *scripts, clock=clock)


def test_error(snap_compare: Compare) -> None:
    error = ConnectionFailed("No server at http://gpu-box:8000/v1: connection refused.", hint="Is vLLM running there?")
    assert picture(snap_compare, partial(asked, sees="Is vLLM running"), [error])


def test_retry(snap_compare: Compare) -> None:
    stop = Pause()
    retry = RetryScheduled(2, 5, 4.0, ServerError("The server is overloaded (503)."))

    async def waiting(chat: Chat) -> None:
        await chat.send(QUESTION)
        await stop.reached.wait()
        await chat.until(lambda: "Retry 2 of 5" in chat.rows and chat.state.startswith("retry"))

    assert picture(snap_compare, waiting, [retry, stop, *answer("Fine.")])


def test_cancelled(snap_compare: Compare) -> None:
    clock, stop = HandClock(), Pause()
    steps = full(clock)

    async def cancelled(chat: Chat) -> None:
        await chat.send(QUESTION)
        await stop.reached.wait()
        await chat.press("escape")
        await chat.until(lambda: chat.state == "cancelled" and "Cancelled." in chat.rows)

    assert picture(snap_compare, cancelled, [*steps[:30], stop], clock=clock)


def test_cut(snap_compare: Compare) -> None:
    clock = HandClock()
    script = timed(clock, answer("A long story that", status="incomplete"))
    assert picture(snap_compare, partial(asked, sees="A long story"), script, clock=clock, max_tokens=4096)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 50), (39, 12)], ids=["80x24", "40x12", "200x50", "39x12"])
def test_sizes(snap_compare: Compare, size: tuple[int, int]) -> None:
    clock = HandClock()
    sees = "out ·" if size[0] <= 40 else "between requests"
    assert picture(snap_compare, partial(asked, sees=sees), full(clock), clock=clock, size=size)


@pytest.mark.parametrize("theme", ["light", "terminal"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    clock = HandClock()
    assert picture(snap_compare, asked, full(clock), clock=clock, theme=theme)


def test_no_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    clock = HandClock()
    assert picture(snap_compare, asked, full(clock), clock=clock)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def helped(chat: Chat) -> None:
        await chat.press("f1")
        await chat.until(lambda: isinstance(chat.app.screen, HelpScreen))

    assert picture(snap_compare, helped, size=size)


def test_demo_palette(snap_compare: Compare) -> None:
    async def offered(chat: Chat) -> None:
        await chat.press("ctrl+p")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        await chat.pilot.pause()

    samples = (Sample("Busy twice (503), then answers.", "?"), Sample("The connection breaks in the middle.", "?"))
    assert picture(snap_compare, offered, demo=True, samples=samples, server="demo server", is_local=True)


def test_model_picker(snap_compare: Compare) -> None:
    async def offered(chat: Chat) -> None:
        await chat.press("ctrl+o")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        await chat.pilot.pause()

    other = ModelInfo(id="Qwen/Qwen3-8B", display_name="Qwen3-8B", context_window=40_960)
    assert picture(snap_compare, offered, backend=ScriptedBackend(ScriptedProvider(models=[MODEL, other])))
