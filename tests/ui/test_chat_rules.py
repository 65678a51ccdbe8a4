"""What the chat promises: nothing is lost, nothing is sent by accident, everything unexpected is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import ClassVar

import pytest
from tests.support.chat_app import LAUNCH, running_chat
from tests.support.scripted_provider import (
    MODEL,
    FixedTools,
    Pause,
    ScriptedBackend,
    ScriptedProvider,
    Step,
    answer,
    deltas,
)
from textual import events
from textual.widgets import OptionList
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import (
    ConfigurationError,
    ConnectionFailed,
    InvalidRequest,
    ServerError,
    StorageError,
    VLLMError,
)
from vllm_tui.domain.events import BlockStarted, RetryScheduled, StreamEvent
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ModelInfo
from vllm_tui.domain.turns import Round, Turn
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.launch import Sample
from vllm_tui.ui.screens.pick import PickScreen

OTHER = ModelInfo(id="qwen/qwen3-8b", display_name="qwen3-8b", context_window=40_960)
THIRD = ModelInfo(id="meta/llama", display_name="llama")


def backend_with(*models: ModelInfo, error: VLLMError | None = None) -> ScriptedBackend:
    return ScriptedBackend(ScriptedProvider(models=error or models))


async def test_a_paste_of_many_lines_is_not_sent() -> None:
    async with running_chat() as chat:
        chat.app.post_message(events.Paste("one\ntwo\nthree\n"))
        await chat.until(lambda: chat.prompt.text == "one\ntwo\nthree\n")
        assert chat.requests == []


async def test_a_long_paste_is_a_token_until_it_is_sent() -> None:
    async with running_chat() as chat:
        long = "word " * 300
        chat.app.post_message(events.Paste(long))
        await chat.until(lambda: chat.prompt.text == "[Pasted 1,500 characters]")
        await chat.press("backspace")
        assert chat.prompt.text == ""
        chat.app.post_message(events.Paste(long))
        await chat.until(lambda: chat.prompt.text)
        await chat.ask("?")
        assert chat.requests == [long + "?"]
        await chat.press("up")
        assert chat.prompt.text == "[Pasted 1,500 characters]?"
        await chat.ask("")
        assert chat.requests[1] == long + "?"


async def test_a_paste_of_a_megabyte_keeps_the_prompt_quick() -> None:
    async with running_chat() as chat:
        started = asyncio.get_running_loop().time()
        chat.app.post_message(events.Paste("x" * 1_000_000))
        await chat.until(lambda: chat.prompt.text == "[Pasted 1,000,000 characters]")
        await chat.press("a")
        assert chat.prompt.text.endswith("]a")
        assert asyncio.get_running_loop().time() - started < 1.0


async def test_keys_typed_before_the_prompt_is_there_are_kept_in_order() -> None:
    app = ChatApp(LAUNCH, ScriptedBackend())
    for key in ("h", "i", "shift+enter", "!"):
        await app.on_event(events.Key(key, key if len(key) == 1 else None))
    await app.on_event(events.Paste(" pasted"))
    async with app.run_test() as pilot:
        while not app._is_ready:
            await pilot.pause(0.01)
        assert app._chat.query_one("Prompt").text == "hi\n! pasted"  # type: ignore[attr-defined]


async def test_a_question_asked_before_everything_is_loaded_is_answered_later() -> None:
    backend = ScriptedBackend(is_slow=True)
    async with running_chat(backend=backend) as chat:
        await chat.send("early")
        assert (chat.state.startswith("waiting"), chat.requests) == (True, [])
        backend.preloaded.set()
        await chat.until(lambda: chat.requests == ["early"] and not chat.screen.show.is_running)


@pytest.mark.parametrize("text", ["/nonsense", "/help me", "/effort enormous", "/theme pink", "/reasoning maybe"])
async def test_a_wrong_command_says_so_and_stays(text: str) -> None:
    async with running_chat() as chat:
        await chat.send(text)
        assert (chat.prompt.text, chat.requests) == (text, [])
        assert chat.hint


async def test_slash_commands_act() -> None:
    async with running_chat() as chat:
        await chat.opened()
        for command in ("/effort high", "/model a/b", "/theme light", "/reasoning hide", "/sidebar"):
            await chat.send(command)
            await chat.until(lambda: not chat.prompt.text)
        await chat.until(lambda: not chat.screen.query_one("#sidebar").display)
        dialogue = chat.screen.dialogue
        assert (dialogue.effort, dialogue.model) == ("high", "a/b")
        assert (chat.app.theme, chat.view.reasoning_mode) == ("light", "hide")
        await chat.send("/effort default")
        assert dialogue.effort is None


async def test_two_slashes_send_one() -> None:
    async with running_chat() as chat:
        await chat.ask("//help me")
        assert chat.requests == ["/help me"]


async def test_the_only_served_model_is_taken_and_named() -> None:
    async with running_chat(backend=backend_with(OTHER)) as chat:
        await chat.opened()
        await chat.until(lambda: "qwen/qwen3-8b" in chat.rows)
        assert "does not serve openai/gpt-oss-20b" in chat.rows
        assert "qwen/qwen3-8b" in chat.top
        await chat.ask()
        assert chat.backend.provider.requests[0].model == "qwen/qwen3-8b"


async def test_several_served_models_are_offered() -> None:
    async with running_chat(backend=backend_with(OTHER, THIRD)) as chat:
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        await chat.until(lambda: chat.app.screen.query_one(OptionList).option_count == 2)
        await chat.press("down", "enter")
        await chat.until(lambda: chat.screen.dialogue.model == "meta/llama")


async def test_a_server_that_lists_nothing_is_named() -> None:
    async with running_chat(backend=backend_with()) as chat:
        await chat.until(lambda: chat.state == "no model")
        await chat.until(lambda: "lists no model" in chat.rows)


async def test_no_server_is_said_with_the_next_step_and_the_prompt_works_on() -> None:
    error = ConnectionFailed("No server at http://gpu-box:8000/v1: connection refused.", hint="Is vLLM running?")
    async with running_chat(backend=backend_with(error=error)) as chat:
        await chat.until(lambda: chat.state == "no server")
        await chat.until(lambda: "Is vLLM running?" in chat.rows and "/connect" in chat.rows)
        chat.backend.provider.models = (MODEL,)
        await chat.send("/connect")
        await chat.until(lambda: chat.screen.dialogue.models == (MODEL,))
        await chat.until(lambda: chat.state == "ready")


async def test_a_retry_counts_down_and_its_note_goes_when_the_answer_comes() -> None:
    pause = Pause()
    retry = RetryScheduled(2, 5, 4.0, ServerError("The server is overloaded (503)."))
    script: list[Step] = [retry, pause, *answer("Here I am.")]
    async with running_chat(script) as chat:
        await chat.send("hello")
        await pause.reached.wait()
        await chat.until(lambda: chat.state == "retry 2 of 5 in 4 s")
        await chat.until(lambda: "Retry 2 of 5 in 4 s; Esc cancels." in chat.rows)
        await chat.until(lambda: chat.state == "retry 2 of 5 in 3 s")
        await chat.until(lambda: "Retry 2 of 5 in 3 s; Esc cancels." in chat.rows)
        pause.open()
        await chat.until(lambda: "Here I am." in chat.rows and "Retry" not in chat.rows)


async def test_an_error_is_shown_with_its_next_step() -> None:
    error = InvalidRequest("The server refused the request (400).", hint="Look at the message above.")
    async with running_chat([error]) as chat:
        await chat.ask()
        await chat.until(lambda: "Look at the message above." in chat.rows)
        assert chat.state == "failed"


async def test_a_refused_effort_teaches_which_ones_the_model_takes() -> None:
    error = InvalidRequest("The server refused the effort.")
    error.supported = ("high", "medium", "low")
    async with running_chat([error], effort="minimal") as chat:
        await chat.ask()
        assert chat.hint == "this model takes no effort minimal; ^R offers default, low, medium, high"
        seen = []
        for _ in range(4):
            await chat.press("ctrl+r")
            seen.append(chat.screen.dialogue.effort)
        assert seen == ["low", "medium", "high", None]


async def test_what_a_worker_can_not_handle_is_shown_and_the_program_lives() -> None:
    class Broken(ScriptedProvider):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
            nothing: tuple[StreamEvent, ...] = ()
            for event in nothing:
                yield event
            raise RuntimeError("out of order")

    async with running_chat(backend=ScriptedBackend(Broken())) as chat:
        await chat.send("hello")
        await chat.until(lambda: "RuntimeError: out of order" in chat.rows)
        assert (chat.state, chat.app.is_running, chat.screen.show.is_running) == ("failed", True, False)


async def test_after_a_failed_start_a_question_says_so_instead_of_waiting() -> None:
    backend = ScriptedBackend(start_error=ConfigurationError("max_tokens: 0 is too small."))
    async with running_chat(backend=backend) as chat:
        await chat.until(lambda: "max_tokens: 0 is too small." in chat.rows)
        await chat.send("hello")
        await chat.until(lambda: "Nothing can be sent" in chat.rows)
        assert (chat.requests, chat.state) == ([], "failed")


async def test_without_a_data_folder_the_chat_works_and_says_it_is_not_saved() -> None:
    backend = ScriptedBackend(storage_error=StorageError("The folder /data can't be written."))
    async with running_chat(backend=backend) as chat:
        await chat.until(lambda: "not saved. The folder /data can't be written." in chat.rows)
        await chat.ask()
        assert chat.requests == ["hello"]


async def test_a_resumed_conversation_is_shown_counted_and_continued() -> None:
    stored = Turn(
        id="t1",
        conversation_id="c1",
        question=Message(role="user", content="the old question"),
        rounds=(Round(answer=Message(role="assistant", content="the old answer")),),
        status="interrupted",
    )
    async with running_chat(backend=ScriptedBackend(stored=[stored]), resume=True) as chat:
        await chat.until(lambda: "the old answer" in chat.rows)
        assert "1 turn" in chat.sidebar
        await chat.press("up")
        assert chat.prompt.text == "the old question"
        assert chat.app.was_used


async def test_tools_run_between_two_requests() -> None:
    call = ToolCallBlock(id="1", name="get_weather", input={"city": "Paris"}, raw_arguments='{"city": "Paris"}')
    provider = ScriptedProvider(answer(call=call), answer("It is sunny."))
    async with running_chat(backend=ScriptedBackend(provider, tools=FixedTools(get_weather="sunny"))) as chat:
        await chat.ask("weather?")
        await chat.until(lambda: "It is sunny." in chat.rows)
        assert "get_weather" in chat.rows
        assert len(provider.requests) == 2
        assert "input       2,408 ●" in chat.sidebar


async def test_figures_count_up_while_the_answer_streams() -> None:
    pause = Pause()
    script: list[Step] = [BlockStarted(0, "text"), *deltas(0, "text", "one two three"), pause, *answer("one two three")]
    async with running_chat(script) as chat:
        await chat.send("count")
        await pause.reached.wait()
        await chat.until(lambda: "answer          3 ○" in chat.sidebar)
        pause.open()
        await chat.until(lambda: "answer        188" in chat.sidebar)
        assert "1,704 of 131,072" in chat.sidebar


async def test_the_turn_timer_rests_when_nothing_runs() -> None:
    async with running_chat() as chat:
        await chat.ask()
        await chat.until(lambda: not chat.screen.ticker._active.is_set())


@pytest.mark.parametrize("size", [(39, 20), (80, 11)])
async def test_a_terminal_that_is_too_small_says_so(size: tuple[int, int]) -> None:
    async with running_chat(size=size) as chat:
        assert chat.screen.query_one("#cover").display
        await chat.pilot.resize_terminal(80, 24)
        await chat.until(lambda: not chat.screen.query_one("#cover").display)


async def test_forty_by_twelve_still_works() -> None:
    async with running_chat(answer("Small but here."), size=(40, 12)) as chat:
        await chat.ask()
        await chat.until(lambda: "Small but here." in chat.rows)
        assert chat.top == "gpt-oss-20b" + " " * 22 + "ready"


async def test_below_a_hundred_columns_the_figures_stand_above_the_prompt() -> None:
    async with running_chat(size=(80, 24)) as chat:
        await chat.ask()
        await chat.until(lambda: "● 1,204→500" in chat.rule)
        assert "ctx 1 %" in chat.rule
        await chat.pilot.resize_terminal(120, 40)
        await chat.until(lambda: "1,204→500" not in chat.rule and "1,204 ●" in chat.sidebar)


async def test_the_demo_is_marked_and_its_samples_are_in_the_palette() -> None:
    samples = (Sample("busy twice, then fine", "Hello [[demo:overloaded]]"),)
    async with running_chat(demo=True, samples=samples) as chat:
        assert chat.top.startswith("DEMO ")
        await chat.press("ctrl+p")
        await chat.until(lambda: isinstance(chat.app.screen, PickScreen))
        await chat.press(*"busy", "enter")
        await chat.until(lambda: chat.prompt.text == "Hello [[demo:overloaded]]")


async def test_no_colour_takes_the_terminal_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running_chat(theme="light") as chat:
        assert chat.app.theme == "terminal"


class TestAgain:
    """Answering again and going on."""

    script: ClassVar[list[Step]] = answer("Once more.", status="incomplete")

    async def test_the_last_question_is_answered_again(self) -> None:
        async with running_chat() as chat:
            await chat.ask("what?")
            await chat.send("/again")
            await chat.until(lambda: len(chat.requests) == 2 and not chat.screen.show.is_running)
            assert chat.requests == ["what?", "what?"]

    async def test_a_cut_answer_is_named_and_goes_on(self) -> None:
        async with running_chat(self.script, answer("The end."), max_tokens=4096) as chat:
            await chat.ask("long story")
            assert chat.state == "cut at 4,096 tokens"
            await chat.send("/continue")
            await chat.until(lambda: len(chat.requests) == 2 and not chat.screen.show.is_running)

    async def test_without_a_question_there_is_nothing_to_do_again(self) -> None:
        async with running_chat() as chat:
            for command in ("/again", "/continue", "/copy"):
                await chat.send(command)
                await chat.until(lambda: chat.hint.startswith("there is n"))
                chat.screen.say("")


async def test_a_prompt_that_shrinks_does_not_end_following() -> None:
    story = "\n\n".join(f"line {n}" for n in range(30))
    async with running_chat(answer(story), size=(40, 12)) as chat:
        for question in ("one", "a question that is too long for one row of forty columns", "three"):
            await chat.ask(question)
            await chat.until(lambda: "line 29" in chat.rows)
            await chat.until(lambda: not chat.view.is_busy)
            assert ("↓" in chat.rule, chat.view.following) == (False, True)
