"""The demo as a program meets it: through httpx2, through the openai client, and over a socket."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, AsyncOpenAI
from vllm_tui.demo.app import DemoServer
from vllm_tui.demo.failures import FAILURES, NAMES, find_failure
from vllm_tui.demo.pace import STALL_SECONDS, Pace
from vllm_tui.demo.server import serve
from vllm_tui.demo.transport import BASE_URL, DemoTransport

RECORDINGS = Path(__file__).parents[2] / "recordings" / "0.32.0" / "default"
GPT, QWEN = "openai/gpt-oss-20b", "Qwen/Qwen3-8B"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["fahrenheit", "celsius"]}},
        "required": ["city", "unit"],
    },
}
TIME = {
    "type": "function",
    "name": "current_time",
    "parameters": {"type": "object", "properties": {"timezone": {"type": "string"}}},
}


class Clock:
    """Sleeps in no time and remembers how long it would have taken."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def now(self) -> float:
        return 1_800_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    transport = DemoTransport(pace=Pace(sleep=clock.sleep, now=clock.now))
    async with httpx2.AsyncClient(transport=transport, base_url="http://demo.invalid") as found:
        yield found


async def ask(client: httpx2.AsyncClient, question: Any, **fields: Any) -> dict[str, Any]:
    response = await client.post("/v1/responses", json={"input": question, **fields})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def text_in(response: dict[str, Any], kind: str = "message") -> str:
    return "".join(item["content"][0]["text"] for item in response["output"] if item["type"] == kind)


def calls_in(response: dict[str, Any]) -> list[tuple[str, Any]]:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    return [(call["name"], json.loads(call["arguments"])) for call in calls]


async def test_it_serves_two_models_with_their_windows(client: httpx2.AsyncClient) -> None:
    models = (await client.get("/v1/models")).json()["data"]
    assert [(model["id"], model["max_model_len"]) for model in models] == [(GPT, 131072), (QWEN, 32768)]


async def test_it_is_healthy_and_says_its_version(client: httpx2.AsyncClient) -> None:
    health, version = await client.get("/health"), await client.get("/version")
    assert (health.status_code, health.content, version.json()) == (200, b"", {"version": "0.32.0"})


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v1/nothing", 404, {"detail": "Not Found"}),
        ("GET", "/v1/responses", 405, {"detail": "Method Not Allowed"}),
        ("DELETE", "/v1/responses/resp_1", 405, {"detail": "Method Not Allowed"}),
        ("GET", "/v1/responses/resp_1/input_items", 404, {"detail": "Not Found"}),
    ],
)
async def test_other_paths_are_refused_as_uvicorn_does(
    client: httpx2.AsyncClient, method: str, path: str, status: int, body: dict[str, str]
) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.json()) == (status, body)


async def test_reasoning_grows_with_effort(client: httpx2.AsyncClient) -> None:
    lengths = []
    for effort in ("low", "medium", "high"):
        response = await ask(client, "What does the KV cache cost?", model=GPT, reasoning={"effort": effort})
        lengths.append(response["usage"]["output_tokens_details"]["reasoning_tokens"])
    assert 10 < lengths[0] < lengths[1] / 1.5 < lengths[2] / 2


async def test_a_model_told_not_to_think_does_not(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "What is batching?", model=QWEN, reasoning={"effort": "none"})
    assert [item["type"] for item in response["output"]] == ["message"]
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] == 0


async def test_the_same_conversation_is_answered_alike_by_a_new_server(clock: Clock) -> None:
    bodies = []
    for _ in range(2):
        transport = DemoTransport(pace=Pace(sleep=clock.sleep, now=clock.now))
        async with httpx2.AsyncClient(transport=transport, base_url="http://demo.invalid") as client:
            bodies.append((await client.post("/v1/responses", json={"input": "hello", "stream": True})).content)
    assert bodies[0] == bodies[1]


async def test_a_second_turn_finds_its_prefix_cached(client: httpx2.AsyncClient) -> None:
    first = await ask(client, "hello " * 40)
    history = [
        {"role": "user", "content": "hello " * 40},
        {"role": "assistant", "content": text_in(first)},
        {"role": "user", "content": "and now?"},
    ]
    second = await ask(client, history)
    cached = second["usage"]["input_tokens_details"]["cached_tokens"]
    assert first["usage"]["input_tokens_details"]["cached_tokens"] == 0
    assert cached % 16 == 0
    assert 64 <= cached <= first["usage"]["input_tokens"]


