"""VLLMProvider: a client of vLLM's Responses API that survives what servers, proxies and networks do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Self

from vllm_tui.domain.errors import ProtocolError, TimedOut
from vllm_tui.domain.events import ResponseFinished, StreamEvent
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.values import JsonValue
from vllm_tui.provider.addresses import is_local, shown
from vllm_tui.provider.call import Call, Mode
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.counting import PromptCounter
from vllm_tui.provider.debug_log import DebugLog
from vllm_tui.provider.error_map import error_of_exception, error_of_status, sdk_errors
from vllm_tui.provider.limits import models_from
from vllm_tui.provider.observing import Observer
from vllm_tui.provider.sdk import preload
from vllm_tui.provider.session import Session
from vllm_tui.provider.wire import WireListener

if TYPE_CHECKING:
    import httpx2

__all__ = ["VLLMProvider", "preload"]

_LIST_SECONDS = 30.0


class VLLMProvider:
    """A vLLM server, asked through the Responses API. Safe for concurrent calls; opens nothing before the first.

    `config` is a ProviderConfig or a mapping of its options. `transport` replaces the network, `observer` hears
    structured events (`llm:request`, ...), `wire` the traffic itself, `debug_log` is the file that `debug` writes.
    `counter` counts prompts exactly before they leave; without one they are estimated by their length.
    """

    name = "vllm"

    def __init__(
        self,
        config: ProviderConfig | Mapping[str, JsonValue],
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        observer: Observer | None = None,
        wire: WireListener | None = None,
        debug_log: Path | None = None,
        counter: PromptCounter | None = None,
    ) -> None:
        self.config = config if isinstance(config, ProviderConfig) else ProviderConfig(**config)
        observers = [] if observer is None else [observer]
        self._log: DebugLog | None = None
        if debug_log is not None and (self.config.debug or self.config.raw_debug):
            length = self.config.debug_truncate_length
            self._log = DebugLog(debug_log, length, self.config.raw_debug, (self.config.api_key,))
            observers.append(self._log)
        self._session = Session(self.config, transport, observers, wire)
        self._session.counter = counter

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def priority(self) -> int:
        """Providers with a lower number are preferred."""
        return self.config.priority

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine."""
        return is_local(self.config.base_url)

    def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of one answer; closing the generator ends the request.

        A broken stream is retried only before its first visible event; later it raises an error whose `partial`
        holds what came.
        """
        return self._events(request, "once")

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return the whole answer; a broken attempt is repeated from nothing. Raises VLLMError."""
        async with aclosing(self._events(request, "restart")) as events:
            async for event in events:
                if isinstance(event, ResponseFinished):
                    return event.response
        raise ProtocolError("The answer ended without a response.")

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """Return the models the server serves with their windows in tokens, and remember the windows."""
        payload = await self._get_models()
        found = models_from(payload, self.is_local)
        self._session.limits.learn(found)
        return tuple(self._session.limits.with_limits(model) for model in found)

    def take_over(self, before: VLLMProvider) -> None:
        """Keep what another provider learnt of the same server; nothing when it is another server."""
        if before.config.base_url == self.config.base_url:
            self._session.inherit(before._session)

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._session.aclose()
        if self._log is not None:
            self._log.close()

    async def _events(self, request: ChatRequest, mode: Mode) -> AsyncGenerator[StreamEvent, None]:
        async with aclosing(Call(self._session, request, mode).events()) as events:
            async for event in events:
                yield event

    async def _get_models(self) -> JsonValue:
        try:
            async with asyncio.timeout(min(self.config.timeout, _LIST_SECONDS)):
                reply = await self._session.sdk().models.with_raw_response.list()
        except TimeoutError as error:
            raise TimedOut(f"{shown(self.config.base_url)} did not list its models in time.") from error
        except sdk_errors() as error:
            response = getattr(error, "response", None)
            if response is None:
                raise error_of_exception(error, config=self.config) from error
            raise error_of_status(
                response.status_code, response.headers, response.content, config=self.config, model=""
            ) from error
        try:
            payload: JsonValue = json.loads(reply.content)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(
                f"{shown(self.config.base_url)} answered /models with something that is not JSON.",
                hint="Check that base_url names a vLLM server and ends in /v1.",
            ) from error
        return payload
