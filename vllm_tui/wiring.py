"""Joins the parts to a running program: settings to provider, store, engine and screen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vllm_tui.domain.errors import StorageError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.provider.addresses import is_local
from vllm_tui.settings.layers import Settings

if TYPE_CHECKING:
    from vllm_tui.accounting.source import EncoderSource
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.domain.tool_runs import CallRequest, Decision
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.conversation import Conversation
    from vllm_tui.engine.ports import Transcript
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.store.conversations import ConversationStore
    from vllm_tui.tools.policy import Policy
    from vllm_tui.tools.sources import ToolSources
    from vllm_tui.ui.launch import Encode, Launch, Sample

SLOW_LINK_RATE, SLOW_LINK_FRAMES = 4, "8"
DEMO_SERVER = "demo server"
DEBUG_LOG = "debug.jsonl"
DAY_SECONDS = 86_400
HAND_TOOL = "stub"
"""The built-in tool that a person answers; it is offered when it can be."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


class NobodyAsks:
    """Refuses every tool that needs a person's word; the reason goes to the model and to the screen."""

    async def decide(self, request: CallRequest) -> Decision:
        """Refuse, and say that only tools that touch nothing run."""
        from vllm_tui.domain.tool_runs import Refuse

        return Refuse("Only tools that touch neither the machine nor the network run here.")


class LiveBackend:
    """Server, tools, settings and the conversations on disk, as the chat screen needs them."""

    def __init__(self, settings: Settings, data_folder: Path, *, demo: bool) -> None:
        self._settings = settings
        self._data_folder = data_folder
        self._demo = demo
        self.notices: list[str] = []
        self._provider: VLLMProvider
        self._store: ConversationStore
        self._tools: ToolSources
        self._policy: Policy
        self._vocabulary: EncoderSource | None = None
        self._saved: list[Conversation] = []

    def preload(self) -> None:
        """Import what the first turn needs and check the settings; raises ConfigurationError."""
        from vllm_tui.accounting import ladder  # noqa: F401  (these are loaded here and used in the event loop)
        from vllm_tui.engine import conversation, memory  # noqa: F401
        from vllm_tui.provider.sdk import preload
        from vllm_tui.store.conversations import ConversationStore
        from vllm_tui.tools.policy import Policy
        from vllm_tui.tools.sources import ToolSources
        from vllm_tui.ui.transcript.render import warm

        self._store = ConversationStore(self._data_folder)
        self._provider = build_provider(self._settings, demo=self._demo)
        self._tools = ToolSources(is_demo=self._demo)
        self._tools.registry.switch(HAND_TOOL, is_enabled=False)
        self._policy = Policy()
        if not self._demo:
            self._vocabulary = build_vocabulary(self._settings)
            self._vocabulary.start()
        warm()
        preload()

    def remember(self, name: str, value: str) -> None:
        """Save an option that the person changed; the demo saves nothing. Raises ConfigurationError."""
        if self._demo:
            return
        from vllm_tui.settings.saving import save_session

        self._settings = save_session(self._settings.reload().with_session(name, value))

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

    async def tidy(self) -> None:
        """Delete the conversations past `retention_days`, never the one that is open; raises StorageError."""
        days = self._settings.integer_or_none("retention_days")
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
        await self._tools.close()
        await self._provider.aclose()
        await self._store.aclose()

    async def _conversation(
        self, transcript: Transcript, conversation_id: str | None = None, turns: Sequence[Turn] = ()
    ) -> Conversation:
        from vllm_tui.engine.conversation import Conversation
        from vllm_tui.tools.toolbox import CheckedToolbox

        await self._tools.open()
        toolbox = CheckedToolbox(self._tools.registry, self._policy, NobodyAsks())
        return Conversation(
            self._provider, transcript, SystemClock(), toolbox=toolbox, conversation_id=conversation_id, turns=turns
        )


