"""The token view: the prompt as the model sees it and its answer, token by token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from vllm_tui.accounting.token_view import TokenSide, TokenView
from vllm_tui.domain.errors import VLLMError
from vllm_tui.ui.content import line
from vllm_tui.ui.tokens.pane import TokenPane
from vllm_tui.ui.tokens.texts import about, heading, legend

_KEYS = (
    ("←→", "token"),
    ("↑↓", "row"),
    ("n p", "part"),
    ("Tab", "other side"),
    ("[ ]", "turn"),
    ("y", "copy"),
    ("Esc", "back"),
)


class TokensScreen(Screen[None]):
    """Shows what `read` returns for a turn; `count` is the number of turns, `number` the first to show."""

    DEFAULT_CSS = """
    TokensScreen {
        background: $background; color: $foreground;
        Static { height: 1; padding: 0 1; }
        #note { color: $quiet; height: auto; max-height: 3; }
        #legend { height: 2; border-bottom: solid $line; }
        #about { height: 3; border-top: solid $line; }
        #keys { color: $quiet; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,q", "close", show=False, priority=True),
        Binding("tab,shift+tab", "switch", show=False, priority=True),
        Binding("left_square_bracket", "turn(-1)", show=False),
        Binding("right_square_bracket", "turn(1)", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(
        self,
        read: Callable[[int], Awaitable[TokenView]],
        count: int,
        number: int,
        send_copy: Callable[[str, str], str],
        side: Literal["Prompt", "Answer"] = "Prompt",
    ) -> None:
        super().__init__()
        self._read = read
        self._count = count
        self._number = number
        self._send_copy = send_copy
        self._side: Literal["Prompt", "Answer"] = side
        self._view: TokenView | None = None

    @property
    def side(self) -> TokenSide:
        """Return the side that is shown; empty while it is being read."""
        if self._view is None:
            return TokenSide(note="reading …")
        return self._view.prompt if self._side == "Prompt" else self._view.answer

    def compose(self) -> ComposeResult:
        """Lay out the tokens between their legend and the token under the cursor."""
        yield Static(id="heading", markup=False)
        yield Static(id="note", markup=False)
        yield Static(id="legend", markup=False)
        yield TokenPane()
        yield Static(id="about", markup=False)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Read the turn."""
        keys = [Content.assemble((key, "bold"), f" {label}") for key, label in _KEYS]
        self.query_one("#keys", Static).update(Content("  ").join(keys))
        self.query_one(TokenPane).focus()
        self.call_after_refresh(self._show)
        self._begin()

    def on_resize(self) -> None:
        """Write the heading for the new width."""
        self.call_after_refresh(self._write)

    def _begin(self) -> None:
        self.run_worker(
            self._load(), name="tokens", group="tokens", exclusive=True, exit_on_error=False, description="read tokens"
        )

    async def _load(self) -> None:
        try:
            self._view = await self._read(self._number)
        except VLLMError as error:
            self._view = TokenView(TokenSide(note=str(error)), TokenSide(note=str(error)))
        self._show()

    def _show(self) -> None:
        side = self.side
        self.query_one(TokenPane).show(side.tokens, has_tokens=side.source is not None)
        self._write()

    def _write(self) -> None:
        side, width = self.side, max(self.size.width - 2, 10)
        self.query_one("#heading", Static).update(heading(side, self._side, self._number, width))
        self.query_one("#note", Static).update(line(side.note))
        self.query_one("#legend", Static).update(legend(side.parts, width))
        self._describe()

    @on(TokenPane.CursorMoved)
    def _describe(self) -> None:
        pane = self.query_one(TokenPane)
        self.query_one("#about", Static).update(about(pane.current, pane.cursor, self.side))

    def action_switch(self) -> None:
        """Go from the prompt to the answer and back."""
        self._side = "Answer" if self._side == "Prompt" else "Prompt"
        self._show()

    def action_turn(self, step: int) -> None:
        """Go to the turn before or after."""
        number = min(max(self._number + step, 0), self._count - 1)
        if number != self._number:
            self._number, self._view = number, None
            self._show()
            self._begin()

    def action_copy(self) -> None:
        """Copy the text of all tokens."""
        text = self.side.text
        said = self._send_copy(text, self._side.lower()) if text else "there is nothing to copy"
        self.query_one("#note", Static).update(line(said))

    def action_close(self) -> None:
        """Go back to the chat."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)
