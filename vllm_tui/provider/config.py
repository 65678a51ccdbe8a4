"""What a provider is configured with: every option checked once, the environment as a fallback."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.addresses import check_base_url

DEFAULT_BASE_URL = "http://localhost:8000/v1"
DEFAULT_MODEL = "openai/gpt-oss-20b"
DEFAULT_API_KEY = "EMPTY"
DEFAULT_CONTEXT_WINDOW = 128_000
DEFAULT_OUTPUT_CEILING = 32_768

ENVIRONMENT = {
    "base_url": "VLLM_BASE_URL",
    "api_key": "VLLM_API_KEY",
    "stream_idle_timeout": "VLLM_STREAM_IDLE_TIMEOUT",
    "context_window": "VLLM_CONTEXT_WINDOW",
    "max_output_tokens": "VLLM_MAX_OUTPUT_TOKENS",
}
"""Options that fall back to an environment variable when the configuration leaves them unset."""

_ZERO_IS_UNSET = ("stream_idle_timeout",)
_SECRETS = ("api_key",)
_SHOWN = 80


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _jitter(value: object) -> object:
    """Read the older yes/no form too: yes is the default fraction, no is none."""
    return (0.2 if value else 0.0) if isinstance(value, bool) else value


Whole = Annotated[int, BeforeValidator(_no_truth)]
Number = Annotated[float, BeforeValidator(_no_truth), AfterValidator(_finite)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[Whole, Field(ge=1)]
Summary = Literal["auto", "concise", "detailed"]


class ProviderConfig(BaseModel):
    """All options of the provider; `ProviderConfig(**mapping)` reads a mapping from a file as it is.

    None means "not sent" or "unset". Times are seconds, sizes tokens. Raises ConfigurationError that names the
    option, the value and the allowed range. Configuration wins over the environment, see `ENVIRONMENT`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Annotated[str, AfterValidator(check_base_url)] = DEFAULT_BASE_URL
    api_key: str = Field(default=DEFAULT_API_KEY, repr=False)
    default_model: Annotated[str, Field(min_length=1)] = DEFAULT_MODEL
    max_tokens: Count = 4096
    temperature: NotNegative | None = None
    reasoning: str | JsonObject | None = None
    reasoning_summary: Summary = "detailed"
    truncation: Literal["auto", "disabled"] | None = "auto"
    enable_state: bool = False
    timeout: Positive = 600.0
    stream_idle_timeout: Positive = 300.0
    context_window: Count | None = None
    max_output_tokens: Count | None = None
    use_streaming: bool = True
    priority: Whole = 100
    max_retries: Annotated[Whole, Field(ge=0)] = 5
    min_retry_delay: NotNegative = 1.0
    max_retry_delay: NotNegative = 60.0
    retry_jitter: Annotated[Number, BeforeValidator(_jitter), Field(ge=0, le=1)] = 0.2
    debug: bool = False
    raw_debug: bool = False
    debug_truncate_length: Annotated[Whole, Field(ge=0)] = 180
    max_continuations: Annotated[Whole, Field(ge=0)] = 0
    resume: bool = False
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    top_k: Annotated[Whole, Field(ge=-1)] | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    seed: Whole | None = None
    stop: str | tuple[str, ...] | None = None
    repetition_penalty: Positive | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    chat_template_kwargs: JsonObject | None = None
    include_reasoning: bool | None = None
    text_format: JsonObject | None = None
    top_logprobs: Annotated[Whole, Field(ge=0, le=20)] | None = None
    cache_salt: Annotated[str, Field(min_length=1)] | None = None
    extra_body: JsonObject | None = None

    def __init__(self, **options: object) -> None:
        unknown = [name for name in options if name not in type(self).model_fields]
        if unknown:
            raise _unknown_option(unknown[0], tuple(type(self).model_fields))
        values, sources = _with_environment(options)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _bad_value(error, values, sources) from None

    @field_validator("truncation", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("reasoning")
    @classmethod
    def _check_reasoning(cls, value: str | JsonObject | None) -> str | JsonObject | None:
        if isinstance(value, str):
            return value.strip() or None
        for key, entry in (value or {}).items():
            if key not in ("effort", "summary"):
                raise ValueError("must be an effort, or a table with the keys effort and summary")
            if entry is not None and not isinstance(entry, str):
                raise ValueError(f"must have text under {key}")
        return value

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, value: str) -> str:
        value = value.strip()
        if not value.isascii() or not value.isprintable():
            raise ValueError("must be printable ASCII without line breaks, as it travels in a header")
        return value or DEFAULT_API_KEY

    def reasoning_options(self) -> dict[str, str] | None:
        """Return effort and summary as sent by default, None when reasoning is not asked for."""
        return reasoning_field(self.reasoning, self.reasoning_summary)


def reasoning_field(chosen: JsonValue, summary: str) -> dict[str, str] | None:
    """Return the `reasoning` field for an effort or a table of effort and summary; None when nothing is chosen."""
    if isinstance(chosen, dict):
        effort, own = chosen.get("effort"), chosen.get("summary")
        return {"effort": str(effort or "medium"), "summary": str(own or summary)}
    return {"effort": str(chosen), "summary": summary} if chosen else None


def _with_environment(options: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the options with the environment filled in, and for those so filled the variable's name."""
    values = {name: value for name, value in options.items() if not _is_unset(name, value)}
    sources: dict[str, str] = {}
    for name, variable in ENVIRONMENT.items():
        found = os.environ.get(variable, "").strip()
        if name not in values and not _is_unset(name, found):
            values[name], sources[name] = found, variable
    return values, sources


def _is_unset(name: str, value: object) -> bool:
    if value is None:
        field = ProviderConfig.model_fields[name]
        return name in ENVIRONMENT or (field.default is not None and name != "truncation")
    if name in _ZERO_IS_UNSET and value in (0, "0", "0.0") and not isinstance(value, bool):
        return True
    return name in ENVIRONMENT and isinstance(value, str) and not value.strip()


def _unknown_option(name: str, known: tuple[str, ...]) -> ConfigurationError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known options: {', '.join(known)}."
    return ConfigurationError(f"Unknown option `{name}`.", hint=hint)


def _bad_value(error: ValidationError, values: Mapping[str, object], sources: Mapping[str, str]) -> ConfigurationError:
    """Return one error that names option, value and allowed range for everything that is wrong."""
    lines: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False):
        name = str(item["loc"][0]) if item["loc"] else "configuration"
        shown = "the given value" if name in _SECRETS else _shorten(values.get(name))
        origin = f" (from {sources[name]})" if name in sources else ""
        rule = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
        lines.setdefault(name, f"Option `{name}`{origin}: {shown} is not allowed; it {rule[:1].lower()}{rule[1:]}.")
    return ConfigurationError(" ".join(lines.values()))


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
