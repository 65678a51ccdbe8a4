"""Cuts recorded chunks into server-sent events, whatever the chunk borders (WHATWG event stream)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.cassette.exchange import Chunk

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its name, its data and its bytes on the wire, the blank line included."""

    name: str
    data: str
    size: int


def read_frames(chunks: Iterable[Chunk]) -> tuple[list[tuple[float, Frame]], str]:
    """Return the events with the time of the chunk that finished each, and the text after the last blank line."""
    found: list[tuple[float, Frame]] = []
    buffer = bytearray()
    searched = 0
    is_first = True
    for chunk in chunks:
        buffer += chunk.data
        if is_first and len(buffer) >= len(_BOM):
            is_first = False
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        start = 0
        while end := _END.search(buffer, max(start, searched)):
            frame = _frame(bytes(buffer[start : end.start()]), end.end() - start)
            start = searched = end.end()
            if frame is not None:
                found.append((chunk.at, frame))
        del buffer[:start]
        searched = max(0, len(buffer) - 3)
    return found, buffer.decode("utf-8", "replace").strip()


def _frame(raw: bytes, size: int) -> Frame | None:
    name, data = "", []
    for line in re.split(r"\r\n|\n|\r", raw.decode("utf-8", "replace")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return Frame(name, "\n".join(data), size) if data or name else None