async def test_usage_adds_up_and_only_harmony_lists_turns(client: httpx2.AsyncClient) -> None:
    for model, turns in ((GPT, 1), (QWEN, 0)):
        usage = (await ask(client, "hello", model=model))["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens_details"]["input_tokens_per_turn"] == [usage["input_tokens"]] * turns
        assert usage["output_tokens_details"]["output_tokens_per_turn"] == [usage["output_tokens"]] * turns


async def test_two_cities_are_two_calls_at_once_for_a_plain_model(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "Is it sunny in Tokyo or in Paris?", model=QWEN, tools=[WEATHER])
    assert calls_in(response) == [
        ("get_weather", {"city": "Tokyo", "unit": "celsius"}),
        ("get_weather", {"city": "Paris", "unit": "celsius"}),
    ]


async def test_two_cities_are_two_rounds_for_a_harmony_model(client: httpx2.AsyncClient) -> None:
    items: list[dict[str, Any]] = [{"role": "user", "content": "Weather in Tokyo and Paris?"}]
    asked = []
    for _ in range(2):
        response = await ask(client, items, model=GPT, tools=[WEATHER])
        asked += calls_in(response)
        call = next(item for item in response["output"] if item["type"] == "function_call")
        items += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": '{"celsius": 18}'}]
    answer = await ask(client, items, model=GPT, tools=[WEATHER])
    assert [arguments["city"] for _, arguments in asked] == ["Tokyo", "Paris"]
    assert calls_in(answer) == []
    assert text_in(answer).count("| celsius | 18 |") == 2


async def test_the_time_is_asked_in_the_zone_of_the_city(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "What time is it in Tokyo?", tools=[WEATHER, TIME])
    assert calls_in(response) == [("current_time", {"timezone": "Asia/Tokyo"})]


async def test_a_failed_tool_is_told_and_not_guessed(client: httpx2.AsyncClient) -> None:
    items = [
        {"role": "user", "content": "Weather in Paris?"},
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "Error: no network"},
    ]
    answer = text_in(await ask(client, items, tools=[WEATHER]))
    assert answer.startswith("I could not use `get_weather` for Paris.")
    assert "> Error: no network" in answer


async def test_without_a_fitting_tool_it_says_so_in_words(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "What is the weather in Paris?")
    assert calls_in(response) == []
    assert "no tool for it is offered" in text_in(response)


async def test_a_required_tool_is_called_whatever_the_question(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "hello", model=QWEN, tools=[WEATHER], tool_choice="required")
    assert [name for name, _ in calls_in(response)] == ["get_weather"]


async def test_a_forbidden_tool_is_not_called_by_a_plain_model(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "Weather in Rome?", model=QWEN, tools=[WEATHER], tool_choice="none")
    assert calls_in(response) == []


async def test_an_orphan_result_is_refused_by_harmony_only(client: httpx2.AsyncClient) -> None:
    items = [
        {"role": "user", "content": "Weather in Paris?"},
        {"type": "function_call_output", "call_id": "call_nope", "output": "18"},
    ]
    refused = await client.post("/v1/responses", json={"input": items, "model": GPT})
    assert refused.json()["error"]["message"] == "No call message found for call_nope (parameter=input)"
    assert "**18**" in text_in(await ask(client, items, model=QWEN))


async def test_a_small_limit_cuts_and_says_so(client: httpx2.AsyncClient) -> None:
    response = await ask(client, "Explain quantisation", model=QWEN, max_output_tokens=100)
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["usage"]["output_tokens"] <= 100
    assert response["max_output_tokens"] == 100


async def test_an_unfinished_answer_is_continued_without_a_seam(client: httpx2.AsyncClient) -> None:
    question = "Explain quantisation"
    whole = text_in(await ask(client, question, model=QWEN)).lstrip("\n")
    started = {"type": "message", "role": "assistant", "status": "incomplete", "content": whole[:333]}
    rest = await ask(client, [{"role": "user", "content": question}, started], model=QWEN)
    assert whole[:333] + text_in(rest) == whole


