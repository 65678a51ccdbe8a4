"""Makes a request fit before it leaves: repairs the history, leaves out old turns, bounds the output."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vllm_tui.domain.budget import estimate_tokens, fit_messages
from vllm_tui.domain.errors import ContextLengthExceeded
from vllm_tui.domain.events import HistoryTrimmed, Notice, StreamEvent
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.provider.history import repair
from vllm_tui.provider.observing import Reporter
from vllm_tui.provider.session import Session

logger = logging.getLogger("vllm_tui.provider")

_Count = Callable[[Sequence[Message]], int]
_LEAST_OUTPUT = 256
_SURE_RATIO = 8.0
"""Characters a token no real text reaches: what does not fit even so is refused without asking the server."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be mapped, the output limit to send, and the events that say what was changed."""

    request: ChatRequest
    model: str
    max_output_tokens: int
    characters: int
    events: tuple[StreamEvent, ...]


def prepare(request: ChatRequest, session: Session, report: Reporter) -> Prepared:
    """Return the request as it will be sent; raises ContextLengthExceeded when it surely can't fit."""
    model = request.model or session.config.default_model
    limit = request.max_output_tokens or session.config.max_tokens
    repaired, events = _repair(request, session, report)
    window = session.limits.known_window(model)
    if window is not None:
        repaired, limit, fitted = _fit(repaired, session, model, limit, window)
        events += fitted
    characters = estimate_tokens(repaired.messages, repaired.tools, 1.0)
    return Prepared(repaired, model, limit, characters, tuple(events))


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


def _fit(
    request: ChatRequest, session: Session, model: str, limit: int, window: int
) -> tuple[ChatRequest, int, list[StreamEvent]]:
    asked = request.metadata or {}
    truncation = asked.get("truncation") or session.config.truncation or "disabled"
    ratio = session.characters_per_token(model)

    def count(messages: Sequence[Message]) -> int:
        return estimate_tokens(messages, request.tools, ratio)

    tokens = count(request.messages)
    if tokens + limit <= window:
        return request, limit, []
    if truncation == "auto":
        return _trimmed(request, window, limit, count(request.messages[-1:]), count)
    surely = estimate_tokens(request.messages, request.tools, _SURE_RATIO)
    if surely >= window:
        raise _too_long(model, tokens, limit, window)
    return _clamped(request, tokens, limit, window)


def _trimmed(
    request: ChatRequest, window: int, limit: int, newest: int, count: _Count
) -> tuple[ChatRequest, int, list[StreamEvent]]:
    reserve = min(limit, max(_LEAST_OUTPUT, window // 2, window - newest - window // 10))
    fit = fit_messages(request.messages, max(1, window - reserve), count)
    events: list[StreamEvent] = []
    if fit.dropped_messages:
        events.append(HistoryTrimmed(fit.dropped_messages, fit.dropped_turns, fit.tokens, window, reserve, "estimate"))
        request = request.model_copy(update={"messages": fit.messages})
    request, limit, clamped = _clamped(request, fit.tokens, limit, window)
    return request, limit, events + clamped


def _clamped(request: ChatRequest, tokens: int, limit: int, window: int) -> tuple[ChatRequest, int, list[StreamEvent]]:
    free = window - tokens
    if limit <= free:
        return request, limit, []
    lowered = min(limit, max(free, min(_LEAST_OUTPUT, max(1, window // 4))))
    message = f"Output limited to {lowered:,} tokens instead of {limit:,}: the window is {window:,} (estimate)."
    return request, lowered, [Notice("output_clamped", message)]


def _too_long(model: str, tokens: int, limit: int, window: int) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"The prompt has about {tokens:,} tokens (estimate), the window of {model} is {window:,} "
        f"and {limit:,} are reserved for the answer.",
        hint="Shorten the conversation, or set truncation to auto to leave out the oldest turns.",
    )
