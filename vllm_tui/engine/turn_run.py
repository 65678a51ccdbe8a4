"""One running turn: its requests, what came of them so far, and how long it took."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vllm_tui.domain.builder import ResponseBuilder
from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    HistoryTrimmed,
    Notice,
    PromptCounted,
    ResponseFinished,
    StreamEvent,
)
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ResponseStatus
from vllm_tui.domain.turns import PromptCount, Round, Timing, Turn, TurnStatus
from vllm_tui.domain.values import JsonObject
from vllm_tui.engine.events import RequestStarted, ToolRunFinished, ToolRunStarted, TurnEvent
from vllm_tui.engine.history import running_messages
from vllm_tui.engine.ports import Adviser, Clock, Provider, Toolbox, Transcript
from vllm_tui.engine.tool_runs import answer_calls

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock

MAX_TOOL_ROUNDS = 8
PROGRESS_SECONDS = 0.5
_STATUS: dict[ResponseStatus, TurnStatus] = {
    "completed": "completed",
    "incomplete": "truncated",
    "cancelled": "cancelled",
    "interrupted": "interrupted",
}


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What the person chose for the next turn; None means as configured.

    `tool_choice` holds for the first request only, as `required` would otherwise never end; after
    `max_tool_rounds` rounds of tools the model is asked to answer without them.
    """

    model: str | None = None
    effort: str | None = None
    system: str | None = None
    tool_choice: str | JsonObject | None = None
    max_tool_rounds: int = MAX_TOOL_ROUNDS


def tool_choice_of(text: str | None) -> str | JsonObject | None:
    """Return what is sent for `auto`, `none`, `required` or the name of a tool."""
    if text is None or text in ("auto", "none", "required"):
        return text
    return {"type": "function", "name": text}


@dataclass(frozen=True, slots=True)
class World:
    """The ports a turn runs against."""

    provider: Provider
    transcript: Transcript
    clock: Clock
    toolbox: Toolbox | None = None
    adviser: Adviser | None = None


