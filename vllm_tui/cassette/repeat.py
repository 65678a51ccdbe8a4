"""Sends a recorded request once more and records what comes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from vllm_tui.cassette.exchange import RecordedRequest
from vllm_tui.cassette.recorder import RecordingTransport

if TYPE_CHECKING:
    from vllm_tui.cassette.tape import Take, Tape

CONNECT_SECONDS = 20.0


class Repeat:
    """One request that is sent again to its own address, with this key; `transport` replaces the network."""

    def __init__(
        self, request: RecordedRequest, api_key: str, tape: Tape, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._request = request
        self._api_key = api_key
        self._tape = tape
        self._inner = transport

    async def run(self) -> Take:
        """Send it and read the answer to its end; a failure is part of the recording. Headers are made anew."""
        transport = RecordingTransport(self._inner or httpx2.AsyncHTTPTransport(), self._tape)
        headers = {"authorization": f"Bearer {self._api_key}", "content-type": "application/json"}
        timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        before = len(self._tape.takes)
        async with httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
            body = self._request.body.encode("utf-8", "replace")
            asked = client.stream(self._request.method, self._request.url, content=body, headers=headers)
            with suppress(httpx2.HTTPError):  # it is in the recording, with its reason
                async with asked as response:
                    async for _ in response.aiter_raw():
                        pass
        return self._tape.takes[before]


def changed(
    request: RecordedRequest, *, effort: str | None = None, base_url: str | None = None, model: str | None = None
) -> RecordedRequest:
    """Return a request with another effort, server or model; one whose body is no JSON object keeps it."""
    url = request.url
    if base_url is not None:
        url = base_url.rstrip("/") + "/" + urlsplit(url).path.rpartition("/")[2]
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return replace(request, url=url)
    if not isinstance(body, dict):
        return replace(request, url=url)
    if effort is not None:
        reasoning = body.get("reasoning")
        body["reasoning"] = {**(reasoning if isinstance(reasoning, dict) else {}), "effort": effort}
    if model is not None:
        body["model"] = model
    return replace(request, url=url, body=json.dumps(body, ensure_ascii=False))
