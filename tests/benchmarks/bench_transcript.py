"""What the transcript costs: python tests/benchmarks/bench_transcript.py [seconds at 100 tokens a second]

Bursts and a paced stream run in a pseudo-terminal of 120x40, once in the transcript and once in a plain RichLog,
which draws no Markdown and is the floor. CPU is that of the child without its start; bytes are what it wrote.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import random
import resource
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Input, RichLog
from vllm_tui.domain.events import BlockDelta, BlockStarted
from vllm_tui.ui.themes import THEMES
from vllm_tui.ui.transcript.render import warm
from vllm_tui.ui.transcript.view import TranscriptView

COLUMNS, ROWS = 120, 40
WORDS = ("cache", "block", "token", "page", "batch", "step", "model", "layer", "prompt", "kernel", "window", "queue")


def markdown(tokens: int) -> Iterator[str]:
    """Yield an answer of headings, prose, lists, code and tables, in pieces of about four characters."""
    chance = random.Random(1)

    def prose(count: int) -> str:
        words = [chance.choice(WORDS) for _ in range(count)]
        return " ".join(f"**{w}**" if chance.random() < 0.06 else w for w in words).capitalize() + "."

    section = made = 0
    while made < tokens:
        section += 1
        text = f"## {section}. {prose(3)}\n\n{prose(85)}\n\n" + "".join(
            f"- **Item {i}**: {prose(12)}\n" for i in range(5)
        )
        text += "\n```python\ndef step(batch: list[int]) -> int:\n    return sum(x * 2 for x in batch)  # all\n```\n\n"
        text += "| a | b | c |\n|---|---:|---|\n" + "".join(f"| {prose(2)} | {i} | {prose(3)} |\n" for i in range(4))
        text += f"\n{prose(45)}\n\n"
        for at in range(0, len(text), 4):
            yield text[at : at + 4]
            made += 1
            if made == tokens:
                return


class Child(App[None]):
    """Shows `tokens` at `rate` a second (0: at once) and reports seconds, CPU and memory on standard error."""

    CSS = "TranscriptView, RichLog { height: 1fr; } Input { dock: bottom; }"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, kind: str, tokens: int, rate: float) -> None:
        super().__init__()
        self.kind, self.tokens, self.rate = kind, tokens, rate
        self.frames: list[float] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "dark"

    def compose(self) -> ComposeResult:
        yield RichLog(wrap=True) if self.kind == "richlog" else TranscriptView()
        yield Input()

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self.run_worker(self.stream(), exit_on_error=True)

    async def stream(self) -> None:
        await asyncio.sleep(0.5)
        warm()
        pieces = list(markdown(self.tokens))
        began, cpu = time.monotonic(), time.process_time()
        if self.kind == "richlog":
            await self.into_log(pieces, began)
        else:
            await self.into_transcript(pieces, began)
        report = {
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
            "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "frames": sorted(self.frames),
        }
        os.write(int(os.environ["REPORT_FD"]), json.dumps(report).encode())
        self.exit()

    async def into_log(self, pieces: list[str], began: float) -> None:
        log, line = self.query_one(RichLog), ""
        for number, piece in enumerate(pieces):
            *lines, line = (line + piece).split("\n")
            for whole in lines:
                log.write(whole)
            await self.pace(number, began)
        await asyncio.sleep(0.05)

    async def into_transcript(self, pieces: list[str], began: float) -> None:
        view = self.query_one(TranscriptView)
        update = view.update

        def timed() -> None:
            start = time.perf_counter()
            update()
            self.frames.append(time.perf_counter() - start)

        view.update = timed  # type: ignore[method-assign]
        view.apply(BlockStarted(0, "text"))
        for number, piece in enumerate(pieces):
            view.apply(BlockDelta(0, "text", piece))
            await self.pace(number, began)
        while view.is_busy:  # noqa: ASYNC110 - a benchmark may poll
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)

    async def pace(self, number: int, began: float) -> None:
        if self.rate:
            await asyncio.sleep(max(began + number / self.rate - time.monotonic(), 0))
        elif number % 16 == 0:
            await asyncio.sleep(0)


def run(kind: str, tokens: int, rate: float) -> dict[str, float]:
    """Run a child in a pseudo-terminal; return its report with the bytes it wrote while it ran."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    read_end, write_end = os.pipe()
    environment = os.environ | {"REPORT_FD": str(write_end), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, __file__, "child", kind, str(tokens), str(rate)]
    child = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, pass_fds=(write_end,), env=environment, start_new_session=True
    )
    os.close(slave)
    os.close(write_end)
    written = 0
    done = threading.Event()

    def drain() -> None:
        nonlocal written
        while not done.is_set():
            if select.select([master], [], [], 0.1)[0]:
                try:
                    written += len(os.read(master, 1 << 16))
                except OSError:
                    return

    reader = threading.Thread(target=drain)
    reader.start()
    child.wait()
    done.set()
    reader.join()
    report: dict[str, float] = json.loads(os.read(read_end, 1 << 20))
    os.close(read_end)
    os.close(master)
    frames: list[float] = report.pop("frames")  # type: ignore[assignment]
    if frames:
        report |= {"frame p50": frames[len(frames) // 2] * 1e3, "frame max": frames[-1] * 1e3, "frames": len(frames)}
    return report | {"kB": written / 1e3}


def show(kind: str, tokens: int, rate: float) -> None:
    """Run and print one line."""
    report = run(kind, tokens, rate)
    words = "  ".join(f"{name} {value:,.2f}" for name, value in report.items())
    print(f"{kind:10} {tokens:6,} tokens {f'at {rate:g}/s' if rate else 'at once':9}  {words}", end="")
    print("" if rate else f"  µs/token {report['cpu'] / tokens * 1e6:.0f}", flush=True)


def main() -> None:
    """Print one line for each run; the paced runs last as many seconds as the first argument says (10)."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    for tokens in (1_000, 4_000, 16_000, 64_000):
        show("transcript", tokens, 0)
        show("richlog", tokens, 0)
    if seconds:
        show("transcript", int(100 * seconds), 100)
        show("richlog", int(100 * seconds), 100)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        Child(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])).run()
    else:
        assert Path(__file__).exists()
        main()
