"""Time for the demo: how long things take, and the clock and sleep that tests replace."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

STALL_SECONDS = 900.0
"""How long the stalling demo is silent; longer than any sensible idle limit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the demo answers: `speed` 2.0 is twice as fast, infinity waits never.

    `sleep` takes seconds, `now` gives the time of day in seconds since 1970.
    """

    speed: float = 1.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed is {self.speed}: give a number above 0.")

    async def wait(self, seconds: float) -> None:
        """Wait `seconds` of demo time; always lets other tasks run."""
        await self.sleep(0.0 if math.isinf(self.speed) else seconds / self.speed)

    async def stall(self) -> None:
        """Be silent for `STALL_SECONDS`, whatever the speed."""
        await self.sleep(STALL_SECONDS)


@dataclass(frozen=True, slots=True)
class Timing:
    """When the first token comes and how long each later one takes, in seconds; the same for the same seed."""

    first_token: float
    gaps: tuple[float, ...]

    @property
    def generation(self) -> float:
        """Seconds from the first token to the last."""
        return sum(self.gaps[1:])


def plan_timing(seed: int, tokens: int, uncached: int, rate: float) -> Timing:
    """Return the times of `tokens` at about `rate` a second after reading `uncached` prompt tokens."""
    chance = random.Random(seed)  # noqa: S311 - jitter, no secret
    first = chance.uniform(0.14, 0.26) + uncached / 9000
    return Timing(first, tuple(chance.uniform(0.6, 1.4) / rate for _ in range(tokens)))
