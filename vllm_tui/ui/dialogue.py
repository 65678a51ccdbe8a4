"""The talk with the server behind the chat screen: opening, asking, cancelling, models and efforts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.worker import Worker, WorkerError

from vllm_tui.domain.errors import ConfigurationError, InvalidRequest, StorageError, VLLMError
from vllm_tui.domain.events import Notice
from vllm_tui.engine.events import TurnFinished
from vllm_tui.settings.options import OPTIONS
from vllm_tui.ui.activity import READY, Status
from vllm_tui.ui.choices import Choices
from vllm_tui.ui.launch import Backend, Launch, OpenConversation, demo_launch, with_settings
from vllm_tui.ui.model_choice import Efforts, choose_model
from vllm_tui.ui.turn_show import TurnShow
from vllm_tui.ui.widgets.prompt import Prompt
from vllm_tui.ui.widgets.topline import short_model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.events import TurnEvent
    from vllm_tui.engine.turn_run import TurnSettings
    from vllm_tui.settings.layers import Settings

Starter = Callable[[OpenConversation], "AsyncGenerator[TurnEvent, None]"]
"""What begins a turn."""

_NO_SERVER, _NO_MODEL = Status("no server", "error"), Status("no model", "error")
_ASKED_AGAIN = (*(option.name for option in OPTIONS if option.reconnect), "context_window", "max_output_tokens")
"""Options after whose change the server is asked again what it serves."""

CANCEL_SECONDS = 3.0
"""How long leaving waits for a cancelled turn to be saved."""


class Dialogue:
    """One conversation at a time with one server; runs its work as workers of `screen`.

    `ask_for_model` is called when several models are served and none is the configured one, `offer_server` when
    nobody answers at the start; it returns whether the person is asked. `choices` remembers what the person changed
    for the next start.
    """

    def __init__(
        self,
        screen: Screen[None],
        launch: Launch,
        backend: Backend,
        show: TurnShow,
        prompt: Prompt,
        ask_for_model: Callable[[], None],
        offer_server: Callable[[VLLMError], bool],
    ) -> None:
        self.models: tuple[ModelInfo, ...] = ()
        self.model = launch.model
        self.effort = launch.effort
        self.efforts = Efforts()
        self.refusals: dict[str, str] = {}
        self.was_used = False
        self._screen = screen
        self._launch = launch
        self._backend = backend
        self._show = show
        self._prompt = prompt
        self._ask_for_model = ask_for_model
        self._offer_server = offer_server
        self._conversation: OpenConversation | None = None
        self._opened = asyncio.Event()
        self._turn: Worker[None] | None = None
        self.choices = Choices(screen, backend, show.stage.hintline)

    def open(self) -> None:
        """Load what is heavy, open the conversation, and ask the server what it serves."""
        self._work(self._open(), "open", "open the conversation")

    def connect(self) -> None:
        """Ask the server what it serves."""
        self._work(self._check_models(), "models", "ask the server for its models")

    def ask(self, text: str) -> bool:
        """Send `text`; return False when an answer still runs."""
        return self._begin(lambda conversation: conversation.ask(text, self._settings()))

    def again(self) -> bool:
        """Answer the last question again; return False when an answer runs or there is no question."""
        return self.was_used and self._begin(lambda conversation: conversation.retry(self._settings()))

    def go_on(self) -> bool:
        """Continue the last answer; return False when it was not cut or one runs."""
        can = self._conversation is not None and self._conversation.can_continue
        return can and self._begin(lambda conversation: conversation.continue_answer(self._settings()))

    def cancel(self) -> bool:
        """Stop the running turn and keep what came; return whether there was one."""
        if not self._show.is_running or self._turn is None:
            return False
        self._show.cancelling()
        self._turn.cancel()
        return True

    def new(self) -> None:
        """Begin a new conversation."""
        self._opened.clear()
        self._work(self._open_new(), "open", "begin a new conversation")

    def use_settings(self, settings: Settings) -> None:
        """Let `settings` hold from the next question on; a running answer is not disturbed."""
        before, launch = self._backend.settings, with_settings(self._launch, settings)
        self._backend.use_settings(settings)
        is_other_model = launch.model != self._launch.model
        self._launch, self.effort = launch, launch.effort
        self._show.stage.topline.follow(launch, self.model)
        if is_other_model:
            self.use_model(launch.model)
        if is_other_model or any(before.value(name) != settings.value(name) for name in _ASKED_AGAIN):
            self.connect()

    def use_demo(self) -> None:
        """Talk to the built-in demo server from now on."""
        self._backend.use_demo()
        self._launch = demo_launch(self._launch)
        self._show.stage.topline.follow(self._launch, self.model)
        self.connect()

    def choose_model(self, model: str) -> None:
        """Talk to the model the person chose, as a setting of this session."""
        self._backend.use_settings(self._backend.settings.chosen("default_model", model))
        self._launch = with_settings(self._launch, self._backend.settings)
        self.use_model(model)

    def use_model(self, model: str) -> None:
        """Talk to `model` from the next question on."""
        self.model = model
        self._show.use_window(next((info.context_window for info in self.models if info.id == model), None))
        self._show.stage.topline.change(model=model)
        self._prompt.ask_about(short_model(model))

    def use_effort(self, effort: str | None) -> None:
        """Ask with `effort` from the next question on, as a setting of this session; None sends none."""
        self._backend.use_settings(self._backend.settings.chosen("reasoning", effort))
        self._launch = with_settings(self._launch, self._backend.settings)
        self.effort = effort
        self._show.stage.topline.show_effort(effort)
        levels = " · ".join(f"‹{name}›" if name == (effort or "default") else name for name in self.effort_names())
        self._show.stage.hintline.say(f"reasoning effort  {levels}")

    def effort_names(self) -> list[str]:
        """Return the efforts this model takes as words; `default` is not sent."""
        return [level or "default" for level in self.efforts.levels(self.model)]

    @property
    def turns(self) -> Sequence[Turn]:
        """Return the turns of the conversation, the running one included."""
        return self._conversation.turns if self._conversation else ()

    def last_answer(self) -> str:
        """Return the text of the newest answer, empty when there is none."""
        answers = (turn.rounds[-1].answer.text for turn in reversed(self.turns) if turn.rounds)
        return next((answer for answer in answers if answer), "")

    async def close(self) -> None:
        """Cancel what runs, wait until it is saved, close the backend."""
        if self.cancel() and self._turn is not None:
            with suppress(WorkerError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._turn.wait()), CANCEL_SECONDS)
        await self.choices.saved()
        if self._conversation is not None:
            await self._backend.aclose()

    def _begin(self, start: Starter) -> bool:
        if self._show.is_running:
            return False
        self.was_used = True
        self._show.begin(self._backend.encode_for(self.model))
        self._turn = self._work(self._run_turn(start), "turn", "one question and its answer")
        return True

    async def _open(self) -> None:
        self._backend.notices.extend(self._launch.warnings)
        try:
            await asyncio.to_thread(self._preload)
            await self._take_conversation(resume=self._launch.resume)
        finally:
            self._opened.set()  # a question that waits must hear of a failed start too
        await self._check_models(is_start=True)
        try:
            await self._backend.tidy()
        except StorageError as error:
            self._show.stage.transcript.add_note("warning", f"Old conversations were not deleted. {error}")

    def _preload(self) -> None:
        import_module("vllm_tui.accounting.meter")
        self._backend.preload()

    async def _open_new(self) -> None:
        self._show.load(())
        await self._take_conversation(resume=False)
        self._show.stage.hintline.say("new conversation")

    async def _take_conversation(self, *, resume: bool) -> None:
        notices = self._backend.notices
        try:
            self._conversation = await self._backend.open_conversation(resume=resume)
        except StorageError as error:
            self._conversation = await self._backend.open_unsaved()
            notices.append(f"This conversation is not saved. {error}")
        turns = self._conversation.turns
        if turns:
            self._show.load(turns)
        if resume and not turns:
            self._show.stage.hintline.say("no earlier conversation; this is a new one")
        self.was_used = self.was_used or bool(turns)
        self._prompt.past.load(turn.question.text for turn in turns)
        for notice in notices:
            self._show.stage.transcript.add_note("warning", notice)
        notices.clear()
        self._opened.set()

    async def _run_turn(self, start: Starter) -> None:
        await self._opened.wait()
        conversation = self._conversation
        if conversation is None:
            raise ConfigurationError("Nothing can be sent: the start failed, see the note above.")
        try:
            async with aclosing(start(conversation)) as events:
                async for event in events:
                    self._show.observe(event)
                    if isinstance(event, TurnFinished):
                        self._learn(event.error)
                    elif isinstance(event, Notice):
                        self.refusals[event.code] = event.message
        finally:
            if conversation.turns:
                self._show.settle(conversation.turns[-1])

    def _settings(self) -> TurnSettings:
        from vllm_tui.engine.turn_run import TurnSettings  # loads pydantic: not before the first frame

        return TurnSettings(
            model=self.model or None,
            effort=self.effort,
            system=self._launch.instructions,
            max_tool_rounds=self._launch.max_tool_rounds,
        )

    def _learn(self, error: VLLMError | None) -> None:
        if not isinstance(error, InvalidRequest) or not error.supported:
            return
        self.efforts.learn(self.model, error.supported)
        if self.effort is not None and self.effort not in self.efforts.levels(self.model):
            refused = self.effort
            self.use_effort(None)
            names = ", ".join(self.effort_names())
            self._show.stage.hintline.say(f"this model takes no effort {refused}; ^R offers {names}", "warning")

    async def _check_models(self, *, is_start: bool = False) -> None:
        stage = self._show.stage
        try:
            self.models = await self._backend.list_models()
        except VLLMError as error:
            self.models = ()
            if is_start and self._offer_server(error):
                self._rest(_NO_SERVER)
                return
            stage.transcript.add_note("error", f"{error} Then /connect asks again.")
            self._rest(_NO_SERVER)
            return
        choice = choose_model(self.model, self.models)
        wanted = self.model
        self.use_model(choice.model)
        if choice.verdict == "substituted":
            stage.transcript.add_note("warning", f"The server does not serve {wanted}. Using {choice.model}.")
        elif choice.verdict == "several":
            stage.transcript.add_note("warning", f"The server does not serve {wanted}. Choose a model: Ctrl+O.")
            self._ask_for_model()
        elif choice.verdict == "none":
            stage.transcript.add_note("error", "The server lists no model. Wait until it has loaded one; /connect.")
        if choice.verdict == "none":
            self._rest(_NO_MODEL)
        elif self._show.activity.outcome in (_NO_SERVER, _NO_MODEL):
            self._rest(READY)

    def _rest(self, outcome: Status) -> None:
        if not self._show.is_running:
            self._show.rest(outcome)

    def _work(self, work: Coroutine[None, None, None], group: str, description: str) -> Worker[None]:
        return self._screen.run_worker(
            work, name=group, group=group, exclusive=True, exit_on_error=False, description=description
        )
