"""The failures the demo can act out, each called by a marker in the prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKER = re.compile(r"\[\[demo:([a-z-]+)\]\]")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: its name, one line for a list, and a prompt that brings it about."""

    name: str
    description: str
    prompt: str


def _failure(name: str, description: str, question: str) -> Failure:
    return Failure(name, description, f"{question} [[demo:{name}]]")


FAILURES: tuple[Failure, ...] = (
    _failure("overloaded", "Busy twice (503 with Retry-After), then answers.", "What is continuous batching?"),
    _failure("dies", "The connection breaks in the middle of the answer.", "How does paged attention work?"),
    _failure("stalls", "A long silence in the middle of the answer.", "What does the KV cache cost?"),
    _failure("context", "The prompt does not fit the context window (400).", "Summarise this very long report."),
    _failure("key", "The API key is wrong (401).", "Hello, do you know me?"),
    _failure("html", "A proxy answers with an HTML page (502).", "Is anybody there?"),
    _failure("arguments", "A tool call whose arguments are broken JSON.", "What is the weather in Paris?"),
    _failure("cut", "The answer is cut at the output limit.", "Explain quantisation."),
    _failure("escape", "Escape sequences, markup and bidi controls in the answer.", "Show me a hostile answer."),
    _failure("no-reasoning", "A model that answers without reasoning.", "What is speculative decoding?"),
)
"""All failures, in the order lists show them."""

NAMES = frozenset(failure.name for failure in FAILURES)


def find_failure(text: str) -> str | None:
    """Return the name of the last known marker in `text`, or None."""
    names = [name for name in _MARKER.findall(text) if name in NAMES]
    return names[-1] if names else None


def without_markers(text: str) -> str:
    """Return `text` as the model sees it, without any marker."""
    return _MARKER.sub("", text).strip()
