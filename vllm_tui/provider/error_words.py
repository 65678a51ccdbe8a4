"""What an error body says in a few words: any JSON shape, plain text, an HTML page, or a validation dump."""

from __future__ import annotations

import ast
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonValue

LONGEST = 300
"""Characters of a server's words that are shown."""

_LEAST_SECRET = 8
_SEARCHED = 20_000
_KIND = 100
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_DUMP_ENTRY = re.compile(rf"'loc': (\((?:'[^']*'|[^()'])*\)|'[^']*'), 'msg': ({_QUOTED})")
_DUMP_HEAD = re.compile(r"\s*(\d+ validation errors?\b|\[\{'type': ')")
_MODEL_DUMP = re.compile(r"\s*\d+ validation errors? for [^\n]*\n([^\n]+)\n\s+([^\n]+?)(?: \[type=|\n|$)")
_CUT_MESSAGE = re.compile(r'"(?:message|detail)"\s*:\s*"((?:[^"\\]|\\.)*)')
_PAGE = re.compile(r"(?:<!--.{0,500}?-->\s*)?<(?:!doctype|html|head)", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True)
class ErrorWords:
    """An error body read: `text` in a few words (may be empty), the error's `kinds` (type and code), what it was."""

    text: str
    kinds: tuple[str, ...] = ()
    is_json: bool = False
    is_html: bool = False
    raw: str = ""


def without_secret(text: str, secret: str) -> str:
    """Return `text` without `secret`, which some servers repeat; one under 8 characters may be a word and stays."""
    return text.replace(secret, "[REDACTED]") if len(secret) >= _LEAST_SECRET else text


def read_error_body(body: bytes, content_type: str) -> ErrorWords:
    """Return what `body` says; it may be cut short, broken, or no JSON at all."""
    raw = body.decode("utf-8", "replace").strip()
    try:
        payload: JsonValue = json.loads(raw)
        words = read_error(payload)
    except (ValueError, RecursionError):
        if raw.startswith(("{", "[")):
            return ErrorWords(plain_words(_cut_message(raw)), is_json=True, raw=raw)
        if "text/html" in content_type.lower() or _PAGE.match(raw):
            return ErrorWords(html_title(raw), is_html=True, raw=raw)
        return ErrorWords(plain_words(raw), raw=raw)
    return ErrorWords(words.text, words.kinds, isinstance(payload, dict | list), raw=raw)


def read_error(payload: JsonValue) -> ErrorWords:
    """Return what a decoded error says: `error` an object or text, `detail`, `message`, or the value itself."""
    match payload:
        case _ if not payload:
            return ErrorWords("", is_json=True)
        case {"error": dict() | str() | list() as error} if error:
            return read_error(error)
        case {"message": str() | list() | dict() as said} | {"detail": str() | list() | dict() as said}:
            return ErrorWords(read_error(said).text, _kinds(payload), is_json=True)
        case {"loc": list() as where, "msg": str() as said}:
            text = shortened(f"{_place(where)}: {said}")
        case [first, *_]:
            return read_error(first)
        case str():
            text = plain_words(payload)
        case dict() if _kinds(payload):
            return ErrorWords(shortened(" ".join(_kinds(payload))), _kinds(payload), is_json=True)
        case _:
            text = shortened(json.dumps(payload))
    return ErrorWords(text, is_json=True)


def _kinds(error: JsonValue) -> tuple[str, ...]:
    if not isinstance(error, dict):
        return ()
    return tuple(str(error[name])[:_KIND] for name in ("type", "code") if error.get(name) is not None)


def plain_words(text: str) -> str:
    """Return the first telling line; of a validation dump the first field and its fault, never the echoed input."""
    if _DUMP_HEAD.match(text):
        return _dump_words(text[:_SEARCHED])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1] if lines[0].startswith("Traceback (") else lines[0]
    return shortened(line.removesuffix(" None"))


def html_title(page: str) -> str:
    """Return an HTML page in words: that it is one, and its title."""
    found = _TITLE.search(page)
    title = " ".join(html.unescape(found[1]).split()) if found else ""
    return f"an HTML page titled {shortened(title, 120)!r}" if title else "an HTML page without a title"


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return `text` with single spaces, at most `longest` characters long."""
    text = " ".join(text[: 4 * longest].encode("utf-8", "replace").decode("utf-8").split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _dump_words(text: str) -> str:
    entries = _DUMP_ENTRY.findall(text)
    effort = [entry for entry in entries if "effort" in entry[0]]
    for loc, said in effort or entries:
        return shortened(f"{_place(_literal(loc))}: {_literal(said)}")
    found = _MODEL_DUMP.match(text)
    if found:
        return shortened(f"{found[1]}: {found[2]}")
    line = text.strip().partition("\n")[2].partition("\n")[0].partition(' ["')[0].strip()
    return shortened(line) if line and not line.startswith(("{", "[")) else "the request failed validation"


def _literal(source: str) -> object:
    try:
        value: object = ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source.strip("'\"")
    return value


def _place(loc: object) -> str:
    if isinstance(loc, str):
        return loc.removeprefix("body.")
    parts = [str(part) for part in loc] if isinstance(loc, list | tuple) else [str(loc)]
    return shortened(".".join(parts[1:] if parts[:1] == ["body"] and parts[1:] else parts), 120)


def _cut_message(raw: str) -> str:
    """Return the message of a JSON body whose end is missing."""
    found = _CUT_MESSAGE.search(raw)
    if found is None:
        return ""
    said = re.sub(r"\\u[0-9a-fA-F]{0,3}$", "", found[1])
    try:
        return str(json.loads(f'"{said}"', strict=False))
    except ValueError:
        return said
