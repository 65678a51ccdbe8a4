"""Reads the lines of a cassette with suspicion: every field is checked before it is used."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vllm_tui.cassette.exchange import Ending, Headers, RecordedRequest
from vllm_tui.domain.errors import ProtocolError

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject, JsonValue

MAX_LINE = 32 * 1024 * 1024
MAX_ROWS = 2_000_000
MAX_HEADERS = 500
MAX_SECONDS = 1e11
"""Larger times are nonsense, whether they count from a request or from 1970."""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class Row:
    """One line of a cassette."""

    def __init__(self, fields: JsonObject, number: int, name: str) -> None:
        self._fields = fields
        self._number = number
        self._name = name

    def wrong(self, field: str, problem: str) -> ProtocolError:
        """Return the error that says what is wrong with a field of this line."""
        return broken(self._name, self._number, f"`{field}` {problem}")

    def expect(self, kind: str, exchange: int) -> None:
        """Check that this line is a `kind` of exchange number `exchange`."""
        if self._fields.get("kind") != kind:
            raise self.wrong("kind", f"should be {kind!r}")
        if self._fields.get("exchange") != exchange:
            raise self.wrong("exchange", f"should be {exchange}")

    def text(self, field: str, longest: int = MAX_LINE) -> str:
        """Return a text field."""
        value = self._fields.get(field)
        if not isinstance(value, str) or len(value) > longest:
            raise self.wrong(field, "is no text, or too long")
        return value

    def optional_text(self, field: str) -> str | None:
        """Return a text field that may be null."""
        return None if self._fields.get(field) is None else self.text(field, 100_000)

    def integer(self, field: str, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value = self._fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(field, f"is no whole number from {least} to {most}")
        return value

    def seconds(self, field: str) -> float:
        """Return a time that is finite and not negative."""
        value = self._fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
            raise self.wrong(field, "is no time in seconds")
        return float(value)

    def headers(self) -> Headers:
        """Return header pairs; line breaks in them are refused."""
        pairs = self._fields.get("headers")
        if not isinstance(pairs, list) or len(pairs) > MAX_HEADERS:
            raise self.wrong("headers", "is no list of pairs")
        return tuple(self._pair(pair) for pair in pairs)

    def _pair(self, pair: JsonValue) -> tuple[str, str]:
        match pair:
            case [str(name), str(value)] if _is_header(name, value):
                return name.lower(), value
            case _:
                raise self.wrong("headers", "holds what is no header")

    def request(self) -> RecordedRequest:
        """Return the request of this line."""
        method, url = self.text("method", 20), self.text("url", 20_000)
        if method not in _METHODS:
            raise self.wrong("method", "is unknown")
        try:
            is_web = urlsplit(url).scheme in ("http", "https")
        except ValueError:
            is_web = False
        if not is_web or any(character.isspace() or not character.isprintable() for character in url):
            raise self.wrong("url", "is no http address")
        return RecordedRequest(method, url, self.headers(), self.text("body"))

    def data(self) -> bytes:
        """Return the bytes of a chunk, which stand as text or as base64."""
        if "base64" not in self._fields:
            return self.text("text").encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(self.text("base64"), validate=True)
        except binascii.Error as error:
            raise self.wrong("base64", "can't be decoded") from error

    def ending(self) -> Ending:
        """Return how the exchange ended."""
        match self.text("ending", 20):
            case "complete":
                return "complete"
            case "broken":
                return "broken"
            case "cancelled":
                return "cancelled"
            case _:
                raise self.wrong("ending", "is none of complete, broken, cancelled")


class Rows:
    """The lines of a cassette, one after the other."""

    def __init__(self, data: bytes, name: str) -> None:
        self._lines: Iterator[bytes] = iter(data.split(b"\n"))
        self._name = name
        self._number = 0

    def take(self) -> Row | None:
        """Return the next line that is not blank, or None at the end."""
        for line in self._lines:
            self._number += 1
            if self._number > MAX_ROWS:
                raise broken(self._name, self._number, "there are too many lines")
            if line.strip():
                return self._parse(line)
        return None

    def take_or_cut(self, exchange: int) -> Row:
        """Return the next line; raise when the file ends in the middle of an exchange."""
        row = self.take()
        if row is None:
            raise broken(self._name, self._number, f"the file is cut: exchange {exchange} has no end")
        return row

    def _parse(self, line: bytes) -> Row:
        if len(line) > MAX_LINE:
            raise broken(self._name, self._number, "the line is too long")
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = "this is no JSON (the file may be cut)"
            raise broken(self._name, self._number, problem) from error
        if not isinstance(fields, dict):
            raise broken(self._name, self._number, "this is no JSON object")
        return Row(fields, self._number, self._name)


def broken(name: str, line: int, problem: str) -> ProtocolError:
    """Return the error of a file that is damaged at `line`."""
    hint = "Record it again, or delete the lines from there on."
    return ProtocolError(f"{name}, line {line}: {problem}.", hint=hint, retryable=False)


def _is_header(name: str, value: str) -> bool:
    is_name = 0 < len(name) <= 200 and name.isascii() and name.isprintable() and ":" not in name and " " not in name
    return is_name and len(value) <= 65_536 and "\r" not in value and "\n" not in value and "\x00" not in value
