"""The lines around the transcript at every width."""

from __future__ import annotations

import pytest
from vllm_tui.accounting.figures import ConversationFigures, Figure, TurnFigures, conversation_of
from vllm_tui.ui.activity import READY, Status
from vllm_tui.ui.figures_text import answer_line, bar, figures_line, percent, seconds
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
    text = sidebar(FIGURES, conversation_of([FIGURES, FIGURES]), 34).plain
    assert text == (
        "THIS TURN                         \n"
        "input         1,204 ●  ▇▇▇▇▇▇▇▇▁▁▁\n"
        " cached       1,024 ●  ▇▇▇▇▇▇▇▁▁▁▁\n"
        "reasoning       312 ◐  ▇▇▁▁▁▁▁▁▁▁▁\n"
        "answer          188 ○  ▇▁▁▁▁▁▁▁▁▁▁\n"
        "total         1,704 ●\n"
        "\n"
        "first token  0.18 s ◐\n"
        "first answer 2.60 s ◐\n"
        "speed    74.2 tok/s ●\n"
        "elapsed      5.10 s ◐\n"
        "\n"
        "CONTEXT      1,704 of 131,072  1 %\n"
        "▇▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁\n"
        "\n"
        "CONVERSATION               2 turns\n"
        "input         2,408 ●  ▇▇▇▇▇▇▇▇▁▁▁\n"
        " cached       2,048 ●  ▇▇▇▇▇▇▇▁▁▁▁\n"
        "reasoning       624 ◐  ▇▇▁▁▁▁▁▁▁▁▁\n"
        "answer          376 ○  ▇▁▁▁▁▁▁▁▁▁▁\n"
        "total         3,408 ●\n"
        "\n"
        "● server  ◐ computed  ○ estimate"
    )


def test_an_empty_sidebar_has_the_same_rows() -> None:
    empty = sidebar(TurnFigures(), ConversationFigures(), 34).plain.split("\n")
    full = sidebar(FIGURES, conversation_of([FIGURES]), 34).plain.split("\n")
    assert [row.split(" ")[0] for row in empty if "▁" not in row] == [
        row.split(" ")[0] for row in full if "▇" not in row or row[0].isalpha() or row[0] == " "
    ]


@pytest.mark.parametrize(
    ("used", "note"), [(100_000, "100,000 of 131,072  76 %"), (128_000, "! 128,000 of 131,072  98 %")]
)
def test_a_nearly_full_window_is_marked_by_more_than_colour(used: int, note: str) -> None:
    figures = TurnFigures(context_used=Figure(used, "server"), context_window=Figure(131_072, "server"), requests=1)
    assert note in sidebar(figures, ConversationFigures(), 36).plain


def test_two_sources_that_disagree_are_marked() -> None:
    figures = TurnFigures(reasoning=Figure(312, "computed").beside(Figure(0, "server")), requests=1)
    assert "312 ◐≠" in sidebar(figures, ConversationFigures(), 34).plain


def test_the_figures_fit_one_line_on_a_narrow_screen() -> None:
    assert figures_line(FIGURES) == "● 1,204→500 · 74 tok/s · 0.18 s · ctx 1 %"
    assert figures_line(TurnFigures()) == ""
    assert answer_line(FIGURES) == "● 1,204 in · 500 out · 74 tok/s · 5.10 s"
    assert answer_line(TurnFigures(requests=1)) == ""


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
