"""The parts of the program as the settings describe them: provider, vocabulary, folders, clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.options import BY_NAME

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder
    from vllm_tui.accounting.source import EncoderSource
    from vllm_tui.demo.transport import DemoTransport
    from vllm_tui.domain.checks import Check, Probe
    from vllm_tui.domain.tool_runs import CallRequest, Decision
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.provider.wire import WireListener

DEBUG_LOG = "debug.jsonl"

Encoders = Callable[[], "Encoder | None"]
"""Gives the vocabulary once it is loaded."""


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


def build_provider(
    settings: Settings, *, demo: bool, encoder: Encoders | None = None, wire: WireListener | None = None
) -> VLLMProvider:
    """Return the provider that `settings` describe, or one that talks to the demo; raises ConfigurationError.

    `encoder` gives the vocabulary once it is loaded: prompts are counted before they leave. `wire` hears the traffic.
    May run `api_key_command`: call it off the event loop.
    """
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.provider.config import ProviderConfig
    from vllm_tui.wiring.counting import LadderCounter

    def counter(config: ProviderConfig) -> LadderCounter | None:
        return None if encoder is None else LadderCounter(encoder, config)

    debug_log = debug_log_of(settings)
    if not demo:
        config = ProviderConfig.model_validate(settings.provider_mapping())
        return VLLMProvider(config, debug_log=debug_log, counter=counter(config), wire=wire)
    from vllm_tui.demo.transport import BASE_URL, DemoTransport

    without_key = settings.with_session("api_key_command", None).with_session("api_key", "EMPTY")
    mapping = {**without_key.provider_mapping(), "base_url": BASE_URL}
    config = ProviderConfig.model_validate(mapping)
    transport = DemoTransport()
    return VLLMProvider(config, transport=transport, debug_log=debug_log, counter=counter(config), wire=wire)


def demo_transport() -> DemoTransport:
    """Return a demo server that answers at once, for small questions."""
    from vllm_tui.demo.transport import DemoTransport

    return DemoTransport(speed=float("inf"))


async def check_server(settings: Settings, on_check: Callable[[Check], None]) -> Probe:
    """Return the checks of the server that `settings` name; a key that can't be had is one of them."""
    import asyncio

    from vllm_tui.domain.checks import Check, Probe
    from vllm_tui.server.probe import probe

    base_url = settings.text("base_url")
    try:
        key = (await asyncio.to_thread(settings.provider_mapping))["api_key"]
    except ConfigurationError as error:
        failed = Check("auth", "fail", error.message, remedy=error.hint)
        on_check(failed)
        return Probe(base_url, (failed,))
    has_key = isinstance(key, str) and key != BY_NAME["api_key"].default
    model = settings.text("default_model")
    return await probe(base_url, str(key) if has_key else None, model=model, on_check=on_check)


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
