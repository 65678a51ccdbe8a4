"""The styles a transcript is drawn with, taken from the theme by component classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from rich.style import Style

PREFIX = "transcript--"

CSS = """
Canvas {
    height: 1fr;
    overflow-x: hidden;
    overflow-y: auto;
    scrollbar-gutter: stable;
    scrollbar-size-vertical: 1;
    background: $background;
    color: $foreground;

    & > .transcript--quiet { color: $quiet; }
    & > .transcript--line { color: $line; }
    & > .transcript--question { color: $foreground; text-style: bold; }
    & > .transcript--mark { color: $accent; text-style: bold; }
    & > .transcript--thinking { color: $quiet; }
    & > .transcript--heading { color: $accent; text-style: bold; }
    & > .transcript--code { color: $accent; background: $panel; }
    & > .transcript--fence { color: $foreground; background: $panel; }
    & > .transcript--label { color: $quiet; background: $panel; }
    & > .transcript--link { color: $primary; text-style: underline; }
    & > .transcript--good { color: $success; }
    & > .transcript--warning { color: $warning; }
    & > .transcript--error { color: $error; }
    & > .transcript--cursor { color: $accent; }
    & > .transcript--keyword { color: $primary; background: $panel; text-style: bold; }
    & > .transcript--string { color: $success; background: $panel; }
    & > .transcript--number { color: $warning; background: $panel; }
    & > .transcript--comment { color: $quiet; background: $panel; text-style: italic; }
    & > .transcript--name { color: $accent; background: $panel; }
    & > .transcript--wrong { color: $error; background: $panel; }
}
"""


@dataclass(frozen=True, slots=True)
class Ink:
    """One Rich style for each thing that is drawn; named as the component classes."""

    text: Style
    quiet: Style
    line: Style
    question: Style
    mark: Style
    thinking: Style
    heading: Style
    code: Style
    fence: Style
    label: Style
    link: Style
    good: Style
    warning: Style
    error: Style
    cursor: Style
    keyword: Style
    string: Style
    number: Style
    comment: Style
    name: Style
    wrong: Style


COMPONENTS = {PREFIX + item.name for item in fields(Ink) if item.name != "text"}


def build_ink(base: Style, component: Callable[[str], Style]) -> Ink:
    """Return the ink of a theme; `component` gives the style of a component class."""
    return Ink(text=base, **{item.name: component(PREFIX + item.name) for item in fields(Ink) if item.name != "text"})


PLAIN = Ink(**{item.name: Style() for item in fields(Ink)})
"""No colours at all; what there is before a theme."""
STRONG, EMPHASIS, STRUCK = Style(bold=True), Style(italic=True), Style(strike=True)
UNDERLINED = Style(underline=True)
