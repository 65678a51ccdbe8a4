"""The table of all turns and what is known of each figure, by keyboard."""

from __future__ import annotations

import json

import pytest
from tests.snapshots.test_figures_snapshots import EXACT, METRICS, PARTS, served, stored_turns
from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import (
    USAGE,
    Pause,
    ScriptedBackend,
    Step,
    answer,
    deltas,
)
from textual.widgets import OptionList, Static
from vllm_tui.accounting.figures import TurnFigures
from vllm_tui.domain.events import BlockStarted
from vllm_tui.domain.usage import Usage
from vllm_tui.ui.figure_details import turn_details
from vllm_tui.ui.figures_table import COLUMNS, heading, lay_out
from vllm_tui.ui.screens.figures import FiguresScreen


def text_of(chat: Chat, selector: str) -> str:
    widget = chat.app.screen.query_one(selector)
    if isinstance(widget, OptionList):
        return "\n".join(str(option.prompt) for option in widget.options)
    assert isinstance(widget, Static)
    return str(widget.content)


async def opened(chat: Chat, *keys: str) -> FiguresScreen:
    await chat.press(*keys)
    await chat.until(lambda: isinstance(chat.app.screen, FiguresScreen) and text_of(chat, "#title"))
    screen = chat.app.screen
    assert isinstance(screen, FiguresScreen)
    return screen


async def test_every_turn_has_a_line_and_the_sum_stands_below() -> None:
    async with running_chat() as chat:
        await chat.ask("one")
        await chat.ask("two")
        await opened(chat, "ctrl+g")
        await chat.until(lambda: len(text_of(chat, "#turns").split("\n")) == 2)
        assert "2 turns" in text_of(chat, "#title")
        assert "two" in text_of(chat, "#turns").split("\n")[1]
        assert "2,408" in text_of(chat, "#totals")
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_a_slash_command_opens_them_too() -> None:
    async with running_chat() as chat:
        await chat.send("/figures")
        await chat.until(lambda: isinstance(chat.app.screen, FiguresScreen))
        assert "No turn yet" in text_of(chat, "#empty")
        await chat.press("c", "ctrl+g")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_i_on_the_line_under_an_answer_opens_the_figures_of_its_turn() -> None:
    async with running_chat() as chat:
        await chat.ask("one")
        await chat.ask("two")
        await chat.press("escape", "up", "up", "up", "up")
        document = chat.view.document
        footers = [block for block in document.blocks if block.kind == "footer"]
        document.cursor = footers[0].id
        await opened(chat, "i")
        await chat.until(lambda: "Turn 1" in text_of(chat, "#turn"))
        assert chat.app.screen.query_one("#details").has_focus


async def test_moving_through_the_figures_explains_each() -> None:
    async with running_chat(answer("Hello.", usage=USAGE)) as chat:
        await chat.ask()
        await opened(chat, "ctrl+g")
        await chat.press("tab")
        await chat.until(lambda: "input: 1,204 ●. Reported by the server." in text_of(chat, "#explanation"))
        await chat.press("down")
        await chat.until(lambda: text_of(chat, "#explanation").startswith("from the cache: 1,024 ●."))
        await chat.press("left", "enter")
        assert chat.app.screen.query_one("#details").has_focus


async def test_up_and_down_choose_the_turn() -> None:
    backend = ScriptedBackend(stored=stored_turns())
    async with running_chat(backend=backend, resume=True) as chat:
        await chat.until(lambda: chat.screen.dialogue.turns)
        await opened(chat, "ctrl+g")
        await chat.until(lambda: "Turn 4" in text_of(chat, "#turn"))
        await chat.press("up", "up")
        await chat.until(lambda: "Turn 2" in text_of(chat, "#turn"))
        assert "2,200" in text_of(chat, "#details").split("\n")[0]
        assert "1 without a total" in text_of(chat, "#title")


@pytest.mark.parametrize(("key", "form"), [("c", "CSV"), ("j", "JSON")])
async def test_the_table_is_copied_as_it_is_shown(key: str, form: str) -> None:
    async with running_chat() as chat:
        await chat.ask("=1+1")
        await opened(chat, "ctrl+g")
        await chat.until(lambda: "=1+1" in text_of(chat, "#turns"))
        await chat.press(key)
        await chat.until(lambda: f"figures as {form} sent" in text_of(chat, "#keys"))
        copied = chat.app.clipboard
        if form == "JSON":
            assert json.loads(copied)[0]["total"] == 1704
        else:
            assert copied.split("\r\n")[1].startswith("1,'=1+1,")


