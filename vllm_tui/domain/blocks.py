"""Content blocks: the pieces a message is made of, named as in Amplifier's message models."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import Field, model_validator

from vllm_tui.domain.values import JsonObject, JsonValue, Value


class TextBlock(Value):
    """Text the person or the model wrote."""

    type: Literal["text"] = "text"
    text: str


class ThinkingBlock(Value):
    """Reasoning the model showed before or between its answers."""

    type: Literal["thinking"] = "thinking"
    thinking: str


class ToolCallBlock(Value):
    """A call the model asks for.

    `id` is the server's `call_id`. `input` holds the arguments as an object; when the model's text is not a JSON
    object, `input` is that text unchanged and `problem` says in plain words why it could not be read.
    `raw_arguments` is the text as streamed (None when the call did not come from a server).
    `repairs` names what was changed while reading, such as `unpacked filters`.
    """

    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    input: JsonObject | str = Field(default_factory=dict)
    raw_arguments: str | None = None
    problem: str | None = None
    repairs: tuple[str, ...] = ()


class ToolResultBlock(Value):
    """What a tool answered; `output` is text or any JSON value."""

    type: Literal["tool_result"] = "tool_result"
    tool_call_id: str
    output: JsonValue = ""
    is_error: bool = False


class ImageBlock(Value):
    """A picture, as a source object.

    Shapes: `{"type": "base64", "media_type": "image/png", "data": "..."}` or `{"type": "url", "url": "https://..."}`.
    `ImageBlock(url=...)` and `ImageBlock(image_url=...)` are accepted as short forms.
    """

    type: Literal["image"] = "image"
    source: JsonObject
    detail: Literal["auto", "low", "high"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _accept_url(cls, data: object) -> object:
        if not isinstance(data, dict) or "source" in data:
            return data
        rest = {key: value for key, value in data.items() if key not in ("url", "image_url")}
        url = data.get("url", data.get("image_url"))
        return data if url is None else {**rest, "source": {"type": "url", "url": url}}

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str) -> ImageBlock:
        """Return a block that carries the picture itself, for example `media_type="image/png"`."""
        encoded = base64.b64encode(data).decode("ascii")
        return cls(source={"type": "base64", "media_type": media_type, "data": encoded})


Block = Annotated[
    TextBlock | ThinkingBlock | ToolCallBlock | ToolResultBlock | ImageBlock,
    Field(discriminator="type"),
]
"""Any content block; told apart by `type`."""
