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
    """The question is on disk.

    `replaced` is the id of the turn that is answered again by this one; `is_resumed` means that `turn` was shown
    before and goes on after the rounds it has.
    """

    turn: Turn
    replaced: str | None = None
    is_resumed: bool = False


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """Request number `round` (from 0) of this turn leaves; block indexes start from 0 again.

    `continues` means that its answer goes on, without a gap, where the answer of the round before was cut.
    """

    round: int
    continues: bool = False


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
    """The turn ended; `error` says why when its status is failed or interrupted.

    It is on disk, unless a Notice `not_saved` came right before.
    """

    turn: Turn
    error: VLLMError | None = None


TurnEvent = StreamEvent | TurnStarted | RequestStarted | ToolRunStarted | ToolRunFinished | TurnFinished
