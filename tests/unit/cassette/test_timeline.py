"""The timeline of recorded streams: times, sizes and everything odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vllm_tui.cassette.exchange import Chunk, Exchange, RecordedRequest
from vllm_tui.cassette.frames import read_frames
from vllm_tui.cassette.timeline import KNOWN_TYPES, is_stream, read_timeline

RECORDINGS = Path(__file__).parents[2] / "recordings" / "0.32.0"
STREAMS = [
    path for path in sorted(RECORDINGS.glob("*/*_stream.response.txt")) if path.read_bytes().startswith(b"event:")
]


def exchange_of(*chunks: tuple[float, bytes], answered_at: float = 0.0) -> Exchange:
    request = RecordedRequest("POST", "http://h/v1/responses", (), "")
    found = tuple(Chunk(at, data) for at, data in chunks)
    headers = (("content-type", "text/event-stream; charset=utf-8"),)
    return Exchange(request, 0.0, 200, headers, answered_at, found, "complete", chunks[-1][0] if chunks else 0.0)


def event(kind: str, number: int, **fields: Any) -> bytes:
    data = json.dumps({**fields, "sequence_number": number, "type": kind})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def delta(number: int, text: str) -> bytes:
    return event("response.output_text.delta", number, item_id="msg_1", output_index=0, content_index=0, delta=text)


def done(number: int, text: str) -> bytes:
    return event("response.output_text.done", number, item_id="msg_1", output_index=0, content_index=0, text=text)


COMPLETED = "response.completed"


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
@pytest.mark.parametrize("size", [7, 4096])
def test_a_real_stream_has_nothing_odd_however_it_is_cut(path: Path, size: int) -> None:
    raw = path.read_bytes()
    is_whole = b"event: response.completed" in raw
    pieces = [(start / 1e6, raw[start : start + size]) for start in range(0, len(raw), size)]
    timeline = read_timeline(exchange_of(*pieces))
    assert (timeline.is_finished, timeline.rest) == (is_whole, "")
    assert set(timeline.flags) <= (set() if is_whole else {"no_done"})
    assert [entry.type for entry in timeline.events] == [
        line.removeprefix("event: ") for line in raw.decode().splitlines() if line.startswith("event: ")
    ]
    assert sum(entry.size for entry in timeline.events) == len(raw)
    assert [entry.sequence_number for entry in timeline.events] == list(range(len(timeline.events)))


def test_an_event_has_the_time_of_the_chunk_that_finished_it() -> None:
    first, second = delta(0, "a"), delta(1, "b")
    timeline = read_timeline(
        exchange_of((1.0, first[:9]), (2.5, first[9:] + second[:5]), (3.0, second[5:]), answered_at=0.5)
    )
    assert [(entry.at, entry.since_last, entry.size) for entry in timeline.events] == [
        (2.5, 2.0, len(first)),
        (3.0, 0.5, len(second)),
    ]


@pytest.mark.parametrize(
    ("body", "flags"),
    [
        (delta(0, "a") + delta(1, "b") + done(2, "ab") + event(COMPLETED, 3), ()),
        (delta(0, "a") + delta(1, "b") + done(2, "aB") + event(COMPLETED, 3), ("text_differs",)),
        (delta(0, "a") + delta(2, "b") + done(3, "ab") + event(COMPLETED, 4), ("sequence_gap",)),
        (delta(0, "a") + event(COMPLETED, 1), ("no_done",)),
        (event("response.output_item.added", 0, item={"id": "x"}, output_index=0) + event(COMPLETED, 1), ("no_done",)),
        (event("response.surprise", 0) + event(COMPLETED, 1), ("unknown_type",)),
        (event(COMPLETED, 0) + delta(1, "late"), ("no_done", "after_end")),
        (b"event: response.created\ndata: {broken\n\n", ("not_json",)),
        (b'event: response.created\ndata: {"type": "response.in_progress"}\n\n', ("name_differs",)),
        (b"data: [DONE]\n\n", ("not_json", "unknown_type")),
    ],
)
def test_what_is_odd_is_flagged(body: bytes, flags: tuple[str, ...]) -> None:
    assert set(read_timeline(exchange_of((0.1, body))).flags) == set(flags)


def test_a_cut_stream_is_not_finished_and_keeps_its_rest() -> None:
    timeline = read_timeline(exchange_of((0.1, delta(0, "a") + b"event: response.output_te")))
    assert (timeline.is_finished, timeline.rest, len(timeline.events)) == (False, "event: response.output_te", 1)


def test_frames_follow_the_standard() -> None:
    raw = b"\xef\xbb\xbf: comment\n\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\nid: 7\n\ndata: \xc3\xa9\r\rdata\n\n"
    for size in (1, 2, 3, 100):
        chunks = [Chunk(0.0, raw[start : start + size]) for start in range(0, len(raw), size)]
        frames, rest = read_frames(chunks)
        assert [(frame.name, frame.data) for _, frame in frames] == [("a", "1\n2"), ("", "é"), ("", "")]
        assert rest == ""


def test_a_stream_is_told_by_its_type() -> None:
    assert is_stream(exchange_of())
    assert not is_stream(Exchange(RecordedRequest("GET", "http://h", (), ""), 0.0))
    assert "response.output_text.delta" in KNOWN_TYPES
