"""The top line: what is talked to on the left, what the program does now on the right."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.cells import cell_len
from textual.content import Content

from vllm_tui.ui.activity import READY, Status, Tone
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.launch import Launch
from vllm_tui.ui.widgets.line import Line

_TONES: dict[Tone, str] = {
    "calm": "$quiet",
    "busy": "bold $accent",
    "good": "$success",
    "warning": "bold $warning",
    "error": "bold $error",
}
_SLIM = 60


@dataclass(frozen=True, slots=True)
class Subject:
    """What is talked to; `effort` None means not sent."""

    server: str
    is_local: bool
    model: str
    effort: str | None = None
    demo: bool = False


def short_model(name: str) -> str:
    """Return the last part of a model's name: `gpt-oss-20b` for `openai/gpt-oss-20b`."""
    return name.rstrip("/").rsplit("/", 1)[-1]


def top_line(subject: Subject, status: Status, width: int) -> Content:
    """Return the line for `width` columns; what matters least is left out first, the state never."""
    state = Content.styled(shown_line(status.text), _TONES[status.tone]).truncate(max(width - 12, 8), ellipsis=True)
    demo: list[str | tuple[str, str]] = [("DEMO", "bold reverse $warning"), " "] if subject.demo else []
    model = shown_line(subject.model) or "no model"
    place = f"{shown_line(subject.server)} {'local' if subject.is_local else '⇄ remote'}"
    effort = f"effort {subject.effort or 'default'}"
    name = ("vllm-tui", "bold")
    dot = (" · ", "$quiet")
    short = (short_model(model), "bold" if width < _SLIM else "")
    candidates = [
        Content.assemble(*demo, name, "  ", place, dot, model, dot, effort),
        Content.assemble(*demo, name, "  ", place, dot, short, dot, effort),
        Content.assemble(*demo, place, dot, short, dot, effort),
        Content.assemble(*demo, short, dot, effort),
        Content.assemble(*demo, short),
    ]
    room = width - state.cell_length - 2
    left = next((line for line in candidates if line.cell_length <= room), candidates[-1])
    if width < _SLIM:
        left = candidates[-1]
    left = left.truncate(max(room, 4), ellipsis=True)
    gap = max(width - cell_len(left.plain) - state.cell_length, 1)
    return Content.assemble(left, " " * gap, state)


class TopLine(Line):
    """Shows a subject and a status."""

    DEFAULT_CSS = "TopLine { height: 2; padding: 0 1; border-bottom: solid $line; }"

    def __init__(self, subject: Subject) -> None:
        super().__init__(id="topline")
        self.subject = subject
        self.status = READY

    def show(self, status: Status) -> None:
        """Say what the program does now."""
        self.status = status
        self.refresh_line()

    def follow(self, launch: Launch, model: str) -> None:
        """Name another server, as `launch` has it, with `model` on it."""
        self.subject = Subject(launch.server, launch.is_local, model, launch.effort, launch.demo)
        self.refresh_line()

    def change(self, *, model: str | None = None) -> None:
        """Name another model."""
        if model is not None:
            self.subject = replace(self.subject, model=model)
        self.refresh_line()

    def show_effort(self, effort: str | None) -> None:
        """Name another effort; None means it is not sent."""
        self.subject = replace(self.subject, effort=effort)
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return the line as it stands."""
        return top_line(self.subject, self.status, width)
