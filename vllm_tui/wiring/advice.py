"""Likely causes of tool problems for the turn loop: which answers and errors are looked at, and with which tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.request import ChatRequest
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.domain.tool_runs import Hint


class ToolAdviser:
    """Reads answers and errors of requests that offered tools.

    Once a call of the turn came through, the server's parser works: JSON in a later answer is no lost call.
    """

    def on_answer(self, request: ChatRequest, response: ChatResponse) -> Sequence[Hint]:
        """Return what an answer suggests; nothing when no tools were offered."""
        from vllm_tui.tools.hints import answer_hints

        if not _offers_tools(request):
            return ()
        if not response.tool_calls and _has_called(request):
            return ()
        is_required = request.tool_choice not in (None, "auto")
        return answer_hints(response, request.tools, request.model or "", is_call_required=is_required)

    def on_error(self, request: ChatRequest, error: VLLMError) -> Sequence[Hint]:
        """Return what the error of a request suggests; nothing when no tools were offered."""
        from vllm_tui.tools.hints import error_hints

        return error_hints(error, request.model or "") if _offers_tools(request) else ()


def _offers_tools(request: ChatRequest) -> bool:
    return bool(request.tools) and request.tool_choice != "none"


def _has_called(request: ChatRequest) -> bool:
    """Return whether the model called a tool since the last question."""
    for message in reversed(request.messages):
        if message.role == "user":
            return False
        if message.tool_calls:
            return True
    return False
