"""The demo server itself: a request in, an answer out, whatever carries them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vllm_tui.demo.ask import MODELS, Ask, parse_body, read_ask
from vllm_tui.demo.failures import find_failure
from vllm_tui.demo.layout import Segment, count_output, cut, final_output, lay_out
from vllm_tui.demo.memory import Memory
from vllm_tui.demo.objects import Head, Tally, metrics_object, models_object, response_object, usage_object
from vllm_tui.demo.pace import Pace, Timing, plan_timing
from vllm_tui.demo.prompt import fit_window, prompt_tokens, tokenize_answer
from vllm_tui.demo.refusals import Refused, prompt_too_long, refuse
from vllm_tui.demo.script import plan_reply
from vllm_tui.demo.stream import encode, stream_beats

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject

VERSION = "0.32.0"
"""The version of vLLM the demo behaves like."""
HTML = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
BREAK_AFTER = 30
"""Deltas of the answer before it breaks or falls silent."""
CUT_AFTER = 90
"""Tokens of the answer before the cut demo ends it."""


class ConnectionBroken(Exception):
    """The server is gone in the middle of its answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; a streamed body may raise ConnectionBroken."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Turn:
    """Everything decided about a response before its first byte."""

    head: Head
    segments: tuple[Segment, ...]
    final: JsonObject
    timing: Timing
    failure: str | None


