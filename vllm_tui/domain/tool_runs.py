"""Tool calls as a person sees them: what is asked, what was decided, what came of it. Values and protocols only.

Imports nothing heavy at run time, as screens match on these values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.messages import Message, ToolSpec
    from vllm_tui.domain.values import JsonObject, JsonValue

SourceKind = Literal["builtin", "demo", "python", "file", "mcp"]
"""Where a tool comes from."""

Readiness = Literal["ready", "invalid", "changed"]
"""`invalid`: its schema can't be used; `changed`: it differs from what was approved. Neither is offered."""

CallState = Literal[
    "waiting", "running", "done", "answered", "refused", "failed", "timed_out", "cancelled", "invalid", "unknown"
]
"""Where a call stands. `answered` by hand; `invalid` arguments; `unknown`: no such tool is offered."""

FINAL_STATES: frozenset[CallState] = frozenset(
    {"done", "answered", "refused", "failed", "timed_out", "cancelled", "invalid", "unknown"}
)


@dataclass(frozen=True, slots=True)
class ToolListing:
    """A tool as a list shows it: `title` for people (`server/tool`), `origin` the module, file or server it is from.

    `pure` tools touch nothing and may run without asking. `by_hand` tools have no program behind them.
    `fingerprint` is the SHA-256 of name, description and schema; `problem` says why it is not ready.
    """

    name: str
    title: str
    spec: ToolSpec
    kind: SourceKind
    origin: str
    fingerprint: str
    pure: bool = False
    by_hand: bool = False
    is_enabled: bool = True
    readiness: Readiness = "ready"
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """One argument against the schema; `path` like `filters[0].name`, empty for the whole; no `problem` means right."""

    path: str
    expected: str
    got: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The arguments of a call against its tool's schema, field by field, problems first."""

    fields: tuple[FieldVerdict, ...] = ()

    @property
    def problems(self) -> tuple[FieldVerdict, ...]:
        """Return the fields that are wrong."""
        return tuple(entry for entry in self.fields if entry.problem is not None)

    @property
    def is_valid(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class ArgumentPattern:
    """Arguments that count as the same: `exact` values must be equal, `globs` match text with `*` and `?`.

    Every argument of a call must be named here, and every name here must be an argument of the call. Text that
    holds a `..` path segment or control characters never matches a glob.
    """

    exact: Mapping[str, JsonValue] = field(default_factory=dict)
    globs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call that waits for a person: `reason` says why it is asked, `fingerprint` binds the approval to it.

    `arguments` is None when the model's text is no JSON object; such a call can be edited, answered or refused.
    `number` counts the calls of the conversation in the order the model made them.
    """

    call: ToolCallBlock
    tool: ToolListing
    arguments: JsonObject | None
    verdict: Verdict
    fingerprint: str
    reason: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class RunOnce:
    """Run exactly the call with this fingerprint."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class RunAlways:
    """Run this call, and in this session every call of the same tool whose arguments match `pattern`."""

    fingerprint: str
    pattern: ArgumentPattern


@dataclass(frozen=True, slots=True)
class RunEdited:
    """Run the tool with these arguments instead."""

    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class AnswerByHand:
    """Run nothing; the model gets this text as the tool's result."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Run nothing; the model is told that the person refused, and why."""

    reason: str = ""


Decision = RunOnce | RunAlways | RunEdited | AnswerByHand | Refuse
"""What a person decided about a call."""


class Approver(Protocol):
    """Who is asked before a tool runs; may be called for several calls at once. Cancelling withdraws the question."""

    async def decide(self, request: CallRequest) -> Decision:
        """Return the person's decision."""
        ...


@dataclass(frozen=True, slots=True)
class CallRecord:
    """All that is known of one call; `arguments` are those that ran (edited ones too), `seconds` how long it ran.

    `started` and `finished` are seconds on the toolbox's monotonic clock; waiting for a person counts in neither
    `seconds` nor the time limit. `notes` say what was changed or cut. The model is not told of a rerun.
    """

    number: int
    call: ToolCallBlock
    state: CallState
    verdict: Verdict = field(default_factory=Verdict)
    tool: ToolListing | None = None
    arguments: JsonObject | None = None
    decision: Decision | None = None
    result: Message | None = None
    seconds: float | None = None
    started: float | None = None
    finished: float | None = None
    notes: tuple[str, ...] = ()
    is_rerun: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a call's arguments as it arrived, `seconds` after the call began."""

    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A likely cause of a tool problem; `flags` are server options to try."""

    code: Literal[
        "call_as_text", "call_in_reasoning", "undeclared_tool", "refused_tools", "required_ignored", "server_parser",
        "tools_unsupported", "reasoning_as_text",
    ]  # fmt: skip
    message: str
    flags: tuple[str, ...] = ()


class ToolCatalog(Protocol):
    """The tools of a conversation, and its calls, as a screen uses them."""

    @property
    def listings(self) -> Sequence[ToolListing]:
        """Every tool, offered or not."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong with a source, such as a server that did not start."""
        ...

    def switch(self, name: str, *, is_enabled: bool) -> None:
        """Offer a tool in this conversation or stop offering it."""
        ...

    def approve_change(self, name: str) -> None:
        """Accept a tool as it is now, after the person has read it."""
        ...

    @property
    def records(self) -> Sequence[CallRecord]:
        """Every call so far, oldest first."""
        ...

    async def check(self, name: str, arguments: JsonObject) -> Verdict:
        """Hold arguments against a tool's schema; raises ConfigurationError for an unknown name."""
        ...

    async def run_again(self, call: ToolCallBlock, arguments: JsonObject | None = None) -> CallRecord:
        """Run a call once more because the person said so, also with other arguments; the model is not told."""
        ...
