"""One call: attempts with retries, the server's shortcomings worked around visibly, continuations, events."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

from vllm_tui.domain.blocks import Block, TextBlock, ToolCallBlock
from vllm_tui.domain.errors import InvalidRequest, NotFound, VLLMError
from vllm_tui.domain.events import (
    BlockFinished,
    ContinuationStarted,
    Notice,
    ResponseFinished,
    RetryScheduled,
    StreamEvent,
)
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.values import JsonObject
from vllm_tui.domain.window import is_input_cut
from vllm_tui.provider.attempt import Attempt, EmptyAnswer
from vllm_tui.provider.prepare import Prepared, prepare, prepare_more
from vllm_tui.provider.reporting import CallReport
from vllm_tui.provider.request_map import build_body
from vllm_tui.provider.response_map import add_usage, finish_reason, read_facts, read_status, read_usage
from vllm_tui.provider.resume import ResumableAttempt
from vllm_tui.provider.retry import delay_before, should_retry
from vllm_tui.provider.session import Session, is_harmony
from vllm_tui.provider.stream_map import StreamFolder
from vllm_tui.provider.token_facts import read_token_facts

Mode = Literal["once", "restart"]
"""`once`: after something was seen nothing is repeated; `restart`: a broken attempt starts from nothing."""

_STORE_HINT = "Start the server with VLLM_ENABLE_RESPONSES_API_STORE=1 to use enable_state."


class Call:
    """One request to the server from first attempt to final response."""

    def __init__(self, session: Session, request: ChatRequest, mode: Mode) -> None:
        self._session = session
        self._config = session.config
        self._request = request
        self._mode = mode
        self._report = CallReport(session, uuid.uuid4().hex)
        self._schemas = {tool.name: tool.parameters for tool in request.tools}
        self._use_state = session.config.enable_state and not session.lacks_store
        self._attempts = 0
        self._has_shown = False
        self._in_one_piece = False

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of the answer; ResponseFinished is last. Raises VLLMError."""
        self._report.request(self._request)
        try:
            async with aclosing(self._answer()) as events:
                async for event in events:
                    self._report.stream_event(event)
                    yield event
        except VLLMError as error:
            self._report.failed(error)
            raise

    async def _answer(self) -> AsyncGenerator[StreamEvent, None]:
        prepared = await prepare(self._request, self._session, self._report.reporter)
        for event in prepared.events:
            yield event
        folder = StreamFolder(self._schemas)
        round_ = _Round(prepared, folder, continue_text="" if _is_continuation(prepared.request) else None)
        async with aclosing(self._attempted(round_)) as events:
            async for event in events:
                yield event
        response = self._with_usage(round_.response(), round_)
        self._session.learn_ratio(prepared.model, prepared.characters, response)
        for event in self._cut_input(prepared, response):
            yield event
        async with aclosing(self._continued(prepared, response, round_)) as more:
            async for event in more:
                if isinstance(event, ResponseFinished):
                    response = event.response
                else:
                    yield event
        self._report.finished(response)
        yield ResponseFinished(response)

    # attempts ------------------------------------------------------------------------------------------------

    async def _attempted(self, round_: _Round) -> AsyncGenerator[StreamEvent, None]:
        retries = 0
        while True:
            try:
                async with aclosing(self._attempt(round_)) as events:
                    async for event in events:
                        self._has_shown = True
                        yield event
                return
            except VLLMError as error:
                notice = self._work_around(error, round_)
                if notice is not None:
                    yield notice
                    continue
                if (self._has_shown and self._mode == "once") or not should_retry(error, retries, self._config):
                    raise
                delay = delay_before(retries, error, self._config, self._session.random)
                retries += 1
                self._report.retry(retries, delay, error)
                yield RetryScheduled(retries, self._config.max_retries, delay, error)
            self._has_shown = False
            await self._session.sleep(delay)

    async def _attempt(self, round_: _Round) -> AsyncGenerator[StreamEvent, None]:
        self._attempts += 1
        round_.restart(self._schemas)
        body = self._body(round_)
        self._report.body(body)
        attempt = (ResumableAttempt if "background" in body else Attempt)(
            self._session.sdk(),
            self._config,
            body,
            round_.folder,
            timeout=self._request.timeout or self._config.timeout,
            tap=self._session.tap(self._report.request_id, self._attempts),
        )
        async with aclosing(attempt.events()) as batches:
            async for batch in batches:
                for event in batch:
                    yield event
        assert attempt.final is not None
        round_.final = attempt.final
        if self._in_one_piece:
            self._session.lacks_streaming.add(round_.prepared.model)

    def _body(self, round_: _Round) -> JsonObject:
        model = round_.prepared.model
        wanted = (self._request.metadata or {}).get("stream")
        stream = self._config.use_streaming if not isinstance(wanted, bool) else wanted
        body = build_body(
            round_.prepared.request,
            self._config,
            max_output_tokens=round_.prepared.max_output_tokens,
            stream=stream and not self._in_one_piece and model not in self._session.lacks_streaming,
            plain_history=self._session.wants_plain_history,
            use_state=self._use_state,
            continue_text=round_.continue_text or None,
        )
        if self._config.resume and self._use_state and body.get("stream"):
            body["background"] = True
        return body

    def _work_around(self, error: VLLMError, round_: _Round) -> Notice | None:
        """Return what is done differently at once for what this server can't do; None when nothing helps."""
        if self._has_shown:
            return None
        if isinstance(error, EmptyAnswer) and not self._in_one_piece:
            if not self._body(round_).get("stream"):
                return None
            self._in_one_piece = True
            return Notice("streaming_unavailable", "The stream came empty: the answer is asked for in one piece.")
        if self._use_state and _names_stored_response(error) and self._needs_store(round_):
            self._use_state = False
            self._session.lacks_store = True
            return Notice(
                "store_unavailable", f"The server keeps no responses; the whole history is sent. {_STORE_HINT}"
            )
        if _names_input_items(error) and not self._session.wants_plain_history and _has_structure(round_):
            self._session.wants_plain_history = True
            return Notice(
                "plain_history", "This server takes plain messages only; reasoning is left out of the history."
            )
        return None

    def _needs_store(self, round_: _Round) -> bool:
        body = self._body(round_)
        return "previous_response_id" in body or "background" in body

    # continuations -------------------------------------------------------------------------------------------

    async def _continued(
        self, prepared: Prepared, response: ChatResponse, round_: _Round
    ) -> AsyncGenerator[StreamEvent, None]:
        number = 0
        while number < self._config.max_continuations and (text := _unfinished_text(response)) is not None:
            number += 1
            yield self._announce(number, response)
            index = max(index for index, block in round_.folder.blocks.items() if isinstance(block, TextBlock))
            following = _Round(prepared, round_.folder, continue_text=text, continued=(index, text))
            try:
                following.go_on_with(await prepare_more(prepared, self._session, text))
                for event in following.prepared.events:
                    yield event
                async with aclosing(self._attempt(following)) as events:
                    async for event in events:
                        yield event
            except VLLMError as error:
                self._report.continuation_failed(error)
                for finished in following.broken_off():
                    yield finished
                response = response.model_copy(update={"content": following.blocks()})
                break
            response = _joined(response, self._with_usage(following.response(), following), following.blocks(), number)
            round_ = following
        yield ResponseFinished(response)

    def _announce(self, number: int, response: ChatResponse) -> ContinuationStarted:
        reason = str(response.metadata.get("vllm:incomplete_reason", "max_output_tokens"))
        self._report.reporter.emit(
            "provider:incomplete_continuation",
            response_id=response.response_id,
            reason=reason,
            continuation_number=number,
            max_attempts=self._config.max_continuations,
        )
        return ContinuationStarted(number, self._config.max_continuations, reason, response.response_id)

    def _with_usage(self, response: ChatResponse, round_: _Round) -> ChatResponse:
        counter = self._session.counter
        if counter is None:
            return response
        prepared = round_.prepared
        own = response.model_copy(update={"content": round_.own_blocks()})
        usage = counter.finish(own, self._body(round_), prepared.model, prepared.counted).usage
        return response.model_copy(update={"usage": usage})

    def _cut_input(self, prepared: Prepared, response: ChatResponse) -> list[StreamEvent]:
        """Say so when the server cut the input: it fills the window up to the output limit (truncation auto)."""
        window = self._session.limits.known_window(prepared.model)
        usage, counted = response.usage, prepared.counted
        used = usage.input_tokens if usage is not None and usage.source == "server" else None
        if self._config.truncation != "auto" or window is None or used is None:
            return []
        if counted is not None and not counted.is_estimate:
            if not is_input_cut(counted.tokens, used, window):
                return []
            message = f"The server cut the input: it read {used:,} of {counted.tokens:,} tokens ({window:,} window)."
        elif used < window - prepared.max_output_tokens or used < window // 2:
            return []
        else:
            message = f"{prepared.model} read {used:,} tokens of a {window:,} window: it may have cut the input."
        self._report.warn(message)
        return [Notice("input_truncated", message)]


