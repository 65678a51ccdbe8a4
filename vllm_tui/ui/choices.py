"""Remembers for the next start what a person changed on the screen: theme and reasoning mode."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.worker import WorkerError

from vllm_tui.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.worker import Worker

    from vllm_tui.ui.launch import Backend
    from vllm_tui.ui.widgets.hintline import HintLine

SAVE_SECONDS = 6.0
"""How long leaving waits for a save; the lock of the file is given up before."""


class Choices:
    """Saves one change after the other in a thread; of several changes of one option the last is saved."""

    def __init__(self, screen: Screen[None], backend: Backend, hintline: HintLine) -> None:
        self._screen = screen
        self._backend = backend
        self._hintline = hintline
        self._waiting: dict[str, str] = {}
        self._worker: Worker[None] | None = None

    def remember(self, name: str, value: str) -> None:
        """Save option `name`; when that fails the person is told and the change holds until the end."""
        self._waiting[name] = value
        if self._worker is None or self._worker.is_finished:
            self._worker = self._screen.run_worker(
                self._save(), name="save", group="save", exit_on_error=False, description="remember the choice"
            )

    async def saved(self) -> None:
        """Wait until everything is saved, for some seconds at most."""
        if self._worker is not None:
            with suppress(WorkerError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._worker.wait()), SAVE_SECONDS)

    async def _save(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            value = self._waiting.pop(name)
            try:
                await asyncio.to_thread(self._backend.remember, name, value)
            except ConfigurationError as error:
                self._hintline.say(f"{name} holds for this session only: {error}", "warning")
