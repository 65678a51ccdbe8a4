"""What an option is: the value types, and the row of the options table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
"""A value of a JSON document."""

OptionValue: TypeAlias = "str | int | float | bool | tuple[str, ...] | dict[str, Json] | None"
"""A checked value of an option; None means not set."""

Kind = Literal["text", "url", "integer", "number", "switch", "choice", "list", "mapping"]
"""What an option holds; a list holds texts, a mapping holds JSON."""

Group = Literal[
    "Connection",
    "Model and sampling",
    "Reasoning",
    "Context and state",
    "Retries and timeouts",
    "Tools",
    "Debug",
    "Interface",
]
"""Under which heading an option is shown."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what it holds, what it allows and where it acts.

    An option whose default is None can be not set (`null`). `sent` is the dotted path of the request field it
    becomes (`*`: its keys are merged into the request; empty: not sent); with `sent_when_on` only true is sent.
    `local` options belong to this program, all others are fields of ProviderConfig. `reconnect` marks what needs
    a new connection, `restart` what needs a new start of the program to take effect. A `command` is split into words
    where it is given as one text.
    """

    name: str
    kind: Kind
    default: OptionValue
    group: Group
    help: str
    low: float | None = None
    high: float | None = None
    low_is_open: bool = False
    choices: tuple[str, ...] = ()
    unit: str = ""
    sent: str = ""
    sent_when_on: bool = False
    flag: str | None = None
    secret: bool = False
    command: bool = False
    local: bool = False
    reconnect: bool = False
    restart: bool = False

    @property
    def nullable(self) -> bool:
        """Whether the option can be not set."""
        return self.default is None

    @property
    def environment(self) -> str:
        """Name of the environment variable."""
        return f"VLLM_{self.name.upper()}"

    @property
    def flag_name(self) -> str | None:
        """Name of the command-line flag; None for secrets, which others could read in the list of processes."""
        if self.secret:
            return None
        return self.flag or "--" + self.name.replace("_", "-")

    def sent_as(self, value: OptionValue) -> dict[str, Json] | None:
        """Return the part of the request body that `value` becomes; None when nothing is sent."""
        if not self.sent or value is None or (self.sent_when_on and value is False):
            return None
        plain: Json = list(value) if isinstance(value, tuple) else value
        if self.sent == "*":
            return plain if isinstance(plain, dict) else None
        *parents, field = self.sent.split(".")
        fragment: dict[str, Json] = {field: plain}
        for key in reversed(parents):
            fragment = {key: fragment}
        return fragment