class _Round:
    """One request of a call with the folder its answer goes to."""

    def __init__(
        self,
        prepared: Prepared,
        folder: StreamFolder,
        *,
        continue_text: str | None = None,
        continued: tuple[int, str] | None = None,
    ) -> None:
        self.prepared = prepared
        self.continue_text = continue_text
        self.final: JsonObject = {}
        self._before: dict[int, Block] = dict(folder.blocks) if continued else {}
        self._first_index = folder.next_index if continued else 0
        self._continued = continued
        self.folder = folder

    def restart(self, schemas: dict[str, JsonObject]) -> None:
        """Forget what an earlier attempt brought."""
        self.folder = StreamFolder(schemas, first_index=self._first_index, continued=self._continued)
        self.folder.keeps_leading_space = self.continue_text is not None
        self.folder.blocks.update(self._before)

    def go_on_with(self, prepared: Prepared) -> None:
        """Send this instead; Harmony models can't go on inside a message, theirs is finished in it."""
        self.prepared = prepared
        if is_harmony(prepared.model):
            self.continue_text = None

    def blocks(self) -> tuple[Block, ...]:
        """Return all blocks so far, those of earlier rounds included."""
        return self.folder.content()

    def own_blocks(self) -> tuple[Block, ...]:
        """Return what this round alone brought."""
        own: list[Block] = []
        self.blocks()
        for index, block in sorted(self.folder.blocks.items()):
            before = self._before.get(index)
            if block == before:
                continue
            if isinstance(block, TextBlock) and isinstance(before, TextBlock):
                own.append(block.model_copy(update={"text": block.text.removeprefix(before.text)}))
            else:
                own.append(block)
        return tuple(own)

    def broken_off(self) -> list[StreamEvent]:
        """Return the final words on the blocks that grew in this round before it failed."""
        self.blocks()
        found = self.folder.blocks.items()
        return [BlockFinished(index, block) for index, block in found if self._before.get(index) != block]

    def response(self) -> ChatResponse:
        """Return this round's response."""
        usage = read_usage(self.final.get("usage"))
        status, reason = read_status(self.final, usage, self.prepared.max_output_tokens)
        content = self.blocks()
        has_calls = any(isinstance(block, ToolCallBlock) for block in content)
        response_id = self.final.get("id")
        return ChatResponse(
            content=content,
            usage=usage,
            finish_reason=finish_reason(status, reason, has_calls=has_calls),
            response_id=response_id if isinstance(response_id, str) and response_id else None,
            status=status,
            metadata={**read_facts(self.final, status, reason), **read_token_facts(self.final)},
        )


