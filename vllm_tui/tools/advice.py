"""Hints as lines for the person: what is probably wrong, and which server options to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vllm_tui.tools.hints import answer_hints, error_hints

if TYPE_CHECKING:
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.request import ChatRequest
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.domain.tool_runs import Hint


_GENERAL = frozenset({"current_time", "calculator"})
"""With these alone it is no wonder that a model says it can't look something up."""


class ToolAdviser:
    """An Adviser of the engine that knows what servers do with tools.

    Once a call of the turn came through, the server's parser works: JSON in a later answer is no lost call.
    """

    def on_answer(self, request: ChatRequest, response: ChatResponse) -> Sequence[str]:
        """Return what an answer suggests; nothing when no tool was offered or none was wanted."""
        if not request.tools or request.tool_choice == "none":
            return ()
        if not response.tool_calls and _has_called(request):
            return ()
        is_required = request.tool_choice not in (None, "auto")
        hints = answer_hints(response, request.tools, request.model or "", is_call_required=is_required)
        is_bare = {tool.name for tool in request.tools} <= _GENERAL
        return tuple(hint_line(hint) for hint in hints if not (is_bare and hint.code == "refused_tools"))

    def on_error(self, request: ChatRequest, error: VLLMError) -> Sequence[str]:
        """Return what the error of a request with tools suggests."""
        if not request.tools or request.tool_choice == "none":
            return ()
        return tuple(hint_line(hint) for hint in error_hints(error, request.model or ""))


def _has_called(request: ChatRequest) -> bool:
    """Return whether the model called a tool since the last question."""
    for message in reversed(request.messages):
        if message.role == "user":
            return False
        if message.tool_calls:
            return True
    return False


def hint_line(hint: Hint) -> str:
    """Return a hint with the server options to try."""
    if not hint.flags:
        return hint.message
    return f"{hint.message} Start the server with: {' '.join(hint.flags)}"
