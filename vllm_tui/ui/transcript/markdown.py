"""Markdown as lines. HTML is text, pictures are links that nobody fetches, every link shows where it leads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.style import Style

from vllm_tui.ui.content import shown, shown_line
from vllm_tui.ui.transcript.code import code_lines, header_line
from vllm_tui.ui.transcript.ink import EMPHASIS, STRONG, STRUCK, UNDERLINED, Ink
from vllm_tui.ui.transcript.rows import Line, Span, indent, wrap
from vllm_tui.ui.transcript.tables import Table, table_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

PROSE_WIDTH = 110
"""Cells after which prose is wrapped even when there is more room; code and tables use all of it."""
_LEAST_WIDTH = 12
_DEPTH = 100
_BULLETS = "•◦▪"
_ADDRESS = re.compile(r"https?://[^\s<>\"'`|]+[^\s<>\"'`|.,;:!?)\]}*_]")
_LOOKS = {"strong": STRONG, "em": EMPHASIS, "s": STRUCK}
_TASKS = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """Return the one parser; importing it takes 40 ms, so it is made when first needed."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "maxNesting": _DEPTH}).enable(["table", "strikethrough"])


def parse(source: str, references: Mapping[str, Mapping[str, str]] | None = None) -> list[Token]:
    """Return the tokens of `source`; `references` are link targets given elsewhere in the text."""
    return parser().parse(shown(source), {"references": {name: dict(to) for name, to in (references or {}).items()}})


def fences(source: str) -> list[str]:
    """Return the code of every fence in `source`, in order."""
    return [token.content.removesuffix("\n") for token in parser().parse(source) if token.type == "fence"]


def markdown_lines(
    source: str,
    width: int,
    ink: Ink,
    *,
    references: Mapping[str, Mapping[str, str]] | None = None,
    number: int = 1,
    is_continued: bool = False,
) -> list[Line]:
    """Return `source` as lines; `number` is that of its first code block.

    A continued table begins with a header that was drawn before.
    """
    walker = _Walker(parse(source, references), ink, number, is_continued)
    lines = walker.blocks(width, ink.text)
    if not lines and source.strip():  # only link targets: nothing else would show them
        return wrap([(shown(source.strip()), ink.quiet, "")], min(width, PROSE_WIDTH))
    return lines


class _Walker:
    """Goes through the tokens once, from the outside in."""

    def __init__(self, tokens: list[Token], ink: Ink, number: int, is_continued: bool) -> None:
        self._tokens = tokens
        self._at = 0
        self._ink = ink
        self._number = number
        self._is_continued = is_continued
        self._depth = 0

    def blocks(self, width: int, style: Style) -> list[Line]:
        """Return the lines of all blocks up to the end of the one they are in."""
        lines: list[Line] = []
        before: Token | None = None
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.nesting < 0:
                break
            found = self._block(token, width, style)
            if lines and found and before is not None and _is_apart(before, token):
                lines.append(Line([], quiet=False))
            lines += found
            before = token
        return lines

    def _block(self, token: Token, width: int, style: Style) -> list[Line]:
        prose = min(width, PROSE_WIDTH)
        match token.type:
            case "paragraph_open":
                lines = wrap(self._inline(style), prose)
            case "heading_open":
                level = self._ink.heading + (UNDERLINED if token.tag == "h1" else Style())
                lines = wrap(self._inline(style + level), prose)
            case "bullet_list_open" | "ordered_list_open":
                lines = self._list(token, width, style)
            case "blockquote_open":
                lines = self._quote(width, style)
            case "fence" | "code_block":
                lines = self._code(token, width)
            case "table_open":
                lines = table_lines(self._table(style), width, self._ink)
            case "hr":
                lines = [Line([("─" * min(prose, 40), self._ink.line, "")], source="---")]
            case _:
                lines = wrap([(shown(token.content), style, "")], prose) if token.content else []
        return lines

    def _inline(self, style: Style) -> list[Span]:
        """Return the spans of the inline token that comes now, and pass the token that closes its block."""
        token = self._tokens[self._at]
        self._at += 2
        return inline_spans(token, style, self._ink)

    def _list(self, opening: Token, width: int, style: Style) -> list[Line]:
        start = opening.attrs.get("start", 1)
        number = int(start) if opening.type == "ordered_list_open" else None
        bullet = _BULLETS[min(self._depth, len(_BULLETS) - 1)]
        self._depth += 1
        lines: list[Line] = []
        while self._at < len(self._tokens) and self._tokens[self._at].nesting > 0:
            item = self._tokens[self._at]
            self._at += 1
            mark = f"{bullet} " if number is None else f"{number}. "
            inner = width - len(mark)
            is_loose = not self._is_tight()
            found = self.blocks(inner if inner >= _LEAST_WIDTH else width, style)
            if inner >= _LEAST_WIDTH:
                found = indent(found or [Line([])], (mark, self._ink.mark, ""), (" " * len(mark), style, ""))
                found[0].lead, found[0].source = 0, None
            if lines and is_loose and item.map:
                lines.append(Line([]))
            lines += found
            number = None if number is None else number + 1
        self._at += 1
        self._depth -= 1
        return lines

    def _is_tight(self) -> bool:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token is None or token.type != "paragraph_open" or token.hidden

    def _quote(self, width: int, style: Style) -> list[Line]:
        inner = width - 2
        found = self.blocks(inner if inner >= _LEAST_WIDTH else width, style + EMPHASIS)
        if inner < _LEAST_WIDTH:
            return found
        bar: Span = ("▎ ", self._ink.line, "")
        return indent(found, bar, bar)

    def _code(self, token: Token, width: int) -> list[Line]:
        language = token.info.split()[0] if token.info.strip() else ""
        lines = code_lines(token.content.removesuffix("\n"), language, width, self._ink)
        if token.type == "code_block":
            return lines
        self._number += 1
        return [header_line(shown_line(language), self._number - 1, width, self._ink), *lines]

    def _table(self, style: Style) -> Table:
        table = Table(is_continued=self._is_continued)
        depth = 1
        while depth and self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            depth += token.nesting
            if token.type == "tr_open":
                table.rows.append([])
            elif token.type in ("th_open", "td_open") and len(table.rows) == 1:
                table.aligns.append(str(token.attrs.get("style", "left")).rpartition(":")[2])
            elif token.type == "inline":
                table.rows[-1].append(inline_spans(token, style, self._ink))
        return table


