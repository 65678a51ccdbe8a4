"""Recorded exchanges with real servers, as request body and final response."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vllm_tui.accounting.harmony_types import Exchange

ROOT = Path(__file__).parent.parent / "recordings"
GPT_OSS = ("0.32.0/gpt-oss", "0.32.0/serve-sh-gpt-oss", "0.32.0/gpt-oss-toolserver")
RECORDED_ON = "2026-11-23"


@dataclass(frozen=True)
class Recorded:
    """One exchange; `response` is the final object."""

    name: str
    body: dict[str, Any]
    response: dict[str, Any]

    @property
    def usage(self) -> dict[str, Any]:
        return dict(self.response["usage"])

    @property
    def input_by_round(self) -> list[int]:
        return list(self.usage["input_tokens_details"]["input_tokens_per_turn"])

    @property
    def exchange(self) -> Exchange:
        raw = self.response.get("output_messages") or ()
        return Exchange(self.body, tuple(self.response["output"]), tuple(raw))


def final_response(text: str) -> dict[str, Any] | None:
    """Return the final object of a stream or of a JSON reply; None when there is none."""
    if text.startswith("event:"):
        events = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]
        return next((event["response"] for event in events if event["type"] == "response.completed"), None)
    value = json.loads(text)
    return value if value.get("object") == "response" else None


def load(name: str) -> Recorded | None:
    """Return one exchange by its path without ending, None when it ended without a response."""
    body = json.loads((ROOT / f"{name}.request.json").read_text())
    response = final_response((ROOT / f"{name}.response.txt").read_text(errors="replace"))
    return None if response is None or not isinstance(body, dict) else Recorded(name, body, response)


def gpt_oss_exchanges() -> list[Recorded]:
    """Return every exchange with gpt-oss on vLLM 0.32 that ended with usage."""
    names = [
        f"{folder}/{path.name.removesuffix('.request.json')}"
        for folder in GPT_OSS
        for path in sorted((ROOT / folder).glob("*.request.json"))
        if (ROOT / folder / path.name.replace(".request.json", ".response.txt")).exists()
    ]
    return [found for name in names if (found := load(name)) is not None and found.response.get("usage")]
