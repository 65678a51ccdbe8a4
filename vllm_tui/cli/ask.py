"""`vllm-tui ask`: one turn without a screen, to standard output."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ConfigurationError, VLLMError
from vllm_tui.domain.hygiene import clean_line

if TYPE_CHECKING:
    from vllm_tui.cli.ask_output import Output
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.conversation import Conversation, TurnSettings
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.settings.layers import Settings
    from vllm_tui.tools.toolbox import CheckedToolbox

INTERRUPTED_BY_KEY = 130
BROKEN_PIPE = 141
TERMINATED = 143
OTHER_FAILURE = 1
EXIT_CODES: Mapping[str, int] = {
    "configuration": 2,
    "auth": 3,
    "access_denied": 3,
    "not_found": 4,
    "context_length": 5,
    "unavailable": 6,
    "rate_limit": 6,
    "server": 6,
    "connection": 6,
    "warming_up": 6,
    "timeout": 7,
    "interrupted": 8,
    "storage": 10,
    "request": 11,
    "invalid_request": 11,
    "content_filter": 11,
    "protocol": 12,
}
"""Exit code for each kind of error."""
TRUNCATED = 9
_VOCABULARY_SECONDS = 2.0
"""How long a question to gpt-oss may wait for the vocabulary; loading takes a tenth of a second."""

_EPILOG = """\
Text piped to standard input is put below the question; - stands for it alone.
No tools are offered unless --allow-tool names them; those run without asking.
The answer goes to standard output as it comes; reasoning, notes and errors go to standard error.
With --json every line is one event with its "type": turn_started, request_started, block_started, block_delta,
block_finished, retry_scheduled, continuation_started, prompt_counted, history_trimmed, notice, tool_run_started,
tool_run_finished, response_finished, turn_finished; error when no turn began.

