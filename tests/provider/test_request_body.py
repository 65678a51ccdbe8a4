"""The body of a request, exactly as sent."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from vllm_tui.domain.blocks import Block, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message, Role, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.config import ENVIRONMENT, ProviderConfig
from vllm_tui.provider.request_map import build_body

HI = Message(role="user", content="Hi")
MINIMAL: JsonObject = {
    "model": "test-model",
    "input": [{"role": "user", "content": "Hi"}],
    "store": False,
    "max_output_tokens": 4096,
    "truncation": "auto",
    "stream": True,
}
TOOL = ToolSpec(name="look")
SCHEMA: JsonObject = {"type": "object"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)


def message(role: Role, *blocks: Block, **fields: str) -> Message:
    return Message.model_validate({"role": role, "content": blocks, **fields})


def request(*messages: Message, **fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": messages or (HI,), **fields})


def body(asked: ChatRequest, **options: object) -> JsonObject:
    return write(asked, ProviderConfig(default_model="test-model", **options))


def write(asked: ChatRequest, config: ProviderConfig, *, plain: bool = False, text: str | None = None) -> JsonObject:
    return build_body(
        asked,
        config,
        max_output_tokens=4096,
        stream=True,
        plain_history=plain,
        use_state=config.enable_state,
        continue_text=text,
    )


def items(*messages: Message, plain: bool = False, text: str | None = None) -> JsonValue:
    return write(request(*messages), ProviderConfig(), plain=plain, text=text)["input"]


def without_ids(value: JsonValue) -> JsonValue:
    assert isinstance(value, list)
    return [{k: v for k, v in item.items() if k != "id"} if isinstance(item, dict) else item for item in value]


def answer(text: str, status: str = "completed") -> JsonObject:
    part: JsonObject = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "status": status, "content": [part]}


def test_the_smallest_body_and_its_order() -> None:
    assert list(body(request()).items()) == list(MINIMAL.items())


def test_the_largest_body_keeps_its_order() -> None:
    found = body(
        request(
            Message(role="system", content="S"),
            HI,
            tools=(TOOL,),
            temperature=0,
            reasoning_effort="low",
            response_format={"type": "json"},
        ),
        seed=1,
        top_logprobs=2,
        extra_body={"priority": 3},
    )
    assert " ".join(found) == (
        "model input instructions store reasoning max_output_tokens temperature tools tool_choice parallel_tool_calls "
        "truncation seed top_logprobs include text stream priority"
    )


@pytest.mark.parametrize(
    ("fields", "options", "changed"),
    [
        ({"model": "other"}, {}, {"model": "other"}),
        ({}, {"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 0}, {"temperature": 1}, {"temperature": 0.0}),
        ({"metadata": {"store": True}}, {}, {"store": True}),
        ({"metadata": {"store": "yes"}}, {}, {}),
        ({}, {"enable_state": True}, {"store": True}),
        ({"metadata": {"store": False}}, {"enable_state": True}, {}),
        ({"metadata": {"truncation": "disabled"}}, {}, {"truncation": "disabled"}),
        ({}, {"truncation": "disabled"}, {"truncation": "disabled"}),
        ({}, {"reasoning": "low"}, {"reasoning": {"effort": "low", "summary": "detailed"}}),
        ({}, {"reasoning": {"summary": "auto"}}, {"reasoning": {"effort": "medium", "summary": "auto"}}),
        (
            {"reasoning_effort": "high"},
            {"reasoning": "low", "reasoning_summary": "concise"},
            {"reasoning": {"effort": "high", "summary": "concise"}},
        ),
        (
            {"reasoning_effort": "high", "metadata": {"reasoning": {"effort": "none"}}},
            {},
            {"reasoning": {"effort": "none", "summary": "detailed"}},
        ),
        ({"metadata": {"reasoning": "minimal"}}, {}, {"reasoning": {"effort": "minimal", "summary": "detailed"}}),
        ({"top_p": 0.5, "stop": ("x",)}, {"top_p": 1, "stop": "y"}, {"top_p": 0.5, "stop": ["x"]}),
        ({"metadata": {"top_k": 5, "colour": "red"}}, {"top_k": 9}, {"top_k": 5}),
        (
            {},
            {"top_k": -1, "min_p": 0, "seed": 0, "stop": ("a", "b"), "repetition_penalty": 1.1},
            {"top_k": -1, "min_p": 0.0, "seed": 0, "stop": ["a", "b"], "repetition_penalty": 1.1},
        ),
        (
            {},
            {"presence_penalty": 0, "frequency_penalty": -1, "include_reasoning": False, "cache_salt": "s"},
            {"presence_penalty": 0.0, "frequency_penalty": -1.0, "include_reasoning": False, "cache_salt": "s"},
        ),
        ({}, {"top_logprobs": 0}, {"top_logprobs": 0, "include": ["message.output_text.logprobs"]}),
        (
            {},
            {"chat_template_kwargs": {"enable_thinking": False, "x": None}},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        ({}, {"extra_body": {"store": True, "deep": [{"a": None, "b": 1}]}}, {"store": True, "deep": [{"b": 1}]}),
        ({"tool_choice": "required", "parallel_tool_calls": False}, {}, {}),
    ],
)
def test_a_field_changes_the_body_by_itself_alone(
    fields: dict[str, object], options: dict[str, object], changed: JsonObject
) -> None:
    assert body(request(**fields), **options) == MINIMAL | changed


def test_truncation_and_stream_can_be_left_out() -> None:
    config = ProviderConfig(default_model="test-model", truncation=None)
    found = build_body(request(), config, max_output_tokens=4096, stream=False)
    assert found == {key: value for key, value in MINIMAL.items() if key not in ("truncation", "stream")}


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({"type": "json"}, {"type": "json_object"}),
        ({"type": "json_object"}, {"type": "json_object"}),
        ({"type": "text"}, {"type": "text"}),
        ({"type": "json_schema", "schema": SCHEMA}, {"type": "json_schema", "name": "response", "schema": SCHEMA}),
        ({"type": "json_schema", "json_schema": SCHEMA}, {"type": "json_schema", "name": "response", "schema": SCHEMA}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
            {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
        ),
        (
            {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
            {"type": "json_schema", "name": "n", "schema": SCHEMA},
        ),
    ],
)
def test_a_format_is_sent_flat(wanted: JsonObject, sent: JsonObject) -> None:
    expected = MINIMAL | {"text": {"format": sent}}
    assert body(request(response_format=wanted), text_format={"type": "text"}) == expected
    assert body(request(), text_format=wanted) == expected


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, "auto"),
        ("none", "none"),
        ({"type": "function", "name": "look"}, {"type": "function", "name": "look"}),
        ({"type": "function", "function": {"name": "look"}}, {"type": "function", "name": "look"}),
    ],
)
def test_tools_are_flat_and_bring_their_choice(choice: str | JsonObject | None, sent: JsonValue) -> None:
    tools = (TOOL, ToolSpec(name="b", description="d", parameters={"type": "object", "default": None}))
    assert body(request(tools=tools, tool_choice=choice)) == MINIMAL | {
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "",
                "parameters": {"type": "object", "properties": {}},
            },
            {"type": "function", "name": "b", "description": "d", "parameters": {"type": "object"}},
        ],
        "tool_choice": sent,
        "parallel_tool_calls": True,
    }


def test_parallel_calls_can_be_forbidden() -> None:
    assert body(request(tools=(TOOL,), parallel_tool_calls=False))["parallel_tool_calls"] is False


def test_system_messages_become_instructions_and_developers_come_first() -> None:
    found = body(
        request(
            Message(role="system", content="one"),
            HI,
            message("system", TextBlock(text="two"), TextBlock(text="three")),
            Message(role="system", content=""),
            Message(role="developer", content="notes"),
        )
    )
    assert (found["instructions"], found["input"]) == (
        "one\n\ntwo\nthree",
        [
            {"role": "user", "content": "<context_file>\nnotes\n</context_file>"},
            {"role": "user", "content": "Hi"},
        ],
    )


TURN = (
    message(
        "assistant",
        ThinkingBlock(thinking="t"),
        TextBlock(text="a"),
        ToolCallBlock(id="call_9", name="f"),
        ToolCallBlock(id="call_9", name="f"),
        ToolCallBlock(id="", name="f"),
        TextBlock(text="b"),
        ThinkingBlock(thinking=""),
    ),
    Message(role="tool", content="r", tool_call_id="call_9"),
)
CALL: JsonObject = {"type": "function_call", "call_id": "call_9", "name": "f", "arguments": "{}"}
RESULT: JsonObject = {"type": "function_call_output", "call_id": "call_9", "output": "r"}


def test_a_turn_is_reasoning_then_calls_then_one_text() -> None:
    found = items(*TURN)
    assert without_ids(found) == [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "t"}],
            "content": [{"type": "reasoning_text", "text": "t"}],
        },
        CALL,
        answer("a\nb"),
        RESULT,
    ]
    assert isinstance(found, list)
    ids = [str(item.get("id")) for item in found if isinstance(item, dict)]
    assert [name[: name.find("_") + 1] + str(len(name)) for name in ids[:3]] == ["local_22", "ft_4", "msg_20"]


def test_a_plain_history_has_no_reasoning_and_no_parts() -> None:
    assert items(*TURN, HI, plain=True, text="so far") == [
        {**CALL, "id": "ft_9"},
        {"role": "assistant", "content": "a\nb"},
        RESULT,
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "so far", "status": "incomplete"},
    ]


def test_a_call_id_may_come_back_after_its_result() -> None:
    assert without_ids(items(TURN[1], *TURN, *TURN, plain=True)) == [RESULT, *[CALL, _plain("a\nb"), RESULT] * 2]


def _plain(text: str) -> JsonObject:
    return {"role": "assistant", "content": text}


PICTURE = ImageBlock.from_bytes(b"png", "image/png")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Message(role="user", content=""), []),
        (message("user", TextBlock(text="a"), TextBlock(text="b")), [{"role": "user", "content": "a\nb"}]),
        (
            message("user", TextBlock(text="a"), PICTURE, ImageBlock(source={"type": "url", "url": "https://x/y"})),
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_image", "image_url": "data:image/png;base64,cG5n", "detail": "auto"},
                        {"type": "input_image", "image_url": "https://x/y", "detail": "auto"},
                    ],
                }
            ],
        ),
        (
            message("user", ThinkingBlock(thinking="odd"), ToolCallBlock(id="c", name="f", input={"a": 1})),
            [{"role": "user", "content": 'odd\n[Tool call: f]\n{"a": 1}'}],
        ),
        (
            message("user", TextBlock(text="a"), ToolResultBlock(tool_call_id="call_9", output="r")),
            [
                RESULT,
                {"role": "user", "content": "a"},
            ],
        ),
        (Message(role="assistant", content=""), []),
        (Message(role="assistant", content="a"), [answer("a")]),
        (message("tool", TextBlock(text="r"), tool_call_id="call_9"), [RESULT]),
        (message("tool", ToolResultBlock(tool_call_id="call_9", output="r")), [RESULT]),
        (
            message("tool", ToolResultBlock(tool_call_id="", output={"a": None}), tool_call_id="c"),
            [{"type": "function_call_output", "call_id": "c", "output": '{"a": null}'}],
        ),
        (Message(role="tool", content="r", name="look"), [{"role": "user", "content": "[Tool: look]\nr"}]),
        (Message(role="tool", content="r"), [{"role": "user", "content": "[Tool: unknown]\nr"}]),
        (
            message("assistant", ToolCallBlock(id="call_9", name="f", input='{"city":"Os', problem="cut")),
            [{**CALL, "arguments": '{"city":"Os'}],
        ),
    ],
)
def test_a_message_becomes_items(source: Message, expected: list[JsonObject]) -> None:
    assert without_ids(items(source)) == expected


def test_an_unfinished_answer_is_left_open() -> None:
    marked = Message(role="assistant", content="half", metadata={"vllm:continue": True})
    assert without_ids(items(HI, marked)) == [{"role": "user", "content": "Hi"}, answer("half", "incomplete")]
    assert without_ids(items(marked, HI)) == [answer("half"), {"role": "user", "content": "Hi"}]
    assert without_ids(items(HI, text="half")) == [{"role": "user", "content": "Hi"}, answer("half", "incomplete")]


def stored(name: str) -> Message:
    return Message(role="assistant", content="old", metadata={"vllm:response_id": name})


SYSTEM = Message(role="system", content="S")
OLD = Message(role="assistant", content="no id")


def test_a_stored_response_stands_for_all_before_it() -> None:
    found = body(request(SYSTEM, HI, stored("resp_1"), HI, stored("resp_2"), OLD, HI), enable_state=True)
    assert without_ids(found.pop("input")) == [answer("no id"), {"role": "user", "content": "Hi"}]
    assert found == {
        **{key: value for key, value in MINIMAL.items() if key != "input"},
        "instructions": "S",
        "store": True,
        "previous_response_id": "resp_2",
    }


@pytest.mark.parametrize(
    ("messages", "fields", "enabled"),
    [
        ((HI, stored("resp_1"), HI), {}, False),
        ((HI, stored("resp_1"), HI), {"metadata": {"store": True}}, False),
        ((HI, stored("resp_1"), HI), {"metadata": {"store": False}}, True),
        ((HI, stored("resp_1")), {}, True),
        ((HI, OLD), {}, True),
    ],
)
def test_nothing_is_left_out_without_a_stored_response_to_build_on(
    messages: tuple[Message, ...], fields: dict[str, object], enabled: bool
) -> None:
    found = body(request(*messages, **fields), enable_state=enabled)
    sent = found["input"]
    assert isinstance(sent, list)
    assert (len(sent), "previous_response_id" in found) == (len(messages), False)


def test_equal_requests_are_equal_bytes_and_ids_differ_by_place() -> None:
    first, second = (json.dumps(body(request(OLD, *TURN, OLD))) for _ in range(2))
    assert first == second
    ids = [item["id"] for item in json.loads(first)["input"] if item.get("type") == "message"]
    assert len(set(ids)) == 3


def test_lone_surrogates_are_replaced_everywhere() -> None:
    bad = "x\ud800"
    asked = request(
        Message(role="system", content=bad),
        Message(role="user", content=bad),
        message("assistant", ThinkingBlock(thinking=bad), ToolCallBlock(id=bad, name="f", input={bad: bad})),
        Message(role="assistant", content=bad),
        tools=(ToolSpec(name="f", description=bad, parameters={bad: bad}),),
    )
    sent = json.dumps(body(asked), ensure_ascii=False).encode()
    assert sent.count(b"x?") == 12


def nulls(value: JsonValue) -> Iterator[None]:
    if isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from nulls(entry)
    elif value is None:
        yield None


def test_no_field_is_null() -> None:
    assert list(nulls(body(request(SYSTEM, *TURN, HI, tools=(TOOL,))))) == []


def test_a_null_among_allowed_values_keeps_its_place() -> None:
    tool = ToolSpec(name="f", parameters={"enum": ["a", None]})
    sent = body(request(tools=(tool,)))["tools"]
    assert sent == [{"type": "function", "name": "f", "description": "", "parameters": {"enum": ["a", None]}}]
