"""What counting costs: run `python tests/benchmarks/bench_accounting.py`."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from pathlib import Path

from textual.content import Content
from vllm_tui.accounting.encoder import Encoder, load_encoder
from vllm_tui.accounting.figures import Figure, Part, conversation_of
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.meter import TurnMeter
from vllm_tui.accounting.vocabulary import O200K, read_from_package
from vllm_tui.domain.events import BlockDelta
from vllm_tui.ui.sidebar_text import sidebar

TOKENS = 16_000
RATE = 100
"""Tokens per second of the stream."""
REPAINTS = 20
"""How often a second figures are asked for, and with them text is counted."""
TICKS = 4
"""How often a second the sidebar is painted."""
TURNS = 200
"""Turns before the one that is measured."""
PARTS = (Part("instructions", 60), Part("tools", 900), Part("history", 8_000), Part("question", 40))


def resident_mebibytes() -> float:
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def words(encoder: Encoder) -> list[str]:
    """Return an answer of varied prose, code and lists as its tokens' texts."""
    chooser = random.Random(7)
    vocabulary = [encoder.token_bytes(token) for token in chooser.sample(range(1_000, 150_000), 4_000)]
    plain = [data.decode() for data in vocabulary if data.isascii() and data.startswith(b" ") and data[1:].isalpha()]
    pieces: list[str] = []
    while len(pieces) < TOKENS:
        pieces += chooser.choices(plain, k=chooser.randint(5, 30))
        pieces.append(chooser.choice([".\n", ".\n\n", ",", ":\n- ", "()\n    "]))
    return pieces[:TOKENS]


def measure_stream(pieces: list[str], encoder: Encoder | None) -> float:
    """Return the CPU seconds of counting one streamed answer, with or without exact text counts."""
    meter = TurnMeter(131_072, encode=encoder.encode if encoder else None)
    meter.request_started(0.0)
    begun = time.process_time()
    for number, piece in enumerate(pieces):
        at = number / RATE
        meter.observe(BlockDelta(0, "text", piece), at)
        if number % (RATE // REPAINTS) == 0:
            meter.figures(at)
    return time.process_time() - begun


def measure_shown(pieces: list[str], encoder: Encoder | None, turns: int) -> float:
    """Return the CPU seconds of counting one streamed answer and making the sidebar's rows after `turns` others."""
    meter = TurnMeter(131_072, encode=encoder.encode if encoder else None)
    meter.request_started(0.0)
    meter.prompt_counted(Figure(9_000, "computed"), PARTS)
    before = conversation_of([meter.figures(0.1)] * turns)
    shown = Content("")
    begun = time.process_time()
    for number, piece in enumerate(pieces):
        at = number / RATE
        meter.observe(BlockDelta(0, "text", piece), at)
        if number % (RATE // TICKS) == 0:
            figures = meter.figures(at)
            rows = sidebar(figures, before.plus(figures), 33, 35).split()
            changed = [now for now, was in zip(rows, shown.split(), strict=False) if not now.is_same(was)]
            shown = Content("\n").join(rows) if changed else shown
    return time.process_time() - begun


def measure_load(folder: Path) -> tuple[Encoder, float, float, float]:
    """Return the encoder, and seconds, mebibytes and the longest pause of the main thread while it loads."""
    before, begun = resident_mebibytes(), time.perf_counter()
    found: list[Encoder] = []

    def load() -> None:
        found.append(load_encoder(folder))

    thread = threading.Thread(target=load)
    thread.start()
    last, longest = time.perf_counter(), 0.0
    while thread.is_alive():
        time.sleep(0.001)
        now = time.perf_counter()
        last, longest = now, max(longest, now - last)
    return found[0], time.perf_counter() - begun, resident_mebibytes() - before, longest


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / O200K.file_name).write_bytes(read_from_package(O200K))
        encoder, seconds, memory, pause = measure_load(Path(name))
    print(f"load in a thread    {seconds:.2f} s, {memory:.0f} MiB, main thread held for {pause * 1000:.0f} ms at most")
    pieces = words(encoder)
    length = TOKENS / RATE
    for label, used in (("deltas only", None), ("exact text counts", encoder)):
        cpu = min(measure_stream(pieces, used) for _ in range(3))
        print(f"{label:<20}{cpu:.3f} s CPU for {TOKENS:,} tokens in {length:.0f} s: {cpu / length:.2%} of a core")
    for label, used in (("with the sidebar", None), ("and exact counts", encoder)):
        cpu = min(measure_shown(pieces, used, TURNS) for _ in range(3))
        print(f"{label:<20}{cpu:.3f} s CPU with {TICKS} paints a second, {TURNS} turns: {cpu / length:.2%} of a core")
    renderer = HarmonyRenderer(encoder)
    body = {"input": "".join(pieces), "instructions": "Be brief."}
    begun = time.perf_counter()
    count = renderer.render_request(body).count
    print(f"render a prompt     {(time.perf_counter() - begun) * 1000:.1f} ms for {count:,} tokens")


if __name__ == "__main__":
    main()
