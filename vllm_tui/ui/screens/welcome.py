"""The first run: which server to talk to, tested and saved in one step, or skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import Settings
from vllm_tui.ui.content import line, shown_line
from vllm_tui.ui.options.texts import checks_text
from vllm_tui.ui.screens.pick import Choice, choice_line

if TYPE_CHECKING:
    from vllm_tui.domain.checks import Check, LocalServer
    from vllm_tui.ui.launch import Backend

DEMO, SKIP = "demo", "skip"


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the person chose: a server, whose `settings` hold from now on, the demo, or nothing."""

    kind: Literal["server", "demo", "skip"]
    settings: Settings | None = None
    note: str = ""


def welcome_choices(servers: Sequence[LocalServer], *, is_looking: bool) -> list[Choice]:
    """Return what can be chosen besides typing an address: servers of this machine, the demo, nothing."""
    found = [Choice(server.base_url, server.base_url, _about(server)) for server in servers]
    looking = [Choice("", "looking for servers on this machine …")] if is_looking else []
    demo = Choice(DEMO, "Try the demo", "built in: no server, no network")
    return [*found, *looking, demo, Choice(SKIP, "Skip for now", "F4 sets base_url later")]


def _about(server: LocalServer) -> str:
    if server.needs_key:
        return f"vLLM {server.version}, needs a key"
    more = f" and {len(server.models) - 1} more" if len(server.models) > 1 else ""
    return f"vLLM {server.version}  {server.models[0].name if server.models else ''}{more}"


class WelcomeScreen(ModalScreen[Welcome]):
    """Asks for the address of a server."""

    DEFAULT_CSS = """
    WelcomeScreen {
        align: center top; background: $background 50%;
        #welcome { width: 84; max-width: 100%; height: auto; max-height: 100%; margin: 2 1; background: $panel;
                   padding: 1 2; }
        Static { height: auto; }
        #ask { margin: 0 0 1 0; }
        Input, Input:focus { border: none; height: 1; padding: 0 1; background: $background; }
        OptionList, OptionList:focus { height: auto; max-height: 9; border: none; padding: 0; margin: 1 0 0 0;
                                       background: $panel; scrollbar-size-vertical: 1; }
        #test { margin: 1 0 0 0; display: none; }
        #test.-shown { display: block; }
        #keys { margin: 1 0 0 0; color: $quiet; }
    }
    WelcomeScreen:ansi { background: ansi_default; #welcome { border: round $line; padding: 0 1; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "skip", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        self._choices = welcome_choices((), is_looking=True)
        self._tested = ""

    def compose(self) -> ComposeResult:
        """Show the question, the field, the choices and the test."""
        address = shown_line(self._backend.settings.text("base_url"))
        with Vertical(id="welcome"):
            text = f"No vLLM server answers at {address}. Which one do you want to talk to?"
            yield Static(Content.assemble(("Welcome to vllm-tui. ", "bold"), text), id="ask", markup=False)
            entry = Input(placeholder="http://gpu-box:8000/v1", select_on_focus=False)
            entry.cursor_blink = False
            yield entry
            yield OptionList(markup=False)
            yield Static(id="test", markup=False)
            yield Static("Enter test and use   ↑ ↓ choose   Esc skip", id="keys", markup=False)

    def on_mount(self) -> None:
        """Take an address at once; servers of this machine are added when they are found."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        self.call_after_refresh(self._fill)
        self._work(self._look(), "look")

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        width = max(options.size.width - 3, 20)
        place = options.highlighted
        options.clear_options()
        options.add_options([Option(choice_line(choice, width)) for choice in self._choices])
        options.highlighted = place

    async def _look(self) -> None:
        servers = await self._backend.find_servers()
        before, self._choices = self._choices, welcome_choices(servers, is_looking=False)
        options = self.query_one(OptionList)
        place = options.highlighted
        chosen = before[place].value if place is not None and place < len(before) else None
        self._fill()
        values = [choice.value for choice in self._choices]
        options.highlighted = values.index(chosen) if chosen in values else 0 if servers else None

    @on(Input.Submitted)
    def _take(self) -> None:
        typed = self.query_one(Input).value.strip()
        place = self.query_one(OptionList).highlighted
        if typed:
            self._use(typed)
        elif place is not None and place < len(self._choices):
            self._choose(self._choices[place].value)
        else:
            self._say(line("type an address, or choose with ↓"))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self._choose(self._choices[event.option_index].value)

    def _choose(self, value: str) -> None:
        match value:
            case "":
                return
            case "demo" | "skip" as kind:
                self._end(Welcome(kind))
            case address:
                self.query_one(Input).value = address
                self._use(address)

    def _use(self, typed: str) -> None:
        address = full_address(typed)
        try:
            settings = self._backend.settings.chosen("base_url", address)
        except ConfigurationError as error:
            self._say(line(str(error)).stylize("$error"))
            return
        if self._tested == address:
            self._work(self._save(settings, ""), "save")
        else:
            self._work(self._test(settings, address), "test")

    async def _test(self, settings: Settings, address: str) -> None:
        checks: list[Check] = []

        def take(check: Check) -> None:
            checks.append(check)
            self._say(checks_text(checks, is_running=True))

        probe = await self._backend.check_server(settings, take)
        if probe.is_usable:
            await self._save(settings, f"vLLM {probe.version or 'server'} at {probe.base_url}")
            return
        self._tested = address
        hint = Content.styled("Correct the address, or press Enter again to use it all the same.", "bold")
        self._say(Content("\n").join([checks_text(probe.checks, is_running=False), hint]))

    async def _save(self, settings: Settings, note: str) -> None:
        try:
            saved = await asyncio.to_thread(self._backend.save_settings, settings)
        except ConfigurationError as error:
            self._end(Welcome("server", settings, f"The address holds for this session only. {error}"))
            return
        self._end(Welcome("server", saved, note))

    def _say(self, text: Content) -> None:
        test = self.query_one("#test", Static)
        test.update(text)
        test.add_class("-shown")

    def _work(self, work: Coroutine[None, None, None], name: str) -> None:
        group = "welcome-look" if name == "look" else "welcome"
        self.run_worker(
            work, name=name, group=group, exclusive=True, exit_on_error=False, description=f"{name} a server"
        )

    def _end(self, choice: Welcome) -> None:
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(choice)

    def action_skip(self) -> None:
        """Go on without a server."""
        self._end(Welcome("skip"))

    def action_move(self, by: int) -> None:
        """Move the mark, stopping at the ends; what was typed goes."""
        options = self.query_one(OptionList)
        place = -1 if options.highlighted is None else options.highlighted
        options.highlighted = min(max(place + by, 0), len(self._choices) - 1)
        self.query_one(Input).value = ""


def full_address(typed: str) -> str:
    """Return a typed address with the scheme and the /v1 that people leave out."""
    address = typed if "://" in typed else f"http://{typed}"
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rstrip('/')}/v1" if "/" not in rest.rstrip("/") else address
