"""Plays a cassette through the whole program: the screen, the engine and the provider, without a server or a disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.layers import Settings
from vllm_tui.wiring.backend import LiveBackend

if TYPE_CHECKING:
    from vllm_tui.cassette.cassette import Cassette
    from vllm_tui.cassette.exchange import RecordedRequest
    from vllm_tui.cassette.replay import ReplayTransport
    from vllm_tui.cassette.session import RecordedSession
    from vllm_tui.cassette.tape import Take
    from vllm_tui.domain.values import JsonObject, JsonValue
    from vllm_tui.engine.conversation import Conversation
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.tools.tool import Tool


class ReplayBackend(LiveBackend):
    """A backend whose server is a cassette; conversations are kept in memory, settings are never written."""

    def __init__(self, settings: Settings, data_folder: Path, cassette: Cassette, speed: float) -> None:
        from vllm_tui.cassette.replay import ReplayTransport
        from vllm_tui.cassette.session import read_session

        super().__init__(settings, data_folder, demo=False)
        self.session: RecordedSession = read_session(cassette)
        self._cassette: ReplayTransport = ReplayTransport(cassette, speed)

    def preload(self) -> None:
        """Load what is heavy, and offer the tools of the recording with the answers they gave."""
        super().preload()
        registry = self._tools.registry
        taken = {listing.name for listing in registry.listings}
        for tool in recorded_tools(self.session):
            if tool.name not in taken:
                registry.add(tool)

    def remember(self, name: str, value: str) -> None:
        """Take a choice for this session only."""
        self.use_settings(self.settings.chosen(name, value))

    async def open_conversation(self, *, resume: bool) -> Conversation:
        """Return a new conversation in memory."""
        return await self.open_unsaved()

    async def open_tools(self) -> Sequence[str]:
        """Start no server and load no file: the tools are those of the recording."""
        return ()

    async def tidy(self) -> None:
        """Delete nothing."""

    async def _send_again(self, request: RecordedRequest, profile: str | None) -> Take:
        raise ConfigurationError("Nothing is sent during a replay.", hint="Start vllm-tui on a server for that.")

    def _build(self, settings: Settings) -> VLLMProvider:
        from vllm_tui.cassette.replay import BASE_URL
        from vllm_tui.provider.client import VLLMProvider
        from vllm_tui.provider.config import ProviderConfig

        without_key = settings.with_session("api_key_command", None).with_session("api_key", "EMPTY")
        mapping = {**without_key.provider_mapping(), "base_url": BASE_URL}
        config = ProviderConfig.model_validate(mapping)
        return VLLMProvider(config, transport=self._cassette, wire=self._wire_log())


def recorded_tools(session: RecordedSession) -> tuple[Tool, ...]:
    """Return the tools that the recorded requests offered; each answers as it did in the recording."""
    from vllm_tui.domain.messages import ToolSpec
    from vllm_tui.tools.tool import Tool, ToolFailed

    answers = {(call.name, _canonical(call.arguments)): call.output for call in session.calls}

    def tool_of(described: JsonObject) -> Tool:
        name, parameters = str(described.get("name")), described.get("parameters")
        given: JsonObject = parameters if isinstance(parameters, dict) else {"type": "object"}
        spec = ToolSpec(name=name, description=str(described.get("description") or ""), parameters=given)

        async def run(arguments: JsonObject) -> JsonValue:
            found = answers.get((name, _canonical(json.dumps(arguments))))
            if found is None:
                raise ToolFailed("The cassette holds no answer to this call.")
            return found

        return Tool(spec, "demo", run, pure=True, origin="cassette")

    return tuple(tool_of(tool) for tool in session.tools)


def _canonical(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text


def run_replay(settings: Settings, cassette: Cassette, name: str, speed: float) -> int:
    """Show the recorded session on the screen until the person quits; return the exit code."""
    from vllm_tui.ui.app import ChatApp
    from vllm_tui.wiring.screen import build_launch

    launch = build_launch(settings, demo=False, resume_last=False)
    backend = ReplayBackend(settings, launch.data_folder, cassette, speed)
    session = backend.session
    note = f"Replay of {name}: answers come from the recording, nothing is saved and no server is asked."
    launch = replace(
        launch,
        server=f"REPLAY {Path(name).name}",
        is_local=True,
        model=session.model or launch.model,
        effort=session.effort,
        first_run=False,
        warnings=(note,),
        questions=session.questions,
    )
    app = ChatApp(launch, backend)
    app.run(mouse=settings.is_on("mouse"))
    for notice in backend.notices:
        print(f"vllm-tui: {clean_line(notice)}", file=sys.stderr)
    return app.return_code or 0
