"""Decodes server-sent events from bytes in any chunking (WHATWG HTML, section 9.2).

LF, CRLF and bare CR end a line, comments are skipped, several `data:` lines are joined, a missing blank line at the
end is forgiven. Nothing is decoded twice and each byte is searched once, so a single event of megabytes is fine.
"""

from __future__ import annotations

from typing import NamedTuple

from vllm_tui.domain.errors import ProtocolError

EVENT_LIMIT = 64 * 1024 * 1024
"""Bytes of one event beyond which the stream is given up."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class RawEvent(NamedTuple):
    """One event: its `event:` name (empty when absent) and its data as sent."""

    name: bytes
    data: bytes


class SSEDecoder:
    """Takes bytes as they come and gives whole events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._after_carriage_return = False
        self._is_start = True

    def feed(self, chunk: bytes) -> list[RawEvent]:
        """Return the events that `chunk` completes; ProtocolError when one grows beyond EVENT_LIMIT."""
        if self._after_carriage_return or b"\r" in chunk:
            chunk = self._with_plain_lines(chunk)
        buffer = self._buffer
        buffer += chunk
        if self._is_start and not self._skip_mark():
            return []
        found: list[RawEvent] = []
        begin = 0
        while (end := buffer.find(b"\n\n", max(begin, self._searched - 1))) >= 0:
            event = _parse(bytes(buffer[begin:end]))
            if event is not None:
                found.append(event)
            begin = self._searched = end + 2
        if begin:
            del buffer[:begin]
        self._searched = len(buffer)
        if len(buffer) > EVENT_LIMIT:
            raise ProtocolError(f"The server sent an event of more than {EVENT_LIMIT // 1024 // 1024} MB.")
        return found

    def close(self) -> list[RawEvent]:
        """Return the event that was open when the body ended, if it has data."""
        rest = bytes(self._buffer).strip(b"\n")
        self._buffer.clear()
        self._searched = 0
        event = _parse(rest) if rest else None
        return [] if event is None else [event]

    def _with_plain_lines(self, chunk: bytes) -> bytes:
        if self._after_carriage_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_carriage_return = False
            if not chunk:
                return chunk
        self._after_carriage_return = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _skip_mark(self) -> bool:
        """Drop a byte order mark and blank lines at the start; False while that can't be told yet."""
        buffer = self._buffer
        if len(buffer) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(bytes(buffer)):
            return False
        if buffer.startswith(_BYTE_ORDER_MARK):
            del buffer[: len(_BYTE_ORDER_MARK)]
        self._is_start = False
        return True


def _parse(block: bytes) -> RawEvent | None:
    """Return the event in `block` (lines without the blank one), None when it holds no data."""
    if block.startswith(b"event: "):
        name, separator, rest = block.partition(b"\ndata: ")
        if separator and b"\n" not in rest and b"\n" not in name:
            return RawEvent(name[7:], rest)
    elif block.startswith(b"data: ") and b"\n" not in block:
        return RawEvent(b"", block[6:])
    return _parse_lines(block)


def _parse_lines(block: bytes) -> RawEvent | None:
    name = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return RawEvent(name, b"\n".join(data)) if data else None
