"""The command `vllm-tui`: reads the command line, loads settings, starts the screen or a sub-command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from vllm_tui.cli.crash import mask_tracebacks, secrets_of
from vllm_tui.cli.flags import add_option_flags, add_program_flags, option_flags
from vllm_tui.domain.errors import ConfigurationError, VLLMError
from vllm_tui.domain.hygiene import clean
from vllm_tui.settings.layers import Settings, Sources, load_settings
from vllm_tui.settings.paths import CONFIG_VARIABLE, config_path

FAILED = 1
"""Exit code for what could not be done."""

USAGE_ERROR = 2
"""Exit code for a wrong command line, wrong settings or a terminal that is not one."""

INTERRUPTED, BROKEN_PIPE = 130, 141
"""Exit codes after Ctrl+C and when the reader left, as shells have them."""


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command; its module has `add_arguments(parser)` and `run`.

    `run` takes the parsed arguments and the settings, or their sources where settings may be broken.
    """

    name: str
    module: str
    help: str
    takes_sources: bool = False


COMMANDS = (
    Command("ask", "vllm_tui.cli.ask", "ask one question and print the answer"),
    Command("toolbench", "vllm_tui.cli.toolbench", "measure how well a model calls tools"),
    Command("replay", "vllm_tui.cli.replay", "play a recorded session, with no server"),
    Command("tokens", "vllm_tui.cli.tokens", "count the tokens of a text or a request"),
    Command("vocab", "vllm_tui.cli.vocab", "show, install or verify vocabulary files"),
    Command("config", "vllm_tui.cli.config", "show, check or import settings", takes_sources=True),
)
"""The sub-commands; a module is loaded only when its command is given."""

_EPILOG = f"""\
In brackets: range, default and environment variable. A flag wins over the
environment, that over config.toml, that over the default. The word null means
not set. API keys have no flag, as other users could read it: set VLLM_API_KEY,
or api_key or api_key_command in config.toml. {CONFIG_VARIABLE} names another
config.toml; `vllm-tui config path` prints its place.
"""
_COMMAND_EPILOG = "All options that `vllm-tui --help` lists work here too."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0 fine, 1 failed, 2 wrong settings or usage, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser(words)
    _refuse_unknown_flags(parser, words)
    arguments = parser.parse_args(words)
    command = next((item for item in COMMANDS if item.name == getattr(arguments, "command", None)), None)
    try:
        sources = sources_of(arguments, os.environ)
        if command is None:
            return _run_screen(arguments, load(sources))
        run: Callable[..., int] = import_module(command.module).run
        return run(arguments, sources if command.takes_sources else load(sources))
    except VLLMError as error:
        print(f"vllm-tui: {clean(str(error))}", file=sys.stderr)
        return USAGE_ERROR if isinstance(error, ConfigurationError) else FAILED
    except BrokenPipeError:
        # The reader left (`| head`); what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def build_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for a command line; only sub-commands named in `words` are loaded."""
    parser = argparse.ArgumentParser(
        prog="vllm-tui",
        usage="vllm-tui [options] [command]",
        description="Chat with a vLLM server in the terminal.",
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
        add_help=False,
    )
    add_program_flags(parser)
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND", prog="vllm-tui")
    for item in COMMANDS:
        sub = commands.add_parser(
            item.name,
            help=item.help,
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=item.takes_sources,
            description=item.help[0].upper() + item.help[1:] + ".",
        )
        if item.name in words:
            import_module(item.module).add_arguments(sub)
            sub.epilog = f"{sub.epilog or ''}\n{_COMMAND_EPILOG}"
            if not item.takes_sources:
                add_program_flags(sub)
                add_option_flags(sub, hidden=True)
    add_option_flags(parser)
    return parser


def _refuse_unknown_flags(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """End with the nearest flag's name; argparse would take the value of an unknown flag for a command."""
    known = list(parser._option_string_actions)
    for word in words:
        if word == "--" or any(word == command.name for command in COMMANDS):
            return
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, n=1, cutoff=0.7)
            parser.error(f"there is no flag {clean(name)}" + (f"; did you mean {near[0]}?" if near else ""))


def sources_of(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Sources:
    """Return what settings are to be made of, from the command line and the environment."""
    named: str | None = getattr(arguments, "config", None)
    path = config_path(environ) if named is None else Path(named).expanduser().absolute()
    profile: str | None = getattr(arguments, "profile", None)
    return Sources(option_flags(arguments), dict(environ), path, profile)


def load(sources: Sources) -> Settings:
    """Return the settings made of `sources`, their keys masked in crashes; raises ConfigurationError."""
    settings = load_settings(sources.flags, sources.environ, sources.path, sources.profile)
    mask_tracebacks(secrets_of(settings))
    return settings


def _run_screen(arguments: argparse.Namespace, settings: Settings) -> int:
    require_terminal(os.environ)
    run_app: Callable[..., int] = import_module("vllm_tui.wiring.screen").run_app
    return run_app(
        settings, demo=getattr(arguments, "demo", False), resume_last=getattr(arguments, "resume_last", False)
    )


def require_terminal(environ: Mapping[str, str]) -> None:
    """Raise ConfigurationError when the screen can't be drawn here."""
    streams = {"output": sys.stdout, "input": sys.stdin, "error output": sys.stderr}  # Textual draws on the last
    closed = next((name for name, stream in streams.items() if stream is None or not stream.isatty()), None)
    reason = None if closed is None else f"standard {closed} is not a terminal"
    if reason is None and environ.get("TERM", "") in ("", "dumb", "unknown"):
        reason = f"the terminal (TERM={environ.get('TERM', '')}) can't place text"
    if reason is not None:
        raise ConfigurationError(
            f"The screen can't be drawn: {reason}.", hint='Without a screen use: vllm-tui ask "your question"'
        )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with a narrow column of flags."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        is_list_of_commands = action.nargs == argparse.PARSER
        return "".join(text.splitlines(keepends=True)[1:]) if is_list_of_commands else text
