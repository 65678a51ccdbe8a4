"""What a server says of single tokens is kept with the answer, within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vllm_tui.provider import token_facts
from vllm_tui.provider.token_facts import INPUT_MESSAGES, LOGPROBS, OUTPUT_MESSAGES, read_token_facts

RECORDINGS = Path(__file__).parent.parent / "recordings"


def final_of(name: str) -> dict[str, Any]:
    text = (RECORDINGS / name).read_text()
    if text.lstrip().startswith("{"):
        return dict(json.loads(text))
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    return dict(events[-1]["response"])


@pytest.mark.parametrize("kind", ["stream", "nostream"])
def test_log_probabilities_of_a_real_server_are_kept(kind: str) -> None:
    facts = read_token_facts(final_of(f"0.32.0/default/logprobs_{kind}.response.txt"))
    entries = facts[LOGPROBS]
    assert isinstance(entries, list)
    assert len(entries) == 4
    assert entries[0] == [
        "The",
        pytest.approx(-1.8095355),
        [["The", pytest.approx(-1.8095355)], ["L", pytest.approx(-1.9345355)]],
    ]


def test_raw_messages_of_a_real_server_are_kept() -> None:
    facts = read_token_facts(final_of("0.32.0/gpt-oss/response_messages_stream.response.txt"))
    assert (bool(facts[INPUT_MESSAGES]), bool(facts[OUTPUT_MESSAGES])) == (True, True)


def test_nothing_is_kept_where_nothing_was_said() -> None:
    assert read_token_facts({"output": [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}]}) == {}


@pytest.mark.parametrize("junk", [None, 3, "x", [1], {"a": 1}, [{"content": 5}], [{"content": [{"logprobs": [7]}]}]])
def test_junk_is_passed_over(junk: object) -> None:
    assert read_token_facts({"output": junk, "input_messages": junk if isinstance(junk, str) else None}) == {}  # type: ignore[dict-item]


def test_too_much_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_facts, "MAX_TOKENS", 2)
    monkeypatch.setattr(token_facts, "MAX_CHARACTERS", 10)
    part = {"type": "output_text", "text": "x", "logprobs": [{"token": "a", "logprob": -1.0}] * 5}
    final: dict[str, Any] = {"output": [{"content": [part]}], "output_messages": [{"text": "long enough"}]}
    assert read_token_facts(final) == {LOGPROBS: [["a", -1.0, []], ["a", -1.0, []]]}
