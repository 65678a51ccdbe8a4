"""A prompt token by token, for people: text, id, whether it is special, and the part it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import Part
from vllm_tui.domain.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder
    from vllm_tui.accounting.harmony import HarmonyPrompt, HarmonyRenderer

_MARKED = {"Ġ": " ", "Ċ": "\n", "ĉ": "\t", "▁": " "}
"""How vocabularies of other models write white space in `token_strs`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One token. `text` is its text; bytes that are no whole character are written `\\xNN`."""

    text: str
    token: int
    is_special: bool
    part: str


def prompt_pieces(prompt: HarmonyPrompt, encoder: Encoder) -> list[Piece]:
    """Return the tokens of a Harmony prompt in order; joined, whole characters give the exact prompt."""
    return [
        Piece(readable(encoder.token_bytes(token)), token, encoder.is_special(token), entry.part)
        for entry in prompt.slices
        for token in entry.tokens
    ]


def tokenized_pieces(tokens: Sequence[int], texts: Sequence[str], specials: Iterable[str] = ()) -> list[Piece]:
    """Return the tokens of any other model from `tokens` and `token_strs` of the server's /tokenize.

    Text in angle brackets with bars, and whatever `specials` names, counts as special. The part is `prompt`: the
    server does not say more.
    """
    named = frozenset(specials)
    return [
        Piece(_unmarked(text), token, text in named or (text.startswith("<|") and text.endswith("|>")), "prompt")
        for token, text in zip(tokens, texts, strict=True)
    ]


def part_counts(pieces: Iterable[Piece]) -> tuple[Part, ...]:
    """Return tokens by part, in the order the parts first appear."""
    counts: dict[str, int] = {}
    for piece in pieces:
        counts[piece.part] = counts.get(piece.part, 0) + 1
    return tuple(Part(name, tokens) for name, tokens in counts.items())


def channel_counts(
    output_messages: Sequence[Mapping[str, JsonValue]], renderer: HarmonyRenderer | None
) -> tuple[Part, ...]:
    """Return an answer's tokens by channel from raw messages (`enable_response_messages`).

    Harmony messages are counted with their markers and need a renderer; other models bring token ids along and
    have the one channel `answer`. Empty when nothing can be said.
    """
    ids = [entry["tokens"] for entry in output_messages if isinstance(entry.get("tokens"), list)]
    if ids:
        return (Part("answer", sum(len(entry) for entry in ids if isinstance(entry, list))),)
    if renderer is None:
        return ()
    from vllm_tui.accounting.harmony_answers import raw_message

    counts: dict[str, int] = {}
    for number, entry in enumerate(output_messages):
        message = raw_message(entry)
        name = "tool output" if message.role == "tool" else message.channel or "other"
        # What a tool said is written by the server as part of the prompt, the rest by the model.
        written = renderer.render_messages([message]).count if message.role == "tool" else 0
        tokens = written - 2 if written else renderer.count_answer([message]).total + 2 * (number > 0)
        counts[name] = counts.get(name, 0) + tokens
    return tuple(Part(*entry) for entry in counts.items())


def readable(data: bytes) -> str:
    """Return the text of a token's bytes; bytes that are no whole character are written `\\xNN`."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in data)


def _unmarked(text: str) -> str:
    for mark, plain in _MARKED.items():
        text = text.replace(mark, plain)
    return text


def pieces_json(pieces: Iterable[Piece]) -> list[JsonObject]:
    """Return the tokens for scripts."""
    return [{"id": p.token, "text": p.text, "special": p.is_special, "part": p.part} for p in pieces]
