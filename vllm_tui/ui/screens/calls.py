"""The inspector: every tool call of the conversation, and what can be done with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.ui.calls.deciding import Way, decide, edit_arguments
from vllm_tui.ui.calls.panes import PANES, taken_away
from vllm_tui.ui.calls.texts import json_text
from vllm_tui.ui.screens.calls_view import COMPARE, CallsView

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import ToolCatalog
    from vllm_tui.domain.values import JsonObject
    from vllm_tui.ui.calls.entries import CallEntry


class CallsScreen(CallsView):
    """Decides about waiting calls, runs calls again, compares and copies them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,q", "close", show=False, priority=True),
        *(Binding(str(number), f"pane({number - 1})", show=False) for number in range(1, len(PANES) + 1)),
        Binding("right", "next_pane(1)", show=False, priority=True),
        Binding("left", "next_pane(-1)", show=False, priority=True),
        Binding("a", "decide('once')", show=False),
        Binding("A", "decide('always')", show=False),
        Binding("e", "edit", show=False),
        Binding("w", "decide('hand')", show=False),
        Binding("d", "decide('refuse')", show=False),
        Binding("r", "again", show=False),
        Binding("x", "form", show=False),
        Binding("m", "compare", show=False),
        Binding("y", "copy", show=False),
    ]

    def action_pane(self, number: int) -> None:
        """Show one side of the call."""
        self._pane = PANES[number]
        self._write()
        self.query_one("#side", VerticalScroll).scroll_home(animate=False)

    def action_next_pane(self, step: int) -> None:
        """Show the next side of the call, or the one before."""
        names = [*PANES, COMPARE] if self._marked is not None else [*PANES]
        place = names.index(self._pane) if self._pane in names else 0
        self._pane = names[(place + step) % len(names)]
        self._write()
        self.query_one("#side", VerticalScroll).scroll_home(animate=False)

    def action_decide(self, way: Way) -> None:
        """Decide about a waiting call."""
        entry = self.current
        waiting = None if entry is None else self._approvals.find(entry.call_id)
        if waiting is None:
            self.say("this call does not wait; r runs it again, e with other arguments", "$warning")
        elif problem := decide(self.app, waiting, way, self._tools()):
            self.say(problem, "$warning")

    def action_edit(self) -> None:
        """Change the arguments and run: as the answer of a waiting call, else by hand."""
        entry = self.current
        if entry is None or entry.block is None:
            self.say("the arguments still stream", "$warning")
        elif self._approvals.find(entry.call_id) is not None and entry.state == "waiting":
            self.action_decide("edit")
        else:
            text = json_text(entry.block.input)
            edit_arguments(self.app, entry.name, text, self._tools(), lambda arguments: self._run(entry, arguments))

    def action_again(self) -> None:
        """Run the call once more; the model is not told."""
        entry = self.current
        if entry is not None and entry.block is not None:
            self._run(entry, None)

    def _run(self, entry: CallEntry, arguments: JsonObject | None) -> None:
        tools = self._tools()
        if tools is None or entry.block is None:
            self.say("there are no tools in this conversation", "$warning")
            return
        self.run_worker(
            self._rerun(tools, entry, arguments), name="run", group="run", exit_on_error=False, description="run a tool"
        )

    async def _rerun(self, tools: ToolCatalog, entry: CallEntry, arguments: JsonObject | None) -> None:
        assert entry.block is not None
        try:
            record = await tools.run_again(entry.block, arguments)
        except ConfigurationError as error:
            self.say(str(error), "$error")
            return
        self.show()
        keys = [(other.record.number if other.record else -1) for other in self._entries]
        if record.number in keys:
            self._list.highlighted = keys.index(record.number)
        self.action_pane(PANES.index("result"))

    def action_form(self) -> None:
        """Show values as a tree or as text."""
        self._is_tree = not self._is_tree
        self._write()

    def action_compare(self) -> None:
        """Mark this call, or compare it with the one that is marked."""
        entry = self.current
        if entry is None:
            return
        if self._marked is None or self._marked.key == entry.key:
            self._marked = None if self._marked is not None else entry
            if self._marked is not None:
                self.say("marked as A; go to another call and press m")
            elif self._pane == COMPARE:
                self._pane = PANES[0]
        else:
            self._pane = COMPARE
        self._write()

    def action_copy(self) -> None:
        """Copy the call as JSON."""
        entry = self.current
        if entry is not None:
            self.say(self._send_copy(json_text(taken_away(entry)), "call as JSON"))

    def action_close(self) -> None:
        """Go back to the chat."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)