async def test_a_stored_response_can_be_built_upon_and_fetched(client: httpx2.AsyncClient) -> None:
    first = await ask(client, "What is the capital of Japan?", store=True)
    second = await ask(client, "hello", previous_response_id=first["id"])
    fetched = (await client.get(f"/v1/responses/{first['id']}")).json()
    assert fetched == first
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    unstored = await ask(client, "hello", store=False)
    assert (await client.get(f"/v1/responses/{unstored['id']}")).status_code == 404


async def test_a_schema_is_answered_with_json_that_fits(client: httpx2.AsyncClient) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"enum": ["a"]}}, "required": ["n", "s"]}
    shape = {"format": {"type": "json_schema", "name": "p", "schema": schema}}
    response = await ask(client, "Give me one.", model=GPT, text=shape)
    assert json.loads(text_in(response)) == {"n": 1, "s": "a"}


async def test_a_prompt_beyond_the_window_is_refused_before_the_stream(client: httpx2.AsyncClient) -> None:
    body = {"model": QWEN, "input": "hello world " * 20000, "stream": True}
    response = await client.post("/v1/responses", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(
        "This model's maximum context length is 32768 tokens. However, your prompt contains at least 32769 input tokens"
    )


async def test_truncation_leaves_one_token(client: httpx2.AsyncClient) -> None:
    body = {"model": QWEN, "truncation": "auto", "max_output_tokens": 50}
    response = await ask(client, "hello world " * 20000, **body)
    assert (response["status"], response["usage"]["total_tokens"]) == ("incomplete", 32768)


async def test_tokenize_counts_prompts_and_messages(client: httpx2.AsyncClient) -> None:
    prompt = {"model": QWEN, "prompt": "Hello, world", "return_token_strs": True}
    answer = (await client.post("/tokenize", json=prompt)).json()
    assert (answer["count"], answer["max_model_len"]) == (3, 32768)
    assert answer["token_strs"] == ["Hello", ",", " world"]
    assert len(answer["tokens"]) == 3
    messages = {"messages": [{"role": "user", "content": "Hello"}]}
    assert (await client.post("/tokenize", json=messages)).json()["count"] > 1
    assert (await client.post("/tokenize", json={"input": "x"})).status_code == 400


async def test_the_pace_is_believable(client: httpx2.AsyncClient, clock: Clock) -> None:
    response = await client.post("/v1/responses", json={"input": "What is batching?", "stream": True, "model": QWEN})
    final = json.loads(response.text.strip().split("\n\n")[-1].split("data: ")[1])["response"]
    tokens, seconds = final["usage"]["output_tokens"], sum(clock.slept)
    assert 50 < tokens / seconds < 90
    assert final["metrics"]["generation_time_ms"] / 1000 == pytest.approx(seconds, rel=0.1)


async def test_speed_divides_every_wait_but_the_stall(clock: Clock) -> None:
    pace = Pace(speed=4.0, sleep=clock.sleep)
    await pace.wait(2.0)
    await pace.stall()
    assert clock.slept == [0.5, STALL_SECONDS]


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="give a number above 0"):
        Pace(speed=speed)


def test_every_failure_prompt_calls_its_failure() -> None:
    assert [find_failure(failure.prompt) for failure in FAILURES] == [failure.name for failure in FAILURES]
    assert len(NAMES) == len(FAILURES) == 10


def prompt_of(name: str) -> str:
    return next(failure.prompt for failure in FAILURES if failure.name == name)


async def test_overloaded_is_busy_twice_and_then_answers(client: httpx2.AsyncClient) -> None:
    body = {"input": prompt_of("overloaded"), "stream": True}
    answers = [await client.post("/v1/responses", json=body) for _ in range(4)]
    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers] == [
        (503, "1"),
        (503, "1"),
        (200, None),
        (503, "1"),
    ]


async def test_a_dying_answer_breaks_after_some_text(client: httpx2.AsyncClient) -> None:
    body = {"input": prompt_of("dies"), "stream": True}
    seen = bytearray()

    async def read() -> None:
        async with client.stream("POST", "/v1/responses", json=body) as response:
            async for chunk in response.aiter_bytes():
                seen.extend(chunk)

    with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
        await read()
    assert seen.count(b"event: response.output_text.delta") == 29
    assert b"response.completed" not in seen


