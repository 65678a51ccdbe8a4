"""The toolbox: every call is checked, asked for where it must be, run, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest
from vllm_tui.domain.blocks import ToolCallBlock, ToolResultBlock
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.tool_runs import (
    AnswerByHand,
    ArgumentPattern,
    CallRecord,
    CallRequest,
    Decision,
    Refuse,
    RunAlways,
    RunEdited,
    RunOnce,
    ToolCatalog,
)
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.engine.ports import Toolbox
from vllm_tui.tools.policy import Policy
from vllm_tui.tools.registry import Registry, build_builtins
from vllm_tui.tools.runner import Limits
from vllm_tui.tools.tool import Tool, ToolFailed, ToolOutput
from vllm_tui.tools.toolbox import CheckedToolbox

PARAMETERS: JsonObject = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
Answer = Callable[[CallRequest], Decision]


class Person:
    """An approver that decides by a function and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[CallRequest] = []
        self._answer = answer

    async def decide(self, request: CallRequest) -> Decision:
        self.asked.append(request)
        return self._answer(request)


class Machine:
    """A tool that touches the machine and counts its runs."""

    def __init__(self, result: ToolOutput = "fine", error: Exception | None = None) -> None:
        self.runs: list[JsonObject] = []
        self._result = result
        self._error = error

    async def run(self, arguments: JsonObject) -> ToolOutput:
        self.runs.append(arguments)
        if self._error is not None:
            raise self._error
        return self._result

    @property
    def tool(self) -> Tool:
        return Tool(ToolSpec(name="touch", description="Touch.", parameters=PARAMETERS), "file", self.run)


def once(request: CallRequest) -> Decision:
    return RunOnce(request.fingerprint)


def call(name: str = "touch", arguments: JsonObject | str | None = None, problem: str | None = None) -> ToolCallBlock:
    given: JsonObject | str = {"path": "a"} if arguments is None else arguments
    return ToolCallBlock(id="call_1", name=name, input=given, problem=problem)


def box(machine: Machine, answer: Answer | None = None, policy: Policy | None = None) -> CheckedToolbox:
    ticks = count()
    person = None if answer is None else Person(answer)
    registry = Registry([*build_builtins(), machine.tool])
    return CheckedToolbox(registry, policy, person, monotonic=lambda: float(next(ticks)))


def answered(message: Message) -> tuple[JsonValue, bool]:
    assert (message.role, message.tool_call_id) == ("tool", "call_1")
    block = message.content[0]
    assert isinstance(block, ToolResultBlock)
    return block.output, block.is_error


def state(toolbox: CheckedToolbox) -> str:
    return toolbox.records[-1].state


async def test_arguments_can_be_checked_while_they_are_edited() -> None:
    toolbox: ToolCatalog = box(Machine())
    toolbox.switch("touch", is_enabled=False)
    assert (await toolbox.check("touch", {"path": "a"})).is_valid
    assert [entry.problem for entry in (await toolbox.check("touch", {})).problems] == ["is missing"]
    with pytest.raises(ConfigurationError, match="no tool called 'x'"):
        await toolbox.check("x", {})


def test_it_is_the_toolbox_the_engine_wants() -> None:
    toolbox: Toolbox = box(Machine())
    assert [spec.name for spec in toolbox.specs] == ["current_time", "calculator", "stub", "touch"]


async def test_a_pure_tool_runs_at_once_and_its_answer_is_a_tool_message() -> None:
    toolbox = box(Machine())
    message = await toolbox.run(call("calculator", {"expression": "6 * 7"}))
    assert message == Message(
        role="tool",
        content=(ToolResultBlock(tool_call_id="call_1", output="42", is_error=False),),
        tool_call_id="call_1",
        name="calculator",
        metadata={"tool": {"state": "done", "seconds": 1.0, "notes": []}},
    )


async def test_a_tool_that_touches_the_machine_runs_only_when_approved() -> None:
    machine = Machine()
    toolbox = box(machine, once)
    assert answered(await toolbox.run(call())) == ("fine", False)
    assert machine.runs == [{"path": "a"}]
    assert answered(await box(machine).run(call())) == (
        "It needs the approval of a person, and nobody can be asked here: it touches the machine or the network.",
        True,
    )
    assert len(machine.runs) == 1


async def test_the_person_is_shown_what_will_run() -> None:
    machine = Machine()
    toolbox = box(machine, once)
    await toolbox.run(call())
    person = toolbox.approver
    assert isinstance(person, Person)
    request = person.asked[0]
    assert (request.call, request.arguments, request.verdict.is_valid) == (call(), {"path": "a"}, True)
    assert (request.tool.name, len(request.fingerprint)) == ("touch", 64)
    assert request.reason == "it touches the machine or the network"


async def test_an_approval_for_another_call_runs_nothing() -> None:
    machine = Machine()
    toolbox = box(machine, lambda request: RunOnce("0" * 64))
    assert answered(await toolbox.run(call())) == ("The approval was for another call; nothing ran.", True)
    assert machine.runs == []


