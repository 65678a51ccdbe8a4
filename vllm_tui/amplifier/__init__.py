"""Amplifier's module `provider-vllm`: mounts the provider in a session under the name `vllm`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.amplifier.module import Coordinator

__amplifier_module_type__ = "provider"
__all__ = ["mount"]


async def mount(coordinator: Coordinator, config: Mapping[str, object] | None = None) -> Callable[[], Awaitable[None]]:
    """Mount a provider and return what closes it. Needs no server; raises the kernel's ConfigurationError."""
    from vllm_tui.amplifier.module import NAME, build_module

    module = build_module(coordinator, config or {})
    await coordinator.mount("providers", module, name=NAME)
    return module.close