async def test_a_stalling_answer_is_silent_for_long_and_then_ends(client: httpx2.AsyncClient, clock: Clock) -> None:
    response = await client.post("/v1/responses", json={"input": prompt_of("stalls"), "stream": True})
    assert clock.slept.count(STALL_SECONDS) == 1
    assert response.text.count("event: response.completed") == 1


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("context", 400, "maximum context length is 131072"),
        ("key", 401, '{"error":"Unauthorized"}'),
        ("html", 502, "<html>"),
    ],
)
async def test_a_refusing_failure_has_the_status_and_words_of_the_real_one(
    client: httpx2.AsyncClient, name: str, status: int, words: str
) -> None:
    response = await client.post("/v1/responses", json={"input": prompt_of(name)})
    assert response.status_code == status
    assert words in response.text


async def test_broken_arguments_are_a_call_that_is_no_json(client: httpx2.AsyncClient) -> None:
    response = await ask(client, prompt_of("arguments"), tools=[WEATHER])
    call = next(item for item in response["output"] if item["type"] == "function_call")
    assert (response["status"], call["status"]) == ("completed", "completed")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(call["arguments"])


async def test_the_cut_failure_is_incomplete_after_some_text(client: httpx2.AsyncClient) -> None:
    response = await ask(client, prompt_of("cut"))
    assert response["status"] == "incomplete"
    assert len(text_in(response)) > 100


async def test_the_hostile_answer_holds_real_control_characters(client: httpx2.AsyncClient) -> None:
    answer = text_in(await ask(client, prompt_of("escape")))
    assert all(part in answer for part in ("\x1b]52;c;", "\x1b]0;", "\x9b31m", "\u202e", "[@click=app.quit]"))


async def test_the_model_without_reasoning_has_none(client: httpx2.AsyncClient) -> None:
    response = await ask(client, prompt_of("no-reasoning"), model=QWEN, reasoning={"effort": "high"})
    assert [item["type"] for item in response["output"]] == ["message"]
    assert text_in(response).startswith("## Speculative decoding")


async def test_the_openai_client_reads_a_stream_to_its_end(clock: Clock) -> None:
    http = httpx2.AsyncClient(transport=DemoTransport(pace=Pace(sleep=clock.sleep, now=clock.now)))
    async with AsyncOpenAI(base_url=BASE_URL, api_key="unused", http_client=http) as client:
        stream = await client.responses.create(model=GPT, input="How does paged attention work?", stream=True)
        kinds, text = [], ""
        async for event in stream:
            kinds.append(event.type)
            text += event.delta if event.type == "response.output_text.delta" else ""
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert event.type == "response.completed"
    assert event.response.output_text == text
    assert text.startswith("## Paged attention")
    assert event.response.usage is not None
    assert event.response.usage.output_tokens_details.reasoning_tokens > 0


async def test_the_openai_client_sees_an_error_as_an_error(clock: Clock) -> None:
    http = httpx2.AsyncClient(transport=DemoTransport(pace=Pace(sleep=clock.sleep, now=clock.now)))
    async with AsyncOpenAI(base_url=BASE_URL, api_key="unused", http_client=http, max_retries=0) as client:
        with pytest.raises(APIStatusError) as caught:
            await client.responses.create(model="nope", input="hello")
    assert caught.value.status_code == 404


async def test_the_socket_gives_the_same_bytes_as_the_transport(clock: Clock) -> None:
    body = {"input": "What is batching?", "stream": True}
    pace = Pace(sleep=clock.sleep, now=clock.now)
    async with (
        serve(DemoServer(pace)) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as over_socket,
        httpx2.AsyncClient(base_url="http://demo.invalid", transport=DemoTransport(pace=pace)) as direct,
    ):
        answers = [await client.post("/v1/responses", json=body) for client in (over_socket, direct)]
        again = await over_socket.get("/health")
    assert answers[0].content == answers[1].content
    assert answers[0].headers["transfer-encoding"] == "chunked"
    assert again.status_code == 200