async def test_always_covers_what_matches_and_asks_for_the_rest() -> None:
    machine = Machine()
    toolbox = box(machine, lambda request: RunAlways(request.fingerprint, ArgumentPattern(globs={"path": "docs/*"})))
    for path in ("docs/a", "docs/b", "src/a", "src/a"):
        await toolbox.run(call(arguments={"path": path}))
    person = toolbox.approver
    assert isinstance(person, Person)
    assert [request.arguments for request in person.asked] == [{"path": p} for p in ("docs/a", "src/a", "src/a")]
    assert len(machine.runs) == 4


async def test_edited_arguments_run_instead_and_the_answer_says_so() -> None:
    machine = Machine()
    toolbox = box(machine, lambda request: RunEdited({"path": "b"}))
    message = await toolbox.run(call(arguments="{broken", problem="not JSON"))
    assert answered(message) == ("fine", False)
    assert machine.runs == [{"path": "b"}]
    assert message.metadata == {
        "tool": {"state": "done", "seconds": 1.0, "notes": ["the arguments were edited"], "arguments": {"path": "b"}}
    }


async def test_an_answer_by_hand_reaches_the_model_and_nothing_runs() -> None:
    machine = Machine()
    toolbox = box(machine, lambda request: AnswerByHand("sunny"))
    assert answered(await toolbox.run(call())) == ("sunny", False)
    assert (machine.runs, state(toolbox)) == ([], "answered")


@pytest.mark.parametrize(
    ("reason", "words"),
    [("", "The person refused this call."), ("not now", "The person refused this call. Reason: not now")],
)
async def test_a_refusal_is_an_answer_with_its_reason(reason: str, words: str) -> None:
    machine = Machine()
    toolbox = box(machine, lambda request: Refuse(reason))
    assert answered(await toolbox.run(call())) == (words, True)
    assert (machine.runs, state(toolbox)) == ([], "refused")


async def test_a_stub_is_answered_by_hand_and_can_not_be_run() -> None:
    assert answered(await box(Machine(), lambda request: AnswerByHand("typed")).run(call("stub", {})))[0] == "typed"
    toolbox = box(Machine(), once)
    assert answered(await toolbox.run(call("stub", {})))[1]
    assert state(toolbox) == "refused"


async def test_an_unknown_tool_is_answered_with_the_known_ones() -> None:
    toolbox = box(Machine(), once)
    words = "There is no tool called 'rm'. Tools: current_time, calculator, stub, touch."
    assert answered(await toolbox.run(call("rm"))) == (words, True)
    assert state(toolbox) == "unknown"


async def test_a_tool_that_was_switched_off_does_not_run() -> None:
    machine = Machine()
    toolbox = box(machine, once)
    toolbox.switch("touch", is_enabled=False)
    await toolbox.run(call())
    assert (machine.runs, state(toolbox)) == ([], "unknown")


async def test_a_tool_switched_off_while_the_person_decides_does_not_run() -> None:
    machine = Machine()

    def answer(request: CallRequest) -> Decision:
        toolbox.switch("touch", is_enabled=False)
        return once(request)

    toolbox = box(machine, answer)
    await toolbox.run(call())
    assert (machine.runs, state(toolbox)) == ([], "refused")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{broken", "arguments: not JSON"),
        ({"expression": 5}, "expression: 5 is not a string"),
        ({}, "expression: is missing"),
        ({"expression": "1", "extra": 1}, "extra: there is no such argument"),
        ({"expression": "x" * 5_000_000}, "arguments: the arguments are larger than 1 MB"),
    ],
    ids=range(5),
)
async def test_bad_arguments_of_a_pure_tool_are_answered_at_once(arguments: JsonObject | str, words: str) -> None:
    toolbox = box(Machine(), once)
    message = await toolbox.run(call("calculator", arguments, "not JSON" if isinstance(arguments, str) else None))
    assert answered(message) == (f"The arguments can't be used, nothing ran. {words}.", True)
    assert state(toolbox) == "invalid"


async def test_arguments_nested_ten_thousand_deep_are_answered_too() -> None:
    value: JsonValue = 1
    for _ in range(10_000):
        value = [value]
    deep = ToolCallBlock.model_construct(id="call_1", name="calculator", input={"expression": value}, problem=None)
    toolbox = box(Machine(), once)
    assert "nested more than 64 levels deep" in str(answered(await toolbox.run(deep))[0])


async def test_a_person_sees_bad_arguments_of_a_tool_that_touches_the_machine() -> None:
    machine = Machine()
    toolbox = box(machine, once)
    await toolbox.run(call(arguments={"path": 5}))
    person = toolbox.approver
    assert isinstance(person, Person)
    assert [entry.problem for entry in person.asked[0].verdict.problems] == ["5 is not a string"]


