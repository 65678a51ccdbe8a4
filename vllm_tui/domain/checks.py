"""The results of looking at a server, as values that a screen or a report can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckName = Literal["address", "resolve", "connect", "tls", "health", "version", "models", "auth"]
CheckState = Literal["ok", "warn", "fail", "skipped"]

ORDER: tuple[CheckName, ...] = ("address", "resolve", "connect", "tls", "health", "version", "models", "auth")
"""The order of the checks, from the bottom up."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its state, the fact found, how long it took and what to do about it (None: nothing)."""

    name: CheckName
    state: CheckState
    fact: str
    seconds: float = 0.0
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of the server's list; `window` is its context length in tokens, None when the server does not say."""

    name: str
    window: int | None


@dataclass(frozen=True, slots=True)
class Probe:
    """All checks of one address in order; `version` is empty when unknown."""

    base_url: str
    checks: tuple[Check, ...]
    version: str = ""
    models: tuple[ServedModel, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether a chat can start: nothing failed."""
        return all(check.state != "fail" for check in self.checks)

    @property
    def first_problem(self) -> Check | None:
        """The first failed check, else the first warning, else None."""
        for state in ("fail", "warn"):
            for check in self.checks:
                if check.state == state:
                    return check
        return None


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server found on this machine; one that needs a key does not show its models."""

    base_url: str
    version: str
    models: tuple[ServedModel, ...]
    needs_key: bool
