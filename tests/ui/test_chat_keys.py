"""Each key of the chat does what the help says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.chat_app import running_chat
from tests.support.scripted_provider import MODEL, Pause, ScriptedBackend, ScriptedProvider, Step, answer, deltas
from vllm_tui.domain.events import BlockStarted
from vllm_tui.domain.response import ModelInfo
from vllm_tui.ui.screens.help import HelpScreen
from vllm_tui.ui.screens.pick import PickScreen


def held(text: str = "Half an answer") -> tuple[Pause, list[Step]]:
    """Return an answer that stops in the middle until its pause is opened."""
    pause = Pause()
    return pause, [BlockStarted(0, "text"), *deltas(0, "text", text), pause, *answer(text)]


async def test_enter_sends_and_empties_the_prompt() -> None:
    async with running_chat(answer("Fine.")) as chat:
        await chat.ask("how are you?")
        assert (chat.requests, chat.prompt.text, chat.state) == (["how are you?"], "", "ready")
        await chat.until(lambda: "Fine." in chat.rows)


@pytest.mark.parametrize("key", ["ctrl+j", "alt+enter", "shift+enter"])
async def test_these_keys_make_a_new_line(key: str) -> None:
    async with running_chat() as chat:
        await chat.press("a", key, "b")
        assert chat.prompt.text == "a\nb"


async def test_a_backslash_before_enter_makes_a_new_line() -> None:
    async with running_chat() as chat:
        await chat.press("a", "backslash", "enter", "b")
        assert (chat.prompt.text, chat.requests) == ("a\nb", [])


async def test_the_prompt_grows_to_eight_rows() -> None:
    async with running_chat() as chat:
        assert chat.prompt.size.height == 1
        chat.prompt.insert_typed("\n".join("abc"))
        await chat.until(lambda: chat.prompt.size.height == 3)
        chat.prompt.insert_typed("\n" * 20)
        await chat.until(lambda: chat.prompt.size.height == 8)


async def test_an_empty_prompt_is_not_sent() -> None:
    async with running_chat() as chat:
        await chat.press("space", "enter")
        assert (chat.requests, chat.screen.show.is_running) == ([], False)


async def test_up_and_down_walk_through_what_was_asked() -> None:
    async with running_chat() as chat:
        await chat.ask("first")
        await chat.ask("second")
        await chat.press("d", "r", "a", "f", "t", "up")
        assert chat.prompt.text == "second"
        await chat.press("up", "up")
        assert chat.prompt.text == "first"
        await chat.press("down", "down")
        assert chat.prompt.text == "draft"


async def test_up_inside_a_text_moves_the_cursor_first() -> None:
    async with running_chat() as chat:
        await chat.ask("asked before")
        await chat.press("a", "ctrl+j", "b", "up")
        assert (chat.prompt.text, chat.prompt.cursor_location) == ("a\nb", (0, 1))
        await chat.press("up")
        assert chat.prompt.text == "asked before"


async def test_escape_cancels_and_keeps_what_came() -> None:
    pause, script = held()
    async with running_chat(script) as chat:
        await chat.send("tell me")
        await pause.reached.wait()
        assert chat.keys.startswith("Esc cancel")
        await chat.press("n", "e", "x", "t", "escape")
        await chat.until(lambda: chat.state == "cancelled")
        turn = next(iter(chat.backend.kept.turns.values()))
        assert (turn.status, turn.rounds[0].answer.text, chat.prompt.text) == ("cancelled", "Half an answer", "next")


async def test_escape_goes_to_the_transcript_and_back() -> None:
    async with running_chat() as chat:
        await chat.press("escape")
        assert chat.view.has_focus
        assert "Esc prompt" in chat.keys
        await chat.press("escape")
        assert chat.prompt.has_focus


async def test_sending_while_an_answer_runs_keeps_the_draft() -> None:
    pause, script = held()
    async with running_chat(script) as chat:
        await chat.send("one")
        await pause.reached.wait()
        await chat.send("two")
        assert (chat.prompt.text, chat.requests) == ("two", ["one"])
        assert chat.hint.startswith("an answer is still running; your text stays here")
        pause.open()
        await chat.until(lambda: not chat.screen.show.is_running)


async def test_ctrl_c_cancels_then_clears_then_warns_then_quits() -> None:
    pause, script = held()
    async with running_chat(script) as chat:
        await chat.send("one")
        await pause.reached.wait()
        await chat.press("d", "ctrl+c")
        await chat.until(lambda: chat.state == "cancelled")
        assert chat.prompt.text == "d"
        await chat.press("ctrl+c")
        assert (chat.prompt.text, chat.hint) == ("", "cleared; ↑ brings it back")
        await chat.press("up")
        assert chat.prompt.text == "d"
        await chat.press("ctrl+c", "ctrl+c")
        assert (chat.hint, chat.app.is_running) == ("Ctrl+C again quits", True)
        await chat.press("ctrl+c")
        await chat.until(lambda: chat.app.return_code == 0)
        assert chat.backend.is_closed


async def test_ctrl_q_saves_the_running_turn_and_quits() -> None:
    pause, script = held()
    async with running_chat(script) as chat:
        await chat.send("one")
        await pause.reached.wait()
        await chat.press("ctrl+q")
        await chat.until(lambda: chat.app.return_code == 0)
        assert [turn.status for turn in chat.backend.kept.turns.values()] == ["cancelled"]
        assert (chat.backend.is_closed, chat.app.was_used) == (True, True)


async def test_ctrl_r_steps_through_the_efforts_and_the_next_question_uses_it() -> None:
    async with running_chat() as chat:
        seen = []
        for _ in range(5):
            await chat.press("ctrl+r")
            seen.append(chat.screen.dialogue.effort)
        assert seen == ["minimal", "low", "medium", "high", None]
        await chat.press("ctrl+r")
        assert "effort minimal" in chat.top
        assert chat.hint == "reasoning effort  default · ‹minimal› · low · medium · high"
        await chat.ask()
        assert chat.backend.provider.requests[0].reasoning_effort == "minimal"


async def test_ctrl_o_offers_the_models_and_takes_the_chosen_one() -> None:
    other = ModelInfo(id="qwen/qwen3-8b", display_name="qwen3-8b", context_window=40_960)
    async with running_chat(backend=ScriptedBackend(ScriptedProvider(models=[MODEL, other]))) as chat:
        await chat.opened()
        await chat.press("ctrl+o")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        await chat.press(*"qwen", "enter")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert (chat.screen.dialogue.model, chat.hint) == ("qwen/qwen3-8b", "model qwen/qwen3-8b")
        assert chat.prompt.placeholder == "Ask qwen3-8b …"
        await chat.ask()
        assert chat.backend.provider.requests[0].model == "qwen/qwen3-8b"


async def test_ctrl_n_begins_a_new_conversation() -> None:
    async with running_chat() as chat:
        await chat.ask("old")
        await chat.press("ctrl+n")
        await chat.until(lambda: chat.hint == "new conversation")
        await chat.ask("new")
        assert [len(request.messages) for request in chat.backend.provider.requests] == [1, 1]
        await chat.until(lambda: "old" not in chat.rows)


async def test_ctrl_t_unfolds_all_reasoning() -> None:
    async with running_chat(answer("Yes.", thinking="Secret thoughts.")) as chat:
        await chat.ask()
        before = chat.view.reasoning_mode
        await chat.press("ctrl+t")
        await chat.until(lambda: "Secret thoughts." in chat.rows or chat.view.reasoning_mode != before)


async def test_f9_hides_and_shows_the_sidebar() -> None:
    async with running_chat() as chat:
        assert "THIS TURN" in chat.sidebar
        sidebar = chat.screen.query_one("#sidebar")
        await chat.press("f9")
        assert not sidebar.display
        await chat.press("f9")
        assert sidebar.display


async def test_f1_shows_every_key_and_escape_goes_back() -> None:
    async with running_chat() as chat:
        await chat.press("f1")
        await chat.until(lambda: isinstance(chat.app.screen, HelpScreen))
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_ctrl_p_runs_what_is_chosen() -> None:
    async with running_chat() as chat:
        await chat.press("ctrl+p")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        await chat.press(*"sidebar", "enter")
        await chat.until(lambda: not chat.screen.query_one("#sidebar").display)


async def test_the_copy_of_an_answer_is_sent_and_kept(tmp_path: Path) -> None:
    async with running_chat(answer("Copy me."), data_folder=tmp_path) as chat:
        await chat.ask()
        await chat.send("/copy")
        await chat.until(lambda: chat.hint == "answer sent to your terminal (OSC 52), also in last-copy.txt")
        kept = tmp_path / "last-copy.txt"
        assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("Copy me.", 0o600)


async def test_page_up_leaves_the_end_and_the_badge_leads_back() -> None:
    async with running_chat(answer("\n\n".join(f"line {n}" for n in range(60)))) as chat:
        await chat.ask()
        await chat.until(lambda: "line 59" in chat.rows)
        await chat.press("pageup")
        await chat.until(lambda: "↓" in chat.rule)
        await chat.press("ctrl+end")
        await chat.until(lambda: "↓" not in chat.rule and "line 59" in chat.rows)


async def test_a_second_enter_in_a_list_that_is_closing_does_no_harm() -> None:
    async with running_chat() as chat:
        await chat.press("ctrl+p")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        picker = chat.app.screen
        assert isinstance(picker, PickScreen)
        picker.action_back()
        picker.action_back()
        await chat.until(lambda: chat.app.screen is chat.screen)
