"""Hints of a turn: what an answer or an error suggests is noted, once, and only where tools were offered."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.chat_app import running_chat
from tests.support.scripted_provider import FixedTools, ScriptedBackend, ScriptedProvider, Step, StillClock, answer
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import InvalidRequest
from vllm_tui.domain.events import Notice
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.conversation import Conversation, TurnSettings
from vllm_tui.engine.events import TurnEvent, TurnFinished
from vllm_tui.engine.memory import MemoryTranscript
from vllm_tui.tools.advice import ToolAdviser

WEATHER = ToolSpec(
    name="get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
AS_TEXT = '```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```'
CALL = ToolCallBlock(id="c", name="get_weather", input={"city": "Paris"})


class Weather(FixedTools):
    """The weather, offered or not."""

    def __init__(self, *, is_offered: bool = True) -> None:
        super().__init__(get_weather="21")
        self.specs = (WEATHER,) if is_offered else ()


async def events_of(
    *scripts: Sequence[Step], tools: Weather | None = None, choice: str | None = None, again: bool = False
) -> list[TurnEvent]:
    conversation = Conversation(
        ScriptedProvider(*scripts), MemoryTranscript(), StillClock(), toolbox=tools or Weather(), adviser=ToolAdviser()
    )
    settings = TurnSettings(model="Qwen/Qwen3-8B", tool_choice=choice)
    found = [event async for event in conversation.ask("weather in Paris?", settings)]
    if again:
        found += [event async for event in conversation.continue_answer(settings)]
    return found


def hints(events: Sequence[TurnEvent]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice) and event.code == "tool_hint"]


def notes(events: Sequence[TurnEvent]) -> list[str]:
    (last,) = [event for event in events[-1:] if isinstance(event, TurnFinished)]
    return list(last.turn.notes)


async def test_a_call_written_as_text_is_noted_with_the_flags_to_try() -> None:
    events = await events_of(answer(AS_TEXT))
    (hint,) = hints(events)
    assert "get_weather written as text" in hint
    assert hint.endswith("Start the server with: --enable-auto-tool-choice --tool-call-parser hermes")
    assert notes(events) == [hint]


async def test_no_alarm_when_no_tools_were_offered() -> None:
    assert hints(await events_of(answer(AS_TEXT), tools=Weather(is_offered=False))) == []
    assert hints(await events_of(answer(AS_TEXT), choice="none")) == []


async def test_no_alarm_for_json_that_is_no_call() -> None:
    assert hints(await events_of(answer('```json\n{"name": "Ada", "age": 36}\n```'))) == []


async def test_json_after_a_call_that_came_through_is_no_lost_call() -> None:
    assert hints(await events_of(answer(call=CALL), answer('The input was {"city": "Paris"}.'))) == []


async def test_one_hint_for_one_cause_in_a_turn() -> None:
    unknown = [ToolCallBlock(id=str(number), name="other", input={}) for number in range(2)]
    events = await events_of(answer(call=unknown[0]), answer(call=unknown[1]), answer("Done."))
    assert len(hints(events)) == 1


async def test_an_answer_that_is_continued_is_not_noted_twice() -> None:
    events = await events_of(answer(AS_TEXT, status="incomplete"), again=True)
    assert len(hints(events)) == 1
    assert len(notes(events)) == 1


async def test_an_error_about_tools_is_noted_before_the_turn_ends() -> None:
    error = InvalidRequest('"auto" tool choice requires --enable-auto-tool-choice', status=400)
    events = await events_of([error])
    (hint,) = hints(events)
    assert "--tool-call-parser hermes" in hint
    assert notes(events) == [hint]


async def test_the_transcript_shows_the_hint_and_shows_it_again_after_a_restart() -> None:
    class Backend(ScriptedBackend):
        def _conversation(self, turns: Sequence[Turn]) -> Conversation:
            made = super()._conversation(turns)
            return Conversation(
                self.provider, self.kept, StillClock(), toolbox=self.tools, adviser=ToolAdviser(), turns=made.turns
            )

    backend = Backend(ScriptedProvider(answer(AS_TEXT)), tools=Weather())
    async with running_chat(backend=backend) as chat:
        await chat.ask("weather?")
        await chat.until(lambda: "written as text" in chat.rows)
    stored = tuple(backend.kept.turns.values())
    async with running_chat(backend=Backend(tools=Weather(), stored=stored), resume=True) as chat:
        await chat.until(lambda: "written as text" in chat.rows)
        assert chat.rows.count("written as text") == 1
