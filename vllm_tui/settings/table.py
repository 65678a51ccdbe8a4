"""The options table as Markdown, for the README: `python -m vllm_tui.settings.table` prints it."""

from __future__ import annotations

import json

from vllm_tui.settings.kinds import format_value, range_of
from vllm_tui.settings.option import Option
from vllm_tui.settings.options import GROUPS, OPTIONS

START, END = "<!-- options -->", "<!-- /options -->"
"""The marks around the table in the README."""


def options_markdown() -> str:
    """Return one Markdown table for each group of options."""
    parts: list[str] = []
    for group in GROUPS:
        rows = [_row(option) for option in OPTIONS if option.group == group]
        head = ["| option | takes | default | flag, environment | what it does |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"### {group}", "", *head, *rows]))
    return "\n\n".join(parts) + "\n"


def takes(option: Option) -> str:
    """Say briefly what an option takes, such as `number, 0 to 1` or `ask, always, never`."""
    match option.kind:
        case "choice":
            return ", ".join(option.choices)
        case "switch":
            return "true, false"
        case "mapping":
            return "JSON"
        case "integer" | "number":
            name = "whole number" if option.kind == "integer" else "number"
            return ", ".join(part for part in (name, range_of(option), option.unit) if part)
        case _:
            return {"url": "address", "list": "list of texts"}.get(option.kind, option.kind)


def sent_field(option: Option) -> str:
    """Return the request field that an option becomes, with `…` for its value; empty when it is not sent."""
    if option.sent == "*":
        return "its own keys"
    fragment = option.sent_as("…")
    return "" if fragment is None else json.dumps(fragment, ensure_ascii=False).replace('"…"', "…")


def _row(option: Option) -> str:
    default = "not set" if option.default is None else f"`{format_value(option.default)}`"
    ways = " ".join(f"`{way}`" for way in (option.flag_name, option.environment) if way)
    sent = sent_field(option)
    note = f" Sent as `{sent}`." if sent.startswith("{") else " Sent as its own keys." if sent else ""
    return f"| `{option.name}` | {takes(option)} | {default} | {ways} | {option.help}{note} |"


if __name__ == "__main__":
    print(options_markdown(), end="")