Exit codes: 0 fine, 2 wrong settings or usage, 3 key refused, 4 no such model or path, 5 context window exceeded,
6 server unavailable, 7 timed out, 8 answer broke off, 9 answer cut at the output limit, 10 can't be saved,
11 request refused, 12 not a Responses API, 1 other failures, 130 Ctrl+C (what came is kept), 143 ended by a signal.
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be asked, and how it is kept."""

    question: str
    system: str | None = None
    is_saved: bool = True
    resume_last: bool = False
    is_demo: bool = False
    tools: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vllm-tui ask`."""
    parser.add_argument("question", nargs="*", metavar="QUESTION", help="what to ask; - reads standard input")
    parser.add_argument("--json", action="store_true", help="one event a line, as JSON")
    parser.add_argument("--show-reasoning", action="store_true", help="the model's reasoning on standard error")
    parser.add_argument("--system", metavar="TEXT", help="instructions for the model")
    parser.add_argument(
        "--allow-tool", action="append", metavar="NAME", default=[], help="offer and run this tool; repeatable"
    )
    parser.add_argument("--no-save", action="store_true", help="keep nothing on disk")
    parser.epilog = _EPILOG


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask, print the answer and return the exit code; raises ConfigurationError."""
    try:
        return _run(arguments, settings)
    except KeyboardInterrupt:
        return INTERRUPTED_BY_KEY
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    from vllm_tui.cli.ask_output import JsonOutput, TextOutput

    wish = Wish(
        question=read_question(arguments.question),
        system=arguments.system,
        is_saved=not arguments.no_save,
        resume_last=getattr(arguments, "resume_last", False),
        is_demo=getattr(arguments, "demo", False),
        tools=tuple(dict.fromkeys(arguments.allow_tool)),
    )
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    output: Output
    if arguments.json:
        output = JsonOutput(sys.stdout)
    else:
        output = TextOutput(sys.stdout, sys.stderr, show_reasoning=arguments.show_reasoning)
    return _run_loop(wish, settings, output)


def read_question(words: list[str]) -> str:
    """Return the question of the command line with piped text below it; raises ConfigurationError when empty."""
    asked = " ".join(word for word in words if word != "-").strip()
    is_piped = sys.stdin is not None and ("-" in words or not sys.stdin.isatty())
    piped = _read_standard_input() if is_piped else ""
    question = "\n\n".join(part for part in (asked, piped) if part)
    if not question:
        raise ConfigurationError("There is no question.", hint='Give one: vllm-tui ask "your question"')
    return question


def exit_code(turn: Turn, error: VLLMError | None) -> int:
    """Return the exit code for a turn that ended."""
    if error is not None:
        return EXIT_CODES.get(error.kind, OTHER_FAILURE)
    codes = {"completed": 0, "truncated": TRUNCATED, "interrupted": EXIT_CODES["interrupted"]}
    return codes.get(turn.status, OTHER_FAILURE)


async def ask(conversation: Conversation, question: str, settings: TurnSettings, output: Output) -> int:
    """Run one turn into `output` and return the exit code; a cancel keeps what came and is raised again."""
    from vllm_tui.engine.events import TurnFinished

    code = OTHER_FAILURE
    async with aclosing(conversation.ask(question, settings)) as events:
        async for event in events:
            output.show(event)
            if isinstance(event, TurnFinished):
                code = exit_code(event.turn, event.error)
    return code


def _read_standard_input() -> str:
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if "\ufffd" in text:
        print("note: the piped text is not UTF-8 throughout; what can't be read was replaced.", file=sys.stderr)
    return text.strip("\r\n")


def _run_loop(wish: Wish, settings: Settings, output: Output) -> int:
    ended_by_signal = False

    async def main() -> int:
        nonlocal ended_by_signal
        task = asyncio.current_task()
        assert task is not None

        def end() -> None:
            nonlocal ended_by_signal
            ended_by_signal = True
            task.cancel()

        with _ended_by(end):
            return await _converse(wish, settings, output)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        return TERMINATED if ended_by_signal else INTERRUPTED_BY_KEY
    except ConfigurationError:
        raise
    except VLLMError as error:
        output.fail(error)
        return EXIT_CODES.get(error.kind, OTHER_FAILURE)


@contextmanager
def _ended_by(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` on SIGTERM and SIGHUP, unless the caller had them ignored (nohup)."""
    loop = asyncio.get_running_loop()
    signals = [name for name in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(name) is not signal.SIG_IGN]
    for number in signals:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _converse(wish: Wish, settings: Settings, output: Output) -> int:
    from vllm_tui.accounting.ladder import is_harmony_model
    from vllm_tui.accounting.source import EncoderSource
    from vllm_tui.engine.conversation import Conversation, TurnSettings
    from vllm_tui.engine.memory import MemoryTranscript
    from vllm_tui.engine.turn_run import tool_choice_of
    from vllm_tui.store.conversations import ConversationStore
    from vllm_tui.tools.advice import ToolAdviser
    from vllm_tui.wiring.parts import SystemClock, build_provider, data_folder_of

    vocabulary = EncoderSource("ask")  # nobody is there to answer, so nothing is downloaded
    build = partial(build_provider, settings, demo=wish.is_demo, encoder=lambda: vocabulary.encoder)
    async with AsyncExitStack() as stack:
        toolbox = await stack.enter_async_context(_allowed_tools(wish, settings)) if wish.tools else None
        provider = await stack.enter_async_context(await asyncio.to_thread(build))
        latest: str | None = None
        turns: tuple[Turn, ...] = ()
        if wish.is_saved or wish.resume_last:
            store = await stack.enter_async_context(ConversationStore(data_folder_of(settings)))
            if (notice := await store.open()) is not None:
                print(f"note: {clean_line(notice)}", file=sys.stderr)
            if wish.resume_last and (latest := await store.latest_conversation()) is not None:
                turns = await store.load_conversation(latest)
        transcript = store if wish.is_saved else MemoryTranscript()
        conversation = Conversation(
            provider,
            transcript,
            SystemClock(),
            toolbox=toolbox,
            adviser=ToolAdviser(),
            conversation_id=latest,
            turns=turns,
        )
        model = await served_model(provider, settings)
        if is_harmony_model(model) and not wish.is_demo:
            vocabulary.start()
            await asyncio.to_thread(vocabulary.wait, _VOCABULARY_SECONDS)
        chosen = TurnSettings(
            model=model,
            effort=settings.text_or_none("reasoning"),
            system=wish.system or settings.text_or_none("instructions"),
            tool_choice=tool_choice_of(settings.text_or_none("tool_choice")),
            max_tool_rounds=settings.integer("max_tool_rounds"),
        )
        return await ask(conversation, wish.question, chosen, output)


@asynccontextmanager
async def _allowed_tools(wish: Wish, settings: Settings) -> AsyncIterator[CheckedToolbox]:
    """Open the tools of the settings; only those that were named are offered and run, and nobody is asked."""
    from vllm_tui.tools.toolbox import CheckedToolbox
    from vllm_tui.wiring.parts import data_folder_of
    from vllm_tui.wiring.tools import build_sources, check_names, limits_of, listed_policy

    sources = build_sources(settings, data_folder_of(settings), demo=wish.is_demo)
    try:
        await sources.open()
        for note in sources.registry.notes:
            print(f"note: {clean_line(note)}", file=sys.stderr)
        check_names(sources, wish.tools)
        yield CheckedToolbox(sources.registry, listed_policy(wish.tools), limits=limits_of(settings))
    finally:
        await sources.close()


async def served_model(provider: VLLMProvider, settings: Settings) -> str:
    """Return the model to ask: the configured one, or the one that is served when none was configured."""
    from vllm_tui.ui.model_choice import choose_model

    wanted = settings.text("default_model")
    if settings.origin("default_model").layer != "default":
        return wanted
    try:
        served = await provider.list_models()
    except VLLMError:
        return wanted  # the request itself will say what is wrong, with its retries
    choice = choose_model(wanted, served)
    if choice.verdict == "several":
        names = ", ".join(model.id for model in served)
        raise ConfigurationError(f"The server serves {clean_line(names)}.", hint="Choose one with --model.")
    if choice.verdict == "substituted":
        print(f"note: the server serves {clean_line(choice.model)}, which is used.", file=sys.stderr)
    return choice.model