async def test_the_socket_breaks_as_a_dying_server_does(clock: Clock) -> None:
    async with (
        serve(DemoServer(Pace(sleep=clock.sleep))) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await client.post("/v1/responses", json={"input": prompt_of("dies"), "stream": True})


@pytest.mark.parametrize("request_bytes", [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"])
async def test_the_socket_refuses_what_is_no_http(request_bytes: bytes) -> None:
    async with serve(DemoServer()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")


def test_a_taken_port_is_told_in_one_line() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [sys.executable, "-m", "vllm_tui.demo", "--port", port], capture_output=True, text=True, check=False
        )
    assert run.returncode == 1
    assert run.stderr.startswith(f"The demo can't listen on 127.0.0.1:{port}:")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 2 + 3 * 4?", "`2 + 3 * 4` is **14**."),
        ("-3 x 5 - 1 =", "`-3 * 5 - 1` is **-16**."),
        ("compute 10/4", "`10/4` is **2.5**."),
        ("what's 1/0", "`1/0` is **undefined: a division by zero**."),
        ("What is the capital of the Netherlands?", "The capital of the Netherlands is **Amsterdam**."),
    ],
)
async def test_a_short_question_gets_a_short_answer(client: httpx2.AsyncClient, question: str, answer: str) -> None:
    assert text_in(await ask(client, question, model=GPT)) == answer


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("How does paged attention work?", "## Paged attention in one picture"),
        ("why is my server so slow?", "## Where does the time go?"),
        ("What does the temperature do?", "## How the next token is chosen"),
        ("write a python function please", "Here is a small, complete example"),
        ("Show me Markdown", "# Everything Markdown"),
        ("Give me a complete guide to KV caches", "# Serving language models, from the bottom up"),
        ("hello", "Hello! I am the **demo**"),
        ("Which events led to the first world war in 1914-1918?", "You asked:"),
        ("", "You asked:"),
    ],
)
async def test_a_question_finds_its_subject(client: httpx2.AsyncClient, question: str, heading: str) -> None:
    assert text_in(await ask(client, question, model=GPT)).startswith(heading)


async def test_an_answer_to_anything_speaks_of_the_question(client: httpx2.AsyncClient) -> None:
    answer = text_in(await ask(client, "Should I repaint the bicycle before selling it?", model=GPT))
    assert "> Should I repaint the bicycle before selling it?" in answer
    assert "**repaint** and **bicycle**" in answer
    assert "| about repaint |" in answer


async def test_a_sum_goes_to_a_calculator_that_is_offered(client: httpx2.AsyncClient) -> None:
    tool = {"type": "function", "name": "calculator"}
    tool |= {"parameters": {"properties": {"expression": {"type": "string"}}, "required": ["expression"]}}  # type: ignore[dict-item]
    response = await ask(client, "What is 12 x 7?", tools=[tool])
    assert calls_in(response) == [("calculator", {"expression": "12 * 7"})]


async def test_an_answer_can_be_closed_by_another_task_while_it_waits() -> None:
    asleep, go_on = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds == STALL_SECONDS:
            asleep.set()
            await go_on.wait()

    transport = DemoTransport(pace=Pace(sleep=sleep))
    async with httpx2.AsyncClient(transport=transport, base_url="http://demo.invalid") as client:
        request = client.build_request("POST", "/v1/responses", json={"input": prompt_of("stalls"), "stream": True})
        response = await client.send(request, stream=True)
        reading = asyncio.create_task(response.aread())
        await asleep.wait()
        await response.stream.aclose()  # type: ignore[union-attr]
        go_on.set()
        seen = await reading
    assert seen.count(b"output_text.delta") > 0
    assert b"response.completed" not in seen


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("bad_json_array", "application/json"),
        ("missing_input", "application/json"),
        ("wrong_content_type", "text/plain"),
        ("previous_response_id_unknown", "application/json"),
    ],
)
async def test_a_wrong_body_is_answered_in_the_recorded_words(
    client: httpx2.AsyncClient, name: str, content_type: str
) -> None:
    body = (RECORDINGS / f"{name}.request.json").read_bytes()
    answer = await client.post("/v1/responses", content=body, headers={"content-type": content_type})
    recorded = json.loads((RECORDINGS / f"{name}.response.txt").read_text())
    assert (answer.status_code, answer.json()) == (recorded["error"]["code"], recorded)


async def test_broken_json_is_refused_with_its_place(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/v1/responses", content=b'{"input": ', headers={"content-type": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "Bad Request", "body.10")
    assert "JSON decode error" in error["message"]
