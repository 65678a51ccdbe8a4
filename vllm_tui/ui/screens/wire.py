"""The wire inspector: what can be done with an exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from vllm_tui.domain.errors import StorageError, VLLMError
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.screens.wire_view import SIDES, WireView
from vllm_tui.ui.wire.files import keep_taken

if TYPE_CHECKING:
    from vllm_tui.domain.wire import Form, WireCatalog
    from vllm_tui.settings.layers import Settings

_FORMS: tuple[tuple[Form, str, str], ...] = (
    ("curl", "curl command, key as $VLLM_API_KEY", "sh"),
    ("python", "Python script with the openai package", "py"),
    ("json", "request as JSON", "json"),
)


class WireScreen(WireView):
    """Takes requests away, sends them again, saves cassettes and a bundle for reports."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,f7", "close", show=False, priority=True),
        *(Binding(str(number), f"side({number - 1})", show=False) for number in range(1, len(SIDES) + 1)),
        Binding("right_square_bracket", "next_side(1)", show=False),
        Binding("left_square_bracket", "next_side(-1)", show=False),
        Binding("tab", "switch", show=False, priority=True),
        Binding("x", "form", show=False),
        Binding("f,slash", "filter", show=False),
        Binding("t", "take", show=False),
        Binding("r", "again", show=False),
        Binding("b", "bundle", show=False),
        Binding("y", "copy_body", show=False),
    ]

    def __init__(
        self,
        wire: WireCatalog,
        question_of: Callable[[str], str],
        send_copy: Callable[[str, str], str],
        folder: Path,
        settings: Callable[[], Settings],
        efforts: Sequence[str],
    ) -> None:
        super().__init__(wire, question_of)
        self._send_copy = send_copy
        self._folder = folder
        self._settings = settings
        self._efforts = efforts

    def action_side(self, number: int) -> None:
        """Show one side of the exchange."""
        self._side = SIDES[number]
        self._drawn = None
        self._write()

    def action_next_side(self, step: int) -> None:
        """Show the next side, or the one before."""
        self.action_side((SIDES.index(self._side) + step) % len(SIDES))

    def action_switch(self) -> None:
        """Go from the list to the side, to the event, and back."""
        if self._list.has_focus:
            self.focus_side()
        elif self._side == "events" and self.query_one("#events").has_focus:
            self.query_one("#event").focus()
        else:
            self._list.focus()

    def action_form(self) -> None:
        """Show bodies as a tree or as text."""
        self._is_tree = not self._is_tree
        self._drawn = None
        self._write()

    def action_filter(self) -> None:
        """Choose which type of event is shown."""
        entry = self.current
        if entry is None:
            return
        counts: dict[str, int] = {}
        for row in self._wire.events(entry.number):
            counts[row.type] = counts.get(row.type, 0) + 1
        choices = [Choice("all", "all types"), *(Choice(f"t:{name}", name, f"{n:,}") for name, n in counts.items())]

        def chosen(value: str | None) -> None:
            if value is not None:
                self._kind = value[2:] if value.startswith("t:") else ""
                self.action_side(0)

        self.app.push_screen(PickScreen("type …", choices, current=f"t:{self._kind}"), chosen)

    def action_take(self) -> None:
        """Offer every way to take the exchange away."""
        entry = self.current
        if entry is None:
            return
        choices = [Choice(f"copy:{form}", f"Copy {words}") for form, words, _ in _FORMS]
        choices += [Choice(f"save:{form}", f"Save {words}") for form, words, _ in _FORMS]
        choices.append(Choice("cassette:one", "Save this exchange as a cassette", "vllm-tui replay FILE"))
        choices.append(Choice("cassette:all", "Save everything as a cassette", f"{len(self._entries)} exchanges"))
        number = entry.number

        def chosen(value: str | None) -> None:
            if value is not None:
                self._take(number, value)

        self.app.push_screen(PickScreen("take away …", choices), chosen)

    def _take(self, number: int, value: str) -> None:
        way, _, what = value.partition(":")
        form = next((form for form, _, _ in _FORMS if form == what), None)
        try:
            if way == "cassette":
                text = self._wire.cassette(number if what == "one" else None)
                self.save("cassette", "jsonl", text)
            elif form is not None and way == "copy":
                self.say(self._send_copy(self._wire.take_away(number, form), f"request as {form}"))
            elif form is not None:
                ending = next(ending for name, _, ending in _FORMS if name == form)
                self.save("request", ending, self._wire.take_away(number, form))
        except VLLMError as error:
            self.say(str(error), "$error")

    def save(self, name: str, ending: str, text: str) -> None:
        """Write a new file and say where it is."""
        try:
            self.say(f"saved as {keep_taken(self._folder, name, ending, text)}")
        except StorageError as error:
            self.say(str(error), "$error")

    def action_bundle(self) -> None:
        """Show what a report about a fault would hold, then write it if the person says so."""
        from vllm_tui.ui.screens.bundle import BundleScreen

        text = self._wire.bundle()

        def shown(is_wanted: bool | None) -> None:
            if is_wanted:
                self.save("report", "txt", text)

        self.app.push_screen(BundleScreen(text), shown)

    def action_again(self) -> None:
        """Offer to send the request once more, as it was or changed."""
        entry = self.current
        if entry is None:
            return
        settings = self._settings()
        choices = [Choice("same", "Send again as it was")]
        choices += [Choice(f"effort:{name}", f"Send again with effort {name}") for name in self._efforts]
        choices += [
            Choice(f"profile:{one.name}", f"Send again to profile {one.name}")
            for one in settings.profiles
            if one.name != settings.profile
        ]
        number = entry.number

        def chosen(value: str | None) -> None:
            if value is not None:
                self._begin_again(number, value)

        note = "The answer stands here as a new exchange; the conversation stays as it is."
        self.app.push_screen(PickScreen("send again …", choices, note=note), chosen)

    def _begin_again(self, number: int, value: str) -> None:
        kind, _, name = value.partition(":")
        self.app.run_worker(  # of the app, so that it goes on when this screen is left
            self._send(number, name if kind == "effort" else None, name if kind == "profile" else None),
            name="again",
            group="again",
            exit_on_error=False,
            description="send a request again",
        )
        self.say("sent again; its answer comes as a new exchange")

    async def _send(self, number: int, effort: str | None, profile: str | None) -> None:
        try:
            await self._wire.send_again(number, effort, profile)
        except VLLMError as error:
            if self.is_current:
                self.say(str(error), "$error")
        self.show()

    def action_copy_body(self) -> None:
        """Copy what is shown: the event, the body, or the headers."""
        entry = self.current
        if entry is None:
            return
        from vllm_tui.ui.wire.event_list import EventList

        event = self.query_one(EventList).current
        if self._side == "events" and event is not None:
            self.say(self._send_copy(event.data, "event"))
        elif self._side == "reply":
            self.say(self._send_copy(self._wire.answer(entry.number).body, "reply"))
        else:
            self.say(self._send_copy(self._wire.request(entry.number).body, "request body"))

    def action_close(self) -> None:
        """Go back to the chat."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)
