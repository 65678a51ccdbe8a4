"""How the vocabulary for exact counts stands, shown while it changes."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer

from vllm_tui.ui.launch import Backend

_LOOK_SECONDS = 0.5


class VocabularyWatch:
    """Asks the backend how the vocabulary stands and hands it to `show`; looks again only while it changes."""

    def __init__(self, screen: Screen[None], backend: Backend, show: Callable[[str], None]) -> None:
        self._screen = screen
        self._backend = backend
        self._show = show
        self._timer: Timer | None = None

    def look(self, model: str) -> None:
        """Show how it stands for `model`."""
        stand = self._backend.vocabulary_for(model)
        self._show(stand.words)
        if stand.is_changing and self._timer is None:
            self._timer = self._screen.set_interval(_LOOK_SECONDS, lambda: self.look(model), name="vocabulary")
        elif not stand.is_changing and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def fetch(self, model: str) -> str:
        """Allow the download and return what to say about it."""
        said = self._backend.fetch_vocabulary(model)
        self.look(model)
        return said
