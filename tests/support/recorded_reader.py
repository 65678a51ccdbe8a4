"""Reads recorded answers without the provider, and asks the provider for them, so that the two can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.replay import Recording, index, play
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock
from vllm_tui.domain.builder import ResponseBuilder
from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.response import ChatResponse

ANSWERS = [recording for recording in index().values() if recording.status == 200]
STREAMS = [recording for recording in ANSWERS if recording.is_stream and not recording.broke_off]
WHOLE = [recording for recording in ANSWERS if not recording.is_stream]
QUEUED = [recording for recording in WHOLE if json.loads(recording.body)["status"] == "queued"]
REPLIES = [recording for recording in WHOLE if recording not in QUEUED]
BROKEN = [recording for recording in ANSWERS if recording.broke_off]


@dataclass
class Read:
    """What a stream or a reply says; calls are (call id, name, arguments)."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    final: dict[str, Any] = field(default_factory=dict)


def events_in(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]


def read_items(items: list[dict[str, Any]]) -> Read:
    read = Read()
    for item in items:
        match item["type"]:
            case "message":
                read.texts += [part["text"] for part in item["content"]]
            case "reasoning":
                read.thoughts.append("\n".join(part["text"] for part in item["content"] or ()))
            case "function_call":
                read.calls.append((item["call_id"], item["name"], item["arguments"]))
            case "custom_tool_call":
                read.calls.append((item["call_id"], item["name"], item["input"]))
    return read


def read_stream(body: bytes) -> Read:
    read = Read()
    for event in events_in(body):
        kind = event["type"]
        if kind == "response.output_item.added":
            item = event["item"]
            if item["type"] == "message":
                read.texts.append("")
            elif item["type"] == "reasoning":
                read.thoughts.append("")
            elif item["type"] in ("function_call", "custom_tool_call"):
                read.calls.append((item["call_id"], item["name"], ""))
        elif kind == "response.output_text.delta":
            read.texts[-1] += event["delta"]
        elif kind == "response.reasoning_text.delta":
            read.thoughts[-1] += event["delta"]
        elif kind in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
            call_id, name, arguments = read.calls[-1]
            read.calls[-1] = (call_id, name, arguments + event["delta"])
        elif kind == "response.completed":
            read.final = event["response"]
    return with_final_calls(read)


def with_final_calls(read: Read) -> Read:
    """Take calls and their ids from the final object; JSON that was streamed in place of a call is no text."""
    final = read_items(read.final.get("output", []))
    if not final.calls:
        return read
    if not read.calls:
        arguments = [json.loads(call[2]) for call in final.calls]
        read.texts = [text for text in read.texts if not is_list_of_calls(text, arguments)]
    read.calls = final.calls
    return read


def is_list_of_calls(text: str, arguments: list[Any]) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return value in arguments or (isinstance(value, list) and [call["parameters"] for call in value] == arguments)


def seen(texts: list[str]) -> list[str]:
    return [text.lstrip("\n") for text in texts if text.strip()]


def expected_status(final: dict[str, Any], limit: int) -> str:
    usage = final.get("usage") or {}
    is_cut = (
        final["status"] == "incomplete"
        or any(item.get("status") == "incomplete" for item in final["output"])
        or usage.get("output_tokens", 0) >= (final.get("max_output_tokens") or limit)
    )
    return "incomplete" if is_cut else "completed"


def expected_usage(final: dict[str, Any]) -> tuple[int, int, int, int, int] | None:
    usage = final.get("usage") or {}
    if not usage.get("total_tokens"):
        return None
    return (
        usage["input_tokens"],
        usage["output_tokens"],
        usage["total_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
    )


# what the provider makes of it


def texts_of(response: ChatResponse) -> list[str]:
    return [block.text for block in response.content if isinstance(block, TextBlock)]


def thoughts_of(response: ChatResponse) -> list[str]:
    return [block.thinking for block in response.content if isinstance(block, ThinkingBlock)]


def calls_of(response: ChatResponse) -> list[tuple[str, str, str]]:
    return [(call.id, call.name, call.raw_arguments or "") for call in response.tool_calls]


def usage_of(response: ChatResponse) -> tuple[int | None, ...] | None:
    usage = response.usage
    if usage is None:
        return None
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.reasoning_tokens,
        usage.cache_read_tokens,
    )


def limit_of(recording: Recording) -> int:
    return recording.chat_request().max_output_tokens or 4096


async def streamed(recording: Recording, chunks: Sequence[bytes] | None = None) -> ResponseBuilder:
    """Return the fold of the whole stream; raises what the provider raises."""
    builder = ResponseBuilder()
    async with play(recording, chunks) as provider:
        async for event in provider.stream(recording.chat_request()):
            builder.add(event)
    return builder


async def completed(recording: Recording) -> ChatResponse:
    async with play(recording) as provider:
        return await provider.complete(recording.chat_request())


async def failure(recording: Recording, chunks: Sequence[bytes] | None = None) -> VLLMError:
    with pytest.raises(VLLMError) as caught:
        await streamed(recording, chunks)
    return caught.value


def names(recordings: Iterable[Recording]) -> Iterator[Any]:
    return (pytest.param(recording, id=recording.name) for recording in recordings)
