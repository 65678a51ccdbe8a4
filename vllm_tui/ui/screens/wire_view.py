"""The wire as it is seen: the list of exchanges, and the sides of one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from vllm_tui.ui.calls.texts import bounded, fitted_keys
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.widgets.json_tree import JsonTree
from vllm_tui.ui.wire.event_list import EventList
from vllm_tui.ui.wire.texts import about_line, exchange_line, flags_line, head_lines, parsed

if TYPE_CHECKING:
    from vllm_tui.domain.wire import WireCatalog, WireSummary

SIDES = ("events", "request", "headers", "reply")
"""The sides of an exchange, in the order of their keys 1 to 4."""
_EMPTY = "Nothing crossed the wire yet. Ask something; every request stands here while its answer still comes."
_SAID_SECONDS = 6.0
_KEYS = (
    ("1-4", "side"),
    ("Tab", "list, side"),
    ("t", "take away"),
    ("r", "send again"),
    ("f", "filter"),
    ("n", "next odd"),
)


class WireView(Screen[None]):
    """Shows what `wire` keeps; `question_of` gives the question of a turn by its id."""

    DEFAULT_CSS = """
    WireView {
        background: $background; color: $foreground;
        Static { height: 1; padding: 0 1; }
        #title { border-bottom: solid $line; height: 2; }
        #empty { height: 1fr; content-align: center middle; color: $quiet; }
        OptionList, OptionList:focus { border: none; padding: 0 1; background: $background; width: 36;
                                       background-tint: $background 0%; }
        #middle { height: 1fr; }
        #right { width: 1fr; border-left: solid $line; }
        #head { height: 1fr; }
        #headtext, #plaintext { height: auto; padding: 1 1 0 1; }
        #plain { height: 1fr; }
        JsonTree { height: 1fr; }
        #event { height: 40%; border-top: solid $line; }
        #keys { border-top: solid $line; height: 2; color: $quiet; }
        OptionList > .option-list--option-highlighted { background: $line; color: $foreground; text-style: none; }
        OptionList:focus > .option-list--option-highlighted { background: $input-selection-background; }
        &.-narrow OptionList { width: 26; }
    }
    WireView:ansi {
        OptionList > .option-list--option-highlighted { background: ansi_default; text-style: bold underline; }
        OptionList:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: none;
        }
    }
    """

    def __init__(self, wire: WireCatalog, question_of: Callable[[str], str]) -> None:
        super().__init__()
        self._wire = wire
        self._question_of = question_of
        self._entries: tuple[WireSummary, ...] = ()
        self._side = SIDES[0]
        self._number = 0
        self._is_tree = True
        self._kind = ""
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """Lay out the list beside one exchange."""
        yield Static(id="title", markup=False)
        yield Static(_EMPTY, id="empty", markup=False)
        with Horizontal(id="middle"):
            yield OptionList(id="exchanges", markup=False)
            with Vertical(id="right"):
                yield Static(id="about", markup=False)
                yield Static(id="tabs", markup=False)
                yield Static(id="odd", markup=False)
                yield EventList()
                yield JsonTree(id="event")
                yield JsonTree(id="body")
                with VerticalScroll(id="plain"):
                    yield Static(id="plaintext", markup=False)
                with VerticalScroll(id="head"):
                    yield Static(id="headtext", markup=False)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Read what there is."""
        self.call_after_refresh(self._begin)

    def on_resize(self, event: events.Resize) -> None:
        """Write for the new width."""
        self.set_class(event.size.width < 110, "-narrow")
        self._drawn = None
        self.call_after_refresh(self.show)

    @property
    def _list(self) -> OptionList:
        return self.query_one("#exchanges", OptionList)

    @property
    def current(self) -> WireSummary | None:
        """Return the exchange under the mark."""
        place = self._list.highlighted if self.query("#exchanges") else None
        return self._entries[place] if place is not None and place < len(self._entries) else None

    def _begin(self) -> None:
        self.show()
        if self._entries:
            self._list.highlighted = len(self._entries) - 1
            self._list.focus()

    def show(self) -> None:
        """Bring the list and the exchange up to date; the mark stays on its exchange."""
        if not self.is_attached or not self.query("#keys"):
            return
        current = self.current
        self._entries = tuple(self._wire.exchanges())
        self._fill(current.number if current else 0)
        self._write()

    def _fill(self, number: int) -> None:
        options, entries = self._list, self._entries
        width = max(options.size.width - 3, 12)
        lines = [exchange_line(entry, width) for entry in entries]
        numbers = [entry.number for entry in entries]
        first = options.get_option_at_index(0).id if options.option_count else None
        if options.option_count == len(lines) and (not numbers or first == f"n{numbers[0]}"):
            for place, text in enumerate(lines):
                shown = options.get_option_at_index(place).prompt
                if not isinstance(shown, Content) or not text.is_same(shown):
                    options.replace_option_prompt_at_index(place, text)
        else:
            options.clear_options()
            options.add_options([Option(text, id=f"n{at}") for text, at in zip(lines, numbers, strict=True)])
            if numbers:
                options.highlighted = numbers.index(number) if number in numbers else len(numbers) - 1
        self.query_one("#empty").display = not entries
        self.query_one("#middle").display = bool(entries)

    @on(OptionList.OptionHighlighted)
    def _chosen(self) -> None:
        self._write()

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.focus_side()

    @on(EventList.CursorMoved)
    def _event_chosen(self) -> None:
        event = self.query_one(EventList).current
        self.query_one("#event", JsonTree).show(parsed(event.data) if event else "")

    def focus_side(self) -> None:
        """Go from the list to what stands beside it."""
        targets = {"events": "#events", "headers": "#head"}
        body = "#body" if self._is_tree else "#plain"
        self.query_one(targets.get(self._side, body)).focus()

    def _write(self) -> None:
        entry, count = self.current, len(self._entries)
        dropped = f", {self._wire.dropped} older ones had no room" if self._wire.dropped else ""
        told = f"  {count} exchange{'' if count == 1 else 's'}{dropped}"
        self._put("#title", Content.assemble(("Wire", "bold"), (told, "$quiet")))
        self.show_keys()
        if entry is None:
            return
        width = max(self.query_one("#right").size.width - 3, 20)
        self._put("#about", about_line(entry, self._question_of(entry.about), width))
        self._put("#tabs", self._tabs())
        is_other = entry.number != self._number
        self._number = entry.number
        self._arrange()
        if self._side == "events":
            self._write_events(entry, anew=is_other)
            return
        drawn = (entry.number, self._side, self._is_tree, entry.status, entry.ending, entry.size)
        if drawn != self._drawn:
            self._drawn = drawn
            self._write_side(entry)

    def _arrange(self) -> None:
        is_body = self._side in ("request", "reply")
        shown = {"#odd, #events, #event": self._side == "events", "#head": self._side == "headers",
                 "#body": is_body and self._is_tree, "#plain": is_body and not self._is_tree}  # fmt: skip
        for selector, is_shown in shown.items():
            for widget in self.query(selector):
                if widget.display != is_shown:
                    widget.display = is_shown

    def _write_events(self, entry: WireSummary, *, anew: bool) -> None:
        rows = self._wire.events(entry.number)
        if rows:
            kind = f"  only {self._kind}" if self._kind else ""
            self._put("#odd", Content.assemble(flags_line(rows), (shown_line(kind), "$accent")))
        else:
            self._put("#odd", Content.styled("no stream; 4 shows the reply", "$quiet"))
        self.query_one(EventList).show(rows, self._kind, anew=anew)

    def _write_side(self, entry: WireSummary) -> None:
        request, answer = self._wire.request(entry.number), self._wire.answer(entry.number)
        self._put("#headtext", head_lines(entry, request, answer))
        body = request.body if self._side == "request" else answer.body
        if self._is_tree:
            self.query_one("#body", JsonTree).show(parsed(body) if body else "(no body)")
        else:
            self._put("#plaintext", bounded(body or "(no body)"))

    def _tabs(self) -> Content:
        parts = [
            Content.styled(f" {number} {name} ", "bold reverse $accent" if name == self._side else "$quiet")
            for number, name in enumerate(SIDES, 1)
        ]
        is_body = self._side in ("request", "reply")
        form = f"   x shows the {'text' if self._is_tree else 'tree'}" if is_body else ""
        return Content.assemble(*parts, (form, "$quiet"))

    def show_keys(self) -> None:
        """Show the keys at the bottom."""
        keys = [*(_KEYS if self._entries else ()), ("b", "bundle"), ("Esc", "back")]
        self._put("#keys", fitted_keys(keys, self.size.width - 2))

    def say(self, text: str, style: str = "$success") -> None:
        """Say something in place of the keys for some seconds."""
        self._put("#keys", Content.styled(shown_line(text), style))
        self.set_timer(_SAID_SECONDS, self.show_keys)

    def _put(self, selector: str, content: Content) -> None:
        widget = self.query_one(selector, Static)
        if not isinstance(widget.content, Content) or not content.is_same(widget.content):
            widget.update(content)