class TurnRun:
    """Runs `turn` to its end; `turn` is always its newest state, `status` how it ended so far."""

    def __init__(self, world: World, settings: TurnSettings, past: Sequence[Message], turn: Turn) -> None:
        self.turn = turn
        self.status: TurnStatus = "completed"
        self._world = world
        self._settings = settings
        self._past = past
        self._builder = ResponseBuilder()
        self._watch = _Stopwatch(world.clock)
        self._is_round_open = False
        self._continues = False
        self._counted: PromptCount | None = None
        self._save: asyncio.TimerHandle | None = None
        self._request: ChatRequest | None = None

    async def rounds(self) -> AsyncGenerator[TurnEvent, None]:
        """Yield the events of every request and tool run of this turn."""
        for number in range(self._settings.max_tool_rounds + 1):
            is_last = number == self._settings.max_tool_rounds
            request = self._request = self._begin_round(number, is_last=is_last)
            yield RequestStarted(len(self.turn.rounds), self._continues)
            async with aclosing(self._world.provider.stream(request)) as events:
                async for event in events:
                    self._observe(event)
                    yield event
            response = self._end_round(self._builder.partial())
            for notice in self._advise(response):
                yield notice
            if not response.tool_calls or self._world.toolbox is None or response.status != "completed":
                return
            if is_last:
                yield self._note(
                    Notice("tool_limit", f"Stopped after {number} rounds of tools; its calls did not run.")
                )
                return
            async with aclosing(self._run_tools(self._world.toolbox, response.tool_calls)) as steps:
                async for step in steps:
                    yield step

    def close(self, status: TurnStatus, error: VLLMError | None) -> None:
        """Give the turn its last state, with whatever had arrived."""
        self._forget_save()
        if self._is_round_open:
            partial = self._builder.partial()
            if error is not None and error.partial is not None:
                partial = error.partial.model_copy(update={"content": partial.content or error.partial.content})
            if partial.content or partial.response_id:
                self._end_round(partial)
        update = {"status": status, "error": None if error is None else str(error)}
        self.turn = self.turn.model_copy(update=update)

    def advise_on(self, error: VLLMError) -> list[Notice]:
        """Note what the error of the last request suggests, and return what is new."""
        return self._advise(error)

    def _advise(self, ending: ChatResponse | VLLMError) -> list[Notice]:
        adviser, request = self._world.adviser, self._request
        if adviser is None or request is None:
            return []
        if isinstance(ending, VLLMError):
            hints = adviser.on_error(request, ending)
        else:
            hints = adviser.on_answer(request, ending)
        texts = [text for text in dict.fromkeys(hints) if text not in self.turn.notes]
        for text in texts:
            self.note(text)
        return [Notice("tool_hint", text) for text in texts]

    def note(self, text: str) -> None:
        """Add a line of the program's own to the turn, once."""
        if text not in self.turn.notes:
            self.turn = self.turn.model_copy(update={"notes": (*self.turn.notes, text)})

    async def _run_tools(self, toolbox: Toolbox, calls: Sequence[ToolCallBlock]) -> AsyncGenerator[TurnEvent, None]:
        results: dict[int, Message] = {}
        for call in calls:
            yield ToolRunStarted(call)
        async with aclosing(answer_calls(toolbox, calls, self._world.clock)) as answers:
            async for answer in answers:
                results[answer.index] = answer.result
                self._keep_results(tuple(results[index] for index in sorted(results)))
                yield ToolRunFinished(calls[answer.index], answer.result, answer.seconds)

    def _keep_results(self, results: tuple[Message, ...]) -> None:
        last = self.turn.rounds[-1].model_copy(update={"tool_results": results})
        self.turn = self.turn.model_copy(update={"rounds": (*self.turn.rounds[:-1], last)})
        self._world.transcript.note_progress(self.turn)

    def _begin_round(self, number: int, *, is_last: bool) -> ChatRequest:
        messages = running_messages(self.turn)
        self._continues = messages[-1].role == "assistant"
        self._builder = ResponseBuilder()
        self._counted = None
        self._watch = _Stopwatch(self._world.clock)
        self._is_round_open = True
        if self._settings.system:
            messages = (Message(role="system", content=self._settings.system), *self._past, *messages)
        else:
            messages = (*self._past, *messages)
        return ChatRequest(
            messages=messages,
            tools=tuple(self._world.toolbox.specs) if self._world.toolbox else (),
            tool_choice=self._tool_choice(number, is_last=is_last),
            model=self._settings.model,
            reasoning_effort=self._settings.effort,
        )

    def _tool_choice(self, number: int, *, is_last: bool) -> str | JsonObject | None:
        if self._world.toolbox is None or not self._world.toolbox.specs:
            return None
        if is_last:
            return "none"
        return self._settings.tool_choice if number == 0 else None

    def _observe(self, event: StreamEvent) -> None:
        self._builder.add(event)
        match event:
            case BlockStarted() | BlockDelta() | BlockFinished():
                self._watch.saw(event)
                self._save_soon()
            case ResponseFinished():
                self._watch.saw(event)
            case Notice() | HistoryTrimmed():
                self._note(event)
            case PromptCounted():
                self._take_count(event)
            case _:
                pass

    def _take_count(self, event: PromptCounted) -> None:
        counted = PromptCount(
            input_tokens=event.input_tokens,
            source=event.source,
            parts=event.parts,
            context_window=event.context_window,
            output_reserved=event.output_reserved,
            note=event.note,
        )
        before = self._counted if event.continues else None
        self._counted = counted if before is None else before.plus(counted)

    def _note(self, event: Notice | HistoryTrimmed) -> Notice | HistoryTrimmed:
        match event:
            case Notice(message=message):
                self.note(message)
            case HistoryTrimmed(dropped_messages=count):
                self.note(f"The oldest {count} messages were left out to fit the context window.")
        return event

    def _save_soon(self) -> None:
        if self._save is None:
            self._save = asyncio.get_running_loop().call_later(PROGRESS_SECONDS, self._save_now)

    def _save_now(self) -> None:
        self._save = None
        self._world.transcript.note_progress(self._with_round(self._builder.partial()))

    def _forget_save(self) -> None:
        if self._save is not None:
            self._save.cancel()
            self._save = None

    def _end_round(self, response: ChatResponse) -> ChatResponse:
        self._forget_save()
        self._is_round_open = False
        self.status = _STATUS[response.status]
        self.turn = self._with_round(response)
        return response

    def _with_round(self, response: ChatResponse) -> Turn:
        metadata = {**response.metadata}
        if response.response_id is not None:
            metadata.setdefault("vllm:response_id", response.response_id)
        entry = Round(
            answer=Message(role="assistant", content=response.content, metadata=metadata or None),
            counted=self._counted,
            usage=response.usage,
            timing=self._watch.timing(),
            response_id=response.response_id,
            continues=self._continues,
        )
        return self.turn.model_copy(update={"rounds": (*self.turn.rounds, entry)})


class _Stopwatch:
    """Times one request."""

    def __init__(self, clock: Clock) -> None:
        self._read: Callable[[], float] = clock.monotonic
        self._begun = self._read()
        self._seen = _Seen()

    def saw(self, event: BlockStarted | BlockDelta | BlockFinished | ResponseFinished) -> None:
        """Note the times at which the first of each kind came."""
        if self._seen.answer is not None:
            return
        now = self._read() - self._begun
        seen = self._seen if self._seen.event is not None else replace(self._seen, event=now)
        if isinstance(event, BlockDelta):
            seen = seen if seen.token is not None else replace(seen, token=now)
            seen = replace(seen, answer=now) if event.kind == "text" else seen
        self._seen = seen

    def timing(self) -> Timing:
        """Return the times so far, in seconds since the request left."""
        seen = self._seen
        elapsed = self._read() - self._begun
        return Timing(first_event=seen.event, first_token=seen.token, first_answer=seen.answer, elapsed=elapsed)


@dataclass(frozen=True, slots=True)
class _Seen:
    event: float | None = None
    token: float | None = None
    answer: float | None = None
