"""Drawing: Markdown, tables, code and heads as rows of clean cells that fit the width."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.hygiene import is_clean
from vllm_tui.ui.transcript.blocks import Block, BlockKind, ToolCall
from vllm_tui.ui.transcript.ink import PLAIN
from vllm_tui.ui.transcript.markdown import markdown_lines
from vllm_tui.ui.transcript.paint import Painted, to_strip
from vllm_tui.ui.transcript.render import Renderer, copy_number
from vllm_tui.ui.transcript.rows import Row, break_text, is_narrow, shorten
from vllm_tui.ui.transcript.tool_card import fill

HOSTILE = [
    "[@click=app.quit]x[/]",
    "\x1b]52;c;aGk=\x07",
    "\x9b31m",
    "\u202eabc",
    "\U000e0041",
    "\r",
    "\x00",
    "&#27;[2J",
    "&#x202e;",
]
MARKDOWN = [
    "# ",
    "- ",
    "1. ",
    "> ",
    "```",
    "\n",
    "\n\n",
    "| a | b |\n|--|--|\n",
    "**",
    "`",
    "[x](http://a.b)",
    "![i](u)",
    "  ",
    "\t",
    "~~",
]
TEXT = ["word", "a", "漢字", "👩‍👩‍👧", "e\u0301", "🏳️‍🌈", "—", "x" * 50, " "]  # fmt: skip


def drawn(text: str, width: int = 40) -> list[str]:
    return ["".join(span[0] for span in line.spans).rstrip() for line in markdown_lines(text, width, PLAIN)]


def rows(kind: BlockKind, text: str, width: int = 60, /, **fields: object) -> list[Row]:
    block = Block(1, kind, pieces=[text])
    for name, value in fields.items():
        setattr(block, name, value)
    renderer = Renderer(width, PLAIN, lambda: 12.5)
    head = [block.head] if kind in ("thinking", "tool_call") else []
    return [row for part in [*head, *block.parts()] for row in renderer.rows(block, part, is_folded=False)]


def texts(found: list[Row]) -> list[str]:
    return [row.text.rstrip() for row in found]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("**bold** and *soft* `code`", ["bold and soft code"]),
        ("# Title\n\ntext", ["Title", "", "text"]),
        ("one\ntwo", ["one", "two"]),
        ("- a\n  - b\n    - c\n- d", ["• a", "  ◦ b", "    ▪ c", "• d"]),
        ("3. a\n4. b", ["3. a", "4. b"]),
        ("- a\n\n- b", ["• a", "", "• b"]),
        ("Steps:\n1. a", ["Steps:", "1. a"]),
        ("> wise\n> words", ["▎ wise", "▎ words"]),
        ("- [x] done\n- [ ] open", ["• ☑ done", "• ☐ open"]),
        ("[text](http://a.example)", ["text (http://a.example)"]),
        ("<http://a.example>", ["http://a.example"]),
        ("![cat](http://a.example/c.png)", ["[picture: cat] (http://a.example/c.png)"]),
        ("<b>x</b> &amp; <script>", ["<b>x</b> & <script>"]),
        ("[x]: http://a.example", ["[x]: http://a.example"]),
        ("---", ["─" * 40]),
    ],
)  # fmt: skip
def test_markdown_is_drawn_as_it_reads(source: str, lines: list[str]) -> None:
    assert drawn(source) == lines


def test_prose_is_wrapped_at_words_and_long_words_are_broken() -> None:
    assert drawn("one two three " + "x" * 14, 12) == ["one two", "three", "x" * 12, "xx"]


def test_a_table_that_fits_has_aligned_columns() -> None:
    assert drawn("| name | n |\n|:--|--:|\n| a | 10 |\n| bcd | 2 |") == [
        "name │  n",
        "─────┼───",
        "a    │ 10",
        "bcd  │  2",
    ]


def test_a_table_that_is_too_wide_wraps_its_cells_and_loses_no_word() -> None:
    words = "alpha beta gamma delta epsilon zeta eta theta"
    lines = drawn(f"| a | b |\n|--|--|\n| {words} | {words} |\n| x | y |", 40)
    assert max(map(cell_len, lines)) <= 40
    assert sorted(re.findall(r"[a-z]{2,}", " ".join(lines))) == sorted(words.split() * 2)


def test_a_table_with_more_columns_than_room_becomes_a_list_of_fields() -> None:
    assert drawn("| aa | bb | cc | dd |\n|--|--|--|--|\n| 1 | 2 | 3 | 4 |", 14) == ["aa: 1", "bb: 2", "cc: 3", "dd: 4"]


def test_code_has_a_header_with_language_and_number_and_marks_wrapped_lines() -> None:
    assert texts(rows("text", "```python\nx = 1\n\n" + "y" * 30 + "\n```", 24)) == [
        "    python          ⧉ 1",
        "    x = 1",
        "",
        "    " + "y" * 20,
        "  ↪ " + "y" * 10,
    ]


def test_the_copy_mark_of_a_header_knows_its_number() -> None:
    header, line = rows("text", "```\na\n```")[:2]
    assert (copy_number(header, header.cells - 2), copy_number(header, 5), copy_number(line, 5)) == (1, 0, 0)


def test_every_row_of_the_model_stands_behind_the_gutter() -> None:
    source = "❯ I am you\n┊ thinking\n\n```\n▸ tool ✓\n```\n\n1. x\n> y"
    assert {row.text[:2] for row in rows("text", source) if row.text} == {"  "}
    assert {row.text[:2] for row in rows("thinking", "a\n❯ b")[1:]} == {"┊ "}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "streaming", "began": 10.0, "tokens": 120}, "▾ Thinking 2.5 s · ≈120 tokens"),
        ({"seconds": 2.4, "tokens": 1312, "exact": True}, "▾ Thought 2.4 s · 1,312 tokens"),
        ({"tokens": 1}, "▾ Thought · ≈1 token"),
        ({}, "▾ Thought"),
    ],
)
def test_the_head_of_reasoning_says_how_long_and_how_much(fields: dict[str, object], words: str) -> None:
    assert texts(rows("thinking", "hm", 60, **fields)) == [words, "┊ hm"]


def test_a_tool_card_shows_call_and_state_on_one_line_that_never_overflows() -> None:
    tool = ToolCall("get_weather", "c", {"city": "Paris", "days": 3}, seconds=0.3)
    assert texts(rows("tool_call", "", 60, tool=tool))[0] == '▾ get_weather(city="Paris", days=3)  ✓ 0.3 s'
    narrow = rows("tool_call", "", 30, tool=tool)[0]
    assert narrow.text == '▾ get_weather(city="…  ✓ 0.3 s'
    assert narrow.cells <= 30


def test_broken_arguments_are_shown_with_what_is_wrong() -> None:
    block = fill(
        Block(1, "tool_call"), ToolCallBlock(id="c", name="f", input='{"a":', problem="the object *ends* early")
    )
    renderer = Renderer(70, PLAIN)
    found = texts([row for part in block.parts() for row in renderer.rows(block, part, is_folded=False)])
    assert found[1:] == ['┊   {"a":', "┊", "┊ The arguments can't be read: the object *ends* early"]


@pytest.mark.parametrize(
    ("kind", "mark"), [("info", "·"), ("warning", "!"), ("error", "✗"), ("retry", "↻"), ("success", "✓")]
)
def test_a_note_has_a_mark_of_its_own(kind: str, mark: str) -> None:
    assert texts(rows("note", "one two", note=kind)) == [f"{mark} one two"]


def test_control_characters_are_seen_and_never_sent() -> None:
    assert drawn("a\x1b]0;x\x07b") == ["a␛]0;x␇b"]


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.sampled_from(HOSTILE + MARKDOWN + TEXT), max_size=30),
    st.sampled_from([7, 16, 40, 118]),
    st.sampled_from(["text", "thinking", "question", "note", "footer"]),
)
def test_any_text_becomes_clean_rows_that_fit(pieces: list[str], width: int, kind: BlockKind) -> None:  # fmt: skip
    for row in rows(kind, "".join(pieces), width):
        assert all(is_clean(piece.text) and "\n" not in piece.text and "\t" not in piece.text for piece in row.segments)
        assert row.cells == cell_len(row.text) <= max(width, 6) or kind == "footer"
        strip = to_strip(Painted(row), width + 2, PLAIN, PLAIN.text)
        assert strip.cell_length == width + 2


@settings(max_examples=250, deadline=None)
@given(st.text(max_size=200))
def test_no_text_at_all_makes_drawing_fail(text: str) -> None:
    for kind in ("text", "thinking", "tool_call"):
        found = rows(kind, text, tool=ToolCall(text, "c", {text: text}) if kind == "tool_call" else None)
        assert all(is_clean(row.text) for row in found)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["alpha", "be**ta**", "`gam`", "\n", "\n\n", "- ", "1. ", "> ", "# ", "    ", "```\n"]),
        max_size=30,
    ),
    st.integers(8, 60),
)
def test_no_word_is_ever_lost(pieces: list[str], width: int) -> None:  # fmt: skip
    source = " ".join(pieces)
    shown = "".join(row.text[row.lead :].strip() for row in rows("text", source, width))
    for word in ("alpha", "gam"):
        assert shown.count(word) == source.count(word)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(TEXT), max_size=20), st.integers(2, 30), st.booleans())
@example(["word", "漢字"], 3, True)
def test_wrapping_keeps_every_character_and_splits_no_cluster(pieces: list[str], width: int, words: bool) -> None:
    text = "".join(pieces)
    found = break_text(text, width, words=words)
    kept = "".join(text[begin:end] + (join or "") for begin, end, join in found)
    assert kept.rstrip(" ") == text.rstrip(" ")
    for begin, end, _ in found:
        assert cell_len(text[begin:end]) <= width
        assert not text[begin:end].startswith(("\u0301", "\u200d", "\ufe0f")) or begin == 0


def test_characters_taken_for_narrow_are_one_cell_wide() -> None:
    narrow = [chr(code) for code in range(0x20, 0x3000) if is_narrow(chr(code))]
    assert [character for character in narrow if cell_len(character) != 1] == []


@pytest.mark.parametrize(
    ("text", "width", "cut"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字漢", 5, "漢字…"), ("漢字漢", 4, "漢…")]
)
def test_shortening_never_splits_a_character(text: str, width: int, cut: str) -> None:
    assert shorten(text, width) == cut
