"""A call is shown, decided by keys, run, and looked into; nothing runs by accident."""

from __future__ import annotations

import json

import pytest
from tests.support.call_box import ASKED, Search, call, calling, search_backend
from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import Pause, ScriptedBackend, ScriptedProvider, answer
from textual.content import Content
from textual.widgets import Input, OptionList, Static, TextArea
from vllm_tui.domain.blocks import ToolResultBlock
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted
from vllm_tui.domain.values import JsonObject
from vllm_tui.ui.screens.calls import CallsScreen
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.write import ArgumentsScreen, HandAnswerScreen, ReasonScreen
from vllm_tui.ui.widgets import approval
from vllm_tui.ui.widgets.approval import ApprovalBar
from vllm_tui.ui.widgets.json_tree import JsonTree


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "SETTLE_SECONDS", 0.0)


def bar(chat: Chat) -> ApprovalBar:
    return chat.screen.query_one(ApprovalBar)


def bar_text(chat: Chat) -> str:
    content = bar(chat).render()
    assert isinstance(content, Content)
    return content.plain


async def asked(chat: Chat, *, focus: bool = True) -> None:
    """Ask a question and wait until a call waits for the person."""
    await chat.send("which logs are there?")
    await chat.until(lambda: bar(chat).display and "search_files" in bar_text(chat))
    if focus:
        await chat.press("tab")
        await chat.until(lambda: bar(chat).has_focus)


async def ended(chat: Chat) -> None:
    await chat.until(lambda: not chat.screen.show.is_running and "There are two." in chat.rows)


def sent(chat: Chat, request: int = 1) -> tuple[object, bool]:
    """What the model got as the tool's result in its second request."""
    last = chat.backend.provider.requests[request].messages[-1]
    block = last.content[0]
    assert isinstance(block, ToolResultBlock)
    return block.output, block.is_error


async def inspector(chat: Chat) -> CallsScreen:
    await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.query("#calls"))
    await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and chat.app.screen.current)
    screen = chat.app.screen
    assert isinstance(screen, CallsScreen)
    return screen


def shown(chat: Chat, selector: str = "#text") -> str:
    """What stands in a pane, with the tree below it."""
    text = str(chat.app.screen.query_one(selector, Static).content)
    trees = [tree for tree in chat.app.screen.query(JsonTree) if tree.display] if selector == "#text" else []
    nodes = [tree.get_node_at_line(y) for tree in trees for y in range(tree.last_line + 1)]
    return "\n".join([text, *(str(node.label) for node in nodes if node is not None)])


async def test_nothing_runs_until_the_person_says_so_and_typing_is_no_word() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat, focus=False)
        assert chat.prompt.has_focus
        await chat.press("a", "A", "e")
        assert chat.prompt.text == "aAe"
        assert search.runs == []
        assert "to decide" in bar_text(chat)
        assert "waiting for you" in chat.rows
        assert chat.state == "a tool call waits for you"
        await chat.press("tab", "a")
        await ended(chat)
        assert search.runs == [ASKED]
        assert sent(chat) == ({"files": ["a.log", "b.log"], "more": False}, False)
        assert not bar(chat).display
        assert chat.prompt.has_focus


async def test_the_bar_shows_every_argument_before_it_can_be_approved() -> None:
    async with running_chat(backend=search_backend(Search())) as chat:
        await asked(chat)
        text = bar_text(chat)
        for part in ('"/var/log"', 'pattern: "*.log"', "limit: 10"):
            assert part in text
        assert "it touches the machine or the network" in text


async def test_a_key_meant_for_the_call_before_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search()
    async with running_chat(backend=search_backend(search, call("one"), call("two", {"pattern": "b"}))) as chat:
        await asked(chat)
        assert "1 of 2" in bar_text(chat)
        await chat.press("a")
        monkeypatch.setattr(approval, "SETTLE_SECONDS", 60.0)
        await chat.until(lambda: '"b"' in bar_text(chat))
        await chat.press("a", "a")
        await chat.pilot.pause(0.05)
        assert search.runs == [ASKED]
        monkeypatch.setattr(approval, "SETTLE_SECONDS", 0.0)
        await chat.press("a")
        await ended(chat)
        assert search.runs == [ASKED, {"pattern": "b"}]


