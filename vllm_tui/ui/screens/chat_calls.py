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

    def action_tools(self) -> None:
        """Show the tools of the conversation."""
        from vllm_tui.ui.screens.tools import ToolsScreen

        if not isinstance(self.app.screen, ToolsScreen):
            screen = ToolsScreen(self._backend, self._host.send_copy, self.use_tool_choice)
            self.app.push_screen(screen, lambda wish: self.open_calls() if wish == "calls" else None)

    def action_tool_choice(self) -> None:
        """Offer whether the model has to call a tool."""
        from vllm_tui.ui.screens.tools import tool_choice_picker

        def chosen(value: str | None) -> None:
            if value is not None:
                self.use_tool_choice(None if value == "default" else value)

        self.app.push_screen(tool_choice_picker(self._backend), chosen)

    def use_tool_choice(self, choice: str | None) -> None:
        """Ask with this tool choice from the next question on, as a setting of this session."""
        tools = self._backend.tools
        names = {entry.name for entry in tools.listings} if tools is not None else set()
        if choice is not None and choice not in {"auto", "none", "required", *names}:
            self.say(f"{choice} is none of default, auto, none, required and the tools: {', '.join(names)}", "warning")
            return
        self._backend.use_settings(self._backend.settings.chosen("tool_choice", choice))
        self.say(f"tool choice {choice or 'default'}, for the first request of every turn")

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
