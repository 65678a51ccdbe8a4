"""A transport that plays a cassette in place of a server."""

from __future__ import annotations

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import AsyncGeneratorType
from urllib.parse import urlsplit

import httpx2

from vllm_tui.cassette.cassette import Cassette
from vllm_tui.cassette.exchange import Exchange

BASE_URL = "http://cassette.invalid/v1"
"""An address for replay; the name never resolves."""
_ERRORS: dict[str, type[httpx2.TransportError]] = {
    kind.__name__: kind
    for kind in (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.ReadError,
        httpx2.ReadTimeout,
        httpx2.WriteError,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.RemoteProtocolError,
        httpx2.LocalProtocolError,
    )
}
_DROPPED = ("content-length", "transfer-encoding", "connection")


class ReplayTransport(httpx2.AsyncBaseTransport):
    """Answers from a cassette: the next exchange with the same method and path, whatever the body says.

    `speed` 2.0 plays twice as fast, infinity does not wait. Recorded failures fail again. A GET that was answered
    once is answered again; anything the cassette does not hold is a 404 that says so.
    """

    def __init__(
        self, cassette: Cassette, speed: float = 1.0, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed is {speed}: give a number above 0.")
        self._exchanges: dict[tuple[str, str], list[Exchange]] = defaultdict(list)
        for exchange in cassette.exchanges:
            self._exchanges[exchange.request.method, _place(exchange.request.url)].append(exchange)
        self._played: dict[tuple[str, str], int] = defaultdict(int)
        self._speed = speed
        self._sleep = sleep

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the recorded answer at the recorded pace, or raise the recorded failure."""
        await request.aread()
        key = request.method, _place(str(request.url))
        exchange = self._next(key)
        if exchange is None:
            return self._missing(key, request)
        if exchange.status is None:
            await self._wait(exchange.ended_at or 0.0)
            raise _error_of(exchange, request)
        await self._wait(exchange.answered_at or 0.0)
        headers = [pair for pair in exchange.headers if pair[0] not in _DROPPED]
        return httpx2.Response(
            exchange.status, headers=headers, stream=_Replayed(self, exchange, request), request=request
        )

    def _next(self, key: tuple[str, str]) -> Exchange | None:
        recorded, position = self._exchanges.get(key, []), self._played[key]
        if position < len(recorded):
            self._played[key] += 1
            return recorded[position]
        return recorded[-1] if recorded and key[0] == "GET" else None

    def _missing(self, key: tuple[str, str], request: httpx2.Request) -> httpx2.Response:
        if key == ("GET", "/models"):
            return httpx2.Response(200, json={"object": "list", "data": self._models()}, request=request)
        count = len(self._exchanges.get(key, []))
        held = "no answer" if count == 0 else f"no further answer (it held {count})"
        message = f"The cassette holds {held} to {key[0]} {key[1]}."
        error = {"message": message, "type": "NotFoundError", "param": None, "code": 404}
        return httpx2.Response(404, json={"error": error}, request=request)

    def _models(self) -> list[dict[str, str]]:
        """Return the models the recorded requests name, for a cassette without a list of them."""
        names: dict[str, None] = {}
        for exchange in (exchange for found in self._exchanges.values() for exchange in found):
            name = _model_of(exchange)
            if name:
                names[name] = None
        return [{"id": name, "object": "model", "owned_by": "cassette"} for name in names]

    async def _wait(self, seconds: float) -> None:
        await self._sleep(0.0 if math.isinf(self._speed) else seconds / self._speed)

    async def play(self, exchange: Exchange, request: httpx2.Request) -> AsyncGenerator[bytes]:
        """Yield the recorded chunks at the recorded pace, then end as the recording did."""
        at = exchange.answered_at or 0.0
        for chunk in exchange.chunks:
            await self._wait(max(0.0, chunk.at - at))
            at = max(at, chunk.at)
            yield chunk.data
        if exchange.ending != "complete":
            await self._wait(max(0.0, (exchange.ended_at or at) - at))
            raise _error_of(exchange, request)


class _Replayed(httpx2.AsyncByteStream):
    """The body of a recorded answer."""

    def __init__(self, transport: ReplayTransport, exchange: Exchange, request: httpx2.Request) -> None:
        self._chunks = transport.play(exchange, request)
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            if self._is_closed:
                return
            yield chunk

    async def aclose(self) -> None:
        self._is_closed = True
        if isinstance(self._chunks, AsyncGeneratorType) and not self._chunks.ag_running:
            await self._chunks.aclose()


def _place(url: str) -> str:
    """Return the path after `/v1`, so that a recording fits any base address."""
    path = urlsplit(url).path.rstrip("/")
    _, mark, rest = path.rpartition("/v1")
    return rest if mark and (not rest or rest.startswith("/")) else path


def _error_of(exchange: Exchange, request: httpx2.Request) -> httpx2.TransportError:
    if exchange.ending == "cancelled":
        return httpx2.RemoteProtocolError("The recording ends here: this answer was cancelled.", request=request)
    name, _, message = (exchange.error or "").partition(": ")
    return _ERRORS.get(name, httpx2.RemoteProtocolError)(message or "The connection broke.", request=request)


def _model_of(exchange: Exchange) -> str:
    try:
        body = json.loads(exchange.request.body)
    except (ValueError, RecursionError):
        return ""
    name = body.get("model") if isinstance(body, dict) else None
    return name if isinstance(name, str) else ""
