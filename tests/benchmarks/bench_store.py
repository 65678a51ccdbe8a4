"""What it costs to keep a 64,000-token answer while it streams: python tests/benchmarks/bench_store.py

At 100 tokens a second and two saves a second each save adds 50 tokens. The baseline writes the whole turn each time.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vllm_tui.domain.blocks import TextBlock
from vllm_tui.domain.builder import ResponseBuilder
from vllm_tui.domain.events import BlockDelta
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Round, Turn
from vllm_tui.store.conversations import ConversationStore
from vllm_tui.store.database import Database

TOKENS, TOKENS_A_SAVE, TOKEN = 64_000, 50, "word "
QUESTION = Turn(id="t", conversation_id="c", question=Message(role="user", content="Tell me everything."))


def state(text: str) -> Turn:
    entry = Round(answer=Message(role="assistant", content=(TextBlock(text=text),)))
    return QUESTION.model_copy(update={"rounds": (entry,)})


def bytes_written() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


@contextmanager
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Database(Path(folder), busy_seconds=5)
        try:
            yield opened
        finally:
            opened.close()


def measure_saves(name: str, before_save: Callable[[Database], None]) -> None:
    seconds: list[float] = []
    with database() as kept:
        kept.save([QUESTION])
        written, processor = bytes_written(), time.process_time()
        for count in range(TOKENS_A_SAVE, TOKENS + 1, TOKENS_A_SAVE):
            turn = state(TOKEN * count)
            before_save(kept)
            begun = time.perf_counter()
            kept.save([turn])
            seconds.append(time.perf_counter() - begun)
        written, processor = bytes_written() - written, time.process_time() - processor
        begun = time.perf_counter()
        kept.finish(state(TOKEN * TOKENS).model_copy(update={"status": "completed"}))
        end = time.perf_counter() - begun
    print(
        f"{name}: {len(seconds)} saves, median {statistics.median(seconds) * 1e3:.2f} ms, "
        f"last 50 {statistics.mean(seconds[-50:]) * 1e3:.2f} ms, worst {max(seconds) * 1e3:.1f} ms, "
        f"processor {processor:.2f} s, written {written / 1e6:.1f} MB, finish {end * 1e3:.1f} ms"
    )


def measure_fold() -> None:
    builder, seconds = ResponseBuilder(), 0.0
    for count in range(1, TOKENS + 1):
        builder.add(BlockDelta(0, "text", TOKEN))
        if count % TOKENS_A_SAVE == 0:
            begun = time.perf_counter()
            builder.partial()
            seconds += time.perf_counter() - begun
    print(f"folding for the saves: {seconds * 1e3:.0f} ms in all")


async def measure_calls() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ConversationStore(Path(folder)) as store:
            begun = time.perf_counter()
            await store.start_turn(QUESTION)
            first = time.perf_counter() - begun
            begun = time.perf_counter()
            await store.start_turn(QUESTION.model_copy(update={"id": "u", "parent_id": "t"}))
            second = time.perf_counter() - begun
            turns = [state(TOKEN * count) for count in range(1, 2001)]
            begun = time.perf_counter()
            for turn in turns:
                store.note_progress(turn)
            call = (time.perf_counter() - begun) / len(turns)
    print(f"start_turn: first {first * 1e3:.1f} ms (opens the file), next {second * 1e3:.2f} ms")
    print(f"note_progress: {call * 1e6:.1f} µs a call")


async def measure_loading() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ConversationStore(Path(folder)) as store:
            for number in range(500):
                parent = f"t{number - 1}" if number else None
                turn = state("A paragraph of an answer. " * 40)
                await store.finish_turn(
                    turn.model_copy(update={"id": f"t{number}", "parent_id": parent, "status": "completed"})
                )
            for limit in (None, 20):
                begun = time.perf_counter()
                found = await store.load_conversation("c", limit=limit)
                print(f"load_conversation: {len(found)} turns in {(time.perf_counter() - begun) * 1e3:.1f} ms")


if __name__ == "__main__":
    measure_saves("only what was added", lambda kept: None)
    measure_saves("baseline, all again", lambda kept: kept._writer.forget("t"))
    measure_fold()
    asyncio.run(measure_calls())
    asyncio.run(measure_loading())
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
