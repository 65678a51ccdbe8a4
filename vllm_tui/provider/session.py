"""What a provider remembers between calls: its client, the models' limits, and what this server can't do."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from vllm_tui.domain.response import ChatResponse
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.limits import Limits
from vllm_tui.provider.observing import Guard, Observer, Reporter
from vllm_tui.provider.sdk import open_sdk
from vllm_tui.provider.wire import Tap, WireListener, WireRecord

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

    from vllm_tui.provider.counting import PromptCounter

_HARMONY = "gpt-oss"
_DEFAULT_RATIO = 3.6
"""Characters a token, on the safe side for English text, until this server's own usage tells."""


class Session:
    """The shared state of all calls of one provider. `sleep`, `random` and `now` can be replaced in tests."""

    def __init__(
        self,
        config: ProviderConfig,
        transport: httpx2.AsyncBaseTransport | None,
        observers: Sequence[Observer],
        wire: WireListener | None,
    ) -> None:
        self.config = config
        self.limits = Limits(config)
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.random: Callable[[], float] = random.random
        self.now: Callable[[], float] = time.monotonic
        self.wants_plain_history = False
        self.lacks_store = False
        self.lacks_streaming: set[str] = set()
        self.announced_repairs: set[str] = set()
        self.told_limits: set[tuple[str, int, int]] = set()
        self.counter: PromptCounter | None = None
        self._ratio: dict[str, float] = {}
        self._transport = transport
        self._observers = tuple(observers)
        self._wire = wire
        self._sdk: AsyncOpenAI | None = None

    @property
    def is_observed(self) -> bool:
        """Whether anybody listens to the events of a call."""
        return bool(self._observers)

    def sdk(self) -> AsyncOpenAI:
        """Return the SDK's client, opened on first use."""
        if self._sdk is None:
            self._sdk = open_sdk(self.config, self._transport)
        return self._sdk

    def reporter(self, request_id: str) -> Reporter:
        """Return what tells the observers about one call."""
        return Reporter(self._observers, request_id)

    def tap(self, request_id: str, attempt: int) -> Tap | None:
        """Return where one attempt reports its wire traffic, None when nobody wants it."""
        wire = self._wire
        if wire is None:
            return None
        guard = Guard(wire)

        def tell(record: WireRecord) -> None:
            with guard.on(type(record).__name__):
                wire.on_wire(request_id, attempt, record)

        return tell

    def characters_per_token(self, model: str) -> float:
        """Return the ratio this model showed so far, else a careful guess."""
        return self._ratio.get(model, _DEFAULT_RATIO)

    def knows_ratio(self, model: str) -> bool:
        """Return whether this server's own usage told the ratio of a model."""
        return model in self._ratio

    def learn_ratio(self, model: str, characters: int, response: ChatResponse) -> None:
        """Take the real input count of a request of `characters` characters."""
        usage = response.usage
        if usage is not None and usage.input_tokens and usage.source != "estimate" and characters > 400:
            self._ratio[model] = max(1.0, min(8.0, characters / usage.input_tokens))

    def inherit(self, before: Session) -> None:
        """Take what another session learnt of this server and its models."""
        self.limits.learn(before.limits.cards)
        self.wants_plain_history = before.wants_plain_history
        self.lacks_store = before.lacks_store
        self.lacks_streaming |= before.lacks_streaming
        self.announced_repairs |= before.announced_repairs
        self.told_limits |= before.told_limits
        self._ratio.update(before._ratio)

    async def aclose(self) -> None:
        """Close the client; the next call opens a new one."""
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()


def is_harmony(model: str) -> bool:
    """Return whether vLLM speaks Harmony with this model (it does so for gpt-oss)."""
    return _HARMONY in model.lower()