@dataclass
class DemoServer:
    """A scripted vLLM 0.32 without a socket; keeps stored responses, a prefix cache and a count of failures."""

    pace: Pace = field(default_factory=Pace)
    memory: Memory = field(default_factory=Memory)
    _busy: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    async def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one HTTP request; `path` without its query, header names in lower case."""
        try:
            return await self._route(method, path.rstrip("/") or "/", headers, body)
        except Refused as refused:
            return _json(refused.status, refused.body)

    async def _route(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        match method, path:
            case "GET", "/health" | "/ping":
                return Answer(200, {"content-length": "0"}, b"")
            case "GET", "/v1/models" | "/version" | "/load":
                return _json(200, self._fact(path))
            case "POST", "/tokenize":
                return _json(200, tokenize_answer(_body(headers, body)))
            case "POST", "/v1/responses":
                return await self._respond(_body(headers, body))
        return self._stored(method, path)

    def _fact(self, path: str) -> JsonObject:
        if path == "/v1/models":
            return models_object(MODELS, int(self.pace.now()))
        return {"version": VERSION} if path == "/version" else {"server_load": 0}

    def _stored(self, method: str, path: str) -> Answer:
        known = ("/v1/models", "/health", "/ping", "/version", "/load", "/tokenize", "/v1/responses")
        response_id, _, action = path.removeprefix("/v1/responses/").partition("/")
        if path.startswith("/v1/responses/") and method == "GET" and not action:
            return _json(200, self.memory.find(response_id).response)
        if path.startswith("/v1/responses/") and method == "POST" and action == "cancel":
            self.memory.find(response_id)
            message = "Cannot cancel a synchronous response."
            raise refuse(400, message, "invalid_request_error", "response_id")
        is_known = path in known or (path.startswith("/v1/responses/") and not action)
        if is_known:
            return _json(405, {"detail": "Method Not Allowed"})
        return _json(404, {"detail": "Not Found"})

    async def _respond(self, body: JsonObject) -> Answer:
        earlier = body.get("previous_response_id")
        items = self.memory.find(str(earlier)).items if earlier else ()
        ask = read_ask(body, items)
        if body.get("background") is True:
            message = "The demo answers at once: background responses are not part of it."
            raise refuse(400, message, "invalid_request_error", "background")
        failure = find_failure(ask.question)
        refusal = await self._fail_first(ask, failure)
        if refusal is not None:
            return refusal
        turn = self._take_turn(ask, failure)
        if body.get("stream") is True:
            return Answer(200, {"content-type": "text/event-stream; charset=utf-8"}, self._stream(turn))
        await self.pace.wait(turn.timing.first_token + turn.timing.generation)
        if failure == "stalls":
            await self.pace.stall()
        if failure == "dies":
            raise ConnectionBroken
        self.memory.keep(ask, turn.final)
        return _json(200, turn.final)

    async def _fail_first(self, ask: Ask, failure: str | None) -> Answer | None:
        """Return the failure that comes in place of an answer, or None."""
        await self.pace.wait(0.01)
        match failure:
            case "overloaded":
                self._busy[ask.question] += 1
                if self._busy[ask.question] % 3 == 0:
                    return None
                error: JsonObject = {"message": "The server is overloaded. Try again later.", "code": 503}
                error |= {"type": "ServiceUnavailableError", "param": None}
                busy = _json(503, {"error": error})
                return Answer(503, {**busy.headers, "retry-after": "1"}, busy.body)
            case "key":
                return _json(401, {"error": "Unauthorized"})
            case "html":
                return Answer(502, {"content-type": "text/html", "server": "nginx"}, HTML.encode())
            case "context":
                window = ask.model.window
                raise prompt_too_long(window, window + 1723, is_exact=ask.model.is_harmony)
        return None

    def _take_turn(self, ask: Ask, failure: str | None) -> _Turn:
        tokens, limit = fit_window(ask, prompt_tokens(ask))
        self._number += 1
        source = json.dumps([ask.model.name, self._number, *ask.items], sort_keys=True)
        seed = int.from_bytes(hashlib.sha256(source.encode("utf-8", "replace")).digest()[:8])
        is_harmony = ask.model.is_harmony
        reply = plan_reply(ask, failure)
        whole = lay_out(reply, seed, is_harmony=is_harmony)
        if failure == "cut" and not reply.is_continuation:
            thinking = sum(segment.cost for segment in whole if segment.kind == "reasoning")
            limit = min(limit, thinking + CUT_AFTER)
        segments, is_cut = cut(whole, limit)
        output, reasoning = count_output(segments, is_harmony=is_harmony)
        cached, written = self.memory.cache(ask.model.name, tokens)
        timing = plan_timing(seed, output, len(tokens) - cached, ask.model.rate)
        given = ask.body.get("request_id")
        response_id = given if isinstance(given, str) and given else f"resp_{seed:016x}"
        head = Head(ask, response_id, int(self.pace.now()), limit)
        final = response_object(
            head,
            status="incomplete" if is_cut else "completed",
            output=final_output(
                segments, is_harmony=is_harmony, is_streamed=ask.body.get("stream") is True, is_cut=is_cut
            ),
            usage=usage_object(Tally(len(tokens), cached, written, output, reasoning), is_harmony=is_harmony),
            metrics=metrics_object(timing.first_token, timing.generation, output),
        )
        return _Turn(head, segments, final, timing, failure)

    async def _stream(self, turn: _Turn) -> AsyncIterator[bytes]:
        is_harmony = turn.head.ask.model.is_harmony
        opening = response_object(turn.head)
        due, deltas = 0, 0
        for beat in stream_beats(opening, turn.segments, turn.final, is_harmony=is_harmony):
            if beat.tokens:
                start, due = due, due + beat.tokens
                waits = turn.timing.gaps[max(1, start) : due]
                await self.pace.wait(sum(waits) + (turn.timing.first_token if start == 0 else 0.0))
            deltas += str(beat.event["type"]).endswith("output_text.delta")
            if deltas == BREAK_AFTER and turn.failure == "dies":
                raise ConnectionBroken
            if deltas == BREAK_AFTER and turn.failure == "stalls":
                deltas += 1
                await self.pace.stall()
            if beat.event["type"] == "response.completed":
                self.memory.keep(turn.head.ask, turn.final)
            yield encode(beat.event)


def _body(headers: Mapping[str, str], body: bytes) -> JsonObject:
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise _wrong_type()
    return parse_body(body)


def _wrong_type() -> Refused:
    message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
    return refuse(400, message, "Bad Request", None)


def _json(status: int, body: JsonObject) -> Answer:
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Answer(status, {"content-type": "application/json", "content-length": str(len(raw))}, raw)
