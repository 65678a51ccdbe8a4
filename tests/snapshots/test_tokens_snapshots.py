"""Pictures of the token view, compared with those a person has looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.chat_app import LAUNCH, Chat
from tests.support.scripted_provider import HandClock, ScriptedBackend, ScriptedProvider, answer
from tests.support.token_views import OTHER, PROBABLE, PROMPT, TEXT_ONLY
from textual.pilot import Pilot
from vllm_tui.accounting.token_view import TokenView
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.tokens.pane import TokenPane

Compare = Callable[..., bool]


def picture(
    compare: Compare, tokens: TokenView, *keys: str, size: tuple[int, int] = (120, 40), theme: str = "dark"
) -> bool:
    backend = ScriptedBackend(ScriptedProvider(answer("The cat sat.")), tokens=tokens)
    app = ChatApp(replace(LAUNCH, theme=theme), backend, clock=HandClock())

    async def prepare(pilot: Pilot[int | None]) -> None:
        chat = Chat(app, pilot, backend)
        await chat.opened()
        await chat.ask()
        await pilot.press("ctrl+l")
        await chat.until(lambda: any(pane.current for pane in app.screen.query(TokenPane)))
        await pilot.press(*keys)
        await pilot.pause()

    return compare(app, terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 50)], ids=["120x40", "80x24", "200x50"])
def test_prompt(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, TokenView(PROMPT, PROBABLE), "right", size=size)


def test_prompt_of_another_model(snap_compare: Compare) -> None:
    assert picture(snap_compare, TokenView(OTHER, PROBABLE), "right", "right")


@pytest.mark.parametrize("theme", ["dark", "light", "terminal"])
def test_answer_with_probabilities(snap_compare: Compare, theme: str) -> None:
    assert picture(snap_compare, TokenView(PROMPT, PROBABLE), "tab", "right", theme=theme)


def test_text_without_tokens(snap_compare: Compare) -> None:
    assert picture(snap_compare, TokenView(TEXT_ONLY, PROBABLE))
