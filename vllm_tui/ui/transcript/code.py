"""Code as lines: a header with language and number, syntax colours, and long lines wrapped with a mark."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from vllm_tui.ui.content import shown
from vllm_tui.ui.transcript.ink import Ink
from vllm_tui.ui.transcript.rows import Line, Span, shorten, wrap

if TYPE_CHECKING:
    from pygments.lexer import Lexer

COPY_MARK = "⧉"
_TAB = 4
_INDENT, _CONTINUED = "  ", "↪ "
_COLOURED_LINE = 2_000
"""Characters; longer lines are drawn without colours."""


def code_lines(code: str, language: str, width: int, ink: Ink) -> list[Line]:
    """Return the lines of `code`, each filled to the end with the fence's background."""
    found: list[Line] = []
    for spans, source in zip(_coloured(code, language, ink), code.split("\n"), strict=True):
        pieces = wrap(spans, width - len(_INDENT), words=False)
        for number, line in enumerate(pieces):
            mark: Span = (_INDENT if number == 0 else _CONTINUED, ink.label, "")
            whole = source if len(pieces) == 1 else None
            found.append(Line([mark, *line.spans], line.join, len(_INDENT), whole, fill=ink.fence))
    return found


def header_line(label: str, number: int | None, width: int, ink: Ink) -> Line:
    """Return the line above a code block: what it is, and the number it is copied by."""
    right = f"{COPY_MARK} {number} " if number else ""
    left = shorten(f"{_INDENT}{label or 'code'}", max(width - cell_len(right), 1))
    room = " " * max(width - cell_len(left) - cell_len(right), 0)
    return Line([(left + room + right, ink.label, "")], quiet=True, fill=ink.label)


def _coloured(code: str, language: str, ink: Ink) -> list[list[Span]]:
    """Return one list of spans for each line of `code`."""
    text = shown(code).expandtabs(_TAB)
    if text.count("\n") != code.count("\n"):  # a line separator inside a line of code
        text = "\n".join(" ".join(shown(line).split("\n")) for line in code.split("\n")).expandtabs(_TAB)
    lexer = _lexer(language) if len(max(text.split("\n"), key=len)) <= _COLOURED_LINE else None
    if lexer is None:
        return [[(line, ink.fence, "")] if line else [] for line in text.split("\n")]
    lines: list[list[Span]] = [[]]
    styles = _styles(ink)
    for kind, value in lexer.get_tokens(text):
        style = _style_of(str(kind), styles, ink.fence)
        first, *rest = value.split("\n")
        if first:
            lines[-1].append((first, style, ""))
        lines += [[(piece, style, "")] if piece else [] for piece in rest]
    return lines[: text.count("\n") + 1]


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    if not language or language.lower() in ("text", "txt", "plain", "plaintext"):
        return None
    try:
        return get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=8)
def _styles(ink: Ink) -> dict[str, Style]:
    return {
        "Token.Keyword": ink.keyword,
        "Token.Operator.Word": ink.keyword,
        "Token.Name.Tag": ink.keyword,
        "Token.Literal.String": ink.string,
        "Token.Literal.Number": ink.number,
        "Token.Keyword.Constant": ink.number,
        "Token.Comment": ink.comment,
        "Token.Name.Function": ink.name,
        "Token.Name.Class": ink.name,
        "Token.Name.Decorator": ink.name,
        "Token.Name.Builtin": ink.name,
        "Token.Name.Attribute": ink.name,
        "Token.Generic.Inserted": ink.string,
        "Token.Generic.Deleted": ink.wrong,
        "Token.Generic.Heading": ink.keyword,
        "Token.Generic.Subheading": ink.keyword,
    }


def _style_of(kind: str, styles: dict[str, Style], default: Style) -> Style:
    found = styles.get(kind)
    if found is not None:
        return found
    parent = kind
    while "." in parent and found is None:
        parent = parent.rpartition(".")[0]
        found = styles.get(parent)
    styles[kind] = found or default
    return styles[kind]
