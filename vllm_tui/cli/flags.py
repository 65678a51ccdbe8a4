"""Command-line flags made from the options table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from vllm_tui.settings.kinds import allowed_values, format_value, parse_text
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.options import GROUPS, OPTIONS

_METAVARS = {"text": "TEXT", "url": "URL", "integer": "N", "number": "X", "list": "TEXT", "mapping": "JSON"}


def add_option_flags(parser: argparse.ArgumentParser, *, hidden: bool = False) -> None:
    """Add a flag for every option, grouped; `hidden` leaves them out of the parser's help."""
    for group in GROUPS:
        title = parser.add_argument_group(None if hidden else group)
        for option in OPTIONS:
            if option.group == group and option.flag_name is not None:
                _add_flag(title, option, hidden)


def option_flags(arguments: argparse.Namespace) -> dict[str, OptionValue]:
    """Return the option flags among parsed `arguments` by option name; texts are not yet checked."""
    given: Mapping[str, object] = vars(arguments)
    return {option.name: _flag_value(option, given[option.name]) for option in OPTIONS if option.name in given}


def option_help(option: Option) -> str:
    """Return the help of an option with what it takes, its default and its environment variable."""
    takes = "" if option.kind in ("switch", "choice", "text", "url") else f" Takes {allowed_values(option)}."
    if option.kind == "choice" and option.nullable:
        takes = " Or null."
    default = "not set" if option.default is None else format_value(option.default)
    where = f"{option.environment}" if option.flag_name else f"only {option.environment} or the file"
    return f"{option.help}{takes} [{default}; {where}]".replace("%", "%%")


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
