"""Every call of the session as it streamed, turn by turn, and how each stands now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.call_watch import CallWatch, StreamedCall
    from vllm_tui.domain.events import StreamEvent


class Journal:
    """Keeps the fragments of calls while the program runs; what is on disk has none."""

    def __init__(self) -> None:
        self._watches: dict[str, list[CallWatch]] = {}
        self._now: CallWatch | None = None

    def begin_turn(self, turn_id: str) -> None:
        """A turn begins, or goes on."""
        from vllm_tui.domain.call_watch import CallWatch  # not before the first frame

        self._now = CallWatch()
        self._watches.setdefault(turn_id, []).append(self._now)

    def begin_request(self) -> None:
        """A request of the turn leaves."""
        if self._now is not None:
            self._now.begin_request()

    def add(self, event: StreamEvent, now: float) -> None:
        """Take an event that came at `now` (seconds)."""
        if self._now is not None:
            self._now.add(event, now)

    def calls(self, turn_id: str) -> Sequence[StreamedCall]:
        """Return the calls of a turn in the order they began."""
        return [call for watch in self._watches.get(turn_id, ()) for call in watch.calls]
