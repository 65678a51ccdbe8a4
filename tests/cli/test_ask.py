"""`vllm-tui ask`: what is written where, what is kept, and the exit codes."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest
from tests.support.socket_server import socket_server
from tests.support.wire_answers import json_reply, streamed, text_stream
from vllm_tui.cli import ask
from vllm_tui.cli.ask_output import JsonOutput, TextOutput
from vllm_tui.cli.event_json import event_line
from vllm_tui.domain import errors
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import ConfigurationError, ConnectionFailed, StreamInterrupted, VLLMError
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    ContinuationStarted,
    HistoryTrimmed,
    Notice,
    ResponseFinished,
    RetryScheduled,
    StreamEvent,
)
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.events import RequestStarted, ToolRunStarted, TurnEvent, TurnFinished
from vllm_tui.settings.layers import load_settings
from vllm_tui.store.conversations import ConversationStore

Step = StreamEvent | VLLMError
RunAsk = Callable[..., int]


class ScriptedProvider:
    """Plays the same steps for every request and serves the models it is given."""

    def __init__(self, *steps: Step, models: Sequence[str] = ("only-model",)) -> None:
        self.steps = steps
        self.models = models
        self.requests: list[ChatRequest] = []

    async def __aenter__(self) -> ScriptedProvider:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        self.requests.append(request)
        for step in self.steps:
            await asyncio.sleep(0)
            if isinstance(step, VLLMError):
                raise step
            yield step

    async def list_models(self) -> tuple[ModelInfo, ...]:
        return tuple(ModelInfo(id=name, display_name=name) for name in self.models)


def text_answer(text: str, **fields: str) -> list[Step]:
    response = ChatResponse.model_validate({"content": [{"type": "text", "text": text}], **fields})
    return [
        BlockStarted(0, "text"),
        BlockDelta(0, "text", text[:3]),
        BlockDelta(0, "text", text[3:]),
        BlockFinished(0, TextBlock(text=text)),
        ResponseFinished(response),
    ]


@pytest.fixture
def run_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunAsk:
    def run(provider: ScriptedProvider, *words: str, stdin: bytes = b"", flags: dict[str, str] | None = None) -> int:
        monkeypatch.setattr("vllm_tui.wiring.parts.build_provider", lambda settings, **given: provider)
        monkeypatch.setattr("vllm_tui.accounting.source.is_package_present", lambda: False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        parser = argparse.ArgumentParser()
        ask.add_arguments(parser)
        settings = load_settings({"data_folder": str(tmp_path / "data"), **(flags or {})}, {}, None)
        return ask.run(parser.parse_args(words), settings)

    return run


def kept(tmp_path: Path) -> tuple[Turn, ...]:
    async def load() -> tuple[Turn, ...]:
        async with ConversationStore(tmp_path / "data") as store:
            latest = await store.latest_conversation()
            return () if latest is None else await store.load_conversation(latest)

    return asyncio.run(load())


def test_the_answer_goes_to_standard_output_and_is_kept(
    run_ask: RunAsk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = ScriptedProvider(*text_answer("Hello there"))
    assert run_ask(provider, "Say", "hello", flags={"default_model": "m"}) == 0
    assert capsys.readouterr() == ("Hello there\n", "")
    (turn,) = kept(tmp_path)
    assert (turn.question.text, turn.model, turn.status, turn.messages[1].text) == (
        "Say hello",
        "m",
        "completed",
        "Hello there",
    )


def test_nothing_is_kept_with_no_save(run_ask: RunAsk, tmp_path: Path) -> None:
    assert run_ask(ScriptedProvider(*text_answer("Hello")), "Hi", "--no-save") == 0
    assert not (tmp_path / "data").exists()


def test_instructions_are_sent(run_ask: RunAsk) -> None:
    provider = ScriptedProvider(*text_answer("Hello"))
    run_ask(provider, "Hi", "--system", "Be brief.", "--no-save")
    assert [(message.role, message.text) for message in provider.requests[0].messages] == [
        ("system", "Be brief."),
        ("user", "Hi"),
    ]


@pytest.mark.parametrize(
    ("words", "piped", "question"),
    [
        (["Sum", "up"], b"one\ntwo\n", "Sum up\n\none\ntwo"),
        (["-"], b"only this", "only this"),
        (["Sum up", "-"], b"\r\nthis\r\n", "Sum up\n\nthis"),
        (["Hi"], b"", "Hi"),
        ([], "caf\u00e9".encode(), "caf\u00e9"),
    ],
)
def test_piped_text_stands_below_the_question(run_ask: RunAsk, words: list[str], piped: bytes, question: str) -> None:
    provider = ScriptedProvider(*text_answer("Hello"))
    run_ask(provider, *words, "--no-save", stdin=piped)
    assert provider.requests[0].messages[0].text == question


def test_piped_text_that_is_not_utf8_is_told(run_ask: RunAsk, capsys: pytest.CaptureFixture[str]) -> None:
    provider = ScriptedProvider(*text_answer("Hello"))
    run_ask(provider, "--no-save", stdin=b"caf\xe9")
    assert provider.requests[0].messages[0].text == "caf\ufffd"
    assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("piped", [b"", b"\n\n"])
def test_an_empty_question_is_an_error_with_the_next_step(run_ask: RunAsk, piped: bytes) -> None:
    with pytest.raises(ConfigurationError, match="There is no question"):
        run_ask(ScriptedProvider(), stdin=piped)


def test_the_only_served_model_is_used_when_none_was_chosen(
    run_ask: RunAsk, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = ScriptedProvider(*text_answer("Hello"), models=["small\x1bmodel"])
    assert run_ask(provider, "Hi", "--no-save") == 0
    assert provider.requests[0].model == "small\x1bmodel"
    assert capsys.readouterr().err == "note: the server serves small\u241bmodel, which is used.\n"


def test_several_served_models_are_named(run_ask: RunAsk) -> None:
    with pytest.raises(ConfigurationError, match=r"The server serves a, b\. Choose one with --model\."):
        run_ask(ScriptedProvider(models=["a", "b"]), "Hi", "--no-save")


@pytest.mark.parametrize(
    ("steps", "code", "out", "err"),
    [
        (
            text_answer("Hello", status="incomplete"),
            9,
            "Hello\n",
            "note: the answer was cut at the output limit; raise --max-tokens.\n",
        ),
        (
            [ConnectionFailed("No server at x.", hint="Start it.")],
            6,
            "",
            "error: No server at x. Start it.\n",
        ),
        (
            [*text_answer("Hello")[:2], StreamInterrupted("It broke off.")],
            8,
            "Hel\n",
            "error: It broke off.\n",
        ),
        (text_answer("Hello")[:2], 8, "Hel\n", ""),
    ],
)
def test_the_exit_code_says_how_it_ended(
    run_ask: RunAsk, capsys: pytest.CaptureFixture[str], steps: list[Step], code: int, out: str, err: str
) -> None:
    assert run_ask(ScriptedProvider(*steps), "Hi", flags={"default_model": "m"}) == code
    assert capsys.readouterr() == (out, err)


def test_every_kind_of_error_has_an_exit_code_that_the_help_names() -> None:
    found = {value.kind for value in vars(errors).values() if isinstance(value, type) and issubclass(value, VLLMError)}
    assert found - {"error"} == set(ask.EXIT_CODES)
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_arguments(parser)
    codes = {*ask.EXIT_CODES.values(), ask.TRUNCATED, ask.OTHER_FAILURE, ask.INTERRUPTED_BY_KEY, ask.TERMINATED}
    assert all(f"{code} " in parser.format_help() for code in codes)


def test_a_folder_that_can_not_be_used_is_an_error(
    run_ask: RunAsk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("in the way")
    provider = ScriptedProvider(*text_answer("Hello"))
    assert run_ask(provider, "Hi") == 10
    assert provider.requests == []
    assert "can't hold conversations: it is not a folder" in capsys.readouterr().err
    assert run_ask(provider, "Hi", "--json") == 10
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "storage"


def test_every_json_line_is_an_event_in_order(run_ask: RunAsk, capsys: pytest.CaptureFixture[str]) -> None:
    provider = ScriptedProvider(*text_answer("H\x1b\u00e9\ud800\x7f\u2028"))
    assert run_ask(provider, "Hi", "--json", flags={"default_model": "m"}) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x7f" not in out
    assert "\x1b" not in out
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["type"] for event in events] == [
        "turn_started",
        "request_started",
        "block_started",
        "block_delta",
        "block_delta",
        "block_finished",
        "response_finished",
        "turn_finished",
    ]
    assert events[3] == {"type": "block_delta", "index": 0, "kind": "text", "text": "H\x1b\u00e9"}
    assert events[5]["block"] == {"type": "text", "text": "H\x1b\u00e9\ud800\x7f\u2028"}
    assert events[-1]["turn"]["status"] == "completed"
    assert events[-1]["error"] is None


@pytest.mark.parametrize(
    ("event", "shape"),
    [
        (RequestStarted(2), {"type": "request_started", "round": 2, "continues": False}),
        (BlockFinished(1, None), {"type": "block_finished", "index": 1, "block": None}),
        (Notice("tool_limit", "Stop."), {"type": "notice", "code": "tool_limit", "message": "Stop."}),
        (
            RetryScheduled(1, 5, 2.5, ConnectionFailed("No.", hint="Wait.")),
            {
                "type": "retry_scheduled",
                "attempt": 1,
                "max_retries": 5,
                "delay": 2.5,
                "error": {
                    "kind": "connection",
                    "message": "No.",
                    "hint": "Wait.",
                    "detail": None,
                    "status": None,
                    "retryable": True,
                    "retry_after": None,
                },
            },
        ),
        (
            ToolRunStarted(ToolCallBlock(id="a", name="f", input={"x": [float("nan"), 1.5, True, None]})),
            {
                "type": "tool_run_started",
                "call": {
                    "type": "tool_call",
                    "id": "a",
                    "name": "f",
                    "input": {"x": ["nan", 1.5, True, None]},
                    "raw_arguments": None,
                    "problem": None,
                    "repairs": [],
                },
            },
        ),
    ],
)
def test_events_keep_their_json_shape(event: TurnEvent, shape: object) -> None:
    line = event_line(event)
    assert line.endswith("\n")
    assert json.loads(line) == shape


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(events: list[TurnEvent], *, terminal: bool = False, reasoning: bool = False) -> tuple[str, str]:
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    output = TextOutput(out, err, show_reasoning=reasoning)
    for event in events:
        output.show(event)
    return out.getvalue(), err.getvalue()


END = TurnFinished(
    Turn.model_validate({"id": "t", "conversation_id": "c", "question": {"role": "user", "content": ""}})
)


def test_a_terminal_gets_harmless_text_and_a_pipe_the_text_itself() -> None:
    events: list[TurnEvent] = [BlockDelta(0, "text", "a\x1b[31m\r"), BlockDelta(0, "text", "\nb\r"), END]
    assert written(events) == ("a\x1b[31m\r\nb\r\n", "")
    assert written(events, terminal=True) == ("a\u241b[31m\nb\u240d\n", "")


def test_reasoning_goes_to_standard_error_when_asked_for() -> None:
    events: list[TurnEvent] = [
        BlockStarted(0, "thinking"),
        BlockDelta(0, "thinking", "Hm"),
        BlockFinished(0, ThinkingBlock(thinking="Hmm")),
        BlockDelta(1, "text", "Yes"),
        END,
    ]
    assert written(events) == ("Yes\n", "")
    assert written(events, reasoning=True) == ("Yes\n", "[reasoning]\nHmm\n")


def test_an_answer_without_text_is_noted() -> None:
    ended = TurnFinished(END.turn.model_copy(update={"status": "completed"}))
    thought: list[TurnEvent] = [BlockStarted(0, "thinking"), BlockDelta(0, "thinking", "Hm"), ended]
    assert written([ended]) == ("", "note: the answer is empty.\n")
    assert written(thought) == ("", "note: the answer is empty; --show-reasoning shows the reasoning.\n")
    assert written(thought, reasoning=True) == ("", "[reasoning]\nHm\nnote: the answer is empty.\n")
    assert written([BlockDelta(0, "text", "Yes"), ended]) == ("Yes\n", "")


def test_text_blocks_are_apart_and_an_unstreamed_block_is_written_whole() -> None:
    events: list[TurnEvent] = [
        BlockFinished(0, TextBlock(text="One\n")),
        BlockFinished(1, TextBlock(text="Two")),
        ToolRunStarted(ToolCallBlock(id="a", name="look\x1b")),
        RequestStarted(1),
        BlockFinished(0, TextBlock(text="Three")),
        END,
    ]
    assert written(events) == ("One\n\nTwo\n\nThree\n", "note: the model calls look\u241b.\n")


def test_corrections_that_can_not_be_made_are_told() -> None:
    events: list[TurnEvent] = [
        BlockDelta(0, "text", "Yes"),
        BlockFinished(0, TextBlock(text="No")),
        BlockDelta(1, "text", "gone"),
        BlockFinished(1, None),
        END,
    ]
    note = "note: the server corrected its answer; the text above is as it was streamed.\n"
    assert written(events) == ("Yes\n\ngone\n", note * 2)


def test_notes_of_the_run_go_to_standard_error() -> None:
    events: list[TurnEvent] = [
        RetryScheduled(1, 5, 2.0, ConnectionFailed("No server.")),
        HistoryTrimmed(3, 1, 10, 20, 5, "estimate"),
        ContinuationStarted(1, 5, "max_output_tokens"),
        Notice("output_clamped", "Less\nroom."),
        END,
    ]
    lines = [
        "note: No server. Retry 1 of 5 in 2.0 s.\n",
        "note: the oldest 3 messages were left out to fit the context window.\n",
        "note: the answer was cut (max_output_tokens) and goes on, 1 of 5.\n",
        "note: Less room.\n",
    ]
    assert written(events) == (
        "",
        "".join(lines),
    )


def test_a_reader_that_went_away_ends_the_turn_quietly(
    run_ask: RunAsk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert run_ask(ScriptedProvider(*text_answer("Hello")), "Hi", flags={"default_model": "m"}) == 141
    (turn,) = kept(tmp_path)
    assert (turn.status, turn.messages[1].text) == ("cancelled", "Hel")


async def test_a_request_is_counted_before_it_leaves_and_missing_usage_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TIKTOKEN_ENCODINGS_BASE", raising=False)
    zeros = {"usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}
    async with socket_server(json_reply({"data": []}), streamed(text_stream("Hello", **zeros))) as server:
        flags = {"base_url": server.url, "default_model": "openai/gpt-oss-20b"}
        settings = load_settings({**flags, "data_folder": str(tmp_path / "data")}, {}, None)
        await ask._converse(ask.Wish("Hi", is_saved=False), settings, JsonOutput(sys.stdout))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds.index("request_started") < kinds.index("prompt_counted") < kinds.index("block_started")
    counted, usage = events[kinds.index("prompt_counted")], events[-2]["response"]["usage"]
    assert (counted["source"], usage["source"]) == ("computed", "computed")
    assert counted["input_tokens"] == usage["input_tokens"] > 60


class CallsOnce(ScriptedProvider):
    """Calls a tool, then answers."""

    def __init__(self, name: str, arguments: dict[str, str]) -> None:
        super().__init__()
        self.call = ToolCallBlock(id="c", name=name, input={**arguments})

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        self.requests.append(request)
        if len(self.requests) == 1:
            yield BlockStarted(0, "tool_call", self.call.name, "c")
            yield BlockFinished(0, self.call)
            yield ResponseFinished(ChatResponse(content=(self.call,), finish_reason="tool_calls"))
            return
        for step in text_answer("It is 4."):
            assert not isinstance(step, VLLMError)
            yield step


def test_a_tool_that_is_allowed_is_offered_and_run(
    run_ask: RunAsk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = CallsOnce("calculator", {"expression": "2+2"})
    assert run_ask(provider, "2+2?", "--allow-tool", "calculator", flags={"default_model": "m"}) == 0
    out, err = capsys.readouterr()
    assert out == "It is 4.\n"
    assert "note: the model calls calculator." in err
    assert "note: calculator answered after" in err
    assert [tool.name for tool in provider.requests[0].tools] == ["calculator"]
    (turn,) = kept(tmp_path)
    assert [message.role for message in turn.messages] == ["user", "assistant", "tool", "assistant"]


def test_without_an_allowed_tool_none_is_offered(run_ask: RunAsk) -> None:
    provider = ScriptedProvider(*text_answer("Hi."))
    run_ask(provider, "hello", flags={"default_model": "m"})
    assert provider.requests[0].tools == ()


def test_a_tool_that_was_not_named_does_not_run(run_ask: RunAsk, capsys: pytest.CaptureFixture[str]) -> None:
    provider = CallsOnce("calculator", {"expression": "2+2"})
    run_ask(provider, "2+2?", "--allow-tool", "current_time", flags={"default_model": "m"})
    err = capsys.readouterr().err
    assert "There is no tool called 'calculator'" in err
    assert "note: The model called 'calculator', which it was not offered" in err


def test_an_unknown_tool_name_is_refused_with_the_known_ones(run_ask: RunAsk) -> None:
    provider = ScriptedProvider(*text_answer("Hi."))
    with pytest.raises(ConfigurationError, match=r"no tool called nix.*calculator, current_time"):
        run_ask(provider, "hello", "--allow-tool", "nix", flags={"default_model": "m"})
    assert provider.requests == []


def test_the_events_of_an_allowed_tool_are_json_lines(run_ask: RunAsk, capsys: pytest.CaptureFixture[str]) -> None:
    provider = CallsOnce("calculator", {"expression": "2+2"})
    run_ask(provider, "--json", "2+2?", "--allow-tool", "calculator", flags={"default_model": "m"})
    types = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert "tool_run_started" in types
    assert "tool_run_finished" in types
