"""The calls that wait for the person; the toolbox asks here and gets what is decided on a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import CallRequest, Decision


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A call that waits; `settle` takes the decision, later ones are ignored."""

    request: CallRequest
    answer: asyncio.Future[Decision]

    def settle(self, decision: Decision) -> None:
        """Let the call go on with this decision."""
        if not self.answer.done():
            self.answer.set_result(decision)


class Approvals:
    """An Approver; `on_change` is called when a call begins or ends waiting, withdrawn ones included."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.waiting: tuple[Waiting, ...] = ()
        self._on_change = on_change

    async def decide(self, request: CallRequest) -> Decision:
        """Wait for the person."""
        entry = Waiting(request, asyncio.get_running_loop().create_future())
        self.waiting = tuple(sorted((*self.waiting, entry), key=lambda waiting: waiting.request.number))
        self._on_change()
        try:
            return await entry.answer
        finally:
            self.waiting = tuple(other for other in self.waiting if other is not entry)
            self._on_change()

    def find(self, call_id: str) -> Waiting | None:
        """Return the waiting call with this id, or None."""
        return next((entry for entry in self.waiting if entry.request.call.id == call_id), None)
