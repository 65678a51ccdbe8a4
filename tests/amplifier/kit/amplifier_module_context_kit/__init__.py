"""The smallest context: a list."""

from __future__ import annotations

from typing import Any

__amplifier_module_type__ = "context"


class Context:
    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def add_message(self, message: Any) -> None:
        self.messages.append(message)

    async def get_messages(self) -> list[Any]:
        return list(self.messages)

    async def get_messages_for_request(self, **rest: Any) -> list[Any]:
        return list(self.messages)

    async def set_messages(self, messages: list[Any]) -> None:
        self.messages = list(messages)

    async def clear(self) -> None:
        self.messages.clear()


async def mount(coordinator: Any, config: Any = None) -> None:
    await coordinator.mount("context", Context())
