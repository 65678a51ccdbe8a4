"""What the model is told about earlier turns."""

from __future__ import annotations

import pytest
from scripted import call, result_of
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Round, Turn, TurnStatus, join_content
from vllm_tui.engine.history import NOT_ANSWERED, NOT_RUN, past_messages, running_messages

QUESTION = Message(role="user", content="Why?")


def said(*blocks: Block) -> Message:
    return Message(role="assistant", content=blocks)


def turn(*rounds: Round, status: TurnStatus = "completed") -> Turn:
    return Turn(id="t", conversation_id="c", question=QUESTION, rounds=rounds, status=status)


def not_run(call_id: str) -> Message:
    return Message(role="tool", tool_call_id=call_id, name="look", content=NOT_RUN)


CLOSING = said(TextBlock(text=NOT_ANSWERED))
TEXT = said(TextBlock(text="Because."))
CUT_CALL = ToolCallBlock(id="cut", name="look", input='{"a', raw_arguments='{"a', problem="still streaming")


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        pytest.param((), (), id="a question without an answer is left out"),
        pytest.param((Round(answer=said()),), (), id="an empty answer is none"),
        pytest.param((Round(answer=said(TextBlock(text=" \n"))),), (), id="white space is no answer"),
        pytest.param((Round(answer=said(ThinkingBlock(thinking="Hm"))),), (), id="reasoning alone is no answer"),
        pytest.param((Round(answer=TEXT),), (QUESTION, TEXT), id="a partial answer stays"),
        pytest.param(
            (Round(answer=said(call("a")), tool_results=(result_of("a"),)), Round(answer=TEXT)),
            (QUESTION, said(call("a")), result_of("a"), TEXT),
            id="tool results follow their call",
        ),
        pytest.param(
            (Round(answer=said(call("a"), call("b"), call("c")), tool_results=(result_of("b"),)),),
            (QUESTION, said(call("a"), call("b"), call("c")), not_run("a"), result_of("b"), not_run("c"), CLOSING),
            id="calls that did not run get a result, in call order",
        ),
        pytest.param(
            (Round(answer=said(TextBlock(text="I look."), CUT_CALL)),),
            (QUESTION, said(TextBlock(text="I look."))),
            id="a call cut in its arguments goes",
        ),
        pytest.param((Round(answer=said(CUT_CALL)),), (), id="a cut call alone is no answer"),
        pytest.param(
            (Round(answer=said(CUT_CALL), tool_results=(result_of("cut"),)), Round(answer=TEXT)),
            (QUESTION, said(CUT_CALL), result_of("cut"), TEXT),
            id="a call with wrong arguments stays when it was answered",
        ),
        pytest.param(
            (
                Round(answer=said(call("a"), call("a")), tool_results=(result_of("a"), result_of("a"))),
                Round(answer=TEXT),
            ),
            (QUESTION, said(call("a"), call("a")), result_of("a"), result_of("a"), TEXT),
            id="two calls with one id keep both results",
        ),
        pytest.param(
            (Round(answer=said(TextBlock(text="Be"))), Round(answer=said(TextBlock(text="cause.")), continues=True)),
            (QUESTION, TEXT),
            id="a continued answer is one message",
        ),
    ],
)
def test_past_turns_keep_every_role_in_its_place(rounds: tuple[Round, ...], expected: tuple[Message, ...]) -> None:
    assert past_messages([turn(*rounds)]) == expected


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        pytest.param((), (QUESTION,), id="a new turn is its question"),
        pytest.param(
            (Round(answer=said(call("a")), tool_results=(result_of("a"),)),),
            (QUESTION, said(call("a")), result_of("a")),
            id="tool results end the request",
        ),
        pytest.param(
            (Round(answer=TEXT),),
            (QUESTION, TEXT.model_copy(update={"metadata": {"vllm:continue": True}})),
            id="a cut answer is marked",
        ),
        pytest.param((Round(answer=said(CUT_CALL)),), (QUESTION,), id="after a cut call the question is asked again"),
    ],
)
def test_a_running_turn_ends_with_what_the_model_answers(
    rounds: tuple[Round, ...], expected: tuple[Message, ...]
) -> None:
    assert running_messages(turn(*rounds)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((TextBlock(text="a"),), (TextBlock(text="b"), call("x")), (TextBlock(text="ab"), call("x"))),
        ((ThinkingBlock(thinking="a"),), (ThinkingBlock(thinking="b"),), (ThinkingBlock(thinking="ab"),)),
        ((ThinkingBlock(thinking="a"),), (TextBlock(text="b"),), (ThinkingBlock(thinking="a"), TextBlock(text="b"))),
        ("a", "b", (TextBlock(text="ab"),)),
        ((), (TextBlock(text="b"),), (TextBlock(text="b"),)),
    ],
)
def test_the_seam_of_a_continued_answer_has_no_gap(
    before: str | tuple[Block, ...], after: str | tuple[Block, ...], expected: tuple[Block, ...]
) -> None:
    assert join_content(before, after) == expected
