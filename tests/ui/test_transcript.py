"""The transcript on screen: following, folding, the cursor, selection, widths, and what it costs to open."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Offset, Region
from textual.message import Message as TextualMessage
from textual.pilot import Pilot
from textual.selection import Selection
from textual.widgets import Input
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.events import BlockDelta, BlockStarted
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Round, Turn
from vllm_tui.engine.events import RequestStarted, ToolRunFinished, TurnFinished, TurnStarted
from vllm_tui.ui.themes import THEMES
from vllm_tui.ui.transcript.view import TranscriptView

ANSWER = "".join(f"Paragraph {number} says a few words.\n\n" for number in range(40))


class Stage(App[None]):
    """The transcript alone, and what it said."""

    CSS = "TranscriptView { height: 1fr; } Input { dock: bottom; height: 1; border: none; }"

    def __init__(self) -> None:
        super().__init__()
        self.said: list[TextualMessage] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "dark"

    def compose(self) -> ComposeResult:
        yield TranscriptView(rate=1000, clock=lambda: 0.0)
        yield Input()

    @property
    def view(self) -> TranscriptView:
        return self.query_one(TranscriptView)

    def on_event_said(self, message: TextualMessage) -> None:
        self.said.append(message)

    on_copy_requested = on_code_asked = on_link_chosen = on_block_chosen = on_follow_changed = on_event_said


def question(text: str = "Why?") -> Turn:
    return Turn(id=text, conversation_id="c", question=Message(role="user", content=text))


def stored(number: int) -> Turn:
    answer = (
        ThinkingBlock(thinking="hm\n" * 5),
        TextBlock(text=f"## Answer {number}\n\n" + "- words and words\n" * 12),
    )
    return Turn(
        id=str(number),
        conversation_id="c",
        question=Message(role="user", content=f"Question {number}?"),
        rounds=(Round(answer=Message(role="assistant", content=answer)),),
        status="completed",
    )


def lines(app: Stage) -> list[str]:
    size = app.view.size
    return [strip.text.rstrip() for strip in app.view.render_lines(Region(0, 0, size.width, size.height))]


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    for _ in range(400):
        await pilot.pause()
        if condition():
            return
    raise AssertionError(f"never came true; on screen: {lines(pilot.app)}")  # type: ignore[arg-type]


async def quiet(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(TranscriptView)
    if view.document.is_live:
        view.update()
    else:
        await until(pilot, lambda: not view.is_busy)
    for _ in range(3):  # painting takes a few turns of the loop on a busy machine
        await pilot.pause()


async def answer(pilot: Pilot[None], text: str = ANSWER, thinking: str = "") -> TranscriptView:
    view = pilot.app.query_one(TranscriptView)
    view.apply(TurnStarted(question()))
    view.apply(RequestStarted(0))
    if thinking:
        view.apply(BlockDelta(0, "thinking", thinking))
    if text:
        view.apply(BlockDelta(1, "text", text))
    await quiet(pilot)
    return view


async def test_text_that_streams_in_is_followed_to_its_end() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        view = await answer(pilot)
        assert "Paragraph 39 says a few words." in lines(pilot.app)[-4].strip() + "".join(lines(pilot.app))  # type: ignore[arg-type]
        view.apply(BlockDelta(1, "text", "The end."))
        await until(pilot, lambda: any("The end." in line for line in lines(pilot.app)))  # type: ignore[arg-type]
        assert view.following


async def test_a_reader_who_scrolled_up_is_left_alone_and_told_what_came() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot)
        view.focus()
        await pilot.press("pageup", "pageup")
        before = lines(app)
        for _ in range(5):
            view.apply(BlockDelta(1, "text", "more\n\n"))
            await quiet(pilot)
        assert (lines(app), view.following) == (before, False)
        news = [said for said in app.said if isinstance(said, TranscriptView.FollowChanged)]
        assert (news[-1].following, news[-1].new_lines) == (False, 10)
        await pilot.press("G")
        view.apply(BlockDelta(1, "text", "The end."))
        await until(pilot, lambda: "  The end." in [line[1:] for line in lines(app)])
        assert view.following


async def test_the_wheel_leaves_the_end_and_comes_back_to_it() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        view = await answer(pilot)
        view.scroll_up(animate=False)
        view.scroll_up(animate=False)
        away = view.following
        for _ in range(4):
            view.scroll_down(animate=False)
        assert (away, view.following) == (False, True)


async def test_reasoning_that_folds_above_does_not_move_the_reader() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        app.view.load([stored(number) for number in range(10)])
        app.view.reasoning_mode = "show"
        await quiet(pilot)
        text = [block for block in app.view.document.blocks if block.kind == "text"][5]
        app.view.scroll_to(y=app.view.window.layout.extent(text.id)[0], animate=False)
        before = lines(app)
        app.view.reasoning_mode = "collapse"
        await quiet(pilot)
        assert (lines(app)[:9], before[0]) == (before[:9], "   Answer 5")


async def test_reasoning_streams_open_and_folds_when_the_answer_starts() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, text="", thinking="Let me see.")
        open_lines = lines(app)
        view.apply(BlockDelta(1, "text", "So."))
        view.apply(TurnFinished(question()))
        await quiet(pilot)
        assert [line for line in open_lines if line] == [" ❯ Why?", " ▾ Thinking 0.0 s · ≈1 token", " ┊ Let me see."]
        assert [line for line in lines(app) if line] == [" ❯ Why?", " ▸ Thought 0.0 s · ≈1 token", "   So."]


async def test_keys_fold_one_block_and_all_reasoning() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, "So.", "Let me see.")
        view.focus()
        await pilot.press("g", "j", "enter")
        assert "▌┊ Let me see." in lines(app)
        await pilot.press("space")
        assert "▌▸ Thought 0.0 s · ≈1 token" in lines(app)
        view.toggle_all_reasoning()
        await quiet(pilot)
        assert ("▌┊ Let me see." in lines(app), view.reasoning_mode) == (True, "show")
        view.toggle_all_reasoning()
        await quiet(pilot)
        assert ("▌┊ Let me see." in lines(app), view.reasoning_mode) == (False, "collapse")


async def test_a_fold_keeps_its_header_where_it_is() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, thinking="one\n" * 30)
        view.focus()
        await pilot.press("g", "j")
        rows = []
        for _ in range(3):
            rows.append(next(at for at, line in enumerate(lines(app)) if "Thought" in line))
            await pilot.press("enter")
        assert rows == [2, 2, 2]


async def test_a_click_on_a_header_folds_and_one_on_a_link_says_where_it_leads() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        await answer(pilot, "See [this](http://a.example).\n\n```py\nx\n```\n", "Let me see.")
        await pilot.click(TranscriptView, offset=(5, 2))
        assert " ┊ Let me see." in [line.replace("▌", " ") for line in lines(app)]
        await pilot.click(TranscriptView, offset=(5, 2))
        await pilot.click(TranscriptView, offset=(8, 4))
        link = next(said for said in app.said if isinstance(said, TranscriptView.LinkChosen))
        header = next(at for at, line in enumerate(lines(app)) if "⧉" in line)
        await pilot.click(TranscriptView, offset=(lines(app)[header].index("⧉"), header))
        await pilot.pause()
        copied = next(said for said in app.said if isinstance(said, TranscriptView.CopyRequested))
        assert (link.url, copied.text, copied.what) == ("http://a.example", "x", "code block 1")


async def test_a_tool_card_opens_and_can_be_chosen() -> None:
    async with Stage().run_test(size=(60, 16)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, "")
        call = ToolCallBlock(id="c", name="get_time", input={"zone": "UTC"})
        view.apply(ToolRunFinished(call, Message(role="tool", tool_call_id="c", content="12:00"), 0.3))
        await quiet(pilot)
        assert ' ▸ get_time(zone="UTC")  ✓ 0.3 s' in lines(app)
        view.focus()
        await pilot.press("G", "enter", "i", "y")
        await pilot.pause()
        text = "\n".join(lines(app))
        assert all(word in text for word in ("arguments", '"zone": "UTC"', "result", "12:00"))
        chosen = next(said for said in app.said if isinstance(said, TranscriptView.BlockChosen))
        copied = next(said for said in app.said if isinstance(said, TranscriptView.CopyRequested))
        assert (chosen.kind, copied.text) == ("tool_call", 'get_time {"zone": "UTC"}\n12:00')


async def test_a_block_is_copied_as_its_source_and_a_code_block_by_its_number() -> None:
    source = "**a**\n\n```\nfirst\n```\n\n```\nsecond\n```"
    async with Stage().run_test(size=(60, 20)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, source)
        view.focus()
        await pilot.press("G", "y", "c", "2")
        await pilot.pause()
        copied = [(said.text, said.what) for said in app.said if isinstance(said, TranscriptView.CopyRequested)]
        asked = [said.count for said in app.said if isinstance(said, TranscriptView.CodeAsked)]
        assert (copied, asked) == ([(source, "answer"), ("second", "code block 2")], [2])


async def test_the_cursor_goes_through_blocks_and_through_a_block_that_does_not_fit() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot)
        view.focus()
        await pilot.press("g", "j")
        assert sum(line.startswith("▌") for line in lines(app)) > 5
        seen = set()
        for _ in range(30):
            seen |= {line.strip() for line in lines(app)}
            await pilot.press("j")
        assert {f"▌  Paragraph {number} says a few words." for number in range(40)} <= seen


async def test_selected_text_is_the_source_without_gutter_and_wraps() -> None:
    async with Stage().run_test(size=(40, 20)) as pilot:
        words = "one two three four five six seven eight nine ten eleven twelve"
        view = await answer(pilot, f"{words}\n\n```py\nif x:\n\ty()\n```\n", "hm")
        assert view.get_selection(Selection(None, None)) == ("Why?\n\n" + words + "\n\nif x:\n\ty()", "\n")


async def test_a_mouse_drag_selects_and_is_shown() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        await answer(pilot, "alpha beta gamma\n\nsecond line")
        await pilot.mouse_down(TranscriptView, offset=(9, 2))
        await pilot.hover(TranscriptView, offset=(9, 4))
        await pilot.mouse_up(TranscriptView, offset=(9, 4))
        await pilot.pause()
        assert app.screen.get_selected_text() == "beta gamma\n\nsecond"


async def test_the_selection_stays_on_its_text_while_more_streams_in() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, "alpha beta\n\n")
        y = next(style.meta["offset"][1] for _, style, _ in view.render_line(2) if style)
        app.screen.selections = {view: Selection(Offset(3, y), Offset(8, y))}
        view.apply(BlockDelta(1, "text", ANSWER))
        await quiet(pilot)
        assert app.screen.get_selected_text() == "alpha"


async def test_a_new_width_keeps_the_place() -> None:
    async with Stage().run_test(size=(100, 20)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        app.view.load([stored(number) for number in range(60)])
        await quiet(pilot)
        app.view.focus()
        await pilot.press("g")
        row = next(seen for seen in range(app.view.window.total))
        app.view.scroll_to(y=300 + row, animate=False)
        top = app.view.window.seen[0].block
        for width in (50, 30, 120):
            await pilot.resize_terminal(width, 20)
            await quiet(pilot)
            assert app.view.window.seen[0].block is top


async def test_opening_500_messages_draws_a_screenful() -> None:
    async with Stage().run_test(size=(120, 40)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        turns = [stored(number) for number in range(250)]
        began = time.process_time()
        app.view.load(turns, lambda _: "● 1 in")
        app.view.update()
        took = time.process_time() - began
        await quiet(pilot)
        drawn = sum(part.rows is not None for block in app.view.document.blocks for part in block.parts())
        assert "● 1 in" in lines(app)[-1]
        assert drawn < 40
        assert took < 0.5


async def test_scrolling_up_through_stored_turns_meets_every_line_once() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        app.view.load([stored(number) for number in range(12)])
        await quiet(pilot)
        found: list[str] = []
        while app.view.window.top > 0:
            found.append(lines(app)[0])
            app.view.scroll_up(animate=False)
        heads = [line.strip() for line in found if "Question" in line]
        assert heads == [f"❯ Question {number}?" for number in range(11, 0, -1)]


async def test_a_growing_line_repaints_only_its_row() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        view = await answer(pilot, "one")
        regions: list[Region] = []
        refresh = view.refresh

        def spy(*dirty: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> TranscriptView:
            regions.extend(dirty)
            return refresh(*dirty, repaint=repaint, layout=layout, recompose=recompose)

        view.refresh = spy  # type: ignore[method-assign]
        view.apply(BlockDelta(1, "text", " two"))
        await quiet(pilot)
        assert regions == [Region(0, 2, 10, 1)]


async def test_nothing_runs_while_nothing_happens() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        view = await answer(pilot, "one", "hm")
        assert not view.is_busy


@pytest.mark.parametrize("theme", ["dark", "light", "terminal"])
async def test_a_new_theme_repaints_all_text(theme: str) -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        await answer(pilot, "# Title\n\n```py\nx = 1\n```")
        app.theme = theme
        await quiet(pilot)
        accent = app.view.get_component_rich_style("transcript--heading").color
        title = next(piece for piece in app.view.render_line(2) if "Title" in piece.text)
        assert title.style is not None
        assert title.style.color == accent


async def test_a_note_can_be_changed_and_taken_away() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        note = app.view.add_note("retry", "in 3 s")
        await quiet(pilot)
        shown = [lines(app)[0]]
        app.view.update_note(note, "in 2 s")
        await quiet(pilot)
        shown.append(lines(app)[0])
        app.view.remove_note(note)
        await quiet(pilot)
        assert [*shown, lines(app)[0]] == [" ↻ in 3 s", " ↻ in 2 s", ""]


async def test_a_megabyte_without_a_line_break_is_shown_at_once() -> None:
    async with Stage().run_test(size=(80, 24)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        began = time.process_time()
        await answer(pilot, "x" * 1_000_000 + " END")
        assert any("END" in line for line in lines(app))
        assert time.process_time() - began < 2


async def test_escapes_in_every_kind_of_block_are_only_seen() -> None:
    hostile = "\x1b]52;c;aGk=\x07[@click=app.quit]x[/]\x9b31m"
    async with Stage().run_test(size=(100, 30)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, hostile, hostile)
        view.apply(BlockStarted(2, "tool_call", hostile, "c"))
        view.add_note("error", hostile)
        view.set_footer(hostile)
        view.reasoning_mode = "show"
        await quiet(pilot)
        text = "\n".join(lines(app))
        assert ("\x1b" in text, "\x9b" in text, "\x07" in text) == (False, False, False)
        assert text.count("␛]52;c;aGk=␇[@click=app.quit]x[/]⟨9B⟩31m") == 5


async def test_keys_reach_a_block_that_was_not_painted_yet() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        view = await answer(pilot, "one", "hm")
        view.focus()
        await pilot.press("G")
        view.apply(BlockStarted(2, "tool_call", "get_time", "c"))
        view.action_cursor(1)
        view.toggle_block()
        await quiet(pilot)
        assert "▌▾ get_time(…)  …" in lines(app)


async def test_a_block_that_goes_away_at_the_upper_edge_leaves_the_reader_near() -> None:
    async with Stage().run_test(size=(60, 12)) as pilot:
        app: Stage = pilot.app  # type: ignore[assignment]
        app.view.load([stored(0)])
        note = app.view.add_note("info", "long\n" * 5)
        for _ in range(20):
            app.view.add_note("info", "line")
        await quiet(pilot)
        app.view.scroll_to(y=app.view.window.layout.extent(note)[0], animate=False)
        app.view.remove_note(note)
        await quiet(pilot)
        assert (lines(app)[0], app.view.following) == (" · line", False)
