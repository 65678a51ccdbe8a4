"""Counts a prompt before it is sent: exactly where somebody can, else by its length."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from vllm_tui.domain.budget import estimate_tokens
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.request_map import build_body
from vllm_tui.provider.session import Session

ESTIMATE_NOTE = "From the number of characters, by what this model showed so far."
_TEMPLATE, _TOOLS_TEMPLATE = 40, 130
"""Tokens that chat templates write of themselves, and to explain tools; a ratio that was learnt holds them already."""

_LONG = 20_000
"""Characters from which counting is given to a thread: below it takes a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of a prompt, by parts (name, tokens) where they are known, and how they were counted."""

    tokens: int
    source: Literal["computed", "estimate"]
    parts: tuple[tuple[str, int], ...] = ()
    note: str = ""

    @property
    def is_estimate(self) -> bool:
        """Whether a margin must be kept."""
        return self.source == "estimate"


class PromptCounter(Protocol):
    """Who can count a request body exactly; each method returns None where it can't."""

    def count(self, body: JsonObject, model: str) -> Counted | None:
        """Count on this side; takes milliseconds and may run in a thread."""
        ...

    async def ask_server(self, body: JsonObject, model: str) -> Counted | None:
        """Let the server count, with a short time limit; never raises VLLMError."""
        ...

    def split(self, body: JsonObject, tokens: int) -> tuple[tuple[str, int], ...]:
        """Divide an estimate by the parts of a body, about."""
        ...

    def finish(
        self, response: ChatResponse, body: JsonObject, model: str, counted: Counted | None = None
    ) -> ChatResponse:
        """Take what came of a body; return it with usage counted here where the server reported none.

        `counted` is the input as it was counted before the body left.
        """
        ...


class Counting:
    """Counts the messages of one request, whole or in part; the counts of one run agree with each other."""

    def __init__(self, session: Session, request: ChatRequest, model: str) -> None:
        self._session = session
        self._request = request
        self._model = model
        self._whole: Counted | None = None
        self._factor = 1.0

    @property
    def is_long(self) -> bool:
        """Whether counting takes long enough to hold up a screen."""
        return estimate_tokens(self._request.messages, self._request.tools, 1.0) > _LONG

    async def begin(self, window: int | None, limit: int) -> None:
        """Count the whole request, in a thread where that takes long.

        The server is asked where an estimate is so near to the window that the decision needs a number.
        """
        messages = self._request.messages
        near = await asyncio.to_thread(self.count, messages) if self.is_long else self.count(messages)
        self._whole = near
        counter = self._session.counter
        if counter is None or window is None or not near.is_estimate or near.tokens + min(limit, window // 4) < window:
            return
        exact = await counter.ask_server(self._body(messages), self._model)
        if exact is not None:
            self._whole = exact
            self._factor = exact.tokens / max(1, near.tokens)

    def count(self, messages: Sequence[Message]) -> Counted:
        """Return the tokens of the request with these messages."""
        if self._whole is not None and messages is self._request.messages:
            return self._whole
        counter = self._session.counter
        exact = None if counter is None else counter.count(self._body(messages), self._model)
        if exact is not None:
            return exact
        ratio = self._session.characters_per_token(self._model)
        texts = estimate_tokens(messages, self._request.tools, ratio)
        around = 0
        if not self._session.knows_ratio(self._model):
            around = _TEMPLATE + (_TOOLS_TEMPLATE if self._request.tools else 0)
        texts, around = max(1, round(texts * self._factor)), round(around * self._factor)
        parts = () if counter is None else (("system", around), *counter.split(self._body(messages), texts))
        return Counted(texts + around, "estimate", parts, ESTIMATE_NOTE)

    def _body(self, messages: Sequence[Message]) -> JsonObject:
        request = self._request.model_copy(update={"messages": tuple(messages)})
        session = self._session
        return build_body(
            request,
            session.config,
            max_output_tokens=1,
            stream=False,
            plain_history=session.wants_plain_history,
            use_state=session.config.enable_state and not session.lacks_store,
        )
