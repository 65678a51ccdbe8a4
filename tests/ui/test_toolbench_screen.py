"""The tool bench by keyboard: choosing, measuring, stopping, copying, beside a conversation that goes on."""

from __future__ import annotations

import json

from tests.snapshots.test_toolbench_snapshots import FixedBench, toolbox
from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import Pause, ScriptedBackend, ScriptedProvider, answer, deltas
from textual.widgets import OptionList, Static
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import ServerError
from vllm_tui.domain.events import BlockStarted
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.toolbench import ToolBenchScreen
from vllm_tui.ui.screens.write import TextScreen

CALL = ToolCallBlock(id="c", name="get_weather", input={"city": "Paris", "unit": "celsius"})


async def opened(chat: Chat) -> ToolBenchScreen:
    await chat.send("/toolbench")
    await chat.until(lambda: isinstance(chat.app.screen, ToolBenchScreen) and text(chat, "#keys"))
    screen = chat.app.screen
    assert isinstance(screen, ToolBenchScreen)
    return screen


def text(chat: Chat, selector: str) -> str:
    widget = chat.app.screen.query_one(selector)
    if isinstance(widget, OptionList):
        return "\n".join(str(option.prompt) for option in widget.options)
    assert isinstance(widget, Static)
    return str(widget.content)


async def test_a_bench_offers_the_tools_and_asks_the_last_question_outside_of_the_conversation() -> None:
    provider = ScriptedProvider(answer("It is sunny."), answer(call=CALL))
    async with running_chat(backend=ScriptedBackend(provider, tools=toolbox())) as chat:
        await chat.opened()
        await chat.ask("weather in Paris?")
        screen = await opened(chat)
        screen._bench.count = 3
        await chat.press("f5")
        await chat.until(lambda: "Done: 3 requests" in text(chat, "#progress"))
        assert "100%" in text(chat, "#rows")
        assert text(chat, "#runs").count("valid") == 3
        asked = provider.requests[1:]
        assert [[message.text for message in request.messages] for request in asked] == [["weather in Paris?"]] * 3
        assert {tool.name for tool in asked[0].tools} == {"get_weather", "current_time", "calculator"}
        assert len(chat.screen.dialogue.turns) == 1


async def test_escape_stops_and_keeps_what_was_measured_and_copies_it() -> None:
    backend = FixedBench(ScriptedProvider(answer("Sunny.")), tools=toolbox(), pause=Pause())
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.ask()
        screen = await opened(chat)
        await chat.press("f5")
        await chat.until(lambda: len(screen._bench.runs) == 6)
        assert "6 of 20" in text(chat, "#progress")
        assert "left" in text(chat, "#progress")
        await chat.press("escape")
        await chat.until(lambda: "Stopped after 6 of 20" in text(chat, "#progress"))
        await chat.press("j")
        assert len(json.loads(chat.app.clipboard)["runs"]) == 6
        await chat.press("c")
        assert chat.app.clipboard.startswith("effort,number,outcome")
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        await opened(chat)
        assert "Stopped after 6" in text(chat, "#progress")


async def test_a_running_answer_goes_on_while_tools_are_measured() -> None:
    pause = Pause()
    first = [BlockStarted(0, "text"), *deltas(0, "text", "Slowly "), pause, *answer("Slowly done.")[1:]]
    provider = ScriptedProvider(first, answer(call=CALL))
    async with running_chat(backend=ScriptedBackend(provider, tools=toolbox())) as chat:
        await chat.opened()
        await chat.send("slow question")
        await chat.until(pause.reached.is_set)
        screen = await opened(chat)
        screen._bench.count = 2
        await chat.press("f5")
        await chat.until(lambda: "Done: 2" in text(chat, "#progress"))
        assert chat.screen.show.is_running
        pause.open()
        await chat.until(lambda: not chat.screen.show.is_running)
        assert chat.screen.dialogue.turns[-1].status == "completed"


async def test_errors_of_the_server_are_runs_with_their_message() -> None:
    provider = ScriptedProvider(answer("Hello."), [ServerError("The engine is \x1b[31mdead.", status=500)])
    async with running_chat(backend=ScriptedBackend(provider, tools=toolbox())) as chat:
        await chat.opened()
        await chat.ask()
        screen = await opened(chat)
        screen._bench.count = 2
        await chat.press("f5")
        await chat.until(lambda: "Done: 2" in text(chat, "#progress"))
        assert "The engine is" in text(chat, "#runs")
        assert "\x1b" not in text(chat, "#runs") + text(chat, "#detail")


async def test_what_can_not_run_says_why() -> None:
    async with running_chat() as chat:
        await chat.opened()
        screen = await opened(chat)
        assert "no tool is offered" in text(chat, "#progress")
        await chat.press("f5")
        assert not screen.is_measuring


async def test_the_form_is_changed_by_keyboard() -> None:
    async with running_chat(backend=FixedBench(ScriptedProvider(answer("Hi.")), tools=toolbox())) as chat:
        await chat.opened()
        screen = await opened(chat)
        assert "there is no prompt" in text(chat, "#progress")
        await chat.press("enter")
        await chat.until(lambda: isinstance(chat.app.screen, TextScreen))
        await chat.press(*"Sun", "f10")
        await chat.until(lambda: chat.app.screen is screen)
        for down, number in ((2, 1), (3, 3)):
            await chat.press(*["down"] * down, "enter")
            await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
            await chat.pilot.pause()
            await chat.press(*["up" if down == 3 else "down"] * number, "enter")
            await chat.until(lambda: chat.app.screen is screen)
        plan = screen._bench.wanted()
        assert (plan.prompt, plan.expected, plan.runs) == ("Sun", "get_weather", 5)
