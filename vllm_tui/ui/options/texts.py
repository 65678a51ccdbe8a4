"""What the settings screen writes: a row, the list of groups, the help of an option, the checks of a server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from textual.content import Content

from vllm_tui.settings.kinds import format_value
from vllm_tui.settings.layers import LayerName, Settings
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.secrets import masked
from vllm_tui.settings.table import takes
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.options.verdicts import Verdict

if TYPE_CHECKING:
    from vllm_tui.domain.checks import Check, CheckState

LETTERS: dict[LayerName, str] = {"default": "d", "file": "f", "environment": "e", "flag": "c", "session": "s"}
LEGEND = "d default   f file   e environment   c flag   s this session"
NAME_WIDTH = 22
_END_WIDTH = 5
_LABEL_WIDTH = 9
_BROAD = 60
"""From this width on the help is written side by side, as it has few rows then."""

_UNITS = {"seconds": "s"}
_CHECK_MARKS: dict[CheckState, tuple[str, str]] = {
    "ok": ("✓", "$success"),
    "warn": ("!", "$warning"),
    "fail": ("✗", "$error"),
    "skipped": ("·", "$quiet"),
}


def not_set(option: Option) -> str:
    """Return the words for an option without a value."""
    return "not sent" if option.sent else "not set"


def value_words(option: Option, settings: Settings) -> str:
    """Return an option's value for people: on one line, secrets masked, with its unit."""
    value = settings.value(option.name)
    if value is None:
        return not_set(option)
    match value:
        case bool():
            return "on" if value else "off"
        case int() | float():
            unit = _UNITS.get(option.unit, option.unit)
            number = f"{value:,}" if isinstance(value, int) else format_value(value)
            return f"{number} {unit}".rstrip()
        case _:
            return settings.shown(option.name)


def choices_of(option: Option, models: Sequence[str] = ()) -> tuple[OptionValue, ...]:
    """Return the values an option steps through, not set first; none for options that are typed."""
    unset: tuple[OptionValue, ...] = (None,) if option.nullable else ()
    if option.kind == "switch":
        return (*unset, False, True)
    if option.kind == "choice":
        return (*unset, *option.choices)
    return tuple(models) if option.name == "default_model" else ()


def row_line(
    option: Option,
    settings: Settings,
    width: int,
    *,
    is_changed: bool = False,
    is_focused: bool = False,
    is_bad: bool = False,
    choices: Sequence[OptionValue] = (),
) -> Content:
    """Return the row of an option, `width` columns wide: name, value, what is amiss or changed, and the layer."""
    name = Content.styled(option.name.ljust(NAME_WIDTH), "bold" if is_focused else "")
    room = max(width - 2 - NAME_WIDTH - _END_WIDTH, 6)
    value = _stepped(option, settings, choices, room) if is_focused and choices else _plain_value(option, settings)
    value = value.truncate(room, ellipsis=True)
    fill = " " * max(room - value.cell_length, 0)
    end = Content.assemble(
        " ",
        ("!" if is_bad else " ", "bold $warning"),
        ("•" if is_changed else " ", "bold $accent"),
        " ",
        (LETTERS[settings.origin(option.name).layer], "$quiet" if not is_changed else "bold $accent"),
    )
    return Content.assemble(("▸ " if is_focused else "  ", "bold $accent"), name, value, fill, end)


def _plain_value(option: Option, settings: Settings) -> Content:
    words = shown_line(value_words(option, settings))
    return Content.styled(words, "$quiet" if settings.value(option.name) is None else "")


def _stepped(option: Option, settings: Settings, choices: Sequence[OptionValue], room: int) -> Content:
    """Return all choices with the chosen one marked; only that one between arrows when they don't fit."""
    current = settings.value(option.name)
    words = [choice_words(option, choice) for choice in choices]
    place = next((at for at, choice in enumerate(choices) if is_same(choice, current)), None)
    whole = _all_choices(words, place)
    if whole.cell_length <= room:
        return whole
    count = f"{len(choices)} choices" if place is None else f"{place + 1} of {len(choices)}"
    shown = shown_line(choice_words(option, current))
    return Content.assemble(("◂ ", "$accent"), (shown, "bold $accent"), (" ▸  ", "$accent"), (count, "$quiet"))


def _all_choices(words: Sequence[str], place: int | None) -> Content:
    """Return the words side by side; the marks around the chosen one take the place of the gaps, so nothing moves."""
    parts: list[Content] = []
    for at, word in enumerate(words):
        gap = "‹" if at == place else "›" if place is not None and at == place + 1 else " "
        parts.append(Content.assemble((gap, "bold $accent"), (word, "bold $accent" if at == place else "$quiet")))
    end = Content.styled("›" if place == len(words) - 1 else "", "bold $accent")
    return Content("").join([*parts, end])


def is_same(one: OptionValue, other: OptionValue) -> bool:
    """Return whether two values are the same choice; true and 1 are not."""
    return one == other and type(one) is type(other)


