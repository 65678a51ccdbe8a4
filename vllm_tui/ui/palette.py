"""What the palette offers: every action, and the samples of the demo."""

from __future__ import annotations

from collections.abc import Sequence

from vllm_tui.ui.actions import ACTIONS
from vllm_tui.ui.launch import Sample
from vllm_tui.ui.screens.pick import Choice

_NOT_LISTED = {"palette", "interrupt", "cancel"}


def palette_choices(samples: Sequence[Sample]) -> list[Choice]:
    """Return the lines of the palette; a value is `action:NAME` or `sample:NUMBER`."""
    choices = [
        Choice(f"action:{action.name}", action.title, "  ".join(filter(None, (action.label, _slash(action.slash)))))
        for action in ACTIONS
        if action.name and action.name not in _NOT_LISTED
    ]
    choices += [Choice(f"sample:{number}", f"Try: {sample.title}") for number, sample in enumerate(samples)]
    return choices


def _slash(word: str) -> str:
    return f"/{word}" if word else ""
