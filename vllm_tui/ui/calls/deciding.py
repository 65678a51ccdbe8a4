"""Turns a key into a decision about a waiting call, asking for what the decision still needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from vllm_tui.domain.tool_runs import (
    AnswerByHand,
    ArgumentPattern,
    Refuse,
    RunAlways,
    RunEdited,
    RunOnce,
)
from vllm_tui.ui.calls.texts import json_text
from vllm_tui.ui.content import shown_line

if TYPE_CHECKING:
    from textual.app import App

    from vllm_tui.domain.tool_runs import CallRequest, ToolCatalog
    from vllm_tui.domain.values import JsonObject
    from vllm_tui.ui.calls.approvals import Waiting

Way = Literal["once", "always", "edit", "hand", "refuse"]
"""What the person may do with a waiting call."""

KEYS: tuple[tuple[str, str, Way], ...] = (
    ("a", "once", "once"),
    ("A", "always", "always"),
    ("e", "edit", "edit"),
    ("w", "by hand", "hand"),
    ("d", "refuse", "refuse"),
)
"""The keys of a waiting call."""


def possible(request: CallRequest) -> tuple[tuple[str, str, Way], ...]:
    """Return the keys that do something for this call."""
    return tuple(key for key in KEYS if not why_not(request, key[2]))


def why_not(request: CallRequest, way: Way) -> str:
    """Say why a call can't go this way, empty when it can."""
    if request.tool.by_hand and way in ("once", "always", "edit"):
        return "there is no program behind this tool; w answers by hand"
    if request.arguments is None and way in ("once", "always"):
        return "the arguments can't be read; e mends them, w answers by hand, d refuses"
    return ""


def decide(app: App[int], entry: Waiting, way: Way, tools: ToolCatalog | None) -> str:
    """Settle a waiting call, or open what asks for the rest; return what to say when it can't be done."""
    request = entry.request
    problem = why_not(request, way)
    if problem:
        return problem
    match way:
        case "once":
            entry.settle(RunOnce(request.fingerprint))
        case "always":
            _ask_pattern(app, entry)
        case "edit":
            _ask_arguments(app, entry, tools)
        case "hand":
            _ask_answer(app, entry)
        case "refuse":
            _ask_reason(app, entry)
    return ""


def patterns_of(request: CallRequest) -> tuple[tuple[str, ArgumentPattern], ...]:
    """Return what may be allowed for the session, narrowest first: exactly this, or any text in one place or all."""
    arguments = request.arguments or {}
    texts = [name for name, value in arguments.items() if isinstance(value, str)]
    found = [("exactly these arguments", ArgumentPattern(exact=dict(arguments)))]
    for name in texts:
        rest = {key: value for key, value in arguments.items() if key != name}
        found.append((f"any {name}, the rest as here", ArgumentPattern(exact=rest, globs={name: "*"})))
    if len(texts) > 1:
        rest = {key: value for key, value in arguments.items() if key not in texts}
        found.append(("any text in every place", ArgumentPattern(exact=rest, globs=dict.fromkeys(texts, "*"))))
    return tuple(found)


def _ask_pattern(app: App[int], entry: Waiting) -> None:
    from vllm_tui.ui.screens.pick import Choice, PickScreen

    request = entry.request
    patterns = patterns_of(request)
    choices = [Choice(str(number), label) for number, (label, _) in enumerate(patterns)]
    note = f"Run {request.tool.title} now and, until the program ends, without asking for:"

    def chosen(value: str | None) -> None:
        if value is not None:
            entry.settle(RunAlways(request.fingerprint, patterns[int(value)][1]))

    app.push_screen(PickScreen("arguments …", choices, note=note), chosen)


def _ask_arguments(app: App[int], entry: Waiting, tools: ToolCatalog | None) -> None:
    request = entry.request
    text = json_text(request.arguments) if request.arguments is not None else (request.call.raw_arguments or "")
    edit_arguments(app, request.tool.name, text, tools, lambda arguments: entry.settle(RunEdited(arguments)))


def edit_arguments(
    app: App[int], name: str, text: str, tools: ToolCatalog | None, run: Callable[[JsonObject], None]
) -> None:
    """Let the person change arguments, checked as they type; `run` gets them when they are accepted."""
    from vllm_tui.ui.screens.write import ArgumentsScreen

    def written(arguments: JsonObject | None) -> None:
        if arguments is not None:
            run(arguments)

    app.push_screen(ArgumentsScreen(name, text, tools), written)


def _ask_answer(app: App[int], entry: Waiting) -> None:
    from vllm_tui.ui.screens.write import HandAnswerScreen

    def written(answer: AnswerByHand | None) -> None:
        if answer is not None:
            entry.settle(answer)

    app.push_screen(HandAnswerScreen(shown_line(entry.request.tool.title)), written)


def _ask_reason(app: App[int], entry: Waiting) -> None:
    from vllm_tui.ui.screens.write import ReasonScreen

    def written(reason: str | None) -> None:
        if reason is not None:
            entry.settle(Refuse(reason))

    app.push_screen(ReasonScreen(shown_line(entry.request.tool.title)), written)