async def test_a_refusal_reaches_the_model_with_its_reason() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        await chat.press("d")
        await chat.until(lambda: isinstance(chat.app.screen, ReasonScreen) and chat.app.screen.query(Input))
        await chat.press(*"not now", "enter")
        await ended(chat)
        assert search.runs == []
        assert sent(chat) == ("The person refused this call. Reason: not now", True)
        assert "refused" in chat.rows


async def test_edited_arguments_are_checked_while_typing_and_run() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        await chat.press("e")
        await chat.until(lambda: isinstance(chat.app.screen, ArgumentsScreen) and "✓" in shown(chat, "#told"))
        area = chat.app.screen.query_one(TextArea)
        area.load_text('{"pattern": 5')
        await chat.until(lambda: "not JSON" in shown(chat, "#told"))
        await chat.press("f10")
        assert isinstance(chat.app.screen, ArgumentsScreen)
        area.load_text('{"pattern": 5}')
        await chat.until(lambda: "5 is not a string" in shown(chat, "#told"))
        area.load_text('{"pattern": "*.txt"}')
        await chat.until(lambda: "*.txt" in shown(chat, "#told"))
        await chat.press("f10")
        await ended(chat)
        assert search.runs == [{"pattern": "*.txt"}]
        facts = (chat.backend.provider.requests[1].messages[-1].metadata or {})["tool"]
        assert isinstance(facts, dict)
        assert facts["arguments"] == {"pattern": "*.txt"}


@pytest.mark.parametrize(("key", "is_error"), [("f10", False), ("f9", True)])
async def test_the_person_answers_in_place_of_the_tool(key: str, is_error: bool) -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        await chat.press("w")
        await chat.until(lambda: isinstance(chat.app.screen, HandAnswerScreen) and chat.app.screen.query(TextArea))
        chat.app.screen.query_one(TextArea).load_text("none at all")
        await chat.press(key)
        await ended(chat)
        assert search.runs == []
        assert sent(chat) == ("none at all", is_error)


async def test_what_is_always_allowed_runs_without_asking_and_nothing_else() -> None:
    search = Search()
    second = calling(call("call_2", {**ASKED, "pattern": "*.txt"}))
    third = calling(call("call_3", {**ASKED, "limit": 99}))
    backend = search_backend(search, more=(second, third))
    async with running_chat(backend=backend) as chat:
        await asked(chat)
        await chat.press("A")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen) and chat.app.screen._shown)
        await chat.press("down", "enter")
        await chat.until(lambda: "limit: 99" in bar_text(chat))
        assert [run["pattern"] for run in search.runs] == ["*.log", "*.txt"]
        await chat.press("tab", "a")
        await ended(chat)
        assert len(search.runs) == 3


async def test_leaving_a_question_leaves_the_call_waiting() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        for key in "dewA":
            await chat.press(key)
            await chat.until(lambda: chat.app.screen is not chat.screen)
            await chat.press("escape")
            await chat.until(lambda: chat.app.screen is chat.screen)
        assert bar(chat).display
        assert search.runs == []


async def test_esc_in_the_prompt_cancels_the_turn_and_the_call() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat, focus=False)
        await chat.press("escape")
        await chat.until(lambda: not chat.screen.show.is_running)
        assert not bar(chat).display
        assert search.runs == []
        assert "not run" in chat.rows


