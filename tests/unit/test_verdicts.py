"""What the server and the model make of a value is said only where they showed it."""

from __future__ import annotations

import pytest
from vllm_tui.domain.checks import Check, Probe, ServedModel
from vllm_tui.domain.response import ModelInfo
from vllm_tui.settings.layers import load_settings
from vllm_tui.ui.model_choice import Efforts
from vllm_tui.ui.options.verdicts import Known, Verdict, verdict

MODEL = ModelInfo(id="m", display_name="m", context_window=4096, context_window_source="max_model_len")
URL = "http://localhost:8000/v1"
FAILED = Check("connect", "fail", "localhost:8000 refuses connections")


def efforts() -> Efforts:
    found = Efforts()
    found.learn("m", ("low", "medium", "high"))
    return found


@pytest.mark.parametrize("name", ["base_url", "default_model", "reasoning", "context_window", "max_tokens", "theme"])
def test_nothing_is_said_of_what_nobody_showed(name: str) -> None:
    assert verdict(name, load_settings({}, {}, None), Known()) is None


@pytest.mark.parametrize(
    ("name", "value", "known", "expected"),
    [
        ("default_model", "m", Known((MODEL,), "m"), Verdict("This server serves it.")),
        ("default_model", "x", Known((MODEL,), "m"), Verdict("Not served here; m is used.", is_bad=True)),
        (
            "reasoning",
            "minimal",
            Known((MODEL,), "m", efforts()),
            Verdict("minimal: refused by this model; it takes low, medium, high.", is_bad=True),
        ),
        ("reasoning", "low", Known((MODEL,), "m", efforts()), Verdict("This model takes low, medium, high.")),
        (
            "context_window",
            "200000",
            Known((MODEL,), "m"),
            Verdict("The server says 4,096; 4,096 will be used.", is_bad=True),
        ),
        ("context_window", "null", Known((MODEL,), "m"), Verdict("The server says 4,096.")),
        (
            "max_tokens",
            "4096",
            Known((MODEL,), "m"),
            Verdict("The window of this model is 4,096: an answer gets what the prompt leaves.", is_bad=True),
        ),
        ("max_tokens", "100", Known((MODEL,), "m"), None),
        (
            "top_logprobs",
            "2",
            Known((), "openai/gpt-oss-20b"),
            Verdict("gpt-oss models are refused with it (status 400).", is_bad=True),
        ),
        (
            "enable_state",
            "true",
            Known(notices={"store_unavailable": "no"}),
            Verdict("This server keeps no responses; it needs VLLM_ENABLE_RESPONSES_API_STORE=1.", is_bad=True),
        ),
        (
            "use_streaming",
            "true",
            Known(notices={"streaming_unavailable": "no"}),
            Verdict("This server does not stream with this model; whole replies are used.", is_bad=True),
        ),
        (
            "base_url",
            URL,
            Known(probe=Probe(URL, (FAILED,))),
            Verdict("Tested: localhost:8000 refuses connections.", is_bad=True),
        ),
        (
            "base_url",
            URL,
            Known(probe=Probe(URL, (), "0.32.0", (ServedModel("m", 1),))),
            Verdict("Tested: vLLM 0.32.0, 1 model."),
        ),
        ("base_url", "http://other/v1", Known(probe=Probe(URL, ())), None),
    ],
)
def test_a_verdict_tells_what_was_shown(name: str, value: str, known: Known, expected: Verdict | None) -> None:
    assert verdict(name, load_settings({name: value}, {}, None), known) == expected
