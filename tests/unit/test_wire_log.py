"""What crosses the wire is kept in bounds, shown without secrets, and can be taken away and played."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.socket_server import Reply, socket_server
from tests.support.wire_answers import JSON_HEADERS
from tests.support.wire_box import JSON, URL, WireBox, recorded
from vllm_tui.cassette.cassette import decode_cassette
from vllm_tui.cassette.exchange import RecordedRequest
from vllm_tui.cassette.repeat import Repeat, changed
from vllm_tui.cassette.session import read_session
from vllm_tui.cassette.tape import Tape
from vllm_tui.cassette.timeline import read_timeline
from vllm_tui.domain.errors import ConfigurationError, StorageError
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.wire import WireEnd, WireEvent, WireRequest
from vllm_tui.ui.wire.files import keep_taken
from vllm_tui.wiring import wire_log
from vllm_tui.wiring.wire_parts import repeat


def test_every_attempt_is_an_exchange_of_its_turn() -> None:
    box = WireBox()
    box.log.about = "turn-1"
    box.refusal(503, "busy")
    box.refusal(503, "busy", attempt=2)
    box.stream()
    first, second, third = box.log.exchanges()
    assert [entry.about for entry in (first, second, third)] == ["turn-1"] * 3
    assert [(entry.status, entry.attempt, entry.ending) for entry in (first, second, third)] == [
        (503, 1, "complete"),
        (503, 2, "complete"),
        (200, 1, "complete"),
    ]
    assert first.error == "busy"
    assert third.events == len(recorded())
    assert json.loads(box.log.answer(1).body)["error"]["code"] == 503


def test_an_answer_that_still_comes_grows_and_only_new_events_are_read() -> None:
    box = WireBox()
    box.request({"input": "hi"})
    assert (box.log.exchanges()[0].status, box.log.exchanges()[0].ending) == (None, "open")
    box.answer()
    events = recorded()
    for name, data in events[:5]:
        box.event(name, data)
    assert [row.number for row in box.log.events(1)] == [0, 1, 2, 3, 4]
    for name, data in events[5:]:
        box.event(name, data)
    box.end()
    rows = box.log.events(1)
    assert [row.type for row in rows] == [json.loads(data)["type"] for _, data in events]
    assert rows[0].since_last == pytest.approx(0.01)
    assert all(row.flags == () for row in rows)


def test_rows_are_those_of_the_timeline_of_the_saved_cassette() -> None:
    box = WireBox()
    box.stream()
    exchange = decode_cassette(box.log.cassette(1).encode()).exchanges[0]
    timeline = read_timeline(exchange)
    rows = box.log.events(1)
    assert [(row.type, row.flags) for row in rows] == [(event.type, event.flags) for event in timeline.events]
    assert [row.at for row in rows] == pytest.approx([event.at for event in timeline.events])
    assert exchange.ending == "complete"


def test_what_is_odd_is_told_in_words() -> None:
    box = WireBox()
    opened = b'{"type": "response.output_item.added", "item": {"id": "a"}, "output_index": 0}'
    events = [
        ("", b"{broken"),
        ("x", b'{"type": "response.brand_new"}'),
        ("", opened),
        ("", b'{"type": "response.completed", "response": {}}'),
    ]
    box.stream(events=events)
    rows = box.log.events(1)
    assert "not JSON" in rows[0].flags
    assert set(rows[1].flags) == {"unknown type", "name and type differ"}
    assert rows[2].flags == ("never closed",)


def test_a_long_silence_is_a_gap() -> None:
    box = WireBox()
    box.request({"input": "hi"})
    box.answer()
    for after in (0.01, 0.01, 0.01, 3.0, 0.01):
        box.event("", b'{"type": "response.in_progress"}', after)
    assert [row.is_gap for row in box.log.events(1)] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("error", "ending"), [(None, "complete"), ("closed by this side", "cancelled"), ("The answer broke off.", "broken")]
)
def test_how_a_stream_ended_is_kept(error: str | None, ending: str) -> None:
    box = WireBox()
    box.request({"input": "hi"})
    box.answer()
    box.event("", b'{"type": "response.created"}')
    box.end(error)
    assert box.log.exchanges()[0].ending == ending
    assert decode_cassette(box.log.cassette().encode()).exchanges[0].ending == ending


def test_the_oldest_have_to_go_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_log, "MAX_BYTES", 5_000)
    box = WireBox()
    for _ in range(4):
        box.refusal(400, "x" * 2_000)
    assert [entry.number for entry in box.log.exchanges()] == [3, 4]
    assert box.log.dropped == 2
    with pytest.raises(ConfigurationError, match="not kept any more"):
        box.log.request(1)


def test_an_exchange_that_had_to_go_while_it_still_came_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_log, "MAX_BYTES", 5_000)
    monkeypatch.setattr(wire_log, "MAX_EXCHANGES", 2)
    log = WireBox().log
    for name in ("a", "b", "c"):
        log.on_wire(name, 1, WireRequest("POST", URL, (), b"{}", 0.0))
    for _ in range(10):
        log.on_wire("a", 1, WireEvent("", b"x" * 1_000, 0.0))
    log.on_wire("a", 1, WireEnd(None, 1.0))
    assert [entry.number for entry in log.exchanges()] == [2, 3]


def test_the_address_in_the_list_holds_no_password() -> None:
    log = WireBox().log
    log.on_wire("a", 1, WireRequest("POST", "http://me:hunter2secret@box/v1/responses", (), b"{}", 0.0))
    assert "hunter2secret" not in log.exchanges()[0].url


async def test_a_key_goes_to_no_other_server_when_a_request_is_sent_again() -> None:
    async def config() -> ProviderConfig:
        return ProviderConfig(base_url=f"{server.url}/v1", api_key="sk-of-the-new-server")

    async with socket_server(Reply((b"{}",), headers=JSON_HEADERS)) as server:
        port = server.url.rpartition(":")[2]
        for before in (f"http://localhost:{port}/v1/responses", "http://127.0.0.1:9/v1/responses"):
            with pytest.raises(ConfigurationError, match="another server"):
                await repeat(RecordedRequest("POST", before, (), "{}"), None, config, demo=False)
        assert not server.exchanges
        same = RecordedRequest("POST", f"{server.url}/v1/responses", (), "{}")
        assert (await repeat(same, None, config, demo=False)).status == 200
        assert server.exchanges[0].headers["authorization"] == "Bearer sk-of-the-new-server"


def test_a_flood_is_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_log, "MOST_EVENTS", 10)
    box = WireBox()
    box.stream(events=[("", b'{"type": "response.in_progress"}')] * 25)
    entry = box.log.exchanges()[0]
    assert (entry.events, entry.cut) == (10, 15)
    monkeypatch.setattr(wire_log, "MOST_OF_ONE", 100)
    box.stream(events=[("", b"x" * 60)] * 5)
    assert (box.log.exchanges()[1].events, box.log.exchanges()[1].cut) == (2, 3)


def test_no_secret_leaves_the_log() -> None:
    secret = "sk-verysecretkey-123456"
    box = WireBox([secret])
    box.request({"input": f"my key is {secret}", "api_key": "other-secret-value"})
    box.answer(401, (*JSON, ("set-cookie", "session=abc")))
    box.event("", json.dumps({"error": {"message": f"bad key {secret}"}}).encode())
    box.end(f"bad key {secret}")
    texts = [box.log.cassette(), box.log.bundle(), str(box.log.exchanges()), str(box.log.request(1))]
    texts += [str(box.log.answer(1)), *(box.log.take_away(1, form) for form in ("curl", "python", "json"))]
    for text in texts:
        assert secret not in text
        assert "other-secret-value" not in text
        assert "session=abc" not in text


def test_a_report_holds_the_newest_exchanges_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_log, "BUNDLE_BYTES", 5_000)
    box = WireBox()
    for number in range(4):
        box.refusal(400, f"{number}" * 2_000)
    text = box.log.bundle()
    assert text.startswith("# Report, http://gpu-box:8000/v1")
    assert "without 2 older exchanges" in text
    assert "3333" in text
    assert "1111" not in text
    played = text.partition("this line)\n")[2]
    assert len(decode_cassette(played.encode()).exchanges) == 2


async def test_a_request_is_sent_again_as_it_was_or_with_another_effort() -> None:
    box = WireBox()
    box.stream("How many?")
    number = await box.log.send_again(1)
    assert json.loads(box.again[0].body)["input"][0]["content"] == "How many?"
    entry = box.log.exchanges()[-1]
    assert (entry.number, entry.note, entry.status, entry.ending) == (number, "again 1", 200, "complete")
    assert json.loads(box.log.answer(number).body) == {"status": "completed"}
    await box.log.send_again(1, "low")
    assert json.loads(box.again[1].body)["reasoning"] == {"effort": "low"}
    assert box.log.exchanges()[-1].note == "again 1, effort low"


async def test_a_request_under_way_again_is_in_the_list_and_can_be_left() -> None:
    box = WireBox()
    box.stream()
    box.held = asyncio.Event()
    task = asyncio.ensure_future(box.log.send_again(1))
    await asyncio.sleep(0)
    assert box.log.exchanges()[-1].ending == "open"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert box.log.exchanges()[-1].ending == "cancelled"


def test_a_changed_request_goes_to_the_other_server_with_its_model() -> None:
    request = RecordedRequest("POST", URL, (), '{"model": "a", "reasoning": {"summary": "auto"}}')
    found = changed(request, effort="high", base_url="http://other/v1/", model="b")
    assert found.url == "http://other/v1/responses"
    assert json.loads(found.body) == {"model": "b", "reasoning": {"summary": "auto", "effort": "high"}}
    assert changed(RecordedRequest("POST", URL, (), "not json"), effort="low").body == "not json"


async def test_a_request_sent_again_reaches_a_server_with_the_key_and_failures_are_recorded() -> None:
    reply = Reply((b'{"ok": true}',), headers=JSON_HEADERS)
    async with socket_server(reply) as server:
        request = RecordedRequest("POST", f"{server.url}/v1/responses", (), '{"input": "é"}')
        take = await Repeat(request, "sk-abcdefgh", Tape()).run()
        assert server.exchanges[0].headers["authorization"] == "Bearer sk-abcdefgh"
        assert json.loads(server.exchanges[0].raw) == {"input": "é"}
    assert (take.status, take.ending) == (200, "complete")
    assert dict(take.developed().request.headers)["authorization"] == "[redacted]"
    gone = await Repeat(RecordedRequest("POST", "http://127.0.0.1:9/v1/responses", (), "{}"), "EMPTY", Tape()).run()
    assert gone.ending == "broken"
    assert "Connect" in (gone.error or "")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_the_curl_command_sends_the_same_body_from_a_shell() -> None:
    async with socket_server(Reply((b"{}",), headers=JSON_HEADERS)) as server:
        box = WireBox()
        body = {"input": 'it\'s "quoted" $HOME `x` é', "model": "m"}
        box.request(body)
        command = box.log.take_away(1, "curl").replace("http://gpu-box:8000", server.url)
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", command, env={"VLLM_API_KEY": "sk-shell", "PATH": "/usr/bin:/bin:/usr/local/bin"}
        )
        assert await shell.wait() == 0
        assert json.loads(server.exchanges[0].raw) == body
        assert server.exchanges[0].headers["authorization"] == "Bearer sk-shell"
    assert shlex.split(command.replace("\\\n", " "))[0] == "curl"


def test_questions_model_and_tools_are_read_from_a_cassette() -> None:
    box = WireBox()
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city": "Paris"}'}
    result = {"type": "function_call_output", "call_id": "c", "output": "sunny"}
    first = [{"role": "user", "content": [{"type": "input_text", "text": "weather?"}]}]
    tools = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]
    for body in (first, first, [*first, call, result], [*first, call, result, {"role": "user", "content": "more?"}]):
        box.request({"model": "m", "input": body, "tools": tools, "reasoning": {"effort": "low"}})
        box.answer()
        box.end()
    box.request(b"not json")
    box.request({"input": "as text"})
    session = read_session(decode_cassette(box.log.cassette().encode()))
    assert session.questions == ("weather?", "more?", "as text")
    assert (session.model, session.effort) == ("m", "low")
    assert [(one.name, one.output) for one in session.calls] == [("get_weather", "sunny")]
    assert len(session.tools) == 1


NAMES = st.sampled_from(["input", "role", "content", "tools", "type", "call_id", "name", "reasoning", "model"])
BODIES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(BODIES)
def test_no_body_of_a_request_breaks_the_reading_of_a_session(body: object) -> None:
    box = WireBox()
    box.request({"input": [{"role": "user", "content": "q"}, body], "tools": body, "reasoning": body})
    box.request(body)
    read_session(decode_cassette(box.log.cassette().encode()))


def test_files_are_private_new_and_never_written_over(tmp_path: Path) -> None:
    first, second = (keep_taken(tmp_path, "request", "sh", "curl") for _ in range(2))
    assert first != second
    assert first.read_text() == "curl"
    assert oct(first.stat().st_mode)[-3:] == "600"
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="Nothing was written"):
        keep_taken(tmp_path / "file", "request", "sh", "curl")
