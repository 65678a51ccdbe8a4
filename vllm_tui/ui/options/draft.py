"""The settings as they are being changed on the screen, beside those that hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.options import BY_NAME, OPTIONS
from vllm_tui.settings.saving import Edit, session_edits
from vllm_tui.ui.options.editor import with_text


class Draft:
    """Changes that hold for nothing yet. Every change raises ConfigurationError and does nothing when not allowed."""

    def __init__(self, settings: Settings) -> None:
        self.base = settings
        self.settings = settings
        self._profile = settings.profile

    @property
    def names(self) -> list[str]:
        """Return the options whose value or layer is another than before."""
        return [option.name for option in OPTIONS if self.is_changed(option.name)]

    @property
    def is_touched(self) -> bool:
        """Return whether anything is another than before, the profile included."""
        return bool(self.names) or self.settings.profile != self._profile

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Return what saving would change in the file."""
        return session_edits(self.settings)

    def is_changed(self, name: str) -> bool:
        """Return whether the value or the layer of an option is another than before."""
        before, now = self.base, self.settings
        return before.value(name) != now.value(name) or before.origin(name).layer != now.origin(name).layer

    def changes_by_group(self) -> Mapping[str, int]:
        """Return how many options of each group are changed."""
        return Counter(BY_NAME[name].group for name in self.names)

    def choose(self, name: str, value: OptionValue) -> None:
        """Give an option a value for this session."""
        self.settings = self.settings.chosen(name, value)

    def type(self, option: Option, text: str) -> None:
        """Give an option what was typed."""
        self.settings = with_text(self.settings, option, text)

    def problem_of(self, option: Option, text: str) -> str:
        """Return what is wrong with a typed text, empty when it is allowed; option and text are in view already."""
        try:
            with_text(self.settings, option, text)
        except ConfigurationError as error:
            before, is_short, why = error.message.partition("is not allowed.")
            return " ".join(part for part in ((why if is_short else before).strip(), error.hint) if part)
        return ""

    def reset(self, name: str) -> None:
        """Let an option fall back to the layer below."""
        self.settings = self.settings.reset(name)

    def reset_all(self) -> None:
        """Let every option fall back to its default."""
        settings = self.settings
        for option in _in_order_of_reset(settings):
            while settings.origin(option).layer != "default":
                settings = settings.reset(option)
        self.settings = settings

    def use_profile(self, name: str) -> None:
        """Go to another profile of the file; what was set for this session stays."""
        self.settings, self.base = self.settings.with_profile(name), self.base.with_profile(name)

    def read_again(self, fresh: Settings) -> None:
        """Take the file as it is now; what was set for this session stays on top."""
        if not self.is_touched:
            self.base = self.settings = fresh
        else:
            self.settings = self.settings.reload()


def _in_order_of_reset(settings: Settings) -> list[str]:
    """Return all options, so that the two retry delays never contradict each other on the way to their defaults."""
    names = [option.name for option in OPTIONS]
    low, high = BY_NAME["min_retry_delay"].default, settings.number("max_retry_delay")
    if isinstance(low, float) and low > high:
        names.remove("max_retry_delay")
        names.insert(0, "max_retry_delay")
    return names
