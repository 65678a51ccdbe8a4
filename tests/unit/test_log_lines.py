"""Log lines of the program go to the debug log while debug is on, and nowhere else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from vllm_tui.settings.layers import load_settings
from vllm_tui.wiring.logs import DebugLogHandler, keep_logs
from vllm_tui.wiring.parts import debug_log_of


def test_token_accounting_lines_are_in_the_debug_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    on, off = load_settings({"debug": "true", "api_key": "sk-canary"}, {}, None), load_settings({}, {}, None)
    keep_logs(on)
    logging.getLogger("vllm_tui.accounting.source").info("[TOKEN_ACCOUNTING] Loaded Harmony GPT-OSS encoder")
    logging.getLogger("vllm_tui.provider").warning("a key sk-canary")
    keep_logs(off)
    logging.getLogger("vllm_tui.provider").warning("not kept")
    path = debug_log_of(on)
    assert path is not None
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(event["name"], event["payload"]["message"]) for event in events] == [
        ("log", "[TOKEN_ACCOUNTING] Loaded Harmony GPT-OSS encoder"),
        ("log", "a key [REDACTED]"),
    ]
    assert not any(isinstance(item, DebugLogHandler) for item in logging.getLogger("vllm_tui").handlers)
