"""What the turn loop needs from the world, as protocols."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import StorageError, VLLMError
from vllm_tui.domain.events import StreamEvent
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.turns import ConversationSummary, Turn


class Provider(Protocol):
    """A model server. `stream` raises VLLMError; closing the iterator ends the request."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of one answer."""
        ...

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """Return the models the server serves."""
        ...


class Transcript(Protocol):
    """Where turns are kept. `start_turn` returns once the question is on disk, else raises StorageError."""

    async def start_turn(self, turn: Turn) -> None:
        """Keep a turn whose request has not left yet."""
        ...

    def note_progress(self, turn: Turn) -> None:
        """Take the turn as it stands, at once and without waiting; it is on disk within a second."""
        ...

    async def finish_turn(self, turn: Turn) -> None:
        """Keep the turn as it ended; it may be called again for the same turn."""
        ...

    @property
    def problem(self) -> StorageError | None:
        """Why the last progress could not be kept, None when all is well."""
        ...


class Archive(Protocol):
    """The conversations that were kept. Every method raises StorageError when they can't be read or written."""

    async def latest_conversation(self) -> str | None:
        """Return the id of the conversation that was used last, None when there is none."""
        ...

    async def load_conversation(
        self, conversation_id: str, *, limit: int | None = None, tip: str | None = None
    ) -> tuple[Turn, ...]:
        """Return the turns that lead to the newest one (or to the turn `tip`), oldest first, the last `limit`."""
        ...

    async def list_conversations(self, limit: int = 50) -> tuple[ConversationSummary, ...]:
        """Return the conversations used last, newest first."""
        ...

    async def delete_conversation(self, conversation_id: str) -> None:
        """Remove a conversation with all its turns."""
        ...


class Toolbox(Protocol):
    """The tools of a conversation."""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """The tools that are offered to the model now."""
        ...

    async def run(self, call: ToolCallBlock) -> Message:
        """Answer a call with a tool message; refusals and failures are answers too.

        Several calls of one answer run at once; a cancelled turn cancels those that still run.
        """
        ...


class Adviser(Protocol):
    """Says what an answer or an error suggests about the server, such as a missing option; empty when nothing."""

    def on_answer(self, request: ChatRequest, response: ChatResponse) -> Sequence[str]:
        """Return lines for the person about a whole answer."""
        ...

    def on_error(self, request: ChatRequest, error: VLLMError) -> Sequence[str]:
        """Return lines for the person about a failed request."""
        ...


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...
