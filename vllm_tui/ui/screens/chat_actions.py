"""What the chat's actions and slash commands do."""

from __future__ import annotations

from time import monotonic
from typing import Literal, Protocol, cast

from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from vllm_tui.ui.activity import Tone
from vllm_tui.ui.calls.approvals import Approvals
from vllm_tui.ui.dialogue import Dialogue
from vllm_tui.ui.launch import Backend, Launch
from vllm_tui.ui.transcript.view import TranscriptView
from vllm_tui.ui.turn_show import TurnShow
from vllm_tui.ui.vocabulary_watch import VocabularyWatch
from vllm_tui.ui.widgets.hintline import HintLine
from vllm_tui.ui.widgets.prompt import Prompt

QUIT_SECONDS = 1.5
"""A second Ctrl+C within this time quits."""

MODES: tuple[Literal["show", "collapse", "hide"], ...] = ("show", "collapse", "hide")
_QUIT_HINT = "Ctrl+C again quits"


class Host(Protocol):
    """What the chat needs of the app around it."""

    async def leave(self) -> None:
        """Save, close and end the program."""
        ...

    async def take_early_keys(self) -> None:
        """Hand over the keys that were typed before the prompt was there."""
        ...

    def send_copy(self, text: str, what: str) -> str:
        """Send `text` to the person's clipboard; return what to say about it."""
        ...


class ChatActions(Screen[None]):
    """The actions of the chat screen, each as `action_<name>` of the action table."""

    ticker: Timer

    approvals: Approvals
    dialogue: Dialogue
    vocabulary: VocabularyWatch
    show: TurnShow

    def __init__(self, launch: Launch, backend: Backend) -> None:
        super().__init__()
        self._launch = launch
        self._backend = backend
        self._asked_to_quit = -QUIT_SECONDS

    @property
    def _view(self) -> TranscriptView:
        return self.query_one(TranscriptView)

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)

    @property
    def _host(self) -> Host:
        return cast(Host, self.app)

    def say(self, message: str, tone: Tone = "calm") -> None:
        """Say something on the line above the prompt."""
        self.query_one(HintLine).say(message, tone)

    def show_sidebar(self, wanted: bool) -> None:
        """Show or hide the sidebar where there is room for it."""
        raise NotImplementedError

    def _use_mode(self, mode: str) -> None:
        self._view.reasoning_mode = cast("Literal['show', 'collapse', 'hide']", mode)
        self.say(f"reasoning: {mode}")
        self.dialogue.choices.remember("reasoning_display", mode)

    def action_cancel(self) -> None:
        """Stop the running answer; else change between prompt and transcript."""
        if self.dialogue.cancel():
            return
        target: Widget = self._view if self._prompt.has_focus else self._prompt
        target.focus()

    def action_interrupt(self) -> None:
        """Do the least of: cancel, copy what is selected, clear the prompt, warn, quit."""
        selected = self.get_selected_text()
        if self.dialogue.cancel():
            self.say("cancelled; what came is kept")
        elif selected:
            self.say(self._host.send_copy(selected, "selection"), "good")
            self.clear_selection()
        elif self._prompt.text:
            self._prompt.keep_and_clear()
            self.say("cleared; ↑ brings it back")
        elif monotonic() - self._asked_to_quit < QUIT_SECONDS:
            self.action_quit()
        else:
            self._asked_to_quit = monotonic()
            self.say(_QUIT_HINT)
            self.set_timer(QUIT_SECONDS, self._forget_quit)

    def _forget_quit(self) -> None:
        if self.query_one(HintLine).message == _QUIT_HINT:
            self.say("")

    def action_quit(self) -> None:
        """Save and end the program."""
        self.app.run_worker(
            self._host.leave(), name="leave", group="leave", exclusive=True, exit_on_error=False, description="leave"
        )

    def action_effort(self) -> None:
        """Ask with the next reasoning effort."""
        self.dialogue.use_effort(self.dialogue.efforts.after(self.dialogue.model, self.dialogue.effort))

    def action_thoughts(self) -> None:
        """Fold or unfold all reasoning."""
        self._view.toggle_all_reasoning()

    def action_reasoning_mode(self) -> None:
        """Go to the next of show, collapse and hide."""
        self._use_mode(MODES[(MODES.index(self._view.reasoning_mode) + 1) % len(MODES)])

    def action_new(self) -> None:
        """Begin a new conversation."""
        if self.show.is_running:
            self.say("an answer is still running; Esc cancels it", "warning")
        else:
            self.dialogue.new()

    def action_again(self) -> None:
        """Answer the last question again."""
        self._started(self.dialogue.again(), "there is nothing to answer again now")

    def action_go_on(self) -> None:
        """Continue an answer that was cut."""
        self._started(self.dialogue.go_on(), "there is no cut answer to continue now")

    def action_copy_answer(self) -> None:
        """Copy the last answer."""
        answer = self.dialogue.last_answer()
        if answer:
            self.say(self._host.send_copy(answer, "answer"), "good")
        else:
            self.say("there is no answer to copy yet")

    def action_connect(self) -> None:
        """Ask the server what it serves."""
        self.say("asking the server what it serves")
        self.dialogue.connect()

    def _started(self, is_started: bool, otherwise: str) -> None:
        if is_started:
            self._view.action_go_end()
        else:
            self.say(otherwise, "warning")
