"""The one table of options: file, environment, flags, screen, help, README and validation all come from it."""

from __future__ import annotations

from difflib import get_close_matches

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.option import Group, Option
from vllm_tui.settings.sampling_options import MODEL_OPTIONS, REASONING_OPTIONS
from vllm_tui.settings.tool_options import TOOL_OPTIONS

_CONNECTION_GROUP: Group = "Connection"
_CONTEXT_GROUP: Group = "Context and state"
_RETRIES_GROUP: Group = "Retries and timeouts"
_DEBUG_GROUP: Group = "Debug"
_INTERFACE_GROUP: Group = "Interface"

_CONNECTION = (
    Option(
        "base_url",
        "url",
        "http://localhost:8000/v1",
        _CONNECTION_GROUP,
        "Address of the vLLM server, up to and with /v1.",
        reconnect=True,
    ),
    Option(
        "api_key",
        "text",
        "EMPTY",
        _CONNECTION_GROUP,
        "Key sent as a Bearer token; a server without --api-key takes any.",
        secret=True,
        reconnect=True,
    ),
    Option(
        "api_key_command",
        "list",
        None,
        _CONNECTION_GROUP,
        "Command whose first output line is the key; run without a shell.",
        command=True,
        local=True,
        reconnect=True,
    ),
    Option(
        "priority",
        "integer",
        100,
        _CONNECTION_GROUP,
        "Which profile is used when none is named; the lowest number wins.",
    ),
    Option(
        "use_streaming",
        "switch",
        True,
        _CONNECTION_GROUP,
        "Receive the answer while it is written, not as one reply.",
        sent="stream",
        sent_when_on=True,
    ),
)

_CONTEXT = (
    Option(
        "context_window",
        "integer",
        None,
        _CONTEXT_GROUP,
        "Context window to assume; the server's own limit is never exceeded.",
        low=1,
        unit="tokens",
    ),
    Option(
        "max_output_tokens",
        "integer",
        32768,
        _CONTEXT_GROUP,
        "Largest answer to announce for a model; max_tokens is what is asked for.",
        low=1,
        unit="tokens",
    ),
    Option(
        "truncation",
        "choice",
        "auto",
        _CONTEXT_GROUP,
        "auto leaves out the oldest turns that do not fit; disabled refuses.",
        choices=("auto", "disabled"),
        sent="truncation",
    ),
    Option(
        "enable_state",
        "switch",
        False,
        _CONTEXT_GROUP,
        "Keep conversations on the server and send only what is new.",
        sent="store",
    ),
    Option(
        "resume",
        "switch",
        False,
        _CONTEXT_GROUP,
        "With enable_state: go on with an answer after a lost connection.",
        sent="background",
        sent_when_on=True,
    ),
    Option(
        "max_continuations",
        "integer",
        0,
        _CONTEXT_GROUP,
        "How often a cut answer is continued by itself.",
        low=0,
        high=100,
    ),
    Option(
        "cache_salt",
        "text",
        None,
        _CONTEXT_GROUP,
        "Keeps this user's prompt cache apart from others'.",
        sent="cache_salt",
    ),
    Option(
        "vocab_download",
        "choice",
        "ask",
        _CONTEXT_GROUP,
        "Whether vocabulary files for token counts may be fetched.",
        choices=("ask", "always", "never"),
        local=True,
    ),
)

