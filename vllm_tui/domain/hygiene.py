"""Makes text from outside harmless for a terminal: what would command the terminal becomes visible.

Control characters (C0 but newline and tab, DEL, C1), bidirectional controls, tag characters, invisible
format characters and lone surrogates are replaced by marks that can be read. Nothing else changes, so stored and
exported text stays faithful: clean what is shown, never what is kept. Sources: ECMA-48, Unicode UAX #9.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_CONTROL_PICTURES = 0x2400
_DELETE = 0x7F


def _mark(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    if code in (0x2028, 0x2029):
        return "\n"
    return f"\u27e8{code:02X}\u27e9"


def clean(text: str) -> str:
    """Return `text` safe to put on a terminal, over several lines; CRLF becomes a newline."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_mark, text.replace("\r\n", "\n"))


def clean_line(text: str) -> str:
    """Return `text` safe to put on one line of a terminal; line breaks and tabs become spaces."""
    return " ".join(clean(text).split()) if _is_multi(text) else clean(text)


def _is_multi(text: str) -> bool:
    return any(character in text for character in "\n\r\t\u2028\u2029")


def is_clean(text: str) -> bool:
    """Return whether `text` holds nothing that `clean` would change."""
    return _UNSAFE.search(text) is None


def without_surrogates(text: str) -> str:
    """Return `text` with lone surrogates replaced, so that it can be encoded as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8") if _SURROGATE.search(text) else text


_SURROGATE = re.compile("[\ud800-\udfff]")
