from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vllm_tui.domain.blocks import ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.budget import FitResult, estimate_tokens, fit_messages
from vllm_tui.domain.messages import Message, ToolSpec


def ten_each(messages: Sequence[Message]) -> int:
    return 10 * len(messages)


def said(role: str, text: str = "x") -> Message:
    return Message.model_validate({"role": role, "content": text})


def call(name: str) -> Message:
    return Message(role="assistant", content=(ToolCallBlock(id=name, name="f"),))


def result(name: str) -> Message:
    return Message(role="tool", content="out", tool_call_id=name)


SYSTEM, DEVELOPER = said("system", "be kind"), said("developer", "be short")
FIRST = (said("user", "1"), call("a"), result("a"), said("assistant", "one"))
SECOND = (said("user", "2"), said("assistant", "two"))
NEWEST = (said("user", "3"), call("b"), result("b"))
TALK = (SYSTEM, *FIRST, DEVELOPER, *SECOND, *NEWEST)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (110, FitResult(TALK, 0, 0, 110, True)),
        (109, FitResult((SYSTEM, DEVELOPER, *SECOND, *NEWEST), 4, 1, 70, True)),
        (69, FitResult((SYSTEM, DEVELOPER, *NEWEST), 6, 2, 50, True)),
        (49, FitResult((SYSTEM, DEVELOPER, *NEWEST), 6, 2, 50, False)),
        (-1, FitResult((SYSTEM, DEVELOPER, *NEWEST), 6, 2, 50, False)),
    ],
)
def test_the_oldest_whole_turns_go_and_standing_messages_stay(room: int, expected: FitResult) -> None:
    assert fit_messages(TALK, room, ten_each) == expected


def test_nothing_goes_without_a_user_message() -> None:
    talk = (SYSTEM, said("assistant"))
    assert fit_messages(talk, 5, ten_each) == FitResult(talk, 0, 0, 20, False)
    assert fit_messages((), 0, ten_each) == FitResult((), 0, 0, 0, True)


def test_a_greeting_before_the_first_question_goes_without_counting_as_a_turn() -> None:
    newest = said("user")
    assert fit_messages((said("assistant"), newest), 10, ten_each) == FitResult((newest,), 1, 0, 10, True)


def test_a_late_result_holds_its_call_s_turn_back() -> None:
    talk = (said("user"), call("a"), said("user"), result("a"), said("user"))
    assert fit_messages(talk, 40, ten_each) == FitResult(talk[4:], 4, 2, 10, True)
    kept = talk[:4]
    assert fit_messages(kept, 20, ten_each) == FitResult(kept, 0, 0, 40, False)


def test_an_id_used_again_belongs_to_the_latest_call() -> None:
    turn = (said("user"), call("call_0"), result("call_0"))
    assert fit_messages((*turn, *turn), 30, ten_each) == FitResult(turn, 3, 1, 30, True)


def test_a_user_message_of_results_only_is_no_turn() -> None:
    answer = Message(role="user", content=(ToolResultBlock(tool_call_id="other", output="x"),))
    talk = (said("user"), said("assistant"), answer)
    assert fit_messages(talk, 10, ten_each) == FitResult(talk, 0, 0, 30, False)


def test_a_long_talk_is_counted_a_few_times_only() -> None:
    asked: list[int] = []

    def count(messages: Sequence[Message]) -> int:
        asked.append(len(messages))
        return ten_each(messages)

    found = fit_messages([said("user")] * 1000, 5005, count)
    assert (found.dropped_turns, found.tokens, found.fits) == (500, 5000, True)
    assert len(asked) < 15


@given(
    st.lists(st.sampled_from(["system", "user", "assistant", "call", "result"]), max_size=12),
    st.integers(0, 130),
)
def test_no_result_ever_loses_its_call(kinds: list[str], room: int) -> None:
    made = {"call": call("a"), "result": result("a")}
    talk = [(made.get(kind) or said(kind)).model_copy(update={"name": str(place)}) for place, kind in enumerate(kinds)]
    found = fit_messages(talk, room, ten_each)
    kept = [int(message.name or "") for message in found.messages]
    assert kept == sorted(kept)
    assert found.dropped_messages == len(talk) - len(kept)
    assert found.fits == (found.tokens <= room)
    for place in (place for place in kept if kinds[place] == "result" and "call" in kinds[:place]):
        assert max(before for before in range(place) if kinds[before] == "call") in kept


def test_an_estimate_counts_characters_messages_tools_and_images() -> None:
    blocks = Message(
        role="assistant",
        content=(
            TextBlock(text="t" * 10),
            ThinkingBlock(thinking="h" * 6),
            ToolCallBlock(id="a", name="call", input={"q": 1}),
            ToolResultBlock(tool_call_id="a", output="o" * 12),
            ImageBlock(source={"type": "url", "url": "https://example.org/a.png"}),
        ),
    )
    tool = ToolSpec(name="find", description="d" * 6, parameters={})
    assert estimate_tokens(()) == 0
    assert estimate_tokens([said("user", "x" * 9)]) == 3 + 4
    assert estimate_tokens([said("user", "x" * 9)], ratio=3.0) == 3 + 4
    assert estimate_tokens([blocks], [tool]) == 13 + 1000 + 8
