"""The footer: the keys that matter now."""

from __future__ import annotations

from typing import Literal

from textual.content import Content
from textual.style import Style

from vllm_tui.ui.widgets.line import Line

Where = Literal["prompt", "busy", "transcript"]

_KEYS: dict[Where, tuple[tuple[str, str, str], ...]] = {
    "prompt": (
        ("Enter", "send", ""),
        ("^J", "line", ""),
        ("^R", "effort", "effort"),
        ("^T", "thoughts", "thoughts"),
        ("^O", "model", "model"),
        ("^P", "commands", "palette"),
        ("Esc", "transcript", "cancel"),
        ("F1", "help", "help"),
    ),
    "busy": (
        ("Esc", "cancel", "cancel"),
        ("^J", "line", ""),
        ("^T", "thoughts", "thoughts"),
        ("^P", "commands", "palette"),
        ("F1", "help", "help"),
    ),
    "transcript": (
        ("↑↓", "block", ""),
        ("Enter", "fold", ""),
        ("y", "copy", ""),
        ("c", "copy code", ""),
        ("G", "end", ""),
        ("Esc", "prompt", "cancel"),
        ("^T", "thoughts", "thoughts"),
        ("F1", "help", "help"),
    ),
}


def key_line(where: Where, width: int) -> Content:
    """Return the keys that fit into `width` columns; those at the end are left out first, F1 never."""
    items = [_item(*key) for key in _KEYS[where]]
    last = items.pop()
    while items and sum(item.cell_length + 2 for item in items) + last.cell_length > width:
        items.pop()
    return Content("  ").join([*items, last])


def _item(key: str, label: str, action: str) -> Content:
    item = Content.assemble((key, "bold"), " ", (label, "$quiet"))
    return item.stylize(Style.from_meta({"@click": f"screen.{action}"})) if action else item


class KeyLine(Line):
    """Shows the keys for where the person is; most can be clicked."""

    DEFAULT_CSS = """
    KeyLine {
        padding: 0 1; link-style: none; link-color: $foreground; link-style-hover: underline;
        link-background-hover: transparent; link-color-hover: $accent;
    }
    """

    def __init__(self) -> None:
        super().__init__(id="keyline")
        self._where: Where = "prompt"

    def show(self, where: Where) -> None:
        """Show the keys for `where`."""
        self._where = where
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return the keys as they stand."""
        return key_line(self._where, width)
