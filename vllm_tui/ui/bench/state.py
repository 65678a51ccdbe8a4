"""What the bench is to ask and what it measured; kept while the program runs, with or without its screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vllm_tui.domain.tool_bench import DEFAULT_RUNS, BenchPlan, BenchRun

if TYPE_CHECKING:
    from vllm_tui.domain.messages import ToolSpec
    from vllm_tui.domain.tool_runs import ToolCatalog
    from vllm_tui.ui.dialogue import Dialogue
    from vllm_tui.ui.launch import Launch

RUN_CHOICES = (5, 10, 20, 50, 100)
TOOL_CHOICES = ("as configured", "auto", "none", "required")
"""What may be asked of the model, beside the name of a tool."""


@dataclass(frozen=True, slots=True)
class BenchFacts:
    """What there is to choose from: the model, its efforts, the tools that are ready, and which of them are offered."""

    server: str
    model: str
    effort: str | None
    efforts: tuple[str | None, ...]
    tools: tuple[ToolSpec, ...]
    offered: tuple[str, ...]
    question: str
    system: str | None


def bench_facts(launch: Launch, tools: ToolCatalog | None, talk: Dialogue) -> BenchFacts:
    """Return what the conversation knows now."""
    ready = [entry for entry in (tools.listings if tools else ()) if entry.readiness == "ready"]
    return BenchFacts(
        server=launch.server,
        model=talk.model,
        effort=talk.effort,
        efforts=tuple(talk.efforts.levels(talk.model)),
        tools=tuple(entry.spec for entry in ready),
        offered=tuple(entry.name for entry in ready if entry.is_enabled),
        question=talk.turns[-1].question.text if talk.turns else "",
        system=launch.instructions,
    )


@dataclass
class Bench:
    """The choices of the person and the runs so far; `outcome` says how the last measurement ended."""

    facts: BenchFacts | None = None
    prompt: str = ""
    tools: tuple[str, ...] = ()
    efforts: tuple[str | None, ...] = ()
    expected: str | None = None
    tool_choice: str | None = None
    count: int = DEFAULT_RUNS
    plan: BenchPlan | None = None
    runs: list[BenchRun] = field(default_factory=list)
    outcome: str = ""
    _filled: str = ""

    def begin(self, facts: BenchFacts) -> None:
        """Take what can be chosen now; what the person chose stays where it still can be."""
        is_first = self.facts is None
        self.facts = facts
        names = [tool.name for tool in facts.tools]
        kept = facts.offered if is_first else self.tools
        self.tools = tuple(name for name in kept if name in names) or facts.offered
        self.efforts = tuple(level for level in self.efforts if level in facts.efforts) or (facts.effort,)
        if self.expected not in names:
            self.expected = None
        if self.prompt == self._filled:
            self.prompt = self._filled = facts.question

    def wanted(self) -> BenchPlan:
        """Return what would be asked now."""
        facts = self.facts
        assert facts is not None, "begin() comes first"
        return BenchPlan(
            prompt=self.prompt,
            tools=tuple(tool for tool in facts.tools if tool.name in self.tools),
            runs=self.count,
            efforts=self.efforts,
            expected=self.expected if self.expected in self.tools else None,
            tool_choice=self.tool_choice,
            model=facts.model,
            system=facts.system,
        )

    def start(self) -> BenchPlan:
        """Forget the runs so far and return what is asked from now on."""
        self.plan, self.runs, self.outcome = self.wanted(), [], ""
        return self.plan


def effort_word(effort: str | None) -> str:
    """Return how an effort is written; None is not sent."""
    return effort or "default"


def listed(words: Sequence[str], none: str) -> str:
    """Return words with commas, `none` when there are none."""
    return ", ".join(words) or none


def shorten(text: str, length: int) -> str:
    """Return a text of at most `length` characters; a cut one ends in `…`."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
