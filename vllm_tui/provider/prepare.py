"""Makes a request fit before it leaves: repairs the history, counts, leaves out old turns, bounds the output."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from vllm_tui.domain.budget import estimate_tokens, fit_messages
from vllm_tui.domain.errors import ContextLengthExceeded
from vllm_tui.domain.events import HistoryTrimmed, Notice, PromptCounted, StreamEvent
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.window import Budget, check_budget
from vllm_tui.provider.counting import Counted, Counting
from vllm_tui.provider.history import repair
from vllm_tui.provider.observing import Reporter
from vllm_tui.provider.session import Session, is_harmony

logger = logging.getLogger("vllm_tui.provider")

_LEAST_OUTPUT = 256
_SURE_RATIO = 8.0
"""Characters a token no real text reaches: what does not fit even so is refused without asking the server."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be mapped, the output limit to send, its count, and the events that say what was changed."""

    request: ChatRequest
    model: str
    max_output_tokens: int
    characters: int
    events: tuple[StreamEvent, ...]
    counted: Counted | None = None


async def prepare(request: ChatRequest, session: Session, report: Reporter) -> Prepared:
    """Return the request as it will be sent; raises ContextLengthExceeded when it can't fit."""
    model = request.model or session.config.default_model
    limit = request.max_output_tokens or session.config.max_tokens
    repaired, events = _repair(request, session, report)
    window = session.limits.known_window(model)
    counting = Counting(session, repaired, model)
    fitting = _Fitting(session, counting, model, limit)
    if session.counter is None and window is None:
        return _as_sent(repaired, model, limit, None, events)
    await counting.begin(window, limit)
    if counting.is_long:
        fitted = await asyncio.to_thread(fitting.fit, repaired, window)
    else:
        fitted = fitting.fit(repaired, window)
    counted = fitting.counted
    events += fitting.events
    if session.counter is not None and counted is not None:
        events.append(PromptCounted(counted.tokens, counted.source, fitting.limit, window, counted.parts, counted.note))
    return _as_sent(fitted, model, fitting.limit, counted, events)


async def prepare_more(before: Prepared, session: Session, text: str) -> Prepared:
    """Return the request that goes on after `text`, counted again; raises ContextLengthExceeded without room for it.

    Harmony models get the text as a finished message; for others the body brings it apart.
    """
    messages = (*before.request.messages, Message(role="assistant", content=text))
    longer = before.request.model_copy(update={"messages": messages})
    request = longer if is_harmony(before.model) else before.request
    window = session.limits.known_window(before.model)
    if session.counter is None and window is None:
        return _as_sent(request, before.model, before.max_output_tokens, None, [])
    counting = Counting(session, longer, before.model)
    fitting = _Fitting(session, counting, before.model, before.max_output_tokens)
    await counting.begin(window, before.max_output_tokens)
    counted = fitting.go_on(longer, window)
    events: list[StreamEvent] = []
    if session.counter is not None:
        events.append(
            PromptCounted(counted.tokens, counted.source, fitting.limit, window, counted.parts, counted.note, True)
        )
    return _as_sent(request, before.model, fitting.limit, counted, events)


def _as_sent(
    request: ChatRequest, model: str, limit: int, counted: Counted | None, events: list[StreamEvent]
) -> Prepared:
    characters = estimate_tokens(request.messages, request.tools, 1.0)
    return Prepared(request, model, limit, characters, tuple(events), counted)


def _repair(request: ChatRequest, session: Session, report: Reporter) -> tuple[ChatRequest, list[StreamEvent]]:
    messages, repairs = repair(request.messages)
    fresh = [entry for entry in repairs if entry.tool_call_id not in session.announced_repairs]
    session.announced_repairs.update(entry.tool_call_id for entry in fresh)
    events: list[StreamEvent] = []
    if fresh:
        names = ", ".join(entry.tool_name for entry in fresh)
        message = f"Results of {len(fresh)} tool calls were missing ({names}); stand-ins were sent."
        logger.warning("%s", message)
        events.append(Notice("history_repaired", message))
        report.emit(
            "provider:tool_sequence_repaired",
            repair_count=len(fresh),
            repairs=[{"tool_call_id": entry.tool_call_id, "tool_name": entry.tool_name} for entry in fresh],
        )
    return (request.model_copy(update={"messages": messages}) if repairs else request), events


