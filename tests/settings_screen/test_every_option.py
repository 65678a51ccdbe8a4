"""Every option of the table is changed on the settings screen, and what it is for is seen to happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.settings_screen.recorded_backend import Recorded, recorded_chat
from vllm_tui.settings.layers import load_settings
from vllm_tui.settings.option import OptionValue
from vllm_tui.settings.options import BY_NAME, OPTIONS
from vllm_tui.ui.launch import SLOW_LINK_RATE, with_settings
from vllm_tui.ui.widgets.sidebar import Sidebar
from vllm_tui.wiring import parts
from vllm_tui.wiring.tools import build_sources

Check = Callable[[Recorded], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """A value, how it is typed, flags that must be given besides, and how its effect is seen (else in the body)."""

    value: OptionValue
    typed: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    seen: Check | None = None


async def host(run: Recorded) -> bool:
    await run.ask()
    return run.transport.sent[-1].host == "box"


async def key(run: Recorded) -> bool:
    await run.ask()
    return run.transport.sent[-1].key == "Bearer sk1"


async def priority(run: Recorded) -> bool:
    return (await run.backend._provider._ready()).priority == 7


async def window(run: Recorded) -> bool:
    await run.ask()
    return bool(run.body["max_output_tokens"] < 600)


async def ceiling(run: Recorded) -> bool:
    await run.chat.until(lambda: run.chat.screen.dialogue.models[0].max_output_tokens == 99)
    return True


async def continued(run: Recorded) -> bool:
    await run.ask("Explain quantisation. [[demo:cut]]")
    return len(run.transport.sent) == 2


async def timed_out(run: Recorded) -> bool:
    run.transport.delay = 5.0
    await run.ask()
    await run.chat.until(lambda: "timeout" in run.chat.rows)
    return run.chat.state == "failed"


async def idle(run: Recorded) -> bool:
    await run.ask("What does the KV cache cost? [[demo:stalls]]")
    await run.chat.until(lambda: "stream_idle_timeout" in run.chat.rows)
    return True


async def one_try(run: Recorded) -> bool:
    await run.ask("Is there a queue? [[demo:overloaded]]")
    return len(run.transport.sent) == 1 and run.chat.state == "failed"


async def first_wait(run: Recorded) -> bool:
    await run.ask("Is anybody there? [[demo:html]]")
    return run.waits[0] == 3.0


async def capped_wait(run: Recorded) -> bool:
    await run.ask("Is anybody there? [[demo:html]]")
    return max(run.waits) == 2.0 and len(run.waits) == 5


async def jittered(run: Recorded) -> bool:
    await run.ask("Is anybody there? [[demo:html]]")
    return run.waits[0] == 1.5


async def logged(run: Recorded) -> bool:
    await run.ask()
    return "llm:request" in log_text()


async def raw_logged(run: Recorded) -> bool:
    await run.ask("a raw question")
    return "a raw question" in log_text()


async def log_cut(run: Recorded) -> bool:
    await run.ask()
    return "[8 characters cut]" in log_text()


def log_text() -> str:
    path = parts.debug_log_of(load_settings({"debug": "true"}, {}, None))
    return path.read_text() if path is not None and path.exists() else ""


async def theme(run: Recorded) -> bool:
    return run.chat.app.theme == "light"


async def display(run: Recorded) -> bool:
    return run.chat.view.reasoning_mode == "hide"


async def sidebar(run: Recorded) -> bool:
    return not run.chat.screen.query_one(Sidebar).display


async def rate(run: Recorded) -> bool:
    return run.chat.view.rate == 7


async def no_tools(run: Recorded) -> bool:
    await run.ask("What time is it? Use a tool.")
    return run.body.get("tool_choice") == "none"


async def asked_for_all(run: Recorded) -> bool:
    tools = run.backend.tools
    return tools is not None and not tools.policy.runs_pure


async def call_limit(run: Recorded) -> bool:
    tools = run.backend.tools
    return tools is not None and tools.limits.seconds == 3.0


async def sources(run: Recorded) -> bool:
    """Whether the next start reads the tools from there."""
    config = build_sources(run.backend.settings, Path("data"), demo=True).config
    return (config.folder, config.files, config.python, [(one.name, one.command) for one in config.mcp]) in (
        ("logs", (), (), []),
        (None, ("tools.json",), (), []),
        (None, (), ("mine.py",), []),
        (None, (), (), [("a", ("b",))]),
    )


async def mouse_at_start(run: Recorded) -> bool:
    return run.backend.settings.is_on("mouse") is False


async def slow_at_start(run: Recorded) -> bool:
    return with_settings(run.chat.screen._launch, run.backend.settings).rate == SLOW_LINK_RATE


async def folder_at_start(run: Recorded) -> bool:
    return parts.data_folder_of(run.backend.settings) == Path("kept/here")


async def tidied(run: Recorded) -> bool:
    return run.backend.settings.integer_or_none("retention_days") == 3


async def vocabulary(run: Recorded) -> bool:
    return parts.build_vocabulary(run.backend.settings)._policy == run.backend.settings.text("vocab_download")


NO_JITTER = {"retry_jitter": "0"}
CASES: dict[str, Case] = {
    "base_url": Case("http://box/v1", "http://box/v1", seen=host),
    "api_key": Case("sk1", "sk1", seen=key),
    "api_key_command": Case(("echo", "sk1"), "echo sk1", seen=key),
    "priority": Case(7, "7", seen=priority),
    "use_streaming": Case(False, seen=lambda run: absent(run, "stream")),
    "default_model": Case("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
    "instructions": Case("Be brief", "Be brief"),
    "max_tokens": Case(77, "77"),
    "temperature": Case(0.0, "0"),
    "top_p": Case(0.5, "0.5"),
    "top_k": Case(3, "3"),
    "min_p": Case(0.1, "0.1"),
    "seed": Case(5, "5"),
    "stop": Case(("END",), "END"),
    "repetition_penalty": Case(1.2, "1.2"),
    "presence_penalty": Case(-1.0, "-1"),
    "frequency_penalty": Case(0.5, "0.5"),
    "top_logprobs": Case(2, "2"),
    "text_format": Case({"type": "json_object"}, '{"type": "json_object"}'),
    "extra_body": Case({"a": 1}, '{"a": 1}'),
    "reasoning": Case("low", seen=lambda run: holds(run, {"reasoning": {"effort": "low", "summary": "detailed"}})),
    "reasoning_summary": Case("concise", given={"reasoning": "low"}),
    "include_reasoning": Case(False),
    "chat_template_kwargs": Case({"a": True}, '{"a": true}'),
    "context_window": Case(600, "600", seen=window),
    "max_output_tokens": Case(99, "99", seen=ceiling),
    "truncation": Case("disabled"),
    "enable_state": Case(True),
    "resume": Case(True, given={"enable_state": "true"}),
    "max_continuations": Case(1, "1", seen=continued),
    "cache_salt": Case("salt", "salt"),
    "vocab_download": Case("never", seen=vocabulary),
    "timeout": Case(0.3, "0.3", given={"max_retries": "0"}, seen=timed_out),
    "stream_idle_timeout": Case(0.3, "0.3", given={"max_retries": "0"}, seen=idle),
    "max_retries": Case(0, "0", seen=one_try),
    "min_retry_delay": Case(3.0, "3", given=NO_JITTER, seen=first_wait),
    "max_retry_delay": Case(2.0, "2", given=NO_JITTER, seen=capped_wait),
    "retry_jitter": Case(0.5, "0.5", given=NO_JITTER, seen=jittered),
    "tool_choice": Case("required", "required"),
    "tool_approval": Case("all", seen=asked_for_all),
    "tool_timeout": Case(3.0, "3", seen=call_limit),
    "max_tool_rounds": Case(0, "0", seen=no_tools),
    "tool_folder": Case("logs", "logs", seen=sources),
    "tool_files": Case(("tools.json",), "tools.json", seen=sources),
    "tool_modules": Case(("mine.py",), "mine.py", seen=sources),
    "mcp_servers": Case({"a": {"command": ["b"]}}, '{"a": {"command": ["b"]}}', seen=sources),
    "debug": Case(True, seen=logged),
    "raw_debug": Case(True, given={"debug": "true"}, seen=raw_logged),
    "debug_truncate_length": Case(10, "10", given={"debug": "true"}, seen=log_cut),
    "theme": Case("light", seen=theme),
    "reasoning_display": Case("hide", seen=display),
    "sidebar": Case(False, seen=sidebar),
    "mouse": Case(False, seen=mouse_at_start),
    "update_rate": Case(7, "7", seen=rate),
    "slow_link": Case(True, seen=slow_at_start),
    "data_folder": Case("kept/here", "kept/here", seen=folder_at_start),
    "retention_days": Case(3, "3", seen=tidied),
}


async def holds(run: Recorded, fragment: dict[str, Any]) -> bool:
    await run.ask()
    return all(run.body.get(name) == value for name, value in fragment.items())


async def absent(run: Recorded, name: str) -> bool:
    await run.ask()
    return name not in run.body


async def in_the_body(run: Recorded, name: str, value: OptionValue) -> bool:
    """Return whether the request holds what the screen says is sent."""
    await run.ask()
    fragment = BY_NAME[name].sent_as(value)
    assert fragment is not None
    return any(is_within(fragment, sent.body) for sent in run.transport.sent)


def is_within(part: object, whole: object) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_within(entry, whole[key]) for key, entry in part.items())
    return part == whole


def test_no_option_is_left_out() -> None:
    assert list(CASES) == [option.name for option in OPTIONS]


@pytest.mark.parametrize("name", CASES)
async def test_an_option_changed_on_the_screen_has_its_effect(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TIKTOKEN_ENCODINGS_BASE", str(tmp_path / "vocabulary"))
    case = CASES[name]
    async with recorded_chat(load_settings(dict(case.given), {}, None), tmp_path, monkeypatch) as run:
        assert run.backend.settings.value(name) != case.value
        await run.change(name, case.value, case.typed)
        assert run.backend.settings.origin(name).layer == "session"
        assert await (case.seen(run) if case.seen else in_the_body(run, name, case.value))
