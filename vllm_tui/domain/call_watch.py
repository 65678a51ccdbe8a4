"""Tool calls while they stream: which are open, and every fragment of their arguments with its time.

Imports nothing heavy at run time, as screens use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, StreamEvent
from vllm_tui.domain.tool_runs import Fragment

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock


@dataclass(frozen=True, slots=True)
class StreamedCall:
    """A call as it arrives; `request` counts the requests of the turn from 0, `block` is there once it is complete.

    `began` is in seconds on the watcher's clock; the fragments' times count from it.
    """

    request: int
    index: int
    name: str
    call_id: str | None
    began: float
    fragments: tuple[Fragment, ...] = ()
    block: ToolCallBlock | None = None

    @property
    def text(self) -> str:
        """Return the arguments as streamed so far."""
        return "".join(fragment.text for fragment in self.fragments)


class CallWatch:
    """Collects the calls of a turn from its stream events."""

    def __init__(self) -> None:
        self._request = -1
        self._calls: dict[tuple[int, int], StreamedCall] = {}
        self._fragments: dict[tuple[int, int], list[Fragment]] = {}

    @property
    def calls(self) -> Sequence[StreamedCall]:
        """Return the calls so far, in order of arrival."""
        return tuple(replace(call, fragments=tuple(self._fragments[key])) for key, call in self._calls.items())

    def find(self, call_id: str) -> StreamedCall | None:
        """Return the newest call with this id, or None."""
        return next((call for call in reversed(self.calls) if call.call_id == call_id), None)

    def begin_request(self) -> None:
        """Note that the next request of the turn leaves; block indexes start from 0 again."""
        self._request += 1

    def add(self, event: StreamEvent, now: float) -> None:
        """Take an event that came at `now` (seconds); those of other blocks are ignored."""
        match event:
            case BlockStarted(index, "tool_call", name, call_id):
                key = (self._request, index)
                self._calls[key] = StreamedCall(self._request, index, name or "", call_id, now)
                self._fragments[key] = []
            case BlockDelta(index, "tool_call", text) if (self._request, index) in self._calls:
                key = (self._request, index)
                self._fragments[key].append(Fragment(now - self._calls[key].began, text))
            case BlockFinished(index, block):
                self._finish((self._request, index), block, now)
            case _:
                pass

    def _finish(self, key: tuple[int, int], block: object, now: float) -> None:
        if block is None:
            self._calls.pop(key, None)
            self._fragments.pop(key, None)
        elif getattr(block, "type", None) == "tool_call":
            self._fragments.setdefault(key, [])
            known = self._calls.get(key) or StreamedCall(*key, "", None, now)
            self._calls[key] = _completed(known, block)


def _completed(call: StreamedCall, block: object) -> StreamedCall:
    from vllm_tui.domain.blocks import ToolCallBlock

    assert isinstance(block, ToolCallBlock)
    return replace(call, name=block.name, call_id=block.id, block=block)
