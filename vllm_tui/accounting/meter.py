"""Counts one turn while it runs: an estimate by deltas first, the server's usage as soon as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import UNKNOWN, Figure, Part, Phase, Span, TurnFigures, total_of
from vllm_tui.accounting.live_text import TextCounter
from vllm_tui.accounting.split import Calibration, RequestFigures, Seen, split_request
from vllm_tui.accounting.stored import conversation_figures, turn_figures
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    HistoryTrimmed,
    ResponseFinished,
    RetryScheduled,
    StreamEvent,
)

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import Block
    from vllm_tui.domain.events import BlockKind
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.domain.usage import Usage

__all__ = ["TurnMeter", "conversation_figures", "turn_figures"]

SPEED_WINDOW = 2.0
"""Seconds of the stream that the speed of the moment looks at."""

_SLICE = 0.1
_PHASE_OF: dict[str, Phase] = {"thinking": "reasoning", "text": "answering", "tool_call": "calling"}


class TurnMeter:
    """Takes the events of one turn and says at any moment what it cost so far.

    `window` is the model's context window in tokens. `calibration` is what this model showed before; read the
    attribute after the turn and give it to the next meter. `encode` is the model's own vocabulary, where it is
    loaded: then text is counted rather than deltas. All times are seconds of one monotonic clock.
    """

    def __init__(
        self,
        window: int | None = None,
        *,
        calibration: Calibration | None = None,
        encode: Callable[[str], Sequence[int]] | None = None,
    ) -> None:
        self.calibration = calibration or Calibration()
        self._window = UNKNOWN if window is None else Figure(window, "server", "The model's own window.")
        self._reserved = UNKNOWN
        self._encode = encode
        self._finished: list[RequestFigures] = []
        self._results: list[Figure] = []
        self._parts: tuple[Part, ...] = ()
        self._request = _Request(encode)
        self._clock = _TurnClock()

    def request_started(self, at: float) -> None:
        """Note that a request leaves; the first one starts the turn."""
        self._keep_request()
        self._request = _Request(self._encode)
        self._clock.request_started(at)

    def prompt_counted(self, figure: Figure, parts: tuple[Part, ...] = ()) -> None:
        """Take the input of the running request as counted before it left."""
        self._request.expected = figure
        self._parts = parts or self._parts

    def output_reserved(self, figure: Figure) -> None:
        """Take the tokens that are kept free for the answer."""
        self._reserved = figure

    def observe(self, event: StreamEvent, at: float) -> None:
        """Take one event of the stream that arrived at `at`."""
        if isinstance(event, BlockDelta):
            self._request.add(event.index, event.kind, event.text)
            self._clock.token(event.kind, at)
            return
        match event:
            case BlockStarted(index=index, kind=kind):
                self._request.block(index, kind)
                self._clock.enter(_PHASE_OF[kind], at)
            case BlockFinished(index=index, block=block):
                self._request.finish(index, block, self.calibration)
            case RetryScheduled():
                self._clock.enter("retrying", at)
            case HistoryTrimmed():
                self._take_trimmed(event)
            case ResponseFinished(response=response):
                self._take_response(response, at)
            case _:
                pass

    def tool_started(self, at: float) -> None:
        """Note that a tool runs on this side."""
        self._clock.enter("tools", at)

    def tool_finished(self, output: str, at: float) -> None:
        """Take the text a tool returned; it becomes part of the next request's input."""
        self._results.append(self._text_figure(output))
        self._clock.enter("waiting", at)

    def turn_finished(self, at: float) -> None:
        """Stop the clock."""
        self._clock.enter("finished", at)

    def figures(self, now: float) -> TurnFigures:
        """Return what the turn cost up to `now`."""
        requests = [*self._finished, *([self._request.figures(self.calibration)] if self._clock.is_begun else [])]
        output = total_of(request.output for request in requests)
        now = self._clock.end_of(now)
        return TurnFigures(
            input=total_of(request.input for request in requests),
            cached=total_of(request.cached for request in requests),
            cache_write=total_of(request.cache_write for request in requests),
            output=output,
            reasoning=total_of(request.reasoning for request in requests),
            answer=total_of(request.answer for request in requests),
            tool_calls=total_of(request.tool_calls for request in requests),
            tool_results=self._tool_results(requests),
            total=total_of(request.total for request in requests),
            context_used=requests[-1].context if requests else UNKNOWN,
            context_window=self._window,
            output_reserved=self._reserved,
            ttft=self._clock.ttft,
            first_answer=self._clock.first_answer,
            elapsed=self._clock.elapsed(now),
            tokens_per_second=self._clock.speed(now, self.calibration.tokens_per_delta),
            mean_tokens_per_second=self._clock.mean_speed(now, output),
            phase=self._clock.phase,
            requests=len(requests),
            input_parts=self._parts,
            spans=self._clock.spans(now),
        )

    def _keep_request(self) -> None:
        if self._clock.is_begun:
            self._finished.append(self._request.figures(self.calibration))

    def _text_figure(self, text: str) -> Figure:
        if self._encode is not None:
            return Figure(len(self._encode(text)), "computed", "Counted with the model's vocabulary.")
        return Figure(self.calibration.tokens_of(len(text)), "estimate", "From the number of characters.")

    def _tool_results(self, requests: list[RequestFigures]) -> Figure:
        reported = total_of(request.tool_results for request in requests if request.tool_results.value)
        if reported.is_known and self._results:
            return total_of((reported, *self._results))
        return reported if reported.is_known else total_of(self._results)

    def _take_trimmed(self, event: HistoryTrimmed) -> None:
        self._request.expected = Figure(event.input_tokens, event.source, "Counted before the request left.")
        self._window = self._window if self._window.is_known else Figure(event.context_window, "server")
        self._reserved = Figure(event.output_reserve, "computed", "Kept free for the answer.")

    def _take_response(self, response: ChatResponse, at: float) -> None:
        self._clock.enter("finished", at)
        self._clock.take_metrics(response.metadata.get("vllm:metrics"))
        request = self._request
        for index, block in enumerate(response.content):
            request.cover(index, block, self.calibration)
        request.usage = response.usage
        usage = response.usage
        if usage is not None and usage.output_tokens and usage.source == "server" and not request.extra:
            self.calibration = self.calibration.learned(request.deltas, request.characters, usage.output_tokens)