async def test_a_call_whose_arguments_cannot_be_read_can_be_mended_but_not_run() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search, call(given='{"pattern": '))) as chat:
        await asked(chat)
        assert "not valid JSON" in bar_text(chat)
        assert " once" not in bar_text(chat)
        await chat.press("a")
        await chat.until(lambda: "can't be read" in chat.hint)
        await chat.press("e")
        await chat.until(lambda: isinstance(chat.app.screen, ArgumentsScreen))
        chat.app.screen.query_one(TextArea).load_text('{"pattern": "x"}')
        await chat.press("f10")
        await ended(chat)
        assert search.runs == [{"pattern": "x"}]


async def test_control_characters_of_a_call_never_reach_the_terminal() -> None:
    evil: JsonObject = {"pattern": "\x1b]0;title\x07\x1b[31m", "\x1b[2Jname": "\u202egnp.exe"}
    async with running_chat(backend=search_backend(Search(), call(given=evil))) as chat:
        await asked(chat)
        assert not set(bar_text(chat)) & set("\x1b\x07\u202e")
        await chat.press("i")
        await inspector(chat)
        for key in "12345":
            await chat.press(key)
            assert not set(shown(chat)) & set("\x1b\x07\u202e")


async def test_the_inspector_shows_a_call_from_every_side_and_decides_it() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        await chat.press("i")
        await inspector(chat)
        assert "? 1 waiting for you" in shown(chat, "#title")
        assert "a once" in shown(chat, "#keys")
        assert "the arguments fit the schema" in shown(chat)
        await chat.press("3")
        assert "Search files by name." in shown(chat)
        assert '"additionalProperties": false' in shown(chat)
        await chat.press("a")
        await chat.until(lambda: "✓ 1" in shown(chat, "#title"))
        await chat.press("4")
        await chat.until(lambda: "a.log" in shown(chat) and "you: run once" in shown(chat))
        await chat.press("5")
        assert '"type": "function_call_output"' in shown(chat)
        await chat.press("escape")
        await ended(chat)


async def test_bad_arguments_are_told_field_by_field() -> None:
    given: JsonObject = {"limit": "ten", "colour": "red"}
    async with running_chat(backend=search_backend(Search(), call(given=given))) as chat:
        await asked(chat)
        assert '"ten" is not an integer' in bar_text(chat)
        await chat.press("i")
        await inspector(chat)
        text = shown(chat)
        assert "3 arguments do not fit the schema" in text
        assert "✗ pattern" in text
        assert "is missing" in text
        assert "expected string" in text
        assert "there is no such argument" in text


async def test_a_call_is_seen_while_it_streams_with_the_times_of_its_pieces() -> None:
    pause = Pause()
    block = call(given={"pattern": "*.log"})
    first = [
        BlockStarted(0, "tool_call", "search_files", "call_1"),
        BlockDelta(0, "tool_call", '{"pattern'),
        BlockDelta(0, "tool_call", '": "*.l'),
        pause,
        BlockDelta(0, "tool_call", 'og"}'),
        BlockFinished(0, block),
        *calling(block)[-1:],
    ]
    search = Search()
    backend = search_backend(search)
    backend.provider = ScriptedProvider(first, answer("There are two."))
    async with running_chat(backend=backend) as chat:
        await chat.send("which logs?")
        await pause.reached.wait()
        await chat.until(lambda: "search_files" in chat.rows)
        chat.screen.action_calls()
        await inspector(chat)
        await chat.press("2")
        await chat.until(lambda: "2 fragments" in shown(chat) and '{"pattern": "*.l' in shown(chat))
        pause.open()
        await chat.until(lambda: "3 fragments" in shown(chat) and "? 1 waiting" in shown(chat, "#title"))
        await chat.press("a")
        await chat.until(lambda: search.runs)


