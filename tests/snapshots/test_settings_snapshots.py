"""Pictures of the settings, the review and the welcome, compared with those a person has looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.settings_screen.screen_steps import FILE, Screen
from tests.support.chat_app import LAUNCH, Chat
from tests.support.scripted_provider import MODEL, HandClock, ScriptedBackend, ScriptedProvider
from textual.pilot import Pilot
from textual.widgets import Input, Static
from vllm_tui.domain.checks import Check, LocalServer, ServedModel
from vllm_tui.domain.errors import ConnectionFailed
from vllm_tui.settings import layers
from vllm_tui.settings.document import Document, parse_document
from vllm_tui.settings.layers import load_settings
from vllm_tui.settings.options import GROUPS, OPTIONS
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.screens.review import ReviewScreen
from vllm_tui.ui.screens.welcome import WelcomeScreen

Compare = Callable[..., bool]
Scene = Callable[[Screen], Awaitable[None]]
PLACE = Path("/home/me/.config/vllm-tui/config.toml")
CHECKS = (
    Check("address", "ok", "http://192.168.128.5:8000/v1"),
    Check("resolve", "skipped", "192.168.128.5 is an IP address"),
    Check("connect", "ok", "192.168.128.5:8000 accepts connections", 0.002),
    Check("health", "ok", "the server is well", 0.004),
    Check("version", "ok", "vLLM 0.32.0", 0.003),
    Check("models", "warn", "openai/gpt-oss-20b is not served", 0.003, "Choose one of these: Qwen/Qwen3-8B (40,960)"),
    Check("auth", "ok", "the key is accepted", 0.003),
)
SMALL = MODEL.model_copy(update={"context_window": 4096, "context_window_source": "max_model_len"})


@pytest.fixture(autouse=True)
def _file_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the configuration from a place that is the same on every machine."""

    def read(path: Path | None) -> Document:
        return Document(None) if path is None else parse_document(FILE, path)

    monkeypatch.setattr(layers, "read_document", read)


def picture(
    compare: Compare,
    scene: Scene,
    *,
    name: str = "base_url",
    size: tuple[int, int] = (120, 40),
    environ: Mapping[str, str] | None = None,
    provider: ScriptedProvider | None = None,
    **launch: object,
) -> bool:
    """Compare the settings, opened on option `name`, after `scene` with their picture."""
    backend = ScriptedBackend(provider or ScriptedProvider(), checks=CHECKS)
    backend.settings = load_settings({}, environ or {"VLLM_TIMEOUT": "30"}, PLACE)
    app = ChatApp(replace(LAUNCH, **launch), backend, clock=HandClock())  # type: ignore[arg-type]

    async def prepare(pilot: Pilot[int | None]) -> None:
        chat = Chat(app, pilot, backend)
        await chat.opened()
        screen = Screen(chat)
        await screen.open(name)
        await scene(screen)
        await pilot.pause()

    return compare(app, terminal_size=size, run_before=prepare)


async def nothing(screen: Screen) -> None:
    await screen.chat.pilot.pause()


@pytest.mark.parametrize("group", GROUPS)
def test_group(snap_compare: Compare, group: str) -> None:
    first = next(option.name for option in OPTIONS if option.group == group)
    assert picture(snap_compare, nothing, name=first)


async def invalid(screen: Screen) -> None:
    await screen.press("2", "enter")
    await screen.chat.until(lambda: "above 0" in str(screen.screen.query_one("#problem", Static).content))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_invalid(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, invalid, name="top_p", size=size)


async def searched(screen: Screen) -> None:
    await screen.press("slash", *"retry")
    await screen.chat.until(lambda: screen.names == ["min_retry_delay", "max_retry_delay", "retry_jitter"])


def test_search(snap_compare: Compare) -> None:
    assert picture(snap_compare, searched)


async def reviewed(screen: Screen) -> None:
    await screen.press("9", "enter", "f10")
    await screen.chat.until(lambda: isinstance(screen.chat.app.screen, ReviewScreen))
    await screen.chat.pilot.pause()


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_difference(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, reviewed, name="timeout", size=size)


async def secret(screen: Screen) -> None:
    await screen.press("enter", *"sk-new")
    await screen.chat.until(lambda: screen.screen.query_one("Editor Input", Input).value == "sk-new")


def test_secret(snap_compare: Compare) -> None:
    assert picture(snap_compare, secret, name="api_key")


def test_verdict(snap_compare: Compare) -> None:
    environ = {"VLLM_CONTEXT_WINDOW": "200000"}
    provider = ScriptedProvider(models=[SMALL])
    assert picture(snap_compare, nothing, name="context_window", environ=environ, provider=provider)


async def with_checks(screen: Screen) -> None:
    await screen.press("t")
    await screen.chat.until(lambda: "the key is accepted" in screen.checks and screen.foot)
    await screen.chat.pilot.pause()


def test_server_test(snap_compare: Compare) -> None:
    assert picture(snap_compare, with_checks)


async def changed(screen: Screen) -> None:
    await screen.press("right", "right", "right")
    await screen.chat.until(lambda: "low" in screen.row("reasoning"))


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 12)], ids=["80x24", "200x50", "40x12"])
def test_sizes(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, changed, name="reasoning", size=size)


@pytest.mark.parametrize("theme", ["light", "terminal"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert picture(snap_compare, changed, name="reasoning", theme=theme)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_welcome(snap_compare: Compare, size: tuple[int, int]) -> None:
    found = LocalServer("http://127.0.0.1:8001/v1", "0.32.0", (ServedModel("HuggingFaceTB/SmolLM2", 2048),), False)
    refused = ConnectionFailed("No server at http://localhost:8000/v1.")
    backend = ScriptedBackend(ScriptedProvider(models=refused), servers=(found,))
    app = ChatApp(replace(LAUNCH, first_run=True, server="localhost:8000", is_local=True), backend, clock=HandClock())

    async def prepare(pilot: Pilot[int | None]) -> None:
        chat = Chat(app, pilot, backend)
        await chat.until(lambda: isinstance(app.screen, WelcomeScreen) and len(app.screen._choices) == 3)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=prepare)
