"""Notices that the terminal went away or that the system wants the program to end."""

from __future__ import annotations

import asyncio
import contextvars
import os
import select
import signal
import threading
from collections.abc import Callable, Iterable

HARD_EXIT_SECONDS = 4.0
"""How long saving and leaving may take after a signal before the process ends regardless."""


def watch_signals(loop: asyncio.AbstractEventLoop, leave: Callable[[int], object]) -> None:
    """Call `leave` with the number of SIGTERM or SIGHUP when it comes; an ignored SIGHUP (nohup) stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, leave, int(number))


def watch_terminal(loop: asyncio.AbstractEventLoop, leave: Callable[[int], object]) -> None:
    """Call `leave` in `loop` once the terminal of standard input hangs up; its streams become silent ones.

    Without this a terminal program whose SIGHUP is ignored reads end-of-file for ever on a full core.
    """

    context = contextvars.copy_context()
    terminals = [number for number in range(3) if os.isatty(number)]

    def wait() -> None:
        poll = select.poll()
        poll.register(0, 0)
        while not any(state & (select.POLLHUP | select.POLLERR) for _, state in poll.poll()):
            pass
        silence(terminals)
        loop.call_soon_threadsafe(leave, int(signal.SIGHUP), context=context)

    threading.Thread(target=wait, name="terminal-watch", daemon=True).start()


def silence(numbers: Iterable[int]) -> None:
    """Point file numbers 0 to 2 away from a dead terminal: reads wait for ever, writes go nowhere."""
    never, _kept_open = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in numbers:
        os.dup2(never if number == 0 else nowhere, number)


def end_for_certain(number: int) -> None:
    """End the process with the status of signal `number` if it is still there after a while."""
    timer = threading.Timer(HARD_EXIT_SECONDS, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()
