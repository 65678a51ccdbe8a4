"""What a transcript is made of: blocks with their source, state and fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vllm_tui.ui.transcript.parts import Part, Splitter

BlockKind = Literal["question", "thinking", "text", "tool_call", "note", "footer"]
State = Literal["streaming", "done", "waiting", "asking", "running", "failed", "cut"]
"""`waiting`, `asking` (the person) and `running` belong to tool calls; `cut`: the turn ended before the block did."""
NoteKind = Literal["info", "warning", "error", "retry", "success"]
ReasoningMode = Literal["show", "collapse", "hide"]

RESULT_LINES = 200
"""Lines of a tool's result that a card shows; the inspector shows all."""


@dataclass(slots=True, eq=False)
class ToolCall:
    """What a tool card tells: the arguments as an object or as text, what came back, and a word on how it ended."""

    name: str = ""
    call_id: str = ""
    arguments: object = None
    problem: str | None = None
    result: str | None = None
    seconds: float | None = None
    outcome: str = ""


@dataclass(slots=True, eq=False)
class Block:
    """One piece of the transcript. `pieces` joined is the faithful source; `fold` is the reader's own choice.

    `seconds` is how long reasoning took, `tokens` how many it was; `exact` says the count is the server's.
    """

    id: int
    kind: BlockKind
    turn: int = 0
    state: State = "done"
    fold: bool | None = None
    note: NoteKind = "info"
    tool: ToolCall | None = None
    answered: bool = False
    began: float | None = None
    seconds: float | None = None
    tokens: int | None = None
    exact: bool = False
    pieces: list[str] = field(default_factory=list)
    head: Part = field(default_factory=lambda: Part("head", ""))
    _splitter: Splitter | None = None
    _fed: int = 0
    _blank: bool = True

    @property
    def source(self) -> str:
        """Return the text as it came."""
        if len(self.pieces) > 1:
            self._settle()
            self.pieces[:] = ["".join(self.pieces)]
            self._fed = 1
        return self.pieces[0] if self.pieces else ""

    @property
    def is_empty(self) -> bool:
        """Return whether no visible character came so far."""
        if self._blank:
            self._blank = not any(piece.strip() for piece in self.pieces)
        return self._blank

    def append(self, text: str) -> None:
        """Add text that streams in."""
        self.pieces.append(text)

    def replace(self, text: str) -> None:
        """Make `text` the whole source; drawn parts are kept when it is the same."""
        if self.source != text:
            self.pieces[:] = [text]
            self._splitter, self._fed, self._blank = None, 0, True

    def parts(self) -> list[Part]:
        """Return the parts of the text; only the last one may be another when more text has come."""
        return self._settle().parts

    @property
    def references(self) -> dict[str, dict[str, str]]:
        """Return the link targets the text gives by name."""
        return self._splitter.references if self._splitter else {}

    def code_blocks(self) -> list[str]:
        """Return the code blocks of the text in the order of their numbers."""
        found: list[str] = []
        for part in self.parts():
            if part.kind == "code" and part.first:
                found.append(part.code)
            elif part.kind == "code":
                found[-1] += "\n" + part.code
            elif part.kind == "markdown" and ("```" in part.source or "~~~" in part.source):
                from vllm_tui.ui.transcript.markdown import fences

                found += fences(part.source)
        return found

    def _settle(self) -> Splitter:
        if self._splitter is None:
            self._splitter, self._fed = Splitter(plain=self.kind not in ("text", "tool_call")), 0
        if self._fed < len(self.pieces):
            text = "".join(self.pieces[self._fed :])
            self._fed = len(self.pieces)
            self._splitter.feed(text)
        return self._splitter
