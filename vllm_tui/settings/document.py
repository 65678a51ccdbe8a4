"""The configuration file as it stands: options for all servers, named servers, and the line of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.options import option_named

MODULE = "provider-vllm"
"""Module id of this program's provider in files of the Amplifier shape."""

_PROFILE_KEYS = ("module", "instance_id", "source", "config")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")

_BASIC_TEXT = r'"{3}(?:\\.|[^\\])*?"{3}|"(?:\\.|[^"\\\n])*"'
_LITERAL_TEXT = r"'{3}.*?'{3}|'[^'\n]*'"
_TEXTS_AND_COMMENTS = re.compile(f"{_BASIC_TEXT}|{_LITERAL_TEXT}|(#)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Profile:
    """One named server of the file: its `keys` (module, instance_id, source) and option `values` as written.

    `index` is its place among `[[providers]]`.
    """

    name: str
    keys: Mapping[str, object]
    values: Mapping[str, object] = field(repr=False)
    index: int


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file that was read; `text` is empty when there is none."""

    path: Path | None
    text: str = field(default="", repr=False)
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    profiles: tuple[Profile, ...] = ()

    def profile_named(self, name: str) -> Profile:
        """Return the profile called `name`; raises ConfigurationError with the names there are."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = [profile.name for profile in self.profiles]
        near = get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}? " if near else ""
        there = "The file holds: " + ", ".join(names) + "." if names else "The file holds no [[providers]]."
        raise ConfigurationError(
            f"There is no profile {clean_line(name)} in {self.path or 'the settings'}.", hint=hint + there
        )

    def where(self, name: str, profile: Profile | None = None) -> str:
        """Say in which file and line the option `name` (of `profile`) stands."""
        line = _line_of(self.text, name, None if profile is None else profile.index)
        return f"{self.path or 'the file'}" + ("" if line is None else f", line {line}")

    @property
    def has_comments(self) -> bool:
        """Whether the file holds comments, which do not survive saving."""
        return any(found[1] for found in _TEXTS_AND_COMMENTS.finditer(self.text))


def read_document(path: Path | None) -> Document:
    """Read the file at `path`, an empty document when there is none; raises ConfigurationError."""
    if path is None:
        return Document(None)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return Document(path)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be read: {error.strerror or error}.", hint="Check the path and its permissions."
        ) from None
    return parse_document(text, path)


def parse_document(text: str, path: Path | None) -> Document:
    """Return the document that `text` holds; unknown keys and broken TOML raise ConfigurationError."""
    import tomllib

    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path or 'The file'} is not valid TOML: {error}.", hint="Correct that line."
        ) from None
    return document_of(table, text, path)


def document_of(table: Mapping[str, object], text: str, path: Path | None) -> Document:
    """Return the document that a parsed `table` means; `text` serves to find lines."""
    profiles = _profiles_of(table.get("providers", []), text, path)
    bare = Document(path, text)
    values = {name: value for name, value in table.items() if name != "providers"}
    for name in values:
        option_named(name, f" ({bare.where(name)})")
    return Document(path, text, values, profiles)


def _profiles_of(tables: object, text: str, path: Path | None) -> tuple[Profile, ...]:
    where = str(path or "the file")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"providers in {where} is not a list of tables.", hint="Write [[providers]].")
    profiles = tuple(_profile_of(table, index, Document(path, text)) for index, table in enumerate(tables))
    names = [profile.name for profile in profiles]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"Two [[providers]] in {where} are called {clean_line(name)}.",
                hint="Give each its own instance_id.",
            )
    return profiles


def _profile_of(table: dict[str, object], index: int, bare: Document) -> Profile:
    module, config = table.get("module"), table.get("config", {})
    name = table.get("instance_id", module)
    bad = None
    for key in table:
        if key not in _PROFILE_KEYS:
            bad = f"unknown key {clean_line(key)}; it takes {', '.join(_PROFILE_KEYS)}"
    if not isinstance(module, str) or not module:
        bad = f'module is missing; write module = "{MODULE}"'
    elif not isinstance(name, str) or not name.strip():
        bad = "instance_id is not a name"
    elif not isinstance(config, dict):
        bad = "config is not a table; write [providers.config]"
    if bad is not None or not isinstance(config, dict):
        raise ConfigurationError(f"[[providers]] number {index + 1} in {bare.path or 'the file'}: {bad}.")
    keys = {key: value for key, value in table.items() if key != "config"}
    profile = Profile(str(name), keys, config, index)
    for key in config:
        option_named(key, f" ({bare.where(key, profile)})")
    return profile


def _line_of(text: str, name: str, index: int | None) -> int | None:
    key = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
    section, count = "", -1
    wanted = "" if index is None else "providers.config"
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            section = re.sub(r"\s*\.\s*", ".", header[2])
            count += header[1] == "[[" and section == "providers"
            if section == f"{wanted}.{name}".lstrip(".") and (index is None or count == index):
                return number
        elif key.match(line) and section == wanted and (index is None or count == index):
            return number
    return None
