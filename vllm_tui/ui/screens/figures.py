"""The figures: a table of all turns, and of one turn every number with how it was obtained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from vllm_tui.accounting.figures import ConversationFigures, TurnFigures, conversation_of
from vllm_tui.accounting.history_table import table_csv, table_json, turn_row
from vllm_tui.domain.turns import Turn
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.figure_details import Detail, detail_line, time_bar, token_bar, turn_details
from vllm_tui.ui.figures_table import Layout, heading, lay_out, totals_line, turn_line
from vllm_tui.ui.figures_text import LEGEND

Entry = tuple[Turn, TurnFigures]
"""A turn and what it cost."""

_EMPTY = "No turn yet. Ask something; its figures will stand here."
_SAID_SECONDS = 4.0
_KEYS = (("↑↓", "move"), ("Tab", "turns, figures"), ("c", "copy CSV"), ("j", "copy JSON"), ("Esc", "back"))


class FiguresScreen(Screen[None]):
    """Shows `entries`; begins at the figures of the turn `turn_id`, else at the newest turn. Fetches nothing."""

    DEFAULT_CSS = """
    FiguresScreen {
        background: $background; color: $foreground;
        Static { height: 1; padding: 0 1; }
        #title, #totals { border-bottom: solid $line; height: 2; }
        #explanation { border-top: solid $line; height: 4; }
        #empty { height: 1fr; content-align: center middle; color: $quiet; }
        OptionList, OptionList:focus { border: none; padding: 0 1; background: $background;
                                       background-tint: $background 0%; }
        #turns { height: auto; max-height: 33%; }
        #details { height: 1fr; }
        OptionList > .option-list--option-highlighted { background: $line; color: $foreground; text-style: none; }
        OptionList:focus > .option-list--option-highlighted { background: $input-selection-background; }
    }
    FiguresScreen:ansi {
        OptionList > .option-list--option-highlighted { background: ansi_default; text-style: bold underline; }
        OptionList:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: none;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,ctrl+g,q", "close", show=False, priority=True),
        Binding("c", "copy('CSV')", show=False),
        Binding("j", "copy('JSON')", show=False),
        Binding("right", "focus_list('#details')", show=False, priority=True),
        Binding("left", "focus_list('#turns')", show=False, priority=True),
    ]

    def __init__(self, entries: Sequence[Entry], turn_id: str, send_copy: Callable[[str, str], str]) -> None:
        super().__init__()
        self._entries = list(entries)
        self._turn_id = turn_id
        self._send_copy = send_copy
        self._details: list[Detail] = []
        self._lines: dict[int, tuple[TurnFigures, Content]] = {}
        self._measure: tuple[Layout, float] | None = None
        self._before = ConversationFigures()

    def compose(self) -> ComposeResult:
        """Lay out the table over the figures of one turn."""
        yield Static(id="title", markup=False)
        yield Static(_EMPTY, id="empty", markup=False)
        yield Static(id="heading", markup=False)
        yield OptionList(id="turns", markup=False)
        yield Static(id="totals", markup=False)
        yield Static(id="turn", markup=False)
        yield Static(id="tokens", markup=False)
        yield Static(id="time", markup=False)
        yield OptionList(id="details", markup=False)
        yield Static(id="explanation", markup=False)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Fill in the figures."""
        self.call_after_refresh(self._begin)

    def show(self, entries: Sequence[Entry]) -> None:
        """Show these figures instead; the places of both cursors stay."""
        if not self._turns.size.width and self._entries:
            return
        self._entries = list(entries)
        self._fill()

    @property
    def _turns(self) -> OptionList:
        return self.query_one("#turns", OptionList)

    @property
    def _list(self) -> OptionList:
        return self.query_one("#details", OptionList)

    def _begin(self) -> None:
        self._fill()
        self._show_keys()
        ids = [turn.id for turn, _ in self._entries]
        if not ids:
            return
        self._turns.highlighted = ids.index(self._turn_id) if self._turn_id in ids else len(ids) - 1
        (self._list if self._turn_id in ids else self._turns).focus()

    def on_resize(self, _event: events.Resize) -> None:
        """Give each column the room there is now."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        for widget in self.query("#heading, #turns, #totals, #turn, #tokens, #time, #details, #explanation"):
            widget.display = bool(self._entries)
        self.query_one("#empty").display = not self._entries
        turns = len(self._entries)
        unknown = sum(figures.total.value is None for _, figures in self._entries)
        note = f", {unknown} without a total and not in its sum" if unknown else ""
        told = f"  {turns} turn{'' if turns == 1 else 's'}{note}"
        gap = " " * max(3, self.size.width - 9 - len(told) - len(LEGEND))
        self._put("#title", Content.assemble(("Figures", "bold"), (told + gap + LEGEND, "$quiet")))
        if self._entries:
            self._fill_table()

    def _show_keys(self) -> None:
        keys = _KEYS if self._entries else _KEYS[-1:]
        self._put("#keys", Content("  ").join(Content.assemble((key, "bold"), f" {what}") for key, what in keys))

    def _fill_table(self) -> None:
        layout = lay_out(self.size.width - 3)
        most = max(float(figures.total.value or 0) for _, figures in self._entries)
        if (layout, most) != self._measure:
            self._measure = (layout, most)
            self._lines.clear()
        lines = [self._line(number, entry) for number, entry in enumerate(self._entries, 1)]
        sums = self._sum()
        self._put("#heading", heading(layout))
        self._put("#totals", totals_line(sums, layout))
        _replace(self._turns, lines)
        self._show_turn()

    def _line(self, number: int, entry: Entry) -> Content:
        """Return the line of a turn; it is made again only when its figures are others."""
        turn, figures = entry
        known = self._lines.get(number)
        if known is None or known[0] is not figures:
            assert self._measure is not None, "the table is laid out first"
            layout, most = self._measure
            known = self._lines[number] = (figures, turn_line(number, turn.question.text, figures, most, layout))
        return known[1]

    def _sum(self) -> ConversationFigures:
        """Return the sums over all turns; those before the newest are kept, as only the newest changes."""
        *before, last = [figures for _, figures in self._entries]
        kept = self._before.parts
        if len(kept) != len(before) or any(now is not was for now, was in zip(before, kept, strict=True)):
            self._before = conversation_of(before)
        return self._before.plus(last)

    @on(OptionList.OptionHighlighted, "#turns")
    def _show_turn(self) -> None:
        if not self._entries:
            return
        place = min(self._turns.highlighted or 0, len(self._entries) - 1)
        turn, figures = self._entries[place]
        width = self.size.width - 3
        facts = " · ".join(
            word for word in (turn.model, f"effort {turn.effort}" if turn.effort else "", turn.status) if word
        )
        name = Content.assemble((f"Turn {place + 1}  ", "bold $accent"), shown_line(turn.question.text))
        room = max(width - len(facts) - 2, 20)
        name = name.truncate(room, ellipsis=True)
        gap = " " * max(2, width - name.cell_length - len(facts))
        self._put("#turn", Content.assemble(name, gap, (shown_line(facts), "$quiet")).truncate(width, ellipsis=True))
        self._put("#tokens", token_bar(figures, width))
        self._put("#time", time_bar(figures, width))
        self._details = turn_details(figures)
        _replace(self._list, [detail_line(detail, width) for detail in self._details])
        self._explain()

    @on(OptionList.OptionHighlighted, "#details")
    def _explain(self) -> None:
        place = self._list.highlighted
        if place is not None and place < len(self._details):
            self._put("#explanation", Content(shown_line(self._details[place].explanation)))

    @on(OptionList.OptionSelected, "#turns")
    def _enter_turn(self) -> None:
        self._list.focus()

    def _put(self, selector: str, content: Content) -> None:
        self.query_one(selector, Static).update(content)

    def action_focus_list(self, selector: str) -> None:
        """Go to the turns or to the figures of one."""
        self.query_one(selector).focus()

    def action_copy(self, form: str) -> None:
        """Copy the table of all turns as CSV or JSON."""
        rows = [turn_row(number, turn, figures) for number, (turn, figures) in enumerate(self._entries, 1)]
        if rows:
            text = table_csv(rows) if form == "CSV" else table_json(rows)
            self._put("#keys", Content.styled(self._send_copy(text, f"figures as {form}"), "$success"))
            self.set_timer(_SAID_SECONDS, self._show_keys)

    def action_close(self) -> None:
        """Go back to the chat."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)


def _replace(options: OptionList, lines: Sequence[Content]) -> None:
    """Show `lines` with as little change as can be; the highlighted place stays."""
    if options.option_count == len(lines):
        for place, text in enumerate(lines):
            shown = options.get_option_at_index(place).prompt
            if not isinstance(shown, Content) or not text.is_same(shown):
                options.replace_option_prompt_at_index(place, text)
        return
    place = options.highlighted or 0
    options.clear_options()
    options.add_options([Option(text) for text in lines])
    if lines:
        options.highlighted = min(place, len(lines) - 1)
