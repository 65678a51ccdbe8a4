"""A background answer goes on after a lost connection; a server without a store is asked as usual."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
from vllm_tui import ChatRequest, ChatResponse, Message, Notice, ResponseFinished, StreamEvent, VLLMProvider

REQUEST = ChatRequest(messages=(Message(role="user", content="Count."),), model="m")
WORDS = ["one ", "two ", "three ", "four ", "five"]


def event(number: int, kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **fields})}\n\n".encode()


def whole_stream() -> list[bytes]:
    item = {"type": "message", "id": "msg_1", "content": []}
    events = [
        event(0, "response.created", response={"id": "resp_1", "status": "in_progress", "output": []}),
        event(1, "response.output_item.added", item=item, output_index=0),
    ]
    events += [event(2 + n, "response.output_text.delta", delta=word) for n, word in enumerate(WORDS)]
    final = {"id": "resp_1", "status": "completed", "output": [], "usage": {"input_tokens": 3, "output_tokens": 5}}
    return [*events, event(7, "response.completed", response=final)]


class Pieces(httpx2.AsyncByteStream):
    def __init__(self, pieces: list[bytes], *, breaks: bool) -> None:
        self.pieces = pieces
        self.breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.breaks:
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")


class Server(httpx2.AsyncBaseTransport):
    def __init__(self, *, has_store: bool = True, repeats: int = 0) -> None:
        self.has_store = has_store
        self.repeats = repeats
        self.seen: list[str] = []
        self.bodies: list[dict[str, object]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(f"{request.method} {request.url.raw_path.decode()}")
        headers = {"content-type": "text/event-stream"}
        if request.method == "GET":
            after = int(request.url.params["starting_after"])
            return httpx2.Response(200, headers=headers, stream=Pieces(self._after(after), breaks=False))
        if request.url.path.endswith("/cancel"):
            return httpx2.Response(200, json={"id": "resp_1", "status": "cancelled"})
        body = json.loads(await request.aread())
        self.bodies.append(body)
        if body.get("background") and not self.has_store:
            message = "background mode needs VLLM_ENABLE_RESPONSES_API_STORE=1"
            return httpx2.Response(400, json={"error": {"message": message, "type": "BadRequestError", "code": 400}})
        breaks = bool(body.get("background"))
        pieces = whole_stream()[:4] if breaks else whole_stream()
        return httpx2.Response(200, headers=headers, stream=Pieces(pieces, breaks=breaks))

    def _after(self, number: int) -> list[bytes]:
        return whole_stream()[max(0, number + 1 - self.repeats) :]


async def ask(server: Server) -> tuple[ChatResponse, list[StreamEvent]]:
    options = {"base_url": "http://vllm.test/v1", "enable_state": True, "resume": True, "min_retry_delay": 0}
    async with VLLMProvider(options, transport=server) as provider:  # type: ignore[arg-type]
        events = [event async for event in provider.stream(REQUEST)]
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    return last.response, events


async def test_a_lost_connection_is_resumed_without_losing_or_repeating_a_token() -> None:
    for repeats in (0, 2):
        server = Server(repeats=repeats)
        response, events = await ask(server)
        assert (response.text, response.status) == ("one two three four five", "completed")
        assert [e.code for e in events if isinstance(e, Notice)] == ["stream_resumed"]
        assert server.seen == ["POST /v1/responses", "GET /v1/responses/resp_1?starting_after=3&stream=true"]
        assert (server.bodies[0]["background"], server.bodies[0]["store"]) == (True, True)


async def test_a_server_without_a_store_is_asked_without_the_background() -> None:
    server = Server(has_store=False)
    response, events = await ask(server)
    assert response.text == "one two three four five"
    assert [e.code for e in events if isinstance(e, Notice)] == ["store_unavailable"]
    assert [body.get("background") for body in server.bodies] == [True, None]


async def test_an_answer_nobody_waits_for_is_cancelled() -> None:
    server = Server()
    options = {"base_url": "http://vllm.test/v1", "enable_state": True, "resume": True, "min_retry_delay": 0}
    async with VLLMProvider(options, transport=server) as provider:  # type: ignore[arg-type]
        events = provider.stream(REQUEST)
        await anext(events)
        await events.aclose()
    assert server.seen == ["POST /v1/responses", "POST /v1/responses/resp_1/cancel"]
