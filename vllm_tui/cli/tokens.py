"""`vllm-tui tokens`: counts a text, a conversation or a whole request as the server would."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vllm_tui.accounting.ladder import InputCount, Ladder, TokenizeFailed, is_harmony_model
from vllm_tui.accounting.source import EncoderSource
from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.hygiene import clean_line

if TYPE_CHECKING:
    from vllm_tui.accounting.ladder import Tokenize
    from vllm_tui.accounting.source import DownloadPolicy
    from vllm_tui.domain.values import JsonObject, JsonValue
    from vllm_tui.settings.layers import Settings

_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, or the request, and --json."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="text, or JSON with messages; standard input without it or with -"
    )
    parser.add_argument("--request", metavar="FILE", help="the JSON body of a Responses request (- for standard input)")
    parser.add_argument("--server", action="store_true", help="let the server count (any model but gpt-oss)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Count and print; returns 0, or 1 when the input can't be read."""
    try:
        body, text = _read(arguments)
    except (OSError, ValueError) as error:
        print(f"vllm-tui tokens: {clean_line(str(error))}", file=sys.stderr)
        return _FAILED
    model = _model(body, settings)
    source = EncoderSource(cast("DownloadPolicy", settings.value("vocab_download")))
    source.start()
    source.wait()
    ladder = Ladder(lambda: source.encoder)
    if arguments.server:
        asked: JsonObject = body if body is not None else {"input": text}
        counted = asyncio.run(
            ladder.count(asked, model, tokenize=_asking(settings, None if body is not None else text))
        )
    else:
        counted = ladder.count_locally(body, model) if body is not None else ladder.count_text(text, model)
    if arguments.json:
        print(json.dumps(counted.as_json(), ensure_ascii=False))
    else:
        _print_count(counted, model)
        if source.state.phase in ("asking", "unavailable"):
            print(f"No vocabulary: {clean_line(f'{source.state.message} {source.state.hint}')}", file=sys.stderr)
    return 0


def _read(arguments: argparse.Namespace) -> tuple[JsonObject | None, str]:
    if arguments.request is not None:
        if arguments.file is not None:
            raise ValueError("give FILE or --request FILE, not both.")
        body = _as_body(_parse(_text_of(arguments.request), arguments.request))
        if body is None:
            raise ValueError(f"{arguments.request}: this is no Responses request: `input` is missing.")
        return body, ""
    text = _text_of(arguments.file or "-")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _as_body(json.loads(text)), text
        except ValueError:
            return None, text
    return None, text


def _text_of(name: str) -> str:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: this is no UTF-8 text (byte {error.start}).") from error


def _parse(text: str, name: str) -> JsonValue:
    try:
        return cast("JsonValue", json.loads(text))
    except ValueError as error:
        raise ValueError(f"{name}: this is no JSON: {error}.") from error


def _as_body(value: JsonValue) -> JsonObject | None:
    """Return JSON as a request body: a body itself, an object with `messages`, or a list of messages."""
    if isinstance(value, dict) and "input" in value:
        return value
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list) or not all(isinstance(item, dict) and "role" in item for item in messages):
        return None
    rest = {key: entry for key, entry in value.items() if key != "messages"} if isinstance(value, dict) else {}
    return {**rest, "input": messages}


def _model(body: JsonObject | None, settings: Settings) -> str:
    """Return the model to count for: that of --model, else the body's, else the configured one."""
    named = body.get("model") if body is not None else None
    if settings.origin("default_model").layer != "flag" and isinstance(named, str) and named:
        return named
    return str(settings.value("default_model") or "")


def _asking(settings: Settings, text: str | None) -> Tokenize:
    """Return how to ask the configured server; `text` is counted as it is, else the conversation in the body."""

    async def ask(body: JsonObject) -> int:
        from vllm_tui.server.tokenize import tokenize

        if "chat_template_kwargs" in body:
            raise TokenizeFailed("the reasoning effort can't be passed on to it.")
        key, named = settings.value("api_key"), body.get("model")
        try:
            counted = await tokenize(
                str(settings.value("base_url")),
                str(key) if key else None,
                model=named if isinstance(named, str) else None,
                prompt=text,
                messages=_objects(body.get("messages")),
                tools=_objects(body.get("tools")),
            )
        except VLLMError as error:
            raise TokenizeFailed(str(error)) from error
        return counted.count

    return ask


def _objects(values: JsonValue) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _print_count(counted: InputCount, model: str) -> None:
    figure = counted.figure
    print(f"{figure.value:,} tokens {figure.mark} {figure.source}")
    print(figure.explanation)
    for part in counted.parts:
        print(f"  {part.name:<13}{part.tokens:>9,}")
    for assumption in counted.assumptions:
        print(assumption)
    if counted.rung == "vocabulary" and not is_harmony_model(model):
        print(
            f"{clean_line(model) or 'This model'} is no gpt-oss model; only its server can count exactly: use --server."
        )
