"""The joined program: what is kept, deleted, remembered, offered and closed."""

from __future__ import annotations

import sqlite3
import time
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from tests.support.scripted_provider import ScriptedProvider
from vllm_tui.accounting.source import EncoderSource
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import ConfigurationError, StorageError
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.conversation import Conversation
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.settings.layers import Settings, load_settings
from vllm_tui.store.conversations import ConversationStore
from vllm_tui.store.folder import FILE_NAME
from vllm_tui.wiring import parts
from vllm_tui.wiring.backend import LiveBackend
from vllm_tui.wiring.parts import build_vocabulary, debug_log_of
from vllm_tui.wiring.screen import build_launch

DAY = 86_400


class ClosableProvider(ScriptedProvider):
    is_closed = False
    config = ProviderConfig()

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ClosableProvider:
    monkeypatch.setenv("TIKTOKEN_ENCODINGS_BASE", str(tmp_path / "vocabulary"))
    scripted = ClosableProvider()
    monkeypatch.setattr(parts, "build_provider", lambda settings, **given: scripted)
    return scripted


def settings_of(path: Path | None = None, **flags: str) -> Settings:
    return load_settings(flags, {}, path)


def opened_backend(settings: Settings, folder: Path, *, demo: bool = False) -> LiveBackend:
    backend = LiveBackend(settings, folder, demo=demo)
    backend.preload()
    return backend


async def ask(conversation: Conversation, question: str = "hello") -> None:
    async with aclosing(conversation.ask(question)) as events:
        async for _ in events:
            pass


async def keep_turn(folder: Path, name: str, age_days: float) -> None:
    created = time.time() - age_days * DAY
    turn = Turn(
        id=name,
        conversation_id=name,
        question=Message(role="user", content=name),
        status="completed",
        created=created,
    )
    async with ConversationStore(folder) as store:
        await store.finish_turn(turn)
    with closing(sqlite3.connect(folder / FILE_NAME)) as database, database:
        database.execute("UPDATE conversations SET updated = ? WHERE id = ?", (created, name))


async def names_in(folder: Path) -> set[str]:
    async with ConversationStore(folder) as store:
        return {summary.id for summary in await store.list_conversations()}


async def test_the_chat_offers_only_tools_that_touch_nothing(provider: ClosableProvider, tmp_path: Path) -> None:
    backend = opened_backend(settings_of(), tmp_path)
    await ask(await backend.open_conversation(resume=False))
    await backend.aclose()
    assert [spec.name for spec in provider.requests[0].tools] == ["current_time", "calculator"]
    assert provider.is_closed


async def test_the_demo_offers_its_weather_too(provider: ClosableProvider, tmp_path: Path) -> None:
    backend = opened_backend(settings_of(), tmp_path, demo=True)
    await ask(await backend.open_conversation(resume=False))
    await backend.aclose()
    assert [spec.name for spec in provider.requests[0].tools] == ["current_time", "calculator", "get_weather"]


async def test_a_tool_call_is_answered_by_the_calculator(provider: ClosableProvider, tmp_path: Path) -> None:
    backend = opened_backend(settings_of(), tmp_path)
    conversation = await backend.open_conversation(resume=False)
    toolbox = conversation._world.toolbox
    assert toolbox is not None
    result = await toolbox.run(ToolCallBlock(id="c1", name="calculator", input={"expression": "6 * 7"}))
    await backend.aclose()
    assert "42" in str(result.content)


@pytest.mark.parametrize(("days", "left"), [("null", {"old", "new"}), ("30", {"new"})])
async def test_conversations_past_their_time_are_deleted(
    provider: ClosableProvider, tmp_path: Path, days: str, left: set[str]
) -> None:
    await keep_turn(tmp_path, "old", 31)
    await keep_turn(tmp_path, "new", 29)
    backend = opened_backend(settings_of(retention_days=days), tmp_path)
    await backend.open_conversation(resume=False)
    await backend.tidy()
    await backend.aclose()
    assert await names_in(tmp_path) == left


async def test_the_conversation_that_is_open_is_never_deleted(provider: ClosableProvider, tmp_path: Path) -> None:
    await keep_turn(tmp_path, "older", 50)
    await keep_turn(tmp_path, "open", 40)
    backend = opened_backend(settings_of(retention_days="30"), tmp_path)
    await backend.open_conversation(resume=True)
    await backend.tidy()
    await backend.aclose()
    assert await names_in(tmp_path) == {"open"}


