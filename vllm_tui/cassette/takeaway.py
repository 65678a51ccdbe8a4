"""A recorded request to take away: as a curl command, as a Python script, as JSON."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from vllm_tui.cassette.exchange import RecordedRequest
    from vllm_tui.domain.values import JsonObject, JsonValue

KEY_VARIABLE = "VLLM_API_KEY"
"""The environment variable that stands in for the key."""
MAX_ARGUMENT = 100_000
"""Bytes of a body given as an argument; Linux takes 128 KiB, beyond it the body goes through standard input."""
SDK_FIELDS = frozenset(
    [
        "background",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
"""What `responses.create` of the openai package takes by name; the rest goes into `extra_body`."""
_OWN_HEADERS = re.compile(
    r"host|content-length|connection|accept-encoding|user-agent|transfer-encoding|cookie|x-stainless-.*|authorization"
)


def to_curl(request: RecordedRequest) -> str:
    """Return a shell command that repeats the request, with the key taken from `$VLLM_API_KEY`."""
    parts = ["curl -sS -N"]
    if request.method not in ("GET", "POST") or (request.method == "POST" and not request.body):
        parts.append(f"-X {request.method}")
    parts.append(shlex.quote(request.url))
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in _kept_headers(request)]
    if _needs_key(request):
        parts.append(f'-H "Authorization: Bearer ${KEY_VARIABLE}"')
    parts += [f'-H {shlex.quote(f"{name}: ")}"${KEY_VARIABLE}"' for name in _other_key_headers(request)]
    if not request.body:
        return " \\\n  ".join(parts)
    if len(request.body.encode("utf-8", "replace")) <= MAX_ARGUMENT:
        return " \\\n  ".join([*parts, f"--data-raw {shlex.quote(request.body)}"])
    mark = _unused_mark(request.body)
    command = " \\\n  ".join([*parts, "--data-binary @-"])
    return f"{command} <<'{mark}'\n{request.body}\n{mark}"


def to_python(request: RecordedRequest) -> str:
    """Return a script that repeats the request: with `openai` for a response, with the standard library otherwise."""
    path = urlsplit(request.url).path
    body = _object(request.body)
    if request.method == "POST" and path.endswith("/responses") and body is not None:
        return _openai_script(request.url.partition("?")[0].removesuffix("/responses"), body)
    return _plain_script(request)


def to_json(request: RecordedRequest) -> str:
    """Return the request as indented JSON; a body that is JSON stands as JSON in it."""
    try:
        body: JsonValue = json.loads(request.body) if request.body else None
    except (ValueError, RecursionError):
        body = request.body
    headers: JsonObject = dict(request.headers)
    whole: JsonObject = {"method": request.method, "url": request.url, "headers": headers, "body": body}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _kept_headers(request: RecordedRequest) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in request.headers
        if _OWN_HEADERS.fullmatch(name) is None and "[redacted]" not in value.lower()
    ]


def _needs_key(request: RecordedRequest) -> bool:
    return any(name == "authorization" for name, _ in request.headers)


def _other_key_headers(request: RecordedRequest) -> list[str]:
    return [
        name
        for name, value in request.headers
        if _OWN_HEADERS.fullmatch(name) is None and "[redacted]" in value.lower()
    ]


def _unused_mark(text: str) -> str:
    mark = "BODY"
    while mark in text:
        mark += "_"
    return mark


def _object(text: str) -> JsonObject | None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _openai_script(base_url: str, body: JsonObject) -> str:
    known = {name: value for name, value in body.items() if name in SDK_FIELDS}
    extra: JsonObject = {name: value for name, value in body.items() if name not in SDK_FIELDS}
    arguments = [f"    {name}={literal(value, 1)},\n" for name, value in known.items()]
    if extra:
        arguments.append(f"    extra_body={literal(extra, 1)},\n")
    head = (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url={base_url!r}, api_key=os.environ.get("{KEY_VARIABLE}", "EMPTY"))\n'
    )
    call = f"client.responses.create(\n{''.join(arguments)})"
    if body.get("stream") is not True:
        return f"{head}response = {call}\nprint(response.model_dump_json(indent=2))\n"
    loop = "for event in stream:\n    print(event.type, getattr(event, 'delta', ''), flush=True)\n"
    return f"{head}stream = {call}\n{loop}"


def _plain_script(request: RecordedRequest) -> str:
    headers = dict(_kept_headers(request))
    lines = [
        "import os",
        "import urllib.request",
        "",
        f"headers = {headers!r}",
        f'if key := os.environ.get("{KEY_VARIABLE}"):' if _needs_key(request) else "",
        '    headers["authorization"] = f"Bearer {key}"' if _needs_key(request) else "",
        f"data = {request.body.encode('utf-8', 'replace')!r}" if request.body else "data = None",
        f"request = urllib.request.Request({request.url!r}, data=data, headers=headers, method={request.method!r})",
        "with urllib.request.urlopen(request) as response:",
        "    print(response.status, response.read().decode())",
    ]
    return "\n".join(line for number, line in enumerate(lines) if line or number == 2) + "\n"


def literal(value: JsonValue, depth: int = 0) -> str:
    """Return a JSON value as a Python literal, indented by `depth` times four spaces where it takes lines."""
    pad, end = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict) and value:
        rows = "".join(f"{pad}{key!r}: {literal(part, depth + 1)},\n" for key, part in value.items())
        return f"{{\n{rows}{end}}}"
    if isinstance(value, list) and value:
        rows = "".join(f"{pad}{literal(part, depth + 1)},\n" for part in value)
        return f"[\n{rows}{end}]"
    return repr(value)
