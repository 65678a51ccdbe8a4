"""The chat's actions that open another screen over it, and what is done with what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_tui.ui.palette import palette_choices
from vllm_tui.ui.screens.chat_actions import ChatActions
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.themes import THEME_NAMES

if TYPE_CHECKING:
    from vllm_tui.accounting.figures import TurnFigures
    from vllm_tui.domain.turns import Turn
    from vllm_tui.ui.screens.figures import FiguresScreen


class ChatViews(ChatActions):
    """The actions that show help, palette, lists and the other screens, each as `action_<name>` of the action table."""

    _figures: FiguresScreen | None = None

    def action_help(self) -> None:
        """Show every key."""
        from vllm_tui.ui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen())

    def action_palette(self) -> None:
        """Offer every action."""
        picker = PickScreen("command …", palette_choices(self._launch.samples))
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
            self.dialogue.use_model(model)
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
