"""Cancelling, closing and calling at the same time: nothing hangs, nothing is lost, connections end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from tests.support.provider_calls import Link, asking, linked
from tests.support.socket_server import Step
from tests.support.wire_answers import completed, created, delta, message, opened, refusal, streamed, text_stream
from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.events import BlockDelta, ResponseFinished

FLOOD = created() + opened() + delta("word ") * 20


WORDS = delta("word ") * 5
ENDLESS: tuple[Step, ...] = (FLOOD, *(step for _ in range(20_000) for step in (WORDS, 0)))
"""A stream without end, as far as a cancelled caller can tell."""


async def closed(link: Link) -> None:
    """Wait until the client has closed all its connections."""
    async with asyncio.timeout(5):
        for exchange in link.server.exchanges:
            await exchange.closed.wait()


@pytest.mark.parametrize("is_complete", [True, False])
async def test_cancelling_during_a_fast_stream_is_never_lost(is_complete: bool) -> None:
    tries = 60
    async with linked(*[streamed(*ENDLESS) for _ in range(tries)], max_retries=3) as link:
        for number in range(tries):
            call = asyncio.create_task(_called(link, is_complete))
            await link.server.requests(number + 1)
            for _ in range(number * 2):
                await asyncio.sleep(0)
            call.cancel()
            done, _ = await asyncio.wait([call], timeout=5)
            assert done == {call}
            assert call.cancelled()
        await closed(link)
        assert (len(link.server.exchanges), link.waits) == (tries, [])


async def _called(link: Link, is_complete: bool) -> object:
    return await (link.complete() if is_complete else link.stream())


@pytest.mark.parametrize("loops", range(0, 40, 2))
async def test_cancelling_at_any_step_of_a_call_ends_it(loops: int) -> None:
    async with linked(refusal(500), streamed(FLOOD, asyncio.Event())) as link:
        call = asyncio.create_task(link.complete())
        for _ in range(loops):
            await asyncio.sleep(0)
        call.cancel()
        done, _ = await asyncio.wait([call], timeout=5)
        assert done == {call}
        assert call.cancelled()
        await closed(link)


async def test_cancelling_while_the_server_is_silent_closes_the_connection() -> None:
    async with linked(streamed(asyncio.Event())) as link:
        call = asyncio.create_task(link.complete())
        await link.server.requests(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await closed(link)


async def test_cancelling_the_wait_for_a_retry_ends_the_call() -> None:
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(60)

    async with linked(refusal(500), streamed()) as link:
        link.provider._session.sleep = sleep
        call = asyncio.create_task(link.complete())
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert len(link.server.exchanges) == 1


async def test_a_timeout_of_the_caller_is_the_callers() -> None:
    async with linked(streamed(*ENDLESS)) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await link.complete()
        await closed(link)


async def test_closing_the_generator_closes_the_connection() -> None:
    async with linked(streamed(FLOOD, asyncio.Event())) as link:
        async with aclosing(link.provider.stream(asking())) as events:
            async for event in events:
                if isinstance(event, BlockDelta):
                    break
        await closed(link)
    assert "llm:response" not in link.notes.names()


async def test_a_generator_that_never_ran_sends_nothing() -> None:
    async with linked() as link:
        await link.provider.stream(asking()).aclose()
    assert link.server.exchanges == []


async def test_calls_run_at_the_same_time_and_stay_apart() -> None:
    gate = asyncio.Event()
    replies = [
        streamed(created() + opened() + delta("a"), gate, delta(str(n)) + completed(message(f"a{n}"))) for n in range(8)
    ]
    async with linked(*replies) as link:
        calls = [asyncio.create_task(link.complete()) for _ in range(8)]
        await link.server.requests(8)
        gate.set()
        answers = await asyncio.gather(*calls)
    assert sorted(answer.text for answer in answers) == [f"a{n}" for n in range(8)]
    assert len({payload["request_id"] for payload in link.notes.payloads("llm:response")}) == 8


async def test_closing_twice_and_calling_again_works() -> None:
    async with linked(streamed(), streamed()) as link:
        await link.provider.aclose()
        first = await link.complete()
        await link.provider.aclose()
        await link.provider.aclose()
        second = await link.complete()
    assert (first.text, second.text) == ("Hello", "Hello")


async def test_building_a_provider_and_closing_it_opens_nothing() -> None:
    async with linked() as link:
        assert (link.provider.is_local, link.provider.priority) == (True, 100)
        async with link.provider:
            assert link.provider._session._sdk is None
        assert link.provider._session._sdk is None


async def test_a_finished_stream_leaves_nothing_behind() -> None:
    async with linked(streamed(text_stream(), asyncio.Event())) as link:
        events = await link.stream()
        assert isinstance(events[-1], ResponseFinished)
        await closed(link)


@pytest.mark.parametrize("count", range(1, 12))
async def test_closing_the_generator_after_any_event_closes_the_connection(count: int) -> None:
    whole = created() + opened() + delta("a") * 5 + completed(message("aaaaa"))
    async with linked(refusal(500), streamed(whole, asyncio.Event())) as link:
        events = link.provider.stream(asking())
        for _ in range(count):
            if await anext(events, None) is None:
                break
        await events.aclose()
        await closed(link)


async def test_cancelling_one_of_two_calls_leaves_the_other() -> None:
    gate = asyncio.Event()
    slow = streamed(created() + opened() + delta("Hel"), gate, delta("lo") + completed(message("Hello")))
    async with linked(slow, streamed(*ENDLESS)) as link:
        kept = asyncio.create_task(link.complete())
        await link.server.requests(1)
        dropped = asyncio.create_task(link.complete())
        await link.server.requests(2)
        dropped.cancel()
        await asyncio.wait([dropped])
        gate.set()
        assert (await kept).text == "Hello"
    assert dropped.cancelled()


async def test_closing_the_provider_during_a_call_ends_the_call_with_our_error() -> None:
    async with linked(streamed(FLOOD, asyncio.Event()), max_retries=0) as link:
        call = asyncio.create_task(link.complete())
        await link.server.requests(1)
        await asyncio.sleep(0.05)
        await link.provider.aclose()
        async with asyncio.timeout(5):
            with pytest.raises(VLLMError):
                await call
