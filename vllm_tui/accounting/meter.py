"""Counts one turn while it runs: an estimate by deltas first, the server's usage as soon as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import UNKNOWN, Figure, Part, TurnFigures, join_parts, total_of, weakest
from vllm_tui.accounting.request_meter import RequestMeter
from vllm_tui.accounting.split import Calibration, RequestFigures
from vllm_tui.accounting.stored import conversation_figures, turn_figures
from vllm_tui.accounting.turn_clock import PHASE_OF, TurnClock
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    PromptCounted,
    ResponseFinished,
    RetryScheduled,
    StreamEvent,
)
from vllm_tui.domain.window import is_input_cut

if TYPE_CHECKING:
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.domain.usage import Usage

__all__ = ["TurnMeter", "conversation_figures", "turn_figures"]


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
        self._counted: list[RequestMeter] = []
        self._cut = ""
        self._request = RequestMeter(encode)
        self._clock = TurnClock()

    def request_started(self, at: float) -> None:
        """Note that a request leaves; the first one starts the turn."""
        self._keep_request()
        self._request = RequestMeter(self._encode)
        self._clock.request_started(at)

    def prompt_counted(self, figure: Figure, parts: tuple[Part, ...] = ()) -> None:
        """Take the input of the running request as counted before it left."""
        self._request.expected = figure
        self._request.parts = parts
        if parts and self._request not in self._counted:
            self._counted.append(self._request)

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
                self._clock.enter(PHASE_OF[kind], at)
            case BlockFinished(index=index, block=block):
                self._request.finish(index, block, self.calibration)
            case RetryScheduled():
                self._clock.enter("retrying", at)
            case PromptCounted():
                self._take_counted(event)
            case ResponseFinished(response=response):
                self._take_response(response, at)
            case _:
                pass

    def tool_started(self, at: float) -> None:
        """Note that a tool runs on this side."""
        self._clock.enter("tools", at)

    def person_asked(self, at: float, *, waits: bool) -> None:
        """Note that a call waits for a person, or that none does any more."""
        self._clock.enter("deciding" if waits else "tools", at)

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
            **self._times(),
            phase=self._clock.phase,
            requests=len(requests),
            input_parts=join_parts(*(request.settled_parts for request in self._counted)),
            parts_source=weakest(request.expected for request in self._counted),
            spans=self._clock.spans(now),
            input_cut=self._cut,
        )

    def _times(self) -> dict[str, Figure]:
        served, queued, around = self._clock.server_times
        return {"server_time": served, "queue_time": queued, "network_time": around}

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

    def _take_counted(self, event: PromptCounted) -> None:
        note = f"Counted before the request left. {event.note}".strip()
        figure = Figure(event.input_tokens, event.source, note)
        parts = tuple(Part(name, tokens) for name, tokens in event.parts)
        if event.continues:
            figure, parts = total_of((self._request.expected, figure)), join_parts(self._request.parts, parts)
        self.prompt_counted(figure, parts)
        self.output_reserved(Figure(event.output_reserved, "computed", "Asked for as the longest answer."))
        if not self._window.is_known and event.context_window is not None:
            self._window = Figure(event.context_window, "server", "The model's own window.")

    def _take_response(self, response: ChatResponse, at: float) -> None:
        self._clock.enter("finished", at)
        self._clock.take_metrics(response.metadata.get("vllm:metrics"), at)
        request = self._request
        for index, block in enumerate(response.content):
            request.cover(index, block, self.calibration)
        request.usage = response.usage
        usage = response.usage
        self._note_cut(request.expected, usage)
        if usage is not None and usage.output_tokens and usage.source == "server" and not request.extra:
            self.calibration = self.calibration.learned(request.deltas, request.characters, usage.output_tokens)

    def _note_cut(self, expected: Figure, usage: Usage | None) -> None:
        window, reported = self._window.value, usage.input_tokens if usage else None
        counted = int(expected.value) if expected.value is not None and expected.source != "estimate" else None
        if is_input_cut(counted, reported, None if window is None else int(window)):
            self._cut = (
                f"The input was cut by the server: {counted:,} tokens were sent, {reported:,} reached the model."
            )
