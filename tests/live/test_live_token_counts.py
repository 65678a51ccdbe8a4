"""Our counts against a running vLLM: gpt-oss rendered here, any other model through its own /tokenize."""

from __future__ import annotations

import json
import os
import random
import urllib.error
import urllib.request
from typing import Any

import pytest
from vllm_tui.accounting.chat_messages import tokenize_body
from vllm_tui.accounting.encoder import load_encoder
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.harmony_types import Exchange
from vllm_tui.accounting.vocabulary import O200K, read_from_package

URL = os.environ.get("VLLM_TUI_LIVE_URL", "").rstrip("/")
pytestmark = [pytest.mark.live, pytest.mark.skipif(not URL, reason="VLLM_TUI_LIVE_URL is not set")]
WORDS = [
    "the",
    "quick",
    "über",
    "日本語",
    "🎉",
    "foo_bar",
    '"q"',
    "\n\n",
    "# Tools",
    "<|start|>",
    "//",
    "tab\t",
    "12345",
]
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Look up.\nTwice.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where"}, "unit": {"type": "string", "enum": ["c"]}},
        "required": ["city"],
    },
}


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return dict(json.load(reply))


@pytest.fixture(scope="module")
def model() -> str:
    with urllib.request.urlopen(f"{URL}/models", timeout=10) as reply:
        return str(json.load(reply)["data"][0]["id"])


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> HarmonyRenderer:
    folder = tmp_path_factory.mktemp("vocab")
    (folder / O200K.file_name).write_bytes(read_from_package(O200K))
    return HarmonyRenderer(load_encoder(folder))


def a_request(chooser: random.Random, *, with_reasoning: bool) -> dict[str, Any]:
    def text() -> str:
        return " ".join(chooser.choices(WORDS, k=chooser.randint(1, 12)))

    items: list[dict[str, Any]] = [{"role": "user", "content": text()}]
    for number in range(chooser.randint(0, 3)):
        if with_reasoning and chooser.random() < 0.5:
            content = [{"type": "reasoning_text", "text": text()}]
            items.append({"type": "reasoning", "id": f"rs_{number}", "summary": [], "content": content})
        if chooser.random() < 0.4:
            call = {"call_id": f"call_{number}", "name": "get_weather", "arguments": '{"city": "Rome"}'}
            items.append({"type": "function_call", **call})
            items.append({"type": "function_call_output", "call_id": f"call_{number}", "output": text()})
        items += [{"role": "assistant", "content": text()}, {"role": "user", "content": text()}]
    body: dict[str, Any] = {"input": items, "max_output_tokens": 1, "temperature": 0}
    if chooser.random() < 0.5:
        body["instructions"] = text()
    if chooser.random() < 0.5:
        body["tools"] = [WEATHER]
    if chooser.random() < 0.5:
        body["reasoning"] = {"effort": chooser.choice(["low", "medium", "high"])}
    return body


@pytest.mark.parametrize("seed", range(12))
def test_the_input_count_is_that_of_the_running_server(seed: int, model: str, renderer: HarmonyRenderer) -> None:
    is_harmony = "gpt-oss" in model
    body = {**a_request(random.Random(seed), with_reasoning=is_harmony), "model": model}
    reported = post(f"{URL}/responses", body)["usage"]["input_tokens"]
    if is_harmony:
        assert renderer.render_request(body).count == reported
    else:
        counted = post(f"{URL.removesuffix('/v1')}/tokenize", dict(tokenize_body(body)))
        assert counted["count"] == reported


def test_an_earlier_response_is_counted_too(model: str, renderer: HarmonyRenderer) -> None:
    if "gpt-oss" not in model:
        pytest.skip("only Harmony is rendered here")
    first: dict[str, Any] = {
        "model": model,
        "input": "Weather? [[script:weather]]",
        "tools": [WEATHER],
        "max_output_tokens": 200,
    }
    answer = post(f"{URL}/responses", first)
    call = next((item for item in answer["output"] if item["type"] == "function_call"), None)
    if call is None:
        pytest.skip("this server follows no scripts")
    second = {
        "model": model,
        "previous_response_id": answer["id"],
        "input": [{"type": "function_call_output", "call_id": call["call_id"], "output": "21"}],
        "max_output_tokens": 1,
    }
    earlier = {answer["id"]: Exchange(first, tuple(answer["output"]))}
    try:
        reported = post(f"{URL}/responses", second)["usage"]["input_tokens"]
    except urllib.error.HTTPError:
        pytest.skip("this server stores no responses")
    assert renderer.render_request(second, None, earlier).count == reported


def test_the_answer_count_is_that_of_the_running_server(model: str, renderer: HarmonyRenderer) -> None:
    if "gpt-oss" not in model:
        pytest.skip("only Harmony is rendered here")
    answer = post(f"{URL}/responses", {"model": model, "input": "[[script:reason_text]]", "max_output_tokens": 200})
    if answer["status"] != "completed":
        pytest.skip("this server follows no scripts")
    counted = renderer.count_output(answer["output"])
    details = answer["usage"]["output_tokens_details"]
    assert (counted.total, counted.reasoning) == (answer["usage"]["output_tokens"], details["reasoning_tokens"])
