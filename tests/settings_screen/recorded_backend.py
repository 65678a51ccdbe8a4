"""The real backend on the demo's transport, with every request that leaves it kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.chat_app import Chat
from textual.widgets import Input
from vllm_tui.demo.transport import DemoTransport
from vllm_tui.provider.client import VLLMProvider
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.option import OptionValue
from vllm_tui.settings.options import BY_NAME
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.options.row import OptionRow
from vllm_tui.ui.options.texts import choices_of
from vllm_tui.ui.screens.settings import SettingsScreen
from vllm_tui.wiring import parts
from vllm_tui.wiring.backend import LiveBackend
from vllm_tui.wiring.screen import build_launch


@dataclass(frozen=True)
class Sent:
    """One request to /v1/responses."""

    host: str
    key: str
    body: dict[str, Any]


class RecordingTransport(httpx2.AsyncBaseTransport):
    """The demo server without waiting; `delay` seconds pass before each answer."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.delay = 0.0
        self._demo = DemoTransport(speed=float("inf"))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/responses"):
            body = json.loads(await request.aread())
            self.sent.append(Sent(request.url.host, request.headers.get("authorization", ""), body))
            await asyncio.sleep(self.delay)
        return await self._demo.handle_async_request(request)


class Recorded:
    """A running chat on the recorded transport."""

    def __init__(self, chat: Chat, backend: LiveBackend, transport: RecordingTransport, waits: list[float]) -> None:
        self.chat = chat
        self.backend = backend
        self.transport = transport
        self.waits = waits

    @property
    def body(self) -> dict[str, Any]:
        """The newest request."""
        return self.transport.sent[-1].body

    @property
    def provider(self) -> VLLMProvider:
        provider = self.backend._provider._provider
        assert provider is not None
        return provider

    async def ask(self, text: str = "hello") -> None:
        """Send a question and wait for the end of its turn."""
        before = len(self.transport.sent)
        await self.chat.send(text)
        await self.chat.until(lambda: len(self.transport.sent) > before, 10)
        await self.chat.until(lambda: not self.chat.screen.show.is_running, 10)

    async def open_settings(self, name: str) -> SettingsScreen:
        """Open the screen on an option with a slash command."""
        await self.chat.send(f"/settings {name}")
        await self.chat.until(lambda: isinstance(self.chat.app.screen, SettingsScreen))
        screen = self.chat.app.screen
        assert isinstance(screen, SettingsScreen)
        await self.chat.until(lambda: isinstance(screen.focused, OptionRow) and screen.focused.option.name == name)
        return screen

    async def change(self, name: str, value: OptionValue, typed: str) -> None:
        """Change an option on the settings screen with keys, and keep it for this session."""
        screen = await self.open_settings(name)
        option = BY_NAME[name]
        if option.kind in ("switch", "choice"):
            for _ in choices_of(option):
                if screen.settings.value(name) == value:
                    break
                await self.chat.press("right")
        else:
            await self.chat.press("enter")
            field = screen.query("Editor Input, Editor TextArea").first()
            await self.chat.press("ctrl+u" if isinstance(field, Input) else "ctrl+a", *_keys(typed), "enter")
        await self.chat.until(lambda: screen.settings.value(name) == value)
        await self.chat.press("f10", "k")
        await self.chat.until(lambda: self.chat.app.screen is self.chat.screen)


def _keys(text: str) -> list[str]:
    """Return the key names that type `text`."""
    names = {
        " ": "space", "/": "slash", ":": "colon", ".": "full_stop", "-": "minus", "_": "underscore",
        "{": "left_curly_bracket", "}": "right_curly_bracket", "[": "left_square_bracket",
        "]": "right_square_bracket", '"': "quotation_mark", ",": "comma",
    }  # fmt: skip
    return [names.get(character, character) for character in text]


@asynccontextmanager
async def recorded_chat(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recorded]:
    """Run the chat with the real backend; waits before retries are noted and not waited."""
    transport, waits = RecordingTransport(), list[float]()

    async def no_wait(seconds: float) -> None:
        waits.append(seconds)

    def build(settings: Settings, **given: object) -> VLLMProvider:
        config = ProviderConfig.model_validate(settings.provider_mapping())
        provider = VLLMProvider(config, transport=transport, debug_log=parts.debug_log_of(settings))
        provider._session.sleep = no_wait
        provider._session.random = lambda: 1.0
        return provider

    monkeypatch.setattr(parts, "build_provider", build)
    launch = build_launch(settings, demo=False, resume_last=False)
    backend = LiveBackend(settings, folder, demo=False)
    app = ChatApp(launch, backend)
    async with app.run_test(size=(100, 30)) as pilot:
        chat = Chat(app, pilot, backend)  # type: ignore[arg-type]  # only what every backend has is used
        await chat.until(lambda: chat.screen.is_begun and chat.screen.dialogue.models, 15)
        try:
            yield Recorded(chat, backend, transport, waits)
        finally:
            await app.leave()
