"""What the screen says of the vocabulary."""

from __future__ import annotations

from typing import assert_never

from vllm_tui.accounting.ladder import is_harmony_model
from vllm_tui.accounting.source import EncoderSource
from vllm_tui.ui.launch import VocabularyStand

_OTHER_MODEL = "exact counts by a vocabulary are for gpt-oss models; this server counts for its own model"


def stand_of(source: EncoderSource | None, model: str) -> VocabularyStand:
    """Return how the vocabulary stands; nothing is said where none is needed or it is ready."""
    if source is None or not is_harmony_model(model):
        return VocabularyStand()
    state = source.state
    match state.phase:
        case "idle" | "loading":
            return VocabularyStand("", is_changing=True)
        case "ready":
            return VocabularyStand()
        case "asking":
            return VocabularyStand("estimates; /vocab fetches 3.6 MB")
        case "downloading":
            share = f" {state.received * 100 // state.total} %" if state.total else ""
            return VocabularyStand(f"vocabulary: downloading{share}", is_changing=True)
        case "unavailable":
            return VocabularyStand("estimates; no vocabulary, /vocab")
        case _:
            assert_never(state.phase)


def fetch(source: EncoderSource | None, model: str) -> str:
    """Allow and begin the download; return what to say."""
    if source is None:
        return "the demo counts for itself; no vocabulary is needed"
    if not is_harmony_model(model):
        return _OTHER_MODEL
    state = source.state
    if state.phase == "ready":
        return "the vocabulary is loaded; counts are exact"
    source.allow_download()
    if state.phase == "unavailable":
        return f"trying again; before: {state.message} {state.hint}".strip()
    return "fetching the vocabulary (3.6 MB); counts are exact once it is there"
