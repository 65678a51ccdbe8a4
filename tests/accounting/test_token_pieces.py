"""The prompt token by token."""

from __future__ import annotations

from recorded_counts import load
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.accounting.figures import Part
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.harmony_types import ServerFacts
from vllm_tui.accounting.tokens_view import (
    Piece,
    channel_counts,
    part_counts,
    pieces_json,
    prompt_pieces,
    tokenized_pieces,
)

FACTS = ServerFacts("2026-01-02")


def test_the_pieces_are_the_prompt(renderer: HarmonyRenderer, encoder: Encoder) -> None:
    prompt = renderer.render_request({"input": "Naïve 日本語?", "instructions": "Be brief."}, FACTS)
    pieces = prompt_pieces(prompt, encoder)
    assert "".join(piece.text for piece in pieces) == encoder.decode(prompt.tokens)
    assert part_counts(pieces) == prompt.parts
    assert pieces[-2:] == [Piece("<|start|>", 200006, True, "opening"), Piece("assistant", 173781, False, "opening")]


def test_half_a_character_is_written_as_bytes(renderer: HarmonyRenderer, encoder: Encoder) -> None:
    pieces = prompt_pieces(renderer.render_request({"input": "🫨"}, FACTS), encoder)
    shown = [piece.text for piece in pieces if piece.part == "question"][3:-1]
    assert "".join(shown).replace("\\x", "") == "🫨".encode().hex()


def test_special_text_a_person_typed_is_not_special(renderer: HarmonyRenderer, encoder: Encoder) -> None:
    pieces = prompt_pieces(renderer.render_request({"input": "<|end|>"}, FACTS), encoder)
    typed = [piece for piece in pieces if piece.part == "question"][3:-1]
    assert ("".join(piece.text for piece in typed), {piece.is_special for piece in typed}) == ("<|end|>", {False})


def test_tokens_of_another_model_come_from_its_server() -> None:
    pieces = tokenized_pieces([1, 9690, 198, 77], ["<|im_start|>", "system", "Ċ", "Ġare"])
    assert pieces == [
        Piece("<|im_start|>", 1, True, "prompt"),
        Piece("system", 9690, False, "prompt"),
        Piece("\n", 198, False, "prompt"),
        Piece(" are", 77, False, "prompt"),
    ]
    assert pieces_json(pieces[:1]) == [{"id": 1, "text": "<|im_start|>", "special": True, "part": "prompt"}]


def test_an_answer_is_counted_by_channel(renderer: HarmonyRenderer) -> None:
    item = load("0.32.0/gpt-oss-toolserver/builtin_python_messages_nostream")
    assert item is not None
    assert channel_counts(item.response["output_messages"], renderer) == (
        Part("analysis", 37),
        Part("tool output", 11),
        Part("final", 12),
    )
    assert channel_counts(item.response["output_messages"], None) == ()


def test_another_models_answer_has_one_channel() -> None:
    item = load("0.32.0/default/response_messages")
    assert item is not None
    assert channel_counts(item.response["output_messages"], None) == (Part("answer", item.usage["output_tokens"]),)
