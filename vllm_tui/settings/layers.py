"""Settings in layers: default, file, environment, flag, session. Every value knows where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.document import Document, Profile, read_document
from vllm_tui.settings.kinds import check_value, parse_text, shown_value
from vllm_tui.settings.option import Json, OptionValue
from vllm_tui.settings.options import BY_NAME, OPTIONS, option_named
from vllm_tui.settings.references import expand_references

LayerName = Literal["default", "file", "environment", "flag", "session"]
LAYERS: tuple[LayerName, ...] = ("default", "file", "environment", "flag", "session")
"""The layers from lowest to highest; the highest that holds an option wins."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: its layer, and the file and line, variable or flag."""

    layer: LayerName
    where: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A checked value, what was written for it, and where."""

    value: OptionValue = field(repr=False)
    raw: object = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True)
class Sources:
    """What settings are made of, so that they can be made again."""

    flags: Mapping[str, OptionValue] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    path: Path | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """All options with their values and origins; `profile` is the profile in use, None for a file without."""

    sources: Sources
    document: Document
    profile: str | None
    entries: Mapping[LayerName, Mapping[str, Entry]]
    muted: frozenset[tuple[LayerName, str]] = field(default_factory=frozenset)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The profiles of the file, the preferred one first."""
        return by_priority(self.document, self.sources.environ)

    def value(self, name: str) -> OptionValue:
        """Return the value of an option; raises ConfigurationError when there is no such option."""
        return self._stack(name)[-1].value

    def origin(self, name: str) -> Origin:
        """Return where the value of an option came from."""
        return self._stack(name)[-1].origin

    def raw(self, name: str) -> object:
        """Return what was written for an option, references not replaced."""
        return self._stack(name)[-1].raw

    def shown(self, name: str) -> str:
        """Return the value of an option on one line for people, secrets masked."""
        return shown_value(option_named(name), self.value(name))

    def below(self, name: str) -> Entry:
        """Return what `reset` would give."""
        stack = self._stack(name)
        return stack[max(len(stack) - 2, 0)]

    def with_session(self, name: str, value: OptionValue) -> Settings:
        """Return the settings with `value` for this session; raises ConfigurationError when it is not allowed."""
        option = option_named(name)
        checked = check_value(option, _expanded(name, value, self.sources.environ, "this session"))
        session = {**self.entries["session"], name: Entry(checked, value, Origin("session", "this session"))}
        changed = replace(self, entries={**self.entries, "session": session}, muted=self.muted - {("session", name)})
        check_together(changed)
        return changed

    def chosen(self, name: str, value: OptionValue) -> Settings:
        """Return the settings with `value`: for this session, or what is below when that holds the same already."""
        changed = self.with_session(name, value)
        session = {key: entry for key, entry in self.entries["session"].items() if key != name}
        below = replace(self, entries={**self.entries, "session": session})
        return below if below.raw(name) == value and below.value(name) == changed.value(name) else changed

    def reset(self, name: str) -> Settings:
        """Return the settings with the topmost value of an option left out, down to its default."""
        layer = self.origin(name).layer
        if layer == "default":
            return self
        changed = replace(self, muted=self.muted | {(layer, name)})
        check_together(changed)
        return changed

    def reload(self) -> Settings:
        """Return the settings with file and environment read again; what was set for this session stays."""
        fresh = load_settings(self.sources.flags, self.sources.environ, self.sources.path, self.profile)
        return self._carried_to(fresh)

    def with_profile(self, name: str) -> Settings:
        """Return the settings of another profile; what was set for this session stays."""
        fresh = load_settings(self.sources.flags, self.sources.environ, self.sources.path, name)
        return self._carried_to(fresh)

    def _carried_to(self, fresh: Settings) -> Settings:
        carried = replace(fresh, entries={**fresh.entries, "session": self.entries["session"]}, muted=self.muted)
        check_together(carried)
        return carried

    def _stack(self, name: str) -> list[Entry]:
        option_named(name)
        return [
            self.entries[layer][name]
            for layer in LAYERS
            if name in self.entries[layer] and (layer, name) not in self.muted
        ]

    def text(self, name: str) -> str:
        """Return the value of an option that always holds text."""
        value = self.value(name)
        if not isinstance(value, str):
            raise TypeError(f"{name} holds no text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return the value of an option that holds text or nothing."""
        return None if self.value(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """Return the value of an option that always holds a whole number."""
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} holds no whole number")
        return value

    def integer_or_none(self, name: str) -> int | None:
        """Return the value of an option that holds a whole number or nothing."""
        return None if self.value(name) is None else self.integer(name)

    def number(self, name: str) -> float:
        """Return the value of an option that always holds a number."""
        value = self.value(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise TypeError(f"{name} holds no number")
        return value

    def is_on(self, name: str) -> bool:
        """Return whether a switch is on."""
        return self.value(name) is True

    def provider_mapping(self) -> dict[str, OptionValue]:
        """Return the options of the provider by name, as ProviderConfig takes them.

        Runs `api_key_command` when it is set, which can take up to its time limit: call it off the event loop.
        """
        mapping = {option.name: self.value(option.name) for option in OPTIONS if not option.local}
        if self._key_comes_from_command():
            from vllm_tui.settings.secrets import run_key_command

            command = self.value("api_key_command")
            mapping["api_key"] = run_key_command(command if isinstance(command, tuple) else (), self.sources.environ)
        return mapping

    def _key_comes_from_command(self) -> bool:
        if self.value("api_key_command") is None:
            return False
        ranks = [LAYERS.index(self.origin(name).layer) for name in ("api_key", "api_key_command")]
        return ranks[1] >= ranks[0]


def load_settings(
    flags: Mapping[str, OptionValue], environ: Mapping[str, str], path: Path | None, profile: str | None = None
) -> Settings:
    """Return the settings of `flags` (by option name; texts are parsed), `environ` and the file at `path`.

    `profile` names one of the file's [[providers]]; None takes the one with the lowest priority. Raises
    ConfigurationError naming option, value, what is allowed and where it came from.
    """
    sources = Sources(dict(flags), environ, path, profile)
    document = read_document(path)
    chosen = _chosen_profile(document, environ, profile)
    entries: dict[LayerName, Mapping[str, Entry]] = {
        "default": {option.name: Entry(option.default, option.default, Origin("default")) for option in OPTIONS},
        "file": file_entries(document, chosen, environ),
        "environment": _environment_entries(environ),
        "flag": _flag_entries(flags),
        "session": {},
    }
    settings = Settings(sources, document, chosen.name if chosen else None, entries)
    check_together(settings)
    return settings


def by_priority(document: Document, environ: Mapping[str, str]) -> tuple[Profile, ...]:
    """Return the profiles of a document, lowest priority number first, equal ones in the file's order."""
    return tuple(sorted(document.profiles, key=lambda profile: _priority_of(document, profile, environ)))


def file_entries(document: Document, profile: Profile | None, environ: Mapping[str, str]) -> dict[str, Entry]:
    """Return the checked options of a file: those for all servers, and over them those of `profile`."""
    found = {name: _file_entry(name, raw, document, None, environ) for name, raw in document.values.items()}
    if profile is not None:
        for name, raw in profile.values.items():
            found[name] = _file_entry(name, raw, document, profile, environ)
    return found


def check_together(settings: Settings) -> None:
    """Raise ConfigurationError when values that are fine alone contradict each other."""
    low, high = settings.number("min_retry_delay"), settings.number("max_retry_delay")
    if low > high:
        places = " and ".join(
            f"{name} {settings.shown(name)} ({_place(settings.origin(name))})"
            for name in ("min_retry_delay", "max_retry_delay")
        )
        raise ConfigurationError(f"{places} contradict each other.", hint="The first must not be above the second.")


def _place(origin: Origin) -> str:
    return origin.where or origin.layer


def _chosen_profile(document: Document, environ: Mapping[str, str], name: str | None) -> Profile | None:
    if name is not None:
        return document.profile_named(name)
    return next(iter(by_priority(document, environ)), None)


def _priority_of(document: Document, profile: Profile, environ: Mapping[str, str]) -> int:
    owner: Profile | None = profile
    raw = profile.values.get("priority")
    if raw is None:
        owner, raw = None, document.values.get("priority", BY_NAME["priority"].default)
    value = _file_entry("priority", raw, document, owner, environ).value
    return value if isinstance(value, int) else 0


def _file_entry(
    name: str, raw: object, document: Document, profile: Profile | None, environ: Mapping[str, str]
) -> Entry:
    where = document.where(name, profile)
    try:
        value = check_value(option_named(name), _expanded(name, raw, environ, where))
    except ConfigurationError as error:
        raise _located(error, where) from None
    return Entry(value, raw, Origin("file", where))


def _environment_entries(environ: Mapping[str, str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for option in OPTIONS:
        text = environ.get(option.environment)
        if text:
            where = f"the environment variable {option.environment}"
            try:
                found[option.name] = Entry(parse_text(option, text), text, Origin("environment", option.environment))
            except ConfigurationError as error:
                raise _located(error, where) from None
    return found


def _flag_entries(flags: Mapping[str, OptionValue]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, raw in flags.items():
        option = option_named(name)
        where = option.flag_name or name
        try:
            value = parse_text(option, raw) if isinstance(raw, str) else check_value(option, raw)
        except ConfigurationError as error:
            raise _located(error, f"the flag {where}") from None
        found[name] = Entry(value, raw, Origin("flag", where))
    return found


def _expanded(name: str, raw: object, environ: Mapping[str, str], where: str) -> object:
    try:
        return expand_references(raw, environ)
    except ConfigurationError as error:
        raise ConfigurationError(f"Option {name} ({where}): {error.message}", hint=error.hint) from None


def _located(error: ConfigurationError, where: str) -> ConfigurationError:
    if where in error.message:
        return error
    return ConfigurationError(f"{error.message} It comes from {where}.", hint=error.hint)


__all__ = ["LAYERS", "Entry", "Json", "LayerName", "Origin", "Settings", "Sources", "load_settings"]
