"""Keeps wire traffic in memory while the program runs: raw and cheap going in, redacted coming out."""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from vllm_tui.cassette.exchange import Chunk, Ending, Exchange, Headers, RecordedRequest
from vllm_tui.cassette.redaction import Redactor, secrets_in

MAX_BYTES = 32 * 1024 * 1024
"""Bytes a tape keeps; the oldest exchanges are dropped beyond it."""
_LARGEST_UNPACKED = 64 * 1024 * 1024


@dataclass
class Take:
    """One exchange that is being recorded; nothing is parsed, copied or redacted until somebody looks."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    started_at: float
    started: float
    clock: Callable[[], float]
    secrets: frozenset[str] = frozenset()
    status: int | None = None
    headers: Headers = ()
    answered_at: float | None = None
    chunks: list[Chunk] = field(default_factory=list)
    ending: Ending = "open"
    ended_at: float | None = None
    error: str | None = None
    size: int = 0
    _developed: Exchange | None = None

    def answer(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Note the head of the answer."""
        self.status = status
        self.headers = tuple((name.lower(), value) for name, value in headers)
        self.answered_at = self.clock() - self.started

    def add(self, data: bytes) -> None:
        """Note bytes of the body."""
        self.chunks.append(Chunk(self.clock() - self.started, data))
        self.size += len(data)

    def end(self, ending: Ending, error: str | None = None) -> None:
        """Note how it ended; only the first call counts."""
        if self.ending == "open":
            self.ending, self.error = ending, error
            self.ended_at = self.clock() - self.started

    def developed(self) -> Exchange:
        """Return the exchange as it stands, unpacked and without its secrets; a finished one is made once."""
        if self._developed is not None:
            return self._developed
        found = self._develop()
        if self.ending != "open":
            self._developed = found
        return found

    def _develop(self) -> Exchange:
        redactor = Redactor(self.secrets | secrets_in(self.request_headers, self.url))
        request = RecordedRequest(
            self.method,
            redactor.url(self.url),
            redactor.headers(self.request_headers),
            redactor.text(self.request_body.decode("utf-8", "replace")),
        )
        raw = Exchange(
            request,
            self.started_at,
            self.status,
            self.headers,
            self.answered_at,
            tuple(self.chunks),
            self.ending,
            self.ended_at,
            None if self.error is None else redactor.text(self.error),
        )
        plain = _unpacked(raw)
        return replace(plain, headers=redactor.headers(plain.headers), chunks=redactor.chunks(plain.chunks))


class Tape:
    """The last exchanges of this session, at most `max_bytes` of bodies.

    Credentials in a request's headers and address are known by themselves; `secrets` are further ones, needed
    when requests come with their headers already redacted.
    """

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        *,
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._takes: deque[Take] = deque()
        self._max_bytes = max_bytes
        self._secrets = frozenset(secret for secret in secrets if secret)
        self._clock = clock
        self._now = now

    def begin(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> Take:
        """Start recording an exchange at the moment its request leaves."""
        lower = tuple((name.lower(), value) for name, value in headers)
        take = Take(method, url, lower, body, self._now(), self._clock(), self._clock, self._secrets, size=len(body))
        self._takes.append(take)
        self._make_room()
        return take

    @property
    def takes(self) -> tuple[Take, ...]:
        """All exchanges as they are being recorded, raw: nothing of them may be shown."""
        return tuple(self._takes)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges as they stand, redacted, the oldest first; those still running are among them."""
        return tuple(take.developed() for take in self._takes)

    def clear(self) -> None:
        """Forget everything."""
        self._takes.clear()

    def _make_room(self) -> None:
        while len(self._takes) > 1 and sum(take.size for take in self._takes) > self._max_bytes:
            self._takes.popleft()


def _unpacked(exchange: Exchange) -> Exchange:
    """Return the exchange with a gzip or deflate body unpacked chunk by chunk; any other is left as it is."""
    coding = exchange.header("content-encoding").strip().lower()
    if coding not in ("gzip", "deflate", "x-gzip"):
        return exchange
    unpacker = zlib.decompressobj(47 if "gzip" in coding else 15)
    chunks: list[Chunk] = []
    left = _LARGEST_UNPACKED
    try:
        for chunk in exchange.chunks:
            data = unpacker.decompress(chunk.data, left)
            left -= len(data)
            chunks.append(Chunk(chunk.at, data))
            if left <= 0:
                break
    except zlib.error:
        return exchange
    headers = tuple(pair for pair in exchange.headers if pair[0] not in ("content-encoding", "content-length"))
    return replace(exchange, headers=headers, chunks=tuple(chunks))
