"""Answers of a Responses API as bytes, for scripted servers."""

from __future__ import annotations

import json
from typing import Any

from tests.support.socket_server import Reply, Step

JSON_HEADERS = {"content-type": "application/json"}


def event(kind: str, **fields: Any) -> bytes:
    """Return one event as a vLLM server writes it."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def message(text: str, status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]}


def response(*output: dict[str, Any], status: str = "completed", **fields: Any) -> dict[str, Any]:
    """Return a response object."""
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    made = {"id": "resp_1", "object": "response", "model": "m", "status": status, "output": list(output)}
    return {**made, "usage": usage, **fields}


def created(identity: str = "resp_1") -> bytes:
    return event("response.created", response={"id": identity, "status": "in_progress", "output": []})


def opened(identity: str | None = "msg_1") -> bytes:
    item: dict[str, Any] = {
        "type": "message",
        "id": identity,
        "role": "assistant",
        "status": "in_progress",
        "content": [],
    }
    return event("response.output_item.added", output_index=0, item=item)


def delta(text: str, identity: str | None = "msg_1") -> bytes:
    return event("response.output_text.delta", output_index=0, item_id=identity, delta=text)


def closed(text: str, identity: str | None = "msg_1") -> bytes:
    return event("response.output_item.done", output_index=0, item={**message(text), "id": identity})


def completed(*output: dict[str, Any], kind: str = "response.completed", **fields: Any) -> bytes:
    return event(kind, response=response(*output, **fields))


def text_stream(text: str = "Hello", **fields: Any) -> bytes:
    """Return a whole well-formed stream that says `text`."""
    return created() + opened() + delta(text) + closed(text) + completed(message(text), **fields)


def streamed(*steps: Step) -> Reply:
    return Reply(steps or (text_stream(),))


def json_reply(payload: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply((json.dumps(payload).encode(),), status, {**JSON_HEADERS, **named}, "length")


def refusal(status: int, text: str = "no", **headers: str) -> Reply:
    """Return an error in vLLM's shape."""
    return json_reply({"error": {"message": text, "type": "Error", "param": None, "code": status}}, status, **headers)


def page(status: int, text: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply((text.encode(),), status, {"content-type": "text/html", **named}, "length")
