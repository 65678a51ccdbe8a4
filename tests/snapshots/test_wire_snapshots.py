"""Pictures of the wire: exchanges, events with what is odd about them, requests, taking away, a report."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.snapshots.test_chat_snapshots import Compare, picture
from tests.support.chat_app import Chat
from tests.support.scripted_provider import ScriptedBackend
from tests.support.wire_box import WireBox, recorded
from textual.widgets import TextArea
from vllm_tui.ui.screens.bundle import BundleScreen
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.wire import WireScreen

ODD = [
    *recorded()[:8],
    ("", b"{broken"),
    ("", b'{"type": "response.brand_new", "sequence_number": 40}'),
    ("response.completed", b'{"type": "response.completed", "response": {"status": "completed"}}'),
]


@pytest.fixture(autouse=True)
def greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def traffic() -> ScriptedBackend:
    """Return a backend that saw a retry, a stream with oddities and a silence, and an answer that still comes."""
    box = WireBox()
    box.refusal(503, "The server is busy.")
    box.stream("Weather in Paris?", events=ODD[:5])
    box.request({"model": "openai/gpt-oss-20b", "input": [{"role": "user", "content": "Weather in Paris?"}]}, attempt=2)
    box.answer()
    for number, (name, data) in enumerate(ODD):
        box.event(name, data, 3.2 if number == 6 else 0.011)
    return ScriptedBackend(wire=box.log)


async def wire(chat: Chat, *keys: str) -> None:
    await chat.press("f7")
    await chat.until(lambda: isinstance(chat.app.screen, WireScreen) and chat.app.screen.query("#keys"))
    await chat.until(lambda: isinstance(chat.app.screen, WireScreen) and chat.app.screen.current)
    await chat.press(*keys)
    await chat.pilot.pause(0.1)


@pytest.mark.parametrize("theme", ["dark", "light", "terminal"])
def test_events(snap_compare: Compare, theme: str) -> None:
    async def scene(chat: Chat) -> None:
        await wire(chat, "tab", "n")

    assert picture(snap_compare, scene, backend=traffic(), theme=theme)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_sizes(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def scene(chat: Chat) -> None:
        await wire(chat)

    assert picture(snap_compare, scene, backend=traffic(), size=size)


@pytest.mark.parametrize("side", ["2", "3", "4"])
def test_sides(snap_compare: Compare, side: str) -> None:
    async def scene(chat: Chat) -> None:
        await wire(chat, *(["up", "up"] if side == "4" else []), side)

    assert picture(snap_compare, scene, backend=traffic())


@pytest.mark.parametrize("key", ["t", "r"])
def test_menus(snap_compare: Compare, key: str) -> None:
    async def scene(chat: Chat) -> None:
        await wire(chat, key)
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen) and chat.app.screen._shown)
        await chat.pilot.pause()

    assert picture(snap_compare, scene, backend=traffic())


def test_report(snap_compare: Compare) -> None:
    async def scene(chat: Chat) -> None:
        await wire(chat, "b")
        await chat.until(lambda: isinstance(chat.app.screen, BundleScreen) and chat.app.screen.query(TextArea))
        await chat.pilot.pause()

    assert picture(snap_compare, scene, backend=traffic())


def test_nothing_yet(snap_compare: Compare) -> None:
    async def scene(chat: Chat) -> None:
        await chat.press("f7")
        await chat.until(lambda: isinstance(chat.app.screen, WireScreen) and chat.app.screen.query("#keys"))
        await chat.pilot.pause()

    assert picture(snap_compare, scene, backend=ScriptedBackend(wire=WireBox().log), size=(80, 24))
