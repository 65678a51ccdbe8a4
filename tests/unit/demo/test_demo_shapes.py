"""The demo's objects are those of recorded vLLM 0.32 servers, key by key and value by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vllm_tui.demo.ask import Ask, Model, read_ask
from vllm_tui.demo.calls import Call
from vllm_tui.demo.layout import Segment, final_output, lay_out
from vllm_tui.demo.objects import Head, Tally, models_object, response_object, usage_object
from vllm_tui.demo.refusals import Refused
from vllm_tui.demo.script import Reply
from vllm_tui.demo.stream import encode, stream_beats

RECORDINGS = Path(__file__).parents[2] / "recordings" / "0.32.0"
HARMONY = Model("gpt-oss-tiny", 4096, 50.0, is_harmony=True)
PLAIN = Model("SmolLM2-135M-Think", 2048, 50.0, is_harmony=False)
ID_FIELDS = ("id", "item_id", "call_id")


def request_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / f"{name}.request.json").read_text())
    return found


def response_of(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.response.txt").read_text())


def events_in(raw: str) -> list[dict[str, Any]]:
    blocks = [block.split("\n") for block in raw.split("\n\n") if block]
    assert all(lines[0].startswith("event: ") and lines[1].startswith("data: ") and len(lines) == 2 for lines in blocks)
    events = [json.loads(lines[1].removeprefix("data: ")) for lines in blocks]
    assert [lines[0].removeprefix("event: ") for lines in blocks] == [event["type"] for event in events]
    return events


def masked(value: Any) -> Any:
    """Blank what differs from run to run: the digits of ids."""
    if isinstance(value, list):
        return [masked(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: _mask_id(part) if key in ID_FIELDS else masked(part) for key, part in value.items()}


def _mask_id(text: Any) -> Any:
    head, _, tail = text.rpartition("-" if "-" in text else "_")
    assert len(tail) == 16
    return head


def joined(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbouring deltas, since tokenizers differ, and check that the numbers count from 0."""
    assert [event.pop("sequence_number") for event in events] == list(range(len(events)))
    found: list[dict[str, Any]] = []
    for event in map(masked, events):
        if found and event["type"].endswith(".delta") and found[-1]["type"] == event["type"]:
            found[-1]["delta"] += event["delta"]
        else:
            found.append(event)
    return found


def reply_from(output: list[dict[str, Any]], *, is_harmony: bool) -> Reply:
    """Return the reply a recorded output stands for."""
    thoughts = "".join(item["content"][0]["text"] for item in output if item["type"] == "reasoning")
    text = "".join(item["content"][0]["text"] for item in output if item["type"] == "message")
    calls = tuple(Call(item["name"], item["arguments"]) for item in output if item["type"] == "function_call")
    return Reply(thoughts if is_harmony else thoughts.removesuffix("\n"), text.removeprefix("\n\n"), calls)


