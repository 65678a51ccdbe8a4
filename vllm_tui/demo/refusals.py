"""What vLLM 0.32 answers when it refuses, word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject


class Refused(Exception):
    """The request is refused with HTTP `status` and the JSON `body`."""

    def __init__(self, status: int, body: JsonObject) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


def refuse(status: int, message: str, kind: str, param: str | None) -> Refused:
    """Return a refusal in vLLM's usual shape; its `code` is the HTTP status as a number."""
    return Refused(status, {"error": {"message": message, "type": kind, "param": param, "code": status}})


def invalid(parameter: str, message: str, value: object = None) -> Refused:
    """Return a 400 that names a parameter, and its value when there is one."""
    tail = f"(parameter={parameter})" if value is None else f"(parameter={parameter}, value={value})"
    return refuse(400, f"{message} {tail}", "BadRequestError", parameter)


def malformed(field: str, *details: str) -> Refused:
    """Return the 400 of a body that fails the server's own schema; `details` are its lines."""
    noun = "error" if len(details) == 1 else "errors"
    lines = "".join(f"\n  {detail}" for detail in details)
    return refuse(400, f"{len(details)} validation {noun}:{lines}", "Bad Request", field)


def not_one_of(field: str, value: object, *allowed: str) -> Refused:
    """Return the 400 of a word that is not among the allowed ones."""
    names = [f"'{name}'" for name in allowed]
    expected = f"{', '.join(names[:-1])} or {names[-1]}"
    detail = (
        f"{{'type': 'literal_error', 'loc': '{field}', 'msg': \"Input should be {expected}\", "
        f"'input': '{value}', 'ctx': {{'expected': \"{expected}\"}}}}"
    )
    return malformed(field, detail)


def unknown_model(name: str, served: tuple[str, ...]) -> Refused:
    """Return the 404 of a model that is not served."""
    message = f"The model `{name}` does not exist. Valid aliases: {', '.join(served)}."
    return refuse(404, message, "NotFoundError", "model")


def unknown_response(response_id: str) -> Refused:
    """Return the 404 of a response that is not in the store."""
    return refuse(404, f"Response with id '{response_id}' not found.", "invalid_request_error", "response_id")


def prompt_too_long(window: int, tokens: int, *, is_exact: bool) -> Refused:
    """Return the 400 of a prompt beyond the window; Harmony models name the exact count."""
    counted = f"{tokens}" if is_exact else f"at least {window + 1}"
    message = (
        f"This model's maximum context length is {window} tokens. However, your prompt contains {counted} input "
        "tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt."
    )
    return invalid("input_tokens", message, tokens if is_exact else window + 1)
