"""The chat's actions that open another screen over it, and what is done with what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vllm_tui.domain.errors import AuthenticationFailed, ConfigurationError, VLLMError
from vllm_tui.settings.secrets import warnings_of
from vllm_tui.ui.launch import demo_launch, with_settings
from vllm_tui.ui.palette import palette_choices
from vllm_tui.ui.screens.chat_actions import ChatActions
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.themes import THEME_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm_tui.accounting.figures import TurnFigures
    from vllm_tui.accounting.token_view import TokenView
    from vllm_tui.domain.turns import Turn
    from vllm_tui.settings.layers import Settings
    from vllm_tui.ui.bench.state import Bench
    from vllm_tui.ui.screens.figures import FiguresScreen
    from vllm_tui.ui.screens.welcome import Welcome


class ChatViews(ChatActions):
    """The actions that show help, palette, lists and the other screens, each as `action_<name>` of the action table."""

    _figures: FiguresScreen | None = None
    _bench: Bench | None = None
    _clock: Callable[[], float]

    def action_help(self) -> None:
        """Show every key."""
        from vllm_tui.ui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen())

    def action_palette(self) -> None:
        """Offer every action."""
        picker = PickScreen("command …", palette_choices(self._launch.samples if self._launch.demo else ()))
        self.app.push_screen(picker, self._run_choice)

    def action_model(self) -> None:
        """Offer what the server serves."""
        models = self.dialogue.models
        if not models:
            self.say("no model is known yet; asking the server")
            self.dialogue.connect()
            return
        choices = [
            Choice(model.id, model.id, f"{model.context_window:,} tokens" if model.context_window else "")
            for model in models
        ]
        self.app.push_screen(PickScreen("model …", choices, current=self.dialogue.model), self._choose_model)

    def action_settings(self) -> None:
        """Show every option."""
        self.show_settings("")

    def show_settings(self, option: str) -> None:
        """Show every option, beginning with one."""
        from vllm_tui.ui.options.verdicts import Known
        from vllm_tui.ui.screens.settings import SettingsScreen

        talk = self.dialogue
        known = Known(talk.models, talk.model, talk.efforts, talk.refusals)
        self.app.push_screen(SettingsScreen(self._backend, known, option=option), self._use_settings)

    def action_profile(self) -> None:
        """Offer the servers of the file."""
        from vllm_tui.ui.screens.settings_work import profile_picker

        settings = self._backend.settings
        if settings.profiles:
            self.app.push_screen(profile_picker(settings), self._use_profile)
        else:
            self.say("the file holds no profiles; F4, F10, then n, saves the settings as one")

    def action_vocab(self) -> None:
        """Fetch the vocabulary for exact counts."""
        self.say(self.vocabulary.fetch(self.dialogue.model))

    def action_theme(self) -> None:
        """Offer the themes."""
        choices = [Choice(f"theme:{name}", name) for name in THEME_NAMES]
        self.app.push_screen(PickScreen("theme …", choices, current=f"theme:{self.app.theme}"), self._run_choice)

    def action_figures(self) -> None:
        """Show the figures of all turns."""
        self.open_figures()

    def open_figures(self, turn_id: str = "") -> None:
        """Show the figures of all turns and explain those of one."""
        from vllm_tui.ui.screens.figures import FiguresScreen

        if not isinstance(self.app.screen, FiguresScreen):
            self._figures = FiguresScreen(self._entries(), turn_id, self._host.send_copy)
            self.app.push_screen(self._figures, lambda _: self._forget_figures())

    def action_tokens(self) -> None:
        """Show the last turn token by token."""
        self.open_tokens("", "Prompt")

    def open_tokens(self, turn_id: str, side: Literal["Prompt", "Answer"]) -> None:
        """Show a turn token by token, the newest when it is not named."""
        from vllm_tui.ui.screens.tokens import TokensScreen

        turns = list(self.dialogue.turns)
        if not turns:
            self.say("there is no turn yet; ask something, then its tokens can be seen")
            return
        number = next((at for at, turn in enumerate(turns) if turn.id == turn_id), len(turns) - 1)

        async def read(number: int) -> TokenView:
            return await self._backend.token_view(turns, number)

        self.app.push_screen(TokensScreen(read, len(turns), number, self._host.send_copy, side))

    def action_toolbench(self) -> None:
        """Show the bench of tool calls, with what was measured before in this session."""
        from vllm_tui.ui.bench.state import Bench, bench_facts
        from vllm_tui.ui.screens.toolbench import ToolBenchScreen

        facts = bench_facts(self._launch, self._backend.tools, self.dialogue)
        self._bench = self._bench or Bench()
        self._bench.begin(facts)
        self.app.push_screen(ToolBenchScreen(self._bench, self._backend.bench_tools, self._host.send_copy, self._clock))

    def refresh_figures(self) -> None:
        """Bring the figures up to date while they are shown."""
        if self._figures is not None and self._figures.is_mounted:
            self._figures.show(self._entries())

    def _entries(self) -> list[tuple[Turn, TurnFigures]]:
        return [(turn, self.show.figures_of(turn)) for turn in self.dialogue.turns]

    def _forget_figures(self) -> None:
        self._figures = None

    def _choose_model(self, model: str | None) -> None:
        if model is not None:
            self.dialogue.choose_model(model)
            self.say(f"model {model}")

    def _run_choice(self, value: str | None) -> None:
        kind, _, name = (value or "").partition(":")
        if kind == "action":
            self.call_later(self.run_action, name)
        elif kind == "theme":
            self.app.theme = name
            self.dialogue.choices.remember("theme", name)
        elif kind == "sample":
            self._prompt.text = self._launch.samples[int(name)].prompt
            self._prompt.move_cursor(self._prompt.document.end)
            self._prompt.focus()

    def offer_server(self, error: VLLMError) -> bool:
        """Offer another server when the preferred one does not answer at the start; False when there is no other."""
        settings = self._backend.settings
        others = [profile for profile in settings.profiles if profile.name != settings.profile]
        if self._launch.first_run and not isinstance(error, ConfigurationError | AuthenticationFailed):
            from vllm_tui.ui.screens.welcome import WelcomeScreen

            self.app.push_screen(WelcomeScreen(self._backend), self._welcomed)
            return True
        if not others or self._launch.demo:
            return False
        from vllm_tui.ui.screens.settings_work import profile_picker

        self._view.add_note("error", str(error))
        note = f"{settings.profile} does not answer. Use the next one by priority?"
        self.app.push_screen(profile_picker(settings, note, current=others[0].name), self._use_profile)
        return True

    def _welcomed(self, choice: Welcome | None) -> None:
        if choice is None or choice.kind == "skip":
            self.say("no server yet; F4 sets base_url, or start with --base-url")
        elif choice.kind == "demo":
            self.dialogue.use_demo()
            self._launch = demo_launch(self._launch)
            self.say("the demo: answers are written in advance; F4 sets base_url for a real server")
        elif choice.settings is not None:
            self._use_settings(choice.settings)
            self.say(choice.note)

    def _use_profile(self, name: str | None) -> None:
        if name is None:
            return
        try:
            settings = self._backend.settings.with_profile(name)
        except ConfigurationError as error:
            self.say(str(error), "error")
            return
        self._use_settings(settings)
        self.say(f"profile {name}: {self._launch.server}")

    def _use_settings(self, settings: Settings | None) -> None:
        """Let settings hold; the screen follows at once, the server from the next question on."""
        if settings is None:
            return
        before, launch = self._launch, with_settings(self._launch, settings)
        if settings.document.text != self._backend.settings.document.text:
            self.say(f"saved to {settings.document.path}", "good")
        self._launch = launch
        self.dialogue.use_settings(settings)
        self.show.activity.max_tokens = launch.max_tokens
        self._view.rate = launch.rate
        if launch.reasoning_mode != before.reasoning_mode:
            self._view.reasoning_mode = launch.reasoning_mode
        if launch.theme != before.theme:
            self.app.theme = launch.theme
        if launch.sidebar != before.sidebar:
            self.show_sidebar(launch.sidebar)
        for warning in warnings_of(settings):
            self._view.add_note("warning", warning)
