"""What can go wrong, as one tree. A message says what failed, where, and what to try next.

VLLMError
├── ConfigurationError            an option, a file or the environment is wrong
├── RequestError                  the server refused; asking again will not help
│   ├── InvalidRequest            400, 413, 422
│   ├── AuthenticationFailed      401
│   ├── AccessDenied              403
│   ├── NotFound                  404: wrong path, unknown model or response
│   ├── ContextLengthExceeded     the prompt does not fit the model's window
│   └── ContentFiltered           refused by a content filter
├── UnavailableError              retryable: the same request may succeed later
│   ├── RateLimited               429
│   ├── ServerError               500 and above (501 is final: `retryable` is False)
│   ├── ConnectionFailed          refused, reset, no such host, TLS
│   ├── TimedOut                  408, the whole attempt or the idle limit
│   └── GatewayWarmingUp          a proxy's page while the server starts
├── StreamInterrupted             the answer broke off; `partial` holds what came
├── ProtocolError                 the server sent something that is no Responses API
└── StorageError                  conversations can't be read or written
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from vllm_tui.domain.response import ChatResponse


class VLLMError(Exception):
    """Base of all errors of this package.

    `kind` is a stable name for scripts and events, `status` the HTTP status (None without an answer),
    `retry_after` the seconds the server asked to wait, `hint` the next step for a person,
    `detail` the server's own words (shortened), `partial` what had arrived when a stream broke.
    """

    kind: ClassVar[str] = "error"
    retryable_by_default: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        hint: str | None = None,
        detail: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        partial: ChatResponse | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.hint = hint
        self.detail = detail
        self.retry_after = retry_after
        self.retryable = self.retryable_by_default if retryable is None else retryable
        self.partial = partial

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} {self.hint}"


class ConfigurationError(VLLMError):
    """An option, a file or the environment is wrong."""

    kind = "configuration"


class RequestError(VLLMError):
    """The server refused this request; the same request will be refused again."""

    kind = "request"


class InvalidRequest(RequestError):
    """The server found the request invalid (400, 413, 422). `supported` lists accepted values where it named them."""

    kind = "invalid_request"
    supported: tuple[str, ...] = ()


class AuthenticationFailed(RequestError):
    """The API key is missing or wrong (401)."""

    kind = "auth"


class AccessDenied(RequestError):
    """The server or a proxy forbids this (403)."""

    kind = "access_denied"


class NotFound(RequestError):
    """No such path, model or response (404)."""

    kind = "not_found"


class ContextLengthExceeded(RequestError):
    """Prompt and output do not fit the model's context window."""

    kind = "context_length"


class ContentFiltered(RequestError):
    """A content filter refused the request or the answer."""

    kind = "content_filter"


class UnavailableError(VLLMError):
    """The server can't answer now; the same request may succeed later."""

    kind = "unavailable"
    retryable_by_default = True


class RateLimited(UnavailableError):
    """Too many requests (429)."""

    kind = "rate_limit"


class ServerError(UnavailableError):
    """The server failed (500 and above)."""

    kind = "server"


class ConnectionFailed(UnavailableError):
    """No connection: refused, reset, unknown host, TLS."""

    kind = "connection"


class TimedOut(UnavailableError):
    """The attempt or the wait for the next event took too long."""

    kind = "timeout"


class GatewayWarmingUp(UnavailableError):
    """A proxy answered in place of a server that is still starting."""

    kind = "warming_up"


class StreamInterrupted(VLLMError):
    """The stream ended before the server said it was finished; `partial` holds what came."""

    kind = "interrupted"
    retryable_by_default = True


class ProtocolError(VLLMError):
    """The answer is not what a Responses API sends."""

    kind = "protocol"
    retryable_by_default = True


class StorageError(VLLMError):
    """The data folder or its database can't be read or written."""

    kind = "storage"
