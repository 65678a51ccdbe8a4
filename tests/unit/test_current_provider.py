"""The provider follows the settings from the next request on, and closes what nobody uses."""

from __future__ import annotations

from contextlib import aclosing
from typing import cast

import pytest
from tests.support.scripted_provider import Pause, ScriptedProvider, answer, deltas
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.events import BlockDelta, BlockStarted, ResponseFinished
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.provider.client import VLLMProvider
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.settings.layers import Settings, load_settings
from vllm_tui.wiring.current import CurrentProvider

REQUEST = ChatRequest(messages=(Message(role="user", content="hello"),))


class Counted(ScriptedProvider):
    """A provider that notes what it was built from and whether it was closed."""

    def __init__(self, settings: Settings, pause: Pause | None = None) -> None:
        script = [BlockStarted(0, "text"), *deltas(0, "text", "a b"), pause, *answer("a b")[1:]] if pause else None
        super().__init__(*([script] if script else []))
        self.settings = settings
        self.heirs: list[Counted] = []
        self.is_closed = False
        self.config = ProviderConfig(**settings.provider_mapping())

    def take_over(self, before: Counted) -> None:
        before.heirs.append(self)

    async def aclose(self) -> None:
        self.is_closed = True


class Workshop:
    """Builds providers and keeps them."""

    def __init__(self, pause: Pause | None = None) -> None:
        self.built: list[Counted] = []
        self._pause = pause

    def build(self, settings: Settings) -> VLLMProvider:
        self.built.append(Counted(settings, self._pause if not self.built else None))
        return cast("VLLMProvider", self.built[-1])


async def ask(current: CurrentProvider) -> str:
    async with aclosing(current.stream(REQUEST)) as events:
        async for event in events:
            if isinstance(event, ResponseFinished):
                return event.response.text
    return ""


async def test_a_change_builds_anew_and_hands_over_what_was_learnt() -> None:
    workshop, settings = Workshop(), load_settings({}, {}, None)
    current = CurrentProvider(settings, workshop.build)
    current.build()
    await ask(current)
    current.use(settings.with_session("temperature", 0.0))
    await ask(current)
    first, second = workshop.built
    assert (first.is_closed, first.heirs, second.settings.value("temperature")) == (True, [second], 0.0)


async def test_settings_of_the_screen_alone_change_nothing() -> None:
    workshop, settings = Workshop(), load_settings({}, {}, None)
    current = CurrentProvider(settings, workshop.build)
    current.build()
    current.use(settings.with_session("theme", "light"))
    await ask(current)
    assert len(workshop.built) == 1


async def test_a_running_answer_keeps_its_provider_until_it_ends() -> None:
    pause = Pause()
    workshop, settings = Workshop(pause), load_settings({}, {}, None)
    current = CurrentProvider(settings, workshop.build)
    current.build()
    async with aclosing(current.stream(REQUEST)) as events:
        async for event in events:
            if isinstance(event, BlockDelta):
                current.use(settings.with_session("temperature", 1.0))
                assert await ask(current) == "Hello."
                assert not workshop.built[0].is_closed
                pause.open()
    assert [provider.is_closed for provider in workshop.built] == [True, False]


async def test_a_key_command_is_run_once_while_nothing_about_it_changes() -> None:
    workshop = Workshop()
    settings = load_settings({"api_key_command": '["printf", "k${x}1"]'}, {}, None)
    current = CurrentProvider(settings, workshop.build)
    current.build()
    current.use(settings.with_session("temperature", 1.0))
    await ask(current)
    current.use(settings.with_session("api_key", "other"))
    await ask(current)
    assert [item.settings.value("api_key_command") is None for item in workshop.built] == [False, True, False]
    assert [item.config.api_key for item in workshop.built] == ["k${x}1", "k${x}1", "other"]


async def test_settings_that_can_not_be_used_fail_the_turn_and_later_ones_work() -> None:
    workshop, settings = Workshop(), load_settings({}, {}, None)

    def build(wanted: Settings) -> VLLMProvider:
        if wanted.value("temperature") == 1.0:
            raise ConfigurationError("api_key_command: gave no answer.")
        return workshop.build(wanted)

    current = CurrentProvider(settings, build)
    current.build()
    current.use(settings.with_session("temperature", 1.0))
    with pytest.raises(ConfigurationError):
        await ask(current)
    current.use(settings)
    assert await ask(current) == "Hello."


async def test_everything_is_closed_at_the_end() -> None:
    workshop, settings = Workshop(), load_settings({}, {}, None)
    current = CurrentProvider(settings, workshop.build)
    current.build()
    await ask(current)
    await current.aclose()
    assert workshop.built[0].is_closed


def test_a_provider_takes_over_what_another_learnt_of_the_same_server() -> None:
    before = VLLMProvider({"base_url": "http://a/v1"})
    before._session.lacks_store = True
    same, other = VLLMProvider({"base_url": "http://a/v1"}), VLLMProvider({"base_url": "http://b/v1"})
    same.take_over(before)
    other.take_over(before)
    assert (same._session.lacks_store, other._session.lacks_store) == (True, False)
