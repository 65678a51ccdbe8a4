"""Our errors as the kernel's."""

from __future__ import annotations

from amplifier_core import llm_errors as kernel

from vllm_tui.domain import errors

_KINDS: tuple[tuple[type[errors.VLLMError], type[kernel.LLMError]], ...] = (
    (errors.RateLimited, kernel.RateLimitError),
    (errors.AccessDenied, kernel.AccessDeniedError),
    (errors.AuthenticationFailed, kernel.AuthenticationError),
    (errors.ContextLengthExceeded, kernel.ContextLengthError),
    (errors.ContentFiltered, kernel.ContentFilterError),
    (errors.NotFound, kernel.NotFoundError),
    (errors.InvalidRequest, kernel.InvalidRequestError),
    (errors.TimedOut, kernel.LLMTimeoutError),
    (errors.ConnectionFailed, kernel.NetworkError),
    (errors.UnavailableError, kernel.ProviderUnavailableError),
    (errors.StreamInterrupted, kernel.StreamError),
    (errors.ConfigurationError, kernel.ConfigurationError),
)
"""The first class that fits wins, so narrow ones come first."""


def kernel_error(error: errors.VLLMError, provider: str, model: str | None) -> kernel.LLMError:
    """Return the kernel's error with the same message, status, retryability and wait. Raise it `from` the original."""
    kind = next((theirs for ours, theirs in _KINDS if isinstance(error, ours)), kernel.LLMError)
    return kind(
        str(error),
        provider=provider,
        model=model,
        status_code=error.status,
        retryable=error.retryable,
        retry_after=error.retry_after,
    )
