"""Looking at servers: good ones, wrong ones, silent ones, and who gets to see the key."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from vllm_tui.demo.app import DemoServer
from vllm_tui.demo.server import serve
from vllm_tui.domain.checks import ORDER, Check, LocalServer, Probe, ServedModel
from vllm_tui.domain.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    ProtocolError,
    TimedOut,
    VLLMError,
)
from vllm_tui.server.address import parse_address
from vllm_tui.server.discovery import find_local_servers
from vllm_tui.server.http import MAX_BODY
from vllm_tui.server.probe import probe
from vllm_tui.server.tokenize import tokenize

KEY = "sk-canary-51f0"
MODELS = {"object": "list", "data": [{"id": "m", "max_model_len": 4096}, {"id": "n"}]}


@dataclass
class Wire:
    """A port that answers each path with fixed bytes, and what it was asked."""

    answers: dict[str, bytes]
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def reply(self, path: str, key: str) -> bytes:
        return self.answers.get(path, http(404, {"detail": "Not Found"}))


class NeedsKey(Wire):
    def reply(self, path: str, key: str) -> bytes:
        if path.startswith("/v1") and key != f"Bearer {KEY}":
            return http(401, {"error": "Unauthorized"})
        return super().reply(path, key)


def http(status: int, body: Any = None, kind: str = "application/json", extra: str = "") -> bytes:
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(raw)}\r\nconnection: close\r\n{extra}\r\n"
    )
    return head.encode() + raw


def vllm(**changes: bytes) -> dict[str, bytes]:
    """Return the answers of a good server with some of them changed; `health="..."` means `/health`."""
    good = {"health": http(200), "version": http(200, {"version": "0.32.0"}), "models": http(200, MODELS)} | changes
    return {"/health": good["health"], "/version": good["version"], "/v1/models": good["models"]}


@asynccontextmanager
async def listening(wire: Wire, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = [line.partition(": ") for line in head.split("\r\n")]
            key = next((value for name, _, value in lines if name.lower() == "authorization"), "")
            target = head.split(" ")[1]
            wire.asked.append((target, key))
            answer = wire.reply(target, key)
            if answer == SILENCE:
                await reader.read()
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listener.close()


SILENCE = b""


def states(found: Probe) -> dict[str, str]:
    return {check.name: check.state for check in found.checks}


def check_of(found: Probe, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)


async def closed_port() -> int:
    async with listening(Wire({})) as wire:
        return wire.port


async def test_a_good_server_passes_every_check() -> None:
    heard: list[Check] = []
    async with listening(Wire(vllm())) as wire:
        found = await probe(f"  {wire.url}/ ", on_check=heard.append)
    assert [(check.name, check.state, check.fact) for check in found.checks] == [
        ("address", "ok", wire.url),
        ("resolve", "skipped", "127.0.0.1 is an IP address"),
        ("connect", "ok", f"127.0.0.1:{wire.port} accepts connections"),
        ("tls", "skipped", "plain http"),
        ("health", "ok", "the server is well"),
        ("version", "ok", "vLLM 0.32.0"),
        ("models", "ok", "m (4,096), n"),
        ("auth", "ok", "open: no key is needed"),
    ]
    assert (found.is_usable, found.version, found.first_problem) == (True, "0.32.0", None)
    assert found.models == (ServedModel("m", 4096), ServedModel("n", None))
    assert tuple(heard) == found.checks


async def test_the_demo_passes_too_and_a_name_is_resolved() -> None:
    async with serve(DemoServer()) as port:
        found = await probe(f"http://localhost:{port}/v1", model="Qwen/Qwen3-8B")
    assert (found.is_usable, found.first_problem) == (True, None)
    assert check_of(found, "resolve").fact.startswith("localhost is ")
    assert [model.window for model in found.models] == [131072, 32768]


async def test_a_refused_connection_is_told_with_the_next_steps() -> None:
    port = await closed_port()
    found = await probe(f"http://127.0.0.1:{port}/v1")
    problem = found.first_problem
    assert problem is not None
    assert (problem.name, problem.fact) == ("connect", f"127.0.0.1:{port} refuses connections")
    assert problem.remedy is not None
    assert "sudo systemctl status vllm" in problem.remedy
    assert [check.name for check in found.checks] == list(ORDER)
    assert {check.state for check in found.checks[3:]} == {"skipped"}
    assert check_of(found, "auth").fact == "not tried: connect failed"


async def test_an_unknown_host_is_told() -> None:
    found = await probe("http://no-such-host.invalid/v1")
    assert states(found)["resolve"] == "fail"
    assert found.first_problem is not None
    assert found.first_problem.fact.startswith("no-such-host.invalid: ")


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("ftp://h/v1", "it does not begin with http:// or https://"),
        ("localhost:8000", "it does not begin with http:// or https://"),
        ("http:///v1", "it names no host"),
        ("http://h:99999/v1", "Port out of range 0-65535"),
        ("http://h /v1", "it holds spaces or invisible characters"),
        ("", "it does not begin with http:// or https://"),
    ],
)
async def test_what_is_no_address_is_told_why(url: str, fact: str) -> None:
    found = await probe(url)
    assert found.checks[0] == Check(
        "address", "fail", f"this is no address: {fact}", 0.0, "Write it like http://localhost:8000/v1"
    )
    assert {check.state for check in found.checks[1:]} == {"skipped"}


HTML = http(200, "<!DOCTYPE html><html><body>Welcome</body></html>", "text/html")


@pytest.mark.parametrize(
    ("answers", "name", "state", "fact"),
    [
        (vllm(health=http(503)), "health", "fail", "status 503: the engine is dead or still starting"),
        (vllm(health=http(404)), "health", "warn", "status 404 for /health"),
        (vllm(health=HTML), "health", "warn", "an HTML page came (status 200), as from a proxy"),
        (vllm(health=b"SSH-2.0-OpenSSH_9.6\r\n"), "health", "fail", "{where} does not speak HTTP"),
        (vllm(health=b"\x15\x03\x01\x00\x02\x02\x46"), "health", "fail", "{where} does not speak HTTP"),
        (vllm(health=SILENCE), "health", "fail", "no answer within 0.5 s"),
        (
            vllm(health=http(400, "The plain HTTP request was sent to HTTPS port", "text/plain")),
            "health",
            "fail",
            "the port expects TLS",
        ),
        (vllm(version=http(404)), "version", "warn", "the server does not say its version"),
        (vllm(version=http(200, {"version": "0.9.2"})), "version", "warn", "vLLM 0.9.2 is too old"),
        (vllm(version=http(200, {"version": "0.10.1.1+cpu"})), "version", "ok", "vLLM 0.10.1.1+cpu"),
        (vllm(models=HTML), "models", "fail", "an HTML page came (status 200)"),
        (vllm(models=http(200, "[" * 50_000)), "models", "fail", "the answer is no list of models"),
        (vllm(models=http(200, {"data": [1, {"id": 2}, {}]})), "models", "fail", "the answer is no list of models"),
        (vllm(models=http(404)), "models", "fail", "there is no list of models here (status 404)"),
        (vllm(models=http(500)), "models", "fail", "status 500"),
        (
            vllm(models=http(307, extra="location: http://u:p@evil.invalid/v1/models?k=1\r\n")),
            "models",
            "fail",
            "redirected to evil.invalid/v1/models",
        ),
        (vllm(models=http(200, "x" * (MAX_BODY + 1))), "models", "fail", "the answer is larger than any of vLLM's"),
        (vllm(models=http(403)), "auth", "fail", "access is forbidden (status 403)"),
        (vllm(models=http(401)), "auth", "fail", "the server needs a key"),
    ],
)
async def test_what_is_wrong_is_named_at_its_place(answers: dict[str, bytes], name: str, state: str, fact: str) -> None:
    async with listening(Wire(answers)) as wire:
        found = await probe(wire.url, timeout=0.5 if SILENCE in answers.values() else 5.0)
    check = check_of(found, name)
    assert (check.state, check.fact) == (state, fact.format(where=f"127.0.0.1:{wire.port}"))
    assert (check.remedy is None) == (state == "ok")
    assert [check.name for check in found.checks] == list(ORDER)


async def test_a_missing_v1_is_found_and_named() -> None:
    async with listening(Wire(vllm())) as wire:
        root = f"http://127.0.0.1:{wire.port}"
        found = await probe(root)
    assert (check_of(found, "address").state, check_of(found, "models").remedy) == ("warn", f"Use {root}/v1")


async def test_a_model_that_is_not_served_is_a_warning_with_those_that_are() -> None:
    async with listening(Wire(vllm())) as wire:
        found = await probe(wire.url, model="other")
    assert (found.is_usable, check_of(found, "models").remedy) == (True, "Choose one of these: m (4,096), n")


@pytest.mark.parametrize(
    ("kind", "key", "state", "fact"),
    [
        (NeedsKey, KEY, "ok", "the key is accepted"),
        (NeedsKey, "wrong", "fail", "the server does not accept the key"),
        (NeedsKey, None, "fail", "the server needs a key"),
        (Wire, KEY, "ok", "open: no key is needed"),
        (Wire, "sk-\u00e9\n", "fail", "the key holds characters that no header can carry"),
    ],
)
async def test_the_key_is_judged(kind: type[Wire], key: str | None, state: str, fact: str) -> None:
    async with listening(kind(vllm())) as wire:
        found = await probe(wire.url, key)
    assert (check_of(found, "auth").state, check_of(found, "auth").fact) == (state, fact)


async def test_the_key_goes_to_the_list_of_models_alone_and_along_no_redirect() -> None:
    async with listening(Wire(vllm())) as other:
        redirect = http(302, extra=f"location: {other.url}/models\r\n")
        async with listening(Wire(vllm(models=redirect, health=redirect))) as wire:
            await probe(wire.url, KEY)
    assert other.asked == []
    assert wire.asked == [("/health", ""), ("/version", ""), ("/v1/models", f"Bearer {KEY}")]


@pytest.mark.parametrize(
    ("greeting", "fact"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"), (b"", "does not answer a TLS greeting within 0.5 s")],
)
async def test_tls_to_a_plain_port_says_to_write_http(greeting: bytes, fact: str) -> None:
    done = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting if await reader.read(1) else b"")
        if not greeting:
            await done.wait()
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    where = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    found = await probe(f"https://{where}/v1", timeout=5.0 if greeting else 0.5)
    done.set()
    listener.close()
    check = check_of(found, "tls")
    assert (check.state, check.remedy) == ("fail", f"If the server has no TLS, write http://{where}/v1.")
    assert check.fact.startswith(f"{where} {fact}")


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=localhost"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_nobody_knows_is_not_trusted_and_gets_no_key(self_signed: ssl.SSLContext) -> None:
    async with listening(Wire(vllm()), self_signed) as wire:
        found = await probe(f"https://localhost:{wire.port}/v1", KEY)
        plain = await probe(f"http://localhost:{wire.port}/v1")
    check = check_of(found, "tls")
    assert (check.state, check.fact) == ("fail", "the certificate is not trusted: self-signed certificate")
    assert wire.asked == []
    assert (
        check_of(plain, "health").remedy
        == f"Check the port. If it expects TLS, write https://localhost:{wire.port}/v1."
    )


async def test_a_proxy_is_used_for_others_and_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    far = "http://gpu-box.invalid:8000"
    answers = {f"{far}{path}": answer for path, answer in vllm().items()}
    async with listening(Wire(answers)) as proxy, listening(Wire(vllm())) as local:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{proxy.port}")
        found = await probe(f"{far}/v1")
        near = await probe(local.url)
    assert (found.is_usable, near.is_usable) == (True, True)
    assert check_of(found, "connect").fact == f"through the proxy 127.0.0.1:{proxy.port}"
    assert {target for target, _ in proxy.asked} == set(answers)


@pytest.mark.parametrize(
    ("url", "state"), [("http://8.8.8.8/v1", "warn"), ("http://192.168.1.5/v1", "skipped"), ("http://h/v1", "warn")]
)
async def test_a_key_in_the_open_is_a_warning_on_public_networks(url: str, state: str) -> None:
    from vllm_tui.server.reachable import check_tls

    assert (await check_tls(parse_address(url), 1.0, has_key=True)).state == state
    assert (await check_tls(parse_address(url), 1.0, has_key=False)).state == "skipped"


async def test_an_address_is_shown_without_its_password() -> None:
    port = await closed_port()
    found = await probe(f"http://me:hunter2@127.0.0.1:{port}/v1?key=hunter2")
    assert "hunter2" not in repr(found)
    assert "hunter2" not in repr(await probe("ftp://me:hunter2@h/v1"))


async def test_servers_of_this_machine_are_found_and_others_are_not() -> None:
    async with (
        listening(Wire(vllm())) as good,
        listening(NeedsKey(vllm())) as keyed,
        listening(Wire({"/": HTML, "/version": HTML})) as web,
        listening(Wire(vllm(version=SILENCE))) as silent,
    ):
        ports = (good.port, web.port, await closed_port(), silent.port, keyed.port, good.port)
        found = await find_local_servers(ports, timeout=0.8)
    assert found == (
        LocalServer(good.url, "0.32.0", (ServedModel("m", 4096), ServedModel("n", None)), needs_key=False),
        LocalServer(keyed.url, "0.32.0", (), needs_key=True),
    )
    assert {key for wire in (good, keyed, web, silent) for _, key in wire.asked} == {""}


async def test_a_prompt_and_a_conversation_are_counted() -> None:
    async with serve(DemoServer()) as port:
        url = f"http://127.0.0.1:{port}/v1"
        prompt = await tokenize(url, model="Qwen/Qwen3-8B", prompt="Hello, world", with_pieces=True)
        talk = await tokenize(url, messages=[{"role": "user", "content": "Hello, world"}])
    assert (prompt.count, prompt.window, prompt.pieces) == (3, 32768, ("Hello", ",", " world"))
    assert len(prompt.tokens) == 3
    assert (talk.count > 3, talk.window, talk.pieces) == (True, 131072, ())


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        (http(400, {"error": {}}), InvalidRequest, 400),
        (http(401, {"error": "Unauthorized"}), AuthenticationFailed, 401),
        (http(404, {"detail": "Not Found"}), NotFound, 404),
        (HTML, ProtocolError, None),
        (http(200, {"count": True}), ProtocolError, None),
        (b"nonsense\r\n\r\n", ProtocolError, None),
        (SILENCE, TimedOut, None),
    ],
)
async def test_a_server_that_does_not_count_is_an_error(
    answer: bytes, kind: type[VLLMError], status: int | None
) -> None:
    async with listening(Wire({"/tokenize": answer})) as wire:
        with pytest.raises(kind) as caught:
            await tokenize(wire.url, KEY, prompt="x", timeout=0.2 if answer == SILENCE else 5.0)
    assert type(caught.value) is kind
    assert caught.value.status == status


async def test_counting_where_nobody_listens_is_an_error() -> None:
    port = await closed_port()
    with pytest.raises(ConnectionFailed):
        await tokenize(f"http://127.0.0.1:{port}/v1", prompt="x")
    with pytest.raises(ConfigurationError, match="is no address"):
        await tokenize("nowhere", prompt="x")
