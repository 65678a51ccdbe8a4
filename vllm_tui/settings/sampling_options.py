"""The rows of the options table that shape each request: the model, its sampling, its reasoning."""

from __future__ import annotations

from vllm_tui.settings.option import Group, Option

_MODEL_GROUP: Group = "Model and sampling"
_REASONING_GROUP: Group = "Reasoning"

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Efforts a vLLM server may take; which of them a model takes, only its server knows."""

MODEL_OPTIONS = (
    Option(
        "default_model",
        "text",
        "openai/gpt-oss-20b",
        _MODEL_GROUP,
        "Model to use, as the server names it.",
        sent="model",
        flag="--model",
    ),
    Option(
        "instructions",
        "text",
        None,
        _MODEL_GROUP,
        "System prompt of new conversations.",
        sent="instructions",
        local=True,
    ),
    Option(
        "max_tokens",
        "integer",
        4096,
        _MODEL_GROUP,
        "Most tokens of one answer, reasoning included.",
        low=1,
        unit="tokens",
        sent="max_output_tokens",
    ),
    Option(
        "temperature",
        "number",
        None,
        _MODEL_GROUP,
        "Randomness of sampling; 0 always takes the likeliest token.",
        low=0,
        sent="temperature",
    ),
    Option(
        "top_p",
        "number",
        None,
        _MODEL_GROUP,
        "Sample from the likeliest tokens that hold this share.",
        low=0,
        high=1,
        low_is_open=True,
        sent="top_p",
    ),
    Option(
        "top_k",
        "integer",
        None,
        _MODEL_GROUP,
        "Sample from this many tokens; 0 or -1 means all.",
        low=-1,
        unit="tokens",
        sent="top_k",
    ),
    Option(
        "min_p",
        "number",
        None,
        _MODEL_GROUP,
        "Leave out tokens less likely than this share of the likeliest.",
        low=0,
        high=1,
        sent="min_p",
    ),
    Option(
        "seed",
        "integer",
        None,
        _MODEL_GROUP,
        "Seed of the sampling, for answers that can be repeated.",
        sent="seed",
    ),
    Option("stop", "list", None, _MODEL_GROUP, "Texts that end the answer where they appear.", sent="stop"),
    Option(
        "repetition_penalty",
        "number",
        None,
        _MODEL_GROUP,
        "Above 1 makes tokens of prompt and answer less likely.",
        low=0,
        low_is_open=True,
        sent="repetition_penalty",
    ),
    Option(
        "presence_penalty",
        "number",
        None,
        _MODEL_GROUP,
        "Above 0 makes tokens that were used once less likely.",
        low=-2,
        high=2,
        sent="presence_penalty",
    ),
    Option(
        "frequency_penalty",
        "number",
        None,
        _MODEL_GROUP,
        "Above 0 makes tokens less likely each time they are used.",
        low=-2,
        high=2,
        sent="frequency_penalty",
    ),
    Option(
        "top_logprobs",
        "integer",
        None,
        _MODEL_GROUP,
        "How many likely tokens to report for each position.",
        low=0,
        high=20,
        unit="tokens",
        sent="top_logprobs",
    ),
    Option(
        "text_format", "mapping", None, _MODEL_GROUP, "Shape of the answer, such as a JSON schema.", sent="text.format"
    ),
    Option("extra_body", "mapping", None, _MODEL_GROUP, "More fields for the request, sent as they are.", sent="*"),
)
"""The model, its sampling and the shape of its answer."""

REASONING_OPTIONS = (
    Option(
        "reasoning",
        "choice",
        None,
        _REASONING_GROUP,
        "How hard the model thinks; none turns thinking off where it can.",
        choices=EFFORTS,
        sent="reasoning.effort",
        flag="--effort",
    ),
    Option(
        "reasoning_summary",
        "choice",
        "detailed",
        _REASONING_GROUP,
        "Wordiness of the reasoning summary; sent with an effort only.",
        choices=("auto", "concise", "detailed"),
        sent="reasoning.summary",
    ),
    Option(
        "include_reasoning",
        "switch",
        None,
        _REASONING_GROUP,
        "Whether the server sends the reasoning; it is made and counted anyway.",
        sent="include_reasoning",
    ),
    Option(
        "chat_template_kwargs",
        "mapping",
        None,
        _REASONING_GROUP,
        "Values for the model's chat template, such as enable_thinking.",
        sent="chat_template_kwargs",
    ),
)
"""How the model thinks and what is sent of it."""
