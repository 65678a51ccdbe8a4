"""What the answers of a server mean: health, version, models, key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from vllm_tui.domain.checks import Check, CheckName, CheckState, ServedModel
from vllm_tui.server.http import Failure, Reply

if TYPE_CHECKING:
    from vllm_tui.server.address import Address

FIRST_VERSION = (0, 10, 1)
"""The first vLLM whose Responses API this program knows."""
MAX_MODELS = 1000


def models_in(answer: Reply | Failure) -> tuple[ServedModel, ...]:
    """Return the models of a /v1/models answer; none when it is something else."""
    body = answer.json if isinstance(answer, Reply) and answer.status == 200 else None
    data = body.get("data") if isinstance(body, dict) else None
    found: list[ServedModel] = []
    for entry in data[:MAX_MODELS] if isinstance(data, list) else []:
        name = entry.get("id") if isinstance(entry, dict) else None
        window = entry.get("max_model_len") if isinstance(entry, dict) else None
        if isinstance(name, str) and name:
            found.append(ServedModel(name, window if isinstance(window, int) and window > 0 else None))
    return tuple(found)


def version_in(answer: Reply | Failure) -> str:
    """Return the version of a /version answer; empty when it is something else."""
    body = answer.json if isinstance(answer, Reply) and answer.status == 200 else None
    version = body.get("version") if isinstance(body, dict) else None
    return version[:40] if isinstance(version, str) else ""


def judge_health(answer: Reply | Failure, address: Address) -> Check:
    """Say whether the server lives; only silence and a dead engine are failures."""
    if isinstance(answer, Failure):
        return _failed("health", answer, address)
    seconds = answer.seconds
    if answer.is_html:
        remedy = "Check host and port: a proxy or another program answers there."
        return Check("health", "warn", f"an HTML page came (status {answer.status}), as from a proxy", seconds, remedy)
    if answer.status == 200:
        return Check("health", "ok", "the server is well", seconds)
    if answer.status == 400 and "https" in answer.text.lower():
        return Check("health", "fail", "the port expects TLS", seconds, f"Write https://{address.where}/v1.")
    if answer.status >= 500:
        fact = f"status {answer.status}: the engine is dead or still starting"
        remedy = "Look at the log: sudo journalctl -u vllm -n 50; restart it if it does not recover."
        return Check("health", "fail", fact, seconds, remedy)
    remedy = "This may be another kind of server, or a proxy that hides /health."
    return Check("health", "warn", f"status {answer.status} for /health", seconds, remedy)


def judge_version(answer: Reply | Failure) -> Check:
    """Say which vLLM it is, and whether it is too old."""
    version = version_in(answer)
    if not version:
        remedy = "A proxy may hide /version; then nothing is wrong."
        return Check("version", "warn", "the server does not say its version", answer.seconds, remedy)
    numbers = tuple(int(part) for part in re.findall(r"\d{1,6}", version.partition("+")[0])[:3])
    if numbers and numbers < FIRST_VERSION:
        remedy = "The Responses API needs vLLM 0.10.1 or later: uv pip install -U vllm"
        return Check("version", "warn", f"vLLM {version} is too old", answer.seconds, remedy)
    return Check("version", "ok", f"vLLM {version}", answer.seconds)


def judge_models(answer: Reply | Failure, address: Address, wanted: str | None) -> Check:
    """Say what is served with which windows, and whether the wanted model is among it."""
    if isinstance(answer, Failure):
        return _failed("models", answer, address)
    models = models_in(answer)
    if models:
        return _judge_served(models, wanted, answer.seconds)
    if answer.status in (401, 403):
        return Check("models", "skipped", "the list needs a key", answer.seconds)
    fact, remedy = _no_list(answer, address)
    return Check("models", "fail", fact, answer.seconds, remedy)


def _no_list(answer: Reply, address: Address) -> tuple[str, str]:
    """Return why an answer is no list of models, and the remedy."""
    if answer.is_html:
        fact = f"an HTML page came (status {answer.status})"
        return fact, "Check the address: a web page is served there, no vLLM."
    match answer.status:
        case 200:
            return "the answer is no list of models", "Check the address: another program answers there."
        case 404:
            remedy = "Check the path of the address." if address.has_v1 else f"Use {address.root}/v1"
            return "there is no list of models here (status 404)", remedy
        case status if 300 <= status < 400:
            remedy = "Use the address it points to; a key is not sent along a redirect."
            return f"redirected to {_shown(answer.location)}", remedy
        case status:
            return f"status {status}", "Look at the server's log: sudo journalctl -u vllm -n 50"


def _judge_served(models: tuple[ServedModel, ...], wanted: str | None, seconds: float) -> Check:
    named = [f"{model.name} ({model.window:,})" if model.window else model.name for model in models[:5]]
    more = f" and {len(models) - 5} more" if len(models) > 5 else ""
    if wanted and wanted not in {model.name for model in models}:
        remedy = f"Choose one of these: {', '.join(named)}{more}"
        return Check("models", "warn", f"{wanted} is not served", seconds, remedy)
    return Check("models", "ok", f"{', '.join(named)}{more}", seconds)


def judge_auth(answer: Reply | Failure, *, has_key: bool, is_open: bool | None) -> Check:
    """Say whether a key is needed and accepted; `is_open` tells what happened without the key."""
    if isinstance(answer, Failure):
        return Check("auth", "skipped", "not tried: models failed")
    state: CheckState = "fail"
    match answer.status:
        case 401 if has_key:
            fact = "the server does not accept the key"
            remedy: str | None = "Set the key the server was started with (--api-key or VLLM_API_KEY there)."
        case 401:
            fact, remedy = "the server needs a key", "Set VLLM_API_KEY, or the api_key option."
        case 403:
            fact, remedy = "access is forbidden (status 403)", "Ask who runs the server or the proxy before it."
        case 200:
            state, remedy = "ok", None
            fact = "open: no key is needed" if is_open or not has_key else "the key is accepted"
        case status:
            state, fact, remedy = "skipped", f"can't tell from status {status}", None
    return Check("auth", state, fact, answer.seconds, remedy)


def _failed(name: CheckName, failure: Failure, address: Address) -> Check:
    match failure.kind:
        case "timeout":
            fact, remedy = failure.reason, "The server may be starting or overloaded: look at its log and try again."
        case "connect":
            fact, remedy = f"no connection: {failure.reason}", f"Try: curl {address.root}/health"
        case "tls":
            fact, remedy = (
                f"TLS failed: {failure.reason}",
                f"If the server has no TLS, write http://{address.where}/v1.",
            )
        case "not_http":
            fact = f"{address.where} does not speak HTTP"
            remedy = f"Check the port. If it expects TLS, write https://{address.where}/v1."
        case "too_large":
            fact, remedy = failure.reason, "Check the address: another program answers there."
        case _:
            assert_never(failure.kind)
    return Check(name, "fail", fact, failure.seconds, remedy)


def _shown(location: str) -> str:
    return location.partition("?")[0].rpartition("@")[2][:200] or "nowhere"
