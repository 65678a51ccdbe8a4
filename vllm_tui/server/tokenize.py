"""Asks a server how many tokens a text or a conversation has (`/tokenize`, which is not under /v1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ServerError,
    TimedOut,
    VLLMError,
)
from vllm_tui.server.address import Address, parse_address
from vllm_tui.server.http import Failure, Reply, ask, open_client

if TYPE_CHECKING:
    import httpx2

    from vllm_tui.domain.values import JsonObject


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens as the server's own tokenizer counts them; `pieces` only when they were asked for."""

    count: int
    window: int | None
    tokens: tuple[int, ...]
    pieces: tuple[str, ...] = ()


async def tokenize(
    base_url: str,
    api_key: str | None = None,
    *,
    model: str | None = None,
    prompt: str | None = None,
    messages: list[JsonObject] | None = None,
    tools: list[JsonObject] | None = None,
    with_pieces: bool = False,
    timeout: float = 10.0,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> TokenCount:
    """Count a `prompt`, or chat `messages` with the model's template; raise a VLLMError when the server does not.

    `transport` replaces the network.

    For gpt-oss the template's count differs a little from that of the Responses API, which renders with Harmony.
    """
    try:
        address = parse_address(base_url)
    except ValueError as error:
        raise ConfigurationError(
            f"The base URL is no address: {error}.", hint="Write http://localhost:8000/v1."
        ) from error
    body: JsonObject = {} if model is None else {"model": model}
    if prompt is not None:
        body["prompt"] = prompt
    else:
        body["messages"] = [*(messages or [])]
        if tools:
            body["tools"] = [*tools]
    if with_pieces:
        body["return_token_strs"] = True
    async with open_client(address, transport) as client:
        url = f"{address.root}/tokenize"
        answer = await ask(client, "POST", url, api_key=api_key, body=body, timeout=timeout)
    if isinstance(answer, Failure):
        raise _no_answer(answer, address)
    if answer.status != 200:
        raise _refused(answer, address)
    return _read_count(answer, address)


def _read_count(answer: Reply, address: Address) -> TokenCount:
    whole = answer.json
    body = whole if isinstance(whole, dict) else {}
    count, tokens, window, pieces = (body.get(key) for key in ("count", "tokens", "max_model_len", "token_strs"))
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        message = f"{address.root}/tokenize gave no token count."
        raise ProtocolError(message, hint="Is this a vLLM server?", detail=answer.text[:500])
    return TokenCount(
        count,
        window if isinstance(window, int) else None,
        tuple(token for token in tokens if isinstance(token, int)) if isinstance(tokens, list) else (),
        tuple(str(piece) for piece in pieces) if isinstance(pieces, list) else (),
    )


def _no_answer(failure: Failure, address: Address) -> VLLMError:
    message = f"{address.root}/tokenize: {failure.reason}."
    if failure.kind == "timeout":
        return TimedOut(message)
    return ProtocolError(message) if failure.kind in ("not_http", "too_large") else ConnectionFailed(message)


def _refused(answer: Reply, address: Address) -> VLLMError:
    message = f"{address.root}/tokenize was refused with status {answer.status}."
    kinds: dict[int, type[VLLMError]] = {401: AuthenticationFailed, 403: AccessDenied, 404: NotFound}
    kind = kinds.get(answer.status, ServerError if answer.status >= 500 else InvalidRequest)
    return kind(message, status=answer.status, detail=answer.text[:500])
