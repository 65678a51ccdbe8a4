"""The splitter: cuts only where Markdown allows, the same for every way the text arrives, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vllm_tui.ui.transcript.offsets import Offsets
from vllm_tui.ui.transcript.parts import LINE_LIMIT, Splitter


def split(text: str, step: int = 0, *, plain: bool = False) -> list[tuple[str, str]]:
    splitter = Splitter(plain=plain)
    for at in range(0, len(text), step or max(len(text), 1)):
        splitter.feed(text[at : at + (step or len(text))])
    return [(part.kind, part.source) for part in splitter.parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one\ntwo\n\nthree", ["one\ntwo", "three"]),
        ("# Title\nprose", ["# Title", "prose"]),
        ("- a\n\n  b\n\n- c\n\nd", ["- a\n\n  b\n\n- c", "d"]),
        ("    code\n\n    more\n\nprose", ["    code\n\n    more", "prose"]),
        ("a\n```py\nx\n\ny\n```\nb", ["a", "```py\nx\n\ny\n```", "b"]),
        ("- a\n  ```\n  x\n\n  y\n  ```\n\nb", ["- a\n  ```\n  x\n\n  y\n  ```", "b"]),
        ("~~~\n```\n~~~\nb", ["~~~\n```\n~~~", "b"]),
        ("> a\n\n> b", ["> a", "> b"]),
        ("\n\n\n", []),
    ],
    ids=["paragraphs", "heading", "loose list", "indented code", "fence", "fence in list", "tildes", "quotes", "blank"],
)
def test_parts_end_where_markdown_allows(text: str, parts: list[str]) -> None:
    assert [source for _, source in split(text + "\n")] == parts


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["a", " ", "\n", "\n\n", "- ", "1. ", "```", "> ", "# ", "|", "    "]), max_size=40),
    st.integers(1, 7),
)
def test_the_way_text_arrives_changes_nothing(pieces: list[str], step: int) -> None:  # fmt: skip
    text = "".join(pieces)
    assert split(text, step) == split(text)


def test_parts_before_the_last_never_change() -> None:
    splitter = Splitter()
    splitter.feed("one\n\ntwo\n\nthr")
    before = splitter.parts[:-1]
    splitter.feed("ee\n\nfour")
    assert splitter.parts[: len(before)] == before


def test_a_long_fence_is_drawn_in_pages_and_stays_one_block_of_code() -> None:
    code = "\n".join(f"line_{number}()" for number in range(200))
    splitter = Splitter()
    splitter.feed(f"```py\n{code}\n```\n")
    assert len(splitter.parts) > 2
    assert "\n".join(part.code for part in splitter.parts) == code
    assert [part.number for part in splitter.parts] == [1] * len(splitter.parts)


def test_code_blocks_are_numbered_over_the_whole_text() -> None:
    splitter = Splitter()
    splitter.feed("```\na\n```\n- x\n  ```\n  b\n  ```\n\n```\nc\n```")
    assert [(part.kind, part.number) for part in splitter.parts] == [("code", 1), ("markdown", 2), ("code", 3)]


def test_a_huge_table_keeps_its_header_for_the_parts_that_follow() -> None:
    splitter = Splitter()
    splitter.feed("| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 400)
    assert len(splitter.parts) > 1
    assert {part.before for part in splitter.parts[1:]} == {"| a | b |\n|---|---|\n"}


def test_reference_targets_are_known_to_all_parts() -> None:
    splitter = Splitter()
    splitter.feed("[a][x]\n\n[x]: http://a.example\n")
    assert splitter.references == {"X": {"href": "http://a.example", "title": ""}}


@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 200_000], ids=["no space", "words"])
def test_a_line_of_a_megabyte_is_cut_in_linear_time(text: str) -> None:
    splitter = Splitter()
    began = time.process_time()
    for at in range(0, len(text), 1_000):
        splitter.feed(text[at : at + 1_000])
    assert time.process_time() - began < 1
    assert "".join(part.source for part in splitter.parts).replace(" ", "") == text.replace(" ", "")
    assert max(len(part.source) for part in splitter.parts) <= 2 * LINE_LIMIT


def test_plain_text_loses_only_empty_lines_at_its_ends() -> None:
    text = "".join(f"line {number}\n\n" for number in range(100))
    assert "\n".join(source for _, source in split("\n\n" + text, plain=True)) == text.strip()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 5))))
def test_offsets_are_sums_of_heights(heights: list[int], changes: list[tuple[int, int]]) -> None:
    offsets = Offsets(heights)
    for index, height in changes:
        if index < len(heights):
            heights[index] = height
            offsets.set(index, height)
            offsets.start(index)
    assert [offsets.start(index) for index in range(len(heights) + 1)] == [
        sum(heights[:n]) for n in range(len(heights) + 1)
    ]
    rows = [index for index, height in enumerate(heights) for _ in range(height)]
    assert [offsets.locate(row) for row in range(len(rows))] == rows
