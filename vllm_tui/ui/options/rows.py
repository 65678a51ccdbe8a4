"""The list of options: groups of rows, the field that is open, and moving about in them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from vllm_tui.settings.layers import Settings
from vllm_tui.settings.option import Option
from vllm_tui.settings.options import GROUPS, OPTIONS
from vllm_tui.ui.options.draft import Draft
from vllm_tui.ui.options.editor import Editor
from vllm_tui.ui.options.row import OptionRow
from vllm_tui.ui.options.verdicts import Known, verdict


class RowList(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Shows all options or those that were searched for; one can be open to be typed."""

    DEFAULT_CSS = """
    RowList {
        width: 1fr; height: 1fr; padding: 0 1 0 0; scrollbar-size-vertical: 1;
        .group { height: 2; padding: 1 0 0 1; color: $quiet; text-style: bold; }
        .group.-first { height: 1; padding: 0 0 0 1; }
        #none { display: none; padding: 1 2; color: $quiet; }
    }
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(id="rows")
        self._settings = settings

    def compose(self) -> ComposeResult:
        """Show the groups one under the other."""
        for group in GROUPS:
            heading = Static(group, classes="group", markup=False)
            heading.set_class(group == GROUPS[0], "-first")
            yield heading
            for option in OPTIONS:
                if option.group == group:
                    yield OptionRow(option, self._settings)
        yield Static("No option matches; Esc clears the search.", id="none", markup=False)

    @property
    def rows(self) -> list[OptionRow]:
        """Return the rows that are shown, in order."""
        return [row for row in self.query(OptionRow) if row.display]

    @property
    def editor(self) -> Editor | None:
        """Return the field that is open."""
        return next(iter(self.query(Editor)), None)

    def focus_option(self, name: str) -> None:
        """Give the focus to the row of an option, where it is shown."""
        for row in self.rows:
            if row.option.name == name:
                row.focus()
                self.call_after_refresh(row.scroll_visible, animate=False)

    def show(self, draft: Draft, known: Known) -> None:
        """Show every value as the draft has it."""
        models = [info.id for info in known.models]
        for row in self.query(OptionRow):
            name = row.option.name
            judged = verdict(name, draft.settings, known)
            is_bad = judged is not None and judged.is_bad
            row.show(draft.settings, is_changed=draft.is_changed(name), is_bad=is_bad, models=models)

    def move(self, step: int) -> None:
        """Give the focus to a row further down (or up), stopping at the ends."""
        rows = self.rows
        place = next((at for at, row in enumerate(rows) if row.has_focus), None)
        if rows:
            target = 0 if place is None else min(max(place + step, 0), len(rows) - 1)
            rows[target].focus()

    def move_group(self, step: int, current: str) -> None:
        """Give the focus to the first row of the next (or previous) group that is shown."""
        shown = list(dict.fromkeys(row.option.group for row in self.rows))
        if shown:
            place = shown.index(current) if current in shown else 0
            group = shown[(place + step) % len(shown)]
            next(row for row in self.rows if row.option.group == group).focus()

    def narrow(self, query: str) -> None:
        """Show the options that hold every word of `query` in their name, help, group or variable."""
        words = query.lower().split()
        for row in self.query(OptionRow):
            row.display = all(word in _text_of(row.option) for word in words)
        groups = {row.option.group for row in self.rows}
        for heading in self.query(".group").results(Static):
            heading.display = str(heading.content) in groups
        self.query_one("#none").display = not groups

    def best(self, query: str) -> OptionRow | None:
        """Return the shown row that `query` means most likely: by its name first, then by what is said of it."""
        word = next(iter(query.lower().split()), "")

        def rank(row: OptionRow) -> tuple[bool, bool]:
            return row.option.name != word, word not in row.option.name

        return min(self.rows, key=rank, default=None)

    async def open_editor(self, row: OptionRow, editor: Editor) -> None:
        """Open a field under a row."""
        await self.close_editor()
        await self.mount(editor, after=row)
        for key in row.typed_ahead():
            editor.take(key)

    async def close_editor(self) -> None:
        """Close the field, and give its row the focus."""
        editor = self.editor
        if editor is not None:
            await editor.remove()
            self.focus_option(editor.option.name)


def _text_of(option: Option) -> str:
    return f"{option.name} {option.help} {option.group} {option.environment} {option.flag_name or ''}".lower()
