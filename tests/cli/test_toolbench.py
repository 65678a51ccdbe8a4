"""`vllm-tui toolbench` and `ask --allow-tool`: what is offered, measured, printed, and the exit codes."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import pytest
from vllm_tui.cli import toolbench
from vllm_tui.cli.main import main
from vllm_tui.demo.transport import DemoTransport
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.provider.client import VLLMProvider
from vllm_tui.tools.bench import BenchRun, Rate, summarise
from vllm_tui.tools.tool import Tool

WEATHER = {
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("vllm_tui.demo.transport.DemoTransport", partial(DemoTransport, speed=float("inf")))
    monkeypatch.setattr("sys.stdin", None)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(WEATHER))
    return path


def test_efforts_take_turns_and_each_has_a_row(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["toolbench", str(spec), "--prompt", "What is the weather in Paris?", "-n", "1", "--effort", "low,medium",
         "--demo", "--json"]
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [row["effort"] for row in found["rows"]] == ["low", "medium"]
    assert [run["outcome"] for run in found["runs"]] == ["valid", "valid"]
    assert found["rows"][0]["called"]["interval"] == [pytest.approx(0.2065, abs=1e-4), 1.0]


def test_the_effort_reaches_the_server_and_the_tool_is_offered(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[ChatRequest] = []
    complete = VLLMProvider.complete

    async def spied(provider: VLLMProvider, request: ChatRequest) -> object:
        sent.append(request)
        return await complete(provider, request)

    monkeypatch.setattr(VLLMProvider, "complete", spied)
    args = ["toolbench", str(spec), "--prompt", "weather in Paris?", "-n", "1", "--demo", "--effort", "low"]
    assert main([*args, "--tool-choice", "get_weather"]) == 0
    assert sent[0].reasoning_effort == "low"
    assert [tool.name for tool in sent[0].tools] == ["get_weather"]
    assert sent[0].tool_choice == {"type": "function", "name": "get_weather"}


def test_every_run_is_written_to_a_file(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.csv"
    args = ["toolbench", str(spec), "--prompt", "weather in Paris?", "-n", "2", "--demo", "--csv", str(path)]
    assert main(args) == 0
    assert [row["outcome"] for row in csv.DictReader(path.read_text().splitlines())] == ["valid", "valid"]
    out, err = capsys.readouterr()
    assert "100 % (34–100)" in out
    assert err.startswith("2 requests to openai/gpt-oss-20b\n1/2 valid")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ('{"name": "a", "parameters": {"type": "array"}}', "can't be offered"),
        ("[]", "holds no tools"),
    ],
)
def test_a_bad_spec_is_told(tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert main(["toolbench", str(path), "--prompt", "x", "--demo"]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["-n", "0"], "-n must be from 1"),
        (["--expect", "nope"], "It has: get_weather"),
        (["--csv", "/nowhere/x"], "can't be written"),
    ],
)
def test_a_bad_command_line_is_told(
    spec: Path, extra: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["-n", "1"] if "-n" not in extra else []
    assert main(["toolbench", str(spec), "--prompt", "weather in Paris?", "--demo", *given, *extra]) == 2
    assert words in capsys.readouterr().err


def test_without_a_server_the_exit_code_is_that_of_ask(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = "http://127.0.0.1:9/v1"
    args = ["toolbench", str(spec), "--prompt", "x", "-n", "1", "--base-url", address, "--max-retries", "0"]
    assert main(args) == 6
    out, err = capsys.readouterr()
    assert "connection refused" in err
    assert "default  1     1" in out


def test_ending_early_shows_what_was_measured(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        measured = _[2]
        assert isinstance(measured, list)
        measured.append(BenchRun(None, 0, "valid", 1, 0.5))
        raise KeyboardInterrupt

    monkeypatch.setattr(toolbench, "_measure", interrupted)
    assert main(["toolbench", str(spec), "--prompt", "x", "-n", "4", "--demo"]) == 130
    out, err = capsys.readouterr()
    assert "ended early after 1 of 4 requests" in err
    assert "0.50 s" in out


def test_rates_are_written_with_their_interval() -> None:
    assert toolbench.share(Rate(8, 10)) == "80 % (49–94)"
    assert toolbench.share(Rate(0, 0)) == "–"
    assert "–" in toolbench.table(summarise([BenchRun(None, 0, "error", 0, 1.0)]))


def test_text_of_a_model_is_harmless_in_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    toolbench.Progress(1).show(BenchRun(None, 0, "no_call", 0, 1.0, detail="\x1b[2Jevil\x07"), 1)
    assert not set(capsys.readouterr().err) & set("\x1b\x07")


def test_ask_offers_only_the_tools_that_are_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["ask", "--demo", "--no-save", "--json", "What is the weather in Paris?"]
    assert main([*args, "--allow-tool", "get_weather"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["type"] for event in events if event["type"].startswith("tool_run")] == [
        "tool_run_started",
        "tool_run_finished",
    ]
    assert main(args) == 0
    assert "tool_run_started" not in capsys.readouterr().out


def test_ask_names_the_known_tools_when_one_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--demo", "--no-save", "x", "--allow-tool", "weather"]) == 2
    assert "Known tools: calculator, current_time, get_weather, stub." in capsys.readouterr().err


def test_ask_runs_a_tool_of_a_file_and_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps({**WEATHER, "command": ["python3", "-c", "raise SystemExit('no sky today')"]}))
    monkeypatch.setattr("vllm_tui.tools.registry.build_demo_weather", build_calculator_twin)
    args = ["ask", "--demo", "--no-save", "What is the weather in Paris?", "--tool-files", str(path)]
    assert main([*args, "--allow-tool", "get_weather"]) == 0
    assert "note: get_weather: The program failed (exit code 1). no sky today" in capsys.readouterr().err


def build_calculator_twin() -> Tool:
    """Stand in for the demo's weather, so that the name is free for the file."""
    return Tool(ToolSpec(name="twin"), "demo", None)
