"""What the program does now, in a few words: the text at the right end of the top line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    ContinuationStarted,
    HistoryTrimmed,
    Notice,
    PromptCounted,
    ResponseFinished,
    RetryScheduled,
)
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)

Doing = Literal["idle", "waiting", "thinking", "answering", "calling", "tool", "retrying", "continuing", "cancelling"]
Tone = Literal["calm", "busy", "good", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Status:
    """A line about now, and how it is coloured."""

    text: str
    tone: Tone = "calm"


READY = Status("ready", "good")


@dataclass(slots=True)
class Activity:
    """Folds the events of a turn into one state; every method takes the seconds of a monotonic clock.

    `asked` is the number of calls that wait for the person.
    """

    doing: Doing = "idle"
    since: float = 0.0
    outcome: Status = READY
    tool: str = ""
    max_tokens: int | None = None
    asked: int = 0
    _retry: RetryScheduled | None = None

    @property
    def is_running(self) -> bool:
        """Return whether a turn runs."""
        return self.doing != "idle"

    def begin(self, now: float) -> None:
        """A question was sent."""
        self._go("waiting", now)

    def rest(self, outcome: Status) -> None:
        """Nothing runs; `outcome` stays on screen until the next turn."""
        self.doing, self.outcome = "idle", outcome

    def cancelling(self, now: float) -> None:
        """The person asked to stop."""
        self._go("cancelling", now)

    def observe(self, event: TurnEvent, now: float) -> None:
        """Take one event of the running turn."""
        match event:
            case BlockDelta(kind=kind) | BlockStarted(kind=kind):
                self._stream(kind, now)
            case RequestStarted() | TurnStarted():
                self._go("waiting", now)
            case RetryScheduled():
                self._retry = event
                self._go("retrying", now)
            case ToolRunStarted(call=call):
                self.tool = call.name
                self._go("tool", now)
            case ToolRunFinished():
                self._go("waiting", now)
            case ContinuationStarted():
                self._go("continuing", now)
            case TurnFinished(turn=turn):
                self.rest(outcome_of(turn.status, self.max_tokens))
            case BlockFinished() | ResponseFinished() | HistoryTrimmed() | Notice() | PromptCounted():
                pass
            case _:
                assert_never(event)

    def runs(self, tool: str, now: float) -> None:
        """A tool of the running turn runs."""
        if self.doing in ("tool", "waiting"):
            self.tool = tool
            self._go("tool", now)

    def status(self, now: float, tokens_per_second: float | None = None) -> Status:
        """Return what to show; times are seconds since the present state began."""
        spent = f"{max(now - self.since, 0.0):.1f} s"
        if self.asked and self.doing in ("tool", "waiting"):
            return Status(
                "a tool call waits for you" if self.asked == 1 else f"{self.asked} calls wait for you", "warning"
            )
        match self.doing:
            case "idle":
                return self.outcome
            case "answering":
                return Status(f"answering {tokens_per_second:.0f} tok/s" if tokens_per_second else "answering", "busy")
            case "retrying":
                return self._retry_status(now)
            case "tool":
                return Status(f"running {self.tool} {spent}", "busy")
            case "calling":
                return Status(f"writing a tool call {spent}", "busy")
            case "waiting" | "thinking" | "continuing" | "cancelling":
                return Status(f"{self.doing} {spent}", "busy")
            case _:
                assert_never(self.doing)

    def retry_seconds(self, now: float) -> int | None:
        """Return the whole seconds until the next attempt, None when no retry waits."""
        if self.doing != "retrying" or self._retry is None:
            return None
        return max(0, round(self._retry.delay - (now - self.since)))

    def _retry_status(self, now: float) -> Status:
        assert self._retry is not None
        left = self.retry_seconds(now) or 0
        return Status(f"retry {self._retry.attempt} of {self._retry.max_retries} in {left} s", "warning")

    def _stream(self, kind: str, now: float) -> None:
        doing: Doing = "answering" if kind == "text" else "thinking" if kind == "thinking" else "calling"
        if self.doing not in (doing, "cancelling"):
            self._go(doing, now)

    def _go(self, doing: Doing, now: float) -> None:
        self.doing, self.since = doing, now


def outcome_of(status: str, max_tokens: int | None = None) -> Status:
    """Return what the top line says after a turn that ended with `status`."""
    match status:
        case "completed":
            return READY
        case "truncated":
            return Status(f"cut at {max_tokens:,} tokens" if max_tokens else "cut at the output limit", "warning")
        case "cancelled":
            return Status("cancelled", "warning")
        case "interrupted":
            return Status("interrupted", "error")
        case _:
            return Status("failed", "error")
