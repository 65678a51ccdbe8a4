"""The turn loop: record the question, ask, fold, record the answer, run tools, ask again."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from vllm_tui.domain.blocks import Block
from vllm_tui.domain.builder import ResponseBuilder
from vllm_tui.domain.errors import StreamInterrupted, VLLMError
from vllm_tui.domain.events import BlockDelta, ResponseFinished, StreamEvent
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.turns import Round, Timing, Turn, TurnStatus
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from vllm_tui.engine.ports import Clock, Provider, Toolbox, Transcript

MAX_TOOL_ROUNDS = 8
_PROGRESS_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What the person chose for the next turn; None means as configured."""

    model: str | None = None
    effort: str | None = None
    system: str | None = None
    max_tool_rounds: int = MAX_TOOL_ROUNDS


class Conversation:
    """One conversation: its turns, and how to add the next one."""

    def __init__(
        self,
        provider: Provider,
        transcript: Transcript,
        clock: Clock,
        *,
        toolbox: Toolbox | None = None,
        conversation_id: str | None = None,
        turns: Sequence[Turn] = (),
    ) -> None:
        self.id = conversation_id or uuid.uuid4().hex
        self.turns: list[Turn] = list(turns)
        self._provider = provider
        self._transcript = transcript
        self._clock = clock
        self._toolbox = toolbox

    async def ask(self, text: str, settings: TurnSettings | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Ask `text` and yield the events of the turn; TurnFinished is last.

        Errors of the provider end the turn as events. StorageError is raised when the question can't be kept.
        Cancelling the caller ends the request, keeps what came, and is raised again.
        """
        run = _Run(self, settings or TurnSettings(), text)
        await self._transcript.start_turn(run.turn)
        self.turns.append(run.turn)
        yield TurnStarted(run.turn)
        status: TurnStatus = "cancelled"
        error: VLLMError | None = None
        try:
            async with aclosing(run.rounds()) as events:
                async for event in events:
                    yield event
            status = run.status
        except VLLMError as failure:
            error = failure
            status = "interrupted" if isinstance(failure, StreamInterrupted) else "failed"
        finally:
            run.close(status, error)
            self.turns[-1] = run.turn
            await self._transcript.finish_turn(run.turn)
        yield TurnFinished(run.turn, error)

    def history(self) -> tuple[Message, ...]:
        """Return the messages of all turns before the newest, in order; unanswered questions are left out."""
        return tuple(message for turn in self.turns[:-1] if turn.rounds for message in turn.messages)


class _Run:
    """The state of one running turn."""

    def __init__(self, conversation: Conversation, settings: TurnSettings, text: str) -> None:
        self._conversation = conversation
        self._provider = conversation._provider
        self._toolbox = conversation._toolbox
        self._clock = conversation._clock
        self._settings = settings
        self._builder = ResponseBuilder()
        self._started = self._clock.monotonic()
        self._first_token: float | None = None
        self._first_answer: float | None = None
        self._saved = 0.0
        self.status: TurnStatus = "completed"
        self.turn = Turn(
            id=uuid.uuid4().hex,
            conversation_id=conversation.id,
            question=Message(role="user", content=text),
            model=settings.model or "",
            effort=settings.effort,
            created=self._clock.now(),
        )

    async def rounds(self) -> AsyncGenerator[TurnEvent, None]:
        """Yield the events of every request and tool run of this turn."""
        for number in range(self._settings.max_tool_rounds + 1):
            yield RequestStarted(number)
            self._begin_round()
            async with aclosing(self._provider.stream(self._request())) as events:
                async for event in events:
                    self._observe(event)
                    yield event
            response = self._builder.partial()
            self._keep_round(response)
            if not response.tool_calls or self._toolbox is None or response.status != "completed":
                return
            async for step in self._run_tools(response):
                yield step

    async def _run_tools(self, response: ChatResponse) -> AsyncGenerator[TurnEvent, None]:
        assert self._toolbox is not None
        for call in response.tool_calls:
            yield ToolRunStarted(call)
            begun = self._clock.monotonic()
            result = await self._toolbox.run(call)
            last = self.turn.rounds[-1]
            last = last.model_copy(update={"tool_results": (*last.tool_results, result)})
            self.turn = self.turn.model_copy(update={"rounds": (*self.turn.rounds[:-1], last)})
            yield ToolRunFinished(call, result, self._clock.monotonic() - begun)

    def close(self, status: TurnStatus, error: VLLMError | None) -> None:
        """Give the turn its last state, with whatever had arrived."""
        partial = self._builder.content
        if partial and self._builder.response is None:
            self._keep_round(self._builder.partial())
        update = {"status": status, "error": None if error is None else str(error)}
        self.turn = self.turn.model_copy(update=update)

    def _begin_round(self) -> None:
        self._builder = ResponseBuilder()
        self._started = self._clock.monotonic()
        self._first_token = self._first_answer = None

    def _observe(self, event: StreamEvent) -> None:
        if isinstance(event, BlockDelta):
            now = self._clock.monotonic()
            self._first_token = self._first_token or now - self._started
            if event.kind == "text":
                self._first_answer = self._first_answer or now - self._started
        self._builder.add(event)
        if isinstance(event, ResponseFinished):
            self.status = "truncated" if event.response.status == "incomplete" else "completed"
        elif self._clock.monotonic() - self._saved > _PROGRESS_SECONDS:
            self._saved = self._clock.monotonic()
            self._conversation._transcript.note_progress(self._with_round(self._builder.content))

    def _request(self) -> ChatRequest:
        messages = (*self._conversation.history(), *self.turn.messages)
        if self._settings.system:
            messages = (Message(role="system", content=self._settings.system), *messages)
        return ChatRequest(
            messages=messages,
            tools=tuple(self._toolbox.specs) if self._toolbox else (),
            model=self._settings.model,
            reasoning_effort=self._settings.effort,
        )

    def _keep_round(self, response: ChatResponse) -> None:
        self.turn = self._with_round(response.content, response)

    def _with_round(self, content: Sequence[Block], response: ChatResponse | None = None) -> Turn:
        timing = Timing(
            first_token=self._first_token,
            first_answer=self._first_answer,
            elapsed=self._clock.monotonic() - self._started,
        )
        answer = Message(role="assistant", content=tuple(content))
        entry = Round(
            answer=answer,
            usage=response.usage if response else None,
            timing=timing,
            response_id=response.response_id if response else None,
        )
        return self.turn.model_copy(update={"rounds": (*self.turn.rounds, entry)})
