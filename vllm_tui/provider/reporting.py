"""Tells observers of one call what happens, in the names and shapes that Amplifier's kernel knows."""

from __future__ import annotations

import logging

from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, StreamEvent
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.session import Session

logger = logging.getLogger("vllm_tui.provider")


class CallReport:
    """The events of one call; one request id joins them all."""

    def __init__(self, session: Session, request_id: str) -> None:
        self.request_id = request_id
        self.reporter = session.reporter(request_id)
        self._session = session
        self._config = session.config
        self._begun = session.now()
        self._sequence: dict[int, int] = {}
        self._model = ""
        self._continuations = 0

    def request(self, request: ChatRequest) -> None:
        """A call begins."""
        self._model = request.model or self._config.default_model
        asked = request.metadata or {}
        has_reasoning = bool(asked.get("reasoning") or request.reasoning_effort or self._config.reasoning)
        self.reporter.emit(
            "llm:request",
            model=self._model,
            message_count=len(request.messages),
            has_instructions=any(message.role == "system" for message in request.messages),
            reasoning_enabled=has_reasoning,
            thinking_enabled=has_reasoning,
            thinking_budget=None,
        )

    def body(self, body: JsonObject) -> None:
        """A body leaves; only raw debugging keeps it whole."""
        if self._config.raw_debug:
            self.reporter.emit("llm:request:raw", request=body)

    def stream_event(self, event: StreamEvent) -> None:
        """A block opened, grew or closed."""
        if not self._session.is_observed:
            return
        if isinstance(event, BlockStarted):
            self._sequence[event.index] = 0
            named: dict[str, JsonValue] = {"name": event.name} if event.name else {}
            self.reporter.emit("llm:stream_block_start", block_index=event.index, block_type=event.kind, **named)
        elif isinstance(event, BlockDelta) and event.kind != "tool_call":
            sequence = self._sequence.get(event.index, 0)
            self._sequence[event.index] = sequence + 1
            self.reporter.emit(
                "llm:stream_block_delta",
                block_index=event.index,
                block_type=event.kind,
                sequence=sequence,
                text=event.text,
            )
        elif isinstance(event, BlockFinished) and event.index in self._sequence:
            kind = "text" if event.block is None else event.block.type
            self.reporter.emit("llm:stream_block_end", block_index=event.index, block_type=kind)

    def retry(self, attempt: int, delay: float, error: VLLMError) -> None:
        """An attempt failed and another one follows."""
        self._aborted(error)
        self.reporter.emit(
            "provider:retry",
            attempt=attempt,
            max_retries=self._config.max_retries,
            delay=delay,
            error_type=type(error).__name__,
            error_message=error.message,
        )

    def continuation_failed(self, error: VLLMError) -> None:
        """A continuation failed; the partial answer stands."""
        logger.error("The answer could not be continued: %s", error.message)

    def warn(self, message: str) -> None:
        """Log a warning about this call."""
        logger.warning("%s", message)

    def failed(self, error: VLLMError) -> None:
        """The call ended in an error."""
        self._aborted(error)
        self.reporter.emit(
            "llm:response",
            model=self._model,
            status="error",
            error=error.message,
            error_type=type(error).__name__,
            duration_ms=self._milliseconds(),
        )

    def finished(self, response: ChatResponse) -> None:
        """The call ended with an answer."""
        usage: dict[str, JsonValue] = {"input_tokens": 0, "output_tokens": 0, "cost_usd": None}
        if response.usage is not None:
            usage["input_tokens"] = response.usage.input_tokens or 0
            usage["output_tokens"] = response.usage.output_tokens or 0
            if response.usage.cache_read_tokens is not None:
                usage["cache_read_tokens"] = response.usage.cache_read_tokens
        if self._config.raw_debug:
            self.reporter.emit("llm:response:raw", response=response.model_dump(mode="json"))
        self.reporter.emit(
            "llm:response",
            model=self._model,
            usage=usage,
            status="ok",
            duration_ms=self._milliseconds(),
            continuation_count=response.metadata.get("vllm:continuation_count", 0),
        )

    def _aborted(self, error: VLLMError) -> None:
        if self._sequence:
            self._sequence.clear()
            kind = type(error).__name__
            self.reporter.emit("llm:stream_aborted", error={"type": kind, "msg": error.message})

    def _milliseconds(self) -> int:
        return int((self._session.now() - self._begun) * 1000)
