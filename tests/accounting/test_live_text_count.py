"""Text that grows is counted exactly as the whole."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.accounting.live_text import TextCounter, settled_length

ALPHABET = "abcZ \n\r\t/.,'12é日🎉\u0301\u2028\u00a0_-="
TEXT = st.lists(st.text(st.sampled_from(ALPHABET), max_size=12) | st.text(max_size=6), max_size=30)


@settings(deadline=None, max_examples=300)
@given(pieces=TEXT)
@example(pieces=["a.\n", "/b"])
@example(pieces=["one's", " two's\n", "\n", " x"])
@example(pieces=["a", " ", "b"])
@example(pieces=["a \u0301b"])
@example(pieces=["end.\r\n", "\r\nnext"])
def test_the_count_of_joined_pieces_is_the_count_of_the_whole(encoder: Encoder, pieces: list[str]) -> None:
    counter = TextCounter(encoder.encode)
    whole = ""
    for piece in pieces:
        counter.add(piece)
        whole += piece
        assert counter.count == len(encoder.encode(whole))


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.sampled_from(ALPHABET), max_size=60), more=st.text(st.sampled_from(ALPHABET), max_size=20))
def test_a_settled_head_never_changes(encoder: Encoder, text: str, more: str) -> None:
    cut = settled_length(text)
    whole = text + more
    assert encoder.encode(whole) == encoder.encode(whole[:cut]) + encoder.encode(whole[cut:])


def test_settled_text_is_not_encoded_again(encoder: Encoder) -> None:
    encoded: list[int] = []

    def encode(text: str) -> list[int]:
        encoded.append(len(text))
        return encoder.encode(text)

    counter = TextCounter(encode)
    text = "Many words in a line and then another line.\n" * 200
    for word in text.split(" "):
        counter.add(word + " ")
        assert counter.count > 0
    assert sum(encoded) < 8 * len(text)


def test_a_long_line_without_a_place_to_cut_is_still_exact(encoder: Encoder) -> None:
    counter = TextCounter(encoder.encode)
    line = "分词器很长的一行" * 600
    for start in range(0, len(line), 400):
        counter.add(line[start : start + 400])
    assert counter.count == len(encoder.encode(line))
