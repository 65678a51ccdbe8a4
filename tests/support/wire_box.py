"""A wire log that is told of exchanges by hand, with a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

from vllm_tui.cassette.exchange import Chunk, RecordedRequest
from vllm_tui.cassette.frames import read_frames
from vllm_tui.cassette.tape import Take, Tape
from vllm_tui.provider.wire import WireEnd, WireEvent, WireRequest, WireResponse
from vllm_tui.wiring.wire_log import WireLog

RECORDINGS = Path(__file__).parent.parent / "recordings"
TOOLS = "0.32.0/gpt-oss/tool_auto_stream"
URL = "http://gpu-box:8000/v1/responses"
STREAM = (("Content-Type", "text/event-stream; charset=utf-8"),)
JSON = (("Content-Type", "application/json"),)


def recorded(name: str = TOOLS) -> list[tuple[str, bytes]]:
    """Return the events of a recorded stream as name and data."""
    data = (RECORDINGS / f"{name}.response.txt").read_bytes()
    return [(frame.name, frame.data.encode()) for _, frame in read_frames([Chunk(0.0, data)])[0]]


class WireBox:
    """Tells a log what happens; `again` keeps what was sent once more."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.seconds = 100.0
        self.again: list[RecordedRequest] = []
        self.held: asyncio.Event | None = None
        self.log = WireLog(
            lambda: frozenset(secrets),
            lambda: "# Report, http://gpu-box:8000/v1\n\nPython 3.11\n",
            self._repeat,
            now=lambda: 1_800_000_000.0 + self.seconds,
            monotonic=lambda: self.seconds,
        )

    async def _repeat(self, request: RecordedRequest, profile: str | None) -> Take:
        self.again.append(request)
        if self.held is not None:
            await self.held.wait()
        take = Tape(clock=lambda: 0.0).begin(request.method, request.url, (), request.body.encode())
        take.answer(200, JSON)
        take.add(b'{"status": "completed"}')
        take.end("complete")
        return take

    def request(self, body: object, call: str = "r1", attempt: int = 1) -> None:
        headers = (("authorization", "[REDACTED]"), ("content-type", "application/json"))
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.log.on_wire(call, attempt, WireRequest("POST", URL, headers, data, self.seconds))

    def answer(self, status: int = 200, headers: tuple[tuple[str, str], ...] = STREAM, call: str = "r1") -> None:
        self.seconds += 0.02
        self.log.on_wire(call, 1, WireResponse(status, headers, self.seconds))

    def event(self, name: str, data: bytes, after: float = 0.01, call: str = "r1") -> None:
        self.seconds += after
        self.log.on_wire(call, 1, WireEvent(name, data, self.seconds))

    def end(self, error: str | None = None, call: str = "r1") -> None:
        self.seconds += 0.01
        self.log.on_wire(call, 1, WireEnd(error, self.seconds))

    def stream(self, question: str = "Weather in Paris?", events: list[tuple[str, bytes]] | None = None) -> None:
        """Tell a whole streamed exchange."""
        self.request({"model": "openai/gpt-oss-20b", "input": [{"role": "user", "content": question}], "stream": True})
        self.answer()
        for name, data in recorded() if events is None else events:
            self.event(name, data)
        self.end()

    def refusal(self, status: int, message: str, attempt: int = 1) -> None:
        """Tell an exchange that was refused."""
        self.request({"model": "openai/gpt-oss-20b", "input": "hi"}, attempt=attempt)
        self.answer(status, JSON)
        self.event("", json.dumps({"error": {"message": message, "code": status}}).encode())
        self.end(message)