class _Shown:
    """One block: how many deltas and characters it showed, and tokens for text that came in no delta."""

    __slots__ = ("characters", "counter", "deltas", "extra", "kind")

    def __init__(self, kind: BlockKind, counter: TextCounter | None) -> None:
        self.kind = kind
        self.counter = counter
        self.deltas = 0
        self.characters = 0
        self.extra = 0


class _Request:
    """What one request showed so far."""

    def __init__(self, encode: Callable[[str], Sequence[int]] | None) -> None:
        self._encode = encode
        self.expected: Figure = UNKNOWN
        self.usage: Usage | None = None
        self._blocks: dict[int, _Shown] = {}

    @property
    def deltas(self) -> int:
        return sum(block.deltas for block in self._blocks.values())

    @property
    def characters(self) -> int:
        return sum(block.characters for block in self._blocks.values())

    @property
    def extra(self) -> int:
        return sum(block.extra for block in self._blocks.values())

    def block(self, index: int, kind: BlockKind) -> _Shown:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = _Shown(kind, TextCounter(self._encode) if self._encode else None)
        return block

    def add(self, index: int, kind: BlockKind, text: str) -> None:
        block = self._blocks.get(index) or self.block(index, kind)
        block.deltas += 1
        block.characters += len(text)
        if block.counter is not None:
            block.counter.add(text)

    def finish(self, index: int, final: Block | None, calibration: Calibration) -> None:
        if final is None:
            self._blocks.pop(index, None)
        else:
            self.cover(index, final, calibration)

    def cover(self, index: int, final: Block, calibration: Calibration) -> None:
        """Count text of the final block that no delta brought."""
        text, kind = _text_of(final)
        if kind is None:
            return
        block = self.block(index, kind)
        block.kind = kind
        unseen = len(text) - block.characters
        block.extra = calibration.tokens_of(unseen) if unseen > 0 else 0

    def figures(self, calibration: Calibration) -> RequestFigures:
        counts = {"thinking": 0.0, "text": 0.0, "tool_call": 0.0}
        for block in self._blocks.values():
            counted = block.deltas * calibration.tokens_per_delta if block.counter is None else block.counter.count
            counts[block.kind] += counted + block.extra
        note = "From the number of characters." if self.extra and not self.deltas else "Counted by deltas."
        if self._encode is not None:
            note = "Text counted with the model's vocabulary, without the markers around it."
        seen = Seen(round(counts["thinking"]), round(counts["text"]), round(counts["tool_call"]), note=note)
        return split_request(self.usage, seen, self.expected)


