"""What the chat does about tool calls: those that wait for the person, and the screens about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from vllm_tui.ui.screens.chat_views import ChatViews
from vllm_tui.ui.widgets.approval import ApprovalBar

if TYPE_CHECKING:
    from vllm_tui.ui.calls.entries import CallEntry
    from vllm_tui.ui.screens.calls import CallsScreen
    from vllm_tui.ui.screens.wire import WireScreen


class ChatCalls(ChatViews):
    """The actions about tool calls."""

    _calls: CallsScreen | None = None
    _wire: WireScreen | None = None

    def show_waiting(self) -> None:
        """Show which calls wait for the person."""
        waiting, bar = self.approvals.waiting, self.query_one(ApprovalBar)
        had_focus = bar.has_focus
        bar.show(waiting)
        if had_focus and not waiting:
            self._prompt.focus()
        self.show.asking([entry.request.call for entry in waiting])
        self.refresh_calls()

    @on(ApprovalBar.Decided)
    def _decide(self, event: ApprovalBar.Decided) -> None:
        from vllm_tui.ui.calls.deciding import decide

        self.say(decide(self.app, event.entry, event.way, self._backend.tools), "warning")

    @on(ApprovalBar.Inspect)
    def _inspect(self, event: ApprovalBar.Inspect) -> None:
        self.open_calls(event.call_id)

    def action_next_field(self) -> None:
        """Go to the next place for keys; from the prompt to a call that waits."""
        if self._prompt.has_focus and self.approvals.waiting:
            self.query_one(ApprovalBar).focus()
        else:
            self.focus_next()

    def action_calls(self) -> None:
        """Show the tool calls of the conversation."""
        self.open_calls()

    def open_calls(self, call_id: str = "") -> None:
        """Show the tool calls of the conversation, beginning with one."""
        from vllm_tui.ui.screens.calls import CallsScreen

        if not isinstance(self.app.screen, CallsScreen):
            self._calls = CallsScreen(
                self._call_entries, lambda: self._backend.tools, self.approvals, self._host.send_copy, call_id
            )
            self.app.push_screen(self._calls, lambda _: self._forget_calls())

    def refresh_calls(self) -> None:
        """Bring the calls up to date while they are shown."""
        if self._calls is not None and self._calls.is_mounted:
            self._calls.show()

    def _call_entries(self) -> tuple[CallEntry, ...]:
        from vllm_tui.ui.calls.entries import entries_of

        tools = self._backend.tools
        return entries_of(self.dialogue.turns, tools.records if tools else (), self.show.journal)

    def _forget_calls(self) -> None:
        self._calls = None

    def action_wire(self) -> None:
        """Show what crossed the wire."""
        from vllm_tui.ui.screens.wire import WireScreen

        wire = self._backend.wire
        if wire is None:
            self.say("the program is still starting; try again in a moment")
        elif not isinstance(self.app.screen, WireScreen):
            efforts = [name for name in self.dialogue.effort_names() if name != "default"]
            folder, settings = self._launch.data_folder, lambda: self._backend.settings
            self._wire = WireScreen(wire, self._question_of, self._host.send_copy, folder, settings, efforts)
            self.app.push_screen(self._wire, lambda _: self._forget_wire())

    def refresh_wire(self) -> None:
        """Bring the wire up to date while it is shown."""
        if self._wire is not None and self._wire.is_mounted:
            self._wire.show()

    def _question_of(self, turn_id: str) -> str:
        return next((turn.question.text.split("\n")[0] for turn in self.dialogue.turns if turn.id == turn_id), "")

    def _forget_wire(self) -> None:
        self._wire = None
