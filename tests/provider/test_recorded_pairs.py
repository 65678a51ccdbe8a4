"""The same request streamed and in one piece gives the same answer, but for what servers are known to do."""

from __future__ import annotations

import pytest
from tests.support.recorded_reader import STREAMS, completed, texts_of, thoughts_of
from tests.support.replay import Recording, index
from vllm_tui.domain.errors import VLLMError

PAIRS = [
    (stream, reply)
    for stream in STREAMS
    for reply in (index().get(f"{stream.name.removesuffix('_stream')}_nostream"),)
    if reply is not None and {**stream.request, "stream": None} == {**reply.request, "stream": None}
]

_LOST = "vLLM 0.10.1.1 streams no function calls of gpt-oss"
_RAW_CALL = "without streaming, broken or unwanted call text is a plain message"
_TWICE = "a second think tag is text in a stream; the reply is parsed as a whole"
_CODE = "the reply repeats the code of a built-in tool as reasoning"
_REFUSED = "the reply is refused after it was made, the stream is not"
DIFFERENT = {
    "0.10.1.1/gpt-oss/mcp_call_without_mcp_tool_stream": _REFUSED,
    "0.10.1.1/gpt-oss/tool_auto_preamble_stream": _REFUSED,
    "0.10.1.1/gpt-oss/tool_auto_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_bad_json_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_call_without_tools_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_two_calls_stream": _LOST,
    "0.10.1.1/gpt-oss/tool_unknown_name_stream": _LOST,
    "0.20.0/gpt-oss/builtin_python_no_toolserver_stream": _CODE,
    "0.20.0/gpt-oss/json_schema_stream": _REFUSED,
    "0.20.0/smollm2/think_twice_stream": _TWICE,
    "0.20.0/smollm2/tool_bad_json_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_call_without_tools_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_choice_none_but_model_calls_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_cut_by_max_tokens_stream": _RAW_CALL,
    "0.20.0/smollm2/tool_unfinished_eos_stream": _RAW_CALL,
    "0.32.0/gpt-oss-toolserver/builtin_not_requested_stream": _CODE,
    "0.32.0/gpt-oss-toolserver/builtin_python_and_function_stream": _CODE,
    "0.32.0/gpt-oss-toolserver/builtin_python_stream": _CODE,
    "0.32.0/gpt-oss-toolserver/builtin_python_via_mcp_label_stream": _CODE,
    "0.32.0/gpt-oss/builtin_python_no_toolserver_stream": _CODE,
    "0.32.0/serve-sh/tool_bad_json_stream": _RAW_CALL,
    "0.32.0/serve-sh/tool_unfinished_eos_stream": _RAW_CALL,
    "0.32.0/think-tools-store/think_twice_stream": _TWICE,
    "0.32.0/think-tools-store/tool_cut_by_max_tokens_stream": _RAW_CALL,
}
"""Exchanges whose stream and whose reply in one piece the server itself made differ, with the reason."""


async def outcome(recording: Recording) -> tuple[object, ...]:
    """Return what does not depend on the ids of one run."""
    try:
        response = await completed(recording)
    except VLLMError as error:
        return (type(error),)
    calls = [(call.name, call.input) for call in response.tool_calls]
    return (texts_of(response), thoughts_of(response), calls, response.status, response.finish_reason)


@pytest.mark.parametrize(
    ("stream", "reply"), [pytest.param(*pair, id=pair[0].name) for pair in PAIRS if pair[0].name not in DIFFERENT]
)
async def test_a_stream_and_a_reply_to_the_same_request_are_one_answer(stream: Recording, reply: Recording) -> None:
    assert await outcome(stream) == await outcome(reply)


@pytest.mark.parametrize(
    ("stream", "reply"), [pytest.param(*pair, id=pair[0].name) for pair in PAIRS if pair[0].name in DIFFERENT]
)
async def test_the_listed_differences_still_exist(stream: Recording, reply: Recording) -> None:
    assert await outcome(stream) != await outcome(reply)


def test_every_listed_difference_is_a_pair() -> None:
    assert set(DIFFERENT) <= {stream.name for stream, _ in PAIRS}
