"""The app: themes, the terminal around it, and how it ends."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from textual import events
from textual.app import App
from textual.screen import Screen

from vllm_tui.ui.clipboard import FILE_NAME, MAX_BYTES, fits_terminal, keep_copy, osc52
from vllm_tui.ui.launch import Backend, Launch
from vllm_tui.ui.screens.chat import ChatScreen
from vllm_tui.ui.signals import end_for_certain, watch_signals, watch_terminal
from vllm_tui.ui.terminal_keys import name_alt_enter
from vllm_tui.ui.themes import THEMES, theme_named

REPORT_NAME = "crash.txt"


class ChatApp(App[int]):
    """vllm-tui on a terminal. Keys typed before the prompt is there are kept for it. `clock` never goes back."""

    TITLE = "vllm-tui"
    ENABLE_COMMAND_PALETTE = False
    CSS = "* { scrollbar-size-vertical: 1; }"

    def __init__(self, launch: Launch, backend: Backend, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        name_alt_enter()
        self._launch = launch
        self._chat = ChatScreen(launch, backend, clock)
        self._early: list[events.Event] = []
        self._is_ready = False
        self._is_leaving = False
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_named(launch.theme, no_color=self.no_color)

    @property
    def was_used(self) -> bool:
        """Return whether there is a conversation to come back to."""
        return self._chat.is_begun and self._chat.dialogue.was_used

    def get_default_screen(self) -> Screen[None]:
        """Return the chat, so that the first frame shows it at once."""
        return self._chat

    def on_mount(self) -> None:
        """Listen for the end of the terminal."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            watch_signals(loop, self.end_by_signal)
            watch_terminal(loop, self.end_by_signal)

    async def on_event(self, event: events.Event) -> None:
        """Keep keys and pastes until the prompt can take them."""
        if not self._is_ready and isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._early.append(event)
            return
        await super().on_event(event)

    async def take_early_keys(self) -> None:
        """Hand the keys that came before the prompt to it, in order."""
        while self._early:
            await super().on_event(self._early.pop(0))
        self._is_ready = True

    def copy_to_clipboard(self, text: str) -> None:
        """Send `text` to the terminal's clipboard."""
        self._clipboard = text
        if self._driver is not None and fits_terminal(text):
            self._driver.write(osc52(text))

    def send_copy(self, text: str, what: str) -> str:
        """Send `text` to the terminal and keep it in a file; return what to say about it."""
        self.copy_to_clipboard(text)
        try:
            path = str(keep_copy(self._launch.data_folder, text))
        except OSError as error:
            path = ""
            kept = f"not kept in a file: {error.strerror}"
        else:
            kept = f"also in {FILE_NAME}"
        if fits_terminal(text):
            return f"{what} sent to your terminal (OSC 52), {kept}"
        return f"{what} is over {MAX_BYTES // 1000} kB, too long for a terminal; {f'it is in {path}' if path else kept}"

    async def action_quit(self) -> None:
        """Save and end the program."""
        await self.leave()

    def end_by_signal(self, number: int) -> None:
        """Save and end the program because of signal `number`."""
        end_for_certain(number)
        self.run_worker(
            self.leave(128 + number), name="leave", group="leave", exit_on_error=False, description="save and leave"
        )

    async def leave(self, code: int = 0) -> None:
        """Save, close and end the program with `code`; later calls do nothing."""
        if self._is_leaving:
            return
        self._is_leaving = True
        if self._chat.is_begun:
            await self._chat.dialogue.close()
        self.exit(code, return_code=code)

    def _fatal_error(self) -> None:
        """Write a report and say where it is: a traceback with values could show prompts and keys."""
        report = traceback.format_exc()
        name = type(sys.exc_info()[1]).__name__
        try:
            place = f"Report: {keep_report(self._launch.data_folder, report)}"
        except OSError as error:
            place = f"No report could be written: {error.strerror}"
        self._exit_renderables.append(f"vllm-tui stopped by a fault of its own ({name}). {place}")
        self._close_messages_no_wait()


def keep_report(folder: Path, report: str) -> Path:
    """Write a crash report readable by its owner alone. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / REPORT_NAME
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(report)
    return path


def why_no_terminal() -> str | None:
    """Return why the screen can't be shown here, with the next step; None when it can."""
    for name, stream in (("input", sys.__stdin__), ("error output", sys.__stderr__)):
        if stream is None or not stream.isatty():
            return f'Standard {name} is not a terminal. For scripts and pipes use: vllm-tui ask "..."'
    if os.environ.get("TERM", "") in ("", "dumb"):
        return 'This terminal can\'t show screens (TERM is empty or dumb). Use: vllm-tui ask "..."'
    return None
