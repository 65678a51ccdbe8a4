"""The settings: every option with its value, its origin, its effect and what the server makes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.options import BY_NAME, OPTIONS
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.options.editor import Editor
from vllm_tui.ui.options.panes import Foot, GroupList, HelpPane
from vllm_tui.ui.options.row import OptionRow
from vllm_tui.ui.options.rows import RowList
from vllm_tui.ui.options.verdicts import Known
from vllm_tui.ui.screens.settings_work import SettingsWork

if TYPE_CHECKING:
    from vllm_tui.ui.launch import Backend

_WIDE_FROM, _GROUPS_FROM = 96, 132


class SettingsScreen(SettingsWork):
    """Changes a draft of the settings; returns what is to hold from now on, or None for no change."""

    DEFAULT_CSS = """
    SettingsScreen {
        background: $background; color: $foreground;
        #head { height: 2; padding: 0 1; border-bottom: solid $line; }
        #title { width: 1fr; height: 1; }
        #search, #search:focus { width: 30; border: none; height: 1; padding: 0; background: $background; }
        #search:focus { background: $panel; }
        #body { height: 1fr; }
        GroupList { display: none; }
        &.-groups GroupList { display: block; }
        &.-narrow #body { layout: vertical; }
        &.-narrow HelpPane { width: 100%; height: 9; border-left: none; border-top: solid $line; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "back", show=False),
        Binding("f10", "save", show=False, priority=True),
        Binding("slash,ctrl+f", "search", show=False, priority=True),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("left_square_bracket,pageup", "group(-1)", show=False),
        Binding("right_square_bracket,pagedown", "group(1)", show=False),
        Binding("home,g", "move(-999)", show=False),
        Binding("end,G", "move(999)", show=False),
        Binding("t", "test", show=False),
        Binding("p", "profile", show=False),
        Binding("R", "reset_all", show=False),
    ]
    AUTO_FOCUS = None

    def __init__(self, backend: Backend, known: Known, *, option: str = "") -> None:
        super().__init__(backend, known)
        self._current = BY_NAME.get(option, OPTIONS[0])

    @property
    def settings(self) -> Settings:
        """Return the draft as it stands."""
        return self._draft.settings

    def compose(self) -> ComposeResult:
        """Lay out groups, rows and help."""
        with Horizontal(id="head"):
            yield Static(id="title", markup=False)
            search = Input(placeholder="/ search", id="search", select_on_focus=False)
            search.cursor_blink = False
            yield search
        with Horizontal(id="body"):
            yield GroupList()
            yield RowList(self._draft.settings)
            yield HelpPane()
        yield Foot()

    def on_mount(self) -> None:
        """Read the file again, so that what is shown is what is there."""
        self._show()
        self.query_one(RowList).focus_option(self._current.name)
        self._work(self._read_again(), "read the file")

    def on_resize(self, event: events.Resize) -> None:
        """Leave out what has no room."""
        self.set_class(event.size.width >= _GROUPS_FROM, "-groups")
        self.set_class(event.size.width < _WIDE_FROM, "-narrow")

    def _show(self) -> None:
        draft, profile = self._draft, self._draft.settings.profile
        self.query_one(RowList).show(draft, self._known)
        where = f"profile {shown_line(profile)}" if profile else shown_line(str(draft.settings.document.path or ""))
        self.query_one("#title", Static).update(Content.assemble(("Settings", "bold"), ("   " + where, "$quiet")))
        self.query_one(Foot).count(len(draft.names))
        self._show_current()

    def _show_current(self) -> None:
        self.query_one(HelpPane).show(self._current, self._draft.settings, self._known)
        self.query_one(GroupList).show(self._current.group, self._draft.changes_by_group())

    def _apply(self, change: Callable[[], None]) -> bool:
        """Change the draft, or say why not."""
        try:
            change()
        except ConfigurationError as error:
            self.query_one(Foot).say(str(error), "error")
            return False
        self.query_one(Foot).say("")
        self._show()
        return True

    @on(events.DescendantFocus)
    def _focus_moved(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, OptionRow) and event.widget.option is not self._current:
            self._current = event.widget.option
            self._show_current()
            self.query_one(HelpPane).hide_checks()

    @on(OptionRow.Changed)
    def _change(self, event: OptionRow.Changed) -> None:
        self._apply(partial(self._draft.choose, event.name, event.value))

    @on(OptionRow.ResetWanted)
    def _reset(self, event: OptionRow.ResetWanted) -> None:
        self._apply(partial(self._draft.reset, event.name))

    @on(OptionRow.EditWanted)
    async def _edit(self, event: OptionRow.EditWanted) -> None:
        option = event.row.option
        editor = Editor(option, self._draft.settings, event.text, partial(self._draft.problem_of, option))
        await self.query_one(RowList).open_editor(event.row, editor)

    @on(Editor.Accepted)
    async def _accept(self, event: Editor.Accepted) -> None:
        if self._apply(partial(self._draft.type, event.option, event.text)):
            await self.query_one(RowList).close_editor()

    async def _close_field(self) -> bool:
        editor = self.query_one(RowList).editor
        if editor is not None and self._draft.problem_of(editor.option, editor.text):
            return False
        if editor is not None and not (editor.option.secret and not editor.text):
            self._apply(partial(self._draft.type, editor.option, editor.text))
        await self.query_one(RowList).close_editor()
        return True

    @on(Editor.Left)
    async def _leave_editor(self) -> None:
        await self.query_one(RowList).close_editor()

    @on(Input.Changed, "#search")
    def _narrow(self, event: Input.Changed) -> None:
        rows = self.query_one(RowList)
        rows.narrow(event.value)
        best = rows.best(event.value)
        if event.value and best is not None:
            self._current = best.option
            self._show_current()

    @on(Input.Submitted, "#search")
    def _found(self, event: Input.Submitted) -> None:
        best = self.query_one(RowList).best(event.value)
        if best is not None:
            best.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let a slash be typed where text is typed."""
        return not (action == "search" and isinstance(self.focused, Input | TextArea))

    def action_search(self) -> None:
        """Type into the search."""
        self.query_one("#search").focus()

    def action_move(self, step: int) -> None:
        """Go to a row further up or down."""
        self.query_one(RowList).move(step)

    def action_group(self, step: int) -> None:
        """Go to the next or the previous group."""
        self.query_one(RowList).move_group(step, self._current.group)

    def action_reset_all(self) -> None:
        """Let every option fall back to its default; nothing is saved yet."""
        if self._apply(self._draft.reset_all):
            self.query_one(Foot).say("every option is at its default; F10 shows what saving would change")

    async def action_back(self) -> None:
        """Clear the search, or go back; changes are shown before."""
        search = self.query_one("#search", Input)
        if search.value or search.has_focus:
            search.value = ""
            self.query_one(RowList).narrow("")
            self.query_one(RowList).focus_option(self._current.name)
        elif self._draft.names:
            await self.action_save()
        else:
            self.dismiss(self._draft.settings if self._draft.is_touched else None)
