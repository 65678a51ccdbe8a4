"""When to ask again and how long to wait before it; times are seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.provider.config import ProviderConfig

_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]{0,15})?")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the wait a Retry-After header asks for, None without a usable one; `now` is the Unix time."""
    text = (value or "").strip()[:100]
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        moment = (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, moment - now)


def delay_before(attempt: int, error: VLLMError, config: ProviderConfig, random: Callable[[], float]) -> float:
    """Return the wait before retry `attempt` (from 0): doubling, jittered, capped, never below Retry-After."""
    longest = config.max_retry_delay
    delay = min(_doubled(config.min_retry_delay, attempt), longest)
    delay = min(delay * (1 + config.retry_jitter * (2 * random() - 1)), longest)
    return max(delay, error.retry_after or 0.0)


def should_retry(error: VLLMError, attempt: int, config: ProviderConfig) -> bool:
    """Return whether `error` of attempt `attempt` (from 0) is worth another one."""
    wait = error.retry_after
    return error.retryable and attempt < config.max_retries and (wait is None or wait <= config.max_retry_delay)


def _doubled(seconds: float, times: int) -> float:
    try:
        return math.ldexp(seconds, times)
    except OverflowError:
        return math.inf
