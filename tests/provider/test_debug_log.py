import json
import logging
import os
import stat
from pathlib import Path

import pytest
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider import debug_log
from vllm_tui.provider.debug_log import DebugLog
from vllm_tui.provider.observing import Reporter

CANARY = 'sk-canary"\\/é 7f3a'


def lines(path: Path) -> list[JsonObject]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def payloads(path: Path) -> list[JsonValue]:
    return [line["payload"] for line in lines(path)]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "debug.jsonl"


def test_an_event_is_one_private_json_line(path: Path) -> None:
    log = DebugLog(path, 180, raw=False, secrets=())
    log.emit("llm:request", {"model": "m", "count": 2, "text": "a\nb\ud800"})
    log.close()
    (line,) = lines(path)
    assert list(line) == ["time", "name", "payload"]
    assert str(line["time"]).endswith("+00:00")
    assert (line["name"], line["payload"]) == ("llm:request", {"model": "m", "count": 2, "text": "a\nb\ud800"})
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    DebugLog(path, 180, raw=False, secrets=()).emit("e", {})
    assert mode(path) == 0o600


def test_strings_are_cut_at_any_depth_and_say_by_how_much(path: Path) -> None:
    log = DebugLog(path, 4, raw=True, secrets=())
    payload: JsonObject = {"request_id": "req_123456", "a": ["abcdef", {"b": "abcde"}], "c": "abcd"}
    log.emit("llm:request", payload)
    log.emit("llm:request:raw", payload)
    cut: JsonObject = {
        "request_id": "req_123456",
        "a": ["abcd… [2 characters cut]", {"b": "abcd… [1 characters cut]"}],
        "c": "abcd",
    }
    assert payloads(path) == [cut, payload]


def test_raw_events_are_left_out_unless_asked_for(path: Path) -> None:
    log = DebugLog(path, 4, raw=False, secrets=())
    log.emit("llm:request:raw", {"a": "b"})
    assert not path.exists()


@pytest.mark.parametrize("name", ["llm:request", "llm:request:raw"])
@pytest.mark.parametrize("key", sorted(debug_log.SECRET_KEYS))
def test_values_under_secret_keys_are_never_written(path: Path, key: str, name: str) -> None:
    log = DebugLog(path, 180, raw=True, secrets=())
    log.emit(name, {key: "canary", "deep": [{key.upper(): {"x": "canary"}}], f"{key}_count": 3})
    assert payloads(path) == [
        {key: "[REDACTED]", "deep": [{key.upper(): "[REDACTED]"}], f"{key}_count": 3},
    ]


@pytest.mark.parametrize("name", ["llm:request", "llm:request:raw"])
def test_a_secret_is_never_written_wherever_it_stands(path: Path, name: str) -> None:
    log = DebugLog(path, 12, raw=True, secrets=["", "EMPTY", "sk-canary", CANARY])
    log.emit(
        name,
        {
            "plain": CANARY,
            "header": [f"Bearer {CANARY}"],
            "body": json.dumps({"note": CANARY}),
            "address": "http://h/?q=sk-canary%22%5C%2F%C3%A9%207f3a",
            CANARY: 1,
            "short": "sk-canary",
        },
    )
    text = path.read_text()
    assert "canary" not in text
    assert "7f3a" not in text
    assert lines(path)[0]["payload"]["plain"] == "[REDACTED]"  # type: ignore[index,call-overload]


def test_the_placeholder_key_is_no_secret(path: Path) -> None:
    DebugLog(path, 180, raw=False, secrets=["EMPTY"]).emit("e", {"text": "EMPTY"})
    assert payloads(path) == [{"text": "EMPTY"}]


def test_three_files_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_log, "FILE_BYTES", 250)
    log = DebugLog(path, 180, raw=False, secrets=())
    for number in range(5):
        log.emit("e", {"n": number, "text": "x" * 100})
    found = {file.name: payloads(file) for file in path.parent.iterdir()}
    assert {name: [entry["n"] for entry in entries] for name, entries in found.items()} == {  # type: ignore[index,call-overload]
        "debug.jsonl": [4],
        "debug.jsonl.1": [3],
        "debug.jsonl.2": [2],
    }
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}


def test_a_file_taken_away_is_begun_again(path: Path) -> None:
    log = DebugLog(path, 180, raw=False, secrets=())
    log.emit("e", {"n": 1})
    path.unlink()
    log.emit("e", {"n": 2})
    assert payloads(path) == [{"n": 2}]


def test_an_unwritable_place_is_logged_once_and_recovers(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.write_text("a file where the folder should be")
    log = DebugLog(path, 180, raw=False, secrets=())
    log.emit("e", {"n": 1})
    log.emit("e", {"n": 2})
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    path.parent.unlink()
    log.emit("e", {"n": 3})
    assert payloads(path) == [{"n": 3}]


def test_a_full_disk_tears_one_line_only(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = DebugLog(path, 180, raw=False, secrets=())
    real, room = os.write, [5]

    def write(file: int, data: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return real(file, data[: room.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        log.emit("e", {"n": 1})
        log.emit("e", {"n": 2})
    log.emit("e", {"n": 3})
    torn, last = path.read_text().splitlines()
    assert (torn, json.loads(last)["payload"]) == ('{"tim', {"n": 3})
    assert [record.getMessage() for record in caplog.records] == [
        f"The debug log {path} can't be written (No space left on device); events are lost."
    ]


def test_nothing_is_written_after_close(path: Path) -> None:
    log = DebugLog(path, 180, raw=False, secrets=())
    log.emit("e", {"n": 1})
    log.close()
    log.close()
    log.emit("e", {"n": 2})
    assert payloads(path) == [{"n": 1}]


class Collecting:
    def __init__(self) -> None:
        self.seen: list[tuple[str, JsonObject]] = []

    def emit(self, name: str, payload: JsonObject) -> None:
        self.seen.append((name, payload))


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def emit(self, name: str, payload: JsonObject) -> None:
        payload.clear()
        raise self.error


@pytest.mark.parametrize("error", [KeyError("canary"), OSError("canary"), TypeError("canary"), RuntimeError("canary")])
def test_a_failing_observer_hurts_nobody_and_is_named_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "vllm_tui.provider")
    collecting = Collecting()
    reporter = Reporter([Failing(error), collecting], "req_1")
    reporter.emit("llm:stream_block_start", name="find", block_index=0)
    reporter.emit("llm:response")
    joined: JsonObject = {"request_id": "req_1", "provider": "vllm"}
    assert collecting.seen == [
        ("llm:stream_block_start", {"name": "find", "block_index": 0, **joined}),
        ("llm:response", joined),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"The observer Failing failed on llm:stream_block_start ({type(error).__name__}); the answer goes on."
    ]