async def test_a_turn_that_could_not_be_saved_is_saved_before_the_end(
    provider: ClosableProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened_backend(settings_of(), tmp_path)
    conversation = await backend.open_conversation(resume=False)
    with monkeypatch.context() as broken:
        broken.setattr(ConversationStore, "finish_turn", _refuse)
        await ask(conversation, "keep me")
    await backend.aclose()
    async with ConversationStore(tmp_path) as store:
        turns = await store.load_conversation(conversation.id)
    assert [(turn.status, len(turn.rounds)) for turn in turns] == [("completed", 1)]
    assert backend.notices == []


async def test_what_stays_unsaved_is_said_and_everything_is_closed(
    provider: ClosableProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened_backend(settings_of(), tmp_path)
    conversation = await backend.open_conversation(resume=False)
    monkeypatch.setattr(ConversationStore, "finish_turn", _refuse)
    await ask(conversation)
    await backend.aclose()
    assert backend.notices == ["The last turns are not saved. The disk is full."]
    assert provider.is_closed


async def _refuse(store: ConversationStore, turn: Turn) -> None:
    raise StorageError("The disk is full.")


async def test_gpt_oss_is_counted_exactly_once_its_vocabulary_is_loaded(
    provider: ClosableProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bpe_openai")
    source = EncoderSource(folder=tmp_path / "vocabulary")
    monkeypatch.setattr(parts, "build_vocabulary", lambda settings: source)
    backend = opened_backend(settings_of(), tmp_path)
    await backend.open_conversation(resume=False)
    assert source.wait(30) is not None
    encode = backend.encode_for("openai/gpt-oss-20b")
    assert encode is not None
    assert (len(encode("hello world")), backend.encode_for("qwen")) == (2, None)
    await backend.aclose()


@pytest.mark.parametrize("policy", ["ask", "always", "never"])
def test_the_vocabulary_is_fetched_only_where_that_is_allowed(policy: str) -> None:
    assert build_vocabulary(settings_of(vocab_download=policy))._policy == policy


def test_a_choice_is_written_to_the_file_and_read_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    backend = LiveBackend(settings_of(path), tmp_path, demo=False)
    backend.remember("theme", "light")
    backend.remember("reasoning_display", "hide")
    again = build_launch(settings_of(path), demo=False, resume_last=False)
    assert (again.theme, again.reasoning_mode) == ("light", "hide")


def test_the_choice_of_the_window_that_chose_last_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    first, second = (LiveBackend(settings_of(path), tmp_path, demo=False) for _ in range(2))
    first.remember("theme", "light")
    second.remember("theme", "terminal")
    assert settings_of(path).text("theme") == "terminal"


def test_the_demo_remembers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    LiveBackend(settings_of(path), tmp_path, demo=True).remember("theme", "light")
    assert not path.exists()


def test_a_file_that_became_unusable_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    backend = LiveBackend(settings_of(path), tmp_path, demo=False)
    path.write_text("theme = ")
    with pytest.raises(ConfigurationError):
        backend.remember("theme", "light")
    assert path.read_text() == "theme = "


def test_the_screen_is_told_of_instructions_rounds_and_warnings() -> None:
    settings = load_settings(
        {"instructions": "Be brief.", "max_tool_rounds": "3", "base_url": "http://gpu-box:8000/v1"},
        {"VLLM_API_KEY": "sk-secret"},
        None,
    )
    launch = build_launch(settings, demo=False, resume_last=False)
    assert (launch.instructions, launch.max_tool_rounds) == ("Be brief.", 3)
    assert launch.warnings == ("The API key travels unencrypted to gpu-box. Use https:// or a tunnel to localhost.",)
    assert build_launch(settings, demo=True, resume_last=False).warnings == ()


def test_there_is_a_debug_log_only_when_debug_is_on() -> None:
    log = debug_log_of(settings_of(debug="true"))
    assert debug_log_of(settings_of()) is None
    assert log is not None
    assert log.name == "debug.jsonl"


def test_a_file_with_comments_is_not_rewritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\nseed = 1\n")
    backend = LiveBackend(settings_of(path), tmp_path, demo=False)
    with pytest.raises(ConfigurationError, match="comments"):
        backend.remember("theme", "light")
    assert path.read_text() == "# mine\nseed = 1\n"


def test_remembering_one_choice_saves_nothing_else_of_the_session(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    backend = LiveBackend(settings_of(path), tmp_path, demo=False)
    backend.use_settings(backend.settings.with_session("temperature", 0.5))
    backend.remember("theme", "light")
    assert path.read_text() == 'theme = "light"\n'
    assert (backend.settings.value("temperature"), backend.settings.origin("theme").layer) == (0.5, "file")
