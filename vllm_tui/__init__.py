"""vllm-tui: a terminal program and a headless provider for vLLM's Responses API. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "vllm_tui.domain.blocks": (
        "Block",
        "ImageBlock",
        "TextBlock",
        "ThinkingBlock",
        "ToolCallBlock",
        "ToolResultBlock",
    ),
    "vllm_tui.domain.messages": ("Message", "ToolSpec"),
    "vllm_tui.domain.request": ("ChatRequest",),
    "vllm_tui.domain.response": ("ChatResponse", "ModelInfo"),
    "vllm_tui.domain.usage": ("Usage",),
    "vllm_tui.domain.events": (
        "BlockDelta",
        "BlockFinished",
        "BlockStarted",
        "ContinuationStarted",
        "HistoryTrimmed",
        "Notice",
        "PromptCounted",
        "ResponseFinished",
        "RetryScheduled",
        "StreamEvent",
    ),
    "vllm_tui.domain.builder": ("ResponseBuilder", "fold"),
    "vllm_tui.domain.errors": (
        "AccessDenied",
        "AuthenticationFailed",
        "ConfigurationError",
        "ConnectionFailed",
        "ContentFiltered",
        "ContextLengthExceeded",
        "GatewayWarmingUp",
        "InvalidRequest",
        "NotFound",
        "ProtocolError",
        "RateLimited",
        "RequestError",
        "ServerError",
        "StorageError",
        "StreamInterrupted",
        "TimedOut",
        "UnavailableError",
        "VLLMError",
    ),
    "vllm_tui.provider.config": ("ProviderConfig",),
    "vllm_tui.provider.client": ("VLLMProvider",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import (
        Block,
        ImageBlock,
        TextBlock,
        ThinkingBlock,
        ToolCallBlock,
        ToolResultBlock,
    )
    from vllm_tui.domain.builder import ResponseBuilder, fold
    from vllm_tui.domain.errors import (
        AccessDenied,
        AuthenticationFailed,
        ConfigurationError,
        ConnectionFailed,
        ContentFiltered,
        ContextLengthExceeded,
        GatewayWarmingUp,
        InvalidRequest,
        NotFound,
        ProtocolError,
        RateLimited,
        RequestError,
        ServerError,
        StorageError,
        StreamInterrupted,
        TimedOut,
        UnavailableError,
        VLLMError,
    )
    from vllm_tui.domain.events import (
        BlockDelta,
        BlockFinished,
        BlockStarted,
        ContinuationStarted,
        HistoryTrimmed,
        Notice,
        PromptCounted,
        ResponseFinished,
        RetryScheduled,
        StreamEvent,
    )
    from vllm_tui.domain.messages import Message, ToolSpec
    from vllm_tui.domain.request import ChatRequest
    from vllm_tui.domain.response import ChatResponse, ModelInfo
    from vllm_tui.domain.usage import Usage
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.provider.config import ProviderConfig

__all__ = [
    "AccessDenied",
    "AuthenticationFailed",
    "Block",
    "BlockDelta",
    "BlockFinished",
    "BlockStarted",
    "ChatRequest",
    "ChatResponse",
    "ConfigurationError",
    "ConnectionFailed",
    "ContentFiltered",
    "ContextLengthExceeded",
    "ContinuationStarted",
    "GatewayWarmingUp",
    "HistoryTrimmed",
    "ImageBlock",
    "InvalidRequest",
    "Message",
    "ModelInfo",
    "NotFound",
    "Notice",
    "PromptCounted",
    "ProtocolError",
    "ProviderConfig",
    "RateLimited",
    "RequestError",
    "ResponseBuilder",
    "ResponseFinished",
    "RetryScheduled",
    "ServerError",
    "StorageError",
    "StreamEvent",
    "StreamInterrupted",
    "TextBlock",
    "ThinkingBlock",
    "TimedOut",
    "ToolCallBlock",
    "ToolResultBlock",
    "ToolSpec",
    "UnavailableError",
    "Usage",
    "VLLMError",
    "VLLMProvider",
    "fold",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