async def test_a_call_is_run_again_also_with_other_arguments_and_the_model_is_not_told() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        await chat.press("a")
        await ended(chat)
        await chat.send("/calls")
        await inspector(chat)
        await chat.press("r")
        await chat.until(lambda: len(search.runs) == 2 and "✓ 2" in shown(chat, "#title"))
        await chat.press("e")
        await chat.until(lambda: isinstance(chat.app.screen, ArgumentsScreen))
        chat.app.screen.query_one(TextArea).load_text('{"pattern": "fail"}')
        await chat.press("f10")
        await chat.until(lambda: isinstance(chat.app.screen, CallsScreen) and "✗ 1" in shown(chat, "#title"))
        await chat.until(lambda: "the disk is gone" in shown(chat))
        assert len(chat.backend.provider.requests) == 2
        await chat.press("m", "up", "m")
        await chat.until(lambda: "≠ pattern" in shown(chat))
        assert "results" in shown(chat)


async def test_a_call_is_copied_as_json() -> None:
    async with running_chat(backend=search_backend(Search())) as chat:
        await asked(chat)
        await chat.press("a")
        await ended(chat)
        await chat.send("/calls")
        await inspector(chat)
        await chat.press("y")
        copied = json.loads(chat.app._clipboard)
        assert copied["received"]["name"] == "search_files"
        assert copied["here"]["decision"] == "run once"
        assert json.loads(copied["sent"]["output"])["files"] == ["a.log", "b.log"]


async def test_stored_calls_are_there_again_with_how_they_ended() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search)) as chat:
        await asked(chat)
        await chat.press("d")
        await chat.until(lambda: isinstance(chat.app.screen, ReasonScreen))
        await chat.press("enter")
        await ended(chat)
        turns = list(chat.screen.dialogue.turns)
    later = ScriptedBackend(tools=search_backend(Search()).tools, stored=turns)
    async with running_chat(backend=later, resume=True) as chat:
        await chat.until(lambda: chat.screen.dialogue.turns and "refused" in chat.rows)
        await chat.send("/calls")
        await inspector(chat)
        await chat.until(lambda: "the arguments fit the schema" in shown(chat))
        assert "✗ 1" in shown(chat, "#title")
        await chat.press("2")
        assert "only the whole text is known" in shown(chat)


async def test_without_calls_the_inspector_says_so() -> None:
    async with running_chat() as chat:
        await chat.send("/calls")
        await chat.until(lambda: isinstance(chat.app.screen, CallsScreen))
        assert "No tool call yet" in shown(chat, "#empty")
        await chat.press("r", "e", "m", "y", "a", "5")
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_i_on_a_card_opens_its_call() -> None:
    search = Search()
    async with running_chat(backend=search_backend(search, call("one"), call("two", {"pattern": "b"}))) as chat:
        await asked(chat)
        await chat.press("a")
        await chat.until(lambda: len(search.runs) == 1)
        await chat.press("a")
        await ended(chat)
        await chat.press("escape", "g", "down", "i")
        screen = await inspector(chat)
        assert screen.current is not None
        assert screen.current.call_id == "one"
        assert screen.query_one(OptionList).option_count == 2


async def test_huge_arguments_and_results_do_not_hold_up_the_inspector() -> None:
    big: JsonObject = {"pattern": "x" * 900_000, "deep": json.loads("[" * 60 + "]" * 60)}
    async with running_chat(backend=search_backend(Search("y\n" * 300_000), call(given=big))) as chat:
        await asked(chat)
        assert "i shows all" in bar_text(chat)
        await chat.press("i")
        await inspector(chat)
        await chat.until(lambda: "900,002 characters" in shown(chat))
        await chat.press("x")
        await chat.until(lambda: "cut here for the screen" in shown(chat))


async def test_five_megabytes_of_unreadable_arguments_are_shown_in_part() -> None:
    backend = search_backend(Search(), call(given='{"pattern": "' + "x" * 5_000_000))
    async with running_chat(backend=backend) as chat:
        await asked(chat)
        assert "i shows all" in bar_text(chat)
        await chat.press("i")
        await inspector(chat)
        await chat.press("2")
        await chat.until(lambda: "cut here for the screen" in shown(chat))
        await chat.press("d")
