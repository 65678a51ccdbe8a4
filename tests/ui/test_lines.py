"""The lines around the transcript at every width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vllm_tui.accounting.figures import ConversationFigures, Figure, Part, Span, TurnFigures, conversation_of
from vllm_tui.ui.activity import READY, Status
from vllm_tui.ui.figures_text import answer_line, bar, cells, figures_line, percent, seconds
from vllm_tui.ui.sidebar_text import sidebar
from vllm_tui.ui.widgets.hintline import hint_line
from vllm_tui.ui.widgets.keyline import key_line
from vllm_tui.ui.widgets.topline import Subject, short_model, top_line

SUBJECT = Subject("gpu-box:8000", is_local=False, model="openai/gpt-oss-20b", effort="high")
FIGURES = TurnFigures(
    input=Figure(1204, "server"),
    cached=Figure(1024, "server"),
    output=Figure(500, "server"),
    reasoning=Figure(312, "computed"),
    answer=Figure(188, "estimate"),
    total=Figure(1704, "server"),
    context_used=Figure(1704, "server"),
    context_window=Figure(131_072, "server"),
    ttft=Figure(0.18, "computed"),
    first_answer=Figure(2.6, "computed"),
    elapsed=Figure(5.1, "computed"),
    mean_tokens_per_second=Figure(74.2, "server"),
    requests=1,
)
FULL = replace(
    FIGURES,
    output_reserved=Figure(4096, "computed"),
    server_time=Figure(4.9, "server"),
    network_time=Figure(0.2, "computed"),
    input_parts=(
        Part("instructions", 60),
        Part("tools", 120),
        Part("history", 950),
        Part("reasoning", 50),
        Part("question", 24),
    ),
    parts_source="computed",
    spans=(Span("waiting", 0.18), Span("reasoning", 2.42), Span("answering", 2.5)),
)


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (110, "vllm-tui  gpu-box:8000 ⇄ remote · openai/gpt-oss-20b · effort high"),
        (80, "vllm-tui  gpu-box:8000 ⇄ remote · gpt-oss-20b · effort high"),
        (70, "gpu-box:8000 ⇄ remote · gpt-oss-20b · effort high"),
        (59, "gpt-oss-20b"),
        (40, "gpt-oss-20b"),
    ],
)
def test_the_top_line_gives_up_what_matters_least(width: int, text: str) -> None:
    line = top_line(SUBJECT, Status("waiting 1.2 s", "busy"), width)
    assert line.plain == text + " " * (width - len(text) - 13) + "waiting 1.2 s"


def test_the_top_line_says_demo_at_every_width() -> None:
    subject = Subject("demo server", is_local=True, model="openai/gpt-oss-20b", demo=True)
    for width in (110, 80, 50, 40):
        assert top_line(subject, READY, width).plain.startswith("DEMO ")


def test_a_long_model_name_is_cut_and_the_state_stays() -> None:
    line = top_line(Subject("host", is_local=True, model="m" * 200), Status("ready"), 40)
    assert (line.cell_length, line.plain[-6:]) == (40, " ready")


def test_hostile_names_are_shown_as_marks() -> None:
    line = top_line(Subject("h\x1b]0;x\x07", is_local=True, model="[@click=app.quit]x[/]"), READY, 120)
    assert "h␛]0;x␇ local" in line.plain
    assert "[@click=app.quit]x[/]" in line.plain


@pytest.mark.parametrize(
    ("name", "short"), [("openai/gpt-oss-20b", "gpt-oss-20b"), ("/models/qwen/", "qwen"), ("plain", "plain"), ("", "")]
)
def test_a_model_is_called_by_the_last_part_of_its_name(name: str, short: str) -> None:
    assert short_model(name) == short


def test_the_sidebar_shows_every_figure_with_its_source() -> None:
    text = sidebar(FULL, conversation_of([FULL, FULL]), 33, 35).plain
    assert [row.rstrip() for row in text.split("\n")] == [
        "TOKENS     THIS TURN CONVERSATION",
        "▒ input       1,204 ●    2,408 ●",
        "░ cache 85 %  1,024 ●    2,048 ●",
        "  template        0 ◐        0 ◐",
        "  instructions   60 ◐      120 ◐",
        "  tools         120 ◐      240 ◐",
        "  history     1,000 ◐    2,000 ◐",
        "  tool results    0 ◐        0 ◐",
        "  this question  24 ◐       48 ◐",
        "  output        500 ●    1,000 ●",
        "▓ reasoning     312 ◐      624 ◐",
        "█ answer        188 ○      376 ○",
        "▚ calls           –          –",
        "  total       1,704 ●    3,408 ●",
        "░░░░░░░░░░░░░░░░░░░░▒▒▒▓▓▓▓▓▓████",
        "  requests        1     2 turns",
        "",
        "TIME                     5.10 s ◐",
        "┄▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓████████████████",
        "┄ wait       0.18 s       4 %",
        "▓ reasoning  2.42 s      47 %",
        "▚ calls           –",
        "▞ tools run       –",
        "█ answer     2.50 s      49 %",
        "first token  0.18 s ◐",
        "first answer 2.60 s ◐",
        "speed    74.2 tok/s ● mean",
        "server 96 %  4.90 s ● net 0.20 s",
        "",
        "CONTEXT     1,704 of 131,072  1 %",
        "█▒▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁",
        "▒ reserved 4,096  ▁ free 125,272",
        "",
        "",
        "● server  ◐ computed  ○ estimate",
    ]


def test_a_low_sidebar_keeps_what_matters_most() -> None:
    rows = sidebar(FULL, conversation_of([FULL]), 33, 11).plain.split("\n")
    labels = ["TOKENS", "▒ input", "▓ reasoning", "█ answer", "  total", "░░░", "TIME", "first token", "speed"]
    labels += ["CONTEXT", "█▒▁"]
    assert len(rows) == len(labels)
    assert all(row.startswith(label) for row, label in zip(rows, labels, strict=True))


@pytest.mark.parametrize("height", [12, 19, 35])
def test_figures_that_come_later_move_no_row(height: int) -> None:
    empty = sidebar(TurnFigures(), ConversationFigures(), 33, height).plain.split("\n")
    full = sidebar(FULL, conversation_of([FULL]), 33, height, "vocabulary: downloading 42 %").plain.split("\n")
    assert len(empty) == len(full) <= height
    labels = ("input", "reasoning", "answer", "total", "TIME", "first token", "speed", "CONTEXT")
    for label in labels:
        assert _row_of(label, empty) == _row_of(label, full)


def _row_of(label: str, rows: list[str]) -> int:
    return next(place for place, row in enumerate(rows) if row[:15].lstrip("▒░▓█▚ ").startswith(label))


@pytest.mark.parametrize(
    ("used", "notes"),
    [
        (100_000, ["100,000 of 131,072  76 %", "free 31,072"]),
        (104_858, ["! 104,858 of 131,072  80 %"]),
        (128_000, ["! 128,000 of 131,072  98 %", "free 3,072"]),
        (140_000, ["! 140,000 of 131,072  107 %", "over the window by 8,928 tokens"]),
    ],
)
def test_a_nearly_full_window_is_marked_by_more_than_colour(used: int, notes: list[str]) -> None:
    figures = TurnFigures(context_used=Figure(used, "server"), context_window=Figure(131_072, "server"), requests=1)
    text = sidebar(figures, ConversationFigures(), 36).plain
    assert all(note in text for note in notes)


def test_two_sources_that_disagree_are_marked() -> None:
    figures = TurnFigures(reasoning=Figure(312, "computed").beside(Figure(0, "server")), requests=1)
    assert "312 ◐≠" in sidebar(figures, ConversationFigures(), 34).plain


def test_a_number_too_long_for_its_column_is_shortened() -> None:
    figures = TurnFigures(input=Figure(1_234_567, "server"), output=Figure(123_456, "server"), requests=1)
    text = sidebar(figures, ConversationFigures(), 33).plain
    assert "input       1.2 M ●" in text
    assert "output    123,456 ●" in text


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=8), st.integers(1, 200))
def test_the_parts_of_a_bar_add_up_to_its_width(values: list[float], width: int) -> None:
    sizes = cells(values, width)
    assert sum(sizes) == (width if sum(values) > 0 else 0)
    assert all(size >= 0 for size in sizes)
    assert all(value > 0 for value, size in zip(values, sizes, strict=True) if size)
    if width >= 2 * len(values):
        assert all(size for value, size in zip(values, sizes, strict=True) if value > 0)


def test_the_figures_fit_one_line_on_a_narrow_screen() -> None:
    assert figures_line(FIGURES) == "● 1,204→500 · 74 tok/s · 0.18 s · ctx 1 %"
    assert figures_line(TurnFigures()) == ""
    assert answer_line(FIGURES) == "● 1,204 in · 500 out · 74 tok/s · 5.10 s"
    assert answer_line(TurnFigures(requests=1)) == ""
    assert answer_line(replace(FIGURES, input_cut="The input was cut.")).endswith(" · input cut by the server")


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.184, "0.18 s"), (12.34, "12.3 s"), (99.94, "99.9 s"), (125.0, "2:05 min")]
)
def test_seconds_get_the_digits_they_need(value: float | None, text: str) -> None:
    assert seconds(Figure(value)) == text


@pytest.mark.parametrize(
    ("share", "shown", "text"),
    [(0, "▁▁▁▁", "0 %"), (0.001, "▇▁▁▁", "<1 %"), (0.5, "▇▇▁▁", "50 %"), (1.2, "▇▇▇▇", "120 %")],
)
def test_bars_and_shares(share: float, shown: str, text: str) -> None:
    assert (bar(share, 4), percent(share)) == (shown, text)


def test_the_rule_carries_a_message_or_the_figures_and_the_badge() -> None:
    assert hint_line("", "calm", "", "", 20).plain == "─" * 20
    assert hint_line("", "calm", "● 1→2", "", 20).plain == "── ● 1→2 " + "─" * 11
    assert hint_line("hello", "calm", "● 1→2", "↓ 3 new", 30).plain == "── hello " + "─" * 10 + " ↓ 3 new ──"
    assert hint_line("", "calm", "", "↓ 3 new", 30).plain == "─" * 19 + " ↓ 3 new ──"
    assert hint_line("word " * 30, "calm", "", "↓ 3 new", 40).cell_length == 40


def test_the_footer_keeps_help_when_there_is_little_room() -> None:
    assert key_line("prompt", 200).plain == (
        "Enter send  ^J line  ^R effort  ^T thoughts  ^O model  ^P commands  Esc transcript  F1 help"
    )
    assert key_line("prompt", 40).plain == "Enter send  ^J line  ^R effort  F1 help"
    assert key_line("busy", 20).plain == "Esc cancel  F1 help"
