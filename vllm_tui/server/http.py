"""Small questions over HTTP: one origin, no redirects, a time limit, and no more bytes than needed."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx2

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonValue
    from vllm_tui.server.address import Address

MAX_BODY = 4 * 1024 * 1024
"""Bytes of an answer that are read."""

FailureKind = Literal["timeout", "connect", "tls", "not_http", "too_large"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, content type and body as text."""

    status: int
    content_type: str
    text: str
    location: str
    seconds: float

    @property
    def is_html(self) -> bool:
        """Whether a page came, as from a proxy or another program."""
        return self.content_type == "text/html" or self.text.lstrip()[:15].lower().startswith(("<!doctype", "<html"))

    @property
    def json(self) -> JsonValue:
        """The body as JSON; None when it is none."""
        try:
            value: JsonValue = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return value


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer: what kind of failure, and its words."""

    kind: FailureKind
    reason: str
    seconds: float


def open_client(address: Address, transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """Return a client for one server: proxies of the environment except for this machine, no redirects.

    `transport` replaces the network.
    """
    return httpx2.AsyncClient(
        transport=transport,
        trust_env=not address.is_local,
        verify=address.scheme == "https" or address.proxy is not None,
        follow_redirects=False,
    )


async def ask(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    *,
    api_key: str | None = None,
    body: JsonValue = None,
    timeout: float = 5.0,
) -> Reply | Failure:
    """Return the answer to one request or why there is none; `timeout` in seconds bounds all of it."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    started = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            content = None if body is None else json.dumps(body).encode()
            if content is not None:
                headers["content-type"] = "application/json"
            request = client.build_request(method, url, headers=headers, content=content, timeout=timeout)
            response = await client.send(request, stream=True)
            try:
                data = await _read(response)
            finally:
                await response.aclose()
    except TimeoutError:
        return Failure("timeout", f"no answer within {timeout:g} s", time.perf_counter() - started)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return _failure(error, timeout, time.perf_counter() - started)
    if data is None:
        return Failure("too_large", "the answer is larger than any of vLLM's", time.perf_counter() - started)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = data.decode("utf-8", "replace")
    return Reply(response.status_code, kind, text, response.headers.get("location", ""), time.perf_counter() - started)


async def _read(response: httpx2.Response) -> bytes | None:
    data = bytearray()
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > MAX_BODY:
            return None
    return bytes(data)


def _failure(error: Exception, timeout: float, seconds: float) -> Failure:
    words = str(error) or type(error).__name__
    match error:
        case httpx2.TimeoutException():
            return Failure("timeout", f"no answer within {timeout:g} s", seconds)
        case httpx2.ConnectError() if "SSL" in words or "TLS" in words or "certificate" in words:
            return Failure("tls", words, seconds)
        case httpx2.ConnectError() | httpx2.ProxyError():
            return Failure("connect", words, seconds)
        case _:
            return Failure("not_http", words, seconds)