def _text_of(block: Block) -> tuple[str, BlockKind | None]:
    match block.type:
        case "text":
            return block.text, "text"
        case "thinking":
            return block.thinking, "thinking"
        case "tool_call":
            return block.raw_arguments or "", "tool_call"
        case _:
            return "", None


class _TurnClock:
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

    @property
    def is_begun(self) -> bool:
        return self._begun is not None

    def request_started(self, at: float) -> None:
        self._begun = at if self._begun is None else self._begun
        self._request_at = at
        self._kind = ""
        self.enter("waiting", at)

    def enter(self, phase: Phase, at: float) -> None:
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + max(0.0, at - self._entered)
        self.phase, self._entered = phase, at
        self._kind = ""

    def token(self, kind: BlockKind, at: float) -> None:
        if kind != self._kind:
            self._change(kind, at)
        if at < self._slice_end:
            self._slice_count += 1
            return
        if self._slice_count:
            self._slices.append((self._slice_end, self._slice_count))
        self._slice_end, self._slice_count = at + _SLICE, 1

    def _change(self, kind: BlockKind, at: float) -> None:
        phase = _PHASE_OF[kind]
        if self.phase != phase:
            self.enter(phase, at)
        self._kind = kind
        begun = self._begun or 0.0
        if not self.ttft.is_known:
            self.ttft = Figure(at - self._request_at, "computed", "Measured here, from the request to the first token.")
        if kind == "text" and not self.first_answer.is_known:
            self.first_answer = Figure(at - begun, "computed", "Measured here, from the question to the first answer.")

    def take_metrics(self, metrics: object) -> None:
        """Keep the server's own time to first token beside ours (vLLM with per-request metrics)."""
        value = metrics.get("time_to_first_token_ms") if isinstance(metrics, dict) else None
        if isinstance(value, int | float) and self.ttft.is_known:
            self.ttft = self.ttft.beside(Figure(value / 1000, "server", "The rest is network and client."))

    def end_of(self, now: float) -> float:
        return self._entered if self.phase == "finished" else now

    def elapsed(self, now: float) -> Figure:
        return UNKNOWN if self._begun is None else Figure(now - self._begun, "computed", "Measured here.")

    def speed(self, now: float, tokens_per_delta: float) -> Figure:
        if self.phase in ("idle", "finished", "waiting", "retrying", "tools"):
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
        busy = sum(span.seconds for span in self.spans(now) if span.phase in ("reasoning", "answering", "calling"))
        if busy <= 0 or not output.value:
            return UNKNOWN
        note = "Output tokens by the seconds from the first token to the end of each answer."
        return Figure(output.value / busy, output.source, note)

    def spans(self, now: float) -> tuple[Span, ...]:
        spent = dict(self._spent)
        spent[self.phase] = spent.get(self.phase, 0.0) + max(0.0, now - self._entered)
        return tuple(Span(p, s) for p, s in spent.items() if p not in ("idle", "finished") and s > 0)
