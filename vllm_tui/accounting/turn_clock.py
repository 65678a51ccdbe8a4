"""Where the time of a turn goes, and how fast its tokens come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import UNKNOWN, Figure, Phase, Span, total_of

if TYPE_CHECKING:
    from vllm_tui.domain.events import BlockKind

SPEED_WINDOW = 2.0
"""Seconds of the stream that the speed of the moment looks at."""

_SLICE = 0.1
PHASE_OF: dict[str, Phase] = {"thinking": "reasoning", "text": "answering", "tool_call": "calling"}
_SERVER_TIMES = ("time_to_first_token", "generation_time", "queue_time")
_SERVED = "Time to first token and generation, as the server measured them."
_QUEUED = "Part of the server's time to first token."
_AROUND = "Measured here, minus the server's own time: network, proxies, this program."


def _seconds(metrics: object, name: str) -> float | None:
    value = metrics.get(name) if isinstance(metrics, dict) else None
    return value / 1000 if isinstance(value, int | float) and not isinstance(value, bool) else None


class TurnClock:
    """Where the time of a turn goes."""

    def __init__(self) -> None:
        self.phase: Phase = "idle"
        self.ttft = UNKNOWN
        self.first_answer = UNKNOWN
        self._begun: float | None = None
        self._request_at = 0.0
        self._entered = 0.0
        self._spent: dict[Phase, float] = {}
        self._slices: deque[tuple[float, int]] = deque()
        self._slice_end = -1.0
        self._slice_count = 0
        self._kind = ""
        self._served, self._queued, self._around = UNKNOWN, UNKNOWN, UNKNOWN

    @property
    def is_begun(self) -> bool:
        """Return whether a request has left."""
        return self._begun is not None

    def request_started(self, at: float) -> None:
        """Begin to wait for a request that leaves at `at`."""
        self._begun = at if self._begun is None else self._begun
        self._request_at = at
        self._kind = ""
        self.enter("waiting", at)

    def enter(self, phase: Phase, at: float) -> None:
        """End the phase that was and begin another."""
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + max(0.0, at - self._entered)
        self.phase, self._entered = phase, at
        self._kind = ""

    def token(self, kind: BlockKind, at: float) -> None:
        """Take one delta of a kind; costs well under a microsecond."""
        if kind != self._kind:
            self._change(kind, at)
        if at < self._slice_end:
            self._slice_count += 1
            return
        if self._slice_count:
            self._slices.append((self._slice_end, self._slice_count))
        self._slice_end, self._slice_count = at + _SLICE, 1

    def _change(self, kind: BlockKind, at: float) -> None:
        phase = PHASE_OF[kind]
        if self.phase != phase:
            self.enter(phase, at)
        self._kind = kind
        begun = self._begun or 0.0
        if not self.ttft.is_known:
            self.ttft = Figure(at - self._request_at, "computed", "Measured here, from the request to the first token.")
        if kind == "text" and not self.first_answer.is_known:
            self.first_answer = Figure(at - begun, "computed", "Measured here, from the question to the first answer.")

    def take_metrics(self, metrics: object, at: float) -> None:
        """Keep the server's own times of the request that ended at `at` (vLLM with per-request metrics)."""
        first, generation, queue = (_seconds(metrics, f"{name}_ms") for name in _SERVER_TIMES)
        if first is None:
            return
        if self.ttft.is_known and self.ttft.other is None:
            self.ttft = self.ttft.beside(Figure(first, "server", "The rest is network and client."))
        if generation is None:
            return
        around = max(0.0, at - self._request_at - first - generation)
        self._served = total_of((self._served, Figure(first + generation, "server", _SERVED)), _SERVED)
        self._around = total_of((self._around, Figure(around, "computed", _AROUND)), _AROUND)
        if queue is not None:
            self._queued = total_of((self._queued, Figure(queue, "server", _QUEUED)), _QUEUED)

    @property
    def server_times(self) -> tuple[Figure, Figure, Figure]:
        """Return the seconds the server worked and those it let the request queue, by itself, and the rest."""
        return self._served, self._queued, self._around

    def end_of(self, now: float) -> float:
        """Return `now`, or when the turn ended."""
        return self._entered if self.phase == "finished" else now

    def elapsed(self, now: float) -> Figure:
        """Return seconds since the first request."""
        return UNKNOWN if self._begun is None else Figure(now - self._begun, "computed", "Measured here.")

    def speed(self, now: float, tokens_per_delta: float) -> Figure:
        """Return tokens per second of the last moments; unknown while nothing is being written."""
        if self.phase in ("idle", "finished", "waiting", "retrying", "tools", "deciding"):
            return UNKNOWN
        while self._slices and self._slices[0][0] < now - SPEED_WINDOW:
            self._slices.popleft()
        if self._slice_end < now - SPEED_WINDOW:
            return Figure(0.0, "estimate", "Nothing came for a while.")
        count = self._slice_count + sum(count for _, count in self._slices)
        begin = self._slices[0][0] - _SLICE if self._slices else self._slice_end - _SLICE
        span = now - begin
        if span < _SLICE or count < 2:
            return UNKNOWN
        return Figure(count * tokens_per_delta / span, "estimate", f"Deltas of the last {SPEED_WINDOW:g} seconds.")

    def mean_speed(self, now: float, output: Figure) -> Figure:
        """Return output tokens by the seconds in which they were written."""
        busy = sum(span.seconds for span in self.spans(now) if span.phase in ("reasoning", "answering", "calling"))
        if busy <= 0 or not output.value:
            return UNKNOWN
        note = "Output tokens by the seconds from the first token to the end of each answer."
        return Figure(output.value / busy, output.source, note)

    def spans(self, now: float) -> tuple[Span, ...]:
        """Return the phases in the order they began, with their seconds."""
        spent = dict(self._spent)
        spent[self.phase] = spent.get(self.phase, 0.0) + max(0.0, now - self._entered)
        return tuple(Span(p, s) for p, s in spent.items() if p not in ("idle", "finished") and s > 0)
