"""What the screen is told before anything heavy is loaded, and what it needs from the world afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlsplit

from vllm_tui.settings.secrets import is_loopback

if TYPE_CHECKING:
    from vllm_tui.accounting.token_view import TokenView
    from vllm_tui.domain.checks import Check, LocalServer, Probe
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.domain.tool_bench import BenchPlan, BenchRun
    from vllm_tui.domain.tool_runs import Approver, CallRecord, ToolCatalog
    from vllm_tui.domain.turns import Turn
    from vllm_tui.domain.wire import WireCatalog
    from vllm_tui.engine.events import TurnEvent
    from vllm_tui.engine.turn_run import TurnSettings
    from vllm_tui.settings.layers import Settings

SLOW_LINK_RATE = 4
"""Repaints a second over a slow link."""

DEMO_SERVER = "demo server"

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
    repaints a second of an answer. On a `first_run` nothing says yet which server to talk to. `questions` are asked
    one after the other without the person.
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
    first_run: bool = False
    warnings: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def with_settings(launch: Launch, settings: Settings) -> Launch:
    """Return the facts of a session as `settings` want them; the demo stays the demo."""
    base_url, display = settings.text("base_url"), settings.text("reasoning_display")
    changed = replace(
        launch,
        server=server_name(base_url),
        base_url=base_url,
        is_local=is_loopback(base_url),
        model=settings.text("default_model"),
        effort=settings.text_or_none("reasoning"),
        theme=settings.text("theme"),
        reasoning_mode="show" if display == "show" else "hide" if display == "hide" else "collapse",
        sidebar=settings.is_on("sidebar"),
        rate=SLOW_LINK_RATE if settings.is_on("slow_link") else settings.integer("update_rate"),
        max_tokens=settings.integer("max_tokens"),
        instructions=settings.text_or_none("instructions"),
        max_tool_rounds=settings.integer("max_tool_rounds"),
    )
    return demo_launch(changed) if launch.demo else changed


def demo_launch(launch: Launch) -> Launch:
    """Return the facts of a session on the built-in demo server."""
    return replace(launch, demo=True, server=DEMO_SERVER, is_local=True)


def server_name(base_url: str) -> str:
    """Return host and port of an address as the top line shows them."""
    parts = urlsplit(base_url)
    return parts.netloc.rpartition("@")[2] or base_url


@dataclass(frozen=True, slots=True)
class VocabularyStand:
    """How the vocabulary stands in a few words, empty when there is nothing to say; whether that will change soon."""

    words: str = ""
    is_changing: bool = False


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
    """Server, store and settings behind the screen.

    `preload`, `remember` and `save_settings` may be slow and run in a thread. `notices` are lines the person should
    read, such as a damaged file that was set aside. `settings` are those that hold now.
    """

    notices: list[str]
    settings: Settings

    @property
    def tools(self) -> ToolCatalog | None:
        """The tools and the calls of the open conversation, None before there is one."""
        ...

    @property
    def wire(self) -> WireCatalog | None:
        """What crossed the wire in this session, None before the start is over."""
        ...

    def use_approver(self, approver: Approver, on_call: Callable[[CallRecord], None]) -> None:
        """Ask `approver` before a tool runs and tell `on_call` of every change of a call."""
        ...

    async def open_tools(self) -> Sequence[str]:
        """Load the configured tools; return what went wrong since it was asked last."""
        ...

    async def connect_again(self, name: str) -> None:
        """Open an MCP server anew. Raises ConfigurationError for an unknown name; what fails is a note."""
        ...

    def preload(self) -> None:
        """Import and build everything that is heavy; runs once, before the rest."""
        ...

    def remember(self, name: str, value: str) -> None:
        """Save an option that the person changed, for the next start. Raises ConfigurationError."""
        ...

    def use_settings(self, settings: Settings) -> None:
        """Let `settings` hold from the next request on; a running answer is not disturbed."""
        ...

    def save_settings(self, settings: Settings, new_profile: str | None = None) -> Settings:
        """Write what was set in this session; return the settings as they are then. Raises ConfigurationError."""
        ...

    def use_demo(self) -> None:
        """Talk to the built-in demo server from the next request on."""
        ...

    async def check_server(self, settings: Settings, on_check: Callable[[Check], None]) -> Probe:
        """Look at the server that `settings` name, step by step."""
        ...

    async def find_servers(self) -> tuple[LocalServer, ...]:
        """Return the vLLM servers on this machine."""
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

    def vocabulary_for(self, model: str) -> VocabularyStand:
        """Return how the vocabulary for exact counts stands; never waits."""
        ...

    def fetch_vocabulary(self, model: str) -> str:
        """Begin to download the vocabulary in the background; return what to say."""
        ...

    async def token_view(self, turns: Sequence[Turn], number: int) -> TokenView:
        """Return turn `number` of a conversation token by token; what can't be had says why."""
        ...

    def bench_tools(self, plan: BenchPlan) -> AsyncGenerator[BenchRun, None]:
        """Ask as `plan` says, beside the conversation and without running any tool; yield each run as it ends."""
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
