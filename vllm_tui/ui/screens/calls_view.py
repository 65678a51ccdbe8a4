"""The inspector as it is seen: the list of calls, and the sides of one of them."""

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

from vllm_tui.ui.calls.deciding import possible
from vllm_tui.ui.calls.panes import PANES, Known, comparison, pane, tree_of
from vllm_tui.ui.calls.texts import counts_line, entry_line, fitted_keys, state_of
from vllm_tui.ui.content import line, shown_line
from vllm_tui.ui.widgets.json_tree import JsonTree

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import ToolCatalog, ToolListing, Verdict
    from vllm_tui.domain.values import JsonObject
    from vllm_tui.ui.calls.approvals import Approvals
    from vllm_tui.ui.calls.entries import CallEntry

_EMPTY = "No tool call yet. When the model calls a tool, the call stands here while it still streams."
_SAID_SECONDS = 4.0
COMPARE = "compare"
"""The side on which a call stands beside the marked one."""


class CallsView(Screen[None]):
    """Shows what `read` returns; `call_id` is the call to begin with, else the newest. Fetches nothing."""

    DEFAULT_CSS = """
    CallsView {
        background: $background; color: $foreground;
        Static { height: 1; padding: 0 1; }
        #title { border-bottom: solid $line; height: 2; }
        #empty { height: 1fr; content-align: center middle; color: $quiet; }
        OptionList, OptionList:focus { border: none; padding: 0 1; background: $background; width: 30;
                                       background-tint: $background 0%; }
        #middle { height: 1fr; }
        #right { width: 1fr; border-left: solid $line; }
        #side { height: 1fr; }
        #right.-tree #side { height: auto; max-height: 50%; }
        #tree { height: 1fr; display: none; margin: 1 0 0 0; }
        #right.-tree #tree { display: block; }
        #tabs { height: 1; }
        #text { height: auto; padding: 1 1 0 1; }
        #keys { border-top: solid $line; height: 2; color: $quiet; }
        OptionList > .option-list--option-highlighted { background: $line; color: $foreground; text-style: none; }
        OptionList:focus > .option-list--option-highlighted { background: $input-selection-background; }
        &.-narrow OptionList { width: 24; }
    }
    CallsView:ansi {
        OptionList > .option-list--option-highlighted { background: ansi_default; text-style: bold underline; }
        OptionList:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: none;
        }
    }
    """

    def __init__(
        self,
        read: Callable[[], tuple[CallEntry, ...]],
        tools: Callable[[], ToolCatalog | None],
        approvals: Approvals,
        send_copy: Callable[[str, str], str],
        call_id: str = "",
    ) -> None:
        super().__init__()
        self._read = read
        self._tools = tools
        self._approvals = approvals
        self._send_copy = send_copy
        self._wanted = call_id
        self._entries: tuple[CallEntry, ...] = ()
        self._pane = PANES[0]
        self._marked: CallEntry | None = None
        self._verdicts: dict[str, Verdict | None] = {}
        self._drawn: object = None
        self._is_tree = True

    def compose(self) -> ComposeResult:
        """Lay out the list beside one call."""
        yield Static(id="title", markup=False)
        yield Static(_EMPTY, id="empty", markup=False)
        with Horizontal(id="middle"):
            yield OptionList(id="calls", markup=False)
            with Vertical(id="right"):
                yield Static(id="name", markup=False)
                yield Static(id="tabs", markup=False)
                with VerticalScroll(id="side"):
                    yield Static(id="text", markup=False)
                yield JsonTree(id="tree")
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Read the calls."""
        self.call_after_refresh(self._begin)

    def on_resize(self, event: events.Resize) -> None:
        """Write for the new width."""
        self.set_class(event.size.width < 100, "-narrow")
        self.call_after_refresh(self._redraw)

    @property
    def _list(self) -> OptionList:
        return self.query_one("#calls", OptionList)

    @property
    def current(self) -> CallEntry | None:
        """Return the call under the mark."""
        place = self._list.highlighted if self.query("#calls") else None
        return self._entries[place] if place is not None and place < len(self._entries) else None

    def _begin(self) -> None:
        self.show()
        ids = [entry.call_id for entry in self._entries]
        if ids:
            self._list.highlighted = ids.index(self._wanted) if self._wanted in ids else len(ids) - 1
            self._list.focus()

    def show(self) -> None:
        """Bring the list and the call up to date; the mark stays on its call."""
        if not self.query("#keys"):
            return
        current = self.current
        self._entries = self._read()
        self._fill(current.key if current else "")
        self._write()

    def _redraw(self) -> None:
        self._drawn = None
        self.show()

    def _fill(self, key: str) -> None:
        options, entries = self._list, self._entries
        width = max(options.size.width - 3, 12)
        lines = [entry_line(entry, width) for entry in entries]
        if options.option_count == len(lines):
            for place, text in enumerate(lines):
                shown = options.get_option_at_index(place).prompt
                if not isinstance(shown, Content) or not text.is_same(shown):
                    options.replace_option_prompt_at_index(place, text)
        else:
            options.clear_options()
            options.add_options([Option(text) for text in lines])
            keys = [entry.key for entry in entries]
            if keys:
                options.highlighted = keys.index(key) if key in keys else len(keys) - 1
        self.query_one("#empty").display = not entries
        self.query_one("#middle").display = bool(entries)

    @on(OptionList.OptionHighlighted)
    def _chosen(self) -> None:
        self._write()
        self.query_one("#side", VerticalScroll).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.query_one("#tree" if self.query_one("#right").has_class("-tree") else "#side").focus()

    def _write(self) -> None:
        entry = self.current
        title = Content.assemble(("Tool calls  ", "bold"), counts_line(self._entries))
        self._put("#title", title)
        self._show_keys()
        if entry is None:
            return
        self._judge(entry)
        width = max(self.query_one("#side").size.width - 3, 20)
        listing = self._listing(entry)
        known = Known(listing, self._verdicts.get(entry.key) if entry.record is None else entry.record.verdict)
        drawn = (entry, self._pane, known, width, self._marked, self._is_tree)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._put("#name", self._heading(entry, width))
        self._put("#tabs", self._tabs())
        value = tree_of(self._pane, entry) if self._is_tree else None
        if value is not None:
            self.query_one(JsonTree).show(value)
        self.query_one("#right").set_class(value is not None, "-tree")
        self._put("#text", self._text(entry, known, width, has_tree=value is not None))

    def _text(self, entry: CallEntry, known: Known, width: int, *, has_tree: bool) -> Content:
        if self._pane == COMPARE and self._marked is not None:
            return comparison(self._marked, entry, width)
        return pane(self._pane, entry, known, width, has_tree=has_tree)

    def _heading(self, entry: CallEntry, width: int) -> Content:
        seconds = "" if entry.seconds is None else f"  {entry.seconds:.2f} s"
        call_id = line(entry.call_id).plain
        head = Content.assemble((shown_line(entry.name) or "…", "bold"), "  ", state_of(entry), (seconds, "$quiet"))
        gap = " " * max(width - head.cell_length - len(call_id), 2)
        return Content.assemble(head, gap, (call_id, "$quiet")).truncate(width, ellipsis=True)

    def _tabs(self) -> Content:
        names = [*PANES, COMPARE] if self._marked is not None else [*PANES]
        parts = [
            Content.styled(f" {number} {name} ", "bold reverse $accent" if name == self._pane else "$quiet")
            for number, name in enumerate(names, 1)
        ]
        if sum(part.cell_length for part in parts) > self.query_one("#tabs").size.width - 2:
            numbered = enumerate(zip(names, parts, strict=True), 1)
            parts = [
                part if name == self._pane else Content.styled(f" {at} ", "$quiet") for at, (name, part) in numbered
            ]
        return Content("").join(parts)

    def _show_keys(self) -> None:
        entry = self.current
        keys: list[tuple[str, str]] = []
        waiting = None if entry is None else self._approvals.find(entry.call_id)
        if waiting is not None and entry is not None and entry.state == "waiting":
            keys += [(key, label) for key, label, _ in possible(waiting.request)]
        elif entry is not None and entry.block is not None:
            keys += [("r", "run again"), ("e", "edit and run")]
        if entry is not None:
            if tree_of(self._pane, entry) is not None:
                keys.append(("x", "text" if self._is_tree else "tree"))
            keys += [("←→", "side"), ("m", "unmark" if entry == self._marked else "compare"), ("y", "copy JSON")]
        keys.append(("Esc", "back"))
        self._put("#keys", fitted_keys(keys, self.size.width - 2))

    def _listing(self, entry: CallEntry) -> ToolListing | None:
        tools = self._tools()
        if entry.record is not None and entry.record.tool is not None:
            return entry.record.tool
        return next((one for one in tools.listings if one.name == entry.name), None) if tools else None

    def _judge(self, entry: CallEntry) -> None:
        """Check the arguments of a call that was stored without its verdict."""
        block, tools = entry.block, self._tools()
        if entry.record is not None or block is None or isinstance(block.input, str) or entry.key in self._verdicts:
            return
        self._verdicts[entry.key] = None
        if tools is not None and any(one.name == entry.name for one in tools.listings):
            self.run_worker(
                self._check(entry.key, tools, entry.name, block.input), name="check", exit_on_error=False,
                description="check arguments",
            )  # fmt: skip

    async def _check(self, key: str, tools: ToolCatalog, name: str, arguments: JsonObject) -> None:
        self._verdicts[key] = await tools.check(name, arguments)
        self.show()

    def _put(self, selector: str, content: Content) -> None:
        widget = self.query_one(selector, Static)
        if not isinstance(widget.content, Content) or not content.is_same(widget.content):
            widget.update(content)

    def say(self, text: str, style: str = "$success") -> None:
        """Say something in place of the keys for some seconds."""
        self._put("#keys", Content.styled(shown_line(text), style))
        self.set_timer(_SAID_SECONDS, self._show_keys)
