"""The tool bench: what to ask how often, the rates with their intervals while they come, and every run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker, WorkerState

from vllm_tui.domain.tool_bench import BenchPlan, BenchRun, plan_problem, summarise, to_csv, to_json
from vllm_tui.ui.bench.form import BenchForm
from vllm_tui.ui.bench.state import Bench
from vllm_tui.ui.bench.texts import heading, progress, row_line, run_detail, run_line
from vllm_tui.ui.content import shown_line

Measure = Callable[[BenchPlan], AsyncGenerator[BenchRun, None]]
"""Carries out a plan and yields each run as it ends."""

_IDLE = (("F5", "run"), ("Enter", "change"))
_MEASURED = (*_IDLE, ("Tab", "runs"), ("c", "copy CSV"), ("j", "copy JSON"))
_RUNNING = (("Esc", "stop, keep what was measured"),)
_SAID_SECONDS, _TICK_SECONDS = 4.0, 1.0
_EMPTY = """\
Each run asks the prompt anew, alone, and looks at the calls that come back:

called       the model called a tool at all
valid        each call names an offered tool and fits its schema
unparsable   the arguments are no JSON object
wrong tool   another tool than expected

Rates come with their 95 % interval, as runs are few."""
_LEGEND = "─●─ 95 % interval; the last three of runs with a call"


class ToolBenchScreen(Screen[None]):
    """Measures with `measure` and keeps choices and runs in `bench`; the conversation is not touched."""

    DEFAULT_CSS = """
    ToolBenchScreen {
        background: $background; color: $foreground;
        Static { height: 1; padding: 0 1; }
        #title { border-bottom: solid $line; height: 2; }
        OptionList, OptionList:focus { border: none; padding: 0 1; background: $background;
                                       background-tint: $background 0%; }
        #progress { border-top: solid $line; height: 2; }
        #empty { height: 1fr; padding: 1 1; color: $quiet; }
        #rows { height: auto; max-height: 8; }
        #runs { height: 1fr; border-top: solid $line; }
        #runs:focus { border-top: solid $line; }
        #detail { border-top: solid $line; height: 3; }
        OptionList > .option-list--option-highlighted { background: $line; color: $foreground; text-style: none; }
        OptionList:focus > .option-list--option-highlighted { background: $input-selection-background; }
    }
    ToolBenchScreen:ansi {
        OptionList > .option-list--option-highlighted { background: ansi_default; text-style: bold underline; }
        OptionList:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: none;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "back", show=False, priority=True),
        Binding("f5", "run", show=False),
        Binding("c", "copy('CSV')", show=False),
        Binding("j", "copy('JSON')", show=False),
    ]

    def __init__(
        self,
        bench: Bench,
        measure: Measure,
        send_copy: Callable[[str, str], str],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__()
        self._bench = bench
        self._measure = measure
        self._send_copy = send_copy
        self._clock = clock
        self._asked = 0.0
        self._worker: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the form over the table over the runs."""
        yield Static(id="title", markup=False)
        yield BenchForm(self._bench)
        yield Static(id="progress", markup=False)
        yield Static(_EMPTY, id="empty", markup=False)
        yield Static(id="heading", markup=False)
        yield Static(id="rows", markup=False)
        yield OptionList(id="runs", markup=False)
        yield Static(id="detail", markup=False)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Show what was chosen and measured before."""
        self._form.focus()
        self.set_interval(_TICK_SECONDS, self._tick)
        self.call_after_refresh(self._fill)

    def on_resize(self, _event: events.Resize) -> None:
        """Give each column the room there is now."""
        self.call_after_refresh(self._fill)

    @property
    def is_measuring(self) -> bool:
        """Return whether it measures now."""
        return self._worker is not None

    @property
    def _form(self) -> BenchForm:
        return self.query_one(BenchForm)

    @property
    def _runs(self) -> OptionList:
        return self.query_one("#runs", OptionList)

    @property
    def _width(self) -> int:
        return self.size.width - 3

    def _fill(self) -> None:
        facts = self._bench.facts
        assert facts is not None, "the chat fills in the facts first"
        about = f"   how well {shown_line(facts.model)} calls tools · {shown_line(facts.server)}"
        title = Content.assemble(("Tool bench", "bold"), (about, "$quiet"))
        self._put("#title", title.truncate(self._width, ellipsis=True))
        self._form.fill(self._width)
        self._runs.clear_options()
        self._runs.add_options([Option(run_line(run, self._width - 1)) for run in self._bench.runs])
        self._runs.highlighted = len(self._bench.runs) - 1 if self._bench.runs else None
        self._show()

    def _show(self) -> None:
        bench = self._bench
        self._tick()
        rows = summarise(bench.runs)
        self.query_one("#empty").display = not rows
        for part in self.query("#heading, #rows, #runs, #detail"):
            part.display = bool(rows)
        self._put("#heading", heading(self._width))
        self._put("#rows", Content("\n").join(row_line(row, self._width) for row in rows))
        self._runs.can_focus = bool(bench.runs)
        self._show_detail()
        self._show_keys()

    def _tick(self) -> None:
        bench, plan = self._bench, self._bench.plan
        if self.is_measuring and plan is not None:
            waited = self._clock() - self._asked
            self._put("#progress", progress(bench.runs, plan.requests, waited, self._width))
        else:
            self._put("#progress", self._standing())

    def _standing(self) -> Content:
        problem = plan_problem(self._bench.wanted())
        if problem is not None:
            return Content.styled(f"It can't run yet: {shown_line(problem)}.", "$warning")
        if self._bench.outcome:
            outcome = shown_line(self._bench.outcome)
            gap = self._width - len(outcome) - len(_LEGEND)
            legend = " " * gap + _LEGEND if gap > 1 else ""
            return Content.assemble(outcome, (legend, "$quiet")).truncate(self._width, ellipsis=True)
        return Content.assemble(
            "F5 runs it. ", ("The tools are offered, never run; nothing joins the conversation.", "$quiet")
        )

    @on(OptionList.OptionHighlighted, "#runs")
    def _show_detail(self) -> None:
        place, runs = self._runs.highlighted, self._bench.runs
        self._put("#detail", run_detail(runs[place]) if place is not None and place < len(runs) else Content())

    def _show_keys(self) -> None:
        keys = _RUNNING if self.is_measuring else (*(_MEASURED if self._bench.runs else _IDLE), ("Esc", "back"))
        self._put("#keys", Content("  ").join(Content.assemble((key, "bold"), f" {what}") for key, what in keys))

    def _put(self, selector: str, content: Content) -> None:
        self.query_one(selector, Static).update(content)

    def _say(self, text: str, tone: str = "$success") -> None:
        self._put("#keys", Content.styled(shown_line(text), tone))
        self.set_timer(_SAID_SECONDS, self._show_keys)

    @on(BenchForm.Refused)
    def _tell(self, event: BenchForm.Refused) -> None:
        self._say(event.words, "$warning")

    @on(BenchForm.Changed)
    def _changed(self) -> None:
        self._bench.outcome = ""
        self._tick()

    def action_run(self) -> None:
        """Measure from the beginning."""
        if self.is_measuring or plan_problem(self._bench.wanted()) is not None:
            return
        plan = self._bench.start()
        self._form.is_locked = True
        self._asked = self._clock()
        self._worker = self.run_worker(
            self._run(plan), name="bench", group="bench", exclusive=True, exit_on_error=False, description="tool bench"
        )
        self._fill()

    async def _run(self, plan: BenchPlan) -> None:
        async with aclosing(self._measure(plan)) as runs:
            async for run in runs:
                self._asked = self._clock()
                self._add(run)

    def _add(self, run: BenchRun) -> None:
        follows = self._runs.highlighted in (None, len(self._bench.runs) - 1)
        self._bench.runs.append(run)
        self._runs.add_option(Option(run_line(run, self._width - 1)))
        if follows:
            self._runs.highlighted = len(self._bench.runs) - 1
        self._show()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say how the measurement ended."""
        if event.worker is not self._worker or not event.worker.is_finished:
            return
        self._worker, self._form.is_locked = None, False
        done, plan = len(self._bench.runs), self._bench.plan
        of = f"{done:,} of {plan.requests:,} requests" if plan else f"{done:,} requests"
        if event.state == WorkerState.SUCCESS:
            self._bench.outcome = f"Done: {done:,} requests."
        elif event.state == WorkerState.CANCELLED:
            self._bench.outcome = f"Stopped after {of}; what was measured stands here."
        else:
            error = event.worker.error
            self._bench.outcome = f"Failed after {of}: {type(error).__name__}: {error}"
        self._show()

    def action_copy(self, form: str) -> None:
        """Copy the runs as CSV, or rows and runs as JSON."""
        runs = self._bench.runs
        if runs:
            self._say(self._send_copy(to_csv(runs) if form == "CSV" else to_json(runs), f"bench as {form}"))

    def action_back(self) -> None:
        """Stop the measurement, else go back to the chat."""
        if self._worker is not None:
            self._worker.cancel()
        elif self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)
