"""The debug log: structured events as JSON lines in a private, rotating file, without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.config import DEFAULT_API_KEY

logger = logging.getLogger("vllm_tui.provider")

REDACTED = "[REDACTED]"
FILE_BYTES = 1_000_000
FILE_COUNT = 3

SECRET_KEYS = frozenset(
    [
        "api_key",
        "apikey",
        "api-key",
        "x-api-key",
        "secret",
        "password",
        "token",
        "credential",
        "credentials",
        "private_key",
        "privatekey",
        "auth",
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
    ]
)
"""Keys whose values are never written, at any depth and in any case."""

_WHOLE = ("request_id",)
"""Keys at the top of a payload whose values are never cut, as they join events."""


class DebugLog:
    """An observer that writes events to `path` (mode 0600), at most three files of 1 MB, `.1` and `.2` the older ones.

    Strings are cut at `truncate_length` characters. Events named `...:raw` are written whole, and only with `raw`.
    `secrets` are values that never reach the file. A disk that is full or unwritable is logged once.
    """

    def __init__(self, path: Path, truncate_length: int, raw: bool, secrets: Sequence[str]) -> None:
        self._path = path
        self._limit = truncate_length
        self._raw = raw
        self._secrets = _secret_pattern(secrets)
        self._file: int | None = None
        self._torn = False
        self._warned = False
        self._closed = False

    def emit(self, name: str, payload: JsonObject) -> None:
        """Write one event as a line with time, name and payload."""
        whole = name.endswith(":raw")
        if self._closed or (whole and not self._raw):
            return
        limit = None if whole else self._limit
        clean = {
            self._hide(key): self._clean_entry(key, value, None if key in _WHOLE else limit)
            for key, value in payload.items()
        }
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "name": self._hide(name), "payload": clean})
        try:
            self._write(line.encode("ascii") + b"\n")
        except OSError as error:
            self._warn(error)

    def close(self) -> None:
        """Close the file; later events are ignored."""
        self._closed = True
        try:
            self._release()
        except OSError as error:
            self._warn(error)

    def _clean_entry(self, key: str, value: JsonValue, limit: int | None) -> JsonValue:
        return REDACTED if key.strip().lower() in SECRET_KEYS else self._clean(value, limit)

    def _clean(self, value: JsonValue, limit: int | None) -> JsonValue:
        if isinstance(value, str):
            return _cut(self._hide(value), limit)
        if isinstance(value, dict):
            return {self._hide(key): self._clean_entry(key, entry, limit) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(entry, limit) for entry in value]
        return value

    def _hide(self, text: str) -> str:
        return self._secrets.sub(REDACTED, text) if self._secrets else text

    def _write(self, line: bytes) -> None:
        file = self._ready(len(line))
        rest = b"\n" + line if self._torn else line
        try:
            while rest:
                written = os.write(file, rest)
                self._torn, rest = True, rest[written:]
        except OSError:
            self._release()
            raise
        self._torn = False

    def _ready(self, size: int) -> int:
        """Return the open file; a new one when this one is full, was moved by another program, or is gone."""
        file = self._open() if self._file is None or self._was_moved(self._file) else self._file
        used = os.fstat(file).st_size
        if used and used + size > FILE_BYTES:
            self._rotate()
            file = self._open()
        return file

    def _open(self) -> int:
        self._release()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._file = file
        self._path.chmod(0o600)
        return file

    def _was_moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return True

    def _rotate(self) -> None:
        self._release()
        for number in range(FILE_COUNT - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)

    def _release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            reason = error.strerror or type(error).__name__
            logger.warning("The debug log %s can't be written (%s); events are lost.", self._path, reason)


def _cut(text: str, limit: int | None) -> str:
    if limit is None or len(text) <= limit:
        return text
    return f"{text[:limit]}… [{len(text) - limit} characters cut]"


def _secret_pattern(secrets: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern for the secrets as they are, inside JSON text and inside addresses; the longest wins."""
    plain = {secret.strip() for secret in secrets} - {"", DEFAULT_API_KEY}
    forms = {form for secret in plain for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""))}
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None
