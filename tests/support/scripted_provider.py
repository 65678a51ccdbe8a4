"""A provider that says what a test wrote down, and a backend around it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from vllm_tui.accounting.token_view import TokenSide, TokenView
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.checks import Check, LocalServer, Probe, ServedModel
from vllm_tui.domain.errors import ConfigurationError, StorageError, VLLMError
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockKind, BlockStarted, ResponseFinished, StreamEvent
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, FinishReason, ModelInfo, ResponseStatus
from vllm_tui.domain.tool_bench import BenchPlan, BenchRun
from vllm_tui.domain.tool_runs import Approver, CallRecord, ToolListing, Verdict
from vllm_tui.domain.turns import Turn
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonObject
from vllm_tui.domain.wire import WireCatalog
from vllm_tui.engine.conversation import Conversation
from vllm_tui.settings.layers import Settings, load_settings
from vllm_tui.settings.saving import save_session
from vllm_tui.tools.bench import run_plan
from vllm_tui.tools.toolbox import CheckedToolbox
from vllm_tui.ui.launch import Encode, VocabularyStand

MODEL = ModelInfo(id="openai/gpt-oss-20b", display_name="gpt-oss-20b", context_window=131_072)
USAGE = Usage(
    input_tokens=1204, output_tokens=500, total_tokens=1704, reasoning_tokens=312, cache_read_tokens=1024
)  # fmt: skip


class Pause:
    """A place where a scripted answer waits until the test opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    def open(self) -> None:
        self.opened.set()


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Wait:
    """A step that moves a clock by `seconds`."""

    clock: HandClock
    seconds: float


Step = StreamEvent | Pause | Wait | VLLMError


def answer(
    text: str = "",
    *,
    thinking: str = "",
    call: ToolCallBlock | None = None,
    status: ResponseStatus = "completed",
    usage: Usage | None = USAGE,
) -> list[Step]:
    """Return the events of a whole answer, cut into words."""
    steps: list[Step] = []
    content: list[TextBlock | ThinkingBlock | ToolCallBlock] = []
    if thinking:
        content.append(ThinkingBlock(thinking=thinking))
        steps += [BlockStarted(0, "thinking"), *deltas(0, "thinking", thinking), BlockFinished(0, content[-1])]
    if text:
        at = len(content)
        content.append(TextBlock(text=text))
        steps += [BlockStarted(at, "text"), *deltas(at, "text", text), BlockFinished(at, content[-1])]
    if call is not None:
        at = len(content)
        content.append(call)
        steps += [BlockStarted(at, "tool_call", call.name, call.id), BlockFinished(at, call)]
    reason: FinishReason = "tool_calls" if call else "length" if status == "incomplete" else "stop"
    finished = ChatResponse(content=tuple(content), usage=usage, finish_reason=reason, status=status)
    return [*steps, ResponseFinished(finished)]


def deltas(index: int, kind: BlockKind, text: str) -> list[BlockDelta]:
    """Return `text` as deltas of a word each."""
    return [BlockDelta(index, kind, piece) for piece in re.findall(r"\s*\S+\s*", text)]


class ScriptedProvider:
    """Answers each request with the next script; the last one is used again. Keeps the requests."""

    def __init__(self, *scripts: Sequence[Step], models: Sequence[ModelInfo] | VLLMError = (MODEL,)) -> None:
        self.scripts = list(scripts) or [answer("Hello.")]
        self.models = models
        self.requests: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(request)
        for step in script:
            if isinstance(step, Pause):
                step.reached.set()
                await step.opened.wait()
            elif isinstance(step, Wait):
                step.clock.seconds += step.seconds
            elif isinstance(step, VLLMError):
                raise step
            else:
                yield step
                await asyncio.sleep(0)

    async def list_models(self) -> tuple[ModelInfo, ...]:
        if isinstance(self.models, VLLMError):
            raise self.models
        return tuple(self.models)


class KeptTurns:
    """A transcript in memory."""

    problem: StorageError | None = None

    def __init__(self) -> None:
        self.turns: dict[str, Turn] = {}

    async def start_turn(self, turn: Turn) -> None:
        self.turns[turn.id] = turn

    def note_progress(self, turn: Turn) -> None:
        self.turns[turn.id] = turn

    async def finish_turn(self, turn: Turn) -> None:
        self.turns[turn.id] = turn


class StillClock:
    """A clock that moves a tenth of a second at each look."""

    def __init__(self) -> None:
        self._ticks = count()

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return next(self._ticks) / 10


