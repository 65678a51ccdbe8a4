"""Pictures of the tools screen."""

from __future__ import annotations

import pytest
from tests.snapshots.test_chat_snapshots import Compare, picture
from tests.support.chat_app import Chat
from tests.ui.test_tools_screen import go_to, odd_backend, opened
from vllm_tui.ui.screens.pick import PickScreen


@pytest.mark.parametrize("theme", ["dark", "light", "terminal"])
def test_list(snap_compare: Compare, theme: str) -> None:
    async def scene(chat: Chat) -> None:
        await go_to(chat, await opened(chat), "search_files")
        await chat.pilot.pause(0.1)

    assert picture(snap_compare, scene, backend=odd_backend(), theme=theme)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", ["docs__read", "broken"])
def test_not_ready(snap_compare: Compare, size: tuple[int, int], name: str) -> None:
    async def scene(chat: Chat) -> None:
        await go_to(chat, await opened(chat), name)
        await chat.pilot.pause(0.1)

    assert picture(snap_compare, scene, backend=odd_backend(), size=size)


def test_choice(snap_compare: Compare) -> None:
    async def scene(chat: Chat) -> None:
        await opened(chat)
        await chat.press("c")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen) and chat.app.screen._shown)
        await chat.pilot.pause()

    assert picture(snap_compare, scene, backend=odd_backend())
