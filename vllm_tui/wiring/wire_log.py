"""Keeps what crosses the wire while the program runs, and hands it out redacted: to look at and to take away."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vllm_tui.cassette.cassette import Cassette, encode_cassette
from vllm_tui.cassette.exchange import Chunk, Exchange, RecordedRequest
from vllm_tui.cassette.frames import Frame, read_frames
from vllm_tui.cassette.redaction import Redactor
from vllm_tui.cassette.takeaway import to_curl, to_json, to_python
from vllm_tui.cassette.timeline import TimelineReader
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.wire import Form, WireEnding, WireEventRow, WireMessage, WireSummary
from vllm_tui.provider.wire import WireEnd, WireEvent, WireRecord, WireRequest, WireResponse

if TYPE_CHECKING:
    from vllm_tui.cassette.tape import Take

MAX_BYTES = 48 * 1024 * 1024
MAX_EXCHANGES = 500
"""What is kept; the oldest exchanges are dropped beyond it."""
MOST_OF_ONE, MOST_EVENTS = 16 * 1024 * 1024, 200_000
"""Bytes and events that are kept of one answer; what a server sends beyond is counted only."""
BUNDLE_BYTES = 1_000_000
"""How much traffic a report holds; it is shown before it is written, so it has to be readable."""
_GAP_SECONDS, _GAP_TIMES = 0.25, 8.0
FLAG_WORDS = {
    "unknown_type": "unknown type",
    "sequence_gap": "gap in the sequence numbers",
    "not_json": "not JSON",
    "name_differs": "name and type differ",
    "no_done": "never closed",
    "text_differs": "text differs from its deltas",
    "after_end": "after the end",
}

Repeating = Callable[[RecordedRequest, "str | None"], Awaitable["Take"]]
"""Sends a request again; with the name of a profile, to its server. Raises ConfigurationError."""
_LEFT = "closed by this side"


@dataclass
class Wired:
    """One exchange as the provider tells it; nothing is parsed or redacted until somebody looks."""

    number: int
    about: str
    attempt: int
    request: WireRequest
    started_at: float
    response: WireResponse | None = None
    events: list[WireEvent] = field(default_factory=list)
    end: WireEnd | None = None
    size: int = 0
    cut: int = 0
    note: str = ""
    reader: TimelineReader = field(default_factory=TimelineReader)
    rows: list[WireEventRow] = field(default_factory=list)
    read: int = 0
    was_finished: bool = False

    @property
    def is_stream(self) -> bool:
        """Return whether the answer is an event stream."""
        headers = self.response.headers if self.response is not None else ()
        return any(name.lower() == "content-type" and value.startswith("text/event-stream") for name, value in headers)


class WireLog:
    """A WireListener and a WireCatalog. `secrets` gives the keys that must never be shown, `describe` the versions and
    settings for a report, `repeat` sends a request once more."""

    def __init__(
        self,
        secrets: Callable[[], frozenset[str]],
        describe: Callable[[], str],
        repeat: Repeating,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.about = ""
        self.dropped = 0
        self._secrets = secrets
        self._describe = describe
        self._now = now
        self._monotonic = monotonic
        self._wired: dict[int, Wired] = {}
        self._open: dict[str, Wired] = {}
        self._numbers = 0
        self._size = 0
        self._repeat = repeat

    # what the provider tells

    def on_wire(self, request_id: str, attempt: int, record: WireRecord) -> None:
        """Take one record of one attempt."""
        if isinstance(record, WireEvent):
            entry = self._open.get(request_id)
            if entry is not None and (entry.size > MOST_OF_ONE or len(entry.events) >= MOST_EVENTS):
                entry.cut += 1
            elif entry is not None:
                entry.events.append(record)
                entry.size += len(record.data)
                if entry.number in self._wired:  # it may have had to go while it still came
                    self._size += len(record.data)
            return
        match record:
            case WireRequest():
                self._open[request_id] = self._begin(record, attempt)
            case WireResponse():
                if (entry := self._open.get(request_id)) is not None:
                    entry.response = record
            case WireEnd():
                if (entry := self._open.pop(request_id, None)) is not None:
                    entry.end = record
                self._make_room()

    def _begin(self, request: WireRequest, attempt: int, note: str = "") -> Wired:
        self._numbers += 1
        entry = Wired(self._numbers, self.about, attempt, request, self._now(), note=note)
        self._wired[entry.number] = entry
        self._size += len(request.body)
        self._make_room()
        return entry

    def _make_room(self) -> None:
        while len(self._wired) > 1 and (self._size > MAX_BYTES or len(self._wired) > MAX_EXCHANGES):
            oldest = self._wired.pop(next(iter(self._wired)))
            self._size -= oldest.size + len(oldest.request.body)
            self.dropped += 1

    # what a screen asks

    def exchanges(self) -> Sequence[WireSummary]:
        """Return every exchange that is kept, oldest first."""
        return tuple(self._summary(entry) for entry in self._wired.values())

    def request(self, number: int) -> WireMessage:
        """Return the request of an exchange."""
        recorded = self._recorded(self._entry(number))
        return WireMessage(recorded.headers, recorded.body)

    def answer(self, number: int) -> WireMessage:
        """Return the head of an answer, and its body unless it is a stream."""
        entry, redactor = self._entry(number), self._redactor()
        headers = () if entry.response is None else redactor.headers(_lower(entry.response.headers))
        body = "" if entry.is_stream else b"".join(event.data for event in entry.events).decode("utf-8", "replace")
        return WireMessage(headers, redactor.text(body))

    def events(self, number: int) -> Sequence[WireEventRow]:
        """Return the events of a stream; only those that are new since the last look are parsed."""
        entry = self._entry(number)
        if not entry.is_stream:
            return ()
        reader, redactor = entry.reader, self._redactor()
        last = entry.events[entry.read - 1].time if entry.read else (entry.response or entry.request).time
        for event in entry.events[entry.read :]:
            text = redactor.text(event.data.decode("utf-8", "replace"))
            size = len(event.data) + len(event.name) + 15
            reader.take(Frame(event.name, text, size), event.time - entry.request.time, max(0.0, event.time - last))
            last = event.time
        entry.read = len(entry.events)
        was_finished = entry.was_finished
        _add_rows(entry.rows, reader)
        if reader.is_finished and not was_finished:  # what never closed is known only now
            entry.was_finished = True
            late = {number: _flags(reader, number) for number in reader.open_at.values()}
            entry.rows = [replace(row, flags=late.get(row.number, row.flags)) for row in entry.rows]
        return entry.rows

    def take_away(self, number: int, form: Form) -> str:
        """Return a request as text that repeats it."""
        write = {"curl": to_curl, "python": to_python, "json": to_json}[form]
        return write(self._recorded(self._entry(number)))

    def cassette(self, number: int | None = None) -> str:
        """Return one exchange, or all that are kept, as the text of a cassette file."""
        from vllm_tui import __version__

        entries = list(self._wired.values()) if number is None else [self._entry(number)]
        exchanges = tuple(self._exchange(entry) for entry in entries)
        return encode_cassette(Cassette(exchanges, f"vllm-tui {__version__}", created_at=self._now()))

    def bundle(self) -> str:
        """Return versions, settings and the newest exchanges, up to a megabyte, as one text."""
        from vllm_tui import __version__

        chosen: list[Wired] = []
        size = 0
        for entry in reversed(self._wired.values()):
            size += entry.size + len(entry.request.body)
            if chosen and size > BUNDLE_BYTES:
                break
            chosen.insert(0, entry)
        left = len(self._wired) - len(chosen)
        older = f", without {left} older exchange{'' if left == 1 else 's'}" if left else ""
        cassette = Cassette(tuple(self._exchange(entry) for entry in chosen), f"vllm-tui {__version__}")
        head = f"{self._describe()}\n# Traffic{older} (a cassette: vllm-tui replay plays what is below this line)"
        return f"{head}\n{encode_cassette(cassette)}"

    async def send_again(self, number: int, effort: str | None = None, profile: str | None = None) -> int:
        """Send a request once more; return the number of the new exchange once its answer is there."""
        from vllm_tui.cassette.repeat import changed

        old = self._entry(number)
        body = old.request.body.decode("utf-8", "replace")
        request = changed(RecordedRequest(old.request.method, old.request.url, (), body), effort=effort)
        sent = WireRequest(request.method, request.url, old.request.headers, request.body.encode(), self._monotonic())
        told = f"again {number}" + (f", effort {effort}" if effort else "")
        entry = self._begin(sent, 1, told + (f", {profile}" if profile is not None else ""))
        take: Take | None = None
        try:
            take = await self._repeat(request, profile)
        finally:
            if take is None:
                entry.end = WireEnd(_LEFT, self._monotonic())
        self._fill(entry, take)
        return entry.number

    def _fill(self, entry: Wired, take: Take) -> None:
        """Take over what was recorded of a request that was sent again."""
        begun = entry.request.time
        entry.request = WireRequest(take.method, take.url, take.request_headers, take.request_body, begun)
        if take.status is not None:
            entry.response = WireResponse(take.status, take.headers, begun + (take.answered_at or 0.0))
        if entry.is_stream:
            frames, rest = read_frames(take.chunks)
            found = [WireEvent(frame.name, frame.data.encode(), begun + at) for at, frame in frames]
            entry.events = [*found, *([WireEvent("", rest.encode(), begun)] if rest else [])]
        else:
            entry.events = [WireEvent("", chunk.data, begun + chunk.at) for chunk in take.chunks]
        entry.size = sum(len(event.data) for event in entry.events)
        if entry.number in self._wired:
            self._size += entry.size
        error = _LEFT if take.ending == "cancelled" else take.error
        entry.end = WireEnd(error, begun + (take.ended_at or 0.0))

    # inside

    def _entry(self, number: int) -> Wired:
        if number not in self._wired:
            raise ConfigurationError(f"Exchange {number} is not kept any more.", hint="Only the newest are.")
        return self._wired[number]

    def _redactor(self) -> Redactor:
        return Redactor(self._secrets())

    def _recorded(self, entry: Wired) -> RecordedRequest:
        redactor, request = self._redactor(), entry.request
        body = redactor.text(request.body.decode("utf-8", "replace"))
        return RecordedRequest(
            request.method, redactor.url(request.url), redactor.headers(_lower(request.headers)), body
        )

    def _exchange(self, entry: Wired) -> Exchange:
        redactor, begun = self._redactor(), entry.request.time
        answer = entry.response
        chunks = tuple(Chunk(event.time - begun, _frame(event, entry)) for event in entry.events)
        return Exchange(
            self._recorded(entry),
            entry.started_at,
            None if answer is None else answer.status,
            () if answer is None else redactor.headers(_lower(answer.headers)),
            None if answer is None else answer.time - begun,
            redactor.chunks(chunks),
            self._ending(entry),
            None if entry.end is None else entry.end.time - begun,
            None if entry.end is None or entry.end.error is None else f"ReadError: {redactor.text(entry.end.error)}",
        )

    def _summary(self, entry: Wired) -> WireSummary:
        end = self._monotonic() if entry.end is None else entry.end.time
        error = None if entry.end is None or entry.end.error is None else self._redactor().text(entry.end.error)
        return WireSummary(
            entry.number,
            entry.about,
            entry.attempt,
            entry.request.method,
            self._redactor().url(entry.request.url),
            entry.started_at,
            max(0.0, end - entry.request.time),
            None if entry.response is None else entry.response.status,
            len(entry.events) if entry.is_stream else 0,
            entry.size,
            self._ending(entry),
            error,
            entry.note,
            entry.cut,
        )

    def _ending(self, entry: Wired) -> WireEnding:
        if entry.end is None:
            return "open"
        if entry.end.error == _LEFT:
            return "cancelled"
        is_whole = entry.response is not None and (entry.end.error is None or not entry.is_stream)
        return "complete" if is_whole else "broken"


def _lower(headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in headers)


def _frame(event: WireEvent, entry: Wired) -> bytes:
    if not entry.is_stream:
        return event.data
    name = f"event: {event.name}\n".encode() if event.name else b""
    lines = b"".join(b"data: " + line + b"\n" for line in event.data.split(b"\n"))
    return name + lines + b"\n"


def _add_rows(rows: list[WireEventRow], reader: TimelineReader) -> None:
    """Add the rows of the events that have none yet."""
    for event in reader.events[len(rows) :]:
        mean = (event.at - event.since_last) / max(event.number, 1)
        is_gap = event.since_last > _GAP_SECONDS and event.since_last > _GAP_TIMES * mean
        flags = _flags(reader, event.number)
        row = WireEventRow(event.number, event.at, event.since_last, event.type, event.size, event.data, flags, is_gap)
        rows.append(row)


def _flags(reader: TimelineReader, number: int) -> tuple[str, ...]:
    return tuple(FLAG_WORDS[flag] for flag in reader.flags_at(number))
