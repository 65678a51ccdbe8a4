"""Pictures of tool calls: cards in every state, the bar that asks, what the person writes, the inspector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.snapshots.test_chat_snapshots import Compare, picture
from tests.support.call_box import Search, call, search_backend
from tests.support.chat_app import Chat
from tests.support.scripted_provider import ScriptedBackend, answer
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.tool_runs import FINAL_STATES, AnswerByHand, CallState, Decision, Refuse, RunOnce
from vllm_tui.domain.values import JsonObject
from vllm_tui.ui.screens.calls import CallsScreen
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.write import WriteScreen
from vllm_tui.ui.widgets import approval
from vllm_tui.ui.widgets.approval import ApprovalBar

Scene = Callable[[Chat], Awaitable[None]]
BAD: JsonObject = {"limit": "ten", "colour": "red"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "SETTLE_SECONDS", 0.0)


async def asking(chat: Chat) -> None:
    await chat.send("Which logs are there?")
    await chat.until(lambda: chat.screen.approvals.waiting and "waiting for you" in chat.rows)


async def deciding(chat: Chat) -> None:
    await asking(chat)
    await chat.press("tab")
    await chat.until(lambda: chat.screen.query_one(ApprovalBar).has_focus)
    await chat.pilot.pause()


async def writing(chat: Chat, key: str) -> None:
    await deciding(chat)
    await chat.press(key)
    await chat.until(lambda: isinstance(chat.app.screen, WriteScreen | PickScreen) and chat.app.screen.children)
    await chat.pilot.pause(0.4)


async def inspecting(chat: Chat, *keys: str) -> None:
    await deciding(chat)
    await chat.press("i")
    await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.query("#calls"))
    await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.current)
    await chat.press(*keys)
    await chat.pilot.pause()


def settle(chat: Chat, decision: Decision | None = None) -> None:
    entry = chat.screen.approvals.waiting[0]
    entry.settle(decision or RunOnce(entry.request.fingerprint))


def state_of(chat: Chat, number: int) -> CallState:
    tools = chat.backend.tools
    assert tools is not None
    return next(record.state for record in tools.records if record.call.id == f"call_{number}")


async def settled(chat: Chat, number: int) -> None:
    await chat.until(lambda: state_of(chat, number) in FINAL_STATES)


def cards() -> tuple[ToolCallBlock, ...]:
    names = ("done", "refused", "by hand", "fail", "unread", "waits")
    calls = [call(f"call_{at}", {"pattern": name}) for at, name in enumerate(names)]
    calls[4] = call("call_4", '{"pattern": "*.l')
    return (*calls, call("call_6", {"city": "Paris"}, name="get_weather"))


async def decided(chat: Chat) -> None:
    """Decide all calls but the last that waits."""
    await asking(chat)
    await chat.until(lambda: len(chat.screen.approvals.waiting) == 6)
    decisions: list[Decision | None] = [None, Refuse("not today"), AnswerByHand("there are none"), None, None]
    for at, decision in enumerate(decisions):
        entry = chat.screen.approvals.find(f"call_{at}")
        assert entry is not None
        entry.settle(decision or RunOnce(entry.request.fingerprint))
        await settled(chat, at)
    await chat.until(lambda: "failed" in chat.rows and "bad arguments" in chat.rows)
    chat.screen.show.tick()


@pytest.mark.parametrize("theme", ["dark", "light", "terminal"])
def test_cards(snap_compare: Compare, theme: str) -> None:
    assert picture(snap_compare, decided, backend=search_backend(Search(), *cards()), size=(100, 30), theme=theme)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 14)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_bar(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, deciding, backend=search_backend(Search()), size=size)


def test_bar_without_focus(snap_compare: Compare) -> None:
    assert picture(snap_compare, asking, backend=search_backend(Search(), call(given=BAD)), size=(100, 30))


@pytest.mark.parametrize("key", ["A", "e", "w", "d"])
def test_what_is_written(snap_compare: Compare, key: str) -> None:
    async def scene(chat: Chat) -> None:
        await writing(chat, key)

    assert picture(snap_compare, scene, backend=search_backend(Search(), call(given=BAD if key == "e" else None)))


@pytest.mark.parametrize("theme", ["dark", "light", "terminal"])
def test_inspector(snap_compare: Compare, theme: str) -> None:
    backend = search_backend(Search(), call(given=BAD), call("call_2"))
    assert picture(snap_compare, inspecting, backend=backend, theme=theme)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_inspector_sizes(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, inspecting, backend=search_backend(Search(), call(given=BAD)), size=size)


@pytest.mark.parametrize("pane", ["2", "3", "4", "5"])
def test_inspector_panes(snap_compare: Compare, pane: str) -> None:
    async def scene(chat: Chat) -> None:
        await inspecting(chat, "a")
        await chat.until(lambda: not chat.screen.show.is_running)
        await chat.press(pane)
        await chat.pilot.pause()

    assert picture(snap_compare, scene, backend=search_backend(Search()))


def test_comparison(snap_compare: Compare) -> None:
    async def scene(chat: Chat) -> None:
        await decided(chat)
        chat.screen.open_calls("call_0")
        await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.query("#calls"))
        await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.current)
        await chat.press("m", "down", "down", "m")
        await chat.pilot.pause()

    assert picture(snap_compare, scene, backend=search_backend(Search(), *cards()))


def test_empty(snap_compare: Compare) -> None:
    async def scene(chat: Chat) -> None:
        await chat.send("/calls")
        await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.query("#calls"))
        await chat.pilot.pause()

    assert picture(snap_compare, scene, answer("x"), backend=ScriptedBackend())
