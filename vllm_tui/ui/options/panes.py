"""What stands around the rows of the settings screen: groups, help, and the two lines at the foot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from vllm_tui.settings.layers import Settings
from vllm_tui.settings.option import Option
from vllm_tui.settings.options import GROUPS
from vllm_tui.ui.activity import Tone
from vllm_tui.ui.content import line
from vllm_tui.ui.options.texts import LEGEND, checks_text, groups_text, help_text
from vllm_tui.ui.options.verdicts import Known, verdict
from vllm_tui.ui.widgets.line import Line

if TYPE_CHECKING:
    from vllm_tui.domain.checks import Check

_KEYS = (
    ("Enter", "change"),
    ("←→", "choice"),
    ("⌫", "reset"),
    ("/", "search"),
    ("t", "test"),
    ("p", "profile"),
    ("R", "reset all"),
    ("F10", "save"),
    ("Esc", "back"),
)
_TONES: dict[Tone, str] = {
    "calm": "$foreground",
    "busy": "$accent",
    "good": "$success",
    "warning": "$warning",
    "error": "$error",
}


class GroupList(Line):
    """Names the groups, marks the current one and counts the changes in each."""

    DEFAULT_CSS = "GroupList { width: 28; height: 1fr; padding: 0 1; border-right: solid $line; }"

    def __init__(self) -> None:
        super().__init__(id="groups")
        self._changes: Mapping[str, int] = {}
        self._current = ""

    def show(self, current: str, changes: Mapping[str, int]) -> None:
        """Show this group as the current one."""
        self._current, self._changes = current, changes
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return all rows."""
        return groups_text(GROUPS, self._changes, self._current, width)


class HelpPane(VerticalScroll, can_focus=False):
    """Tells everything about one option, and what a test of the server found."""

    DEFAULT_CSS = """
    HelpPane { width: 40; height: 1fr; padding: 0 1; border-left: solid $line; Static { height: auto; } }
    #checks { margin: 1 0 0 0; display: none; }
    #checks.-shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(id="help")
        self._about: Callable[..., Content] | None = None

    def compose(self) -> ComposeResult:
        """Show the help over the test."""
        yield Static(id="about", markup=False)
        yield Static(id="checks", markup=False)

    def show(self, option: Option, settings: Settings, known: Known) -> None:
        """Show the help of an option."""
        models = [info.id for info in known.models]
        judged = verdict(option.name, settings, known)
        self._about = partial(help_text, option, settings, judged, models=models)
        self._write()

    def on_resize(self) -> None:
        """Write the help anew, as its rows depend on the width."""
        self._write()

    def _write(self) -> None:
        about = self.query_one("#about", Static)
        if self._about is not None and about.size.width:
            about.update(self._about(width=about.size.width))

    def show_checks(self, checks: Sequence[Check], *, is_running: bool) -> None:
        """Show how far a test is."""
        found = self.query_one("#checks", Static)
        found.update(checks_text(checks, is_running=is_running))
        found.add_class("-shown")
        self.call_after_refresh(found.scroll_visible, animate=False)

    def hide_checks(self) -> None:
        """Show the help alone, from its beginning."""
        self.query_one("#checks", Static).remove_class("-shown")
        self.scroll_home(animate=False)


class Foot(Line):
    """One line for the legend or a message, one for the number of changes and the keys."""

    DEFAULT_CSS = "Foot { height: 3; padding: 0 1; border-top: solid $line; }"

    def __init__(self) -> None:
        super().__init__(id="foot")
        self._message = ""
        self._tone: Tone = "calm"
        self._changes = 0

    @property
    def message(self) -> str:
        """Return what is said now."""
        return self._message

    def say(self, message: str, tone: Tone = "calm") -> None:
        """Say something in the place of the legend; an empty message brings it back."""
        self._message, self._tone = message, tone
        self.refresh_line()

    def count(self, changes: int) -> None:
        """Show how many options are changed."""
        self._changes = changes
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return both lines."""
        first = line(self._message).stylize(_TONES[self._tone]) if self._message else Content.styled(LEGEND, "$quiet")
        parts = [Content.styled(f"•{self._changes} changed", "bold $accent")] if self._changes else []
        parts += [Content.assemble((key, "bold"), " ", (label, "$quiet")) for key, label in _KEYS]
        last = parts.pop()
        while parts and sum(part.cell_length + 2 for part in parts) + last.cell_length > width:
            parts.pop(-2 if len(parts) > 1 else -1)
        second = Content("  ").join([*parts, last])
        return Content("\n").join([first.truncate(width, ellipsis=True), second])
