"""Events of a turn: those of the stream, and what the loop itself does between requests.

Imports nothing heavy at run time, as the screen matches on them before the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.domain.events import StreamEvent

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.messages import Message
    from vllm_tui.domain.turns import Turn


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The question is on disk."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """Request number `round` (from 0) of this turn leaves; block indexes start from 0 again."""

    round: int


@dataclass(frozen=True, slots=True)
class ToolRunStarted:
    """A tool runs for `call`."""

    call: ToolCallBlock


@dataclass(frozen=True, slots=True)
class ToolRunFinished:
    """The call was answered (`result` is a tool message) after `seconds`."""

    call: ToolCallBlock
    result: Message
    seconds: float


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The turn ended and is on disk; `error` says why when its status is failed or interrupted."""

    turn: Turn
    error: VLLMError | None = None


TurnEvent = StreamEvent | TurnStarted | RequestStarted | ToolRunStarted | ToolRunFinished | TurnFinished
