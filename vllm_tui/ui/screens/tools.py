"""The tools of the conversation: what is offered, what each is, and what the model is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.ui.calls.deciding import edit_arguments
from vllm_tui.ui.calls.listing_texts import about, listing_line, sent, title_line
from vllm_tui.ui.calls.panes import result_of
from vllm_tui.ui.calls.texts import fitted_keys, json_text
from vllm_tui.ui.content import line, shown_line
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.widgets.json_tree import JsonTree

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import ToolListing
    from vllm_tui.domain.values import JsonObject
    from vllm_tui.ui.launch import Backend

_SAID_SECONDS = 6.0
_KEYS = (
    ("Space", "on, off"),
    ("t", "try"),
    ("c", "choice"),
    ("r", "connect again"),
    ("i", "calls"),
    ("y", "copy JSON"),
    ("Esc", "back"),
)


class ToolsScreen(Screen[str | None]):
    """Lists the tools of `backend`; returns `calls` when the person wants the inspector."""

    DEFAULT_CSS = """
    ToolsScreen {
        background: $background; color: $foreground;
        Static { height: 1; padding: 0 1; }
        #title { border-bottom: solid $line; height: 2; }
        #middle { height: 1fr; }
        #left { width: 36; }
        OptionList, OptionList:focus { border: none; padding: 0 1; background: $background; height: 1fr;
                                       background-tint: $background 0%; }
        #right { width: 1fr; border-left: solid $line; }
        #side { height: auto; max-height: 50%; }
        #about { height: auto; padding: 0 1; }
        #senthead { height: 1; color: $quiet; margin: 1 0 0 0; }
        #notes { height: auto; max-height: 4; color: $warning; border-top: solid $line; }
        #keys { border-top: solid $line; height: 2; color: $quiet; }
        OptionList > .option-list--option-highlighted { background: $line; color: $foreground; text-style: none; }
        OptionList:focus > .option-list--option-highlighted { background: $input-selection-background; }
        &.-narrow #left { width: 26; }
    }
    ToolsScreen:ansi {
        OptionList > .option-list--option-highlighted { background: ansi_default; text-style: bold underline; }
        OptionList:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: none;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,f6,q", "close", show=False, priority=True),
        Binding("tab", "switch", show=False, priority=True),
        Binding("space", "on_off", show=False, priority=True),
        Binding("a", "accept", show=False),
        Binding("t", "try", show=False),
        Binding("c", "choice", show=False),
        Binding("r", "connect", show=False),
        Binding("i", "calls", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(
        self, backend: Backend, send_copy: Callable[[str, str], str], choose: Callable[[str | None], None]
    ) -> None:
        super().__init__()
        self._backend = backend
        self._send_copy = send_copy
        self._choose = choose
        self._listings: tuple[ToolListing, ...] = ()
        self._tries = 0

    def compose(self) -> ComposeResult:
        """Lay out the list beside one tool."""
        yield Static(id="title", markup=False)
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield OptionList(id="tools", markup=False)
            with Vertical(id="right"):
                with VerticalScroll(id="side"):
                    yield Static(id="about", markup=False)
                yield Static("sent to the server", id="senthead", markup=False)
                yield JsonTree(id="sent")
        yield Static(id="notes", markup=False)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Read the tools."""
        self.query_one(OptionList).focus()
        self.call_after_refresh(self.show)

    def on_resize(self, event: events.Resize) -> None:
        """Write for the new width."""
        self.set_class(event.size.width < 100, "-narrow")
        self.call_after_refresh(self.show)

    @property
    def current(self) -> ToolListing | None:
        """Return the tool under the mark."""
        place = self.query_one(OptionList).highlighted
        return self._listings[place] if place is not None and place < len(self._listings) else None

    def show(self) -> None:
        """Bring the list up to date; the mark stays on its tool."""
        if not self.is_attached or not self.query("#keys"):
            return
        tools, current = self._backend.tools, self.current
        self._listings = tuple(tools.listings) if tools is not None else ()
        options = self.query_one(OptionList)
        width = max(options.size.width - 3, 12)
        options.clear_options()
        options.add_options([Option(listing_line(listing, width)) for listing in self._listings])
        names = [listing.name for listing in self._listings]
        if names:
            options.highlighted = names.index(current.name) if current and current.name in names else 0
        notes = tools.notes if tools is not None else ()
        self.query_one("#notes").display = bool(notes)
        self._put("#notes", Content("\n").join(line(f"! {note}") for note in notes))
        self._put("#title", title_line(self._listings, self._backend.settings.text_or_none("tool_choice")))
        self._write()

    @on(OptionList.OptionHighlighted)
    def _write(self) -> None:
        self.show_keys()
        listing = self.current
        if listing is None:
            self._put("#about", Content.styled("No tools. F4, Tools, names sources of them.", "$quiet"))
            return
        asks_all = self._backend.settings.text("tool_approval") == "all"
        self._put("#about", about(listing, asks_all))
        self.query_one("#side", VerticalScroll).scroll_home(animate=False)
        self.query_one(JsonTree).show(sent(listing))

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.query_one(JsonTree).focus()

    def show_keys(self) -> None:
        """Show the keys at the bottom."""
        listing = self.current
        changed = listing is not None and listing.readiness == "changed"
        keys = [*([("a", "accept the change")] if changed else []), *_KEYS]
        if listing is not None and listing.kind != "mcp":
            keys.remove(("r", "connect again"))
        self._put("#keys", fitted_keys(keys, self.size.width - 2))

    def say(self, text: str, style: str = "$success") -> None:
        """Say something in place of the keys for some seconds."""
        self._put("#keys", Content.styled(shown_line(text), style))
        self.set_timer(_SAID_SECONDS, self.show_keys)

    def _put(self, selector: str, content: Content) -> None:
        self.query_one(selector, Static).update(content)

    # keys

    def action_switch(self) -> None:
        """Go from the list to what is sent and back."""
        (self.query_one(JsonTree) if self.query_one(OptionList).has_focus else self.query_one(OptionList)).focus()

    def action_on_off(self) -> None:
        """Offer the tool from the next request on, or stop offering it."""
        listing, tools = self.current, self._backend.tools
        if listing is None or tools is None:
            return
        tools.switch(listing.name, is_enabled=not listing.is_enabled)
        self.show()

    def action_accept(self) -> None:
        """Accept a changed tool as it is now."""
        listing, tools = self.current, self._backend.tools
        if listing is None or tools is None or listing.readiness != "changed":
            self.say("there is nothing to accept here", "$warning")
            return
        tools.approve_change(listing.name)
        self.show()
        self.say(f"{listing.title} is accepted as it is now")

    def action_choice(self) -> None:
        """Choose whether the model has to call a tool, and which."""
        self.app.push_screen(tool_choice_picker(self._backend), self._chosen)

    def _chosen(self, value: str | None) -> None:
        if value is not None:
            self._choose(None if value == "default" else value)
            self.show()

    def action_connect(self) -> None:
        """Open the MCP server of the tool anew."""
        listing = self.current
        if listing is None or listing.kind != "mcp":
            self.say("only tools of MCP servers have a connection", "$warning")
            return
        self.say(f"connecting to {listing.origin} …", "$accent")
        self.app.run_worker(
            self._reconnect(listing.origin), name="mcp", group="mcp", exit_on_error=False, description="connect again"
        )

    async def _reconnect(self, name: str) -> None:
        try:
            await self._backend.connect_again(name)
        except ConfigurationError as error:
            self.say(str(error), "$error")
        self.show()

    def action_try(self) -> None:
        """Run the tool by hand with arguments; the model is not told."""
        listing, tools = self.current, self._backend.tools
        if listing is None or tools is None:
            return
        if listing.by_hand:
            self.say("there is no program behind this tool; its calls are answered by hand", "$warning")
            return
        if not listing.is_enabled or listing.readiness != "ready":
            self.say("only a tool that is offered can be tried", "$warning")
            return
        edit_arguments(self.app, listing.name, "{}", tools, lambda arguments: self._try(listing, arguments))

    def _try(self, listing: ToolListing, arguments: JsonObject) -> None:
        self.say(f"running {listing.title} …", "$accent")
        self.run_worker(
            self._run(listing.name, arguments), name="try", group="try", exit_on_error=False, description="try a tool"
        )

    async def _run(self, name: str, arguments: JsonObject) -> None:
        from vllm_tui.domain.blocks import ToolCallBlock
        from vllm_tui.ui.calls.entries import CallEntry
        from vllm_tui.ui.screens.shown import ShownScreen

        tools = self._backend.tools
        assert tools is not None
        self._tries += 1
        call = ToolCallBlock(id=f"try-{self._tries}", name=name, input=arguments)
        record = await tools.run_again(call)
        entry = CallEntry("", call.id, name, record.state, record=record, result=record.result)
        seconds = "" if record.seconds is None else f" in {record.seconds:.2f} s"
        title = f"{name}: {record.state}{seconds}"
        self.app.push_screen(ShownScreen(title, json_text(result_of(entry)), self._send_copy))

    def action_calls(self) -> None:
        """Go to the calls of the conversation."""
        self._end("calls")

    def action_copy(self) -> None:
        """Copy the tool as it is sent."""
        listing = self.current
        if listing is not None:
            self.say(self._send_copy(json_text(sent(listing)), "tool as JSON"))

    def action_close(self) -> None:
        """Go back to the chat."""
        self._end(None)

    def _end(self, wish: str | None) -> None:
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(wish)


def tool_choice_picker(backend: Backend) -> PickScreen:
    """Return the question which tool the model has to call."""
    tools = backend.tools
    names = [entry.name for entry in tools.listings if entry.is_enabled and entry.readiness == "ready"] if tools else []
    choices = [
        Choice("default", "default", "the server decides, usually auto"),
        Choice("auto", "auto", "the model decides"),
        Choice("none", "none", "no calls"),
        Choice("required", "required", "some tool, in the first request of a turn"),
        *(Choice(name, name, "this tool, in the first request of a turn") for name in names),
    ]
    current = backend.settings.text_or_none("tool_choice") or "default"
    return PickScreen("tool choice …", choices, current=current)
