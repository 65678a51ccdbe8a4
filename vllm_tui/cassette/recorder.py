"""A transport that lets everything through and keeps it on a tape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2

from vllm_tui.cassette.tape import Take, Tape


class RecordingTransport(httpx2.AsyncBaseTransport):
    """Wraps a transport and records each exchange on `tape`; errors and cancellation pass through unchanged."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, tape: Tape | None = None) -> None:
        self.tape = tape if tape is not None else Tape()
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request through the inner transport and record it and its answer."""
        body = await request.aread()
        take = self.tape.begin(request.method, str(request.url), request.headers.multi_items(), body)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.HTTPError as error:
            take.end("broken", _told(error))
            raise
        except asyncio.CancelledError:
            take.end("cancelled")
            raise
        take.answer(response.status_code, response.headers.multi_items())
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_RecordedStream(response.stream, take),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


class _RecordedStream(httpx2.AsyncByteStream):
    """A body that is noted while it is read."""

    def __init__(self, inner: httpx2.AsyncByteStream, take: Take) -> None:
        self._inner = inner
        self._take = take

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._inner:
                self._take.add(data)
                yield data
        except httpx2.HTTPError as error:
            self._take.end("broken", _told(error))
            raise
        self._take.end("complete")

    async def aclose(self) -> None:
        self._take.end("cancelled")
        await self._inner.aclose()


def _told(error: httpx2.HTTPError) -> str:
    return f"{type(error).__name__}: {error}"
