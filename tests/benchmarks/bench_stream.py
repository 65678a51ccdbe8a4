"""What a streamed delta costs from socket to event: python tests/benchmarks/bench_stream.py [deltas] [profile]

A server in a process of its own sends the same bytes over a loopback socket to our provider and to the SDK's typed
stream, each in a fresh process: once as fast as it can, and once each event in a write of its own with a pause after
it, as a model does. CPU is that of the reading process, without its imports and its first request.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from vllm_tui.domain.events import BlockDelta
from vllm_tui.domain.messages import Message
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.values import JsonObject
from vllm_tui.provider.client import VLLMProvider

PIECES = (" token", " the", "ing", ",", " cache", "\n", " größe", " of")
ITEM: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
BYTES_A_WRITE = 16 * 1024
PAUSE = 0.0005
"""Seconds between paced events; longer than a delta takes, so that each is read by itself."""


def response(status: str) -> JsonObject:
    """Return the object of the first and the last event."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "bench",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 5,
            "output_tokens": 5,
            "total_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def payloads(deltas: int) -> Iterator[JsonObject]:
    """Yield the events of an answer of `deltas` pieces."""
    part: JsonObject = {"type": "output_text", "text": "", "annotations": []}
    place: JsonObject = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": response("in_progress")}
    yield {"type": "response.output_item.added", "output_index": 0, "item": ITEM}
    yield {"type": "response.content_part.added", **place, "part": part}
    for number in range(deltas):
        text = PIECES[number % len(PIECES)]
        yield {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []}
    text = "".join(PIECES[number % len(PIECES)] for number in range(deltas))
    yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
    whole: JsonObject = {**ITEM, "status": "completed", "content": [{**part, "text": text}]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": whole}
    yield {"type": "response.completed", "response": {**response("completed"), "output": [whole]}}


def body_of(deltas: int) -> bytes:
    """Return the body of a stream in the bytes vLLM sends."""
    numbered = ({**payload, "sequence_number": number} for number, payload in enumerate(payloads(deltas)))
    return b"".join(f"event: {entry['type']}\ndata: {json.dumps(entry)}\n\n".encode() for entry in numbered)


def writes_of(body: bytes, model: str) -> list[bytes]:
    """Return the body in the pieces it is written in: single events for model `paced`, else large ones."""
    if model == "paced":
        return [event + b"\n\n" for event in body.split(b"\n\n") if event]
    return [body[at : at + BYTES_A_WRITE] for at in range(0, len(body), BYTES_A_WRITE)]


async def serve(deltas: int) -> None:
    """Answer model `warm` with ten deltas, `paced` with a tenth of `deltas`, any other with `deltas`."""
    bodies = {"warm": body_of(10), "paced": body_of(deltas // 10), "fast": body_of(deltas)}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        asked = json.loads(await reader.readexactly(length))
        model = asked["model"]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for piece in writes_of(bodies[model], model):
            writer.write(piece)
            await writer.drain()
            if model == "paced":
                await asyncio.sleep(PAUSE)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def read_ours(url: str, model: str) -> int:
    """Return the number of deltas the provider gave."""
    request = ChatRequest(messages=(Message(role="user", content="Hi"),), model=model)
    found = 0
    async with VLLMProvider({"base_url": url}) as provider:
        async for event in provider.stream(request):
            if isinstance(event, BlockDelta):
                found += 1
    return found


async def read_sdk(url: str, model: str) -> int:
    """Return the number of deltas the SDK's typed stream gave."""
    from openai import AsyncOpenAI

    found = 0
    async with AsyncOpenAI(base_url=url, api_key="EMPTY") as client:
        async for event in await client.responses.create(model=model, input="Hi", stream=True):
            if event.type == "response.output_text.delta":
                found += 1
    return found


READERS = {"ours": read_ours, "sdk": read_sdk}


async def measure(kind: str, url: str, model: str, profiled: bool) -> None:
    """Read one answer and print what it cost as JSON."""
    read = READERS[kind]
    await read(url, "warm")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    profile = cProfile.Profile()
    if profiled:
        profile.enable()
    began, cpu = time.perf_counter(), time.process_time()
    deltas = await read(url, model)
    spent, took = time.process_time() - cpu, time.perf_counter() - began
    profile.disable()
    if profiled:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(22)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"deltas": deltas, "cpu": spent, "seconds": took, "MB": grown}))


def run(kind: str, url: str, model: str, profiled: bool) -> None:
    """Read one answer in a fresh process and print one line."""
    command = [sys.executable, __file__, "read", kind, url, model, *(["profile"] if profiled else [])]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    deltas = report["deltas"]
    cpu, took = (report[name] / deltas * 1e6 for name in ("cpu", "seconds"))
    print(
        f"{kind:5} {model:5} {deltas:7,} deltas  {cpu:6.1f} µs CPU {took:6.1f} µs each  +{report['MB']:.1f} MB",
        flush=True,
    )


def main(deltas: int, profiled: bool) -> None:
    """Run both readers three times in turn on a fast server and once on a paced one; or profile ours."""
    server = subprocess.Popen([sys.executable, __file__, "serve", str(deltas)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        for model, times in (("fast", 1 if profiled else 3), ("paced", 1)):
            for kind in (["ours"] if profiled else ["ours", "sdk"]) * times:
                run(kind, url, model, profiled)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", count]:
            asyncio.run(serve(int(count)))
        case ["read", which, address, asked, *rest]:
            asyncio.run(measure(which, address, asked, bool(rest)))
        case [*words]:
            numbers = [int(word) for word in words if word.isdigit()]
            main(numbers[0] if numbers else 100_000, "profile" in words)
