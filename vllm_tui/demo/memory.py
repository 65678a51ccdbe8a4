"""What the demo's engine remembers: stored responses and the prefix cache."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vllm_tui.demo.refusals import unknown_response

if TYPE_CHECKING:
    from vllm_tui.demo.ask import Ask
    from vllm_tui.domain.values import JsonObject

BLOCK = 16
"""Tokens in one block of the KV cache, as on a GPU."""
MAX_BLOCKS = 65536
MAX_RESPONSES = 256


@dataclass(frozen=True, slots=True)
class Stored:
    """A kept response and the conversation up to and including it."""

    response: JsonObject
    items: tuple[JsonObject, ...]


@dataclass
class Memory:
    """The store of responses and the blocks already computed; the oldest are forgotten first."""

    responses: dict[str, Stored] = field(default_factory=dict)
    blocks: dict[bytes, None] = field(default_factory=dict)

    def find(self, response_id: str) -> Stored:
        """Return a stored response; refuse an unknown one."""
        stored = self.responses.get(response_id)
        if stored is None:
            raise unknown_response(response_id)
        return stored

    def keep(self, ask: Ask, response: JsonObject) -> None:
        """Store a response unless its request says `store: false`; only Harmony keeps more than messages."""
        if ask.body.get("store") is False:
            return
        output = response["output"]
        assert isinstance(output, list)
        items = tuple(item for item in output if isinstance(item, dict))
        kept = items if ask.model.is_harmony else tuple(item for item in items if item.get("type") == "message")
        self.responses[str(response["id"])] = Stored(response, ask.items + kept)
        while len(self.responses) > MAX_RESPONSES:
            del self.responses[next(iter(self.responses))]

    def cache(self, model: str, tokens: list[str]) -> tuple[int, int]:
        """Return how many of the prompt's `tokens` were cached and how many are now written, in whole blocks."""
        digest = hashlib.sha256(model.encode())
        cached = written = 0
        is_prefix = True
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            digest.update("\x1f".join(tokens[start : start + BLOCK]).encode("utf-8", "replace"))
            key = digest.digest()[:12]
            is_prefix = is_prefix and key in self.blocks and start + BLOCK < len(tokens)
            cached += BLOCK if is_prefix else 0
            written += 0 if key in self.blocks else BLOCK
            self.blocks[key] = None
        while len(self.blocks) > MAX_BLOCKS:
            del self.blocks[next(iter(self.blocks))]
        return cached, written
