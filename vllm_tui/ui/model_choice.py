"""Which model to use when the server serves another one than configured, and which efforts a model takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vllm_tui.domain.response import ModelInfo

EFFORT_LEVELS: tuple[str | None, ...] = (None, "minimal", "low", "medium", "high")
"""What Ctrl+R steps through; None is not sent."""

EFFORT_ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Every effort a server may take, weakest to strongest."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`verdict` says what was found: the wanted model is served, one other is, several are, or none is."""

    verdict: Literal["served", "substituted", "several", "none"]
    model: str


def choose_model(wanted: str, models: Sequence[ModelInfo]) -> ModelChoice:
    """Return what to use of `models`, given the configured one."""
    names = [model.id for model in models]
    if wanted in names:
        return ModelChoice("served", wanted)
    if not names:
        return ModelChoice("none", wanted)
    if len(names) == 1:
        return ModelChoice("substituted", names[0])
    return ModelChoice("several", wanted)


@dataclass(slots=True)
class Efforts:
    """The efforts each model takes, as far as its server said."""

    _by_model: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def learn(self, model: str, supported: Iterable[str]) -> None:
        """Take the list a server named when it refused an effort; lists of other things are ignored."""
        found = tuple(level for level in supported if level in EFFORT_ORDER)
        if found:
            self._by_model[model] = found

    def learned(self, model: str) -> tuple[str, ...]:
        """Return the efforts the server named for `model`, weakest to strongest; empty when it named none."""
        known = self._by_model.get(model, ())
        return tuple(level for level in EFFORT_ORDER if level in known)

    def levels(self, model: str) -> tuple[str | None, ...]:
        """Return the efforts to offer for `model`, not sent first, weakest to strongest."""
        known = self.learned(model)
        return (None, *known) if known else EFFORT_LEVELS

    def after(self, model: str, current: str | None) -> str | None:
        """Return the effort after `current`, from the last to the first."""
        levels = self.levels(model)
        return levels[(levels.index(current) + 1) % len(levels)] if current in levels else levels[0]
