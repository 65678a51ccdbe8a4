"""Runs `ask` with a provider that streams a word and an escape sequence, then waits for ever: FOLDER QUESTION."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator

from vllm_tui.cli import ask
from vllm_tui.domain.events import BlockDelta, StreamEvent
from vllm_tui.domain.request import ChatRequest
from vllm_tui.settings.layers import load_settings
from vllm_tui.wiring import parts


class SlowProvider:
    async def __aenter__(self) -> SlowProvider:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        yield BlockDelta(0, "text", "Begun\x1b]0;title\x07")
        await asyncio.Event().wait()


setattr(parts, "build_provider", lambda settings, **given: SlowProvider())  # noqa: B010
parser = argparse.ArgumentParser()
ask.add_arguments(parser)
settings = load_settings({"data_folder": sys.argv[1], "default_model": "m"}, {}, None)
sys.exit(ask.run(parser.parse_args(sys.argv[2:]), settings))
