"""The chat's actions that open another screen over it, and what is done with what comes back."""

from __future__ import annotations

from vllm_tui.ui.palette import palette_choices
from vllm_tui.ui.screens.chat_actions import ChatActions
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.themes import THEME_NAMES


class ChatViews(ChatActions):
    """The actions that show help, palette, lists and the other screens, each as `action_<name>` of the action table."""

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
