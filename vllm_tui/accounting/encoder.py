"""Text to tokens of the o200k vocabulary, by openai-harmony, or by tiktoken where that can't be loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vllm_tui.accounting.vocabulary import BASE_VARIABLE, O200K, VocabularyUnusable

if TYPE_CHECKING:
    from openai_harmony import HarmonyEncoding

_NOTHING: frozenset[str] = frozenset()
_LETTERS = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K_PATTERN = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_LETTERS[0]}]*[{_LETTERS[1]}]+{_ENDING}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_LETTERS[0]}]+[{_LETTERS[1]}]*{_ENDING}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How o200k text is cut before its pairs are merged: words, three digits, punctuation, white space."""


class Encoder(Protocol):
    """Counts text; special tokens in text are plain text here, as they are for the server."""

    @property
    def name(self) -> str:
        """The library that does it."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token, special ones as their name."""
        ...


class HarmonyEncoder:
    """The vocabulary inside openai-harmony, special tokens of gpt-oss included."""

    name = "openai-harmony"

    def __init__(self, encoding: HarmonyEncoding) -> None:
        self.encoding = encoding

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`; lone surrogates count as replacement characters."""
        tokens: list[int] = self.encoding.encode(text, disallowed_special=_NOTHING)
        return tokens

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token."""
        # The library's Python layer has only a lossy `decode`; a token may be half a character.
        return bytes(self.encoding._inner.decode_bytes([token]))

    def special(self, name: str) -> int:
        """Return the id of a special token such as `<|start|>`."""
        tokens: list[int] = self.encoding.encode(name, allowed_special={name})
        return tokens[0]


class TiktokenEncoder:
    """The same vocabulary in tiktoken: plain text only."""

    name = "tiktoken"

    def __init__(self, path: Path) -> None:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        ranks = load_tiktoken_bpe(str(path))
        self._encoding = tiktoken.Encoding(
            "o200k_base", pat_str=_O200K_PATTERN, mergeable_ranks=ranks, special_tokens={}
        )

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`."""
        return self._encoding.encode_ordinary(text)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token."""
        return self._encoding.decode_single_token_bytes(token)


def load_encoder(folder: Path) -> Encoder:
    """Return the encoder for the files in `folder`; takes 0.2 to 0.4 s and 60 MB, so call it off the main thread.

    Sets TIKTOKEN_ENCODINGS_BASE for this process, because openai-harmony looks there. Raises VocabularyUnusable.
    """
    path = folder / O200K.file_name
    os.environ[BASE_VARIABLE] = str(folder)
    try:
        from openai_harmony import HarmonyError, load_harmony_encoding
    except ImportError:
        return _load_tiktoken(path)
    try:
        return HarmonyEncoder(load_harmony_encoding("HarmonyGptOss"))
    except (HarmonyError, RuntimeError) as error:
        raise VocabularyUnusable(path, str(error)) from error


def _load_tiktoken(path: Path) -> Encoder:
    try:
        return TiktokenEncoder(path)
    except (ImportError, OSError, ValueError) as error:
        raise VocabularyUnusable(path, str(error)) from error


def decode(encoder: Encoder, tokens: Sequence[int]) -> str:
    """Return the text of `tokens`; broken characters become replacement characters."""
    return b"".join(encoder.token_bytes(token) for token in tokens).decode("utf-8", "replace")