def build_provider(settings: Settings, *, demo: bool) -> VLLMProvider:
    """Return the provider that `settings` describe, or one that talks to the demo; raises ConfigurationError.

    May run `api_key_command`: call it off the event loop.
    """
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.provider.config import ProviderConfig

    debug_log = debug_log_of(settings)
    if not demo:
        return VLLMProvider(ProviderConfig.model_validate(settings.provider_mapping()), debug_log=debug_log)
    from vllm_tui.demo.transport import BASE_URL, DemoTransport

    without_key = settings.with_session("api_key_command", None).with_session("api_key", "EMPTY")
    mapping = {**without_key.provider_mapping(), "base_url": BASE_URL}
    return VLLMProvider(ProviderConfig.model_validate(mapping), transport=DemoTransport(), debug_log=debug_log)


def build_vocabulary(settings: Settings) -> EncoderSource:
    """Return the source of the vocabulary; it downloads only where `vocab_download` is `always`."""
    from vllm_tui.accounting.source import EncoderSource

    match settings.text("vocab_download"):
        case "always":
            return EncoderSource("always")
        case "never":
            return EncoderSource("never")
        case _:
            return EncoderSource("ask")


def debug_log_of(settings: Settings) -> Path | None:
    """Return the file of debug events, None when `debug` is off; it need not exist."""
    if not settings.is_on("debug"):
        return None
    from vllm_tui.settings.paths import default_log_folder

    return default_log_folder() / DEBUG_LOG


def data_folder_of(settings: Settings) -> Path:
    """Return the folder of conversations; it need not exist."""
    named = settings.text_or_none("data_folder")
    if named is not None:
        return Path(named).expanduser()
    from vllm_tui.settings.paths import default_data_folder

    return default_data_folder()


def build_launch(settings: Settings, *, demo: bool, resume_last: bool) -> Launch:
    """Return what the screen shows before anything heavy is loaded."""
    from vllm_tui.settings.secrets import warnings_of
    from vllm_tui.ui.launch import Launch

    base_url = settings.text("base_url")
    display = settings.text("reasoning_display")
    return Launch(
        server=DEMO_SERVER if demo else server_name(base_url),
        model=settings.text("default_model"),
        data_folder=data_folder_of(settings),
        is_local=demo or is_local(base_url),
        effort=settings.text_or_none("reasoning"),
        theme=settings.text("theme"),
        reasoning_mode="show" if display == "show" else "hide" if display == "hide" else "collapse",
        sidebar=settings.is_on("sidebar"),
        rate=SLOW_LINK_RATE if settings.is_on("slow_link") else settings.integer("update_rate"),
        demo=demo,
        resume=resume_last,
        max_tokens=settings.integer("max_tokens"),
        instructions=settings.text_or_none("instructions"),
        max_tool_rounds=settings.integer("max_tool_rounds"),
        samples=demo_samples() if demo else (),
        warnings=() if demo else warnings_of(settings),
    )


def server_name(base_url: str) -> str:
    """Return host and port of an address as the top line shows them."""
    parts = urlsplit(base_url)
    return parts.netloc.rpartition("@")[2] or base_url


def demo_samples() -> tuple[Sample, ...]:
    """Return the failures the demo can act out, for the palette."""
    from vllm_tui.demo.failures import FAILURES
    from vllm_tui.ui.launch import Sample

    return tuple(Sample(failure.description, failure.prompt) for failure in FAILURES)


def run_app(settings: Settings, *, demo: bool = False, resume_last: bool = False) -> int:
    """Show the chat until the person quits; return the exit code."""
    if settings.is_on("slow_link"):
        os.environ.setdefault("TEXTUAL_FPS", SLOW_LINK_FRAMES)  # read when textual is imported
    from vllm_tui.ui.app import ChatApp

    launch = build_launch(settings, demo=demo, resume_last=resume_last)
    backend = LiveBackend(settings, launch.data_folder, demo=demo)
    app = ChatApp(launch, backend)
    app.run(mouse=settings.is_on("mouse"))
    for notice in backend.notices:
        print(f"vllm-tui: {clean_line(notice)}", file=sys.stderr)
    if app.was_used and app.return_code == 0:
        print("resume: vllm-tui -c" + (" --demo" if demo else ""), file=sys.stderr)
    return app.return_code or 0
