"""Keys that terminals send and the toolkit does not name: Alt+Enter without the newer keyboard protocol."""

from __future__ import annotations

from typing import cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.keys import Keys

NEWLINE_KEYS = frozenset(
    {"ctrl+j", "alt+enter", "shift+enter", "ctrl+enter", "newline", "shift+\r", "alt+\r", "ctrl+\r"}
)
"""Names of every key that makes a new line; those with a raw return come from xterm's modifyOtherKeys."""


def name_alt_enter() -> None:
    """Make ESC followed by a return mean a new line; the toolkit would take the return alone, which sends."""
    names = cast("dict[str, tuple[Keys, ...]]", ANSI_SEQUENCES_KEYS)
    for sequence in ("\x1b\r", "\x1b\n"):
        names.setdefault(sequence, (Keys.ControlJ,))
