"""The chat with a configuration file, and steps on its settings screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider
from textual.widgets import Static
from vllm_tui.settings.layers import load_settings
from vllm_tui.ui.options.panes import Foot, HelpPane
from vllm_tui.ui.options.rows import RowList
from vllm_tui.ui.screens.settings import SettingsScreen

FILE = """\
# mine
theme = "dark"

[[providers]]
module = "provider-vllm"
instance_id = "lab"

[providers.config]
base_url = "http://lab:8000/v1"
priority = 20

[[providers]]
module = "provider-vllm"
instance_id = "gpu-box"

[providers.config]
base_url = "http://192.168.128.5:8000/v1"
api_key = "sk-canary"
max_tokens = 2048
priority = 10
"""


def backend_of(
    path: Path | None, environ: Mapping[str, str] | None = None, *, provider: ScriptedProvider | None = None
) -> ScriptedBackend:
    """Return a scripted backend with the settings of a file."""
    backend = ScriptedBackend(provider or ScriptedProvider())
    backend.settings = load_settings({}, environ or {}, path)
    return backend


class Screen:
    """The settings screen as a test sees it."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.press = chat.press

    @property
    def screen(self) -> SettingsScreen:
        screen = next(item for item in self.chat.app.screen_stack if isinstance(item, SettingsScreen))
        assert isinstance(screen, SettingsScreen)
        return screen

    @property
    def is_open(self) -> bool:
        return any(isinstance(item, SettingsScreen) for item in self.chat.app.screen_stack)

    @property
    def foot(self) -> str:
        return self.screen.query_one(Foot).message

    @property
    def help(self) -> str:
        return str(self.screen.query_one(HelpPane).query_one("#about", Static).content)

    @property
    def checks(self) -> str:
        return str(self.screen.query_one(HelpPane).query_one("#checks", Static).content)

    @property
    def names(self) -> list[str]:
        return [row.option.name for row in self.screen.query_one(RowList).rows]

    def row(self, name: str) -> str:
        row = next(row for row in self.screen.query_one(RowList).rows if row.option.name == name)
        return row.content(row.size.width).plain

    async def open(self, name: str = "base_url") -> None:
        await self.chat.send(f"/settings {name}")
        await self.chat.until(lambda: self.is_open and self.screen.focused is not None)
        await self.chat.pilot.pause()

    async def until_closed(self) -> None:
        await self.chat.until(lambda: not self.is_open)


@asynccontextmanager
async def settings_screen(
    backend: ScriptedBackend, name: str = "base_url", size: tuple[int, int] = (120, 40), **launch: object
) -> AsyncIterator[Screen]:
    """Run the chat and open the settings on an option."""
    async with running_chat(backend=backend, size=size, **launch) as chat:
        await chat.opened()
        screen = Screen(chat)
        await screen.open(name)
        yield screen
