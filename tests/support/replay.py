"""Plays recorded answers of real servers through the provider, without a socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.provider.client import VLLMProvider

RECORDINGS = Path(__file__).parent.parent / "recordings"


@dataclass(frozen=True)
class Recording:
    """One recorded exchange; `name` is its path without ending, `broke_off` a body without its proper end."""

    name: str
    status: int
    content_type: str
    broke_off: bool

    @property
    def version(self) -> str:
        return self.name.split("/")[0]

    @property
    def body(self) -> bytes:
        return (RECORDINGS / f"{self.name}.response.txt").read_bytes()

    @property
    def is_stream(self) -> bool:
        return self.content_type.startswith("text/event-stream")

    @property
    def request(self) -> dict[str, Any]:
        """The request body that was sent; empty when it was no JSON object."""
        try:
            sent = json.loads((RECORDINGS / f"{self.name}.request.json").read_bytes())
        except ValueError:
            return {}
        return sent if isinstance(sent, dict) else {}

    def chat_request(self) -> ChatRequest:
        """A request that differs from the recorded one only where the answer does not depend on it."""
        sent = self.request
        limit = sent.get("max_output_tokens")
        reasoning = sent.get("reasoning")
        return ChatRequest(
            messages=(Message(role="user", content="Hello"),),
            tools=tuple(
                ToolSpec(name=tool["name"], parameters=tool.get("parameters") or {})
                for tool in sent.get("tools") or ()
                if isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("name"), str)
            ),
            model=sent.get("model") or "the-model",
            max_output_tokens=limit if isinstance(limit, int) and limit > 0 else None,
            reasoning_effort=reasoning.get("effort") if isinstance(reasoning, dict) else None,
            metadata={"stream": self.is_stream},
        )


@cache
def index() -> dict[str, Recording]:
    """Return all recordings by name."""
    rows = json.loads((RECORDINGS / "index.json").read_text())
    return {row[0]: Recording(*row) for row in rows}


class _Body(httpx2.AsyncByteStream):
    def __init__(self, chunks: Sequence[bytes], broke_off: bool) -> None:
        self._chunks = chunks
        self._broke_off = broke_off

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._broke_off:
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")


class Replay(httpx2.AsyncBaseTransport):
    """Answers every POST to /v1/responses with the same chunks; `requests` are the bodies it was sent."""

    def __init__(
        self, chunks: Sequence[bytes], *, status: int = 200, content_type: str, broke_off: bool = False
    ) -> None:
        self.chunks = chunks
        self._status = status
        self._content_type = content_type
        self.broke_off = broke_off
        self.requests: list[dict[str, Any]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert (request.method, request.url.path) == ("POST", "/v1/responses")
        self.requests.append(json.loads(await request.aread()))
        headers = {"content-type": self._content_type} if self._content_type else {}
        return httpx2.Response(self._status, headers=headers, stream=_Body(self.chunks, self.broke_off))


def replay_of(recording: Recording) -> Replay:
    """Return a server that answers as recorded."""
    return Replay(
        (recording.body,),
        status=recording.status,
        content_type=recording.content_type,
        broke_off=recording.broke_off,
    )


def provider_of(replay: Replay) -> VLLMProvider:
    """Return a provider that asks `replay` and never tries twice."""
    return VLLMProvider({"base_url": "http://recorded.invalid/v1", "max_retries": 0}, transport=replay)


def play(recording: Recording, chunks: Sequence[bytes] | None = None) -> VLLMProvider:
    """Return a provider whose server answers as recorded, in `chunks` if given."""
    replay = replay_of(recording)
    if chunks is not None:
        replay.chunks = chunks
    return provider_of(replay)
