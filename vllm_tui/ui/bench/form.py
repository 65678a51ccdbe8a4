"""The form of the bench: one line for each choice; Enter opens what changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from vllm_tui.ui.bench.state import RUN_CHOICES, TOOL_CHOICES, Bench, effort_word, shorten
from vllm_tui.ui.bench.texts import FIELDS, form_lines
from vllm_tui.ui.screens.checks import ChecksScreen
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.screens.write import TextScreen

_ANY, _AS_CONFIGURED = "", TOOL_CHOICES[0]
_MOST_DESCRIPTION = 40


class BenchForm(OptionList):
    """Shows and changes the choices of `bench`; while it is locked it only says why not."""

    DEFAULT_CSS = """
    BenchForm { height: 6; }
    """

    class Changed(Message):
        """The person chose something."""

    class Refused(Message):
        """Nothing can be chosen here now; `words` say why."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, bench: Bench) -> None:
        super().__init__(id="form", markup=False)
        self._bench = bench
        self._room = 0
        self.is_locked = False

    def fill(self, width: int) -> None:
        """Show the choices in `width` columns; the highlighted line stays."""
        self._room, place = width, self.highlighted or 0
        self.clear_options()
        self.add_options([Option(text) for text in form_lines(self._bench, width)])
        self.highlighted = place

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open what changes this line."""
        event.stop()
        if self.is_locked:
            self.post_message(self.Refused("it is measuring; Esc stops it"))
            return
        bench = self._bench
        names = [Choice(name, name) for name in bench.tools]
        match FIELDS[event.option_index]:
            case "Prompt":
                self.app.push_screen(TextScreen("What is asked each time", bench.prompt), self._take_prompt)
            case "Tools":
                self._choose_tools()
            case "Expected":
                choices = [Choice(_ANY, "any of the tools"), *names]
                self._pick("tool that should be called …", choices, bench.expected or _ANY, self._take_expected)
            case "Tool choice":
                choices = [*(Choice(word, word) for word in TOOL_CHOICES), *names]
                self._pick("tool choice …", choices, bench.tool_choice or _AS_CONFIGURED, self._take_choice)
            case "Efforts":
                self._choose_efforts()
            case _:
                counts = [Choice(str(count), f"{count} with each effort") for count in RUN_CHOICES]
                self._pick("runs …", counts, str(bench.count), self._take_count)

    def _choose_tools(self) -> None:
        facts = self._bench.facts
        if facts is None or not facts.tools:
            self.post_message(self.Refused("this conversation has no tool that is ready"))
            return
        tools = [
            Choice(tool.name, tool.name, shorten(tool.description or "", _MOST_DESCRIPTION)) for tool in facts.tools
        ]
        self.app.push_screen(ChecksScreen("Tools to offer", tools, self._bench.tools), self._take_tools)

    def _choose_efforts(self) -> None:
        words = [effort_word(level) for level in (self._bench.facts.efforts if self._bench.facts else ())]
        chosen = [effort_word(level) for level in self._bench.efforts]
        choices = [Choice(word, word) for word in words]
        self.app.push_screen(ChecksScreen("Efforts to compare", choices, chosen), self._take_efforts)

    def _pick(self, title: str, choices: Sequence[Choice], current: str, take: Callable[[str | None], None]) -> None:
        self.app.push_screen(PickScreen(title, choices, current=current), take)

    def _take_prompt(self, text: str | None) -> None:
        self._bench.prompt = self._bench.prompt if text is None else text
        self._changed()

    def _take_tools(self, names: tuple[str, ...] | None) -> None:
        self._bench.tools = names or self._bench.tools
        self._changed()

    def _take_expected(self, name: str | None) -> None:
        self._bench.expected = self._bench.expected if name is None else name or None
        self._changed()

    def _take_choice(self, word: str | None) -> None:
        if word is not None:
            self._bench.tool_choice = None if word == _AS_CONFIGURED else word
        self._changed()

    def _take_efforts(self, words: tuple[str, ...] | None) -> None:
        if words is not None:
            self._bench.efforts = tuple(None if word == "default" else word for word in words)
        self._changed()

    def _take_count(self, count: str | None) -> None:
        self._bench.count = int(count or self._bench.count)
        self._changed()

    def _changed(self) -> None:
        self.fill(self._room)
        self.post_message(self.Changed())
