"""The demo behind httpx2: the whole program but the socket is the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import AsyncGeneratorType

import httpx2

from vllm_tui.demo.app import ConnectionBroken, DemoServer
from vllm_tui.demo.pace import Pace

BASE_URL = "http://demo.invalid/v1"
"""An address for the demo; the name never resolves, so nothing can leave the machine by mistake."""
_BROKEN = "peer closed connection without sending complete message body (incomplete chunked read)"


class DemoTransport(httpx2.AsyncBaseTransport):
    """A scripted vLLM 0.32; each transport has its own store, prefix cache and count of failures."""

    def __init__(self, speed: float = 1.0, *, pace: Pace | None = None) -> None:
        """Take a speed (2.0 is twice as fast, infinity waits never) or a whole pace."""
        self.server = DemoServer(pace or Pace(speed=speed))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request; raise what httpx2 raises when a server goes away."""
        body = await request.aread()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            answer = await self.server.answer(request.method, request.url.path, headers, body)
        except ConnectionBroken as error:
            raise httpx2.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from error
        headers = {"server": "uvicorn", "vary": "Origin", **answer.headers}
        if isinstance(answer.body, bytes):
            return httpx2.Response(answer.status, headers=headers, content=answer.body, request=request)
        return httpx2.Response(answer.status, headers=headers, stream=_Stream(answer.body, request), request=request)


class _Stream(httpx2.AsyncByteStream):
    """A streamed body; breaks as a broken connection does."""

    def __init__(self, chunks: AsyncIterator[bytes], request: httpx2.Request) -> None:
        self._chunks = chunks
        self._request = request
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                if self._is_closed:
                    return
                yield chunk
        except ConnectionBroken as error:
            raise httpx2.RemoteProtocolError(_BROKEN, request=self._request) from error

    async def aclose(self) -> None:
        self._is_closed = True
        if isinstance(self._chunks, AsyncGeneratorType) and not self._chunks.ag_running:
            await self._chunks.aclose()
