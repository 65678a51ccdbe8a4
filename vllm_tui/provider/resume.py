"""An attempt that survives a lost connection: a background response is read on from the last event that came.

Needs the server's response store. vLLM: `background` and `stream` together, then
`GET /responses/{id}?stream=true&starting_after=N`. Closing a connection does not end such a response, so an
answer nobody waits for is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress

from vllm_tui.domain.errors import ConnectionFailed, NotFound, StreamInterrupted, VLLMError
from vllm_tui.domain.events import Notice, StreamEvent
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.attempt import Attempt
from vllm_tui.provider.error_map import sdk_errors

_CANCEL_SECONDS = 2.0


class ResumableAttempt(Attempt):
    """One answer over as many connections as it takes; no event is lost and none is taken twice."""

    _response_id: str | None = None
    _sequence: int = -1

    async def events(self) -> AsyncGenerator[list[StreamEvent], None]:
        """Yield the events of each piece of the answer as it comes; raises VLLMError."""
        try:
            async with aclosing(super().events()) as batches:
                async for batch in batches:
                    yield batch
        finally:
            if self.final is None and self._response_id is not None:
                await self._cancel(self._response_id)

    async def _batches(self, deadline: float) -> AsyncGenerator[list[StreamEvent], None]:
        try:
            async with aclosing(super()._batches(deadline)) as batches:
                async for batch in batches:
                    yield batch
            return
        except StreamInterrupted:
            if self._response_id is None:
                raise
        for _ in range(self._config.max_retries + 1):
            await asyncio.sleep(min(self._config.min_retry_delay, self._config.max_retry_delay))
            try:
                async with aclosing(self._resumed(self._response_id, deadline)) as batches:
                    async for batch in batches:
                        yield batch
                return
            except (StreamInterrupted, ConnectionFailed):
                continue
            except NotFound as error:
                raise self._interrupted() from error
        raise self._interrupted()

    async def _resumed(self, response_id: str, deadline: float) -> AsyncGenerator[list[StreamEvent], None]:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(deadline):
                    response = await stack.enter_async_context(
                        self._sdk.responses.with_streaming_response.retrieve(
                            response_id, stream=True, starting_after=self._sequence
                        )
                    )
            except TimeoutError as error:
                raise self._attempt_timeout() from error
            except sdk_errors() as error:
                raise self._mapped(error) from error
            yield [Notice("stream_resumed", "The connection was lost and found again; the answer goes on.")]
            reading = self._read(response, deadline)  # type: ignore[arg-type]  # only its bytes are read
            batches = await stack.enter_async_context(aclosing(reading))
            async for batch in batches:
                yield batch

    async def _cancel(self, response_id: str) -> None:
        with suppress(TimeoutError, VLLMError, *sdk_errors()):
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._sdk.responses.with_raw_response.cancel(response_id)

    def _is_news(self, payload: JsonObject) -> bool:
        number = payload.get("sequence_number")
        if isinstance(number, int):
            if number <= self._sequence:
                return False
            self._sequence = number
        response = payload.get("response")
        if isinstance(response, dict) and isinstance(response.get("id"), str):
            self._response_id = str(response["id"]) or None
        return True
