"""The parts of a server's address, and whether a proxy stands between."""

from __future__ import annotations

import ipaddress
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address: `root` is everything before `/v1`, without user, password, query and trailing slash."""

    scheme: str
    host: str
    port: int
    root: str
    base_url: str
    has_v1: bool

    @property
    def where(self) -> str:
        """Host and port for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether this is the own machine."""
        if self.host in ("localhost", "0.0.0.0") or self.host.endswith(".localhost"):  # noqa: S104 - compared, not bound
            return True
        literal = self.literal
        return literal is not None and literal.is_loopback

    @property
    def literal(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP address when the host is one."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def proxy(self) -> str | None:
        """The environment's proxy for this address without its credentials; never one for the own machine."""
        if self.is_local or urllib.request.proxy_bypass(self.host):
            return None
        proxies = urllib.request.getproxies()
        found = proxies.get(self.scheme) or proxies.get("all")
        return found.rpartition("@")[2].removeprefix("http://") if found else None


def parse_address(text: str) -> Address:
    """Return the parts of a base URL; raise ValueError with the reason when it is none."""
    text = text.strip()
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("it holds spaces or invisible characters")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not begin with http:// or https://")
    host, port = parts.hostname, parts.port
    if not host:
        raise ValueError("it names no host")
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port is None else f"{shown}:{port}"
    path = parts.path.rstrip("/")
    has_v1 = path.endswith("/v1")
    root = SplitResult(parts.scheme, netloc, path.removesuffix("/v1"), "", "").geturl()
    base_url = SplitResult(parts.scheme, netloc, path, "", "").geturl()
    return Address(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), root, base_url, has_v1)
