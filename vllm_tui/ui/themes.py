"""The program's own themes: dark, light, and `terminal`, which uses the terminal's sixteen colours."""

from __future__ import annotations

from textual.theme import Theme

DEFAULT_THEME = "dark"
THEME_NAMES = ("dark", "light", "terminal")

_DARK = Theme(
    name="dark",
    primary="#7cb7ff",
    secondary="#9aa5b1",
    accent="#7cb7ff",
    warning="#e5b567",
    error="#f07178",
    success="#8fc98f",
    foreground="#d7dce2",
    background="#14171b",
    surface="#14171b",
    panel="#1d2127",
    boost="#1d2127",
    dark=True,
    variables={
        "quiet": "#8a939e",
        "line": "#333a43",
        "input-cursor-background": "#d7dce2",
        "input-cursor-foreground": "#14171b",
        "input-selection-background": "#2f4a6b",
        "screen-selection-background": "#2f4a6b",
        "scrollbar": "#333a43",
        "scrollbar-hover": "#4a535e",
        "scrollbar-active": "#7cb7ff",
        "scrollbar-background": "#14171b",
        "scrollbar-background-hover": "#14171b",
        "scrollbar-background-active": "#14171b",
        "scrollbar-corner-color": "#14171b",
    },
)

_LIGHT = Theme(
    name="light",
    primary="#0b5cad",
    secondary="#5a6470",
    accent="#0b5cad",
    warning="#8a5a00",
    error="#b3261e",
    success="#2a6b2f",
    foreground="#1f242a",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#efeeea",
    boost="#efeeea",
    dark=False,
    variables={
        "quiet": "#5f6873",
        "line": "#c9ccd0",
        "input-cursor-background": "#1f242a",
        "input-cursor-foreground": "#fbfbf9",
        "input-selection-background": "#bcd7f5",
        "screen-selection-background": "#bcd7f5",
        "scrollbar": "#c9ccd0",
        "scrollbar-hover": "#a9adb3",
        "scrollbar-active": "#0b5cad",
        "scrollbar-background": "#fbfbf9",
        "scrollbar-background-hover": "#fbfbf9",
        "scrollbar-background-active": "#fbfbf9",
        "scrollbar-corner-color": "#fbfbf9",
    },
)

_TERMINAL = Theme(
    name="terminal",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_default",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "quiet": "ansi_bright_black",
        "line": "ansi_bright_black",
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_cyan",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_cyan",
        "screen-selection-foreground": "ansi_black",
        "scrollbar": "ansi_bright_black",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
    },
)

THEMES: tuple[Theme, ...] = (_DARK, _LIGHT, _TERMINAL)
"""Every theme sets `quiet` (secondary text) and `line` (rules) besides Textual's own names."""


def theme_named(name: str, *, no_color: bool) -> str:
    """Return the theme to start with: `name` when it is ours, `terminal` when colour is not wanted (NO_COLOR)."""
    if no_color:
        return "terminal"
    return name if name in THEME_NAMES else DEFAULT_THEME
