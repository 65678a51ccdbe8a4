"""How a headless turn is written: text as it comes, or one JSON event a line. Notes go to standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TextIO

from vllm_tui.cli.event_json import error_line, event_line
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    ContinuationStarted,
    HistoryTrimmed,
    Notice,
    RetryScheduled,
)
from vllm_tui.domain.hygiene import clean, clean_line
from vllm_tui.engine.events import RequestStarted, ToolRunFinished, ToolRunStarted, TurnFinished

if TYPE_CHECKING:
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.messages import Message
    from vllm_tui.engine.events import TurnEvent

_ERROR_LENGTH = 200


class Output(Protocol):
    """Where the events of a headless turn go."""

    def show(self, event: TurnEvent) -> None:
        """Write one event; BrokenPipeError when nobody reads any more."""
        ...

    def fail(self, error: VLLMError) -> None:
        """Write an error that ended the run before or after the turn."""
        ...


class JsonOutput:
    """One event a line, flushed each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: TurnEvent) -> None:
        """Write the event as a line."""
        self._write(event_line(event))

    def fail(self, error: VLLMError) -> None:
        """Write the error as a line."""
        self._write(error_line(error))

    def _write(self, line: str) -> None:
        self._out.write(line)
        self._out.flush()


class TextOutput:
    """The answer on `out`, everything else on `err`; reasoning too when `show_reasoning` is set."""

    def __init__(self, out: TextIO, err: TextIO, *, show_reasoning: bool = False) -> None:
        self._answer = _Stream(out)
        self._reasoning = _Stream(err)
        self._err = err
        self._show_reasoning = show_reasoning
        self._written: dict[int, str] = {}
        self._reasoned = False

    def show(self, event: TurnEvent) -> None:
        """Write what the event adds."""
        match event:
            case BlockStarted(index=index, kind=kind):
                self._open(index, kind)
            case BlockDelta(index=index, kind=kind, text=text):
                self._add(index, kind, text)
            case BlockFinished():
                self._close(event)
            case RequestStarted():
                self._written = {}
            case TurnFinished():
                self._end(event)
            case _:
                self._note(event)

    def fail(self, error: VLLMError) -> None:
        """Write the error for a person."""
        self._tell(f"error: {error}")

    def _end(self, event: TurnFinished) -> None:
        self._answer.end_line()
        if event.error is not None:
            self.fail(event.error)
        elif event.turn.status == "truncated":
            self._tell("note: the answer was cut at the output limit; raise --max-tokens.")
        elif event.turn.status == "completed" and not self._answer.has_begun:
            reasoned = self._reasoned and not self._show_reasoning
            self._tell("note: the answer is empty" + ("; --show-reasoning shows the reasoning." if reasoned else "."))

    def _note(self, event: TurnEvent) -> None:
        match event:
            case Notice(message=message):
                self._tell(f"note: {message}")
            case RetryScheduled(attempt=attempt, max_retries=most, delay=delay, error=error):
                self._tell(f"note: {error.message} Retry {attempt} of {most} in {delay:.1f} s.")
            case ContinuationStarted(number=number, max_continuations=most, reason=reason):
                self._tell(f"note: the answer was cut ({reason}) and goes on, {number} of {most}.")
            case HistoryTrimmed(dropped_messages=count):
                self._tell(f"note: the oldest {count} messages were left out to fit the context window.")
            case ToolRunStarted(call=call):
                self._tell(f"note: the model calls {call.name}.")
            case ToolRunFinished(call=call, result=result) if words := _error_of(result):
                self._tell(f"note: {call.name}: {words}")
            case _:
                pass

    def _open(self, index: int, kind: str) -> None:
        if index in self._written:
            return
        self._written[index] = ""
        self._reasoned |= kind == "thinking"
        if kind == "text":
            self._reasoning.end_line()
            self._answer.start_paragraph()
        elif kind == "thinking" and self._show_reasoning:
            self._answer.end_line()
            self._tell("[reasoning]")

    def _add(self, index: int, kind: str, text: str) -> None:
        self._open(index, kind)
        self._written[index] += text
        if kind == "text":
            self._answer.write(text)
        elif kind == "thinking" and self._show_reasoning:
            self._reasoning.write(text)

    def _close(self, event: BlockFinished) -> None:
        written = self._written.get(event.index, "")
        block = event.block
        if block is None or block.type not in ("text", "thinking"):
            whole, kind = ("", "text") if block is None else (written, block.type)
        elif block.type == "text":
            whole, kind = block.text, "text"
        else:
            whole, kind = block.thinking, "thinking"
        if whole.startswith(written):
            self._add(event.index, kind, whole[len(written) :])
        elif kind == "text":
            self._tell("note: the server corrected its answer; the text above is as it was streamed.")
        if kind == "thinking":
            self._reasoning.end_line()

    def _tell(self, message: str) -> None:
        self._answer.end_line_if_shared()
        self._reasoning.end_line()
        self._err.write(clean_line(message) + "\n")
        self._err.flush()


def _error_of(result: Message) -> str:
    """Return the beginning of a tool's error, empty when it went well."""
    blocks = () if isinstance(result.content, str) else result.content
    failed = [block.output for block in blocks if block.type == "tool_result" and block.is_error]
    words = str(failed[0]) if failed else ""
    return words if len(words) <= _ERROR_LENGTH else words[: _ERROR_LENGTH - 1] + "…"


class _Stream:
    """Text on one file: harmless on a terminal, faithful elsewhere; knows whether a line is open."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._is_terminal = file.isatty()
        self._last = ""
        self._held = ""

    @property
    def has_begun(self) -> bool:
        """Whether anything was written."""
        return bool(self._last or self._held)

    def write(self, text: str) -> None:
        """Write and flush; a carriage return at the end waits for the newline that may follow it."""
        if self._is_terminal:
            text = self._held + text
            self._held = "\r" if text.endswith("\r") else ""
            text = clean(text.removesuffix("\r"))
        if text:
            self._file.write(text)
            self._file.flush()
            self._last = text[-1]

    def start_paragraph(self) -> None:
        """Leave an empty line after what was written before."""
        if self._last:
            self.end_line()
            self.write("\n")

    def end_line(self) -> None:
        """End the line that is open."""
        if self._held:
            self._held = ""
            self._file.write(clean("\r"))
        if self._last not in ("", "\n"):
            self.write("\n")

    def end_line_if_shared(self) -> None:
        """End the open line when notes appear on the same terminal."""
        if self._is_terminal:
            self.end_line()
