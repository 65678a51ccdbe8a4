"""Token views as a backend returns them."""

from __future__ import annotations

from vllm_tui.accounting.figures import Part
from vllm_tui.accounting.token_view import Alternative, Shown, TokenSide
from vllm_tui.accounting.tokens_view import Piece

_PIECES = (
    Piece("<|start|>", 200006, True, "system"),
    Piece("system", 17360, False, "system"),
    Piece("<|message|>", 200008, True, "system"),
    Piece("You are", 3575, False, "system"),
    Piece(" kind.\n", 14648, False, "system"),
    Piece("Hello", 13225, False, "question"),
    Piece(" there", 1354, False, "question"),
    Piece("<|end|>", 200007, True, "question"),
)
PROMPT = TokenSide(
    tuple(map(Shown, _PIECES)),
    "computed",
    "Rendered here as vLLM renders it for gpt-oss (Harmony).",
    (Part("system", 5), Part("question", 3)),
)
_OTHERS = (Alternative(" dog", 0.6), Alternative(" cat", 0.05))
PROBABLE = TokenSide(
    (
        Shown(Piece("The", -1, False, "answer"), 0.98, (Alternative("The", 0.98), Alternative("A", 0.01))),
        Shown(Piece(" cat", -1, False, "answer"), 0.05, _OTHERS),
        Shown(Piece(" sat", -1, False, "answer"), 0.4, (Alternative(" sat", 0.4), Alternative(" lay", 0.3))),
        Shown(Piece(".", -1, False, "answer"), 0.91),
    ),
    "server",
    "Each token with its probability, as the server reported it (top_logprobs).",
    (Part("answer", 4),),
)
TEXT_ONLY = TokenSide(
    (Shown(Piece("Hello\n", -1, False, "question")),),
    None,
    "The vocabulary of gpt-oss is not loaded (/vocab fetches it): the text is shown without tokens.",
)
OTHER = TokenSide(
    (
        Shown(Piece("<|im_start|>", 1, True, "prompt")),
        Shown(Piece("user\n", 2, False, "prompt")),
        Shown(Piece("\x1b[31m", 3, False, "prompt")),
        Shown(Piece("日本語", 4, False, "prompt")),
    ),
    "computed",
    "As the server's own /tokenize renders it with the model's template.",
    (Part("prompt", 4),),
)
