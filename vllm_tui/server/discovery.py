"""Finds vLLM servers on this machine."""

from __future__ import annotations

import asyncio

from vllm_tui.domain.checks import LocalServer
from vllm_tui.server.address import parse_address
from vllm_tui.server.facts import models_in, version_in
from vllm_tui.server.http import Reply, ask, open_client

PORTS = (8000, 8001, 8002, 8080, 8888, 5000, 30000)
"""Where people usually serve."""


async def find_local_servers(ports: tuple[int, ...] = PORTS, *, timeout: float = 1.0) -> tuple[LocalServer, ...]:
    """Return the servers on 127.0.0.1 that answer like vLLM, in the order of `ports`; no key is ever sent."""
    found = await asyncio.gather(*(_look(port, timeout) for port in dict.fromkeys(ports)))
    return tuple(server for servers in found for server in servers)


async def _look(port: int, timeout: float) -> tuple[LocalServer, ...]:
    address = parse_address(f"http://127.0.0.1:{port}/v1")
    async with open_client(address) as client:
        told = await ask(client, "GET", f"{address.root}/version", timeout=timeout)
        version = version_in(told)
        if not version:
            return ()
        listed = await ask(client, "GET", f"{address.base_url}/models", timeout=timeout)
    if not isinstance(listed, Reply):
        return ()
    models, needs_key = models_in(listed), listed.status == 401
    return (LocalServer(address.base_url, version, models, needs_key),) if models or needs_key else ()
