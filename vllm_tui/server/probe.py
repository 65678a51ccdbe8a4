"""Looks at a server from the bottom up and says at each step what it found and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from vllm_tui.domain.checks import ORDER, Check, CheckName, Probe, ServedModel
from vllm_tui.server.address import Address, parse_address
from vllm_tui.server.facts import (
    judge_auth,
    judge_health,
    judge_models,
    judge_version,
    models_in,
    version_in,
)
from vllm_tui.server.http import Reply, ask, open_client
from vllm_tui.server.reachable import check_connection, check_name, check_tls

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 5.0
"""Seconds for each single check."""


async def probe(
    base_url: str,
    api_key: str | None = None,
    *,
    model: str | None = None,
    timeout: float = TIMEOUT,
    on_check: Callable[[Check], None] | None = None,
) -> Probe:
    """Return all checks of `base_url` in order; what is wrong stands in them and is never raised.

    `model` is the one that should be served. `timeout` in seconds holds for each check. `on_check` hears each
    check as it is made. The key goes to this address alone: no redirect is followed.
    """
    looker = _Looker(api_key, model, timeout)
    checks: list[Check] = []
    async for check in looker.run(base_url):
        checks.append(check)
        if on_check is not None:
            on_check(check)
    shown = looker.address.base_url if looker.address else base_url.strip().rpartition("@")[2]
    return Probe(shown, tuple(checks), looker.version, looker.models)


class _Looker:
    """One run over all checks; holds what they found for those that follow."""

    def __init__(self, api_key: str | None, model: str | None, timeout: float) -> None:
        self.address: Address | None = None
        self.version = ""
        self.models: tuple[ServedModel, ...] = ()
        self._key = api_key or None
        self._is_key_sendable = (api_key or "").isascii() and (api_key or "").isprintable()
        self._model = model
        self._timeout = timeout

    async def run(self, base_url: str) -> AsyncIterator[Check]:
        try:
            address = self.address = parse_address(base_url)
        except ValueError as error:
            yield Check(
                "address", "fail", f"this is no address: {error}", 0.0, "Write it like http://localhost:8000/v1"
            )
            for check in _untried("address"):
                yield check
            return
        yield _judge_address(address)
        if address.proxy is not None:
            for name in ORDER[1:4]:
                yield Check(name, "skipped", f"through the proxy {address.proxy}")
        else:
            async for check in self._reach(address):
                yield check
                if check.state == "fail":
                    for later in _untried(check.name):
                        yield later
                    return
        async with open_client(address) as client:
            async for check in self._talk(client, address):
                yield check

    async def _reach(self, address: Address) -> AsyncIterator[Check]:
        yield await check_name(address, self._timeout)
        yield await check_connection(address, self._timeout)
        yield await check_tls(address, self._timeout, has_key=self._key is not None)

    async def _talk(self, client: httpx2.AsyncClient, address: Address) -> AsyncIterator[Check]:
        health = await ask(client, "GET", f"{address.root}/health", timeout=self._timeout)
        check = judge_health(health, address)
        yield check
        if check.state == "fail":
            for later in _untried("health"):
                yield later
            return
        version = await ask(client, "GET", f"{address.root}/version", timeout=self._timeout)
        self.version = version_in(version)
        yield judge_version(version)
        url = f"{address.base_url}/models"
        if not self._is_key_sendable:
            yield Check("models", "skipped", "not tried: the key can't be sent")
            remedy = "Enter the key again: it holds accents, line breaks or invisible characters."
            yield Check("auth", "fail", "the key holds characters that no header can carry", 0.0, remedy)
            return
        listed = await ask(client, "GET", url, api_key=self._key, timeout=self._timeout)
        self.models = models_in(listed)
        yield judge_models(listed, address, self._model)
        is_open = None
        if self._key is not None and isinstance(listed, Reply) and listed.status == 200:
            without = await ask(client, "GET", url, timeout=self._timeout)
            is_open = isinstance(without, Reply) and without.status == 200
        yield judge_auth(listed, has_key=self._key is not None, is_open=is_open)


def _judge_address(address: Address) -> Check:
    if address.has_v1:
        return Check("address", "ok", address.base_url)
    return Check("address", "warn", f"{address.base_url} does not end in /v1", 0.0, f"Use {address.root}/v1")


def _untried(failed: CheckName) -> list[Check]:
    return [Check(name, "skipped", f"not tried: {failed} failed") for name in ORDER[ORDER.index(failed) + 1 :]]
