"""What saving would change in the file, before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from vllm_tui.settings.layers import Settings
from vllm_tui.settings.saving import session_edits, shown_difference
from vllm_tui.ui.content import line

_STYLES = {"+": "$success", "-": "$error", "@": "$quiet", "~": "$warning"}
_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Review:
    """What would be written: file, profile, the difference (secrets masked) and what a person should know."""

    path: str
    profile: str | None
    difference: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewChoice:
    """What the person decided; `new_profile` names the profile to make, None saves where the values are from."""

    kind: Literal["save", "keep", "discard"]
    new_profile: str | None = None


def review_of(settings: Settings) -> Review:
    """Return what saving the session of `settings` would change."""
    document, edits = settings.document, session_edits(settings)
    notes = [_hidden_by(settings, edit.name) for edit in edits]
    if document.has_comments:
        notes.append(f"Comments in the file do not survive; it is kept as {document.path}.bak.")
    if document.path is None:
        notes.append("There is no file to save to; start with --config FILE.")
    return Review(
        str(document.path or "no file"),
        settings.profile,
        shown_difference(document, edits),
        tuple(dict.fromkeys(note for note in notes if note)),
    )


def _hidden_by(settings: Settings, name: str) -> str:
    entry = settings.entries["flag"].get(name) or settings.entries["environment"].get(name)
    return "" if entry is None else f"{name} is also set by {entry.origin.where}, which wins at the next start."


def difference_text(review: Review) -> Content:
    """Return the difference with added and removed lines coloured; their signs say the same."""
    rows = review.difference.splitlines()
    rows = [row for row in rows if not row.startswith(("---", "+++", "@@"))]
    if not rows:
        return Content.styled("Nothing in the file would change.", "$quiet")
    return Content("\n").join(Content(line(row).plain).stylize(_STYLES.get(row[:1], "$quiet")) for row in rows)


class ReviewScreen(ModalScreen[ReviewChoice | None]):
    """Asks what to do with the changes; returns None to go on with them."""

    DEFAULT_CSS = """
    ReviewScreen {
        align: center top; background: $background 50%;
        #review { width: 84; max-width: 100%; height: auto; max-height: 100%; margin: 2 1; background: $panel;
                  padding: 1 2; }
        Static { height: auto; }
        #where { color: $quiet; }
        #lines { height: auto; max-height: 18; margin: 1 0; }
        #notes { color: $warning; }
        Input, Input:focus { border: none; height: 1; padding: 0; background: $background; display: none; }
        &.-naming Input { display: block; }
        #keys { margin: 1 0 0 0; }
    }
    ReviewScreen:ansi { background: ansi_default; #review { border: round $line; padding: 0 1; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "back", show=False, priority=True),
        Binding("s,enter,f10", "choose('save')", show=False),
        Binding("k", "choose('keep')", show=False),
        Binding("d", "choose('discard')", show=False),
        Binding("n", "name", show=False),
    ]
    AUTO_FOCUS = "#lines"

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review

    def compose(self) -> ComposeResult:
        """Show where, what, and the choices."""
        review = self._review
        profile = (
            Content.assemble(", profile ", (line(review.profile).plain, "bold")) if review.profile else Content("")
        )
        with Vertical(id="review"):
            yield Static(Content.assemble(("Save to ", "bold"), line(review.path), profile), id="where", markup=False)
            with VerticalScroll(id="lines"):
                yield Static(difference_text(review), markup=False)
            if review.notes:
                yield Static(Content("\n").join(line("! " + note) for note in review.notes), id="notes", markup=False)
            name = Input(placeholder="name of the new profile; Enter saves, Esc back", select_on_focus=False)
            name.cursor_blink = False
            yield name
            yield Static(_keys(), id="keys", markup=False)

    @on(Input.Submitted)
    def _save_as(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        if name:
            self._end(ReviewChoice("save", name))

    def action_name(self) -> None:
        """Ask for the name of a new profile."""
        self.add_class("-naming")
        self.query_one(Input).focus()

    def action_choose(self, kind: Literal["save", "keep", "discard"]) -> None:
        """End with a decision."""
        self._end(ReviewChoice(kind))

    def action_back(self) -> None:
        """Leave the name, or go on with the changes."""
        if self.has_class("-naming"):
            self.remove_class("-naming")
            self.query_one("#lines").focus()
        else:
            self._end(None)

    def _end(self, choice: ReviewChoice | None) -> None:
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(choice)


def _keys() -> Content:
    keys = (("Enter", "save"), ("n", "new profile"), ("k", "only this session"), ("d", "discard"), ("Esc", "back"))
    return Content("   ").join(Content.assemble((key, "bold"), " ", (label, "$quiet")) for key, label in keys)
