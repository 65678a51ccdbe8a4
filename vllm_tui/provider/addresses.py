"""Where a server is: checks an address, tells local from remote, and shows it without credentials."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

_LOCAL_NAMES = ("localhost", "0.0.0.0")  # noqa: S104


def check_base_url(value: str) -> str:
    """Return `value` without spaces around and slash behind; ValueError when it is no http(s) address."""
    value = value.strip()
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError("must be an http:// or https:// address such as http://localhost:8000/v1")
    return value.rstrip("/")


def is_local(url: str) -> bool:
    """Return whether `url` names this machine: localhost, 127.0.0.0/8, ::1, 0.0.0.0, or no host at all."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return True
    if not host or host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """Return `url` without user name, password, query and fragment, fit for messages and logs."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(an unreadable address)"
    return SplitResult(parts.scheme, host, parts.path, "", "").geturl()
