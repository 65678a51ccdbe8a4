"""Statuses, bodies and exceptions of servers, proxies and the SDK, as the errors people see."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from time import time

import httpx2
import pytest
from vllm_tui.domain.errors import (
    AccessDenied,
    AuthenticationFailed,
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
from vllm_tui.domain.values import JsonValue
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.error_map import error_of_body, error_of_exception, error_of_status, sdk_errors
from vllm_tui.provider.sdk import open_sdk

CONFIG = ProviderConfig(base_url="http://10.0.0.9:8000/v1")


def said(message: str, code: int = 400, kind: str = "BadRequestError") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def mapped(status: int, body: bytes = b"", effort: str | None = None, **headers: str) -> VLLMError:
    fields = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return error_of_status(status, fields, body, config=CONFIG, model="m", effort=effort)


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (302, b"", RequestError, False),
        (400, b"", InvalidRequest, False),
        (401, b'{"error":"Unauthorized"}', AuthenticationFailed, False),
        (403, b'{"error":{"message":"no"}}', AccessDenied, False),
        (404, said("Response with id 'resp_1' not found.", 404), NotFound, False),
        (405, b'{"detail":"Method Not Allowed"}', RequestError, False),
        (408, b"", TimedOut, True),
        (409, b'{"error":"conflict"}', RequestError, False),
        (413, b"too large", InvalidRequest, False),
        (422, b'{"detail":[{"loc":["body","input"],"msg":"Field required","input":{}}]}', InvalidRequest, False),
        (425, b"", UnavailableError, True),
        (429, b"", RateLimited, True),
        (500, b"Internal Server Error", ServerError, True),
        (501, said("Unknown part type: input_file", 501), ServerError, False),
        (502, b"<html><title>502 Bad Gateway</title></html>", ServerError, True),
        (503, b"", ServerError, True),
        (529, b"null", ServerError, True),
    ],
)
def test_a_status_decides_the_kind(status: int, body: bytes, kind: type[VLLMError], retryable: bool) -> None:
    error = mapped(status, body)
    assert (type(error), error.retryable, error.status) == (kind, retryable, status)
    assert str(status) in error.message


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input tokens.",
        "This model's maximum context length is 2048 tokens. However, your request has 4033 input tokens. None",
        "The engine prompt length 8068 exceeds the max_model_len 4096. Please reduce prompt.",
        "Input length (9) exceeds model's maximum context length (8).",
        "max_tokens must be at least 1, got -3976.",
        "Too Many Tokens in the request",
    ],
)
def test_every_known_overflow_text_is_a_full_context(message: str) -> None:
    for error in (mapped(400, said(message)), error_of_body({"error": {"message": message}}, CONFIG)):
        assert type(error) is ContextLengthExceeded
        assert not error.retryable
        assert error.detail == message.removesuffix(" None")


@pytest.mark.parametrize(
    "body",
    [
        said("max_tokens must be at least 1, got 0."),
        said("Input should be 'a' for safety_identifier"),
        said("unknown field: blocked"),
        said(
            "[{'type': 'literal_error', 'loc': ('body', 'a'), 'msg': \"Input should be 'content_filter'\", 'input': 1}]"
        ),
        said(
            "[{'type': 'string_type', 'loc': ('body', 'input', 'str'), 'msg': 'Input should be a valid string', "
            "'input': 'the maximum context length and the content filter'}]"
        ),
    ],
)
def test_validation_messages_are_neither_overflow_nor_filter(body: bytes) -> None:
    assert type(mapped(400, body)) is InvalidRequest


@pytest.mark.parametrize(
    "body",
    [
        said("The response was filtered by the content filter."),
        said("refused", kind="content_filter"),
        b'{"error":{"message":"no","code":"content_filter"}}',
        said("The prompt triggered our content management policy."),
        said("Your request was blocked by our safety system."),
    ],
)
def test_a_content_filter_is_told_by_its_own_words(body: bytes) -> None:
    error = mapped(400, body)
    assert (type(error), error.retryable) == (ContentFiltered, False)


EFFORT_DUMP = (
    "[{'type': 'literal_error', 'loc': ('body', 'reasoning', 'effort'), 'msg': \"Input should be 'minimal', "
    "'low', 'medium' or 'high'\", 'input': 'bogus', 'ctx': {'expected': \"'minimal'\"}}]"
)


@pytest.mark.parametrize(
    ("status", "message", "effort", "supported"),
    [
        (
            400,
            "reasoning_effort='minimal' is not supported by Harmony. Supported values are: high, medium, low.",
            None,
            ("low", "medium", "high"),
        ),
        (500, "'minimal'", "minimal", ("low", "medium", "high")),
        (500, "'xhigh'", None, ("low", "medium", "high")),
        (500, "'odd'", "odd", ("low", "medium", "high")),
        (
            400,
            EFFORT_DUMP,
            "bogus",
            ("minimal", "low", "medium", "high"),
        ),
    ],
)
def test_a_refused_effort_lists_what_works(
    status: int, message: str, effort: str | None, supported: tuple[str, ...]
) -> None:
    error = mapped(status, said(message, status), effort)
    assert isinstance(error, InvalidRequest)
    assert (error.supported, error.retryable) == (supported, False)
    assert ", ".join(supported) in error.message


def test_other_quoted_failures_are_no_refused_effort() -> None:
    assert type(mapped(500, said("'role'", 500), "low")) is ServerError
    assert "'minimal'" in str(mapped(500, b"Internal Server Error", "minimal"))


CHALLENGE = b"<html><title>Just a moment...</title></html>"
WARM_UP = b"<html><body>Waiting for service to respond</body></html>"


def test_only_a_real_challenge_page_is_tried_again() -> None:
    challenge, denial = mapped(403, CHALLENGE), mapped(403, b"<html><title>403 Forbidden</title></html>")
    assert (type(challenge), challenge.retryable) == (UnavailableError, True)
    assert (type(denial), denial.retryable) == (AccessDenied, False)
    assert denial.detail == "an HTML page titled '403 Forbidden'"
    assert type(mapped(403, b'{"error":"just a moment"}')) is AccessDenied


@pytest.mark.parametrize("status", [404, 425])
def test_a_warm_up_page_is_tried_again(status: int) -> None:
    error = mapped(status, WARM_UP)
    assert (type(error), error.retryable, error.status) == (GatewayWarmingUp, True, status)


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>nothing here</html>"), (404, b'{"detail":"starting up"}'), (500, WARM_UP)]
)
def test_other_pages_are_no_warm_up(status: int, body: bytes) -> None:
    assert type(mapped(status, body)) in (NotFound, ServerError)


def test_a_wrong_path_says_that_v1_is_missing() -> None:
    body = b'{"detail":"Not Found"}'
    lacking = ProviderConfig(base_url="http://10.0.0.9:8000")
    hint = error_of_status(404, {}, body, config=lacking, model="m").hint
    assert hint == "base_url probably lacks /v1: try http://10.0.0.9:8000/v1."
    assert "lacks" not in str(mapped(404, body))


def test_an_unknown_model_is_named_with_what_is_served() -> None:
    error = mapped(404, said("The model `nope` does not exist. Valid aliases: SmolLM2.", 404, "NotFoundError"))
    assert type(error) is NotFound
    assert (
        error.message
        == "The server at http://10.0.0.9:8000/v1 does not serve the model 'nope' (404). It serves SmolLM2."
    )


def test_a_text_model_refuses_images_in_clear_words() -> None:
    error = mapped(400, said("SmolLM2 is not a multimodal model"))
    assert (type(error), error.message) == (
        InvalidRequest,
        "The model m does not take images: SmolLM2 is not a multimodal model.",
    )


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_is_kept_and_too_long_a_wait_is_final(status: int) -> None:
    short, long = mapped(status, retry_after="7"), mapped(status, retry_after="61")
    date = mapped(status, retry_after=formatdate(time() + 30, usegmt=True))
    junk = mapped(status, retry_after="nan")
    assert [(e.retryable, e.retry_after) for e in (short, long, junk)] == [(True, 7.0), (False, 61.0), (True, None)]
    assert date.retryable
    assert date.retry_after == pytest.approx(30, abs=3)


def test_a_wait_on_other_statuses_is_ignored() -> None:
    assert mapped(500, retry_after="99").retry_after is None


def test_a_dump_is_shortened_to_its_first_fault_without_the_conversation() -> None:
    dump = (
        "238 validation errors:\n  {'type': 'string_type', 'loc': ('body', 'input', 'str'), 'msg': 'Input should be a "
        "valid string', 'input': [{'role': 'user', 'content': 'my secret'}]}\n" + "  {'type': 'my secret'}\n" * 9000
    )
    whole = said(dump)
    for body in (whole, whole[: 64 * 1024], whole[: 64 * 1024 + 5]):
        error = mapped(400, body)
        assert error.detail == "input.str: Input should be a valid string"
        assert "secret" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"12",
        b'"text"',
        b"\xff\xfe",
        b'{"error":',
        b'{"error":{"message":"\\ud83',
        b'{"error":null,"message":"\\ud800"}',
        b"[" * 60_000,
        b'{"error":' * 7000,
        b"x" * 64_000,
        b"<!doctype html>" + b"<p>" * 20_000,
        b"<html>" + b"<title " * 9000,
        said("1 validation error:" + "'loc': ('" * 7000),
        b'{"error":{"message":"' + b"y" * 60_000 + b'"}}',
    ],
    ids=lambda body: f"{body[:12]!r}-{len(body)}",
)
@pytest.mark.parametrize("status", [400, 403, 404, 418, 500])
def test_any_body_becomes_a_short_message(status: int, body: bytes) -> None:
    error = mapped(status, body, content_type="text/plain")
    assert 10 < len(error.message) < 500
    str(error).encode()
    assert "<p>" not in error.message


@pytest.mark.parametrize(
    ("payload", "kind", "words"),
    [
        ({"error": {"message": "bad input", "code": 400}}, InvalidRequest, "bad input"),
        ({"error": {"message": "boom", "type": "InternalServerError", "code": 500}}, ServerError, "boom"),
        ({"error": "plain words"}, ServerError, "plain words"),
        ({"type": "error", "code": "server_error", "message": "died"}, ServerError, "died"),
        ({"type": "error", "code": "429", "message": "slow"}, RateLimited, "slow"),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, InvalidRequest, "no"),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x1"}}},
            ServerError,
            "x1",
        ),
        ({"type": "response.failed", "response": {"error": None}}, ServerError, "no reason given"),
        ({"error": {"code": 404, "message": "gone"}}, NotFound, "gone"),
        ({"error": {"code": "content_filter", "message": "hm"}}, ContentFiltered, "hm"),
        ("words only", ServerError, "words only"),
    ],
)
def test_an_error_within_a_stream_keeps_the_servers_words(
    payload: JsonValue, kind: type[VLLMError], words: str
) -> None:
    error = error_of_body(payload, CONFIG)
    assert type(error) is kind
    assert words in error.message
    assert error.retryable is kind.retryable_by_default


async def raised(base_url: str, transport: httpx2.AsyncBaseTransport | None = None) -> VLLMError:
    config = ProviderConfig(base_url=base_url)
    client = open_sdk(config, transport)
    try:
        await client.responses.create(model="m", input="hello")
    except sdk_errors() as error:
        return error_of_exception(error, config=config)
    finally:
        await client.close()
    raise AssertionError("the call did not fail")


def failing(cause: BaseException, error: type[httpx2.TransportError] = httpx2.ConnectError) -> httpx2.MockTransport:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise error("failed") from cause

    return httpx2.MockTransport(handle)


async def test_a_closed_port_is_a_refused_connection_with_a_next_step() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    error = await raised(f"http://127.0.0.1:{port}/v1")
    assert (type(error), error.retryable) == (ConnectionFailed, True)
    assert error.message == f"No connection to http://127.0.0.1:{port}/v1: connection refused."
    assert error.hint == f"Try `sudo systemctl status vllm` and `curl http://127.0.0.1:{port}/health`."


@pytest.mark.parametrize(
    ("transport", "kind", "words"),
    [
        (failing(OSError("network is down")), ConnectionFailed, "network is down"),
        (failing(socket.gaierror(-2, "Name or service not known")), ConnectionFailed, "no such host"),
        (failing(ssl.SSLError(1, "certificate verify failed")), ConnectionFailed, "TLS failed"),
        (failing(ConnectionResetError(104, "reset")), ConnectionFailed, "the connection was reset"),
        (failing(ValueError("x"), httpx2.ProxyError), ConnectionFailed, "the proxy refused"),
        (failing(ValueError("x"), httpx2.ConnectTimeout), TimedOut, "did not answer in time"),
    ],
)
async def test_a_failed_connection_names_its_root(
    transport: httpx2.MockTransport, kind: type[VLLMError], words: str
) -> None:
    error = await raised("http://10.0.0.9:8000/v1", transport)
    assert (type(error), error.retryable) == (kind, True)
    assert words in error.message
    assert error.hint == "Try `curl http://10.0.0.9:8000/health`."


async def test_a_status_error_of_the_sdk_is_read_from_its_body() -> None:
    body = b'{"error":"Unauthorized"}'
    error = await raised("http://10.0.0.9:8000/v1", httpx2.MockTransport(lambda _: httpx2.Response(401, content=body)))
    assert (type(error), error.status, error.detail) == (AuthenticationFailed, 401, "Unauthorized")


@contextmanager
def caught() -> Iterator[list[BaseException]]:
    found: list[BaseException] = []
    try:
        yield found
    except (UnicodeError, ValueError) as error:
        found.append(error)


def test_unreadable_answers_are_protocol_errors_and_our_own_pass_through() -> None:
    with caught() as found:
        b"\xff".decode()
    with caught() as broken:
        json.loads("{")
    for error in (*found, *broken):
        assert type(error_of_exception(error, config=CONFIG)) is ProtocolError
    assert len(found + broken) == 2
    own = NotFound("gone")
    assert error_of_exception(own, config=CONFIG) is own


def test_a_body_that_breaks_off_is_a_failed_connection() -> None:
    error = error_of_exception(httpx2.ReadError("peer closed connection"), config=CONFIG)
    assert (type(error), error.retryable) == (ConnectionFailed, True)
    assert error.message == "No connection to http://10.0.0.9:8000/v1: the server closed the connection."


def test_no_credentials_of_the_address_are_shown() -> None:
    config = ProviderConfig(base_url="http://user:hunter2@10.0.0.9:8000/v1")
    errors = (
        error_of_status(404, {}, b"", config=config, model="m"),
        error_of_exception(ConnectionRefusedError(111, "refused"), config=config),
    )
    assert all("hunter2" not in str(error) for error in errors)