def _is_apart(before: Token, token: Token) -> bool:
    """Return whether an empty line stands between two blocks."""
    if before.type == "paragraph_open" and (before.hidden or token.hidden):
        return False
    is_list = token.type in ("bullet_list_open", "ordered_list_open")
    touches = bool(before.map and token.map and before.map[1] >= token.map[0])
    return not (is_list and before.type == "paragraph_open" and touches)


def inline_spans(token: Token, style: Style, ink: Ink) -> list[Span]:
    """Return the text of a block with the styles and links it has inside."""
    spans: list[Span] = []
    styles = [style]
    link = ""
    begun = 0
    for child in token.children or []:
        match child.type:
            case "text" | "html_inline":
                spans += _text(child.content, styles[-1], link, ink)
            case "code_inline":
                spans.append((shown_line(child.content), styles[-1] + ink.code, link))
            case "softbreak" | "hardbreak":
                spans.append(("\n", styles[-1], ""))
            case "strong_open" | "em_open" | "s_open":
                styles.append(styles[-1] + _LOOKS[child.tag])
            case "link_open":
                link, begun = shown_line(str(child.attrs.get("href", ""))), len(spans)
                styles.append(styles[-1] + ink.link)
            case "link_close":
                styles.pop()
                spans += _target(link, "".join(span[0] for span in spans[begun:]), ink)
                link = ""
            case "image":
                address = shown_line(str(child.attrs.get("src", "")))
                spans.append((f"[picture: {shown_line(child.content)}]", styles[-1] + ink.link, address))
                spans += _target(address, "", ink)
            case "strong_close" | "em_close" | "s_close":
                styles.pop()
            case _:
                spans.append((shown(child.content), styles[-1], link))
    if spans and not spans[0][2] and spans[0][0][:4] in _TASKS:
        spans[0] = (_TASKS[spans[0][0][:4]] + spans[0][0][4:], spans[0][1], "")
    return spans


def _text(content: str, style: Style, link: str, ink: Ink) -> list[Span]:
    text = shown(content).expandtabs(4)
    if link or "://" not in text:
        return [(text, style, link)]
    spans: list[Span] = []
    at = 0
    for found in _ADDRESS.finditer(text):
        spans.append((text[at : found.start()], style, ""))
        spans.append((found.group(), style + ink.link, found.group()))
        at = found.end()
    return [*spans, (text[at:], style, "")]


def _target(address: str, label: str, ink: Ink) -> list[Span]:
    if not address or address.removeprefix("mailto:") == label.strip():
        return []
    return [(f" ({address})", ink.quiet, address)]
