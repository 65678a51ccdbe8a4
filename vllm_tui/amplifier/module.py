"""The mounted provider: the kernel's contract on one side, ours on the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from amplifier_core import message_models as kernel
from amplifier_core import models

from vllm_tui.amplifier.error_map import kernel_error
from vllm_tui.amplifier.events import HookObserver, Hooks
from vllm_tui.amplifier.request_map import Defaults, Thinking, request_of
from vllm_tui.amplifier.response_map import DEFAULT_OUTPUT, model_of, response_of
from vllm_tui.domain.errors import ConfigurationError, VLLMError
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.provider.addresses import is_local
from vllm_tui.provider.config import ProviderConfig

NAME = "vllm"
MAX_CONTINUATIONS = 5
_OWN_OPTIONS = ("raw", "reasoning_effort", "thinking_budget_tokens", "thinking_budget_buffer")


class Coordinator(Protocol):
    """What is used of the kernel's coordinator."""

    @property
    def hooks(self) -> Hooks:
        """The hook registry."""
        ...

    async def mount(self, point: str, module: object, *, name: str) -> None:
        """Put a module into a mount point."""
        ...


class Core(Protocol):
    """What is used of the provider."""

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return one answer."""
        ...

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """Return what is served."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class VLLMModule:
    """A provider as Amplifier sees it; `priority` is compared with other providers', lower is chosen first."""

    name = NAME

    def __init__(self, core: Core, config: ProviderConfig, observer: HookObserver, thinking: Thinking) -> None:
        self.priority = config.priority
        self.config = config.model_dump(exclude={"api_key"})
        self._core = core
        self._config = config
        self._observer = observer
        self._defaults = Defaults(config.max_tokens, bool(config.reasoning), thinking)
        self._models: dict[str, ModelInfo] = {}

    def get_info(self) -> models.ProviderInfo:
        """Describe the provider; needs no server."""
        config = self._config
        defaults = {"model": config.default_model, "max_tokens": config.max_tokens, "timeout": config.timeout}
        model = self.get_model_info()
        limits = {"context_window": model.context_window, "max_output_tokens": model.max_output_tokens}
        return models.ProviderInfo(
            id=NAME,
            display_name="vLLM",
            credential_env_vars=["VLLM_API_KEY"],
            capabilities=["streaming", "tools", "reasoning", "local" if is_local(config.base_url) else "remote"],
            defaults={**defaults, **limits},
            config_fields=list(_CONFIG_FIELDS),
        )

    def get_model_info(self) -> models.ModelInfo:
        """Return the limits of the configured model: discovered by `list_models`, else assumed."""
        name = self._config.default_model
        known = self._models.get(name) or ModelInfo(id=name, display_name=name)
        return model_of(known, self._config.context_window, self._config.max_output_tokens)

    async def list_models(self) -> list[models.ModelInfo]:
        """Ask the server for its models. Raises the kernel's errors."""
        try:
            found = await self._core.list_models()
        except VLLMError as error:
            raise kernel_error(error, NAME, None) from error
        self._models = {info.id: info for info in found}
        return [model_of(info, self._config.context_window, self._config.max_output_tokens) for info in found]

    async def complete(self, request: kernel.ChatRequest, **kwargs: object) -> kernel.ChatResponse:
        """Return one answer. Arguments of the call win over the configuration. Raises the kernel's errors."""
        made = request_of(request, kwargs, self._defaults)
        async with self._observer.call():
            try:
                return response_of(await self._core.complete(made))
            except VLLMError as error:
                raise kernel_error(error, NAME, made.model or self._config.default_model) from error

    def parse_tool_calls(self, response: kernel.ChatResponse) -> list[kernel.ToolCall]:
        """Return the calls of an answer."""
        return list(response.tool_calls or [])

    async def close(self) -> None:
        """Close connections; a later call opens new ones."""
        await self._core.aclose()


def build_module(coordinator: Coordinator, options: Mapping[str, object]) -> VLLMModule:
    """Return a module for a mount's options. Raises the kernel's ConfigurationError."""
    from vllm_tui.provider.client import VLLMProvider

    observer = HookObserver(getattr(coordinator, "hooks", None), NAME)
    try:
        config, thinking = read_options(options)
        core = VLLMProvider(config, observer=observer)
    except ConfigurationError as error:
        raise kernel_error(error, NAME, None) from error
    return VLLMModule(core, config, observer, thinking)


def read_options(options: Mapping[str, object]) -> tuple[ProviderConfig, Thinking]:
    """Return the provider's configuration and what extended thinking defaults to. Raises ConfigurationError.

    `raw` is an older name of `debug` with `raw_debug`.
    """
    own = {name: options[name] for name in _OWN_OPTIONS if options.get(name) is not None}
    rest = {name: value for name, value in options.items() if name not in _OWN_OPTIONS}
    rest.setdefault("max_continuations", MAX_CONTINUATIONS)
    if own.get("raw"):
        rest |= {"debug": True, "raw_debug": True}
    effort, budget = own.get("reasoning_effort", "high"), own.get("thinking_budget_tokens")
    buffer = own.get("thinking_budget_buffer", 1024)
    if not isinstance(effort, str) or not isinstance(buffer, int) or not isinstance(budget, int | None):
        raise ConfigurationError("Extended thinking: reasoning_effort is text, budget and buffer are whole numbers.")
    return ProviderConfig(**rest), Thinking(effort, budget, buffer)


_CONFIG_FIELDS = (
    models.ConfigField(
        id="base_url",
        display_name="Server URL",
        prompt="URL of the vLLM server, ending in /v1",
        env_var="VLLM_BASE_URL",
        required=False,
        default="http://localhost:8000/v1",
    ),
    models.ConfigField(
        id="api_key",
        display_name="API key",
        field_type="secret",
        prompt="API key, if the server asks for one",
        env_var="VLLM_API_KEY",
        required=False,
    ),
    models.ConfigField(
        id="stream_idle_timeout",
        display_name="Idle limit",
        prompt="Seconds to wait for each event of a stream",
        env_var="VLLM_STREAM_IDLE_TIMEOUT",
        required=False,
        default="300",
    ),
    models.ConfigField(
        id="context_window",
        display_name="Context window",
        prompt="Largest context in tokens (empty: as the server says)",
        env_var="VLLM_CONTEXT_WINDOW",
        required=False,
    ),
    models.ConfigField(
        id="max_output_tokens",
        display_name="Output ceiling",
        prompt="Largest answer of the model in tokens",
        env_var="VLLM_MAX_OUTPUT_TOKENS",
        required=False,
        default=str(DEFAULT_OUTPUT),
    ),
)
