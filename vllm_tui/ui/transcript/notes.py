"""What the program says in the transcript about retries, cuts, errors and endings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_tui.domain.events import ContinuationStarted, HistoryTrimmed, Notice, RetryScheduled
from vllm_tui.ui.transcript.blocks import NoteKind

if TYPE_CHECKING:
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.turns import Turn


def of_event(event: RetryScheduled | ContinuationStarted | HistoryTrimmed | Notice) -> tuple[NoteKind, str]:
    """Return the kind and the words for something that happened while the turn ran."""
    match event:
        case RetryScheduled(attempt=attempt, max_retries=limit, delay=delay, error=error):
            return "retry", f"{error.message} Retry {attempt} of {limit} in {delay:.0f} s."
        case ContinuationStarted(number=number, max_continuations=limit, reason=reason):
            return "info", f"The answer was cut ({reason}) and goes on here: continuation {number} of {limit}."
        case HistoryTrimmed(dropped_turns=turns, dropped_messages=messages, context_window=window):
            what = f"{turns} earlier question{_s(turns)}" if turns else f"{messages} earlier message{_s(messages)}"
            return "info", f"{what} left out to fit the window of {window:,} tokens."
        case Notice(code=code, message=message):
            return "warning" if code == "tool_hint" else "info", message


def of_ending(turn: Turn, error: VLLMError | None = None) -> list[tuple[NoteKind, str]]:
    """Return the notes that the end of a turn calls for; none when it ended well."""
    match turn.status:
        case "truncated":
            return [("warning", _cut(turn))]
        case "cancelled":
            return [("warning", "Cancelled. What had arrived is kept.")]
        case "interrupted":
            words = _words(turn, error) or "The answer broke off before its end. What had arrived is kept; ask again."
            return [("error", words)]
        case "failed":
            return [("error", _words(turn, error) or "The turn failed. Ask again.")]
        case _:
            return []


def _cut(turn: Turn) -> str:
    usage = turn.rounds[-1].usage if turn.rounds else None
    tokens = usage.output_tokens if usage else None
    where = f"Cut at {tokens:,} tokens" if tokens else "Cut"
    return f"{where}: the output limit was reached. Raise max_tokens for more."


def _words(turn: Turn, error: VLLMError | None) -> str:
    return str(error) if error is not None else turn.error or ""


def _s(count: int) -> str:
    return "" if count == 1 else "s"