class _Fitting:
    """Fits one request into a window; `limit`, `counted` and `events` are what came of it."""

    def __init__(self, session: Session, counting: Counting, model: str, limit: int) -> None:
        self.limit = limit
        self.counted: Counted | None = None
        self.events: list[StreamEvent] = []
        self._session = session
        self._counting = counting
        self._model = model

    def fit(self, request: ChatRequest, window: int | None) -> ChatRequest:
        """Return the request with what fits; raises ContextLengthExceeded."""
        counted = self.counted = self._counting.count(request.messages)
        if window is None:
            return request
        budget = self._budget(counted, window)
        if budget.verdict == "fits":
            return request
        asked = request.metadata or {}
        truncation = asked.get("truncation") or self._session.config.truncation or "disabled"
        if truncation == "auto":
            return self._trimmed(request, window)
        if budget.verdict == "too_long":
            self._refuse(request, counted, budget)
        self._clamp(counted, window)
        return request

    def go_on(self, request: ChatRequest, window: int | None) -> Counted:
        """Return the count of a request that goes on with an answer, its output bounded by what is left."""
        counted = self._counting.count(request.messages)
        if window is not None:
            budget = self._budget(counted, window)
            if budget.verdict == "too_long" and not counted.is_estimate:
                raise ContextLengthExceeded(f"The answer fills the window of {window:,} tokens: no room to go on.")
            self.limit = self._output_of(budget, counted)
        return counted

    def _budget(self, counted: Counted, window: int) -> Budget:
        return check_budget(counted.tokens, window, self.limit, counted.parts, is_estimate=counted.is_estimate)

    def _trimmed(self, request: ChatRequest, window: int) -> ChatRequest:
        newest = self._counting.count(request.messages[-1:]).tokens
        reserve = min(self.limit, max(_LEAST_OUTPUT, window // 2, window - newest - window // 10))

        def used(messages: Sequence[Message]) -> int:
            counted = self._counting.count(messages)
            return check_budget(counted.tokens, window, 1, is_estimate=counted.is_estimate).input

        fit = fit_messages(request.messages, max(1, window - reserve), used)
        if fit.dropped_messages:
            request = request.model_copy(update={"messages": fit.messages})
        counted = self.counted = self._counting.count(request.messages)
        if fit.dropped_messages:
            self.events.append(
                HistoryTrimmed(fit.dropped_messages, fit.dropped_turns, counted.tokens, window, reserve, counted.source)
            )
        self._clamp(counted, window)
        return request

    def _clamp(self, counted: Counted, window: int) -> None:
        """Ask for an answer no longer than what is left; say so once for each limit, and whenever little is left."""
        wanted = self.limit
        budget = self._budget(counted, window)
        if budget.verdict == "fits":
            return
        self.limit = self._output_of(budget, counted)
        key = (self._model, wanted, window)
        if key in self._session.told_limits and self.limit >= _LEAST_OUTPUT:
            return
        self._session.told_limits.add(key)
        how = "estimate, with a margin" if counted.is_estimate else "counted exactly"
        message = f"Output limited to {self.limit:,} tokens instead of {wanted:,}: the window is {window:,} ({how})."
        self.events.append(Notice("output_clamped", message))

    def _output_of(self, budget: Budget, counted: Counted) -> int:
        """Return the output to ask for; a little in any case where the count may be wrong."""
        least = min(_LEAST_OUTPUT, max(1, budget.window // 4)) if counted.is_estimate else 1
        return min(self.limit, max(budget.output, least))

    def _refuse(self, request: ChatRequest, counted: Counted, budget: Budget) -> None:
        """Raise when the request can't fit; an estimate that is not sure leaves the decision to the server."""
        if counted.is_estimate:
            surely = estimate_tokens(request.messages, request.tools, _SURE_RATIO)
            if surely < budget.window:
                return
        how = "about " if counted.is_estimate else ""
        kind = "estimate" if counted.is_estimate else "counted exactly"
        raise ContextLengthExceeded(
            f"The prompt has {how}{counted.tokens:,} tokens ({kind}), the window of {self._model} is "
            f"{budget.window:,} and {self.limit:,} are wanted for the answer.",
            hint=f"{budget.advice} Or set truncation to auto: then the oldest turns are left out.",
        )
