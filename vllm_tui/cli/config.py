"""`vllm-tui config`: show settings with their origin, check files, import from other programs."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

from vllm_tui.cli.flags import add_option_flags, add_source_flags
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean, clean_line
from vllm_tui.settings.document import read_document
from vllm_tui.settings.importing import read_import
from vllm_tui.settings.layers import Settings, Sources, load_settings
from vllm_tui.settings.options import GROUPS, OPTIONS
from vllm_tui.settings.saving import save_edits, shown_difference
from vllm_tui.settings.secrets import masked, warnings_of
from vllm_tui.settings.table import options_markdown

CANCELLED = 1
"""Exit code when a person said no."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vllm-tui config`."""
    actions = parser.add_subparsers(dest="action", title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print every option with its value and origin", allow_abbrev=False)
    show.add_argument("--json", action="store_true", help="as one JSON object")
    path = actions.add_parser("path", help="print where config.toml is", allow_abbrev=False)
    check = actions.add_parser("check", help="say whether all settings are valid", allow_abbrev=False)
    options = actions.add_parser("options", help="print the table of options", allow_abbrev=False)
    options.add_argument("--markdown", action="store_true", help="as Markdown, as in the README")
    taking = actions.add_parser("import", help="take settings from a YAML or TOML file", allow_abbrev=False)
    taking.add_argument("file", metavar="FILE", help="Amplifier's YAML, or TOML")
    taking.add_argument("--yes", action="store_true", help="write without asking")
    for action in (show, path, check, taking):
        add_source_flags(action)
        add_option_flags(action, hidden=True)
    parser.epilog = "Exit codes: 0 fine, 1 nothing written, 2 wrong settings or usage."


def run(arguments: argparse.Namespace, sources: Sources) -> int:
    """Run one action and return its exit code; raises ConfigurationError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # masks are no ASCII
    match arguments.action:
        case "path":
            print(sources.path)
            return 0
        case "check":
            return _check(sources)
        case "options":
            print(options_markdown() if arguments.markdown else _plain_table(), end="")
            return 0
        case "import":
            return _import(Path(arguments.file), sources, write=arguments.yes)
        case _:
            settings = _load(sources, sources.profile)
            print(_as_json(settings) if arguments.json else _as_text(settings))
            return 0


def _load(sources: Sources, profile: str | None) -> Settings:
    return load_settings(sources.flags, sources.environ, sources.path, profile)


def _check(sources: Sources) -> int:
    settings = _load(sources, sources.profile)
    warnings = list(warnings_of(settings))
    for profile in settings.profiles:
        warnings += warnings_of(_load(sources, profile.name))
    for warning in dict.fromkeys(warnings):
        print(f"warning: {clean_line(warning)}", file=sys.stderr)
    there = sources.path is not None and sources.path.exists()
    names = ", ".join(profile.name for profile in settings.profiles)
    print(clean_line(f"{sources.path}: {'fine' if there else 'not there; defaults hold'}"))
    if names:
        print(clean_line(f"profiles, preferred first: {names}"))
    return 0


def _as_text(settings: Settings) -> str:
    wide = max(len(option.name) for option in OPTIONS)
    lines = [f"file     {settings.document.path}", f"profile  {settings.profile or '(none)'}"]
    for group in GROUPS:
        lines += ["", group]
        for option in OPTIONS:
            if option.group == group:
                origin = settings.origin(option.name)
                place = origin.layer if origin.layer == "default" else f"{origin.layer}: {origin.where}"
                lines.append(f"  {option.name:{wide}}  {_shown(settings, option.name)}  ({place})")
    return "\n".join(clean_line(line) if not line.startswith("  ") else "  " + clean(line[2:]) for line in lines)


def _shown(settings: Settings, name: str) -> str:
    value = masked(name, settings.value(name))
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else settings.shown(name)


def _as_json(settings: Settings) -> str:
    options: dict[str, object] = {}
    for option in OPTIONS:
        origin = settings.origin(option.name)
        value = masked(option.name, settings.value(option.name))
        options[option.name] = {"value": value, "layer": origin.layer, "where": origin.where}
    whole = {
        "path": str(settings.document.path),
        "profile": settings.profile,
        "profiles": [profile.name for profile in settings.profiles],
        "options": options,
    }
    return json.dumps(whole, indent=2)


def _plain_table() -> str:
    lines: list[str] = []
    for option in OPTIONS:
        ways = ", ".join(way for way in (option.flag_name, option.environment) if way)
        lines.append(f"{option.name}: {option.help} ({ways})\n")
    return "".join(lines)


def _import(file: Path, sources: Sources, *, write: bool) -> int:
    document = read_document(sources.path)
    plan = read_import(file, document)
    if plan.left_out:
        print("Not for this program, left out: " + ", ".join(plan.left_out), file=sys.stderr)
    difference = shown_difference(document, plan.edits)
    if not difference:
        print(f"Nothing to do: {document.path} already holds all of it.")
        return 0
    print(clean(difference))
    if document.has_comments:
        print(f"Comments in {document.path} do not survive; the file is kept as {document.path}.bak.", file=sys.stderr)
    if not write and not _is_agreed(str(document.path)):
        print("Nothing was written.")
        return CANCELLED
    saved = save_edits(document, plan.edits, sources.environ)
    print(f"Written: {saved.path}")
    return 0


def _is_agreed(path: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError("Nobody can be asked: standard input is not a terminal.", hint="Add --yes to write.")
    try:
        return input(f"Write this to {clean_line(path)}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
