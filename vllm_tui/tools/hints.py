"""Why tools don't work: reads an answer or an error and names the likely cause and the server options to try.

Sources: vLLM's Responses API accepts tools without its parsers and then sends calls as text, with no error; what
each version does differently is in its release notes and was seen on 0.10 to 0.32.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from vllm_tui.domain.errors import ProtocolError, RequestError, ServerError, StreamInterrupted, VLLMError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.tool_runs import Hint
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.parsers import is_harmony, reasoning_flags, tool_flags

_LONGEST = 50_000
_MAX_OBJECTS = 20
_MARKUP = re.compile(
    r"<tool_call>|<\|?tool_calls?(?:_begin)?\|?>|\[TOOL_CALLS\]|<\|python_tag\|>|<function=|<｜tool|to=functions\."
)
_REFUSES = re.compile(
    r"\b(?:can(?:'|’)?t|cannot|can not|don(?:'|’)?t have|do not have|unable to|not able to|no)\b.{0,60}?"
    r"\b(?:access|tools?|functions?|real[- ]time|browse|internet|external|live data)\b",
    re.IGNORECASE | re.DOTALL,
)
_UNSUPPORTED = re.compile(r"tool use is not supported|auto.{0,20}tool choice requires|tool_choice", re.IGNORECASE)
_PARSER_FAILED = re.compile(r"harmony|unexpected tokens? .{0,40}remaining|parser|could not parse", re.IGNORECASE)


def answer_hints(
    response: ChatResponse, tools: Sequence[ToolSpec], model: str = "", *, is_call_required: bool = False
) -> tuple[Hint, ...]:
    """Return what an answer to a request with `tools` suggests; nothing when there is nothing to say.

    `is_call_required` says that the request had `tool_choice` required or named; with `none`, give no tools. Nothing
    found here is ever run.
    """
    if not tools:
        return ()
    found = [_undeclared(response, tools)]
    if not response.tool_calls:
        found += _without_call(response, tools, model, is_call_required)
    if "<think>" in response.text[:_LONGEST]:
        words = "The reasoning arrived as text: the server runs without a reasoning parser."
        found.append(Hint("reasoning_as_text", words, reasoning_flags(model)))
    return tuple(hint for hint in found if hint is not None)


def error_hints(error: VLLMError, model: str = "") -> tuple[Hint, ...]:
    """Return what the error of a request with tools suggests."""
    words = f"{error.message} {error.detail or ''}"
    if error.status == 501 or (isinstance(error, RequestError) and _UNSUPPORTED.search(words)):
        advice = (
            "This server takes no tools here. For ordinary models vLLM needs 0.11.1 or newer and its tool parser"
            if not is_harmony(model)
            else "This server does not take this tool choice for gpt-oss; use auto"
        )
        return (Hint("tools_unsupported", f"{advice}.", tool_flags(model)),)
    is_server = isinstance(error, ServerError | StreamInterrupted | ProtocolError)
    if is_server and (is_harmony(model) or _PARSER_FAILED.search(words)):
        advice = (
            "The server's parser probably failed on what the model wrote. Ask again, with higher effort if there is "
            "one; its log says more: journalctl -u vllm -n 50"
        )
        return (Hint("server_parser", advice),)
    return ()


def _without_call(
    response: ChatResponse, tools: Sequence[ToolSpec], model: str, is_call_required: bool
) -> list[Hint | None]:
    text, thinking = response.text[:_LONGEST], response.thinking[:_LONGEST]
    is_cut = response.status == "incomplete"
    as_text = _call_as_text(text, tools, model, is_cut)
    in_reasoning = None if as_text or text or is_cut else _call_in_reasoning(thinking, tools, model)
    if as_text or in_reasoning or is_cut:
        return [as_text, in_reasoning]
    return [_required(model) if is_call_required else _refusal(text, model)]


def _undeclared(response: ChatResponse, tools: Sequence[ToolSpec]) -> Hint | None:
    declared = {tool.name for tool in tools}
    names = sorted({call.name for call in response.tool_calls} - declared)
    if not names:
        return None
    listed = ", ".join(repr(name[:64]) for name in names[:5])
    return Hint("undeclared_tool", f"The model called {listed}, which it was not offered. Nothing ran.")


def _call_as_text(text: str, tools: Sequence[ToolSpec], model: str, is_cut: bool) -> Hint | None:
    name = called_in_text(text, tools)
    if name is None and _MARKUP.search(text) is None:
        return None
    what = f"a call of {name}" if name else "a tool call"
    if is_cut:
        words = f"The answer was cut inside {what}: raise the output limit (max_tokens). Nothing ran."
        return Hint("call_as_text", words)
    broken = "" if name else " Or the call is broken JSON, which the server's parser hands on as text."
    words = f"The answer looks like {what} written as text; nothing ran. {_cause(model)}{broken}"
    return Hint("call_as_text", words, tool_flags(model))


def _call_in_reasoning(thinking: str, tools: Sequence[ToolSpec], model: str) -> Hint | None:
    name = called_in_text(thinking, tools)
    if name is None and _MARKUP.search(thinking) is None:
        return None
    words = (
        "The model wrote its call inside the reasoning and stopped; nothing ran. Check that both parsers fit the model."
    )
    return Hint("call_in_reasoning", words, (*tool_flags(model), *reasoning_flags(model)))


def _cause(model: str) -> str:
    if is_harmony(model):
        return (
            "For gpt-oss no flags are needed; vLLM 0.10 and 0.11.0 lose such calls when streaming: use 0.11.1 or newer."
        )
    return "The server probably runs without a tool parser, or with one that does not fit the model."


def _required(model: str) -> Hint:
    words = f"A call was required and none came: this server does not enforce it. {_cause(model)}"
    return Hint("required_ignored", words, tool_flags(model))


def _refusal(text: str, model: str) -> Hint | None:
    if _REFUSES.search(text[:2_000]) is None:
        return None
    words = "The model says it has no such access although tools were offered: its chat template may not show them."
    return Hint("refused_tools", words, tool_flags(model))


def called_in_text(text: str, tools: Sequence[ToolSpec]) -> str | None:
    """Return the declared tool that a text seems to call, as JSON or as `name(...)` in brackets, or None."""
    declared = {tool.name: tool for tool in tools}
    for found in _objects(text):
        entry = found.get("function") if isinstance(found.get("function"), dict) else found
        name = entry.get("name", entry.get("tool")) if isinstance(entry, dict) else None
        if isinstance(name, str) and name.removeprefix("functions.") in declared:
            return name.removeprefix("functions.")
        match = next((tool.name for tool in tools if _fits(found, tool)), None)
        if match is not None:
            return match
    inner = text.strip().removeprefix("[").lstrip()
    return next((name for name in declared if inner.startswith(f"{name}(") and inner.rstrip("]").endswith(")")), None)


def _fits(found: JsonObject, tool: ToolSpec) -> bool:
    """Return whether an object could be a tool's arguments: all that is required, and nothing unknown."""
    named, required = tool.parameters.get("properties"), tool.parameters.get("required")
    known = set(named) if isinstance(named, dict) else set[str]()
    needed = {str(name) for name in required} if isinstance(required, list) else set[str]()
    return bool(found) and bool(needed or len(found) > 1) and needed <= set(found) <= known


def _objects(text: str) -> list[JsonObject]:
    """Return the JSON objects that stand in a text, outermost ones, a limited number."""
    decoder, found, at = json.JSONDecoder(), list[JsonObject](), 0
    for _ in range(_MAX_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            break
        try:
            value: JsonValue
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
