"""The chat: top line, transcript, sidebar, prompt and keys, and what every action does."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from vllm_tui.ui.actions import SlashCommand, action_for_slash, bound_actions, read_prompt
from vllm_tui.ui.activity import outcome_of
from vllm_tui.ui.calls.approvals import Approvals
from vllm_tui.ui.dialogue import Dialogue
from vllm_tui.ui.draft_room import room_words
from vllm_tui.ui.launch import Backend, Launch
from vllm_tui.ui.screens.chat_actions import MODES
from vllm_tui.ui.screens.chat_calls import ChatCalls
from vllm_tui.ui.themes import THEME_NAMES
from vllm_tui.ui.transcript import messages
from vllm_tui.ui.transcript.view import TranscriptView
from vllm_tui.ui.turn_show import Stage, TurnShow
from vllm_tui.ui.vocabulary_watch import VocabularyWatch
from vllm_tui.ui.widgets.approval import ApprovalBar
from vllm_tui.ui.widgets.hintline import HintLine
from vllm_tui.ui.widgets.keyline import KeyLine, Where
from vllm_tui.ui.widgets.prompt import Prompt
from vllm_tui.ui.widgets.sidebar import Sidebar
from vllm_tui.ui.widgets.topline import Subject, TopLine, short_model

_TICK_SECONDS = 0.25
_FRAME_SECONDS = 0.05
"""By then the first frame is out; loading before would compete with it."""

_SIDEBAR_FROM, _SHORT_BELOW = 100, 16
_LEAST_WIDTH, _LEAST_HEIGHT = 40, 12
_ENDS = 9


class ChatScreen(ChatCalls):
    """The program's first and main screen."""

    DEFAULT_CSS = """
    ChatScreen {
        background: $background; color: $foreground; layers: base cover;
        #middle { height: 1fr; }
        #entry { height: auto; max-height: 8; padding: 0 0 0 1; }
        #mark { width: 2; height: 1; color: $accent; text-style: bold; }
        #cover { layer: cover; display: none; width: 100%; height: 100%; background: $background;
                 content-align: center middle; }
        &.-short TopLine { height: 1; border-bottom: none; }
        &.-tiny #cover { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(action.keys, action.name, action.title, show=False, priority=action.name in ("interrupt", "help"))
            for action in bound_actions()
        ),
        Binding("pageup", "scroll_transcript(-1)", show=False),
        Binding("pagedown", "scroll_transcript(1)", show=False),
        Binding("ctrl+home", "scroll_transcript(-9)", show=False),
        Binding("ctrl+end", "scroll_transcript(9)", show=False),
        Binding("question_mark", "help", show=False),
        Binding("tab", "next_field", show=False),
    ]
    AUTO_FOCUS = "#prompt"

    def __init__(self, launch: Launch, backend: Backend, clock: Callable[[], float]) -> None:
        super().__init__(launch, backend)
        self._clock = clock
        self._wants_sidebar = launch.sidebar
        self.is_begun = False
        self._draft_warning = ""

    def compose(self) -> ComposeResult:
        """Lay out the screen from top to bottom."""
        launch = self._launch
        yield TopLine(Subject(launch.server, launch.is_local, launch.model, launch.effort, launch.demo))
        with Horizontal(id="middle"):
            yield TranscriptView(rate=launch.rate, clock=self._clock, id="transcript")
            yield Sidebar()
        yield ApprovalBar()
        yield HintLine()
        with Horizontal(id="entry"):
            yield Static("❯ ", id="mark", markup=False)
            yield Prompt()
        yield KeyLine()
        yield Static(f"terminal too small: {_LEAST_WIDTH}×{_LEAST_HEIGHT} needed", id="cover", markup=False)

    def on_mount(self) -> None:
        """Take keys at once; everything slow begins after the first frame."""
        stage = Stage(self._view, self.query_one(TopLine), self.query_one(Sidebar), self.query_one(HintLine))
        prompt = self.query_one(Prompt)
        prompt.ask_about(short_model(self._launch.model))
        self._view.reasoning_mode = self._launch.reasoning_mode
        self.show = TurnShow(stage, self._rest, max_tokens=self._launch.max_tokens, clock=self._clock)
        self.show.on_call, self.show.on_begin = self.refresh_calls, self._turn_begins
        self.vocabulary = VocabularyWatch(self, self._backend, self.query_one(Sidebar).show_vocabulary)
        self.approvals = Approvals(self.show_waiting)
        self.dialogue = Dialogue(
            self, self._launch, self._backend, self.show, prompt, self.action_model, self.offer_server, self.approvals
        )
        self.ticker = self.set_interval(_TICK_SECONDS, self._tick, name="turn", pause=True)
        self.is_begun = True
        prompt.focus()
        self.call_after_refresh(self._host.take_early_keys)
        self.set_timer(_FRAME_SECONDS, self.dialogue.open)

    @on(Prompt.Submitted)
    def _take_prompt(self, event: Prompt.Submitted) -> None:
        self.say("")
        meaning = read_prompt(event.text)
        if isinstance(meaning, SlashCommand):
            if self._command(meaning):
                self._prompt.sent()
        elif self.dialogue.ask(meaning):
            self._prompt.sent()
            self._view.action_go_end()
        else:
            self.say("an answer is still running; your text stays here. Esc cancels the answer", "warning")

    @on(Prompt.Changed)
    def _judge_draft(self) -> None:
        """Warn before a text is sent that leaves no room."""
        used = self.show.context_used
        text = self._prompt.whole_text
        drops = self._backend.settings.value("truncation") == "auto"
        words = room_words(used, self.show.window, len(text), drops_turns=drops)
        if words != self._draft_warning:
            if words or self.query_one(HintLine).message == self._draft_warning:
                self.say(words, "warning")
            self._draft_warning = words

    def _command(self, command: SlashCommand) -> bool:
        action = action_for_slash(command.word)
        if action is None:
            self.say(f"unknown command /{command.word}; /help lists all, // sends a slash", "warning")
            return False
        if command.argument and not action.argument:
            self.say(f"/{command.word} takes no argument", "warning")
            return False
        if command.argument:
            return self._command_with(action.name, command.argument)
        self.call_later(self.run_action, action.name)
        return True

    def _command_with(self, name: str, argument: str) -> bool:
        """Run an action that was given its choice; return False (and say why) when there is no such choice."""
        names = {"effort": self.dialogue.effort_names(), "reasoning_mode": MODES, "theme": THEME_NAMES}.get(name)
        if names is not None and argument not in names:
            self.say(f"{argument} is none of {', '.join(names)}", "warning")
            return False
        match name:
            case "effort":
                self.dialogue.use_effort(None if argument == "default" else argument)
            case "reasoning_mode":
                self._use_mode(argument)
            case "theme":
                self.app.theme = argument
                self.dialogue.choices.remember("theme", argument)
            case "settings":
                self.show_settings(argument)
            case "profile":
                self._use_profile(argument)
            case "tool_choice":
                self.use_tool_choice(None if argument == "default" else argument)
            case _:
                self.dialogue.choose_model(argument)
                self.say(f"model {argument}")
        return True

    @on(messages.FollowChanged)
    def _show_badge(self, event: messages.FollowChanged) -> None:
        badge = "" if event.following else f"↓ {event.new_lines} new" if event.new_lines else "↓ more"
        self.query_one(HintLine).show_badge(badge)

    @on(HintLine.EndWanted)
    def _go_to_end(self) -> None:
        self._view.action_go_end()

    @on(messages.CopyRequested)
    def _copy(self, event: messages.CopyRequested) -> None:
        self.say(self._host.send_copy(event.text, event.what), "good")

    @on(messages.BlockChosen)
    def _show_block(self, event: messages.BlockChosen) -> None:
        block = self._view.document.block(event.block_id)
        if block is None:
            return
        match event.kind:
            case "footer":
                self.open_figures(self._view.document.turn_of(block))
            case "question":
                self.open_tokens(self._view.document.turn_of(block), "Prompt")
            case "tool_call":
                self.open_calls(block.tool.call_id or "" if block.tool else "")
            case "text" | "thinking":
                self.open_tokens(self._view.document.turn_of(block), "Answer")
            case _:
                self.say("there is nothing more to show of this block")

    @on(messages.CodeAsked)
    def _ask_for_number(self, event: messages.CodeAsked) -> None:
        self.say(f"which code block? 1 to {min(event.count, 9)}")

    @on(messages.LinkChosen)
    def _show_link(self, event: messages.LinkChosen) -> None:
        self.say(f"{self._host.send_copy(event.url, 'link')}: {event.url}")

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_moved(self) -> None:
        self._show_keys()

    def on_resize(self, event: events.Resize) -> None:
        """Leave out what has no room."""
        width, height = event.size
        self.set_class(width < _LEAST_WIDTH or height < _LEAST_HEIGHT, "-tiny")
        self.set_class(height < _SHORT_BELOW, "-short")
        self._place_sidebar(width)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what a worker could not handle itself, instead of ending the program."""
        if event.state == WorkerState.ERROR and event.worker.node is self:
            error = event.worker.error
            self._view.add_note("error", f"{event.worker.description} failed: {type(error).__name__}: {error}")
            self.show.rest(outcome_of("failed"))

    def _tick(self) -> None:
        self.show.tick()
        self.refresh_figures()
        self.refresh_calls()
        self.refresh_wire()

    def _turn_begins(self) -> None:
        self.ticker.resume()
        self._show_keys()

    def _rest(self) -> None:
        self.ticker.pause()
        self._show_keys()
        if self.dialogue.is_open:
            self.vocabulary.look(self.dialogue.model)
        self.refresh_figures()
        self.refresh_wire()

    def _show_keys(self) -> None:
        where: Where = "transcript" if self._view.has_focus else "busy" if self.show.is_running else "prompt"
        self.query_one(KeyLine).show(where)

    def _place_sidebar(self, width: int) -> None:
        self.query_one(Sidebar).display = self._wants_sidebar and width >= _SIDEBAR_FROM
        self.call_after_refresh(self.show.tick)

    def action_sidebar(self) -> None:
        """Show or hide the sidebar."""
        self.show_sidebar(not self._wants_sidebar)
        if self.size.width < _SIDEBAR_FROM:
            self.say(f"the sidebar needs {_SIDEBAR_FROM} columns; the figures are on this line")

    def show_sidebar(self, wanted: bool) -> None:
        """Show or hide the sidebar where there is room for it."""
        self._wants_sidebar = wanted
        self._place_sidebar(self.size.width)

    def action_scroll_transcript(self, pages: int) -> None:
        """Scroll the transcript by pages, from wherever the focus is; nine pages are all of them."""
        if pages >= _ENDS:
            self._view.action_go_end()
        elif pages <= -_ENDS:
            self._view.action_go_home()
        else:
            self._view.action_page(pages)
