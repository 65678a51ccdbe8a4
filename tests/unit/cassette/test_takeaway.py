"""Recorded requests as curl, Python and JSON, run for real against the demo on a socket."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from typing import Any

import pytest
from openai.resources.responses import Responses
from vllm_tui.cassette.exchange import RecordedRequest
from vllm_tui.cassette.takeaway import MAX_ARGUMENT, SDK_FIELDS, literal, to_curl, to_json, to_python
from vllm_tui.demo.app import DemoServer
from vllm_tui.demo.pace import Pace
from vllm_tui.demo.server import serve

NASTY = 'it\'s `id` $HOME $(id) "quoted" \\ ! \n\t end 日本'
HEADERS = (
    ("host", "h"),
    ("authorization", "[redacted]"),
    ("content-type", "application/json"),
    ("x-stainless-lang", "python"),
    ("content-length", "1"),
)


def request_to(port: int, body: dict[str, Any]) -> RecordedRequest:
    return RecordedRequest("POST", f"http://127.0.0.1:{port}/v1/responses", HEADERS, json.dumps(body))


async def run(*command: str) -> tuple[int, str, str]:
    environment = {**os.environ, "VLLM_API_KEY": "k", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def server() -> DemoServer:
    return DemoServer(Pace(speed=float("inf")))


@pytest.mark.parametrize("padding", [0, MAX_ARGUMENT + 1])
async def test_the_curl_command_sends_the_body_byte_for_byte(server: DemoServer, padding: int) -> None:
    async with serve(server) as port:
        body = {"input": NASTY, "metadata": {"pad": " " * padding}, "stream": False}
        code, out, err = await run("sh", "-c", to_curl(request_to(port, body)))
    assert (code, err) == (0, "")
    assert json.loads(out)["metadata"] == body["metadata"]
    assert f"You asked:\n\n> {' '.join(NASTY.split())}" in json.loads(out)["output"][-1]["content"][0]["text"]


def test_the_curl_command_reads_as_a_person_would_write_it() -> None:
    request = RecordedRequest(
        "POST", "http://h:8000/v1/responses", (*HEADERS, ("x-api-key", "[redacted]")), '{"input":"hi"}'
    )
    assert to_curl(request) == (
        "curl -sS -N \\\n  http://h:8000/v1/responses \\\n  -H 'content-type: application/json' \\\n"
        '  -H "Authorization: Bearer $VLLM_API_KEY" \\\n  -H \'x-api-key: \'"$VLLM_API_KEY" \\\n'
        '  --data-raw \'{"input":"hi"}\''
    )


def test_a_hostile_header_or_address_stays_quoted() -> None:
    request = RecordedRequest("GET", "http://h/$(id)'`id`", (("x-$(id)", "`id`'"), ("x-key`id`", "[redacted]")), "")
    assert to_curl(request) == (
        "curl -sS -N \\\n  'http://h/$(id)'\"'\"'`id`' \\\n  -H 'x-$(id): `id`'\"'\"'' \\\n"
        "  -H 'x-key`id`: '\"$VLLM_API_KEY\""
    )


@pytest.mark.parametrize("stream", [True, False])
async def test_the_python_script_runs(server: DemoServer, stream: bool) -> None:
    async with serve(server) as port:
        body = {
            "model": "Qwen/Qwen3-8B",
            "input": NASTY,
            "stream": stream,
            "top_k": 5,
            "store": None,
            "metadata": {"a": "'"},
        }
        script = to_python(request_to(port, body))
        code, out, err = await run(sys.executable, "-c", script)
    assert (code, err) == (0, "")
    assert ("response.completed" if stream else '"status": "completed"') in out
    assert "extra_body={\n        'top_k': 5,\n    }" in script


async def test_another_request_becomes_a_script_of_the_standard_library(server: DemoServer) -> None:
    async with serve(server) as port:
        request = RecordedRequest("GET", f"http://127.0.0.1:{port}/v1/models", HEADERS, "")
        code, out, err = await run(sys.executable, "-c", to_python(request))
    assert (code, err) == (0, "")
    assert out.startswith('200 {"object":"list"')


def test_the_fields_given_by_name_are_those_the_sdk_takes() -> None:
    assert set(inspect.signature(Responses.create).parameters) >= SDK_FIELDS


def test_json_shows_the_body_as_json() -> None:
    request = RecordedRequest("POST", "http://h/v1/x", (("a", "b"),), '{"n": [1, "é"]}')
    assert json.loads(to_json(request)) == {
        "method": "POST",
        "url": "http://h/v1/x",
        "headers": {"a": "b"},
        "body": {"n": [1, "é"]},
    }
    assert json.loads(to_json(RecordedRequest("GET", "http://h", (), "not json")))["body"] == "not json"


def test_a_literal_is_the_value_again() -> None:
    value: Any = {"a": [1, None, True, {"b": "'\"\n"}], "c": {}, "d": [], "e": 1.5}
    assert eval(literal(value)) == value