async def test_text_that_is_no_json_never_runs_even_when_approved() -> None:
    machine = Machine()
    toolbox = box(machine, once)
    words = "The arguments can't be used, nothing ran. arguments: cut off."
    assert answered(await toolbox.run(call(arguments='{"path": "a', problem="cut off"))) == (words, True)
    assert machine.runs == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ToolFailed("No such city."), "No such city."),
        (RuntimeError("boom"), "RuntimeError: boom"),
        (RecursionError(), "RecursionError: "),
    ],
)
async def test_a_tool_that_raises_is_an_error_result(error: Exception, words: str) -> None:
    toolbox = box(Machine(error=error), once)
    assert answered(await toolbox.run(call())) == (words, True)
    assert state(toolbox) == "failed"


async def test_a_tool_that_hangs_is_stopped_at_the_time_limit() -> None:
    stopped = asyncio.Event()

    async def hang(arguments: JsonObject) -> JsonValue:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return None

    tool = Tool(ToolSpec(name="touch"), "file", hang)
    toolbox = CheckedToolbox(Registry([tool]), approver=Person(once), limits=Limits(seconds=0.05))
    message = await toolbox.run(call())
    assert answered(message) == ("touch was stopped: it took longer than 0.05 seconds.", True)
    assert (stopped.is_set(), state(toolbox)) == (True, "timed_out")


async def test_cancelling_a_call_stops_the_tool_and_leaves_a_complete_record() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def hang(arguments: JsonObject) -> JsonValue:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return None

    toolbox = CheckedToolbox(Registry([Tool(ToolSpec(name="touch"), "file", hang)]), approver=Person(once))
    running = asyncio.ensure_future(toolbox.run(call()))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (stopped.is_set(), state(toolbox)) == (True, "cancelled")
    assert toolbox.records[-1].result is not None


async def test_cancelling_while_the_person_decides_withdraws_the_question() -> None:
    asked = asyncio.Event()

    class Slow:
        async def decide(self, request: CallRequest) -> Decision:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    machine = Machine()
    toolbox = CheckedToolbox(Registry([machine.tool]), approver=Slow())
    running = asyncio.ensure_future(toolbox.run(call()))
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (machine.runs, state(toolbox)) == ([], "cancelled")


async def test_with_a_list_only_its_tools_are_offered_and_run() -> None:
    machine = Machine()
    toolbox = box(machine, policy=Policy("listed", ["touch"]))
    assert [spec.name for spec in toolbox.specs] == ["touch"]
    assert answered(await toolbox.run(call())) == ("fine", False)
    assert answered(await toolbox.run(call("calculator", {"expression": "1"})))[1]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"\x00\x01binary", "Binary data: 8 bytes, of an unknown kind, beginning with 00 01 62 69 6e 61 72 79."),
        (b"plain", "plain"),
        ("a\ud800b", "a?b"),
        ({"a": "\ud800"}, {"a": "?"}),
        ({"a": float("nan")}, '{"a": NaN}'),
        ({"a": [1, None]}, {"a": [1, None]}),
        ("x" * 200_000, "x" * 100_000 + "\n[cut to the first 100,000 of 200,000 characters]"),
        ("\x1b[2J\x00", "\x1b[2J\x00"),
    ],
    ids=range(8),
)
async def test_what_a_tool_returns_is_made_fit_to_send(output: ToolOutput, shown: JsonValue) -> None:
    assert answered(await box(Machine(output), once).run(call())) == (shown, False)


async def test_two_calls_at_once_are_kept_apart() -> None:
    toolbox = box(Machine(), once)
    calls = [ToolCallBlock(id=f"c{n}", name="calculator", input={"expression": f"{n} * 2"}) for n in range(20)]
    messages = await asyncio.gather(*(toolbox.run(entry) for entry in calls))
    outputs = [(m.tool_call_id, m.content[0].output) for m in messages if isinstance(m.content[0], ToolResultBlock)]
    assert outputs == [(f"c{n}", str(n * 2)) for n in range(20)]
    assert [record.number for record in toolbox.records] == list(range(20))


async def test_every_change_of_a_record_is_told() -> None:
    seen: list[CallRecord] = []
    machine = Machine()
    toolbox = CheckedToolbox(Registry([machine.tool]), approver=Person(once), on_change=seen.append)
    await toolbox.run(call())
    states = [record.state for record in seen]
    assert (states[0], states[-2:]) == ("waiting", ["running", "done"])
    assert seen[-1] == toolbox.records[-1]


async def test_a_call_can_be_run_again_with_other_arguments_without_asking() -> None:
    machine = Machine()
    toolbox = box(machine, lambda request: Refuse())
    await toolbox.run(call())
    record = await toolbox.run_again(call(), {"path": "b"})
    assert (record.number, record.state, record.arguments, machine.runs) == (1, "done", {"path": "b"}, [{"path": "b"}])
    again = await toolbox.run_again(call(arguments="{broken", problem="not JSON"))
    assert (again.state, len(machine.runs)) == ("refused", 1)
