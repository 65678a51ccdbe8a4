"""What the settings screen asks of the world: read and save the file, test a server, change the profile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.screen import Screen

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.kinds import mask_address
from vllm_tui.settings.layers import Settings
from vllm_tui.ui.activity import Tone
from vllm_tui.ui.options.draft import Draft
from vllm_tui.ui.options.panes import Foot, HelpPane
from vllm_tui.ui.options.verdicts import Known
from vllm_tui.ui.screens.pick import Choice, PickScreen
from vllm_tui.ui.screens.review import ReviewChoice, ReviewScreen, review_of

if TYPE_CHECKING:
    from vllm_tui.domain.checks import Check
    from vllm_tui.ui.launch import Backend


class SettingsWork(Screen[Settings | None]):
    """The part of the settings screen that waits for files and servers."""

    def __init__(self, backend: Backend, known: Known) -> None:
        super().__init__()
        self._backend = backend
        self._known = known
        self._draft = Draft(backend.settings)

    def _show(self) -> None:
        """Paint everything after a change."""
        raise NotImplementedError

    async def _close_field(self) -> bool:
        """Accept what is being typed; return False when it is not allowed."""
        raise NotImplementedError

    def _say_error(self, error: ConfigurationError, more: str = "") -> None:
        self.query_one(Foot).say(f"{error} {more}".rstrip(), "error")

    async def action_save(self) -> None:
        """Show what saving would change, and ask; an open field is accepted first."""
        if not await self._close_field():
            return
        if not self._draft.is_touched and not self._draft.edits:
            self.query_one(Foot).say("nothing to save: no value was changed in this session")
            return
        try:
            review = review_of(self._draft.settings)
        except ConfigurationError as error:
            self._say_error(error)
            return
        self.app.push_screen(ReviewScreen(review), self._reviewed)

    def _reviewed(self, choice: ReviewChoice | None) -> None:
        if choice is None:
            return
        match choice.kind:
            case "save":
                self._work(self._save(choice.new_profile), "save the settings")
            case "keep":
                self.dismiss(self._draft.settings)
            case "discard":
                self.dismiss(None)

    async def _save(self, new_profile: str | None) -> None:
        try:
            saved = await asyncio.to_thread(self._backend.save_settings, self._draft.settings, new_profile)
        except ConfigurationError as error:
            await self._read_again()
            self._say_error(error, "Your changes are still here; F10 tries again.")
            return
        self.dismiss(saved)

    async def _read_again(self) -> None:
        try:
            fresh = await asyncio.to_thread(self._backend.settings.reload)
            self._draft.read_again(fresh)
        except ConfigurationError as error:
            self._say_error(error, "The settings from before hold.")
            return
        self._show()

    def action_profile(self) -> None:
        """Offer the servers of the file, the preferred one first."""
        settings = self._draft.settings
        if not settings.profiles:
            self.query_one(Foot).say("the file holds no profile; F10, then n, saves these settings as one")
            return
        self.app.push_screen(profile_picker(settings), self._use_profile)

    def _use_profile(self, name: str | None) -> None:
        if name is not None:
            try:
                self._draft.use_profile(name)
            except ConfigurationError as error:
                self._say_error(error)
            else:
                self._show()

    def action_test(self) -> None:
        """Look at the server that the draft names."""
        self._work(self._test(), "test the server")

    async def _test(self) -> None:
        pane, checks = self.query_one(HelpPane), list["Check"]()

        def take(check: Check) -> None:
            checks.append(check)
            pane.show_checks(checks, is_running=True)

        pane.show_checks(checks, is_running=True)
        probe = await self._backend.check_server(self._draft.settings, take)
        self._known = replace(self._known, probe=probe)
        self._show()
        pane.show_checks(probe.checks, is_running=False)
        problem = probe.first_problem
        tone: Tone = "good" if problem is None else "error" if problem.state == "fail" else "warning"
        text = "everything is well" if problem is None else f"{problem.name}: {problem.fact}"
        self.query_one(Foot).say(f"{probe.base_url}  {text}", tone)

    def _work(self, work: Coroutine[None, None, None], description: str) -> None:
        group = description.partition(" ")[0]
        self.run_worker(
            work, name=group, group=f"settings-{group}", exclusive=True, exit_on_error=False, description=description
        )


def profile_picker(settings: Settings, note: str = "", current: str | None = None) -> PickScreen:
    """Return a list of the file's profiles, the preferred one first, each with its address."""
    shared = settings.document.values.get("base_url", "")
    choices = [
        Choice(profile.name, profile.name, mask_address(str(profile.values.get("base_url", shared))))
        for profile in settings.profiles
    ]
    return PickScreen("profile …", choices, current=current or settings.profile, note=note)
