"""Every action of the chat in one table: its key, its slash command, its line in the palette and the help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["everywhere", "prompt", "transcript"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the person can do.

    `name` is the method `action_<name>` of the chat screen; empty for what a widget does by itself and only the
    help shows. `keys` are Textual key names, `label` is how the keys are written, `slash` the command without `/`,
    `argument` what may follow it.
    """

    name: str
    title: str
    keys: str = ""
    label: str = ""
    slash: str = ""
    argument: str = ""
    place: Place = "everywhere"


ACTIONS: tuple[Action, ...] = (
    Action("cancel", "Cancel; else transcript and back", "escape", "Esc", "cancel"),
    Action("help", "Help: every key and command", "f1", "F1", "help"),
    Action("palette", "All commands", "ctrl+p", "^P", "commands"),
    Action("effort", "Next reasoning effort", "ctrl+r", "^R", "effort", "[level]"),
    Action("thoughts", "Fold or unfold all reasoning", "ctrl+t", "^T", "thoughts"),
    Action("reasoning_mode", "Reasoning: show, collapse or hide", slash="reasoning", argument="[mode]"),
    Action("model", "Choose the model", "ctrl+o", "^O", "model", "[name]"),
    Action("settings", "Settings: every option", "f4", "F4", "settings", "[option]"),
    Action("profile", "Choose the profile (server)", slash="profile", argument="[name]"),
    Action("new", "New conversation", "ctrl+n", "^N", "new"),
    Action("sidebar", "Sidebar (from 100 columns)", "f9", "F9", "sidebar"),
    Action("figures", "Figures of all turns, their sources", "ctrl+g", "^G", "figures"),
    Action("theme", "Choose the theme", slash="theme", argument="[name]"),
    Action("again", "Answer the last question again", slash="again"),
    Action("go_on", "Continue an answer that was cut", slash="continue"),
    Action("copy_answer", "Copy the last answer", slash="copy"),
    Action("tokens", "Tokens of the last prompt and answer", "ctrl+l", "^L", "tokens"),
    Action("tools", "Tools: what is offered, tried, accepted", "f6", "F6", "tools"),
    Action("tool_choice", "Whether the model has to call a tool", slash="tool-choice", argument="[name]"),
    Action("calls", "Tool calls: arguments, checks, results", slash="calls"),
    Action("toolbench", "Tool bench: how well this model calls tools", slash="toolbench"),
    Action("wire", "Wire: requests and events as they crossed", "f7", "F7", "wire"),
    Action("vocab", "Fetch the vocabulary for exact counts", slash="vocab"),
    Action("connect", "Ask the server again what it serves", slash="connect"),
    Action("interrupt", "Cancel, clear the prompt, quit (twice)", "ctrl+c", "^C"),
    Action("quit", "Quit", "ctrl+q", "^Q", "quit"),
    Action("", "Send", label="Enter", place="prompt"),
    Action("", "New line (also Alt+Enter, \\ then Enter)", label="^J", place="prompt"),
    Action("", "Earlier and later questions, on the first and last line", label="↑ ↓", place="prompt"),
    Action("", "Send a text that begins with a slash", label="//", place="prompt"),
    Action("", "Block before, block after", label="↑ ↓ k j", place="transcript"),
    Action("", "Fold or unfold this block", label="Enter Space", place="transcript"),
    Action("", "Copy this block; copy a code block", label="y c", place="transcript"),
    Action("", "Inspect: figures, tokens, tool call", label="i", place="transcript"),
    Action("", "Start, end, pages", label="g G PgUp PgDn", place="transcript"),
)

PLACES: tuple[tuple[Place, str], ...] = (
    ("everywhere", "Everywhere"),
    ("prompt", "In the prompt"),
    ("transcript", "In the transcript (Esc or Tab)"),
)


def bound_actions() -> tuple[Action, ...]:
    """Return the actions that have a key of their own."""
    return tuple(action for action in ACTIONS if action.name and action.keys)


def action_for_slash(word: str) -> Action | None:
    """Return the action whose slash command is `word` (without the slash), None when there is none."""
    return next((action for action in ACTIONS if action.slash and action.slash == word), None)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A prompt that commands the program; `word` is without its slash, `argument` stripped."""

    word: str
    argument: str


def read_prompt(text: str) -> SlashCommand | str:
    """Return what a prompt means: a slash command, or the text to send. `//` stands for one literal slash.

    Only a prompt of one line whose first word is `/` and letters is a command, so that paths and code can be sent.
    """
    if text.startswith("//"):
        return text[1:]
    first, _, rest = text.strip().partition(" ")
    word = first[1:]
    if not first.startswith("/") or "\n" in text.strip() or not word.replace("-", "").isalpha():
        return text
    return SlashCommand(word.lower(), rest.strip())
