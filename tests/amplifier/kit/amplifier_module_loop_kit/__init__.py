"""The smallest orchestrator: asks the preferred provider once and tells what it said."""

from __future__ import annotations

from typing import Any

from amplifier_core import message_models as kernel

__amplifier_module_type__ = "orchestrator"


class Loop:
    async def execute(self, prompt: str, context: Any, providers: Any, tools: Any, hooks: Any, **rest: Any) -> str:
        await context.add_message({"role": "user", "content": prompt})
        messages = [kernel.Message(**message) for message in await context.get_messages()]
        provider = min(providers.values(), key=lambda entry: entry.priority)
        response = await provider.complete(kernel.ChatRequest(messages=messages))
        await context.add_message({"role": "assistant", "content": [block.model_dump() for block in response.content]})
        return str(response.text)


async def mount(coordinator: Any, config: Any = None) -> None:
    await coordinator.mount("orchestrator", Loop())
