"""What a Harmony prompt is made of, and what has to be known of the server to make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vllm_tui.domain.values import JsonObject, JsonValue

PartName = Literal["system", "instructions", "tools", "history", "reasoning", "calls", "results", "question", "opening"]
"""What a token of the prompt is there for; `opening` is the header the model continues."""

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
EFFORTS = ("low", "medium", "high")
BUILT_IN = {"web_search_preview": "browser", "code_interpreter": "python", "container": "container"}
"""Built-in tool types and the name under which the server's tool server must offer them."""


CONSTRAIN = "<|constrain|>"
CALL = "function_call"
RAW = "raw"
"""The role of an answer that was no Harmony message: its text is the raw tokens, special ones by name."""


class NotRenderable(Exception):
    """vLLM would refuse this request, or its prompt depends on something only the server knows."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Tools of one name space; each tool is an object with `name`, `description` and `parameters`."""

    name: str
    description: str | None = None
    tools: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemText:
    """The system message: who the model is, the date, the effort, built-in tools, the channels."""

    date: str
    identity: str = IDENTITY
    effort: str = "medium"
    namespaces: tuple[Namespace, ...] = ()


@dataclass(frozen=True, slots=True)
class DeveloperText:
    """The developer message: instructions and the functions on offer."""

    instructions: str | None = None
    functions: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class HarmonyMessage:
    """One message of the prompt; `content` is texts in a row, or the structured first messages."""

    role: str
    content: tuple[str, ...] | SystemText | DeveloperText
    part: PartName
    name: str | None = None
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a client can't see: the server's date, its identity line, its tools and one switch.

    `tool_namespaces` are those of its tool server, by name (`python`, `browser`, `container`); empty without one.
    `system_instructions` is VLLM_GPT_OSS_HARMONY_SYSTEM_INSTRUCTIONS.
    """

    date: str
    identity: str = IDENTITY
    tool_namespaces: tuple[Namespace, ...] = ()
    system_instructions: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier request and what came of it, for `previous_response_id`.

    `output` is the response's `output`; `output_messages` the raw messages where the server sent them
    (`enable_response_messages`). `earlier` are the exchanges before it, by response id.
    """

    body: JsonObject
    output: tuple[JsonObject, ...]
    output_messages: tuple[JsonObject, ...] = ()
    earlier: Mapping[str, Exchange] | None = None


def type_of(item: Mapping[str, JsonValue]) -> str:
    """Return the type of an item; without one it is a message."""
    return str(item.get("type") or "message")


def texts_of(content: JsonValue) -> list[str]:
    """Return the texts of a content: one for plain text, one for each part."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [str(part.get("text") or "") for part in content if isinstance(part, dict)]
