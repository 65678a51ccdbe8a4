"""The one place where text becomes something a widget shows: cleaned, and never read as markup."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.content import Content

from vllm_tui.domain.hygiene import clean, clean_line


def shown(text: str) -> str:
    """Return `text` as it may be shown, over several lines."""
    return clean(text)


def shown_line(text: str) -> str:
    """Return `text` as it may be shown on one line."""
    return clean_line(text)


def plain(text: str) -> Content:
    """Return `text` as widget content, over several lines."""
    return Content(clean(text))


def line(text: str) -> Content:
    """Return `text` as widget content on one line."""
    return Content(clean_line(text))


def segment(text: str, style: Style) -> Segment:
    """Return a piece of a drawn row; line breaks and tabs left in it become spaces."""
    return Segment(clean_line(text), style)
