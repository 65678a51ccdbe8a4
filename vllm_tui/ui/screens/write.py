"""Small screens on which the person writes what a call still needs: arguments, an answer, a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from vllm_tui.domain.tool_runs import AnswerByHand
from vllm_tui.ui.calls.texts import verdict_lines
from vllm_tui.ui.content import line

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import ToolCatalog
    from vllm_tui.domain.values import JsonObject

Written = TypeVar("Written")
_CHECK_SECONDS = 0.2
_AROUND = 14


class WriteScreen(ModalScreen[Written | None], Generic[Written]):
    """A title, a field, what is wrong with its text, and the keys; returns what was written, None when it is left."""

    DEFAULT_CSS = """
    WriteScreen {
        align: center top; background: $background 50%;
        #write { width: 84; max-width: 100%; height: auto; max-height: 100%; margin: 2 1; background: $panel;
                 padding: 1 2; }
        TextArea, TextArea:focus { height: 10; border: none; padding: 0; margin: 1 0; background: $background; }
        Input, Input:focus { border: none; height: 1; padding: 0; margin: 1 0; background: $background; }
        Static { height: auto; }
        #told { max-height: 8; }
        #keys { margin: 1 0 0 0; color: $quiet; }
    }
    WriteScreen:ansi { background: ansi_default; #write { border: round $line; padding: 0 1; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "back", show=False, priority=True),
        Binding("f10", "accept", show=False, priority=True),
    ]
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (("F10", "done"), ("Esc", "back"))

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out the field under its title."""
        with Vertical(id="write"):
            yield Static(line(self._title), id="title", markup=False)
            yield self.field()
            yield Static("", id="told", markup=False)
            yield Static(self._keys(), id="keys", markup=False)

    def field(self) -> Input | TextArea:
        """Return what is written into."""
        area = TextArea(self._text, soft_wrap=True, show_line_numbers=False, tab_behavior="focus")
        area.cursor_blink = False
        area.move_cursor(area.document.end)
        return area

    def begin(self) -> None:
        """Do what is to be done once the field is there; override."""

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one("TextArea, Input").focus()
        self.begin()

    def on_resize(self, event: events.Resize) -> None:
        """Leave room for the rest on low screens."""
        for area in self.query(TextArea):
            area.styles.height = max(min(10, event.size.height - _AROUND), 3)

    @property
    def text(self) -> str:
        """Return what stands in the field."""
        return self.query_one(TextArea).text

    def tell(self, content: Content) -> None:
        """Say something under the field."""
        self.query_one("#told", Static).update(content)

    def _keys(self) -> Content:
        return Content("   ").join(Content.assemble((key, "bold"), f" {label}") for key, label in self.KEYS)

    def action_accept(self) -> None:
        """Take what was written; override."""
        raise NotImplementedError

    def action_back(self) -> None:
        """Leave without an answer."""
        self.end(None)

    def end(self, written: Written | None) -> None:
        """Return to the screen below."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(written)


class ArgumentsScreen(WriteScreen["JsonObject"]):
    """Arguments as JSON, held against the tool's schema while they are typed; bad ones may run all the same."""

    KEYS = (("F10", "run with these arguments"), ("Esc", "back"))

    def __init__(self, name: str, text: str, tools: ToolCatalog | None) -> None:
        super().__init__(f"Arguments of {name}", text)
        self._tool = name
        self._tools = tools

    def begin(self) -> None:
        """Judge the text as it stands."""
        self._judge()

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._judge()

    def _judge(self) -> None:
        self.run_worker(
            self._check(), name="check", group="check", exclusive=True, exit_on_error=False, description="check"
        )

    async def _check(self) -> None:
        import asyncio

        await asyncio.sleep(_CHECK_SECONDS)
        arguments, problem = read_object(self.text)
        if arguments is None:
            self.tell(Content.styled(f"✗ {problem}", "$error"))
        elif self._tools is not None and any(listing.name == self._tool for listing in self._tools.listings):
            verdict = await self._tools.check(self._tool, arguments)
            self.tell(verdict_lines(verdict, self.query_one("#told").size.width))
        else:
            self.tell(Content.styled("no tool of this name is known, so nothing is checked", "$quiet"))

    def action_accept(self) -> None:
        """Take the arguments if they are an object."""
        arguments, problem = read_object(self.text)
        if arguments is None:
            self.tell(Content.styled(f"✗ {problem}", "bold $error"))
        else:
            self.end(arguments)


class HandAnswerScreen(WriteScreen[AnswerByHand]):
    """The result of a tool as the person gives it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f9", "accept_error", show=False, priority=True)]
    KEYS = (("F10", "send as the result"), ("F9", "send as an error"), ("Esc", "back"))

    def __init__(self, name: str) -> None:
        super().__init__(f"Answer {name} yourself; the model gets this text as the tool's result")

    def action_accept(self) -> None:
        """Send the text as the tool's result."""
        self.end(AnswerByHand(self.text))

    def action_accept_error(self) -> None:
        """Send the text as the tool's error."""
        self.end(AnswerByHand(self.text, is_error=True))


class TextScreen(WriteScreen[str]):
    """A text that is asked for by the title."""

    def action_accept(self) -> None:
        """Take the text."""
        self.end(self.text)


class ReasonScreen(WriteScreen[str]):
    """Why a call is refused; the model is told. An empty reason is allowed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "accept", show=False, priority=True)]
    KEYS = (("Enter", "refuse"), ("Esc", "back"))

    def __init__(self, name: str) -> None:
        super().__init__(f"Refuse {name}: why? (the model is told; may stay empty)")

    def field(self) -> Input | TextArea:
        """One line is enough."""
        entry = Input(select_on_focus=False)
        entry.cursor_blink = False
        return entry

    def action_accept(self) -> None:
        """Refuse with what was written."""
        self.end(self.query_one(Input).value.strip())


def read_object(text: str) -> tuple[JsonObject | None, str]:
    """Return the JSON object in `text`, or None and why there is none."""
    try:
        value = json.loads(text or "{}")
    except RecursionError:
        return None, "this is nested too deep"
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error.msg}, line {error.lineno}, column {error.colno}"
    if not isinstance(value, dict):
        return None, "arguments are a JSON object: { … }"
    return value, ""
