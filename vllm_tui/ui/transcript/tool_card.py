"""A tool call as a card: its source for the screen, and its words for the clipboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from vllm_tui.ui.transcript.blocks import RESULT_LINES, Block, ToolCall

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.messages import Message

OPENING = "```json\n"
"""What the body of a card begins with while the arguments stream in."""
_VALUE_LIMIT = 60
_OUTCOMES = {
    "answered": "by hand",
    "refused": "refused",
    "timed_out": "timed out",
    "invalid": "bad arguments",
    "unknown": "no such tool",
    "cancelled": "cancelled",
}
"""Words for how a call ended where they say more than done or failed."""


def fill(block: Block, call: ToolCallBlock) -> Block:
    """Take over what a finished call says."""
    tool = block.tool = block.tool or ToolCall()
    tool.name, tool.call_id = call.name, call.id
    tool.arguments, tool.problem = call.input, call.problem
    block.replace(body(tool))
    return block


def answer(block: Block, result: Message, seconds: float | None) -> Block:
    """Take over what answered the call; the time is the tool's own where it is known, else `seconds` overall."""
    tool = block.tool = block.tool or ToolCall()
    output, is_error = output_of(result)
    facts = (result.metadata or {}).get("tool")
    facts = facts if isinstance(facts, dict) else {}
    ran = facts.get("seconds")
    tool.outcome = _OUTCOMES.get(str(facts.get("state")), "")
    tool.result = output
    tool.seconds = float(ran) if isinstance(ran, int | float) else None if tool.outcome else seconds
    block.state = "failed" if is_error else "done"
    block.replace(body(tool))
    return block


def output_of(result: Message) -> tuple[str, bool]:
    """Return the text of a tool message, and whether the tool failed."""
    if isinstance(result.content, str):
        return result.content, False
    texts: list[str] = []
    is_error = False
    for block in result.content:
        if block.type == "tool_result":
            texts.append(block.output if isinstance(block.output, str) else _pretty(block.output))
            is_error = is_error or block.is_error
        elif block.type == "text":
            texts.append(block.text)
    return "\n".join(texts), is_error


def arguments_line(tool: ToolCall) -> str:
    """Return the arguments on one line: `city="Paris", days=3`."""
    if isinstance(tool.arguments, dict):
        return ", ".join(f"{name}={_brief(value)}" for name, value in tool.arguments.items())
    return _shorten(str(tool.arguments or ""))


def body(tool: ToolCall) -> str:
    """Return the opened card as Markdown: one fence for the arguments, one for the result."""
    arguments = tool.arguments if isinstance(tool.arguments, str) else _pretty(tool.arguments or {})
    text = _fence("json", arguments)
    if tool.problem:
        text += f"\n\nThe arguments can't be read: {_escape(tool.problem)}"
    if tool.result is not None:
        lines = tool.result.split("\n")
        text += "\n\n" + _fence(_language_of(tool.result), "\n".join(lines[:RESULT_LINES]))
        if len(lines) > RESULT_LINES:
            text += f"\n\n{len(lines) - RESULT_LINES:,} more lines are not shown here."
    return text


def words(tool: ToolCall, streamed: str) -> str:
    """Return the call and its result as text to copy; `streamed` is the body while the arguments still come."""
    if tool.arguments is None:
        return f"{tool.name} {streamed.removeprefix(OPENING)}"
    arguments = tool.arguments if isinstance(tool.arguments, str) else json.dumps(tool.arguments, ensure_ascii=False)
    call = f"{tool.name} {arguments}"
    return call if tool.result is None else f"{call}\n{tool.result}"


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _brief(value: object) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False))


def _shorten(text: str) -> str:
    return text if len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"


def _fence(language: str, text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{text}\n{mark}"


def _language_of(text: str) -> str:
    return "json" if text.lstrip()[:1] in ("{", "[") else "text"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", text)