_RETRIES = (
    Option(
        "timeout",
        "number",
        600.0,
        _RETRIES_GROUP,
        "Longest time for one attempt, from connecting to the last token.",
        low=0,
        high=604_800,
        low_is_open=True,
        unit="seconds",
    ),
    Option(
        "stream_idle_timeout",
        "number",
        300.0,
        _RETRIES_GROUP,
        "Longest silence of a server while it streams.",
        low=0,
        high=604_800,
        low_is_open=True,
        unit="seconds",
    ),
    Option("max_retries", "integer", 5, _RETRIES_GROUP, "Attempts after the first one failed.", low=0, high=1000),
    Option(
        "min_retry_delay",
        "number",
        1.0,
        _RETRIES_GROUP,
        "Wait before the first retry; it doubles with each.",
        low=0,
        high=86_400,
        unit="seconds",
    ),
    Option(
        "max_retry_delay",
        "number",
        60.0,
        _RETRIES_GROUP,
        "Longest wait before a retry.",
        low=0,
        high=86_400,
        unit="seconds",
    ),
    Option(
        "retry_jitter",
        "number",
        0.2,
        _RETRIES_GROUP,
        "Random part of each wait; 0.2 means 20 % more or less.",
        low=0,
        high=1,
    ),
)

_DEBUG = (
    Option("debug", "switch", False, _DEBUG_GROUP, "Write requests, answers and retries as events to a log."),
    Option("raw_debug", "switch", False, _DEBUG_GROUP, "With debug: write whole requests and answers too."),
    Option(
        "debug_truncate_length",
        "integer",
        180,
        _DEBUG_GROUP,
        "Longest text in a debug event.",
        low=0,
        unit="characters",
    ),
)

_INTERFACE = (
    Option(
        "theme",
        "choice",
        "dark",
        _INTERFACE_GROUP,
        "Colours; terminal uses the 16 colours of the terminal.",
        choices=("dark", "light", "terminal"),
        local=True,
    ),
    Option(
        "reasoning_display",
        "choice",
        "collapse",
        _INTERFACE_GROUP,
        "Show reasoning, collapse it when the answer starts, or hide it.",
        choices=("show", "collapse", "hide"),
        local=True,
    ),
    Option(
        "sidebar",
        "switch",
        True,
        _INTERFACE_GROUP,
        "Show the numbers beside the conversation where there is room.",
        local=True,
    ),
    Option(
        "mouse",
        "switch",
        True,
        _INTERFACE_GROUP,
        "Take mouse clicks; off leaves selection to the terminal.",
        local=True,
        restart=True,
    ),
    Option(
        "update_rate",
        "integer",
        15,
        _INTERFACE_GROUP,
        "How often a running answer is repainted.",
        low=1,
        high=60,
        unit="times a second",
        local=True,
    ),
    Option(
        "slow_link",
        "switch",
        False,
        _INTERFACE_GROUP,
        "Repaint less, for a slow connection to this terminal.",
        local=True,
        restart=True,
    ),
    Option(
        "data_folder",
        "text",
        None,
        _INTERFACE_GROUP,
        "Folder of the conversations; null means the system's place.",
        local=True,
        restart=True,
    ),
    Option(
        "retention_days",
        "integer",
        None,
        _INTERFACE_GROUP,
        "Delete conversations untouched for this long; null keeps all.",
        low=1,
        high=36_500,
        unit="days",
        local=True,
        restart=True,
    ),
)

OPTIONS: tuple[Option, ...] = (
    *_CONNECTION,
    *MODEL_OPTIONS,
    *REASONING_OPTIONS,
    *_CONTEXT,
    *_RETRIES,
    *TOOL_OPTIONS,
    *_DEBUG,
    *_INTERFACE,
)
"""All options, in the order of screens, help and README."""

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
"""All options by name."""

GROUPS: tuple[Group, ...] = tuple(dict.fromkeys(option.group for option in OPTIONS))
"""The groups, in the order of screens, help and README."""


def option_named(name: str, where: str = "") -> Option:
    """Return the option called `name`; raises ConfigurationError with the nearest name and `where` it was found."""
    if name in BY_NAME:
        return BY_NAME[name]
    near = get_close_matches(name, BY_NAME, n=1, cutoff=0.6)
    raise ConfigurationError(
        f"There is no option {clean_line(name)}{where}.",
        hint=f"Did you mean {near[0]}?" if near else "`vllm-tui --help` lists all options.",
    )
