"""Cassette files: wire traffic as JSON lines, readable by its owner alone."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.cassette.exchange import Chunk, Exchange
from vllm_tui.cassette.rows import Row, Rows
from vllm_tui.domain.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject

FORMAT = "vllm-tui cassette"
VERSION = 1
"""Raised when a reader of today could not read the file of tomorrow."""
MAX_FILE = 128 * 1024 * 1024
"""Bytes; a larger file is not read."""


@dataclass(frozen=True, slots=True)
class Cassette:
    """Recorded exchanges in the order their requests left, and what the file says about itself."""

    exchanges: tuple[Exchange, ...]
    program: str = ""
    note: str = ""
    created_at: float = 0.0


def encode_cassette(cassette: Cassette) -> str:
    """Return the file's text, one JSON object a line: a head, then each request, its answer, chunks and end."""
    head: JsonObject = {"kind": "cassette", "format": FORMAT, "version": VERSION, "program": cassette.program}
    rows: list[JsonObject] = [head | {"note": cassette.note, "created_at": cassette.created_at}]
    for number, exchange in enumerate(cassette.exchanges, 1):
        rows += _exchange_rows(exchange, number)
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def _exchange_rows(exchange: Exchange, number: int) -> Iterable[JsonObject]:
    request = exchange.request
    yield {
        "kind": "request",
        "exchange": number,
        "started_at": exchange.started_at,
        "method": request.method,
        "url": request.url,
        "headers": [[name, value] for name, value in request.headers],
        "body": request.body,
    }
    if exchange.status is not None:
        yield {
            "kind": "answer",
            "exchange": number,
            "at": exchange.answered_at or 0.0,
            "status": exchange.status,
            "headers": [[name, value] for name, value in exchange.headers],
        }
    for chunk in exchange.chunks:
        yield {"kind": "chunk", "exchange": number, "at": chunk.at, **_packed(chunk.data)}
    ending = "cancelled" if exchange.ending == "open" else exchange.ending
    yield {
        "kind": "end",
        "exchange": number,
        "at": exchange.ended_at or (exchange.chunks[-1].at if exchange.chunks else 0.0),
        "ending": ending,
        "error": exchange.error,
    }


def _packed(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def write_cassette(path: Path, cassette: Cassette) -> None:
    """Write a cassette in one step, mode 0600; raise StorageError when it can't be written."""
    data = encode_cassette(cassette).encode("utf-8", "surrogatepass")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or type(error).__name__
    return StorageError(f"The cassette {path} can't be written: {reason}.", hint="Choose another place.")


def read_cassette(path: Path, max_bytes: int = MAX_FILE) -> Cassette:
    """Read a cassette; raise ConfigurationError when there is none to read, ProtocolError when it is broken."""
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"The cassette {path} can't be read: {reason}.", hint="Check the path.") from error
    if len(data) > max_bytes:
        limit = max_bytes // (1024 * 1024)
        raise ConfigurationError(f"The cassette {path} is larger than {limit} MiB.", hint="Record fewer turns.")
    return decode_cassette(data, str(path))


def decode_cassette(data: bytes, name: str = "cassette") -> Cassette:
    """Return the cassette in `data`; raise ProtocolError with the number of the first line that is wrong."""
    rows = Rows(data, name)
    head = rows.take()
    if head is None or head.text("kind", 64) != "cassette" or head.text("format", 64) != FORMAT:
        raise ConfigurationError(f"{name} is no cassette of this program.", hint="Record one with the wire view.")
    version = head.integer("version", 1, 1_000_000)
    if version > VERSION:
        message = f"{name} has version {version}; this program reads up to {VERSION}."
        raise ConfigurationError(message, hint="Update vllm-tui.")
    exchanges: list[Exchange] = []
    while (row := rows.take()) is not None:
        exchanges.append(_read_exchange(row, rows, len(exchanges) + 1))
    return Cassette(tuple(exchanges), head.text("program", 200), head.text("note", 10_000), head.seconds("created_at"))


def _read_exchange(row: Row, rows: Rows, number: int) -> Exchange:
    row.expect("request", number)
    found = Exchange(row.request(), row.seconds("started_at"))
    status, headers, answered_at = found.status, found.headers, found.answered_at
    chunks: list[Chunk] = []
    while (row := rows.take_or_cut(number)).text("kind", 64) != "end":
        if status is None:
            row.expect("answer", number)
            status, headers, answered_at = row.integer("status", 100, 599), row.headers(), row.seconds("at")
            continue
        row.expect("chunk", number)
        chunk = Chunk(row.seconds("at"), row.data())
        if chunks and chunk.at < chunks[-1].at:
            raise row.wrong("at", "goes back in time")
        chunks.append(chunk)
    row.expect("end", number)
    return Exchange(
        found.request,
        found.started_at,
        status,
        headers,
        answered_at,
        tuple(chunks),
        row.ending(),
        row.seconds("at"),
        row.optional_text("error"),
    )
