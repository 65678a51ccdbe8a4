"""The tools of a conversation at work: check, ask, run, answer. Every call gets an answer, and a record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import assert_never

from vllm_tui.domain.blocks import ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.tool_runs import (
    AnswerByHand,
    Approver,
    CallRecord,
    CallRequest,
    CallState,
    Decision,
    FieldVerdict,
    Refuse,
    RunAlways,
    RunEdited,
    RunOnce,
    ToolListing,
    Verdict,
)
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.policy import MayNotRun, MayRun, MustAsk, Policy, is_match
from vllm_tui.tools.registry import Registry
from vllm_tui.tools.runner import Limits, run_tool
from vllm_tui.tools.schema import oversize
from vllm_tui.tools.tool import Tool, call_fingerprint
from vllm_tui.tools.verdict import check_arguments

_Answer = Callable[[CallRecord, Tool], Awaitable[CallRecord]]
_NOBODY = "It needs the approval of a person, and nobody can be asked here"


class CheckedToolbox:
    """Answers calls with tools of a registry, under a policy; asks `approver` where the policy says so.

    `on_change` is told of every change of a call's record, on the event loop. Nothing here raises for what a model
    or a tool does; CancelledError passes through once the running tool has been stopped.
    """

    def __init__(
        self,
        registry: Registry,
        policy: Policy | None = None,
        approver: Approver | None = None,
        *,
        limits: Limits | None = None,
        on_change: Callable[[CallRecord], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self.policy = policy or Policy()
        self.approver = approver
        self.limits = limits or Limits()
        self._on_change = on_change
        self._monotonic = monotonic
        self._records: list[CallRecord] = []

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """Return what is offered to the model now."""
        return tuple(spec for spec in self.registry.specs if self.policy.is_offered(spec.name))

    @property
    def listings(self) -> Sequence[ToolListing]:
        """Return every tool, offered or not."""
        return self.registry.listings

    @property
    def notes(self) -> Sequence[str]:
        """Return what went wrong with a source."""
        return self.registry.notes

    @property
    def records(self) -> Sequence[CallRecord]:
        """Return every call so far, oldest first."""
        return tuple(self._records)

    def switch(self, name: str, *, is_enabled: bool) -> None:
        """Offer a tool in this conversation or stop offering it; raises ConfigurationError for an unknown name."""
        self.registry.switch(name, is_enabled=is_enabled)

    def approve_change(self, name: str) -> None:
        """Accept a changed tool as it is now; raises ConfigurationError for an unknown name."""
        self.registry.approve_change(name)

    async def check(self, name: str, arguments: JsonObject) -> Verdict:
        """Hold arguments against a tool's schema; raises ConfigurationError for an unknown name."""
        return await asyncio.to_thread(check_arguments, self.registry.spec(name).parameters, arguments)

    async def run(self, call: ToolCallBlock) -> Message:
        """Answer a call with a tool message; refusals and failures are answers too."""
        record = await self._work(call, self._answer)
        assert record.result is not None
        return record.result

    async def run_again(self, call: ToolCallBlock, arguments: JsonObject | None = None) -> CallRecord:
        """Run a call once more because the person said so, also with other arguments; no answer reaches the model."""

        async def answer(record: CallRecord, tool: Tool) -> CallRecord:
            chosen = record.arguments if arguments is None else arguments
            if chosen is None or tool.function is None:
                return self._settle(record, "refused", "There is nothing to run: edit the arguments or answer by hand.")
            return await self._execute(record, tool, chosen, notes=("run by hand",))

        return await self._work(call, answer, is_rerun=True)

    async def _work(self, call: ToolCallBlock, answer: _Answer, *, is_rerun: bool = False) -> CallRecord:
        number = len(self._records)
        record = CallRecord(number, call, "waiting", started=self._monotonic(), is_rerun=is_rerun)
        self._records.append(record)
        tool = self.registry.offered(call.name) if self.policy.is_offered(call.name) else None
        if tool is None:
            return self._settle(record, "unknown", self._unknown_words(call.name))
        try:
            record = await self._checked(record, tool)
            return await answer(record, tool)
        except asyncio.CancelledError:
            self._settle(self._records[record.number], "cancelled", "The call was cancelled.")
            raise

    async def _checked(self, record: CallRecord, tool: Tool) -> CallRecord:
        given = record.call.input
        if isinstance(given, str):
            problem = record.call.problem or "the arguments are not a JSON object"
            verdict = Verdict((FieldVerdict("", "a JSON object", "text", problem),))
            return self._keep(replace(record, tool=self.registry.listing(tool.name), verdict=verdict))
        verdict = await asyncio.to_thread(check_arguments, tool.spec.parameters, given)
        usable = None if oversize(given) else given
        return self._keep(replace(record, tool=self.registry.listing(tool.name), verdict=verdict, arguments=usable))

    async def _answer(self, record: CallRecord, tool: Tool) -> CallRecord:
        permission = self.policy.permission(tool, record.arguments or {})
        match permission:
            case MayNotRun(why):
                return self._settle(record, "refused", f"The call was refused: {why}.")
            case MayRun() if record.verdict.is_valid and record.arguments is not None:
                return await self._execute(record, tool, record.arguments)
            case MayRun() if tool.pure or self.approver is None:
                return self._settle(record, "invalid", invalid_words(record.verdict))
            case MayRun():
                return await self._ask(record, tool, "its arguments do not fit the schema")
            case MustAsk(why):
                return await self._ask(record, tool, why)
            case _:
                assert_never(permission)

    async def _ask(self, record: CallRecord, tool: Tool, why: str) -> CallRecord:
        if self.approver is None:
            return self._settle(record, "refused", f"{_NOBODY}: {why}.")
        assert record.tool is not None
        given = record.arguments if record.arguments is not None else (record.call.raw_arguments or "")
        fingerprint = call_fingerprint(tool.name, given)
        request = CallRequest(
            record.call, record.tool, record.arguments, record.verdict, fingerprint, why, record.number
        )
        decision = await self.approver.decide(request)
        record = self._keep(replace(record, decision=decision))
        now = self.registry.offered(tool.name)
        if now is None or now.fingerprint != tool.fingerprint:
            return self._settle(record, "refused", "The tool changed while it was being decided; nothing ran.")
        return await self._decided(record, tool, decision, fingerprint)

    async def _decided(self, record: CallRecord, tool: Tool, decision: Decision, fingerprint: str) -> CallRecord:
        match decision:
            case RunOnce(approved) | RunAlways(approved):
                return await self._approved(record, tool, decision, approved == fingerprint)
            case RunEdited(arguments):
                verdict = await asyncio.to_thread(check_arguments, tool.spec.parameters, arguments)
                record = self._keep(replace(record, verdict=verdict))
                return await self._execute(record, tool, arguments, notes=("the arguments were edited",))
            case AnswerByHand(text, is_error):
                return self._settle(record, "answered", text, is_error=is_error, notes=("answered by hand",))
            case Refuse(reason):
                words = f" Reason: {reason}" if reason else ""
                return self._settle(record, "refused", f"The person refused this call.{words}")
            case _:
                assert_never(decision)

    async def _approved(
        self, record: CallRecord, tool: Tool, decision: RunOnce | RunAlways, is_same: bool
    ) -> CallRecord:
        if not is_same:
            return self._settle(record, "refused", "The approval was for another call; nothing ran.")
        if record.arguments is None:
            return self._settle(record, "invalid", invalid_words(record.verdict))
        if isinstance(decision, RunAlways) and is_match(decision.pattern, record.arguments):
            self.policy.remember(tool, decision.pattern)
        return await self._execute(record, tool, record.arguments)

    async def _execute(
        self, record: CallRecord, tool: Tool, arguments: JsonObject, notes: tuple[str, ...] = ()
    ) -> CallRecord:
        if tool.function is None:
            return self._settle(record, "refused", "The tool has no program behind it; answer it by hand.")
        running = self._keep(replace(record, state="running", arguments=arguments))
        ran = await run_tool(tool, arguments, self.limits, self._monotonic)
        running = replace(running, seconds=ran.seconds)
        return self._settle(running, ran.state, ran.output, is_error=ran.is_error, notes=(*notes, *ran.notes))

    def _settle(
        self,
        record: CallRecord,
        state: CallState,
        output: JsonValue,
        *,
        is_error: bool = True,
        notes: tuple[str, ...] = (),
    ) -> CallRecord:
        call = record.call
        block = ToolResultBlock(tool_call_id=call.id, output=output, is_error=is_error)
        facts: JsonObject = {"state": state, "seconds": record.seconds, "notes": list(notes)}
        if record.arguments is not None and record.arguments != call.input:
            facts["arguments"] = record.arguments
        result = Message(
            role="tool", content=(block,), tool_call_id=call.id, name=call.name or None, metadata={"tool": facts}
        )
        return self._keep(replace(record, state=state, result=result, notes=notes, finished=self._monotonic()))

    def _keep(self, record: CallRecord) -> CallRecord:
        self._records[record.number] = record
        if self._on_change is not None:
            self._on_change(record)
        return record

    def _unknown_words(self, name: str) -> str:
        known = ", ".join(spec.name for spec in self.specs)
        return f"There is no tool called {name!r}. " + (f"Tools: {known}." if known else "No tools are offered.")


def invalid_words(verdict: Verdict) -> str:
    """Tell the model what is wrong with its arguments, so that it can call again."""
    listed = "; ".join(f"{entry.path or 'arguments'}: {entry.problem}" for entry in verdict.problems[:10])
    return f"The arguments can't be used, nothing ran. {listed}."
