"""What the screen is told before anything heavy is loaded, and what it needs from the world afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.events import TurnEvent
    from vllm_tui.engine.turn_run import TurnSettings


Encode = Callable[[str], Sequence[int]]
"""Returns the tokens of a text in a model's vocabulary."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt worth trying, listed in the palette: demo answers and demo failures."""

    title: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Launch:
    """The start of one session: cheap facts only.

    `server` is the host as shown, `data_folder` where copies and reports go (made when needed), `warnings` lines
    to show once, `instructions` the system prompt, `resume` whether the last conversation is opened again, `rate`
    repaints a second of an answer.
    """

    server: str
    model: str
    data_folder: Path
    base_url: str = ""
    is_local: bool = True
    effort: str | None = None
    theme: str = "dark"
    reasoning_mode: Literal["show", "collapse", "hide"] = "collapse"
    sidebar: bool = True
    rate: float = 15.0
    demo: bool = False
    resume: bool = False
    max_tokens: int | None = None
    instructions: str | None = None
    max_tool_rounds: int = 8
    samples: tuple[Sample, ...] = ()
    warnings: tuple[str, ...] = ()


class OpenConversation(Protocol):
    """A conversation that can be shown and continued; `engine.conversation.Conversation` is one."""

    turns: list[Turn]
    """The turns so far, oldest first."""

    @property
    def can_continue(self) -> bool:
        """Whether the last answer was cut and can go on."""
        ...

    def ask(self, question: str, settings: TurnSettings | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Run one turn."""
        ...

    def retry(self, settings: TurnSettings | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Answer the last question again."""
        ...

    def continue_answer(self, settings: TurnSettings | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Go on with a cut answer."""
        ...


class Backend(Protocol):
    """Server, store and settings behind the screen. `preload` and `remember` may be slow and run in a thread.

    `notices` are lines the person should read, such as a damaged file that was set aside.
    """

    notices: list[str]

    def preload(self) -> None:
        """Import and build everything that is heavy; runs once, before the rest."""
        ...

    def remember(self, name: str, value: str) -> None:
        """Save an option that the person changed, for the next start. Raises ConfigurationError."""
        ...

    async def open_conversation(self, *, resume: bool) -> OpenConversation:
        """Return the last conversation (`resume`) or a new one. Raises StorageError."""
        ...

    async def open_unsaved(self) -> OpenConversation:
        """Return a new conversation that is kept in memory only, for when there is no usable data folder."""
        ...

    def encode_for(self, model: str) -> Encode | None:
        """Return what counts the tokens of `model` exactly, None when there is nothing yet; never waits."""
        ...

    async def tidy(self) -> None:
        """Delete the conversations that are past their time. Raises StorageError."""
        ...

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """Return what the server serves. Raises VLLMError."""
        ...

    async def aclose(self) -> None:
        """Close connections and files."""
        ...
