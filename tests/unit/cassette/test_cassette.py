"""Recording, the file, and replay, over the whole road from a client to the demo and back."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from vllm_tui.cassette.cassette import Cassette, decode_cassette, encode_cassette, read_cassette, write_cassette
from vllm_tui.cassette.exchange import Chunk, Exchange, RecordedRequest
from vllm_tui.cassette.recorder import RecordingTransport
from vllm_tui.cassette.redaction import Redactor
from vllm_tui.cassette.replay import BASE_URL, ReplayTransport
from vllm_tui.cassette.tape import Tape
from vllm_tui.demo.pace import Pace
from vllm_tui.demo.transport import DemoTransport
from vllm_tui.domain.errors import ConfigurationError, ProtocolError, StorageError, VLLMError

CANARY = "sk-canary-4f9a7d21c0ffee55"
URL = "http://demo.invalid/v1"


class Clock:
    """A clock that moves by what is slept."""

    def __init__(self) -> None:
        self.time = 100.0

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def recording(clock: Clock) -> RecordingTransport:
    demo = DemoTransport(pace=Pace(sleep=clock.sleep, now=clock.now))
    return RecordingTransport(demo, Tape(clock=clock.now, now=clock.now))


async def converse(transport: httpx2.AsyncBaseTransport, *questions: str, base_url: str = URL) -> list[Any]:
    """Return all events of all answers, as the openai client sees them."""
    http = httpx2.AsyncClient(transport=transport)
    found: list[Any] = []
    async with AsyncOpenAI(base_url=base_url, api_key=CANARY, http_client=http, max_retries=0) as client:
        found.append([model.id async for model in client.models.list()])
        for question in questions:
            stream = await client.responses.create(model="openai/gpt-oss-20b", input=question, stream=True)
            found.append([event.model_dump() async for event in stream])
    return found


async def test_a_recorded_conversation_replays_event_by_event(clock: Clock, tmp_path: Path) -> None:
    recorder = recording(clock)
    live = await converse(recorder, "hello", "What is batching?")
    path = tmp_path / "talk.cassette"
    write_cassette(path, Cassette(recorder.tape.exchanges, program="0.1.0", note="two turns", created_at=5.0))
    replayed = await converse(ReplayTransport(read_cassette(path), math.inf), "hi", "batching?", base_url=BASE_URL)
    assert replayed == live


async def test_the_file_gives_back_every_exchange(clock: Clock) -> None:
    recorder = recording(clock)
    await converse(recorder, "hello")
    cassette = Cassette(recorder.tape.exchanges, "0.1.0", "note", 7.5)
    assert decode_cassette(encode_cassette(cassette).encode()) == cassette


async def test_replay_keeps_the_recorded_pace_divided_by_speed(clock: Clock) -> None:
    recorder = recording(clock)
    started = clock.time
    await converse(recorder, "What is batching?")
    took = clock.time - started
    slower = Clock()
    replay = ReplayTransport(Cassette(recorder.tape.exchanges), 0.5, sleep=slower.sleep)
    await converse(replay, "again", base_url=BASE_URL)
    assert slower.time - 100.0 == pytest.approx(2 * took)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.cassette"
    write_cassette(path, Cassette(()))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.cassette"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written: No such file or directory"):
        write_cassette(tmp_path / "no" / "x.cassette", Cassette(()))


async def echo(request: httpx2.Request) -> httpx2.Response:
    """Answer with everything the request held, in pieces that cut any key in two."""
    whole = f"{dict(request.headers)} {request.url} {request.content.decode()}".encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 7):
            yield whole[start : start + 7]

    return httpx2.Response(200, headers={"set-cookie": f"session={CANARY}", "x-echo": CANARY}, content=pieces())


@pytest.mark.parametrize(
    "key", [CANARY, "token-abc123", "long key with spaces & signs/+=%", 'quo"te\\back-slash', "ключ-секрет"]
)
async def test_a_key_is_nowhere_in_the_file(key: str) -> None:
    recorder = RecordingTransport(httpx2.MockTransport(echo))
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"cookie", b"a=b"), (b"x-api-key", key.encode())]
    async with httpx2.AsyncClient(transport=recorder) as client:
        await client.post(
            "http://user:hunter22hunter22@demo.invalid/v1/responses",
            params={"api_key": key},
            headers=headers,
            content=json.dumps({"input": f"my key is {key}", "api_key": "field-secret-1", "n": {"password": "pw"}}),
        )
    text = encode_cassette(Cassette(recorder.tape.exchanges))
    shown = json.loads(text.splitlines()[1])
    forms = {
        key,
        json.dumps(key)[1:-1],
        json.dumps(json.dumps(key))[1:-1],
        str(httpx2.URL("http://x/", params={"k": key}).query),
    }
    assert [form for form in forms if form in text] == []
    assert "hunter22" not in text
    assert "field-secret-1" not in text
    assert json.loads(shown["body"]) == {
        "input": "my key is [redacted]",
        "api_key": "[redacted]",
        "n": {"password": "[redacted]"},
    }
    assert dict(shown["headers"])["authorization"] == "[redacted]"


def test_a_key_told_to_the_tape_is_removed_though_the_headers_hide_it() -> None:
    tape = Tape(secrets=[CANARY, ""])
    take = tape.begin("POST", "http://h/v1/responses", [("Authorization", "[REDACTED]")], f"say {CANARY}".encode())
    take.answer(200, [])
    take.add(f"said {CANARY[:9]}".encode())
    take.add(f"{CANARY[9:]} [REDACTED]".encode())
    take.end("complete")
    (exchange,) = tape.exchanges
    assert exchange.request.body == "say [redacted]"
    assert exchange.body == b"said " + b"*" * len(CANARY) + b" [REDACTED]"


def test_a_short_key_leaves_the_address_readable() -> None:
    tape = Tape()
    tape.begin("GET", "http://example.invalid/v1/models?key=x&a=x", [("authorization", "Bearer x")], b"")
    (exchange,) = tape.exchanges
    assert exchange.request.url == "http://example.invalid/v1/models?key=[redacted]&a=x"
    assert exchange.request.headers == (("authorization", "[redacted]"),)


@pytest.mark.parametrize(
    "piece", ["sk-", "-eyJ", "a-", "a.", "bearer ", "basic aaaaaaaa ", '\\"secret\\":\\"', '"secret":"', "://a", "a://"]
)
def test_a_hostile_body_is_searched_in_no_time(piece: str) -> None:
    body = piece * (600_000 // len(piece))
    redactor = Redactor(frozenset({CANARY}))
    assert redactor.text(body) is not None
    assert len(redactor.chunks((Chunk(0.0, body.encode()),))[0].data) == len(body)


async def test_what_only_resembles_a_secret_stays() -> None:
    body = json.dumps(
        {"input": "use sk-learn-estimators and basic understanding", "max_output_tokens": 5, "key": "C major"}
    )
    recorder = RecordingTransport(httpx2.MockTransport(echo))
    async with httpx2.AsyncClient(transport=recorder) as client:
        await client.post("http://demo.invalid/v1/responses", content=body, headers={"authorization": "Bearer EMPTY"})
    (exchange,) = recorder.tape.exchanges
    assert exchange.request.body == body
    assert body.encode() in exchange.body


async def test_a_packed_answer_is_recorded_unpacked() -> None:
    packed = gzip.compress(f"data: {CANARY}\n\n".encode() * 50)

    async def answer(request: httpx2.Request) -> httpx2.Response:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(packed), 10):
                yield packed[start : start + 10]

        return httpx2.Response(200, headers={"content-encoding": "gzip"}, content=pieces())

    recorder = RecordingTransport(httpx2.MockTransport(answer))
    async with httpx2.AsyncClient(transport=recorder) as client:
        live = await client.get("http://demo.invalid/v1/x", headers={"authorization": f"Bearer {CANARY}"})
    (exchange,) = recorder.tape.exchanges
    assert exchange.body == live.content.replace(CANARY.encode(), b"*" * len(CANARY))
    replay = ReplayTransport(Cassette((exchange,)), math.inf)
    async with httpx2.AsyncClient(transport=replay) as client:
        assert (await client.get("http://x.invalid/v1/x")).content == exchange.body


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (httpx2.ConnectError("refused"), "ConnectError: refused"),
        (httpx2.ReadTimeout("slow"), "ReadTimeout: slow"),
    ],
)
async def test_a_failure_fails_again_in_the_same_way(raised: httpx2.TransportError, told: str) -> None:
    async def fail(request: httpx2.Request) -> httpx2.Response:
        raise raised

    recorder = RecordingTransport(httpx2.MockTransport(fail))
    async with httpx2.AsyncClient(transport=recorder) as client:
        with pytest.raises(type(raised), match=str(raised)):
            await client.get("http://demo.invalid/v1/models")
    (exchange,) = recorder.tape.exchanges
    assert (exchange.status, exchange.ending, exchange.error) == (None, "broken", told)
    async with httpx2.AsyncClient(transport=ReplayTransport(Cassette((exchange,)), math.inf)) as client:
        with pytest.raises(type(raised), match=str(raised)):
            await client.get("http://other.invalid/v1/models")


async def test_an_answer_that_died_dies_again_at_the_same_byte(clock: Clock) -> None:
    recorder = recording(clock)
    body = {"input": "KV cache? [[demo:dies]]", "stream": True}

    async def read(transport: httpx2.AsyncBaseTransport) -> bytes:
        seen = bytearray()
        async with httpx2.AsyncClient(transport=transport) as client:
            try:
                async with client.stream("POST", f"{URL}/responses", json=body) as response:
                    async for data in response.aiter_bytes():
                        seen.extend(data)
            except httpx2.RemoteProtocolError as error:
                seen.extend(str(error).encode())
        return bytes(seen)

    live = await read(recorder)
    assert live.endswith(b"(incomplete chunked read)")
    assert await read(ReplayTransport(Cassette(recorder.tape.exchanges), math.inf)) == live


async def test_an_answer_that_was_left_is_marked_cancelled(clock: Clock) -> None:
    recorder = recording(clock)
    async with (
        httpx2.AsyncClient(transport=recorder) as client,
        client.stream("POST", f"{URL}/responses", json={"input": "hello", "stream": True}) as response,
    ):
        await anext(response.aiter_bytes())
    (exchange,) = recorder.tape.exchanges
    assert (exchange.status, exchange.ending, len(exchange.chunks)) == (200, "cancelled", 1)


async def test_a_running_exchange_can_be_looked_at(clock: Clock) -> None:
    recorder = recording(clock)
    async with (
        httpx2.AsyncClient(transport=recorder) as client,
        client.stream("POST", f"{URL}/responses", json={"input": "hello", "stream": True}) as response,
    ):
        first = await anext(response.aiter_bytes())
        (exchange,) = recorder.tape.exchanges
    assert (exchange.ending, exchange.body) == ("open", first)


def test_a_tape_drops_the_oldest_when_it_is_full() -> None:
    tape = Tape(max_bytes=100)
    for number in range(5):
        tape.begin("POST", f"http://x/{number}", [], b"x" * 40).end("complete")
    assert [exchange.request.url for exchange in tape.exchanges] == ["http://x/3", "http://x/4"]


async def test_what_the_cassette_lacks_is_said(clock: Clock) -> None:
    recorder = recording(clock)
    await converse(recorder, "hello")
    async with httpx2.AsyncClient(transport=ReplayTransport(Cassette(recorder.tape.exchanges), math.inf)) as client:
        await client.post("http://x.invalid/v1/responses")
        second = await client.post("http://x.invalid/v1/responses")
        other = await client.get("http://x.invalid/health")
        models = [await client.get("http://x.invalid/v1/models") for _ in range(2)]
    told = "The cassette holds no further answer (it held 1) to POST /responses."
    assert (second.status_code, second.json()["error"]["message"]) == (404, told)
    assert (other.status_code, models[0].content) == (404, models[1].content)


async def test_a_cassette_without_models_names_those_it_was_asked_of() -> None:
    request = RecordedRequest("POST", "http://h/v1/responses", (), '{"model": "m"}')
    replay = ReplayTransport(Cassette((Exchange(request, 0.0),)), math.inf)
    async with httpx2.AsyncClient(transport=replay) as client:
        models = (await client.get("http://x.invalid/v1/models")).json()
    assert [model["id"] for model in models["data"]] == ["m"]


@pytest.mark.parametrize("speed", [0.0, -2.0, math.nan])
def test_a_replay_needs_a_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        ReplayTransport(Cassette(()), speed)


HEAD = '{"kind":"cassette","format":"vllm-tui cassette","version":1,"program":"","note":"","created_at":0}'
REQUEST = (
    '{"kind":"request","exchange":1,"started_at":0,"method":"GET","url":"http://h/v1/models","headers":[],"body":""}'
)
ANSWER = '{"kind":"answer","exchange":1,"at":0.1,"status":200,"headers":[]}'
CHUNK = '{"kind":"chunk","exchange":1,"at":0.2,"text":"x"}'
END = '{"kind":"end","exchange":1,"at":0.3,"ending":"complete","error":null}'


def test_the_smallest_whole_cassette_is_read() -> None:
    data = "\n".join((HEAD, REQUEST, ANSWER, CHUNK, END)).encode()
    request = RecordedRequest("GET", "http://h/v1/models", (), "")
    whole = Exchange(request, 0.0, 200, (), 0.1, (Chunk(0.2, b"x"),), "complete", 0.3, None)
    assert decode_cassette(data) == Cassette((whole,))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([HEAD, REQUEST, ANSWER, CHUNK], "line 4: the file is cut: exchange 1 has no end"),
        ([HEAD, REQUEST[:40]], "line 2: this is no JSON"),
        ([HEAD, "[1]"], "line 2: this is no JSON object"),
        ([HEAD, "[" * 100_000], "line 2: this is no JSON"),
        ([HEAD, ANSWER], "line 2: `kind` should be 'request'"),
        ([HEAD, REQUEST.replace('"exchange":1', '"exchange":2')], "line 2: `exchange` should be 1"),
        ([HEAD, REQUEST.replace("http://h", "file:///etc")], "line 2: `url` is no http address"),
        ([HEAD, REQUEST.replace("GET", "BREW")], "line 2: `method` is unknown"),
        (
            [HEAD, REQUEST.replace('"headers":[]', '"headers":[["a","b\\r\\nc: d"]]')],
            "line 2: `headers` holds what is no",
        ),
        ([HEAD, REQUEST.replace('"headers":[]', '"headers":{"a":1}')], "line 2: `headers` is no list of pairs"),
        ([HEAD, REQUEST, ANSWER.replace("200", "99")], "line 3: `status` is no whole number from 100 to 599"),
        ([HEAD, REQUEST, ANSWER.replace("0.1", "NaN")], "line 3: `at` is no time in seconds"),
        ([HEAD, REQUEST, ANSWER.replace("0.1", "-1")], "line 3: `at` is no time in seconds"),
        ([HEAD, REQUEST, ANSWER.replace("0.1", "1" + "0" * 400)], "line 3: `at` is no time in seconds"),
        ([HEAD, REQUEST, ANSWER, CHUNK.replace('"text":"x"', '"base64":"%"')], "line 4: `base64` can't be decoded"),
        ([HEAD, REQUEST, ANSWER, CHUNK, CHUNK.replace("0.2", "0.1")], "line 5: `at` goes back in time"),
        ([HEAD, REQUEST, ANSWER, CHUNK, END.replace("complete", "happy")], "line 5: `ending` is none of"),
        ([HEAD, REQUEST, CHUNK], "line 3: `kind` should be 'answer'"),
    ],
)
def test_a_damaged_cassette_is_refused_with_its_line(lines: list[str], problem: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_cassette("\n".join(lines).encode(), "talk.cassette")
    assert caught.value.message.startswith(f"talk.cassette, {problem}")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("data", "kind", "problem"),
    [
        (b"", ConfigurationError, "talk is no cassette of this program"),
        (b'{"hello": 1}', ProtocolError, "talk, line 1: `kind` is no text"),
        (b"\x00\xff\xfe binary", ProtocolError, "talk, line 1: this is no JSON"),
        (
            HEAD.replace('"version":1', '"version":2').encode(),
            ConfigurationError,
            "talk has version 2; this program reads",
        ),
    ],
)
def test_another_file_is_refused(data: bytes, kind: type[VLLMError], problem: str) -> None:
    with pytest.raises(kind) as caught:
        decode_cassette(data, "talk")
    assert caught.value.message.startswith(problem)


def test_a_cassette_that_is_too_large_or_missing_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.cassette"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(ConfigurationError, match="is larger than 0 MiB"):
        read_cassette(path, max_bytes=1000)
    with pytest.raises(ConfigurationError, match="can't be read: No such file or directory"):
        read_cassette(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        read_cassette(tmp_path)
