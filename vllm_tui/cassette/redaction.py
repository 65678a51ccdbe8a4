"""Takes secrets out of recorded traffic: known keys wherever they stand, and whatever is named like one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

from vllm_tui.cassette.exchange import Chunk, Headers

REDACTED = "[redacted]"
MIN_SECRET = 8
"""A shorter key is removed from headers and addresses, but not looked for in texts, where it could be any word."""

_HEADER = re.compile(r"authorization|cookie|api[-_]?key|token|secret|password|credential|session|auth\b", re.I)
_NAMES = (
    r"api[-_]?key|x-api-key|(?:proxy-)?authorization|(?:access|auth|refresh|id)[-_]?token|client[-_]?secret|secret"
    r"|password|passwd|private[-_]?key"
)
_QUERY = re.compile(rf"(?P<name>(?:^|[&;?])(?:{_NAMES}|key|token|sig|signature)=)[^&;#]*", re.I)
_JSON_FIELD = re.compile(
    rf'(?P<name>\\?"(?:{_NAMES})\\?"\s*:\s*)(?P<quote>\\?")(?:[^"\\]|\\(?!").|\\")*?(?P=quote)', re.I
)
_BEARER = re.compile(r"(?P<name>\b(?:bearer|basic)\s{1,9})(?=[^\s\d]{0,200}\d)[A-Za-z0-9._~+/=-]{8,}", re.I)
_KEY_SHAPE = re.compile(
    r"\b(?:sk|hf|ghp|gho|xoxb|pk|rk)[-_](?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{20,}"
    r"|\bAKIA[A-Z0-9]{16}\b|\beyJ[\w-]{8,300}\.[\w-]{8,4000}\.[\w-]+"
)
_USERINFO = re.compile(r"(?P<name>\b[a-z][a-z0-9+.-]{0,20}://)[^/?#\s\"'@]{1,500}@", re.I)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Knows the secrets of one exchange and removes them from its parts."""

    secrets: frozenset[str] = frozenset()

    def headers(self, headers: Headers) -> Headers:
        """Return the headers with the values of secret ones replaced."""
        return tuple((name, REDACTED if _HEADER.search(name) else self.text(value)) for name, value in headers)

    def url(self, url: str) -> str:
        """Return an address without user, password and secret query values."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return self.text(_USERINFO.sub(rf"\g<name>{REDACTED}@", url))
        host = parts.netloc.rpartition("@")[2]
        query = _QUERY.sub(rf"\g<name>{REDACTED}", parts.query)
        plain = urlunsplit((parts.scheme, host, parts.path, query, ""))
        return self.text(plain)

    def text(self, text: str) -> str:
        """Return a text with known secrets, secret-looking fields and key shapes replaced."""
        for secret in self._long_secrets():
            for form in _forms(secret):
                text = text.replace(form, REDACTED)
        text = _JSON_FIELD.sub(rf"\g<name>\g<quote>{REDACTED}\g<quote>", text)
        text = _BEARER.sub(rf"\g<name>{REDACTED}", text)
        text = _USERINFO.sub(rf"\g<name>{REDACTED}@", text)
        return _KEY_SHAPE.sub(REDACTED, text)

    def chunks(self, chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
        """Return the chunks with secrets overwritten by stars, also those that lie across two chunks."""
        whole = b"".join(chunk.data for chunk in chunks)
        starred = self._starred(whole)
        if starred == whole:
            return chunks
        found: list[Chunk] = []
        start = 0
        for chunk in chunks:
            end = start + len(chunk.data)
            found.append(Chunk(chunk.at, starred[start:end]))
            start = end
        return tuple(found)

    def _starred(self, data: bytes) -> bytes:
        for secret in self._long_secrets():
            for form in _forms(secret):
                raw = form.encode("utf-8", "replace")
                data = data.replace(raw, b"*" * len(raw))
        text = data.decode("latin-1")
        text = _KEY_SHAPE.sub(lambda found: "*" * len(found.group()), text)
        text = _BEARER.sub(lambda found: found["name"] + "*" * (len(found.group()) - len(found["name"])), text)
        return text.encode("latin-1")

    def _long_secrets(self) -> list[str]:
        return sorted((secret for secret in self.secrets if len(secret) >= MIN_SECRET), key=len, reverse=True)


def secrets_in(headers: Iterable[tuple[str, str]], url: str) -> frozenset[str]:
    """Return the secrets a request carries: credentials in headers and in its address."""
    found: set[str] = set()
    for name, value in headers:
        if _HEADER.search(name):
            found.add(value.strip())
            found.add(value.strip().rpartition(" ")[2])
    try:
        parts = urlsplit(url)
        found |= {part for part in (parts.username, parts.password) if part}
    except ValueError:
        parts = urlsplit("")
    for pair in _QUERY.finditer(parts.query):
        found.add(pair.group().partition("=")[2])
    return frozenset(secret for secret in found if secret and secret.lower() != REDACTED)


def _forms(secret: str) -> tuple[str, ...]:
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    return tuple(dict.fromkeys((secret, *in_json, quote(secret, safe=""), quote_plus(secret))))