async def test_they_open_and_count_up_while_an_answer_streams() -> None:
    first, second = Pause(), Pause()
    words = deltas(0, "text", "one two three")
    script: list[Step] = [BlockStarted(0, "text"), *words, first, *words, second, *answer("one two three " * 2)]
    async with running_chat(script) as chat:
        await chat.send("count")
        await first.reached.wait()
        await opened(chat, "ctrl+g")
        await chat.until(lambda: "running" in text_of(chat, "#turn") and " 3 ○" in text_of(chat, "#details"))
        first.open()
        await chat.until(lambda: " 6 ○" in text_of(chat, "#details"))
        second.open()
        await chat.until(lambda: "completed" in text_of(chat, "#turn") and "500 ●" in text_of(chat, "#details"))


async def test_two_sources_that_disagree_are_both_named() -> None:
    pause = Pause()
    script = [pause, *served(answer("Hello."), Usage(input_tokens=1204, output_tokens=5), **{"vllm:metrics": METRICS})]
    async with running_chat(script) as chat:
        await chat.send("why")
        await pause.reached.wait()
        chat.screen.show._meter.prompt_counted(EXACT, PARTS)
        pause.open()
        await chat.until(lambda: not chat.screen.show.is_running and chat.backend.kept.turns)
        await chat.until(lambda: "1,204 ●≠" in chat.sidebar)
        await opened(chat, "ctrl+g")
        await chat.until(lambda: "1,204 ● ≠ 1,198 ◐" in text_of(chat, "#details"))
        assert "Another source says 1,198 ◐. Rendered here" in text_of(chat, "#explanation")
        assert "●≠" in text_of(chat, "#turns")
        assert " ◐ · 0.17 s ●" in text_of(chat, "#details")


async def test_a_zero_from_a_server_that_sent_text_reaches_the_screen_as_missing() -> None:
    usage = Usage(input_tokens=0, output_tokens=0, total_tokens=0, reasoning_tokens=0)
    async with running_chat(answer("Hello there, friend.", usage=usage)) as chat:
        await chat.ask()
        assert "input           –" in chat.sidebar
        assert "answer          3 ○" in chat.sidebar
        await opened(chat, "ctrl+g")
        await chat.until(lambda: "so its number is not used" in text_of(chat, "#details"))


async def test_an_answer_given_again_takes_the_place_of_the_one_before() -> None:
    async with running_chat() as chat:
        await chat.ask("one")
        await chat.send("/again")
        await chat.until(lambda: len(chat.requests) == 2 and not chat.screen.show.is_running)
        await chat.until(lambda: "1 turn" in chat.sidebar)
        await opened(chat, "ctrl+g")
        await chat.until(lambda: "1,204" in text_of(chat, "#totals"))


async def test_an_answer_that_goes_on_stays_one_turn() -> None:
    async with running_chat(answer("One", status="incomplete"), answer(" two.")) as chat:
        await chat.ask("count")
        await chat.send("/continue")
        await chat.until(lambda: len(chat.requests) == 2 and not chat.screen.show.is_running)
        await chat.until(lambda: "2,408 ●" in chat.sidebar and "1 turn" in chat.sidebar)


@pytest.mark.parametrize("width", [60, 77, 117, 197])
def test_the_table_fits_every_width_and_keeps_input_and_total(width: int) -> None:
    layout = lay_out(width)
    titles = [column.title for column in layout.columns]
    assert heading(layout).cell_length <= width
    assert {"input", "total"} <= set(titles)
    assert (len(titles) == len(COLUMNS)) == (width == 197)


def test_the_figures_of_a_turn_stand_in_the_same_order_with_nothing_known() -> None:
    labels = [detail.label.strip() for detail in turn_details(TurnFigures())]
    assert labels[:4] == ["input", "from the cache", "tool results", "output"]
    assert all(detail.text == "–" and "Unknown" in detail.explanation for detail in turn_details(TurnFigures()))