def played(
    body: dict[str, Any], final: dict[str, Any], model: Model
) -> tuple[Head, tuple[Segment, ...], dict[str, Any]]:
    """Return what the demo makes of the recorded request when its model says what the recorded one said."""
    ask = Ask(body, model, ())
    head = Head(ask, "resp_0123456789abcdef", final["created_at"], final["max_output_tokens"])
    is_cut = final["status"] == "incomplete"
    segments = lay_out(reply_from(final["output"], is_harmony=model.is_harmony), 7, is_harmony=model.is_harmony)
    if is_cut:
        last = segments[-1]
        segments = (
            *segments[:-1],
            Segment(last.kind, last.tokens, last.lead, 0, last.item_id, last.name, last.call_id),
        )
    usage, details = final["usage"], final["usage"]["input_tokens_details"]
    tally = Tally(
        usage["input_tokens"],
        details["cached_tokens"],
        details["cache_write_tokens"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )
    is_streamed = body.get("stream") is True
    made = response_object(
        head,
        status=final["status"],
        output=final_output(segments, is_harmony=model.is_harmony, is_streamed=is_streamed, is_cut=is_cut),
        usage=usage_object(tally, is_harmony=model.is_harmony),
    )
    return head, segments, made


STREAMS = [
    ("think-tools-store/reason_text_stream", PLAIN),
    ("think-tools-store/tool_two_calls_stream", PLAIN),
    ("gpt-oss/reason_text_stream", HARMONY),
    ("gpt-oss/tool_two_calls_stream", HARMONY),
    ("gpt-oss/cut_in_text_stream", HARMONY),
]


@pytest.mark.parametrize(("name", "model"), STREAMS, ids=[name for name, _ in STREAMS])
def test_a_stream_is_the_recorded_one_but_for_ids_and_tokens(name: str, model: Model) -> None:
    recorded = events_in((RECORDINGS / f"{name}.response.txt").read_text())
    head, segments, final = played(request_of(name), recorded[-1]["response"], model)
    beats = list(stream_beats(response_object(head), segments, final, is_harmony=model.is_harmony))
    made = events_in(b"".join(encode(beat.event) for beat in beats).decode())
    assert joined(made) == joined(recorded)
    assert sum(beat.tokens for beat in beats) == sum(segment.cost for segment in segments)


WHOLES = [
    ("think-tools-store/reason_text_nostream", PLAIN),
    ("think-tools-store/tool_auto_call_only_nostream", PLAIN),
    ("gpt-oss/reason_text_nostream", HARMONY),
]


@pytest.mark.parametrize(("name", "model"), WHOLES, ids=[name for name, _ in WHOLES])
def test_an_unstreamed_response_is_the_recorded_one(name: str, model: Model) -> None:
    recorded = response_of(name)
    _, _, made = played(request_of(name), recorded, model)
    assert masked(made) == masked(recorded)


def test_metrics_have_the_recorded_keys() -> None:
    from vllm_tui.demo.objects import metrics_object

    recorded = response_of("serve-sh-apikey/plain_nostream")["metrics"]
    made = metrics_object(0.2, 1.0, 11)
    assert made.keys() == recorded.keys()
    assert made["tokens_per_second"] == pytest.approx(11 / 1.2)
    assert made["mean_itl_ms"] == pytest.approx(100.0)


def test_the_list_of_models_has_the_recorded_keys() -> None:
    recorded, made = response_of("default/models"), json.loads(json.dumps(models_object((PLAIN,), 5)))
    assert made.keys() == recorded.keys()
    assert made["data"][0].keys() == recorded["data"][0].keys()
    assert made["data"][0]["permission"][0].keys() == recorded["data"][0]["permission"][0].keys()


def refusal_of(body: dict[str, Any]) -> Any:
    with pytest.raises(Refused) as caught:
        read_ask(body, ())
    return caught.value.body


REFUSALS = ["tool_choice_required_no_tools", "temperature_3", "truncation_bogus"]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_request_gets_the_recorded_words(name: str) -> None:
    body = request_of(f"default/{name}") | {"model": "Qwen/Qwen3-8B"}
    assert refusal_of(body) == response_of(f"default/{name}")


def test_minimal_effort_is_refused_for_gpt_oss_in_the_recorded_words() -> None:
    body = request_of("gpt-oss/reason_effort_minimal") | {"model": "openai/gpt-oss-20b"}
    assert refusal_of(body) == response_of("gpt-oss/reason_effort_minimal")


def test_an_unknown_model_is_refused_in_the_recorded_words() -> None:
    recorded = response_of("default/unknown_model")
    recorded["error"]["message"] = recorded["error"]["message"].replace(
        "SmolLM2-135M-Instruct", "openai/gpt-oss-20b, Qwen/Qwen3-8B"
    )
    assert refusal_of(request_of("default/unknown_model")) == recorded


def test_too_many_output_tokens_are_refused_in_the_recorded_words() -> None:
    recorded = response_of("default/max_output_huge")
    recorded["error"]["message"] = recorded["error"]["message"].replace("2048", "32768")
    body = request_of("default/max_output_huge") | {"model": "Qwen/Qwen3-8B"}
    assert refusal_of(body) == recorded


def test_a_prompt_beyond_the_window_is_refused_in_the_recorded_words() -> None:
    from vllm_tui.demo.refusals import prompt_too_long

    recorded = response_of("gpt-oss/too_long_truncation_disabled_stream")
    assert prompt_too_long(4096, 8068, is_exact=True).body == recorded
