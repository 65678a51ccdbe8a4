"""Starts the chat on a scripted backend, headless, and waits for what should become true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider, Step
from textual.content import Content
from textual.pilot import Pilot
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.launch import Launch
from vllm_tui.ui.screens.chat import ChatScreen
from vllm_tui.ui.transcript.view import TranscriptView
from vllm_tui.ui.widgets.hintline import HintLine
from vllm_tui.ui.widgets.keyline import KeyLine
from vllm_tui.ui.widgets.line import Line
from vllm_tui.ui.widgets.prompt import Prompt
from vllm_tui.ui.widgets.sidebar import Sidebar
from vllm_tui.ui.widgets.topline import TopLine

LAUNCH = Launch(server="gpu-box", model="openai/gpt-oss-20b", data_folder=Path("/dev/null/nowhere"), is_local=False)


class Chat:
    """A running chat as a test sees it."""

    def __init__(self, app: ChatApp, pilot: Pilot[int] | Pilot[int | None], backend: ScriptedBackend) -> None:
        self.app = app
        self.pilot = pilot
        self.backend = backend
        self.press = pilot.press

    @property
    def screen(self) -> ChatScreen:
        return self.app._chat

    @property
    def prompt(self) -> Prompt:
        return self.screen.query_one(Prompt)

    @property
    def view(self) -> TranscriptView:
        return self.screen.query_one(TranscriptView)

    @property
    def sidebar(self) -> str:
        return _text_of(self.screen.query_one(Sidebar))

    @property
    def top(self) -> str:
        return _text_of(self.screen.query_one(TopLine))

    @property
    def state(self) -> str:
        return self.screen.query_one(TopLine).status.text

    @property
    def hint(self) -> str:
        return self.screen.query_one(HintLine).message

    @property
    def rule(self) -> str:
        return _text_of(self.screen.query_one(HintLine))

    @property
    def keys(self) -> str:
        return _text_of(self.screen.query_one(KeyLine))

    @property
    def requests(self) -> list[str]:
        return [request.messages[-1].text for request in self.backend.provider.requests]

    @property
    def rows(self) -> str:
        """What the transcript shows, row by row."""
        view = self.view
        return "\n".join(view.render_line(y).text.rstrip() for y in range(view.size.height))

    async def until(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait until `condition` holds."""
        end = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < end, f"never:\n{self.top}\n{self.rows}\n{self.rule}"
            await self.pilot.pause(0.01)

    async def send(self, text: str) -> None:
        """Type `text` at once and press Enter."""
        self.prompt.insert_typed(text)
        await self.press("enter")

    async def ask(self, text: str = "hello") -> None:
        """Send a question and wait for the end of its turn."""
        await self.send(text)
        await self.until(lambda: self.backend.kept.turns and not self.screen.show.is_running)

    async def opened(self) -> None:
        """Wait until the server was asked for its models."""
        await self.until(lambda: self.screen.is_begun and self.prompt.has_focus and self.screen.dialogue.models)


def _text_of(widget: Line) -> str:
    content = widget.render()
    assert isinstance(content, Content)
    return content.plain


@asynccontextmanager
async def running_chat(
    *scripts: list[Step], size: tuple[int, int] = (120, 40), backend: ScriptedBackend | None = None, **launch: object
) -> AsyncIterator[Chat]:
    """Run the chat; `launch` changes fields of the Launch."""
    backend = backend or ScriptedBackend(ScriptedProvider(*scripts))
    app = ChatApp(replace(LAUNCH, **launch), backend)  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        chat = Chat(app, pilot, backend)
        await chat.until(lambda: chat.screen.is_begun and chat.prompt.has_focus)
        yield chat
