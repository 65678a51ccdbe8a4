"""Every request is counted before it leaves, and what is sent follows from the count."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.provider_calls import Link, answer_of, linked
from tests.support.socket_server import Reply
from tests.support.wire_answers import completed, message, streamed, text_stream
from vllm_tui.domain.errors import ContextLengthExceeded
from vllm_tui.domain.events import BlockStarted, ContinuationStarted, HistoryTrimmed, Notice, PromptCounted
from vllm_tui.domain.messages import Message
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.counting import Counted


class WordCounter:
    """Counts a token for each word of the input; exactly, or only when it is asked as a server."""

    def __init__(self, *, is_exact: bool = True, server: int | None = None) -> None:
        self.is_exact = is_exact
        self.server = server
        self.asked = 0

    def count(self, body: JsonObject, model: str) -> Counted | None:
        return Counted(_words(body), "computed", (("history", _words(body)),), "By words.") if self.is_exact else None

    async def ask_server(self, body: JsonObject, model: str) -> Counted | None:
        self.asked += 1
        return None if self.server is None else Counted(self.server, "computed", note="By the server.")

    def split(self, body: JsonObject, tokens: int) -> tuple[tuple[str, int], ...]:
        return (("question", tokens),)

    def finish(
        self, response: ChatResponse, body: JsonObject, model: str, counted: Counted | None = None
    ) -> ChatResponse:
        if response.usage is not None:
            return response
        usage = Usage(input_tokens=_words(body), output_tokens=1, source="computed")
        return response.model_copy(update={"usage": usage})


def _words(body: JsonObject) -> int:
    items = body["input"]
    assert isinstance(items, list)
    return sum(len(str(item).split()) for item in items)


@asynccontextmanager
async def counted(*replies: Reply, counter: WordCounter | None = None, **options: object) -> AsyncIterator[Link]:
    async with linked(*(replies or (streamed(),)), **options) as link:
        link.provider._session.counter = counter or WordCounter()
        yield link


def said(role: str, words: int) -> Message:
    return Message.model_validate({"role": role, "content": " ".join(["word"] * words)})


async def test_the_count_comes_before_the_first_block_with_what_is_kept_for_the_answer() -> None:
    async with counted(context_window=1000, max_tokens=100) as link:
        events = await link.stream("one two three")
    first = events[0]
    assert first == PromptCounted(6, "computed", 100, 1000, (("history", 6),), "By words.")
    assert isinstance(events[1], BlockStarted)


async def test_an_exact_count_leaves_the_answer_exactly_what_is_left() -> None:
    async with counted(context_window=100, max_tokens=100) as link:
        events = await link.stream(messages=(said("user", 57),))
        sent = link.server.bodies[0]["max_output_tokens"]
    tokens = next(event.input_tokens for event in events if isinstance(event, PromptCounted))
    assert sent == 100 - tokens
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices == [f"Output limited to {sent} tokens instead of 100: the window is 100 (counted exactly)."]


async def test_the_same_limit_is_told_once_while_there_is_room() -> None:
    async with counted(streamed(), streamed(), context_window=1000, max_tokens=1000) as link:
        first, second = await link.stream("a b"), await link.stream("a b c")
    notices = [[event.code for event in events if isinstance(event, Notice)] for events in (first, second)]
    assert notices == [["output_clamped"], []]
    assert [body["max_output_tokens"] < 1000 for body in link.server.bodies] == [True, True]


async def test_an_estimate_keeps_a_margin_and_says_so() -> None:
    async with counted(counter=WordCounter(is_exact=False), context_window=1000, max_tokens=1000) as link:
        events = await link.stream("x" * 360)
        sent = link.server.bodies[0]["max_output_tokens"]
    tokens = next(event.input_tokens for event in events if isinstance(event, PromptCounted))
    assert sent == 1000 - tokens - 64
    assert any("estimate, with a margin" in event.message for event in events if isinstance(event, Notice))


async def test_auto_leaves_out_the_oldest_turns_by_the_exact_count() -> None:
    talk = tuple(said(role, 100) for _ in range(4) for role in ("user", "assistant"))
    async with counted(context_window=500, max_tokens=100) as link:
        events = await link.stream(messages=(*talk, said("user", 3)))
    trimmed = next(event for event in events if isinstance(event, HistoryTrimmed))
    last = next(event for event in events if isinstance(event, PromptCounted))
    assert (trimmed.source, trimmed.input_tokens) == ("computed", last.input_tokens)
    assert last.input_tokens + 100 <= 500
    assert len(link.server.bodies[0]["input"]) == 9 - trimmed.dropped_messages


async def test_disabled_refuses_with_the_numbers_and_what_would_have_to_go() -> None:
    async with counted(context_window=100, max_tokens=50, truncation="disabled") as link:
        with pytest.raises(ContextLengthExceeded) as caught:
            await link.stream(messages=(said("user", 50), said("assistant", 50), said("user", 1)))
    words = str(caught.value)
    assert all(part in words for part in ("counted exactly", "is 100", "50 are wanted", "Leave out older turns ("))
    assert link.server.exchanges == []


async def test_the_server_is_asked_only_where_the_window_is_near() -> None:
    counter = WordCounter(is_exact=False, server=900)
    async with counted(streamed(), streamed(), counter=counter, context_window=1000, max_tokens=100) as link:
        await link.stream("short")
        assert counter.asked == 0
        events = await link.stream("word " * 700)
    assert counter.asked == 1
    assert next(event for event in events if isinstance(event, PromptCounted)).source == "computed"
    assert link.server.bodies[1]["max_output_tokens"] == 100


async def test_a_server_that_can_not_count_leaves_the_estimate() -> None:
    counter = WordCounter(is_exact=False)
    async with counted(counter=counter, context_window=1000, max_tokens=100) as link:
        events = await link.stream("word " * 700)
    assert (counter.asked, next(e for e in events if isinstance(e, PromptCounted)).source) == (1, "estimate")


async def test_usage_the_server_did_not_report_is_filled_in() -> None:
    zeros = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    async with counted(streamed(text_stream(usage=zeros))) as link:
        response = answer_of(await link.stream("one two three"))
    assert response.usage == Usage(input_tokens=6, output_tokens=1, source="computed")


async def test_an_input_that_the_server_cut_is_told_with_both_counts() -> None:
    usage = {"input_tokens": 99, "output_tokens": 1, "total_tokens": 100}
    body = completed(message("x"), usage=usage)
    async with counted(streamed(body), context_window=100, max_tokens=1) as link:
        events = await link.stream(messages=(said("user", 150),))
    count = next(event.input_tokens for event in events if isinstance(event, PromptCounted))
    told = [event.message for event in events if isinstance(event, Notice) and event.code == "input_truncated"]
    assert told == [f"The server cut the input: it read 99 of {count} tokens (100 window)."]


CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


@pytest.mark.parametrize("model", ["m", "openai/gpt-oss-20b"])
async def test_going_on_with_an_answer_is_counted_and_bounded_too(model: str) -> None:
    first, rest = streamed(text_stream("word " * 20, **CUT)), streamed(text_stream("end"))
    async with counted(
        first, rest, max_continuations=3, context_window=100, max_tokens=80, default_model=model
    ) as link:
        events = await link.stream("word")
        sent = [body["max_output_tokens"] for body in link.server.bodies]
    counts = [event for event in events if isinstance(event, PromptCounted)]
    assert [event.continues for event in counts] == [False, True]
    assert [event.output_reserved for event in counts] == sent
    assert sent[1] == 100 - counts[1].input_tokens < sent[0]
    assert events.index(counts[1]) == 1 + next(
        place for place, event in enumerate(events) if isinstance(event, ContinuationStarted)
    )


async def test_an_answer_that_fills_the_window_is_not_continued() -> None:
    said_so_far = "word " * 120 + "end"
    first = streamed(text_stream(said_so_far, **CUT))
    async with counted(first, max_continuations=3, context_window=100, max_tokens=80) as link:
        answer = answer_of(await link.stream("word"))
    assert (answer.finish_reason, answer.text, len(link.server.exchanges)) == ("length", said_so_far, 1)


async def test_figures_counted_here_stay_so_in_a_continued_answer() -> None:
    zeros = {"usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}
    first, rest = streamed(text_stream("word", **CUT, **zeros)), streamed(text_stream("end"))
    async with counted(first, rest, max_continuations=1) as link:
        usage = answer_of(await link.stream("word")).usage
    assert usage is not None
    assert usage.source == "computed"


class ThreadCounter(WordCounter):
    """Notes in which thread each count was made."""

    def __init__(self) -> None:
        super().__init__()
        self.on_loop: list[bool] = []

    def count(self, body: JsonObject, model: str) -> Counted | None:
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        return super().count(body, model)


@pytest.mark.parametrize(("words", "on_loop"), [(10, True), (10_000, False)])
async def test_a_prompt_is_counted_once_and_a_long_one_away_from_the_event_loop(words: int, on_loop: bool) -> None:
    counter = ThreadCounter()
    async with counted(counter=counter, context_window=100_000, max_tokens=100) as link:
        await link.stream("word " * words)
    assert counter.on_loop == [on_loop]


async def test_without_a_counter_nothing_is_said_and_nothing_changes() -> None:
    async with linked(streamed()) as link:
        events = await link.stream()
    assert not any(isinstance(event, PromptCounted) for event in events)
