"""What a person chose on the screen is remembered for the next start."""

from __future__ import annotations

from tests.support.chat_app import running_chat
from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider
from vllm_tui.domain.errors import ConfigurationError


async def test_theme_and_reasoning_mode_are_saved_when_they_change() -> None:
    backend = ScriptedBackend(ScriptedProvider())
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.send("/theme light")
        await chat.send("/reasoning hide")
        await chat.until(lambda: len(backend.remembered) == 2)
        assert backend.remembered == [("theme", "light"), ("reasoning_display", "hide")]


async def test_a_choice_that_cannot_be_saved_holds_and_the_person_is_told() -> None:
    backend = ScriptedBackend(ScriptedProvider(), refusal=ConfigurationError("config.toml can't be written."))
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.send("/theme light")
        await chat.until(lambda: "this session only" in chat.hint)
        assert (chat.app.theme, chat.hint) == (
            "light",
            "theme holds for this session only: config.toml can't be written.",
        )


async def test_old_conversations_are_deleted_once_the_chat_is_open() -> None:
    backend = ScriptedBackend(ScriptedProvider())
    async with running_chat(backend=backend) as chat:
        await chat.until(lambda: backend.is_tidied)


async def test_a_turn_brings_the_configured_instructions_and_tool_rounds() -> None:
    backend = ScriptedBackend(ScriptedProvider())
    async with running_chat(backend=backend, instructions="Be brief.") as chat:
        await chat.opened()
        await chat.ask("hello")
        asked = backend.provider.requests[0].messages
        assert [(message.role, message.text) for message in asked] == [("system", "Be brief."), ("user", "hello")]
