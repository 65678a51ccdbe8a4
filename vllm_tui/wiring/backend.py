"""What the chat screen needs of the world: the server, the tools and the conversations on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ConfigurationError, StorageError
from vllm_tui.settings.layers import Settings
from vllm_tui.wiring import parts
from vllm_tui.wiring.logs import keep_logs
from vllm_tui.wiring.tools_and_wire import ToolsAndWire

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder
    from vllm_tui.accounting.source import EncoderSource
    from vllm_tui.accounting.token_view import TokenView
    from vllm_tui.domain.checks import Check, LocalServer, Probe
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.conversation import Conversation
    from vllm_tui.engine.ports import Transcript
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.store.conversations import ConversationStore
    from vllm_tui.ui.launch import Encode, VocabularyStand

DAY_SECONDS = 86_400


class LiveBackend(ToolsAndWire):
    """Server, tools, settings and the conversations on disk, as the chat screen needs them.

    `settings` are those of the moment; `use_settings` changes them.
    """

    def __init__(self, settings: Settings, data_folder: Path, *, demo: bool) -> None:
        super().__init__(settings, data_folder, self._build, demo=demo)
        self.notices: list[str] = []
        self._store: ConversationStore
        self._vocabulary: EncoderSource | None = None
        self._saved: list[Conversation] = []

    def preload(self) -> None:
        """Import what the first turn needs and check the settings; raises ConfigurationError."""
        from vllm_tui.accounting import ladder  # noqa: F401  (these are loaded here and used in the event loop)
        from vllm_tui.engine import conversation, memory  # noqa: F401
        from vllm_tui.provider.sdk import preload
        from vllm_tui.store.conversations import ConversationStore
        from vllm_tui.tools import toolbox  # noqa: F401
        from vllm_tui.ui.transcript.render import warm

        keep_logs(self.settings)
        self._store = ConversationStore(self._data_folder)
        self._provider.build()
        self._build_tools()
        if not self._demo:
            self._vocabulary = parts.build_vocabulary(self.settings)
            self._vocabulary.start()
        warm()
        preload()

    def remember(self, name: str, value: str) -> None:
        """Save one option that the person changed; the demo only takes it for now. Raises ConfigurationError."""
        if self._demo:
            self.use_settings(self.settings.chosen(name, value))
            return
        from vllm_tui.settings.saving import save_session

        fresh = self.settings.reload()
        if fresh.document.has_comments:
            raise ConfigurationError(
                "Saving would remove the comments in config.toml.", hint="F4, then F10 saves it all the same."
            )
        self.use_settings(save_session(fresh.with_session(name, value), names={name}))

    def use_settings(self, settings: Settings) -> None:
        """Let `settings` hold from the next request on; a running answer goes on as it began."""
        before, self.settings = self.settings, settings
        self._provider.use(settings)
        if before.value("debug") != settings.value("debug"):
            keep_logs(settings)
        self._limit_tools(settings)
        if self._vocabulary is not None and before.value("vocab_download") != settings.value("vocab_download"):
            self._vocabulary.stop()
            self._vocabulary = parts.build_vocabulary(settings)
            self._vocabulary.start()

    def save_settings(self, settings: Settings, new_profile: str | None = None) -> Settings:
        """Write what was set in this session to the file and return what holds then; raises ConfigurationError."""
        from vllm_tui.settings.saving import save_session

        return save_session(settings, new_profile=new_profile)

    def use_demo(self) -> None:
        """Talk to the built-in demo server from the next request on."""
        from vllm_tui.tools.builtin import build_demo_weather

        if not self._demo:
            self._tools.registry.add(build_demo_weather())
        self._demo = True
        self._provider.use(self.settings, self._build)

    async def check_server(self, settings: Settings, on_check: Callable[[Check], None]) -> Probe:
        """Look at the server that `settings` name, step by step; what is wrong stands in the checks."""
        return await parts.check_server(settings, on_check)

    async def find_servers(self) -> tuple[LocalServer, ...]:
        """Return the vLLM servers on this machine; no key is ever sent."""
        from vllm_tui.server.discovery import find_local_servers

        return await find_local_servers()

    async def open_conversation(self, *, resume: bool) -> Conversation:
        """Return the last conversation or a new one; raises StorageError."""
        notice = await self._store.open()
        if notice is not None:
            self.notices.append(notice)
        latest = await self._store.latest_conversation() if resume else None
        turns = () if latest is None else await self._store.load_conversation(latest)
        opened = await self._conversation(self._store, latest, turns)
        self._saved.append(opened)
        return opened

    async def open_unsaved(self) -> Conversation:
        """Return a new conversation that is kept in memory only."""
        from vllm_tui.engine.memory import MemoryTranscript

        return await self._conversation(MemoryTranscript())

    def encode_for(self, model: str) -> Encode | None:
        """Return the encoder of gpt-oss once its vocabulary is loaded, None for other models; never waits."""
        if self._vocabulary is None:
            return None
        from vllm_tui.accounting.ladder import is_harmony_model

        if not is_harmony_model(model):
            return None
        self._vocabulary.retry_if_installed()
        encoder = self._vocabulary.encoder
        return None if encoder is None else encoder.encode

    def vocabulary_for(self, model: str) -> VocabularyStand:
        """Return how the vocabulary for exact counts stands; never waits."""
        from vllm_tui.wiring.vocabulary import stand_of

        return stand_of(None if self._demo else self._vocabulary, model)

    def fetch_vocabulary(self, model: str) -> str:
        """Begin to download the vocabulary in the background; return what to say."""
        from vllm_tui.wiring.vocabulary import fetch

        return fetch(None if self._demo else self._vocabulary, model)

    async def token_view(self, turns: Sequence[Turn], number: int) -> TokenView:
        """Return turn `number` of a conversation token by token; what can't be had says why."""
        from vllm_tui.wiring.token_view import TokenReader

        reader = TokenReader(
            await self._provider.config(), self._encoder(), parts.demo_transport() if self._demo else None
        )
        system = self.settings.text_or_none("instructions")
        return await reader.view(turns, number, system, self._tools.registry.specs)

    async def tidy(self) -> None:
        """Delete the conversations past `retention_days`, never the one that is open; raises StorageError."""
        days = self.settings.integer_or_none("retention_days")
        if days is None or not self._saved:
            return
        oldest = time.time() - days * DAY_SECONDS
        turns = self._saved[-1].turns
        await self._store.delete_unused(min(oldest, turns[-1].created) if turns else oldest)

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """Return what the server serves; raises VLLMError."""
        return await self._provider.list_models()

    async def aclose(self) -> None:
        """Save what could not be saved before, and close connections and files."""
        try:
            for conversation in self._saved:
                await conversation.settle()
        except StorageError as error:
            self.notices.append(f"The last turns are not saved. {error}")
        if self._vocabulary is not None:
            self._vocabulary.stop()
        keep_logs(self.settings.with_session("debug", False))
        await self._tools.close()
        await self._provider.aclose()
        await self._store.aclose()

    def _build(self, settings: Settings) -> VLLMProvider:
        provider = parts.build_provider(settings, demo=self._demo, encoder=self._encoder, wire=self._wire_log())
        self._keys.add(provider.config.api_key)
        return provider

    def _encoder(self) -> Encoder | None:
        """Return the vocabulary once it is loaded; a file installed meanwhile is noticed."""
        if self._vocabulary is None or self._demo:
            return None
        self._vocabulary.retry_if_installed()
        return self._vocabulary.encoder

    async def _conversation(
        self, transcript: Transcript, conversation_id: str | None = None, turns: Sequence[Turn] = ()
    ) -> Conversation:
        from vllm_tui.engine.conversation import Conversation
        from vllm_tui.tools.advice import ToolAdviser

        return Conversation(
            self._provider,
            transcript,
            parts.SystemClock(),
            toolbox=self._new_toolbox(),
            adviser=ToolAdviser(),
            conversation_id=conversation_id,
            turns=turns,
        )
