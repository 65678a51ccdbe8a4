"""The talk with the server behind the chat screen: opening, asking, cancelling, models and efforts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.worker import Worker, WorkerError

from vllm_tui.domain.errors import ConfigurationError, StorageError, VLLMError
from vllm_tui.domain.events import Notice
from vllm_tui.engine.events import TurnFinished, TurnStarted
from vllm_tui.ui.calls.approvals import Approvals
from vllm_tui.ui.choices import Choices
from vllm_tui.ui.launch import Backend, Launch, OpenConversation
from vllm_tui.ui.partner import Partner
from vllm_tui.ui.turn_show import TurnShow
from vllm_tui.ui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.events import TurnEvent
    from vllm_tui.engine.turn_run import TurnSettings

Starter = Callable[[OpenConversation], "AsyncGenerator[TurnEvent, None]"]
"""What begins a turn."""

CANCEL_SECONDS = 3.0
"""How long leaving waits for a cancelled turn to be saved."""


class Dialogue(Partner):
    """One conversation at a time with one server; runs its work as workers of `screen`.

    `choices` remembers what the person changed for the next start.
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
        approvals: Approvals,
    ) -> None:
        super().__init__(screen, launch, backend, show, prompt, ask_for_model, offer_server)
        self.was_used = False
        self._conversation: OpenConversation | None = None
        self._opened = asyncio.Event()
        self._turn: Worker[None] | None = None
        self.choices = Choices(screen, backend, show.stage.hintline)
        self.approvals = approvals

    @property
    def is_open(self) -> bool:
        """Return whether the start is over."""
        return self._opened.is_set()

    def open(self) -> None:
        """Load what is heavy, open the conversation, and ask the server what it serves."""
        self._work(self._open(), "open", "open the conversation")

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
        self._work(self._open_tools(), "tools", "load the tools")
        await self._check_models(is_start=True)
        if self._launch.questions:
            self._work(self._ask_all(self._launch.questions), "questions", "ask the recorded questions")
        try:
            await self._backend.tidy()
        except StorageError as error:
            self._show.stage.transcript.add_note("warning", f"Old conversations were not deleted. {error}")

    def _preload(self) -> None:
        self._backend.use_approver(self.approvals, self._show.take_call)
        import_module("vllm_tui.accounting.meter")
        self._backend.preload()

    async def _ask_all(self, questions: Sequence[str]) -> None:
        """Ask one after the other; a turn that is cancelled ends the row."""
        for question in questions:
            if not self.ask(question) or self._turn is None:
                return
            try:
                await self._turn.wait()
            except WorkerError:
                return

    async def _open_tools(self) -> None:
        """Load tools beside everything else; an MCP server may take its time or be gone."""
        for note in await self._backend.open_tools():
            self._show.stage.transcript.add_note("warning", note)

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
                    if isinstance(event, TurnStarted) and self._backend.wire is not None:
                        self._backend.wire.about = event.turn.id
                    self._show.observe(event)
                    if isinstance(event, TurnFinished):
                        self._learn(event.error)
                    elif isinstance(event, Notice):
                        self.refusals[event.code] = event.message
        finally:
            if conversation.turns:
                self._show.settle(conversation.turns[-1])

    def _settings(self) -> TurnSettings:
        from vllm_tui.engine.turn_run import TurnSettings, tool_choice_of  # loads pydantic: not before the first frame

        return TurnSettings(
            model=self.model or None,
            effort=self.effort,
            system=self._launch.instructions,
            tool_choice=tool_choice_of(self._backend.settings.text_or_none("tool_choice")),
            max_tool_rounds=self._launch.max_tool_rounds,
        )
