"""The first run asks once which server to talk to; other starts never do."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.settings_screen.screen_steps import FILE, backend_of
from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider
from textual.widgets import Input, OptionList, Static
from vllm_tui.domain.checks import Check, LocalServer, ServedModel
from vllm_tui.domain.errors import AuthenticationFailed, ConnectionFailed, VLLMError
from vllm_tui.settings.layers import load_settings
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.welcome import WelcomeScreen, full_address
from vllm_tui.wiring.screen import build_launch

REFUSED = ConnectionFailed("No server at http://localhost:8000/v1.", hint="Is vLLM running there?")
LOCAL = LocalServer("http://127.0.0.1:8001/v1", "0.32.0", (ServedModel("smol", 2048),), needs_key=False)


def first_backend(path: Path, error: VLLMError = REFUSED) -> ScriptedBackend:
    backend = ScriptedBackend(ScriptedProvider(models=error), servers=(LOCAL,))
    backend.settings = load_settings({}, {}, path)
    return backend


async def welcomed(chat: Chat) -> WelcomeScreen:
    await chat.until(lambda: isinstance(chat.app.screen, WelcomeScreen) and "smol" in choices(chat))
    screen = chat.app.screen
    assert isinstance(screen, WelcomeScreen)
    return screen


def choices(chat: Chat) -> str:
    found = chat.app.screen.query(OptionList)
    return "\n".join(
        str(options.get_option_at_index(at).prompt) for options in found for at in range(options.option_count)
    )


def test_a_welcome_needs_no_file_and_an_address_nobody_gave(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    asked = [
        build_launch(load_settings(flags, environ, path), demo=demo, resume_last=False).first_run
        for flags, environ, demo in (
            ({}, {}, False),
            ({}, {}, True),
            ({"base_url": "http://a/v1"}, {}, False),
            ({}, {"VLLM_BASE_URL": "http://a/v1"}, False),
        )
    ]
    path.write_text("seed = 1\n")
    asked.append(build_launch(load_settings({}, {}, path), demo=False, resume_last=False).first_run)
    assert asked == [True, False, False, False, False]


async def test_a_server_of_this_machine_is_found_tested_and_saved(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    backend = first_backend(path)
    async with running_chat(backend=backend, first_run=True) as chat:
        await welcomed(chat)
        await chat.press("enter")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert tomllib.loads(path.read_text()) == {"base_url": LOCAL.base_url}
        assert (backend.settings.origin("base_url").layer, "127.0.0.1:8001" in chat.top) == ("file", True)


async def test_an_address_can_be_typed_without_scheme_and_path(tmp_path: Path) -> None:
    backend = first_backend(tmp_path / "config.toml")
    async with running_chat(backend=backend, first_run=True) as chat:
        await welcomed(chat)
        chat.app.screen.query_one(Input).insert_text_at_cursor("gpu-box:8000")
        await chat.press("enter")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert backend.settings.value("base_url") == "http://gpu-box:8000/v1"


def test_what_people_leave_out_of_an_address_is_added() -> None:
    assert [full_address(text) for text in ("box:1", "https://box/", "http://box/v1", "http://box/x/v1")] == [
        "http://box:1/v1",
        "https://box/v1",
        "http://box/v1",
        "http://box/x/v1",
    ]


async def test_a_server_that_fails_is_told_and_can_be_used_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    backend = first_backend(path)
    backend.checks = (Check("connect", "fail", "box:1 refuses connections", remedy="Is the server running?"),)
    async with running_chat(backend=backend, first_run=True) as chat:
        await welcomed(chat)
        chat.app.screen.query_one(Input).insert_text_at_cursor("box:1")
        await chat.press("enter")
        await chat.until(lambda: "Enter again" in str(chat.app.screen.query_one("#test", Static).content))
        assert not path.exists()
        await chat.press("enter")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert tomllib.loads(path.read_text()) == {"base_url": "http://box:1/v1"}


async def test_a_bad_address_is_told(tmp_path: Path) -> None:
    async with running_chat(backend=first_backend(tmp_path / "c.toml"), first_run=True) as chat:
        await welcomed(chat)
        chat.app.screen.query_one(Input).insert_text_at_cursor("ftp://x")
        await chat.press("enter")
        await chat.until(lambda: "not allowed" in str(chat.app.screen.query_one("#test", Static).content))


async def test_the_demo_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    backend = first_backend(path)
    async with running_chat(backend=backend, first_run=True) as chat:
        await welcomed(chat)
        await chat.press("down", "enter")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert (backend.is_demo, "DEMO" in chat.top, path.exists()) == (True, True, False)


async def test_it_can_be_skipped(tmp_path: Path) -> None:
    backend = first_backend(tmp_path / "config.toml")
    async with running_chat(backend=backend, first_run=True) as chat:
        await welcomed(chat)
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert (chat.hint.startswith("no server yet"), chat.state) == (True, "no server")


async def test_a_server_that_wants_a_key_is_no_first_run(tmp_path: Path) -> None:
    backend = first_backend(tmp_path / "config.toml", AuthenticationFailed("The server needs a key."))
    async with running_chat(backend=backend, first_run=True) as chat:
        await chat.until(lambda: "needs a key" in chat.rows)
        assert chat.app.screen is chat.screen


async def test_when_the_preferred_server_is_silent_the_next_one_is_offered(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    backend = backend_of(path, provider=ScriptedProvider(models=REFUSED))
    async with running_chat(backend=backend) as chat:
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen) and chat.app.screen.query(Static))
        assert "gpu-box does not answer" in str(chat.app.screen.query(Static).first().content)
        assert backend.settings.profile == "gpu-box"
        await chat.until(lambda: chat.app.screen.query_one(OptionList).highlighted == 1)
        await chat.press("enter")
        await chat.until(lambda: backend.settings.profile == "lab")
        assert "lab:8000" in chat.top


async def test_the_offer_can_be_refused_and_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    backend = backend_of(path, provider=ScriptedProvider(models=REFUSED))
    async with running_chat(backend=backend) as chat:
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen) and chat.app.screen.query(Static))
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert (backend.settings.profile, chat.state) == ("gpu-box", "no server")
