"""Writes messages as input items of the Responses API, in the one shape every known server reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vllm_tui.domain.blocks import Block, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.messages import Message
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.arguments import arguments_text

CONTINUE_MARK = "vllm:continue"
"""Metadata key of a last assistant message that the model shall carry on instead of answering."""


def instructions_of(messages: Sequence[Message]) -> str | None:
    """Return the system messages joined by a blank line, None when they say nothing."""
    texts = [_readable(message.content) for message in messages if message.role == "system"]
    return "\n\n".join(text for text in texts if text) or None


def input_items(
    messages: Sequence[Message], *, plain_history: bool = False, continue_text: str | None = None
) -> list[JsonObject]:
    """Return the items of all but the system messages, developer messages first.

    `plain_history` writes every message as role and text and leaves reasoning out, for servers before 0.20; only a
    user message with a picture keeps its parts. `continue_text` is an answer so far, put at the end to be carried on.
    """
    items = _Items(plain_history)
    for message in sorted(messages, key=lambda entry: entry.role != "developer"):
        items.add(message)
    last = messages[-1] if messages else None
    if last is not None and last.role == "assistant" and (last.metadata or {}).get(CONTINUE_MARK) is True:
        items.leave_open()
    if continue_text:
        items.add_answer(continue_text)
        items.leave_open()
    return items.done


@dataclass(slots=True)
class _Items:
    """The items so far, and the calls among them that have no result yet."""

    plain: bool
    done: list[JsonObject] = field(default_factory=list)
    open_calls: set[str] = field(default_factory=set)

    def add(self, message: Message) -> None:
        match message.role:
            case "system":
                pass
            case "developer":
                self._add_developer(message)
            case "user":
                self._add_results(message.content)
                self._add_user(message.content)
            case "assistant":
                self._add_assistant(message)
            case "tool":
                self._add_tool(message)

    def add_answer(self, text: str) -> None:
        """Add an assistant message with exactly one part: servers read only the first."""
        if self.plain:
            self.done.append({"role": "assistant", "content": text})
            return
        part: JsonObject = {"type": "output_text", "text": text, "annotations": []}
        item: JsonObject = {"type": "message", "id": f"msg_{self._digest(text)}", "role": "assistant"}
        self.done.append({**item, "status": "completed", "content": [part]})

    def leave_open(self) -> None:
        """Mark the last item as unfinished when it is something the model can carry on."""
        if self.done and (self.done[-1].get("role") == "assistant" or self.done[-1].get("type") == "reasoning"):
            self.done[-1]["status"] = "incomplete"

    def _add_developer(self, message: Message) -> None:
        text = _readable(message.content)
        if text:
            self.done.append({"role": "user", "content": f"<context_file>\n{text}\n</context_file>"})
        self._add_user(tuple(block for block in _blocks(message.content) if isinstance(block, ImageBlock)))

    def _add_user(self, content: str | Sequence[Block]) -> None:
        blocks = [block for block in _blocks(content) if not isinstance(block, ToolResultBlock)]
        if not any(isinstance(block, ImageBlock) for block in blocks):
            text = _readable(blocks)
            if text:
                self.done.append({"role": "user", "content": text})
            return
        self.done.append({"role": "user", "content": list(_user_parts(blocks))})

    def _add_assistant(self, message: Message) -> None:
        blocks = _blocks(message.content)
        for block in blocks:
            if isinstance(block, ThinkingBlock) and block.thinking and not self.plain:
                self._add_reasoning(block.thinking)
        for block in blocks:
            if isinstance(block, ToolCallBlock):
                self._add_call(block)
        self._add_results(message.content)
        text = _readable([block for block in blocks if isinstance(block, TextBlock | ImageBlock)])
        if text:
            self.add_answer(text)

    def _add_reasoning(self, text: str) -> None:
        self.done.append(
            {
                "type": "reasoning",
                "id": f"local_{self._digest(text)}",
                "summary": [{"type": "summary_text", "text": text}],
                "content": [{"type": "reasoning_text", "text": text}],
            }
        )

    def _add_call(self, call: ToolCallBlock) -> None:
        """Add a call once; the same id may come back only after its result."""
        if not call.id or not call.name or call.id in self.open_calls:
            return
        self.open_calls.add(call.id)
        self.done.append(
            {
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments_text(call.input),
                "id": f"ft_{call.id.removeprefix('call_')}",
            }
        )

    def _add_tool(self, message: Message) -> None:
        """Add what a tool answered; results inside may name calls of their own, pictures follow as the user's."""
        blocks = _blocks(message.content)
        outputs: dict[str, list[str]] = {}
        for block in blocks:
            if isinstance(block, ToolResultBlock):
                outputs.setdefault(block.tool_call_id or message.tool_call_id or "", []).append(_output(block.output))
        images = [block for block in blocks if isinstance(block, ImageBlock)]
        rest = _readable([block for block in blocks if not isinstance(block, ToolResultBlock | ImageBlock)])
        if rest or not outputs:
            outputs.setdefault(message.tool_call_id or "", []).append(rest)
        title = f"[Tool: {message.name or 'unknown'}]"
        for call_id, texts in outputs.items():
            self._add_output(call_id, "\n".join(texts), title)
        if images:
            self._add_user((TextBlock(text=title), *images))

    def _add_results(self, content: str | Sequence[Block]) -> None:
        for block in _blocks(content):
            if isinstance(block, ToolResultBlock):
                self._add_output(block.tool_call_id, _output(block.output), "[Tool: unknown]")

    def _add_output(self, call_id: str, text: str, title: str) -> None:
        if not call_id:
            self.done.append({"role": "user", "content": f"{title}\n{text}"})
            return
        self.open_calls.discard(call_id)
        self.done.append({"type": "function_call_output", "call_id": call_id, "output": text})

    def _digest(self, text: str) -> str:
        """Return 16 hex digits from content and position, so that equal requests are equal bytes."""
        return hashlib.sha256(f"{len(self.done)}\n{without_surrogates(text)}".encode()).hexdigest()[:16]


def _blocks(content: str | Sequence[Block]) -> Sequence[Block]:
    return (TextBlock(text=content),) if isinstance(content, str) else content


def _readable(content: str | Sequence[Block]) -> str:
    """Return what can be read in any blocks, one a line; a picture leaves its mark."""
    texts = (_block_text(block) for block in _blocks(content))
    return "\n".join(text for text in texts if text)


def _block_text(block: Block) -> str:
    match block:
        case TextBlock(text=text):
            return text
        case ThinkingBlock(thinking=text):
            return text
        case ToolCallBlock():
            return f"[Tool call: {block.name}]\n{arguments_text(block.input)}"
        case ToolResultBlock():
            return _output(block.output)
        case ImageBlock():
            return "[image]"


def _output(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _user_parts(blocks: Sequence[Block]) -> Iterator[JsonObject]:
    for block in blocks:
        url = _image_url(block.source) if isinstance(block, ImageBlock) else None
        if isinstance(block, ImageBlock) and url:
            yield {"type": "input_image", "image_url": url, "detail": block.detail}
        elif text := _block_text(block):
            yield {"type": "input_text", "text": text}


def _image_url(source: JsonObject) -> str | None:
    """Return where the picture is, inline as a data URL; None for a shape that names no place."""
    url, data = source.get("url"), source.get("data")
    if isinstance(url, dict):
        url = url.get("url")
    if isinstance(data, str) and data:
        return f"data:{source.get('media_type') or 'image/png'};base64,{data}"
    return url if isinstance(url, str) and url else None