def choice_words(option: Option, value: OptionValue) -> str:
    """Return one choice as a word."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return not_set(option) if value is None else shown_line(str(value))


def groups_text(groups: Sequence[str], changes: Mapping[str, int], current: str, width: int) -> Content:
    """Return the list of groups with the number of changes in each."""
    rows: list[Content] = []
    for group in groups:
        count = f"•{changes[group]}" if changes.get(group) else ""
        style = "bold $accent" if group == current else ""
        label = Content.styled(("▸ " if group == current else "  ") + group, style)
        rows.append(Content.assemble(label.truncate(width - 3, ellipsis=True, pad=True), (count.rjust(3), "$accent")))
    return Content("\n").join(rows)


def help_text(
    option: Option, settings: Settings, judged: Verdict | None, width: int, models: Sequence[str] = ()
) -> Content:
    """Return everything about an option: what it does and takes, where its value is from and what is sent."""
    lines: list[Content] = [Content.styled(option.name, "bold $accent"), Content(option.help)]
    if width >= _BROAD:
        lines = [Content("  ").join(lines)]
    if judged is not None:
        mark = "! " if judged.is_bad else ""
        lines.append(Content.styled(mark + shown_line(judged.text), "bold $warning" if judged.is_bad else "$success"))
    if width >= _BROAD:
        lines += [*_broad_facts(option, settings), _sent(option, settings, indent=None)]
    else:
        facts = [row for label, text in _facts(option, settings) for row in _hung(label, text, width)]
        lines += [Content(""), *facts, Content(""), _sent(option, settings, indent=1)]
    if option.name == "default_model" and models:
        lines += [Content(""), Content.styled("served here", "$quiet"), *(Content(shown_line(name)) for name in models)]
    return Content("\n").join(lines)


def _hung(label: str, text: str, width: int) -> list[Content]:
    """Return a fact with its label in front and all its rows under each other."""
    rows = wrap(text, max(width - _LABEL_WIDTH, 8), break_on_hyphens=False) or [""]
    first = Content.assemble((label.ljust(_LABEL_WIDTH), "$quiet"), rows[0])
    return [first, *(Content(" " * _LABEL_WIDTH + row) for row in rows[1:])]


def _broad_facts(option: Option, settings: Settings) -> list[Content]:
    """Return the facts side by side, those that belong together on one row."""
    facts = dict(_facts(option, settings))
    rows = (("value", "set by", "below it"), ("takes", "range", "default"), ("env", "flag", "applies"))
    return [
        Content("   ").join(
            Content.assemble((label + " ", "$quiet"), facts[label]) for label in labels if label in facts
        )
        for labels in rows
    ]


def _facts(option: Option, settings: Settings) -> list[tuple[str, str]]:
    origin = settings.origin(option.name)
    default = not_set(option) if option.default is None else format_value(option.default)
    where = origin.where.rpartition("/")[2] if origin.layer == "file" else origin.where
    facts = [("value", value_words(option, settings)), ("set by", where or origin.layer)]
    if origin.layer != "default":
        below = settings.below(option.name)
        words = not_set(option) if below.value is None else masked_words(option, below.value)
        facts.append(("below it", f"{words} ({below.origin.layer})"))
    facts += [("takes", takes(option)), ("default", default), ("env", option.environment)]
    facts += [("flag", option.flag_name)] if option.flag_name else []
    when = "at the next start" if option.restart else "from the next turn" if _is_asked(option) else "at once"
    return [(label, shown_line(text)) for label, text in (*facts, ("applies", when))]


def _is_asked(option: Option) -> bool:
    return not option.local or option.name in ("instructions", "max_tool_rounds", "api_key_command")


def masked_words(option: Option, value: OptionValue) -> str:
    """Return a value that is not in force on one line, secrets masked."""
    hidden = masked(option.name, value)
    return hidden if isinstance(hidden, str) else json.dumps(hidden, ensure_ascii=False)


def _sent(option: Option, settings: Settings, indent: int | None) -> Content:
    """Return what the request holds because of this option, as JSON."""
    fragment = sent_fragment(option, settings)
    label = "sent as".ljust(_LABEL_WIDTH) if indent else "sent as "
    if fragment is None:
        return Content.assemble((label, "$quiet"), "nothing" if option.sent else "not part of the request")
    lines = [shown_line(row) for row in json.dumps(fragment, ensure_ascii=False, indent=indent).splitlines()]
    between = "\n" if indent else ""
    return Content.assemble((label, "$quiet"), between, "\n".join(lines))


def sent_fragment(option: Option, settings: Settings) -> object:
    """Return the part of the next request's body that this option makes, None when it makes none."""
    if option.sent.startswith("reasoning."):
        effort, summary = settings.value("reasoning"), settings.value("reasoning_summary")
        return None if effort is None else {"reasoning": {"effort": effort, "summary": summary}}
    if option.name == "resume" and not settings.is_on("enable_state"):
        return None
    fragment = option.sent_as(settings.value(option.name))
    if fragment is not None and option.name == "top_logprobs":
        return {**fragment, "include": ["message.output_text.logprobs"]}
    return fragment


def checks_text(checks: Sequence[Check], *, is_running: bool) -> Content:
    """Return the checks of a server in order, each with its fact, its time and what to do."""
    lines: list[Content] = [Content.styled("test" + (" …" if is_running else ""), "bold $accent")]
    for check in checks:
        mark, style = _CHECK_MARKS[check.state]
        took = f"  {check.seconds * 1000:.0f} ms" if check.seconds else ""
        fact = shown_line(check.fact)
        lines.append(Content.assemble((f"{mark} ", style), (f"{check.name}  ", "$quiet"), fact, (took, "$quiet")))
        if check.remedy and check.state in ("warn", "fail"):
            lines.append(Content.styled(f"  → {shown_line(check.remedy)}", style))
    return Content("\n").join(lines)
