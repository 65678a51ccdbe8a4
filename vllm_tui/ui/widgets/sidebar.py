"""The sidebar: what this turn and the conversation cost, each figure with its source."""

from __future__ import annotations

from textual.content import Content

from vllm_tui.accounting.figures import ConversationFigures, TurnFigures
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.sidebar_text import sidebar
from vllm_tui.ui.widgets.line import Line


class Sidebar(Line):
    """Shows the figures it is given and nothing else."""

    DEFAULT_CSS = "Sidebar { width: 36; height: 1fr; padding: 0 1; border-left: solid $line; color: $foreground; }"

    def __init__(self) -> None:
        super().__init__(id="sidebar")
        self._turn = TurnFigures()
        self._conversation = ConversationFigures()
        self._vocabulary = ""

    def show(self, turn: TurnFigures, conversation: ConversationFigures) -> None:
        """Show these figures."""
        self._turn, self._conversation = turn, conversation
        self.refresh_line()

    def show_vocabulary(self, text: str) -> None:
        """Say how the vocabulary stands, such as `vocabulary: downloading 42 %`; empty says nothing."""
        self._vocabulary = shown_line(text)
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return the rows there is room for."""
        return sidebar(self._turn, self._conversation, width, self.size.height, self._vocabulary)
