"""The options table holds what the product promises, refuses what it must, and costs nothing to load."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.provider.config import DEFAULT_OUTPUT_CEILING, ENVIRONMENT, ProviderConfig
from vllm_tui.settings.kinds import allowed_values, check_value, format_value, parse_text, shown_value
from vllm_tui.settings.options import BY_NAME, GROUPS, OPTIONS, option_named
from vllm_tui.settings.table import END, START, options_markdown

PROMISED = r"""
base_url string (required) vLLM server URL
default_model string openai/gpt-oss-20b Model name from vLLM
max_tokens int 4096 Maximum output tokens
temperature float null Sampling temperature; null = not sent (some models don't support it)
reasoning string null Reasoning effort: minimal\|low\|medium\|high; null = not sent
reasoning_summary string detailed Summary verbosity: auto\|concise\|detailed
truncation string auto Automatic context management
enable_state boolean false Enable stateful conversations (requires vLLM config)
timeout float 600.0 API timeout (seconds)
priority int 100 Provider priority for selection
debug boolean false Enable standard debug events
raw_debug boolean false Enable ultra-verbose raw API I/O logging
debug_truncate_length int 180 Max string length in debug logs
max_retries int 5 Retry attempts before failing
retry_jitter float 0.2 Randomness in retry delays (0.0-1.0)
min_retry_delay float 1.0 Minimum delay between retries
max_retry_delay float 60.0 Maximum delay between retries
""".strip().splitlines()
KINDS = {
    "string": {"text", "url", "choice"},
    "int": {"integer"},
    "float": {"number"},
    "boolean": {"switch"},
}
LATER = (
    "api_key api_key_command context_window max_output_tokens stream_idle_timeout use_streaming max_continuations"
    " resume top_p top_k min_p seed stop repetition_penalty presence_penalty frequency_penalty chat_template_kwargs"
    " include_reasoning text_format top_logprobs cache_salt extra_body instructions theme reasoning_display"
    " update_rate mouse data_folder retention_days vocab_download sidebar max_tool_rounds slow_link"
)
VLLM_OWN = (
    "VLLM_HOST_IP VLLM_PORT VLLM_LOGGING_LEVEL VLLM_USE_V1 VLLM_CONFIG_ROOT VLLM_CACHE_ROOT VLLM_NO_USAGE_STATS"
    " VLLM_ENABLE_RESPONSES_API_STORE VLLM_PLUGINS VLLM_SERVER_DEV_MODE VLLM_TARGET_DEVICE VLLM_TRACE_FUNCTION"
    " VLLM_DEBUG_WORKSPACE VLLM_MAX_STOP_STRINGS VLLM_MEDIA_CACHE VLLM_MLA_DISABLE"
)


@pytest.mark.parametrize("line", PROMISED, ids=lambda line: line.split()[0])
def test_promised_options_have_the_promised_name_type_and_default(line: str) -> None:
    name, kind, default, *_ = line.split()
    option = option_named(name)
    assert option.kind in KINDS[kind]
    expected = "http://localhost:8000/v1" if default == "(required)" else default
    assert format_value(option.default) == expected


@pytest.mark.parametrize("name", LATER.split())
def test_later_options_are_in_the_table(name: str) -> None:
    assert option_named(name).name == name


def test_named_variables_keep_their_names() -> None:
    assert {name: option_named(name).environment for name in ENVIRONMENT} == ENVIRONMENT


def test_every_option_belongs_to_the_provider_or_to_the_program() -> None:
    ours = {option.name for option in OPTIONS if not option.local}
    assert ours == set(ProviderConfig.model_fields)


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if not option.local])
def test_defaults_equal_those_of_the_provider(name: str) -> None:
    default = ProviderConfig.model_fields[name].default
    if name == "max_output_tokens" and default is None:
        default = DEFAULT_OUTPUT_CEILING
    assert option_named(name).default == default


def test_names_flags_and_variables_are_used_once() -> None:
    names = Counter(option.name for option in OPTIONS)
    flags = Counter(option.flag_name for option in OPTIONS if option.flag_name)
    variables = Counter(option.environment for option in OPTIONS)
    assert [name for counter in (names, flags, variables) for name, count in counter.items() if count > 1] == []


def test_variables_of_the_server_itself_mean_nothing_here() -> None:
    assert {option.environment for option in OPTIONS}.isdisjoint(VLLM_OWN.split())


def test_groups_stand_in_the_order_of_the_screen() -> None:
    assert GROUPS == (
        "Connection",
        "Model and sampling",
        "Reasoning",
        "Context and state",
        "Retries and timeouts",
        "Tools",
        "Debug",
        "Interface",
    )


def test_secrets_have_no_flag() -> None:
    assert [option.name for option in OPTIONS if option.flag_name is None] == ["api_key"]
    assert [option.name for option in OPTIONS if option.secret] == ["api_key"]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_each_default_is_allowed_and_each_help_is_a_sentence(option: object) -> None:
    known = next(item for item in OPTIONS if item is option)
    assert check_value(known, known.default) == known.default
    assert known.help.endswith(".")
    assert len(known.help) <= 80


@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        ("temperature", 0.0, {"temperature": 0.0}),
        ("temperature", None, None),
        ("reasoning", "medium", {"reasoning": {"effort": "medium"}}),
        ("max_tokens", 7, {"max_output_tokens": 7}),
        ("enable_state", False, {"store": False}),
        ("use_streaming", True, {"stream": True}),
        ("use_streaming", False, None),
        ("resume", False, None),
        ("text_format", {"type": "text"}, {"text": {"format": {"type": "text"}}}),
        ("stop", ("a", "b"), {"stop": ["a", "b"]}),
        ("extra_body", {"ignore_eos": True}, {"ignore_eos": True}),
        ("timeout", 5.0, None),
        ("theme", "dark", None),
    ],
)
def test_an_option_knows_what_is_sent(name: str, value: object, fragment: object) -> None:
    option = option_named(name)
    assert option.sent_as(check_value(option, value)) == fragment


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("temperature", -1, "Option temperature: -1 is not allowed. It takes a number, 0 or more, or null."),
        ("temperature", True, "Option temperature: true is not allowed. It takes a number, 0 or more, or null."),
        ("temperature", float("nan"), "Option temperature: NaN is not allowed. It takes a number, 0 or more, or null."),
        ("top_p", 0, "Option top_p: 0 is not allowed. It takes a number, above 0, up to 1, or null."),
        (
            "max_tokens",
            0,
            "Option max_tokens: 0 is not allowed. It takes a whole number of tokens, 1 or more.",
        ),
        ("max_tokens", 1.5, "Option max_tokens: 1.5 is not allowed. It takes a whole number of tokens, 1 or more."),
        ("max_tokens", None, "Option max_tokens: null is not allowed. It takes a whole number of tokens, 1 or more."),
        ("retry_jitter", 1.5, "Option retry_jitter: 1.5 is not allowed. It takes a number, 0 to 1."),
        ("truncation", "off", "Option truncation: off is not allowed. It takes one of auto, disabled."),
        ("debug", "yes", "Option debug: yes is not allowed. It takes true or false."),
        ("stop", [], "Option stop: [] is not allowed. It takes a list of texts, not empty, or null."),
        ("extra_body", [1], "Option extra_body: [1] is not allowed. It takes a table of JSON values, or null."),
        (
            "base_url",
            "localhost",
            "Option base_url: localhost is not allowed. It takes an http:// or https:// address.",
        ),
        ("base_url", "http://u:pw@", "Option base_url: http://u:••••••••@ is not allowed. It takes an http:// or"),
        ("base_url", "http://h:99999", "Option base_url: http://h:99999 is not allowed. Port out of range 0-65535."),
        ("default_model", " ", "Option default_model:   is not allowed. It takes text."),
        ("api_key", "two words", "Option api_key: •••••••• is not allowed. A key is printable ASCII without spaces"),
        ("theme", "pink\x1b[2J", "Option theme: pink␛[2J is not allowed. It takes one of dark, light, terminal."),
        ("seed", 2**63, "Option seed: 9223372036854775808 is not allowed. It does not fit into 64 bits. It takes a"),
        pytest.param("seed", 2**5000, "Option seed: a very large number is not allowed.", id="seed-huge"),
        ("extra_body", {"a": 2**63}, 'Option extra_body: {"a": 9223372036854775808} is not allowed.'),
    ],
)
def test_a_bad_value_is_refused_with_name_value_and_range(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_value(option_named(name), value)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0", 0.0),
        ("temperature", "null", None),
        ("reasoning", "none", "none"),
        ("debug", "On", True),
        ("debug", "0", False),
        ("max_tokens", " 12 ", 12),
        ("stop", "END", ("END",)),
        ("stop", '["a", "b"]', ("a", "b")),
        ("api_key_command", "pass show 'my key'", ("pass", "show", "my key")),
        ("extra_body", '{"a": [1, null]}', {"a": [1, None]}),
        ("default_model", "null", "null"),
        ("base_url", " http://[::1]:80/v1 ", "http://[::1]:80/v1"),
    ],
)
def test_text_is_read_by_the_kind_of_the_option(name: str, text: str, value: object) -> None:
    assert parse_text(option_named(name), text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("max_tokens", "many"), ("max_tokens", "9" * 5000), ("temperature", "inf"), ("debug", "maybe"), ("stop", "[1")],
)
def test_text_that_means_nothing_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^Option {name}: "):
        parse_text(option_named(name), text)


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match=r"There is no option temprature\. Did you mean temperature\?"):
        option_named("temprature")


def test_an_empty_key_counts_as_none() -> None:
    assert check_value(BY_NAME["api_key"], "") == "EMPTY"


def test_a_key_is_never_shown() -> None:
    assert shown_value(BY_NAME["api_key"], "sk-1") == "••••••••"


def test_allowed_values_of_a_choice_are_listed() -> None:
    assert allowed_values(BY_NAME["vocab_download"]) == "one of ask, always, never"


def test_the_table_loads_nothing_it_does_not_need() -> None:
    code = (
        "import sys, vllm_tui.settings.options\n"
        "print([n for n in ('pydantic', 'tomllib', 'tomli_w', 'yaml', 'platformdirs') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_readme_holds_the_table() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert readme.split(START)[1].split(END)[0].strip() == options_markdown().strip()
