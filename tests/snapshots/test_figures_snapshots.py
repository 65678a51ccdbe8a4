"""Pictures of the figures: the sidebar in every state, and the table of all turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from tests.snapshots.test_chat_snapshots import ANSWER, CALL, Compare, asked, full, picture, timed
from tests.support.chat_app import Chat
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
    deltas,
)
from vllm_tui.accounting.figures import Figure, Part
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock
from vllm_tui.domain.events import BlockStarted, ResponseFinished
from vllm_tui.domain.messages import Message
from vllm_tui.domain.response import ModelInfo
from vllm_tui.domain.turns import Round, Timing, Turn
from vllm_tui.domain.usage import Usage
from vllm_tui.ui.screens.figures import FiguresScreen
from vllm_tui.ui.widgets.sidebar import Sidebar

PARTS = (
    Part("instructions", 62),
    Part("tools", 140),
    Part("history", 860),
    Part("reasoning", 90),
    Part("question", 46),
)
METRICS = {"time_to_first_token_ms": 171.0, "generation_time_ms": 4710.0, "queue_time_ms": 22.0}
EXACT = Figure(1198, "computed", "Rendered here as vLLM 0.32 renders it for gpt-oss (Harmony).")


def served(steps: Sequence[Step], usage: Usage | None, **metadata: object) -> list[Step]:
    """Return an answer whose last event brings other usage and facts."""
    *before, last = steps
    assert isinstance(last, ResponseFinished)
    response = last.response.model_copy(update={"usage": usage, "metadata": metadata})
    return [*before, ResponseFinished(response)]


def counted(chat: Chat, figure: Figure = EXACT, parts: tuple[Part, ...] = PARTS, reserved: int = 4096) -> None:
    """Bring the running turn a count of its input, as it is made before a request leaves."""
    meter = chat.screen.show._meter
    meter.prompt_counted(figure, parts)
    meter.output_reserved(Figure(reserved, "computed", "Kept free for the answer."))


async def counted_and_answered(chat: Chat, stop: Pause, figure: Figure = EXACT) -> None:
    await chat.send("Why does paged attention reduce fragmentation?")
    await stop.reached.wait()
    counted(chat, figure)
    stop.open()
    await chat.until(lambda: not chat.screen.show.is_running and chat.backend.kept.turns)
    await chat.until(lambda: "in ·" in chat.rows)


def held(clock: HandClock) -> tuple[Pause, list[Step]]:
    stop = Pause()
    return stop, [stop, *full(clock)]


def test_sidebar_live(snap_compare: Compare) -> None:
    clock, first, second = HandClock(), Pause(), Pause()
    script: list[Step] = [
        first,
        Wait(clock, 0.18),
        BlockStarted(0, "thinking"),
        *deltas(0, "thinking", "hm " * 60),
        Wait(clock, 1.3),
        BlockStarted(1, "text"),
        *deltas(1, "text", "word " * 40),
        Wait(clock, 0.9),
        second,
        *answer("word " * 40),
    ]

    async def half(chat: Chat) -> None:
        await chat.send("Why?")
        await first.reached.wait()
        counted(chat)
        first.open()
        await second.reached.wait()
        await chat.until(lambda: "40 ○" in chat.sidebar)

    assert picture(snap_compare, half, script, clock=clock)


@pytest.mark.parametrize(
    ("size", "theme"),
    [((120, 40), "dark"), ((100, 24), "dark"), ((120, 40), "light")],
    ids=["120x40", "100x24", "light"],
)
def test_sidebar_final_with_the_servers_own_times(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    clock = HandClock()
    stop, steps = held(clock)
    usage = Usage(input_tokens=1198, output_tokens=500, total_tokens=1698, reasoning_tokens=312, cache_read_tokens=1024)
    script = served(steps, usage, **{"vllm:metrics": METRICS})
    assert picture(snap_compare, partial(counted_and_answered, stop=stop), script, clock=clock, size=size, theme=theme)


def test_sidebar_estimate_only_without_a_vocabulary(snap_compare: Compare) -> None:
    clock = HandClock()
    script = served(full(clock), None)

    async def scene(chat: Chat) -> None:
        chat.screen.query_one(Sidebar).show_vocabulary("estimates: no vocabulary, /vocab")
        await asked(chat)

    assert picture(snap_compare, scene, script, clock=clock)


def test_sidebar_while_the_vocabulary_is_downloaded(snap_compare: Compare) -> None:
    async def scene(chat: Chat) -> None:
        await chat.until(lambda: chat.state == "ready")
        chat.screen.query_one(Sidebar).show_vocabulary("vocabulary: downloading 42 %")

    assert picture(snap_compare, scene)


def test_sidebar_where_sources_disagree(snap_compare: Compare) -> None:
    clock = HandClock()
    stop, steps = held(clock)
    assert picture(snap_compare, partial(counted_and_answered, stop=stop), steps, clock=clock)


@pytest.mark.parametrize("used", [7_000, 8_650], ids=["near", "over"])
def test_sidebar_at_the_limit(snap_compare: Compare, used: int) -> None:
    clock = HandClock()
    usage = Usage(input_tokens=used - 500, output_tokens=500, total_tokens=used, reasoning_tokens=312)
    provider = ScriptedProvider(served(full(clock), usage), models=[small()])
    assert picture(snap_compare, asked, clock=clock, backend=ScriptedBackend(provider))


def small() -> ModelInfo:
    return MODEL.model_copy(update={"context_window": 8192})


def test_sidebar_where_the_server_cut_the_input(snap_compare: Compare) -> None:
    clock = HandClock()
    stop, steps = held(clock)
    usage = Usage(input_tokens=8191, output_tokens=1, total_tokens=8192, reasoning_tokens=0)
    provider = ScriptedProvider(served(steps, usage), models=[small()])
    figure = replace(EXACT, value=9_400)
    scene = partial(counted_and_answered, stop=stop, figure=figure)
    assert picture(snap_compare, scene, clock=clock, backend=ScriptedBackend(provider))


def test_sidebar_with_tools(snap_compare: Compare) -> None:
    clock = HandClock()
    scripts = [timed(clock, answer(call=CALL)), timed(clock, answer("It is sunny in Paris, 21 °C."))]
    backend = ScriptedBackend(ScriptedProvider(*scripts), tools=FixedTools(get_weather="sunny, 21 °C"))
    scene = partial(asked, sees="It is sunny")
    assert picture(snap_compare, scene, clock=clock, backend=backend, theme="terminal", size=(120, 40))


QUESTIONS = (
    "Why does paged attention reduce fragmentation?",
    "And how is that shared between requests?",
    "Write a benchmark for it",
    "=SUM(A1:A3) what is that?",
)


def stored_turns(count: int = 4) -> list[Turn]:
    """Return turns as they are kept; the last one was cut before usage came."""
    turns = []
    for number in range(count):
        tokens = 400 + 700 * (number % 7)
        usage = Usage(
            input_tokens=tokens * 2,
            output_tokens=tokens,
            total_tokens=tokens * 3,
            reasoning_tokens=tokens // 3,
            cache_read_tokens=tokens,
        )
        content = (ThinkingBlock(thinking="hm " * 30), TextBlock(text=ANSWER))
        timing = Timing(first_event=0.1, first_token=0.2, first_answer=2.0 + number % 5, elapsed=6.0 + number % 5)
        is_last = number == count - 1
        turns.append(
            Turn(
                id=str(number),
                conversation_id="c",
                question=Message(role="user", content=QUESTIONS[number % len(QUESTIONS)]),
                rounds=(
                    Round(
                        answer=Message(role="assistant", content=content),
                        usage=None if is_last else usage,
                        timing=timing,
                    ),
                ),
                status="cancelled" if is_last else "completed",
                model="openai/gpt-oss-20b",
                effort="high",
            )
        )
    return turns


def shown(
    compare: Compare, turns: Sequence[Turn], *keys: str, size: tuple[int, int] = (120, 40), theme: str = "dark"
) -> bool:
    """Compare the table of all turns, after `keys`, with its picture."""

    async def scene(chat: Chat) -> None:
        await chat.until(lambda: chat.state == "ready" and len(chat.screen.dialogue.turns) == len(turns))
        await chat.press("ctrl+g")
        await chat.until(lambda: isinstance(chat.app.screen, FiguresScreen))
        await chat.pilot.pause()
        await chat.press(*keys)
        await chat.pilot.pause()

    backend = ScriptedBackend(ScriptedProvider(), stored=turns)
    return picture(compare, scene, backend=backend, resume=bool(turns), size=size, theme=theme)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 50)], ids=["120x40", "80x24", "200x50"])
def test_all_turns(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert shown(snap_compare, stored_turns(), size=size)


@pytest.mark.parametrize("theme", ["light", "terminal"])
def test_a_figure_explained(snap_compare: Compare, theme: str) -> None:
    assert shown(snap_compare, stored_turns(12), "up", "up", "tab", "down", "down", theme=theme)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_no_turn_yet(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert shown(snap_compare, [], size=size)
