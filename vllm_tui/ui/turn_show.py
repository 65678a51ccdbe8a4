"""Shows a running turn: its events go to the transcript, the meter and the state line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import ConversationFigures, Figure, TurnFigures, conversation_of, resumed
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, RetryScheduled
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from vllm_tui.ui.activity import READY, Activity, Status, outcome_of
from vllm_tui.ui.calls.journal import Journal
from vllm_tui.ui.figures_text import answer_line, figures_line
from vllm_tui.ui.widgets.hintline import HintLine
from vllm_tui.ui.widgets.sidebar import Sidebar
from vllm_tui.ui.widgets.topline import TopLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_tui.accounting.meter import TurnMeter
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.messages import Message
    from vllm_tui.domain.tool_runs import CallRecord
    from vllm_tui.domain.turns import Turn
    from vllm_tui.ui.launch import Encode
    from vllm_tui.ui.transcript.view import TranscriptView


@dataclass(frozen=True, slots=True)
class Stage:
    """The widgets a turn is shown on."""

    transcript: TranscriptView
    topline: TopLine
    sidebar: Sidebar
    hintline: HintLine


class TurnShow:
    """Folds a turn's events into what is on screen; `at_rest` is called when nothing runs any more.

    `on_call` is called when a call changed, `on_begin` when a question was sent.
    """

    def __init__(
        self,
        stage: Stage,
        at_rest: Callable[[], None],
        *,
        max_tokens: int | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.stage = stage
        self._at_rest = at_rest
        self.activity = Activity(max_tokens=max_tokens)
        self.window: int | None = None
        self._clock = clock
        self._begun: TurnMeter | None = None
        self._turn = TurnFigures()
        self._before = ConversationFigures()
        self._kept: dict[str, TurnFigures] = {}
        self._turn_id = ""
        self._cut: TurnFigures | None = None
        self._retry: tuple[int, RetryScheduled] | None = None
        self._is_settled = True
        self.journal = Journal()
        self.on_call: Callable[[], None] = lambda: None
        self.on_begin: Callable[[], None] = lambda: None

    @property
    def is_running(self) -> bool:
        """Return whether a turn runs."""
        return self.activity.is_running

    @property
    def context_used(self) -> int | None:
        """Return the tokens the last request and its answer took, None when nobody knows."""
        value = self._turn.context_used.value
        return None if value is None else int(value)

    def load(self, turns: Sequence[Turn]) -> None:
        """Show stored turns and what they cost."""
        from vllm_tui.accounting.stored import turn_figures  # not before the first frame

        self._kept = {turn.id: turn_figures(turn, self.window) for turn in turns}
        self._turn_id = turns[-1].id if turns else ""
        self._turn = self._kept[self._turn_id] if turns else self._with_window(TurnFigures())
        self._sum_before()
        self.stage.transcript.load(turns, lambda turn: answer_line(self._kept[turn.id]))
        self.rest(READY)

    def figures_of(self, turn: Turn) -> TurnFigures:
        """Return what is known of a turn of this conversation, be it stored, finished or running."""
        from vllm_tui.accounting.stored import turn_figures  # not before the first frame

        if turn.id == self._turn_id:
            return self._turn
        return self._kept.get(turn.id) or turn_figures(turn, self.window)

    def use_window(self, window: int | None) -> None:
        """Measure against a context window of `window` tokens from now on."""
        self.window = window
        self._turn = self._with_window(self._turn)
        self._paint()

    def begin(self, encode: Encode | None = None) -> None:
        """A question was sent; with `encode`, the tokens of a text, figures are exact sooner."""
        from vllm_tui.accounting.meter import TurnMeter  # not before the first frame

        self._turn_id, self._cut = "", None
        self._sum_before()
        calibration = self._begun.calibration if self._begun else None
        self._begun = TurnMeter(self.window, calibration=calibration, encode=encode)
        self._turn = self._with_window(TurnFigures())
        self._is_settled = False
        self.activity.begin(self._clock())
        self.tick()
        self.on_begin()

    def cancelling(self) -> None:
        """The person asked to stop."""
        self.activity.cancelling(self._clock())
        self.tick()

    def observe(self, event: TurnEvent) -> None:
        """Take one event of the running turn."""
        now = self._clock()
        self.activity.observe(event, now)
        if isinstance(event, BlockDelta):
            self._meter.observe(event, now)
            self.stage.transcript.apply(event)
            if event.kind == "tool_call":
                self.journal.add(event, now)
            return
        self._end_retry()
        match event:
            case TurnStarted():
                self._take_turn(event)
            case RequestStarted():
                self.journal.begin_request()
                self._meter.request_started(now)
            case BlockStarted() | BlockFinished():
                self.journal.add(event, now)
                self._meter.observe(event, now)
            case ToolRunStarted():
                self._meter.tool_started(now)
            case ToolRunFinished(result=result):
                self._meter.tool_finished(_output_of(result), now)
                if self.activity.asked:
                    self._meter.person_asked(now, waits=True)
            case TurnFinished(turn=turn):
                self.settle(turn, event)
                return
            case RetryScheduled():
                self._meter.observe(event, now)
                self._retry = (self.stage.transcript.add_note("retry", self._retry_text(event, now)), event)
                self.tick()
                return
            case _:
                self._meter.observe(event, now)
        self.stage.transcript.apply(event)

    def settle(self, turn: Turn, event: TurnFinished | None = None) -> None:
        """The turn ended; without its last event (it was cancelled) one is made. Later calls do nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        self._end_retry()
        self._meter.turn_finished(self._clock())
        self.stage.transcript.apply(event or TurnFinished(turn))
        self._turn = self._figures()
        if turn.id == self._turn_id:  # else it never began, and this is the turn before
            self._kept[turn.id] = self._turn
        if line := answer_line(self._turn):
            self.stage.transcript.set_footer(line)
        self.rest(outcome_of(turn.status, self.activity.max_tokens))

    def rest(self, outcome: Status) -> None:
        """Nothing runs; say `outcome`."""
        self.activity.rest(outcome)
        self._paint()
        self._at_rest()

    def tick(self) -> None:
        """Paint what changed; called while a turn runs."""
        if not self._is_settled:
            self._turn = self._figures()
        now = self._clock()
        if self._retry is not None and self.activity.doing == "retrying":
            note, event = self._retry
            self.stage.transcript.update_note(note, self._retry_text(event, now))
        self._paint()

    def _paint(self) -> None:
        now, stage = self._clock(), self.stage
        stage.topline.show(self.activity.status(now, self._turn.tokens_per_second.value))
        if stage.sidebar.display:
            stage.sidebar.show(self._turn, self._before.plus(self._turn) if self._turn.requests else self._before)
            stage.hintline.show_figures("")
        else:
            stage.hintline.show_figures(figures_line(self._turn))

    def _figures(self) -> TurnFigures:
        figures = self._with_window(self._meter.figures(self._clock()))
        return figures if self._cut is None else resumed(self._cut, figures)

    def _with_window(self, figures: TurnFigures) -> TurnFigures:
        if self.window is None or figures.context_window.is_known:
            return figures
        return replace(figures, context_window=Figure(self.window, "server", "The model's own window."))

    @property
    def _meter(self) -> TurnMeter:
        assert self._begun is not None, "events come after begin()"
        return self._begun

    def _end_retry(self) -> None:
        if self._retry is not None:
            self.stage.transcript.remove_note(self._retry[0])
            self._retry = None

    def take_call(self, record: CallRecord) -> None:
        """A call waits, runs, or ended."""
        if record.state == "running" and not record.is_rerun:
            self.activity.runs(record.call.name, self._clock())
            self.stage.transcript.mark_call(record.call, "running")
        self.on_call()

    def asking(self, calls: Sequence[ToolCallBlock]) -> None:
        """These calls wait for the person."""
        for call in calls:
            self.stage.transcript.mark_call(call, "asking")
        if self.is_running and bool(calls) != bool(self.activity.asked):
            self._meter.person_asked(self._clock(), waits=bool(calls))
        self.activity.asked = len(calls)
        self.tick()

    def _take_turn(self, event: TurnStarted) -> None:
        self.journal.begin_turn(event.turn.id)
        self._turn_id = event.turn.id
        self._cut = self._kept.get(event.turn.id) if event.is_resumed else None
        self._kept.pop(event.replaced or "", None)
        self._sum_before()

    def _sum_before(self) -> None:
        turns = (turn for turn_id, turn in self._kept.items() if turn_id != self._turn_id)
        self._before = conversation_of(turn for turn in turns if turn.requests)

    def _retry_text(self, event: RetryScheduled, now: float) -> str:
        left = self.activity.retry_seconds(now)
        when = f"in {left} s" if left else "now"
        return f"{event.error} Retry {event.attempt} of {event.max_retries} {when}; Esc cancels."


def _output_of(result: Message) -> str:
    if isinstance(result.content, str):
        return result.content
    outputs = [block.output for block in result.content if block.type == "tool_result"]
    return "\n".join(output if isinstance(output, str) else json.dumps(output) for output in outputs)
