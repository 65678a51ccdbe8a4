"""The turn loop: order of recording, tools, errors, cancellation, retry and continuation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from scripted import Journal, ScriptedProvider, ScriptedToolbox, Step, StillClock, answer, block_events, call, result_of
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock
from vllm_tui.domain.errors import ConnectionFailed, StorageError, StreamInterrupted
from vllm_tui.domain.events import BlockDelta, HistoryTrimmed, Notice, ResponseFinished
from vllm_tui.domain.messages import Message
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.turns import Timing
from vllm_tui.domain.usage import Usage
from vllm_tui.engine.conversation import Conversation, TurnSettings
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from vllm_tui.engine.turn_run import PROGRESS_SECONDS

HELLO = TextBlock(text="Hello there")


def talk(provider: ScriptedProvider, journal: Journal, toolbox: ScriptedToolbox | None = None) -> Conversation:
    return Conversation(provider, journal, StillClock(), toolbox=toolbox, conversation_id="c")


async def run(events: AsyncGenerator[TurnEvent, None]) -> list[TurnEvent]:
    async with aclosing(events):
        return [event async for event in events]


async def test_the_question_is_recorded_before_the_request_leaves() -> None:
    log: list[str] = []
    conversation = talk(ScriptedProvider(answer(HELLO), log=log), Journal(log))
    events = await run(conversation.ask("Hi"))
    assert log == ["start", "request", "finish completed"]
    assert [type(event) for event in events[:2]] == [TurnStarted, RequestStarted]
    assert events[-1] == TurnFinished(conversation.turns[-1], None)


async def test_nothing_is_asked_when_the_question_can_not_be_kept() -> None:
    provider, journal = ScriptedProvider(answer(HELLO)), Journal()
    journal.failing = {"start"}
    conversation = talk(provider, journal)
    with pytest.raises(StorageError):
        await run(conversation.ask("Hi"))
    assert (provider.requests, conversation.turns) == ([], [])
    journal.failing = set()
    assert isinstance((await run(conversation.ask("Hi")))[-1], TurnFinished)


async def test_a_round_keeps_answer_usage_times_and_facts() -> None:
    usage = Usage(input_tokens=3, output_tokens=2, total_tokens=5)
    script = answer(
        ThinkingBlock(thinking="Hm ok"), HELLO, usage=usage, response_id="r1", metadata={"vllm:status": "completed"}
    )
    conversation = talk(ScriptedProvider(script), Journal())
    await run(conversation.ask("Hi", TurnSettings(model="m", effort="low")))
    (turn,) = conversation.turns
    (entry,) = turn.rounds
    assert (turn.model, turn.effort, turn.created, turn.status) == ("m", "low", 1000.0, "completed")
    assert entry.answer == Message(
        role="assistant",
        content=(ThinkingBlock(thinking="Hm ok"), HELLO),
        metadata={"vllm:status": "completed", "vllm:response_id": "r1"},
    )
    assert (entry.usage, entry.response_id) == (usage, "r1")
    assert entry.timing == Timing(first_event=1.0, first_token=2.0, first_answer=6.0, elapsed=7.0)


async def test_the_next_request_brings_system_history_and_question() -> None:
    provider = ScriptedProvider(answer(HELLO), answer(HELLO))
    conversation = talk(provider, Journal())
    await run(conversation.ask("One"))
    await run(conversation.ask((TextBlock(text="Two"),), TurnSettings(system="Be brief.")))
    assert provider.requests[1].messages == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="One"),
        Message(role="assistant", content=(HELLO,)),
        Message(role="user", content=(TextBlock(text="Two"),)),
    )
    assert [turn.parent_id for turn in conversation.turns] == [None, conversation.turns[0].id]
    assert len(conversation.history()) == 4


async def test_an_answer_is_noted_while_it_streams_even_if_nothing_more_comes() -> None:
    stall = asyncio.Event()
    journal = Journal()
    conversation = talk(ScriptedProvider([*block_events(0, HELLO), stall, *answer(HELLO)]), journal)
    running = asyncio.create_task(run(conversation.ask("Hi")))
    async with asyncio.timeout(PROGRESS_SECONDS * 10):
        while "progress" not in journal.log:  # noqa: ASYNC110 - the loop's own timer is what is tested
            await asyncio.sleep(0.01)
    assert journal.states[-1].messages[1:] == (Message(role="assistant", content=(HELLO,)),)
    assert journal.states[-1].status == "running"
    stall.set()
    await running
    assert journal.log == ["start", "progress", "finish completed"]


async def test_tools_run_and_the_model_goes_on() -> None:
    provider = ScriptedProvider(answer(call("a")), answer(HELLO))
    toolbox = ScriptedToolbox()
    journal = Journal()
    conversation = talk(provider, journal, toolbox)
    events = await run(conversation.ask("Look", TurnSettings(tool_choice="required")))
    assert [event for event in events if isinstance(event, RequestStarted)] == [RequestStarted(0), RequestStarted(1)]
    assert ToolRunStarted(call("a")) in events
    assert any(isinstance(event, ToolRunFinished) and event.result == result_of("a") for event in events)
    assert provider.requests[1].messages[1:] == (
        Message(role="assistant", content=(call("a"),)),
        result_of("a"),
    )
    assert [(r.tool_choice, r.tools) for r in provider.requests] == [
        ("required", toolbox.specs),
        (None, toolbox.specs),
    ]
    assert conversation.turns[0].status == "completed"
    assert journal.log == ["start", "progress", "finish completed"]


async def test_calls_of_one_answer_run_at_once_and_keep_their_order() -> None:
    toolbox = ScriptedToolbox()
    toolbox.gates = {"a": asyncio.Event()}
    conversation = talk(ScriptedProvider(answer(call("a"), call("b")), answer(HELLO)), Journal(), toolbox)
    finished: list[str] = []
    async with aclosing(conversation.ask("Look")) as events:
        async for event in events:
            if isinstance(event, ToolRunFinished):
                finished.append(event.call.id)
                toolbox.gates["a"].set()
    assert finished == ["b", "a"]
    assert conversation.turns[0].rounds[0].tool_results == (result_of("a"), result_of("b"))


async def test_after_the_last_round_of_tools_the_model_must_answer_without_them() -> None:
    provider = ScriptedProvider(*[answer(call(name)) for name in "abc"])
    toolbox = ScriptedToolbox()
    conversation = talk(provider, Journal(), toolbox)
    events = await run(conversation.ask("Look", TurnSettings(max_tool_rounds=2)))
    assert [request.tool_choice for request in provider.requests] == [None, None, "none"]
    assert toolbox.calls == ["a", "b"]
    notice = Notice("tool_limit", "Stopped after 2 rounds of tools; its calls did not run.")
    assert events[-2:] == [notice, TurnFinished(conversation.turns[0], None)]
    assert conversation.turns[0].notes == (notice.message,)


async def test_calls_without_a_toolbox_are_left_alone() -> None:
    conversation = talk(ScriptedProvider(answer(call("a"))), Journal())
    await run(conversation.ask("Look"))
    assert (conversation.turns[0].status, conversation.turns[0].rounds[0].tool_results) == ("completed", ())


async def test_an_error_ends_the_turn_with_what_had_come() -> None:
    error = StreamInterrupted("It broke off.", hint="Try again.", partial=ChatResponse(response_id="r9"))
    conversation = talk(ScriptedProvider([*block_events(0, HELLO), error]), Journal())
    events = await run(conversation.ask("Hi"))
    (turn,) = conversation.turns
    assert events[-1] == TurnFinished(turn, error)
    assert (turn.status, turn.error) == ("interrupted", "It broke off. Try again.")
    assert (turn.rounds[0].answer.content, turn.rounds[0].response_id) == ((HELLO,), "r9")


async def test_an_error_before_any_text_leaves_no_round() -> None:
    conversation = talk(ScriptedProvider([ConnectionFailed("No server.")], answer(HELLO)), Journal())
    await run(conversation.ask("One"))
    assert (conversation.turns[0].status, conversation.turns[0].rounds) == ("failed", ())
    await run(conversation.ask("Two"))
    assert [message.text for message in conversation.history()] == ["Two", "Hello there"]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (answer(HELLO, status="incomplete"), "truncated"),
        (answer(HELLO, status="cancelled"), "cancelled"),
        (block_events(0, HELLO), "interrupted"),
    ],
)
async def test_the_turn_ends_as_its_answer_ended(steps: list[Step], status: str) -> None:
    conversation = talk(ScriptedProvider(steps), Journal())
    await run(conversation.ask("Hi"))
    assert (conversation.turns[0].status, conversation.turns[0].rounds[0].answer.content) == (status, (HELLO,))


async def test_a_mistake_in_the_program_is_raised_and_the_turn_is_kept_as_failed() -> None:
    class Broken(ScriptedToolbox):
        async def run(self, call: object) -> Message:
            raise LookupError(call)

    journal = Journal()
    conversation = talk(ScriptedProvider(answer(call("a"))), journal, Broken())
    with pytest.raises(LookupError):
        await run(conversation.ask("Hi"))
    assert journal.log[-1] == "finish failed"


async def test_notices_and_trims_become_notes_of_the_turn() -> None:
    trim = HistoryTrimmed(4, 2, 100, 200, 50, "estimate")
    steps = [Notice("output_clamped", "Less."), trim, Notice("output_clamped", "Less."), *answer(HELLO)]
    conversation = talk(ScriptedProvider(steps), Journal())
    await run(conversation.ask("Hi"))
    assert conversation.turns[0].notes == (
        "Less.",
        "The oldest 4 messages were left out to fit the context window.",
    )


async def test_a_failing_save_is_told_once_and_repeated_at_the_end() -> None:
    journal = Journal()
    conversation = talk(ScriptedProvider(answer(HELLO)), journal)
    journal.failing = {"progress"}
    events = await run(conversation.ask("Hi"))
    notices = [event for event in events if isinstance(event, Notice)]
    assert [(n.code, n.message) for n in notices] == [
        ("not_saved", "The answer is not being saved; it will be tried again. The disk is full.")
    ]
    assert journal.turns[conversation.turns[0].id] == conversation.turns[0]


async def test_a_turn_that_could_not_be_saved_stays_and_is_saved_before_the_next() -> None:
    journal = Journal()
    conversation = talk(ScriptedProvider(answer(HELLO), answer(HELLO)), journal)
    journal.failing = {"finish"}
    events = await run(conversation.ask("Hi"))
    assert events[-2:] == [
        Notice("not_saved", "This turn is not saved. The disk is full. Free some space."),
        TurnFinished(conversation.turns[0], None),
    ]
    assert conversation.turns[0].rounds[0].answer.content == (HELLO,)
    with pytest.raises(StorageError):
        await run(conversation.ask("Next"))
    journal.failing = set()
    journal.log.clear()
    await run(conversation.ask("Next"))
    assert journal.log == ["finish completed", "start", "finish completed"]


async def test_leaving_the_loop_early_keeps_what_came() -> None:
    provider, journal = ScriptedProvider(answer(HELLO)), Journal()
    conversation = talk(provider, journal)
    async with aclosing(conversation.ask("Hi")) as events:
        async for event in events:
            if isinstance(event, BlockDelta):
                break
    assert (provider.open_streams, conversation.turns[0].status) == (0, "cancelled")
    assert conversation.turns[0].rounds[0].answer.text == "Hello"
    assert journal.turns[conversation.turns[0].id] == conversation.turns[0]


async def test_a_turn_cancelled_at_any_await_is_kept_and_the_next_one_works() -> None:
    steps = 0
    is_through = False
    while not is_through:
        is_through = await _cancel_after(steps)
        steps += 1
    assert steps > 20


async def _cancel_after(steps: int) -> bool:
    """Cancel a turn with two rounds after so many steps of the event loop; return whether it was over before."""
    provider = ScriptedProvider(
        answer(ThinkingBlock(thinking="Hm ok"), call("a"), call("b")), answer(HELLO), answer(HELLO), answer(HELLO)
    )
    toolbox, journal = ScriptedToolbox(), Journal()
    conversation = talk(provider, journal, toolbox)
    before = asyncio.all_tasks()
    running = asyncio.create_task(run(conversation.ask("Look")))
    for _ in range(steps):
        await asyncio.sleep(0)
    is_over = running.done()
    running.cancel()
    if not is_over:
        with pytest.raises(asyncio.CancelledError):
            await running
    await conversation.settle()
    assert (provider.open_streams, toolbox.running, asyncio.all_tasks()) == (0, 0, before)
    assert all(turn.status in ("cancelled", "completed") for turn in journal.turns.values())
    assert all(journal.turns[turn.id] == turn for turn in conversation.turns)
    events = await run(conversation.ask("Next"))
    assert isinstance(events[-1], TurnFinished)
    assert_roles_are_valid(provider.requests[-1].messages)
    return is_over


def assert_roles_are_valid(messages: tuple[Message, ...]) -> None:
    """A user message first, then user and assistant in turn, every call followed by its results."""
    waiting: list[str] = []
    before = "assistant"
    for message in messages:
        if message.role == "tool":
            assert message.tool_call_id == waiting.pop(0)
            before = "tool"
            continue
        assert waiting == []
        assert (before, message.role) in {("assistant", "user"), ("user", "assistant"), ("tool", "assistant")}
        waiting = [entry.id for entry in message.tool_calls]
        before = message.role
    assert (waiting, before in ("user", "tool")) == ([], True)


async def test_a_cancelled_turn_stops_the_tools_that_run_and_keeps_results_that_came() -> None:
    toolbox, journal = ScriptedToolbox(), Journal()
    toolbox.gates = {"b": asyncio.Event()}
    conversation = talk(ScriptedProvider(answer(call("a"), call("b"))), journal, toolbox)
    running = asyncio.create_task(run(conversation.ask("Look")))
    while "progress" not in journal.log:  # noqa: ASYNC110 - any step of the loop may be the one
        await asyncio.sleep(0)
    assert toolbox.running == 1
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=5)
    assert (done, toolbox.running) == ({running}, 0)
    assert running.cancelled()
    (turn,) = conversation.turns
    assert (turn.status, turn.rounds[0].tool_results) == ("cancelled", (result_of("a"),))
    assert journal.turns == {turn.id: turn}


async def test_a_second_cancel_does_not_stop_the_save() -> None:
    journal = Journal()
    stall = asyncio.Event()
    conversation = talk(ScriptedProvider([*block_events(0, HELLO), stall]), journal)
    running = asyncio.create_task(run(conversation.ask("Hi")))
    while not conversation.turns:  # noqa: ASYNC110 - any step of the loop may be the one
        await asyncio.sleep(0)
    journal.gate = asyncio.Event()
    for _ in range(3):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert conversation.turns[0].id in journal.turns
    assert journal.turns[conversation.turns[0].id].status == "running"
    journal.gate.set()
    await conversation.settle()
    assert journal.turns[conversation.turns[0].id] == conversation.turns[0]
    assert conversation.turns[0].status == "cancelled"


async def test_a_save_that_hangs_does_not_hold_up_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vllm_tui.engine.conversation.CANCEL_SECONDS", 0.01)
    journal = Journal()
    conversation = talk(ScriptedProvider([asyncio.Event()]), journal)
    running = asyncio.create_task(run(conversation.ask("Hi")))
    while not conversation.turns:  # noqa: ASYNC110 - any step of the loop may be the one
        await asyncio.sleep(0)
    journal.gate = asyncio.Event()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    journal.gate.set()
    await conversation.settle()
    assert journal.turns[conversation.turns[0].id].status == "cancelled"


async def test_a_question_waits_for_the_turn_before_it() -> None:
    log: list[str] = []
    stall = asyncio.Event()
    conversation = talk(ScriptedProvider([stall, *answer(HELLO)], answer(HELLO), log=log), Journal(log))
    first = asyncio.create_task(run(conversation.ask("One")))
    second = asyncio.create_task(run(conversation.ask("Two")))
    await asyncio.sleep(0)
    stall.set()
    await asyncio.gather(first, second)
    assert log == ["start", "request", "finish completed"] * 2
    assert [turn.question.text for turn in conversation.turns] == ["One", "Two"]


async def test_answering_again_makes_an_alternative_with_the_same_parent() -> None:
    provider, journal = ScriptedProvider(*[answer(HELLO)] * 3), Journal()
    conversation = talk(provider, journal)
    await run(conversation.ask("One"))
    await run(conversation.ask("Two"))
    first, second = conversation.turns
    events = await run(conversation.retry(TurnSettings(effort="high")))
    third = conversation.turns[-1]
    assert events[0] == TurnStarted(third.model_copy(update={"rounds": (), "status": "running"}), replaced=second.id)
    assert conversation.turns == [first, third]
    assert (third.parent_id, third.question, third.effort) == (first.id, second.question, "high")
    assert provider.requests[2].messages == provider.requests[1].messages
    assert set(journal.turns) == {first.id, second.id, third.id}


async def test_a_cut_answer_goes_on_within_its_turn() -> None:
    provider, journal = (
        ScriptedProvider(answer(TextBlock(text="Be"), status="incomplete"), answer(TextBlock(text="cause."))),
        Journal(),
    )
    conversation = talk(provider, journal)
    assert not conversation.can_continue
    await run(conversation.ask("Why?"))
    cut = conversation.turns[0]
    assert (cut.status, conversation.can_continue) == ("truncated", True)
    events = await run(conversation.continue_answer())
    (turn,) = conversation.turns
    assert events[:2] == [
        TurnStarted(cut.model_copy(update={"status": "running"}), is_resumed=True),
        RequestStarted(1, continues=True),
    ]
    assert provider.requests[1].messages[-1] == Message(
        role="assistant", content=(TextBlock(text="Be"),), metadata={"vllm:continue": True}
    )
    assert (turn.id, turn.status, conversation.can_continue) == (cut.id, "completed", False)
    assert [message.text for message in turn.messages] == ["Why?", "Because."]
    assert journal.turns == {turn.id: turn}


async def test_a_turn_that_failed_after_its_tools_goes_on_without_running_them_again() -> None:
    toolbox = ScriptedToolbox()
    provider = ScriptedProvider(answer(call("a")), [ConnectionFailed("Gone.")], answer(HELLO))
    conversation = talk(provider, Journal(), toolbox)
    await run(conversation.ask("Look"))
    assert conversation.turns[0].status == "failed"
    events = await run(conversation.continue_answer())
    assert RequestStarted(1, continues=False) in events
    assert provider.requests[2].messages == provider.requests[1].messages
    assert (toolbox.calls, conversation.turns[0].status, conversation.turns[0].error) == (["a"], "completed", None)


async def test_a_response_without_content_is_kept_with_its_facts() -> None:
    usage = Usage(input_tokens=1)
    conversation = talk(ScriptedProvider([ResponseFinished(ChatResponse(usage=usage, response_id="r"))]), Journal())
    await run(conversation.ask("Hi"))
    (entry,) = conversation.turns[0].rounds
    assert (entry.answer.content, entry.usage, entry.response_id) == ((), usage, "r")
