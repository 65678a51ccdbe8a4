"""The token view: what it shows, how the cursor walks, and that nothing of a model reaches the terminal raw."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider, answer
from tests.support.token_views import OTHER, PROBABLE, PROMPT, TEXT_ONLY
from textual.widgets import Static
from vllm_tui.accounting.token_view import TokenView
from vllm_tui.ui.screens.tokens import TokensScreen
from vllm_tui.ui.tokens.pane import TokenPane


class View:
    """The token view as a test sees it."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.press = chat.press

    @property
    def screen(self) -> TokensScreen:
        screen = self.chat.app.screen
        assert isinstance(screen, TokensScreen)
        return screen

    @property
    def pane(self) -> TokenPane:
        return self.screen.query_one(TokenPane)

    @property
    def rows(self) -> str:
        pane = self.pane
        return "\n".join(pane.render_line(y).text.rstrip() for y in range(pane.size.height)).rstrip()

    def part(self, name: str) -> str:
        return str(self.screen.query_one(f"#{name}", Static).content)


@asynccontextmanager
async def token_view(
    tokens: TokenView, *, key: str = "ctrl+l", size: tuple[int, int] = (100, 30)
) -> AsyncIterator[View]:
    """Ask once and open the view with a key."""
    backend = ScriptedBackend(ScriptedProvider(answer("Hello."), answer("Again.")), tokens=tokens)
    async with running_chat(backend=backend, size=(100, 30)) as chat:
        await chat.opened()
        await chat.ask()
        await chat.press("ctrl+l")
        await chat.until(lambda: isinstance(chat.app.screen, TokensScreen) and chat.app.screen.query(TokenPane))
        view = View(chat)
        await chat.until(lambda: "reading" not in view.part("note") and view.rows)
        yield view


async def test_the_prompt_is_shown_token_by_token_with_its_parts() -> None:
    async with token_view(TokenView(PROMPT, PROBABLE)) as view:
        assert "<|start|>system<|message|>You·are·kind.⏎" in view.rows
        assert view.rows.splitlines()[1].startswith(" q ")
        assert view.part("legend") == "m system 5   q question 3"
        assert "8 tokens ◐" in view.part("heading")
        assert "token 1 of 8   id 200006   '<|start|>'   special   system" in view.part("about")


async def test_the_cursor_walks_by_token_row_and_part() -> None:
    async with token_view(TokenView(PROMPT, PROBABLE)) as view:
        places = []
        for key in ("right", "n", "p", "G", "g", "down", "up", "left"):
            await view.press(key)
            places.append(view.pane.cursor)
        assert places == [1, 5, 0, 7, 0, 5, 0, 0]


async def test_tab_shows_the_answer_with_probabilities_and_alternatives() -> None:
    async with token_view(TokenView(PROMPT, PROBABLE)) as view:
        await view.press("tab", "right")
        assert "The·cat" in view.rows
        assert "probability 5.0 %   likeliest: ' dog' 60 %  ' cat' 5.0 %" in view.part("about")
        assert "●" in view.part("heading")


async def test_without_tokens_the_text_is_shown_and_no_count_is_claimed() -> None:
    async with token_view(TokenView(TEXT_ONLY, OTHER)) as view:
        assert ("Hello" in view.rows, "tokens" in view.part("heading")) == (True, False)
        assert "not loaded" in view.part("note")


async def test_escape_sequences_of_a_model_are_visible_marks() -> None:
    async with token_view(TokenView(OTHER, OTHER)) as view:
        assert "␛[31m" in view.rows
        shown = [view.part(name) for name in ("about", "note", "legend", "heading")]
        assert not any("\x1b" in text for text in [view.rows, *shown])


async def test_another_turn_is_read_with_the_brackets() -> None:
    async with token_view(TokenView(PROMPT, PROBABLE)) as view:
        await view.press("escape")
        await view.chat.until(lambda: view.chat.app.screen is view.chat.screen)
        await view.chat.ask("more")
        await view.press("ctrl+l")
        await view.chat.until(lambda: view.chat.app.screen.query(TokenPane) and "turn 2" in view.part("heading"))
        await view.press("left_square_bracket")
        await view.chat.until(lambda: "turn 1" in view.part("heading"))
        assert view.chat.backend.viewed == [0, 1, 0]


async def test_a_block_of_the_transcript_opens_its_turn() -> None:
    backend = ScriptedBackend(ScriptedProvider(answer("Hello.")), tokens=TokenView(PROMPT, PROBABLE))
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.ask()
        await chat.press("escape", "up", "up", "i")
        await chat.until(lambda: isinstance(chat.app.screen, TokensScreen) and chat.app.screen.query(TokenPane))
        await chat.until(lambda: backend.viewed == [0])


async def test_without_a_turn_the_chat_says_so() -> None:
    async with running_chat() as chat:
        await chat.opened()
        await chat.press("ctrl+l")
        await chat.until(lambda: "there is no turn yet" in chat.hint)


async def test_the_text_is_copied_as_it_is() -> None:
    async with token_view(TokenView(PROMPT, PROBABLE)) as view:
        await view.press("y")
        assert view.chat.app._clipboard == PROMPT.text
