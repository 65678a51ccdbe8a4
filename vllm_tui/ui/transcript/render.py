"""One part of a block as rows, for a width and the styles of a theme. Every row begins with the program's gutter.

Only the gutter (two cells at the left of all text) tells who speaks: text from outside is never drawn in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.cells import cell_len
from rich.style import Style

from vllm_tui.ui.content import shown, shown_line
from vllm_tui.ui.transcript.blocks import Block, NoteKind
from vllm_tui.ui.transcript.ink import PLAIN, Ink
from vllm_tui.ui.transcript.parts import Part
from vllm_tui.ui.transcript.rows import Line, Row, Span, indent, shorten, to_row, wrap
from vllm_tui.ui.transcript.tool_card import arguments_line

GUTTER = 2
COPY_MARK = "⧉"
OPEN, FOLDED = "▾", "▸"
_PROSE_WIDTH = 110
_NOTE_MARKS: dict[NoteKind, str] = {"info": "·", "warning": "!", "error": "✗", "retry": "↻", "success": "✓"}
_TOOL_STATES = {
    "streaming": "…",
    "waiting": "… waiting",
    "asking": "? waiting for you",
    "running": "… running",
    "done": "✓",
    "failed": "✗ failed",
    "cut": "– not run",
}
_CARD_LABELS = ("arguments", "result")


def warm() -> None:
    """Load what drawing Markdown and code needs; call it off the main path after the first frame (about 80 ms)."""
    from vllm_tui.ui.transcript.code import code_lines
    from vllm_tui.ui.transcript.markdown import markdown_lines

    code_lines("x = 1", "python", 20, PLAIN)
    markdown_lines("*x*", 20, PLAIN)


def copy_number(row: Row, cell: int) -> int:
    """Return the number of the code block whose copy mark stands at this cell of a header row, else 0."""
    if not row.quiet or COPY_MARK not in row.text or cell < cell_len(row.text[: row.text.rindex(COPY_MARK)]):
        return 0
    digits = row.text.rpartition(COPY_MARK)[2].strip()
    return int(digits) if digits.isdigit() else 0


class Renderer:
    """Draws parts `width` cells wide; `clock` gives the running seconds of reasoning."""

    def __init__(self, width: int, ink: Ink, clock: Callable[[], float] = time.monotonic) -> None:
        self.width = max(width, GUTTER + 4)
        self.ink = ink
        self._clock = clock
        self._blank = to_row(Line([]), ink.text)

    @property
    def text_width(self) -> int:
        """Return the cells there are for text, without the gutter."""
        return self.width - GUTTER

    @property
    def blank(self) -> Row:
        """Return the empty row between blocks."""
        return self._blank

    def rows(self, block: Block, part: Part, *, is_folded: bool) -> list[Row]:
        """Return the rows of one part; the part `head` of a block is its first line."""
        if part.kind == "head":
            return self._head(block, is_folded=is_folded)
        lines = self._plain(block, part) if part.kind == "plain" else self._body(block, part)
        rows = [to_row(line, self.ink.text) for line in lines]
        if part.joined and rows:
            rows[-1].join = ""
        return rows

    # text

    def _plain(self, block: Block, part: Part) -> list[Line]:
        ink = self.ink
        width = min(self.text_width, _PROSE_WIDTH)
        match block.kind:
            case "question":
                marks, style = (("❯ ", ink.mark, ""), ("  ", ink.text, "")), ink.question
            case "thinking":
                marks, style = (("┊ ", ink.line, ""), ("┊ ", ink.line, "")), ink.thinking
            case "note":
                marks, style = self._note_marks(block)
            case _:
                marks, style, width = (("", ink.quiet, ""), ("", ink.quiet, "")), ink.quiet, self.width
        first = marks[0] if block.parts()[0] is part else marks[1]
        text = shown(part.source).expandtabs(4)
        return indent(wrap([(text, style, "")], width), first, marks[1])

    def _note_marks(self, block: Block) -> tuple[tuple[Span, Span], Style]:
        ink = self.ink
        styles = {"error": ink.error, "warning": ink.warning, "retry": ink.warning, "success": ink.good}
        style = styles.get(block.note, ink.quiet)
        return ((f"{_NOTE_MARKS[block.note]} ", style, ""), ("  ", ink.text, "")), style

    def _body(self, block: Block, part: Part) -> list[Line]:
        from vllm_tui.ui.transcript.markdown import markdown_lines

        is_card = block.kind == "tool_call"
        mark: Span = ("┊ ", self.ink.line, "") if is_card else ("  ", self.ink.text, "")
        if part.kind == "code":
            lines = self._code(part, is_card=is_card)
        else:
            lines = markdown_lines(
                part.before + part.source,
                self.text_width,
                self.ink,
                references=block.references,
                number=part.number,
                is_continued=bool(part.before),
            )
        return indent([Line([]), *lines] if part.gap else lines, mark, mark)

    def _code(self, part: Part, *, is_card: bool) -> list[Line]:
        from vllm_tui.ui.transcript.code import code_lines, header_line

        label = shown_line(part.language)
        if is_card:
            label = _CARD_LABELS[min(part.number, len(_CARD_LABELS)) - 1]
        code = part.code
        lines = code_lines(code, part.language, self.text_width, self.ink) if code or not part.first else []
        if part.first:
            return [header_line(label, part.number, self.text_width, self.ink), *lines]
        return lines

    # heads

    def _head(self, block: Block, *, is_folded: bool) -> list[Row]:
        mark: Span = (f"{FOLDED if is_folded else OPEN} ", self.ink.mark, "")
        match block.kind:
            case "thinking":
                spans = [(self._thinking_words(block), self.ink.quiet, "")]
            case "tool_call":
                spans = self._tool_words(block)
            case _:
                spans = self._folded_words(block)
        line = Line([mark, *spans], lead=GUTTER, quiet=block.kind in ("thinking", "tool_call"))
        return [to_row(line, self.ink.text)]

    def _thinking_words(self, block: Block) -> str:
        is_live = block.state == "streaming"
        seconds = self._clock() - block.began if is_live and block.began is not None else block.seconds
        words = "Thinking" if is_live else "Thought"
        if seconds is not None:
            words += f" {seconds:.1f} s"
        if block.tokens:
            words += f" · {'' if block.exact else '≈'}{block.tokens:,} token{'' if block.tokens == 1 else 's'}"
        return shorten(words, self.text_width)

    def _tool_words(self, block: Block) -> list[Span]:
        tool = block.tool
        assert tool is not None
        ink = self.ink
        state = _TOOL_STATES[block.state]
        if tool.outcome and block.state in ("done", "failed"):
            state = f"{state[0]} {tool.outcome}"
        if tool.seconds is not None:
            state += f" {tool.seconds:.1f} s"
        style = {"done": ink.good, "failed": ink.error, "asking": ink.warning}.get(block.state, ink.quiet)
        room = max(self.text_width - cell_len(state) - 2, 4)
        name = shorten(shown_line(tool.name) or "…", room)
        arguments = shown_line(arguments_line(tool)) if tool.arguments is not None else "…"
        call = shorten(f"({arguments})", room - cell_len(name)) if room > cell_len(name) + 2 else ""
        return [(name, ink.question, ""), (call, ink.quiet, ""), ("  ", ink.text, ""), (state, style, "")]

    def _folded_words(self, block: Block) -> list[Span]:
        text = block.source.strip()
        count = text.count("\n") + 1
        first = shown_line(text.split("\n", 1)[0])
        tail = f"  {count:,} line{'' if count == 1 else 's'}"
        words = shorten(first, max(self.text_width - cell_len(tail), 1))
        style = self.ink.question if block.kind == "question" else self.ink.text
        return [(words, style, ""), (tail, self.ink.quiet, "")]