class FixedTools:
    """Tools that answer with what the test gave."""

    listings: Sequence[ToolListing] = ()
    notes: Sequence[str] = ()
    records: Sequence[CallRecord] = ()

    def __init__(self, **outputs: str) -> None:
        self._outputs = outputs
        self.specs = tuple(ToolSpec(name=name) for name in outputs)

    def switch(self, name: str, *, is_enabled: bool) -> None:
        raise ConfigurationError(f"There is no tool called {name!r}.")

    def approve_change(self, name: str) -> None:
        raise ConfigurationError(f"There is no tool called {name!r}.")

    async def check(self, name: str, arguments: JsonObject) -> Verdict:
        return Verdict()

    async def run_again(self, call: ToolCallBlock, arguments: JsonObject | None = None) -> CallRecord:
        return CallRecord(0, call, "done", result=await self.run(call))

    async def run(self, call: ToolCallBlock) -> Message:
        block = ToolResultBlock(tool_call_id=call.id, output=self._outputs.get(call.name, "unknown tool"))
        return Message(role="tool", tool_call_id=call.id, content=(block,))


@dataclass
class ScriptedBackend:
    """A backend for the chat screen; `stored` are the turns of the last conversation."""

    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    tools: FixedTools | CheckedToolbox | None = None
    stored: Sequence[Turn] = ()
    storage_error: StorageError | None = None
    kept: KeptTurns = field(default_factory=KeptTurns)
    preloaded: threading.Event = field(default_factory=threading.Event)
    notices: list[str] = field(default_factory=list)
    is_slow: bool = False
    is_closed: bool = False
    is_tidied: bool = False
    remembered: list[tuple[str, str]] = field(default_factory=list)
    refusal: ConfigurationError | None = None
    start_error: ConfigurationError | None = None
    settings: Settings = field(default_factory=lambda: load_settings({}, {}, None))
    used: list[Settings] = field(default_factory=list)
    save_error: ConfigurationError | None = None
    checks: tuple[Check, ...] = (Check("address", "ok", "http://localhost:8000/v1"),)
    servers: tuple[LocalServer, ...] = ()
    is_demo: bool = False
    tokens: TokenView = field(default_factory=lambda: TokenView(TokenSide(), TokenSide()))
    viewed: list[int] = field(default_factory=list)
    stand: VocabularyStand = field(default_factory=VocabularyStand)
    wire: WireCatalog | None = None
    connected: list[str] = field(default_factory=list)

    def use_approver(self, approver: Approver, on_call: Callable[[CallRecord], None]) -> None:
        if isinstance(self.tools, CheckedToolbox):
            self.tools.approver, self.tools._on_change = approver, on_call

    async def connect_again(self, name: str) -> None:
        self.connected.append(name)

    async def open_tools(self) -> Sequence[str]:
        return ()

    def use_settings(self, settings: Settings) -> None:
        self.settings = settings
        self.used.append(settings)

    def save_settings(self, settings: Settings, new_profile: str | None = None) -> Settings:
        if self.save_error is not None:
            raise self.save_error
        return save_session(settings, new_profile=new_profile)

    def vocabulary_for(self, model: str) -> VocabularyStand:
        return self.stand

    def fetch_vocabulary(self, model: str) -> str:
        self.stand = VocabularyStand("vocabulary: downloading 42 %")
        return "fetching"

    async def token_view(self, turns: Sequence[Turn], number: int) -> TokenView:
        self.viewed.append(number)
        return self.tokens

    def use_demo(self) -> None:
        self.is_demo = True

    async def check_server(self, settings: Settings, on_check: Callable[[Check], None]) -> Probe:
        for check in self.checks:
            on_check(check)
        models = (ServedModel("openai/gpt-oss-20b", 131_072),)
        return Probe(settings.text("base_url"), self.checks, "0.32.0", models)

    async def find_servers(self) -> tuple[LocalServer, ...]:
        return self.servers

    def remember(self, name: str, value: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.remembered.append((name, value))

    def encode_for(self, model: str) -> Encode | None:
        return None

    def bench_tools(self, plan: BenchPlan) -> AsyncGenerator[BenchRun, None]:
        return run_plan(self.provider, plan)

    async def tidy(self) -> None:
        self.is_tidied = True

    def preload(self) -> None:
        if self.start_error is not None:
            raise self.start_error
        if self.is_slow:
            self.preloaded.wait(10)

    async def open_conversation(self, *, resume: bool) -> Conversation:
        if self.storage_error is not None:
            raise self.storage_error
        return self._conversation(self.stored if resume else ())

    async def open_unsaved(self) -> Conversation:
        return self._conversation(())

    async def list_models(self) -> tuple[ModelInfo, ...]:
        return await self.provider.list_models()

    async def aclose(self) -> None:
        self.is_closed = True

    def _conversation(self, turns: Sequence[Turn]) -> Conversation:
        return Conversation(self.provider, self.kept, StillClock(), toolbox=self.tools, turns=turns)
