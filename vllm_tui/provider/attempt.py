"""One exchange with the server: sends a body, reads the answer whatever form it takes, maps it to events.

Facts of the SDK kept here: its stream ends silently when the body ends early, so an answer without its terminal
event is an error; only what happens before the head of the answer is wrapped in the SDK's own errors.
`asyncio.timeout` is used throughout, as `asyncio.wait_for` loses cancellations on Python 3.11.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ProtocolError, StreamInterrupted, TimedOut, VLLMError
from vllm_tui.domain.events import StreamEvent
from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.addresses import shown
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.error_map import error_of_body, error_of_exception, error_of_status, sdk_errors
from vllm_tui.provider.error_words import shortened, without_secret
from vllm_tui.provider.sse import RawEvent, SSEDecoder
from vllm_tui.provider.stream_map import TERMINAL, StreamFolder
from vllm_tui.provider.wire import CURRENT_TAP, Tap, WireEnd, WireEvent

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._response import AsyncAPIResponse
    from openai.types.responses import Response

_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 64 * 1024 * 1024


class EmptyAnswer(ProtocolError):
    """Status 200 and not one event: vLLM 0.10 answers a stream of an ordinary model so."""


class Attempt:
    """One exchange; after `events` ended without an error, `final` is the server's final object."""

    def __init__(
        self,
        sdk: AsyncOpenAI,
        config: ProviderConfig,
        body: JsonObject,
        folder: StreamFolder,
        *,
        timeout: float,
        tap: Tap | None = None,
    ) -> None:
        self._sdk = sdk
        self._config = config
        self._body = body
        self._folder = folder
        self._timeout = timeout
        self._tap = tap
        self._head = bytearray()
        self.final: JsonObject | None = None

    async def events(self) -> AsyncGenerator[list[StreamEvent], None]:
        """Yield the events of each piece of the answer as it comes; raises VLLMError."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        problem: str | None = "closed by this side"
        try:
            async with aclosing(self._batches(deadline)) as batches:
                async for batch in batches:
                    yield batch
            problem = None
        except VLLMError as error:
            problem = error.message
            raise
        finally:
            if self._tap is not None:
                self._tap(WireEnd(problem, time.monotonic()))

    async def _batches(self, deadline: float) -> AsyncGenerator[list[StreamEvent], None]:
        async with AsyncExitStack() as stack:
            response = await self._open(stack, deadline)
            batches = await stack.enter_async_context(aclosing(self._read(response, deadline)))
            async for batch in batches:
                yield batch

    async def _open(self, stack: AsyncExitStack, deadline: float) -> AsyncAPIResponse[Response]:
        rest = {name: value for name, value in self._body.items() if name not in ("model", "input")}
        token = CURRENT_TAP.set(self._tap)
        try:
            async with asyncio.timeout_at(deadline):
                return await stack.enter_async_context(
                    self._sdk.responses.with_streaming_response.create(
                        model=str(self._body.get("model", "")),
                        input=self._body["input"],  # type: ignore[arg-type]
                        extra_body=rest,
                    )
                )
        except TimeoutError as error:
            raise self._attempt_timeout() from error
        except sdk_errors() as error:
            raise self._mapped(error) from error
        finally:
            CURRENT_TAP.reset(token)

    async def _read(
        self, response: AsyncAPIResponse[Response], deadline: float
    ) -> AsyncGenerator[list[StreamEvent], None]:
        is_json: bool | None = None
        decoder = SSEDecoder()
        chunks = response.iter_bytes()
        while (chunk := await self._next_chunk(chunks, deadline)) is not None:
            if is_json is None and chunk.strip():
                is_json = chunk.lstrip().startswith(b"{")
            if is_json:
                self._keep_head(chunk, _BODY_LIMIT)
                continue
            if not self._folder.has_items:
                self._keep_head(chunk, _HEAD_LIMIT)
            for batch in self._take(decoder.feed(chunk)):
                yield batch
            if self.final is not None:
                return
        if not is_json:
            for batch in self._take(decoder.close()):
                yield batch
        if self.final is None:
            yield self._take_body()

    async def _next_chunk(self, chunks: AsyncIterator[bytes], deadline: float) -> bytes | None:
        now = asyncio.get_running_loop().time()
        if now >= deadline:
            raise self._attempt_timeout()
        idle = now + self._config.stream_idle_timeout if self._body.get("stream") else math.inf
        try:
            async with asyncio.timeout_at(min(idle, deadline)):
                return await anext(chunks)
        except StopAsyncIteration:
            return None
        except TimeoutError as error:
            raise (self._idle_timeout() if idle < deadline else self._attempt_timeout()) from error
        except sdk_errors() as error:
            mapped = error_of_exception(error, config=self._config)
            if isinstance(mapped, ProtocolError):
                raise mapped from error
            raise self._interrupted() from error

    def _take(self, raw_events: list[RawEvent]) -> Iterator[list[StreamEvent]]:
        """Yield at most one batch; an error is raised after what came before it was handed on."""
        found: list[StreamEvent] = []
        try:
            for raw in raw_events:
                found += self._take_event(raw)
                if self.final is not None:
                    break
        except VLLMError as error:
            if found:
                yield found
            raise self._with_partial(error) from error.__cause__
        if found:
            yield found

    def _take_event(self, raw: RawEvent) -> list[StreamEvent]:
        if self._tap is not None:
            self._tap(WireEvent(raw.name.decode("utf-8", "replace"), raw.data, time.monotonic()))
        payload = None if raw.data.strip() == b"[DONE]" else _loads(raw.data)
        if not isinstance(payload, dict):
            return []
        if not self._is_news(payload):
            return []
        kind = payload.get("type") or raw.name.decode("utf-8", "replace")
        if kind in TERMINAL:
            return self._end(payload.get("response"), str(kind))
        if kind == "error" or (_has_error(payload) and not str(kind).startswith("response.")):
            raise error_of_body(payload, self._config)
        return self._folder.feed(str(kind), payload)

    def _is_news(self, payload: JsonObject) -> bool:
        """Whether this event was not seen before; only a resumed stream repeats itself."""
        return True

    def _end(self, response: object, kind: str) -> list[StreamEvent]:
        final: JsonObject = dict(response) if isinstance(response, dict) else {}
        if kind == "response.incomplete":
            final["status"] = "incomplete"
        self._refuse_failed(final, kind)
        events = self._folder.finish(final)
        self.final = final
        return events

    def _take_body(self) -> list[StreamEvent]:
        """The body ended without a terminal event: a reply in one piece, a page, nothing, or a broken stream."""
        body = bytes(self._head).strip()
        if self._folder.has_items:
            raise self._interrupted()
        if body.startswith((b"{", b"<")) or b"data:" not in body:
            self._tell_body(body)
        if body.startswith(b"{"):
            return self._take_reply(_loads(body))
        if body.startswith(b"<"):
            status = error_of_status(200, {"content-type": "text/html"}, body, config=self._config, model="")
            raise ProtocolError(
                "A web page came instead of an answer (status 200).",
                hint="A proxy probably answers in place of vLLM: check base_url and the proxy.",
                detail=status.detail,
            )
        if b"data:" in body or body.startswith(b":"):
            raise self._interrupted()
        if body:
            said = shortened(without_secret(body.decode("utf-8", "replace"), self._config.api_key))
            raise ProtocolError(f"The server answered with status 200 and no response: {said}", detail=said)
        raise EmptyAnswer(
            "The server answered with status 200 and an empty body.",
            hint="vLLM 0.10 can't stream ordinary models: set use_streaming to false, or look at the server's log.",
        )

    def _take_reply(self, payload: object) -> list[StreamEvent]:
        if not isinstance(payload, dict):
            raise ProtocolError("The server's reply is not a JSON object.")
        if _has_error(payload) and not payload.get("output"):
            raise error_of_body(payload, self._config)
        if "output" not in payload and "status" not in payload:
            raise ProtocolError(
                "The server's reply is no response object.", hint="Check that base_url names a Responses API."
            )
        self._refuse_failed(payload, "")
        if payload.get("status") in ("queued", "in_progress"):
            raise ProtocolError(
                "The server put the request in its background queue instead of answering.",
                hint="Leave `background` out of extra_body.",
                retryable=False,
            )
        events = self._folder.whole(payload)
        self.final = payload
        return events

    def _refuse_failed(self, final: JsonObject, kind: str) -> None:
        status = final.get("status")
        if status in ("failed", "cancelled") or kind in ("response.failed", "response.cancelled"):
            raise self._with_partial(error_of_body({**final, "status": status or "failed"}, self._config))

    def _tell_body(self, body: bytes) -> None:
        if self._tap is not None and body:
            self._tap(WireEvent("", body, time.monotonic()))

    def _keep_head(self, chunk: bytes, limit: int) -> None:
        if len(self._head) + len(chunk) > limit and limit == _BODY_LIMIT:
            raise ProtocolError(f"The reply is larger than {limit // 1024 // 1024} MB.")
        self._head += chunk[: max(0, limit - len(self._head))]

    def _mapped(self, error: BaseException) -> VLLMError:
        response = getattr(error, "response", None)
        if response is None:
            return error_of_exception(error, config=self._config)
        self._tell_body(response.content)
        effort = self._body.get("reasoning")
        return error_of_status(
            response.status_code,
            response.headers,
            response.content,
            config=self._config,
            model=str(self._body.get("model", "")),
            effort=str(effort.get("effort")) if isinstance(effort, dict) else None,
        )

    def _interrupted(self) -> VLLMError:
        return self._with_partial(
            StreamInterrupted(
                "The connection broke before the answer was complete.",
                hint="What came is kept; ask again, and look at the server's log if it happens again.",
            )
        )

    def _idle_timeout(self) -> VLLMError:
        seconds = self._config.stream_idle_timeout
        return self._with_partial(
            TimedOut(
                f"Nothing came from {shown(self._config.base_url)} for {seconds:g} s (stream_idle_timeout).",
                hint="Raise stream_idle_timeout if the server is only busy.",
            )
        )

    def _attempt_timeout(self) -> VLLMError:
        return self._with_partial(
            TimedOut(
                f"The answer of {shown(self._config.base_url)} took longer than {self._timeout:g} s (timeout).",
                hint="Raise timeout, or lower max_tokens.",
            )
        )

    def _with_partial(self, error: VLLMError) -> VLLMError:
        content = self._folder.content()
        if content:
            error.partial = ChatResponse(content=content, status="interrupted", finish_reason="interrupted")
        return error


def _has_error(payload: JsonObject) -> bool:
    """Whether this is an error object, bare or in the older flat form (`"object": "error"`)."""
    return bool(payload.get("error")) or payload.get("object") == "error"


def _loads(data: bytes) -> object:
    """Return the JSON in `data`, with what is no text replaced; ProtocolError when it is none."""
    try:
        payload: object = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("The server sent an event that is not JSON.") from error
    return _without_surrogates(payload) if b"\\ud" in data or b"\\uD" in data else payload


def _without_surrogates(value: object) -> object:
    """Return the value with lone halves of a surrogate pair replaced, as they can be neither shown nor stored."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [_without_surrogates(entry) for entry in value]
    if isinstance(value, dict):
        return {without_surrogates(key): _without_surrogates(entry) for key, entry in value.items()}
    return value
