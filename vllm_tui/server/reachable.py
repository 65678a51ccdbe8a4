"""Can the server be reached: name, connection, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from typing import TYPE_CHECKING

import httpx2

from vllm_tui.domain.checks import Check

if TYPE_CHECKING:
    from vllm_tui.server.address import Address

CONNECTION_REFUSED = (
    "Is the server running? sudo systemctl status vllm; its log: sudo journalctl -u vllm -n 50. "
    "While a model is loading the port refuses connections: wait and try again."
)


async def check_name(address: Address, timeout: float) -> Check:
    """Resolve the host's name."""
    if address.literal is not None:
        return Check("resolve", "skipped", f"{address.host} is an IP address")
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        fact, remedy = f"{address.host}: the name server is silent", "Check the network, or use the IP address."
        return Check("resolve", "fail", fact, time.perf_counter() - started, remedy)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = f"Check the spelling of {address.host}, or use the IP address."
        return Check("resolve", "fail", f"{address.host}: {reason}", time.perf_counter() - started, remedy)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return Check("resolve", "ok", f"{address.host} is {', '.join(addresses[:3])}", time.perf_counter() - started)


async def check_connection(address: Address, timeout: float) -> Check:
    """Open a TCP connection and close it again."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except TimeoutError:
        fact = f"no connection to {address.where} within {timeout:g} s"
        remedy = f"Check the address and the firewall of {address.host}; try from there: curl {address.root}/health"
        return Check("connect", "fail", fact, time.perf_counter() - started, remedy)
    except ConnectionRefusedError:
        fact = f"{address.where} refuses connections"
        return Check("connect", "fail", fact, time.perf_counter() - started, CONNECTION_REFUSED)
    except OSError as error:
        fact = f"no connection to {address.where}: {error.strerror or error}"
        remedy = f"Check the network and the port; try: curl {address.root}/health"
        return Check("connect", "fail", fact, time.perf_counter() - started, remedy)
    seconds = time.perf_counter() - started
    await _close(writer)
    return Check("connect", "ok", f"{address.where} accepts connections", seconds)


async def check_tls(address: Address, timeout: float, *, has_key: bool) -> Check:
    """Shake hands over TLS for https; for http say whether a key would travel openly."""
    if address.scheme == "http":
        return _plain(address, has_key=has_key)
    context = httpx2.create_ssl_context()
    started = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(
                address.host, address.port, ssl=context, server_hostname=address.host
            )
    except TimeoutError:
        fact = f"{address.where} does not answer a TLS greeting within {timeout:g} s"
        return Check("tls", "fail", fact, time.perf_counter() - started, _try_http(address))
    except ssl.SSLCertVerificationError as error:
        fact = f"the certificate is not trusted: {error.verify_message}"
        remedy = "Point SSL_CERT_FILE at the certificate authority, or use the name the certificate was made for."
        return Check("tls", "fail", fact, time.perf_counter() - started, remedy)
    except (OSError, EOFError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        fact = f"{address.where} does not speak TLS ({str(reason).replace('_', ' ').lower()})"
        return Check("tls", "fail", fact, time.perf_counter() - started, _try_http(address))
    seconds = time.perf_counter() - started
    shaken = writer.get_extra_info("ssl_object")
    await _close(writer)
    return Check("tls", "ok", f"{shaken.version()}, the certificate is trusted", seconds)


def _plain(address: Address, *, has_key: bool) -> Check:
    literal = address.literal
    is_public = not address.is_local and (literal is None or literal.is_global)
    if has_key and is_public:
        remedy = "Use https:// or a tunnel (ssh -L 8000:localhost:8000 HOST) when the network is not your own."
        return Check("tls", "warn", "plain http: the API key travels unencrypted", 0.0, remedy)
    return Check("tls", "skipped", "plain http")


def _try_http(address: Address) -> str:
    return f"If the server has no TLS, write http://{address.where}/v1."


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
