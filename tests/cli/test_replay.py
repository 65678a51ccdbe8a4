"""`vllm-tui replay`: a recorded session runs through the whole program again, and bad files are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.chat_app import Chat
from tests.support.wire_box import WireBox, recorded
from vllm_tui.cassette.cassette import Cassette, decode_cassette
from vllm_tui.cassette.session import RecordedCall, RecordedSession
from vllm_tui.cli.main import main
from vllm_tui.domain.blocks import ToolResultBlock
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import load_settings
from vllm_tui.ui.app import ChatApp
from vllm_tui.wiring.replay import ReplayBackend, recorded_tools
from vllm_tui.wiring.screen import build_launch

HEAD = '{"kind":"cassette","format":"vllm-tui cassette","version":1,"program":"","note":"","created_at":0}\n'
TOOLS = [{"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}]


def weather_session() -> Cassette:
    """Return a recording of a question, a tool call, and the answer that used its result."""
    box = WireBox()
    asked = [{"role": "user", "content": "weather in Paris?"}]
    call = {"type": "function_call", "call_id": "c", "name": "get_weather"}
    arguments = '{"city":"Paris","unit":"celsius"}'
    events = recorded()
    found = [json.loads(data) for _, data in events]
    done = [event for event in found if event["type"] == "response.function_call_arguments.done"]
    arguments = done[0]["arguments"] if done else arguments
    result = {"type": "function_call_output", "call_id": "c", "output": '{"degrees": 21}'}
    box.request({"model": "m", "input": asked, "tools": TOOLS, "stream": True})
    box.answer()
    for name, data in events:
        box.event(name, data)
    box.end()
    second = [*asked, {**call, "arguments": arguments}, result]
    box.request({"model": "m", "input": second, "tools": TOOLS, "stream": True})
    box.answer()
    for name, data in recorded("0.32.0/gpt-oss/tool_second_turn_stream"):
        box.event(name, data)
    box.end()
    return decode_cassette(box.log.cassette().encode())


async def test_the_session_happens_again_with_its_tools_and_nothing_is_saved(tmp_path: Path) -> None:
    settings = load_settings({"max_retries": "0"}, {}, None)
    backend = ReplayBackend(settings, tmp_path, weather_session(), float("inf"))
    assert backend.session.questions == ("weather in Paris?",)
    launch = build_launch(settings, demo=False, resume_last=False)
    launch = replace(launch, server="REPLAY x", model="m", first_run=False, questions=backend.session.questions)
    launch = replace(launch, data_folder=tmp_path)
    app = ChatApp(launch, backend)
    async with app.run_test(size=(120, 40)) as pilot:
        chat = Chat(app, pilot, backend)  # type: ignore[arg-type]
        await chat.until(lambda: chat.screen.is_begun and chat.screen.dialogue.turns)
        await chat.until(lambda: len(chat.screen.dialogue.turns[-1].rounds) == 2 and not chat.screen.show.is_running)
        turn = chat.screen.dialogue.turns[-1]
        results = [block for message in turn.rounds[0].tool_results for block in message.content]
        assert isinstance(results[0], ToolResultBlock)
        assert json.loads(str(results[0].output)) == {"degrees": 21}
        assert turn.rounds[1].answer.text
        assert backend.wire is not None
        assert len(backend.wire.exchanges()) == 2
        with pytest.raises(ConfigurationError, match="Nothing is sent during a replay"):
            await backend.wire.send_again(1)
        await chat.send("and now?")
        await chat.until(lambda: "no further answer" in chat.rows)
    assert not list(tmp_path.glob("conversations*"))


async def test_a_recorded_tool_answers_what_it_answered_then_and_nothing_else() -> None:
    session = RecordedSession(
        (),
        tools=({"name": "f", "parameters": {"type": "object"}},),
        calls=(RecordedCall("f", '{"a": 1, "b": 2}', "x"),),
    )
    (tool,) = recorded_tools(session)
    assert tool.function is not None
    assert tool.pure
    assert await tool.function({"b": 2, "a": 1}) == "x"
    with pytest.raises(Exception, match="holds no answer to this call"):
        await tool.function({"a": 2})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is no cassette"),
        (HEAD + '{"kind":"request"', "line 2"),
        (HEAD.replace(":1,", ":99,"), "has version 99"),
        (HEAD, "no exchange"),
        ("\x00\x1b[2J", "this is no JSON"),
    ],
)
def test_a_cut_or_hostile_file_is_refused(
    tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    assert main(["replay", str(path)]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "\x1b" not in err


def test_a_missing_file_a_bad_speed_and_no_terminal_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(tmp_path / "none")]) == 2
    assert "can't be read" in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "none"), "--speed", "0"]) == 2
    assert "--speed must be above 0" in capsys.readouterr().err
    box = WireBox()
    box.stream()
    path = tmp_path / "good.jsonl"
    path.write_text(box.log.cassette())
    assert main(["replay", str(path)]) == 2
    assert "can't be drawn" in capsys.readouterr().err
