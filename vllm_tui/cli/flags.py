"""Command-line flags made from the options table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from vllm_tui import __version__
from vllm_tui.settings.kinds import format_value, parse_text, range_of
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.options import GROUPS, OPTIONS

_METAVARS = {"text": "TEXT", "url": "URL", "integer": "N", "number": "X", "list": "TEXT", "mapping": "JSON"}


def add_option_flags(parser: argparse.ArgumentParser, *, hidden: bool = False) -> None:
    """Add a flag for every option, grouped; `hidden` leaves them out of the parser's help.

    A flag that the parser has already is left as it is.
    """
    taken = set(parser._option_string_actions)
    for group in GROUPS:
        title = parser.add_argument_group(None if hidden else group)
        for option in OPTIONS:
            if option.group == group and option.flag_name is not None and option.flag_name not in taken:
                _add_flag(title, option, hidden)


def add_program_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the program that are no options."""
    nothing, group = argparse.SUPPRESS, parser.add_argument_group("program")
    group.add_argument("-h", "--help", action="help", help="show this help")
    group.add_argument("--version", action="version", version=f"vllm-tui {__version__}", help="print the version")
    group.add_argument("--demo", action="store_true", default=nothing, help="talk to the built-in demo server")
    group.add_argument(
        "-c",
        "--continue",
        dest="resume_last",
        action="store_true",
        default=nothing,
        help="go on with the last conversation",
    )
    add_source_flags(group)


def add_source_flags(parser: argparse._ActionsContainer) -> None:
    """Add the flags that say which file and profile are read."""
    nothing = argparse.SUPPRESS
    parser.add_argument("--profile", metavar="NAME", default=nothing, help="use this server of config.toml")
    parser.add_argument("--config", metavar="FILE", default=nothing, help="read this file instead of config.toml")


def option_flags(arguments: argparse.Namespace) -> dict[str, OptionValue]:
    """Return the option flags among parsed `arguments` by option name; texts are not yet checked."""
    given: Mapping[str, object] = vars(arguments)
    return {option.name: _flag_value(option, given[option.name]) for option in OPTIONS if option.name in given}


def option_help(option: Option) -> str:
    """Return the help of an option with its range, default and environment variable."""
    notes = [range_of(option), _default_of(option), option.environment]
    if option.kind == "list":
        notes.insert(0, "command line or JSON list" if option.command else "repeatable")
    return f"{option.help} [{'; '.join(note for note in notes if note)}]".replace("%", "%%")


def _default_of(option: Option) -> str:
    if option.default is None:
        return "not set"
    measure = f" {option.unit}" if option.unit else ""
    return format_value(option.default).removesuffix(".0") + measure


def _add_flag(group: argparse._ArgumentGroup, option: Option, hidden: bool) -> None:
    name = option.flag_name or ""
    text = argparse.SUPPRESS if hidden else option_help(option)
    if option.kind == "switch":
        group.add_argument(
            name, dest=option.name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
        )
        return
    group.add_argument(
        name,
        dest=option.name,
        metavar="|".join(option.choices) if option.choices else _METAVARS[option.kind],
        action="append" if option.kind == "list" else "store",
        default=argparse.SUPPRESS,
        help=text,
    )


def _flag_value(option: Option, given: object) -> OptionValue:
    if isinstance(given, bool):
        return given
    if isinstance(given, list):
        return _joined(option, [str(item) for item in given])
    return str(given)


def _joined(option: Option, texts: Sequence[str]) -> OptionValue:
    if len(texts) == 1:
        return texts[0]
    parts = [parse_text(option, text) for text in texts]
    return tuple(item for part in parts if isinstance(part, tuple) for item in part)