def _joined(before: ChatResponse, after: ChatResponse, content: tuple[Block, ...], number: int) -> ChatResponse:
    update = {
        "content": content,
        "usage": add_usage(before.usage, after.usage),
        "metadata": {**after.metadata, "vllm:continuation_count": number},
    }
    return after.model_copy(update=update)


def _unfinished_text(response: ChatResponse) -> str | None:
    """Return the text to go on with, None unless the answer itself was cut at the output limit."""
    if response.finish_reason != "length" or not response.content:
        return None
    last = response.content[-1]
    return last.text if isinstance(last, TextBlock) and last.text else None


def _is_continuation(request: ChatRequest) -> bool:
    last = request.messages[-1] if request.messages else None
    return last is not None and last.role == "assistant" and bool((last.metadata or {}).get("vllm:continue"))


_INPUT_WORDS = re.compile(
    r"output_text|responsereasoningitem|not subscriptable|unknown part type|body['\", .]+input|input[.\[]+\d",
    re.IGNORECASE,
)
_STORED_WORDS = re.compile(r"previous_response|response with id|resp_|responses_api_store|background", re.IGNORECASE)


def _names_input_items(error: VLLMError) -> bool:
    """Whether a 400 is about the form of the history (vLLM 0.10 and 0.11 without Harmony, 0.20 in parts)."""
    if not isinstance(error, InvalidRequest) or error.supported:
        return False
    return _INPUT_WORDS.search(f"{error.message} {error.detail or ''}") is not None


def _names_stored_response(error: VLLMError) -> bool:
    """Whether the server does not know the response that the request builds on."""
    if not isinstance(error, NotFound | InvalidRequest):
        return False
    return _STORED_WORDS.search(f"{error.message} {error.detail or ''}") is not None


def _has_structure(round_: _Round) -> bool:
    return any(message.role == "assistant" for message in round_.prepared.request.messages)
