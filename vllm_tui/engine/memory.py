"""A transcript that keeps nothing beyond the program: for runs that are not to be saved."""

from __future__ import annotations

from vllm_tui.domain.errors import StorageError
from vllm_tui.domain.turns import Turn


class MemoryTranscript:
    """Keeps the newest state of each turn in `turns`, by id, until the program ends."""

    def __init__(self) -> None:
        self.turns: dict[str, Turn] = {}

    async def start_turn(self, turn: Turn) -> None:
        """Keep a turn whose request has not left yet."""
        self.turns[turn.id] = turn

    def note_progress(self, turn: Turn) -> None:
        """Keep the turn as it stands."""
        self.turns[turn.id] = turn

    async def finish_turn(self, turn: Turn) -> None:
        """Keep the turn as it ended."""
        self.turns[turn.id] = turn

    @property
    def problem(self) -> StorageError | None:
        """Return None: memory does not fail."""
        return None
