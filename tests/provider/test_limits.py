import json
import logging
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ProtocolError
from vllm_tui.domain.response import ModelInfo
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.limits import Limits, models_from

RECORDED = Path(__file__).parent.parent / "recordings/0.32.0/default/models.response.txt"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_CONTEXT_WINDOW", raising=False)
    monkeypatch.delenv("VLLM_MAX_OUTPUT_TOKENS", raising=False)


def cards(*entries: JsonValue) -> JsonObject:
    return {"object": "list", "data": list(entries)}


@pytest.mark.parametrize(
    ("card", "options", "window", "output"),
    [
        ({"max_model_len": 131072}, {}, 131072, 32768),
        ({"max_model_len": 8192, "max_output_tokens": 8192}, {}, 8192, 4096),
        ({"max_input_tokens": 262144, "max_output_tokens": 8192}, {}, 262144, 8192),
        ({}, {}, 128000, 32768),
        ({"max_model_len": 8192}, {"context_window": 200000}, 8192, 4096),
        ({"max_model_len": 131072}, {"context_window": 16384}, 16384, 8192),
        ({}, {"context_window": 200000, "max_output_tokens": 50000}, 200000, 50000),
        ({"max_model_len": 1}, {}, 1, 1),
    ],
)
def test_window_and_output_follow_card_and_configuration(
    card: JsonObject, options: dict[str, int], window: int, output: int
) -> None:
    limits = Limits(ProviderConfig(**options))
    models = models_from(cards({"id": "m", **card}))
    limits.learn(models)
    shown = limits.with_limits(models[0])
    assert (limits.window("m"), limits.output_ceiling("m")) == (window, output)
    assert (shown.context_window, shown.max_output_tokens) == (window, output)
    assert limits.with_limits(shown) == shown


def test_a_window_is_known_only_when_configured_or_discovered() -> None:
    limits = Limits(ProviderConfig())
    limits.learn(models_from(cards({"id": "m", "max_model_len": 2048}, {"id": "silent"})))
    assert [limits.known_window(name) for name in ("m", "silent", "unseen")] == [2048, None, None]
    assert Limits(ProviderConfig(context_window=99)).known_window("unseen") == 99


def test_a_configured_window_is_named_as_the_source() -> None:
    model = models_from(cards({"id": "m", "max_model_len": 2048}))[0]
    sources = [
        Limits(ProviderConfig(context_window=size)).with_limits(model).context_window_source for size in (1024, 4096)
    ]
    assert sources == ["context_window", "max_model_len"]


@pytest.mark.parametrize(
    ("value", "window"),
    [
        ("4096", 4096),
        (" 4096 ", 4096),
        (4096.0, 4096),
        (0, None),
        ("0", None),
        (-1, None),
        (None, None),
        (True, None),
        (1.5, None),
        (float("inf"), None),
        (float("nan"), None),
        ("many", None),
        ("٤٠", None),
        ("9" * 5000, None),
        ([4096], None),
        ({"a": 1}, None),
    ],
)
def test_only_positive_whole_numbers_are_limits(value: JsonValue, window: int | None) -> None:
    alone, with_second = models_from(
        cards({"id": "a", "max_model_len": value}, {"id": "b", "max_model_len": value, "max_input_tokens": 7})
    )
    assert (alone.context_window, alone.context_window_source) == (window, "max_model_len" if window else None)
    assert (with_second.context_window, with_second.context_window_source) == (
        (window, "max_model_len") if window else (7, "max_input_tokens")
    )


def test_a_recorded_list_is_read() -> None:
    body = RECORDED.read_text()
    expected = ModelInfo(
        id="SmolLM2-135M-Instruct",
        display_name="SmolLM2-135M-Instruct",
        context_window=2048,
        context_window_source="max_model_len",
        capabilities=("tools", "streaming", "reasoning", "local"),
    )
    assert models_from(json.loads(body[body.index("{") :])) == (expected,)


def test_junk_entries_and_repeated_ones_are_skipped() -> None:
    found = models_from(cards(None, "m", 3, {}, {"id": 5}, {"id": " "}, {"id": "m"}, {"id": "m", "parent": "x"}), False)
    remote = ("tools", "streaming", "reasoning", "remote")
    assert found == (ModelInfo(id="m", display_name="m", capabilities=remote),)


def test_an_adapter_without_a_window_has_its_parent_s() -> None:
    base, adapter = models_from(
        cards({"id": "base", "max_model_len": 4096}, {"id": "lora", "parent": "base", "max_model_len": None})
    )
    assert adapter == base.model_copy(update={"id": "lora", "display_name": "lora", "parent": "base"})


@pytest.mark.parametrize("body", [None, "<html>", [], {}, {"data": None}, {"data": {}}, {"error": "Unauthorized"}])
def test_a_body_that_is_no_list_of_models_is_an_error(body: JsonValue) -> None:
    with pytest.raises(ProtocolError, match="no list of models"):
        models_from(body)


def test_the_source_is_told_once_per_change_and_a_large_configured_window_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "vllm_tui.provider")
    limits = Limits(ProviderConfig(context_window=9000))
    for size in (8192, 8192, 16384):
        limits.learn(models_from(cards({"id": "m", "max_model_len": size})))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "The context window of 'm' is 8192 tokens, from max_model_len."),
        (
            "WARNING",
            "The option context_window is 9000, but the server serves 'm' with 8192 tokens; 8192 is used.",
        ),
        ("INFO", "The context window of 'm' is 16384 tokens, from max_model_len."),
    ]
