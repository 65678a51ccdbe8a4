"""The only room that knows how servers and the SDK say no: statuses, bodies and exceptions become our errors."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from socket import gaierror
from ssl import SSLError
from typing import TYPE_CHECKING

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
    TimedOut,
    UnavailableError,
    VLLMError,
)
from vllm_tui.provider.addresses import is_local, shown
from vllm_tui.provider.error_words import ErrorWords, read_error, read_error_body, shortened, without_secret
from vllm_tui.provider.retry import parse_retry_after
from vllm_tui.provider.transport import HTTP_ERRORS, HTTP_TIMEOUT_ERRORS

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonValue
    from vllm_tui.provider.config import ProviderConfig

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
HARMONY_EFFORTS = ("low", "medium", "high")

_OVERFLOW = re.compile(
    r"maximum context|context length|context_length_exceeded|too many tokens|exceeds the max_model_len"
    r"|max_tokens must be at least 1, got -",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[ _-]filter|content management policy|content policy|blocked by (?:\w+ ){0,3}safety"
    r"|safety (?:system|filter|polic)",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(
    r"not a multimodal model|at most 0 images?|unknown part type: input_image"
    r"|(?:does not|doesn't) support (?:image|multimodal|vision)|images? inputs? (?:is|are) not supported",
    re.IGNORECASE,
)
_EFFORT_REFUSED = re.compile(
    r"effort.{0,80}(?:not supported|unsupported|invalid|should be|must be|supported values)", re.IGNORECASE
)
_SUPPORTED = re.compile(r"(?:supported values are|should be|must be(?: one of)?):?\s*([^.(]+)", re.IGNORECASE)
_UNKNOWN_MODEL = re.compile(r"model [`'\"]?(.{1,200}?)[`'\"]? (?:does not exist|(?:was )?not found)", re.IGNORECASE)
_VALIDATION = re.compile(r"input should|field required|extra inputs|unexpected|unknown", re.IGNORECASE)
_SERVED = re.compile(r"valid aliases:\s*(.+?)\.?$", re.IGNORECASE)
_IMAGE_ECHO = "'type': 'input_image'"
_CHALLENGE = re.compile(
    r"just a moment|cf-browser-verification|cloudflare|checking if the site connection is secure", re.IGNORECASE
)
_WARMING_UP = re.compile(
    r"waiting for service to respond|service is starting|starting up|warming up|initializing", re.IGNORECASE
)


def error_of_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    config: ProviderConfig,
    model: str,
    effort: str | None = None,
) -> VLLMError:
    """Return the error an HTTP answer of `status` means; `effort` is the reasoning effort that was asked for."""
    fields = {name.lower(): value for name, value in headers.items()}
    told = without_secret(body.decode("utf-8", "replace"), config.api_key)
    words = read_error_body(told.encode(), fields.get("content-type", ""))
    if not words.is_json and status == 403 and _CHALLENGE.search(words.raw):
        return UnavailableError(
            f"A proxy in front of {shown(config.base_url)} answered with a challenge page (403).",
            status=status,
            detail=words.text,
        )
    if not words.is_json and status in (404, 425) and _WARMING_UP.search(words.raw):
        return GatewayWarmingUp(
            f"The server behind {shown(config.base_url)} is still starting ({status}).",
            status=status,
            detail=words.text,
        )
    wait = parse_retry_after(fields.get("retry-after"), time.time()) if status in (429, 503) else None
    if status == 404 and not _names_something(words):
        return _wrong_path(words, config)
    return _by_status(status, words, config, model, effort, wait)


def error_of_body(payload: JsonValue, config: ProviderConfig) -> VLLMError:
    """Return the error a stream carried: a bare error object, an `error` event, or a failed response."""
    match payload:
        case {"response": {"error": dict() | str() as error}}:
            said: JsonValue = error
        case {"error": dict() | str() as error}:
            said = error
        case {"response": {}} | {"object": "response"}:
            said = None
        case _:
            said = payload
    found = read_error(said)
    words = replace(found, text=without_secret(found.text, config.api_key))
    if words.kinds[:1] == ("error",):
        words = ErrorWords("" if words.text == "error" else words.text, words.kinds[1:])
    status = _status_in(words)
    if _is_overflow(words) or _is_filtered(words):
        return _invalid(status, words, config.default_model)
    return _by_status(status, words, config, config.default_model, None, None)


def error_of_exception(
    error: BaseException, *, config: ProviderConfig, model: str | None = None, effort: str | None = None
) -> VLLMError:
    """Return the error that an exception of the SDK, of HTTP, TLS or the system means; the caller chains it."""
    import openai

    if isinstance(error, VLLMError):
        return error
    if isinstance(error, openai.APIStatusError):
        fields, status = dict(error.response.headers), error.response.status_code
        try:
            body = error.response.content
        except HTTP_ERRORS:
            body = str(error.body or "").encode("utf-8", "replace")
        return error_of_status(status, fields, body, config=config, model=model or config.default_model, effort=effort)
    if isinstance(error, (openai.APIConnectionError, OSError, *HTTP_ERRORS)):
        return _of_connection(error, config)
    if isinstance(error, openai.APIError) and isinstance(error.body, dict | str):
        return error_of_body(error.body, config)
    return _unreadable(error, config)


def sdk_errors() -> tuple[type[BaseException], ...]:
    """Return what a call of the SDK, or reading its answer, may raise; imports the SDK."""
    import openai

    return (openai.OpenAIError, *HTTP_ERRORS, OSError)


def _by_status(
    status: int, words: ErrorWords, config: ProviderConfig, model: str, effort: str | None, wait: float | None
) -> VLLMError:
    said = _ended(words.text or "no reason given")
    if status in (400, 422, 500):
        refused = _effort_error(status, words, effort)
        if refused is not None:
            return refused
    if status in (400, 413, 422):
        return _invalid(status, words, model)
    match status:
        case 401:
            return AuthenticationFailed(
                f"The server does not accept the API key (401): {said}",
                status=status,
                detail=words.text,
                hint="Set api_key or VLLM_API_KEY to the key the server was started with.",
            )
        case 403:
            message = f"Access to {shown(config.base_url)} is denied (403): {said}"
            return AccessDenied(message, status=status, detail=words.text)
        case 404:
            return _not_found(words, config, model)
        case 408:
            return TimedOut(f"The server gave up waiting (408): {said}", status=status, detail=words.text)
        case 425:
            return UnavailableError(f"The server is not ready yet (425): {said}", status=status, detail=words.text)
        case 429:
            return RateLimited(
                f"Too many requests (429): {said}" + _asked_wait(wait),
                status=status,
                detail=words.text,
                retry_after=wait,
                retryable=wait is None or wait <= config.max_retry_delay,
            )
    if 300 <= status < 500:
        hint = "Check base_url." if status < 400 or status == 405 else None
        return RequestError(
            f"The server refused the request ({status}): {said}", status=status, detail=words.text, hint=hint
        )
    return ServerError(
        f"The server failed{f' ({status})' if status else ''}: {said}" + _asked_wait(wait),
        status=status or None,
        detail=words.text,
        hint=_server_hint(status, words, config, effort),
        retry_after=wait,
        retryable=status != 501 and (wait is None or wait <= config.max_retry_delay),
    )


def _is_overflow(words: ErrorWords) -> bool:
    return any(_OVERFLOW.search(told) for told in (words.text, *words.kinds))


def _is_filtered(words: ErrorWords) -> bool:
    if any(kind.lower() == "content_filter" for kind in words.kinds):
        return True
    return _FILTERED.search(words.text) is not None and not _VALIDATION.search(words.text)


def _invalid(status: int, words: ErrorWords, model: str) -> RequestError:
    number, said = status or None, _ended(words.text or "no reason given")
    if _is_overflow(words):
        return ContextLengthExceeded(
            f"The conversation does not fit the model's context window: {said}",
            status=number,
            detail=words.text,
            hint="Shorten the conversation or ask for fewer output tokens.",
        )
    if _is_filtered(words):
        return ContentFiltered(f"A content filter refused the request: {said}", status=number, detail=words.text)
    if _NO_IMAGES.search(words.text):
        return InvalidRequest(
            f"The model {model} does not take images: {said}",
            status=number,
            detail=words.text,
            hint="Remove the image or choose a model that sees.",
        )
    hint = "The request holds an image; this server may not take images." if _IMAGE_ECHO in words.raw else None
    message = f"The server found the request invalid ({status}): {said}"
    return InvalidRequest(message, status=number, detail=words.text, hint=hint)


def _effort_error(status: int, words: ErrorWords, effort: str | None) -> InvalidRequest | None:
    """Return the refusal of a reasoning effort; old servers answer with nothing but its name in quotes."""
    quoted = words.text[1:-1] if re.fullmatch(r"'[^']+'", words.text) else None
    bare = quoted is not None and quoted in (*EFFORTS, effort)
    if not bare and not _EFFORT_REFUSED.search(words.text):
        return None
    listed = _SUPPORTED.search(words.text)
    supported = HARMONY_EFFORTS if bare else _effort_names(listed[1] if listed else "")
    asked = f" {effort!r}" if effort else ""
    known = f" Supported: {', '.join(supported)}." if supported else f" It says: {_ended(words.text)}"
    error = InvalidRequest(
        f"The server refused the reasoning effort{asked} ({status}).{known}",
        status=status,
        detail=words.text,
        hint="Choose one of these efforts, or none at all." if supported else "Leave the effort out.",
    )
    error.supported = supported
    return error


def _effort_names(listed: str) -> tuple[str, ...]:
    names = {piece.strip(" '\"`") for piece in re.split(r",|\bor\b|\band\b", listed)}
    known = tuple(name for name in EFFORTS if name in names)
    return known + tuple(sorted(name for name in names - set(known) if re.fullmatch(r"[\w-]{1,40}", name)))


def _names_something(words: ErrorWords) -> bool:
    return words.is_json and words.text.lower() not in ("", "not found")


def _wrong_path(words: ErrorWords, config: ProviderConfig) -> NotFound:
    where, said = shown(config.base_url), words.text or "Not Found"
    lacks = not config.base_url.endswith("/v1")
    hint = f"base_url probably lacks /v1: try {where}/v1." if lacks else "Check base_url and the server's version."
    return NotFound(
        f"There is no Responses API at {where} (404): {_ended(said)}", status=404, detail=words.text, hint=hint
    )


def _not_found(words: ErrorWords, config: ProviderConfig, model: str) -> NotFound:
    named = _UNKNOWN_MODEL.search(words.text)
    if named is None:
        return NotFound(f"Not found (404): {_ended(words.text or 'no reason given')}", status=404, detail=words.text)
    served = _SERVED.search(words.text)
    return NotFound(
        f"The server at {shown(config.base_url)} does not serve the model {shortened(named[1] or model, 120)!r} (404)."
        + (f" It serves {_ended(served[1])}" if served else ""),
        status=404,
        detail=words.text,
        hint="Choose one of the models the server lists.",
    )


def _status_in(words: ErrorWords) -> int:
    """Return the HTTP status an in-stream error stands for, 0 when it names none."""
    for kind in words.kinds:
        if re.fullmatch(r"[45][0-9]{2}", kind):
            return int(kind)
    for kind in words.kinds:
        if re.search(r"bad.?request|invalid_(?:request|prompt)|content_filter|context_length", kind, re.IGNORECASE):
            return 400
        if "rate_limit" in kind.lower():
            return 429
    return 0


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _asked_wait(wait: float | None) -> str:
    return "" if wait is None else f" It asks to wait {wait:.0f} seconds."


def _server_hint(status: int, words: ErrorWords, config: ProviderConfig, effort: str | None) -> str | None:
    if status == 500 and not words.is_json and effort is not None and effort not in HARMONY_EFFORTS:
        return f"Old servers fail this way on an effort they don't know, such as {effort!r}."
    return _hint(config) if status in (502, 503, 504) else None


def _unreadable(error: BaseException, config: ProviderConfig) -> ProtocolError:
    where, detail = shown(config.base_url), shortened(str(error)) or type(error).__name__
    if isinstance(error, UnicodeError):
        return ProtocolError(f"{where} sent text that is not UTF-8.", detail=detail)
    if isinstance(error, ValueError):
        return ProtocolError(f"{where} sent JSON that can't be read.", detail=detail)
    return ProtocolError(f"{where} sent an answer that can't be used: {_ended(detail)}", detail=detail)


def _of_connection(error: BaseException, config: ProviderConfig) -> VLLMError:
    where, causes = shown(config.base_url), list(_causes(error))
    for cause in causes:
        if isinstance(cause, VLLMError):
            return cause
        if type(cause).__name__ in ("InvalidURL", "UnsupportedProtocol"):
            return ConfigurationError(f"{where} is no usable address.", hint="Check base_url.")
    detail = shortened(next((str(cause) for cause in reversed(causes) if str(cause)), type(error).__name__))
    if _is_timeout(error) or any(isinstance(cause, (*HTTP_TIMEOUT_ERRORS, TimeoutError)) for cause in causes):
        return TimedOut(f"{where} did not answer in time.", detail=detail, hint=_hint(config))
    for cause in causes:
        words = _cause_in_words(cause)
        if words is not None:
            return ConnectionFailed(f"No connection to {where}: {words}.", detail=detail, hint=_hint(config))
    return ConnectionFailed(f"The connection to {where} failed: {_ended(detail)}", detail=detail, hint=_hint(config))


def _is_timeout(error: BaseException) -> bool:
    import openai

    return isinstance(error, openai.APITimeoutError)


def _cause_in_words(cause: BaseException) -> str | None:
    text = str(cause).lower()
    match cause:
        case _ if type(cause).__name__ == "ProxyError":
            return f"the proxy refused ({shortened(str(cause), 100) or 'no reason given'})"
        case SSLError():
            return f"TLS failed ({shortened(str(cause), 160)})"
        case gaierror():
            return "no such host"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return "the connection was reset"
    if "server disconnected" in text or "peer closed connection" in text:
        return "the server closed the connection"
    if "connect call failed" in text and "errno 111" in text:
        return "connection refused"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what led to it, groups unfolded, at most twenty."""
    waiting: list[BaseException] = [error]
    seen: list[BaseException] = []
    while waiting and len(seen) < 20:
        current = waiting.pop(0)
        if any(current is known for known in seen):
            continue
        seen.append(current)
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        waiting.extend(cause for cause in (current.__cause__, current.__context__) if cause is not None)


def _hint(config: ProviderConfig) -> str:
    root = shown(config.base_url).removesuffix("/v1")
    check = f"curl {root}/health"
    return f"Try `{'sudo systemctl status vllm` and `' if is_local(config.base_url) else ''}{check}`."
