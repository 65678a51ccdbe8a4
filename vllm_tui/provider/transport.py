"""The only room with httpx2: one guarded HTTP client for one origin.

The guard sends our headers and no others, follows redirects only within the origin the key belongs to, unpacks
compressed bodies piece by piece, and reads no more of an error body than can be shown.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx2

from vllm_tui import __version__
from vllm_tui.domain.errors import ConfigurationError, ProtocolError
from vllm_tui.provider.addresses import is_local, shown
from vllm_tui.provider.error_words import without_secret
from vllm_tui.provider.wire import CURRENT_TAP, WireRequest, WireResponse, redacted_headers

if TYPE_CHECKING:
    from httpx2._client import UseClientDefault

    from vllm_tui.provider.config import ProviderConfig

ERROR_BODY_LIMIT = 64 * 1024
"""Bytes of an error body that are read; old servers send up to a megabyte."""

ERROR_BODY_SECONDS = 10.0
CONNECT_SECONDS = 20.0
KEEPALIVE_SECONDS = 4.0
"""Below uvicorn's five, so that no request meets a connection the server is just closing."""

_MAX_REDIRECTS = 3
_PIECE = 64 * 1024
_KEPT_HEADERS = ("accept", "content-type", "cookie", "content-length", "host", "transfer-encoding")
_KEEPS_METHOD = (307, 308)


def open_http_client(config: ProviderConfig, transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
    """Return the client of one provider; proxies of the environment are honoured except for this machine."""
    use_proxies = transport is None and not is_local(config.base_url)
    try:
        return GuardedClient(
            config.api_key,
            transport=transport,
            trust_env=use_proxies,
            verify=use_proxies or config.base_url.startswith("https:"),
            timeout=connection_timeout(config.timeout),
            limits=httpx2.Limits(max_keepalive_connections=20, keepalive_expiry=KEEPALIVE_SECONDS),
            follow_redirects=False,
        )
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise ConfigurationError(
            f"The proxy of the environment can't be used: {error}.", hint="Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
        ) from error


def connection_timeout(seconds: float) -> httpx2.Timeout:
    """Return limits for connecting only; how long an answer may take is decided by the attempt."""
    return httpx2.Timeout(None, connect=min(seconds, CONNECT_SECONDS))


class GuardedClient(httpx2.AsyncClient):
    """An HTTP client that keeps the key at home and bodies within bounds."""

    def __init__(
        self,
        api_key: str,
        *,
        transport: httpx2.AsyncBaseTransport | None,
        trust_env: bool,
        verify: bool,
        timeout: httpx2.Timeout,
        limits: httpx2.Limits,
        follow_redirects: bool,
    ) -> None:
        super().__init__(
            transport=transport,
            trust_env=trust_env,
            verify=verify,
            timeout=timeout,
            limits=limits,
            follow_redirects=follow_redirects,
        )
        self._api_key = api_key

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: httpx2._types.AuthTypes | UseClientDefault | None = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: bool | UseClientDefault = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        """Send `request` with our headers only; answer redirects within the origin."""
        outgoing = self._own_request(request, request.url)
        for _ in range(_MAX_REDIRECTS + 1):
            _report_request(outgoing)
            response = await super().send(outgoing, stream=True, auth=auth, follow_redirects=False)
            _report_response(response)
            target = _redirect_target(outgoing, response)
            if target is None:
                break
            await response.aclose()
            outgoing = self._own_request(request, target)
        _bound_body(response, self._api_key)
        response.request = request
        if not stream:
            await response.aread()
        return response

    def _own_request(self, request: httpx2.Request, url: httpx2.URL) -> httpx2.Request:
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        headers["authorization"] = f"Bearer {self._api_key}"
        headers["user-agent"] = f"vllm-tui/{__version__}"
        headers["accept-encoding"] = "identity"
        return httpx2.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=dict(request.extensions)
        )


def _redirect_target(request: httpx2.Request, response: httpx2.Response) -> httpx2.URL | None:
    """Return where to send the same request again, None when the answer stands as it is."""
    if response.status_code not in _KEEPS_METHOD or "location" not in response.headers:
        return None
    try:
        target = request.url.join(response.headers["location"])
    except httpx2.InvalidURL:
        return None
    return target if target.origin == request.url.origin else None


def _bound_body(response: httpx2.Response, api_key: str) -> None:
    """Put limits on the body of `response` before anyone reads it."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        response.stream = _UnpackedBody(response.stream, encoding)
        del response.headers["content-encoding"]
        response.headers.pop("content-length", None)
    if response.status_code >= 300:
        response.stream = _ErrorBody(response.stream, api_key)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> None:
        assert isinstance(inner, httpx2.AsyncByteStream)
        self._inner = inner

    async def aclose(self) -> None:
        await self._inner.aclose()


class _UnpackedBody(_Body):
    """Unpacks gzip or deflate in small pieces, so that a packed bomb never grows in memory."""

    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, encoding: str) -> None:
        super().__init__(inner)
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ProtocolError(
                f"The server packed its answer as {encoding[:20]!r}, though it was asked not to.",
                hint="Check the proxy in front of the server.",
            )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        async for packed in self._inner:
            rest = packed
            while rest:
                try:
                    piece = unpacker.decompress(rest, _PIECE)
                except zlib.error as error:
                    raise ProtocolError(f"The packed answer is damaged: {error}.") from error
                rest = unpacker.unconsumed_tail
                if piece:
                    yield piece


class _ErrorBody(_Body):
    """The beginning of an error body; one that stalls or breaks off is taken as far as it came.

    The key is taken out of it, so that neither errors nor what they are chained to can show it.
    """

    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, api_key: str) -> None:
        super().__init__(inner)
        self._api_key = api_key

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = bytearray()
        try:
            async with asyncio.timeout(ERROR_BODY_SECONDS):
                async for piece in self._inner:
                    pieces += piece
                    if len(pieces) >= ERROR_BODY_LIMIT:
                        break
        except (TimeoutError, httpx2.TransportError):
            pass
        text = pieces[:ERROR_BODY_LIMIT].decode("utf-8", "surrogateescape")
        yield without_secret(text, self._api_key).encode("utf-8", "surrogateescape")


def _report_request(request: httpx2.Request) -> None:
    tap = CURRENT_TAP.get()
    if tap is not None:
        body = request.stream if isinstance(request.stream, httpx2.ByteStream) else None
        content = b"".join(body) if body is not None else b""
        headers = redacted_headers(request.headers.multi_items())
        tap(WireRequest(request.method, shown(str(request.url)), headers, content, time.monotonic()))


def _report_response(response: httpx2.Response) -> None:
    tap = CURRENT_TAP.get()
    if tap is not None:
        headers = redacted_headers(response.headers.multi_items())
        tap(WireResponse(response.status_code, headers, time.monotonic()))


HTTP_TIMEOUT_ERRORS = (httpx2.TimeoutException,)
HTTP_ERRORS = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL)
"""What reading a body may raise; the SDK wraps only what happens before the head of the answer."""
