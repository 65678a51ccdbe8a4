"""The turn loop: record the question, ask, fold, record the answer, run tools, ask again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from vllm_tui.domain.blocks import Block
from vllm_tui.domain.errors import StorageError, StreamInterrupted, VLLMError
from vllm_tui.domain.events import Notice
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Turn, TurnStatus
from vllm_tui.engine.events import TurnEvent, TurnFinished, TurnStarted
from vllm_tui.engine.history import past_messages
from vllm_tui.engine.ports import Adviser, Clock, Provider, Toolbox, Transcript
from vllm_tui.engine.turn_run import MAX_TOOL_ROUNDS, TurnRun, TurnSettings, World

CANCEL_SECONDS = 1.0
"""How long a cancelled turn waits for its save; the save itself always goes on."""


class Conversation:
    """One conversation: its turns, and how to add the next one. One turn runs at a time; a second waits for it.

    Use `aclosing` around the generators, so that leaving the loop early ends the request and keeps what came.
    """

    def __init__(
        self,
        provider: Provider,
        transcript: Transcript,
        clock: Clock,
        *,
        toolbox: Toolbox | None = None,
        adviser: Adviser | None = None,
        conversation_id: str | None = None,
        turns: Sequence[Turn] = (),
    ) -> None:
        self.id = conversation_id or uuid.uuid4().hex
        self.turns: list[Turn] = list(turns)
        self._world = World(provider, transcript, clock, toolbox, adviser)
        self._turn_lock = asyncio.Lock()
        self._saves: dict[str, asyncio.Task[None]] = {}
        self._unsaved: dict[str, Turn] = {}

    @property
    def can_continue(self) -> bool:
        """Return whether the last answer was cut and the model could go on with it."""
        return (
            bool(self.turns) and bool(self.turns[-1].rounds) and self.turns[-1].status not in ("running", "completed")
        )

    async def ask(
        self, question: str | Sequence[Block], settings: TurnSettings | None = None
    ) -> AsyncGenerator[TurnEvent, None]:
        """Ask `question` and yield the events of the turn; TurnFinished is last.

        Errors of the provider end the turn as events. StorageError is raised when the question can't be kept.
        Cancelling the caller ends the request, keeps what came, and is raised again.
        """
        content = question if isinstance(question, str) else tuple(question)
        async with self._turn_lock:
            turn = self._new_turn(Message(role="user", content=content), settings, self.turns)
            async with aclosing(self._run(turn, settings, self.turns, TurnStarted(turn))) as events:
                async for event in events:
                    yield event

    async def retry(self, settings: TurnSettings | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Ask the last question again, as `ask` does; the turn before stays on disk as an alternative."""
        async with self._turn_lock:
            *before, last = self.turns
            turn = self._new_turn(last.question, settings, before)
            async with aclosing(self._run(turn, settings, before, TurnStarted(turn, replaced=last.id))) as events:
                async for event in events:
                    yield event

    async def continue_answer(self, settings: TurnSettings | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Let the model go on with the last answer, which was cut; events as of `ask`, within the same turn."""
        async with self._turn_lock:
            *before, last = self.turns
            turn = last.model_copy(update={"status": "running", "error": None})
            async with aclosing(self._run(turn, settings, before, TurnStarted(turn, is_resumed=True))) as events:
                async for event in events:
                    yield event

    def history(self) -> tuple[Message, ...]:
        """Return the messages of all turns as the next request will bring them; unanswered questions are left out."""
        return past_messages(self.turns)

    async def settle(self) -> None:
        """Wait for saves under way and repeat those that failed; raises StorageError when they fail again."""
        if self._saves:
            await asyncio.wait(set(self._saves.values()))
        for turn in list(self._unsaved.values()):
            await self._world.transcript.finish_turn(turn)
            self._unsaved.pop(turn.id, None)

    def _new_turn(self, question: Message, settings: TurnSettings | None, before: Sequence[Turn]) -> Turn:
        chosen = settings or TurnSettings()
        return Turn(
            id=uuid.uuid4().hex,
            conversation_id=self.id,
            parent_id=before[-1].id if before else None,
            question=question,
            model=chosen.model or "",
            effort=chosen.effort,
            created=self._world.clock.now(),
        )

    async def _run(
        self, turn: Turn, settings: TurnSettings | None, before: Sequence[Turn], started: TurnStarted
    ) -> AsyncGenerator[TurnEvent, None]:
        await self._start(turn)
        past = list(before)
        self.turns = [*past, turn]
        run = TurnRun(self._world, settings or TurnSettings(), past_messages(past), turn)
        status: TurnStatus = "failed"
        error: VLLMError | None = None
        is_cancelled = True
        try:
            yield started
            async with aclosing(self._watched(run)) as events:
                async for event in events:
                    yield event
            status, is_cancelled = run.status, False
        except VLLMError as failure:
            error, is_cancelled = failure, False
            status = "interrupted" if isinstance(failure, StreamInterrupted) else "failed"
            for notice in run.advice(failure):
                yield notice
        except (asyncio.CancelledError, GeneratorExit):
            status = "cancelled"
            raise
        finally:
            run.close(status, error)
            self.turns[-1] = run.turn
            problem = await self._finish(run.turn, CANCEL_SECONDS if is_cancelled else None)
        if problem is not None:
            yield Notice("not_saved", f"This turn is not saved. {problem}")
        yield TurnFinished(run.turn, error)

    async def _watched(self, run: TurnRun) -> AsyncGenerator[TurnEvent, None]:
        """Yield the events of `run`, and say once when its progress can't be kept."""
        is_told = False
        async with aclosing(run.rounds()) as events:
            async for event in events:
                yield event
                problem = self._world.transcript.problem
                if problem is not None and not is_told:
                    is_told = True
                    yield Notice("not_saved", f"The answer is not being saved; it will be tried again. {problem}")

    async def _start(self, turn: Turn) -> None:
        await self.settle()
        try:
            await self._world.transcript.start_turn(turn)
        except asyncio.CancelledError:
            await self._finish(turn.model_copy(update={"status": "cancelled"}), CANCEL_SECONDS)
            raise

    async def _finish(self, turn: Turn, patience: float | None) -> StorageError | None:
        """Save the turn as it ended; a cancel stops the waiting, never the save. Return why it failed."""
        saving = asyncio.ensure_future(self._world.transcript.finish_turn(turn))
        self._saves[turn.id] = saving
        self._unsaved[turn.id] = turn
        saving.add_done_callback(lambda task: self._note_saved(turn, task))
        done, _ = await asyncio.wait({saving}, timeout=patience)
        problem = saving.exception() if done else None
        if problem is None or isinstance(problem, StorageError):
            return problem
        raise problem

    def _note_saved(self, turn: Turn, saving: asyncio.Task[None]) -> None:
        if self._saves.get(turn.id) is saving:
            del self._saves[turn.id]
        if not saving.cancelled() and saving.exception() is None and self._unsaved.get(turn.id) is turn:
            del self._unsaved[turn.id]


__all__ = ["MAX_TOOL_ROUNDS", "Conversation", "TurnSettings"]
