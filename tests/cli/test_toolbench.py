"""`vllm-tui toolbench`: what is written where, and the exit codes."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.test_ask import ScriptedProvider as Scripted
from vllm_tui.cli import toolbench
from vllm_tui.cli.main import main
from vllm_tui.cli.toolbench_table import progress_line, rate_text, table_lines
from vllm_tui.domain.blocks import TextBlock, ToolCallBlock
from vllm_tui.domain.errors import AuthenticationFailed, ConfigurationError, VLLMError
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.tool_bench import BenchRun, Rate, summarise
from vllm_tui.settings.layers import load_settings

SPEC = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
RIGHT = ChatResponse(content=(ToolCallBlock(id="1", name="get_weather", input={"city": "Paris"}),))
WRONG = ChatResponse(content=(ToolCallBlock(id="1", name="get_weather", input={"city": 5}),))
TEXT = ChatResponse(content=(TextBlock(text="Sunny\x1b[2J."),))
RunBench = Callable[..., int]


class Answers(Scripted):
    """Answers whole requests in turn, and raises what is an error."""

    def __init__(self, *answers: ChatResponse | VLLMError | type[BaseException]) -> None:
        super().__init__()
        self.answers = answers

    async def complete(self, request: ChatRequest) -> ChatResponse:
        answer = self.answers[len(self.requests) % len(self.answers)]
        self.requests.append(request)
        await asyncio.sleep(0)
        if isinstance(answer, ChatResponse):
            return answer
        raise answer


@pytest.fixture
def run_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunBench:
    (tmp_path / "tools.json").write_text(json.dumps([{**SPEC, "command": ["touch", str(tmp_path / "ran")]}]))

    def run(provider: Answers, *words: str, flags: dict[str, str] | None = None) -> int:
        monkeypatch.setattr("vllm_tui.wiring.parts.build_provider", lambda settings, **given: provider)
        parser = argparse.ArgumentParser()
        toolbench.add_arguments(parser)
        arguments = parser.parse_args([str(tmp_path / "tools.json"), "--prompt", "weather?", *words])
        return toolbench.run(arguments, load_settings({"default_model": "m", **(flags or {})}, {}, None))

    return run


def test_the_table_has_a_row_for_each_effort_and_nothing_runs(
    run_bench: RunBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = Answers(RIGHT, WRONG, RIGHT, TEXT)
    assert run_bench(provider, "-n", "2", "--effort", "low,high", flags={"tool_choice": "get_weather"}) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["effort", "low", "high"]
    assert "100 % [34–100]" in out.splitlines()[1]
    assert "city: must be a string" in out or "city" in out
    assert "\x1b" not in out + err
    assert "4 requests to m" in err
    assert [request.reasoning_effort for request in provider.requests] == ["low", "high", "low", "high"]
    assert provider.requests[0].tool_choice == {"type": "function", "name": "get_weather"}
    assert not (tmp_path / "ran").exists()


def test_json_and_csv_hold_every_run(run_bench: RunBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench(Answers(RIGHT, TEXT), "-n", "2", "--json", "--csv", str(tmp_path / "runs.csv")) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    found = json.loads(out)
    assert [run["outcome"] for run in found["runs"]] == ["valid", "no_call"]
    assert found["rows"][0]["called"]["total"] == 2
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["valid", "no_call"]


def test_ctrl_c_prints_what_was_measured(run_bench: RunBench, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench(Answers(RIGHT, RIGHT, KeyboardInterrupt), "-n", "9") == 130
    out, err = capsys.readouterr()
    assert "Stopped by Ctrl+C after 2 of 9 requests." in err
    assert out.splitlines()[1].split()[1] == "2"


def test_a_refused_key_has_its_exit_code(run_bench: RunBench, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench(Answers(AuthenticationFailed("The key was refused.")), "-n", "1") == 3
    assert "The key was refused." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--expect", "nix"), "nix is none of the offered tools"),
        (("-n", "0"), "number of runs"),
        (("--effort", "low,huge"), "no effort 'huge'"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_asked(
    run_bench: RunBench, words: tuple[str, ...], says: str
) -> None:
    provider = Answers(RIGHT)
    with pytest.raises(ConfigurationError, match=says):
        run_bench(provider, *words)
    assert provider.requests == []


def test_a_csv_that_can_not_be_written_is_told(run_bench: RunBench, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench(Answers(RIGHT), "-n", "1", "--csv", "/nowhere/runs.csv") == 10
    assert "can't be written" in capsys.readouterr().err


def test_a_missing_spec_ends_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toolbench", "/nowhere/tools.json", "--prompt", "x", "--effort", "low,high"]) == 2
    assert "can't be read" in capsys.readouterr().err


def test_bar_and_rates_say_how_far_it_is() -> None:
    runs = [BenchRun(None, 0, "valid", 1, 2.0), BenchRun(None, 1, "error", 0, 4.0)]
    assert progress_line(runs, 4) == "[###############...............] 2/4  1 valid, 0 not, 1 errors  about 6 s left"
    assert rate_text(Rate(0, 0)) == "—"
    assert table_lines(summarise(runs))[1].split()[0] == "default"
