"""Saving config.toml: whole or not at all, private, with a backup, and never over another program's change."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import cast

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.document import MODULE, Document, Profile, document_of, read_document
from vllm_tui.settings.kinds import NULL
from vllm_tui.settings.layers import LayerName, Settings, file_entries, load_settings
from vllm_tui.settings.option import OptionValue
from vllm_tui.settings.options import BY_NAME, OPTIONS
from vllm_tui.settings.references import escape_references, has_references
from vllm_tui.settings.secrets import masked


class Unset(Enum):
    """Marks an option to be taken out of the file."""

    UNSET = "unset"


UNSET = Unset.UNSET
LOCK_SECONDS = 5.0
"""How long saving waits for another program that saves."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the file: option `name` becomes `value` for all servers, or for `profile` (made when new).

    `value` is written as it is, so `${NAME}` stays a reference. `module` and `source` of a profile are names too.
    """

    name: str
    value: OptionValue | Unset = field(repr=False)
    profile: str | None = None


def session_edits(
    settings: Settings, *, names: Collection[str] | None = None, new_profile: str | None = None
) -> tuple[Edit, ...]:
    """Return what was set or reset in this session as edits of the file, of the profile in use where there is one.

    `names` leaves out all other options. `new_profile` puts them into a copy of the profile in use.
    """
    document = settings.document
    profile = None if settings.profile is None else document.profile_named(settings.profile)
    owned = frozenset() if profile is None else profile.values.keys()
    target = new_profile or settings.profile
    edits = [] if profile is None or new_profile is None else _copied(profile, new_profile)
    for option in OPTIONS:
        name = option.name
        if names is not None and name not in names:
            continue
        is_reset = ("file", name) in settings.muted and name in settings.entries["file"]
        if settings.origin(name).layer == "session":
            is_shared = option.local and name not in owned
            edits.append(Edit(name, _as_edit(settings, name), None if is_shared else target))
        elif is_reset:
            edits.append(Edit(name, UNSET, target if name in owned else None))
    return tuple(edits)


def _copied(profile: Profile, name: str) -> list[Edit]:
    return [Edit(key, cast("OptionValue", _frozen(raw)), name) for key, raw in profile.values.items()]


def _frozen(raw: object) -> object:
    return tuple(raw) if isinstance(raw, list) else raw


def save_session(
    settings: Settings, *, names: Collection[str] | None = None, new_profile: str | None = None
) -> Settings:
    """Save what was set in this session and return the settings as they are then; raises ConfigurationError.

    `names` and `new_profile` are those of `session_edits`; the new profile is the one in use afterwards. A saved value
    that the environment or a flag would hide stays in force for this session, and so does what was not saved.
    """
    sources, target = settings.sources, new_profile or settings.profile
    save_edits(settings.document, session_edits(settings, names=names, new_profile=new_profile), sources.environ)
    fresh = load_settings(sources.flags, sources.environ, sources.path, target)
    fresh = replace(fresh, muted=frozenset(pair for pair in settings.muted if _stays_muted(pair, names)))
    for name, entry in settings.entries["session"].items():
        if settings.origin(name).layer == "session" and fresh.value(name) != entry.value:
            fresh = fresh.with_session(name, _as_edit(settings, name))
    return fresh


def _stays_muted(pair: tuple[LayerName, str], names: Collection[str] | None) -> bool:
    return pair[0] in ("environment", "flag") or (names is not None and pair[1] not in names)


def _as_edit(settings: Settings, name: str) -> OptionValue:
    """Return what was typed where it refers to the environment, else the value so that it stays itself."""
    raw = settings.raw(name)
    return cast("OptionValue", raw if has_references(raw) else escape_references(settings.value(name)))


def save_edits(seen: Document, edits: Sequence[Edit], environ: Mapping[str, str]) -> Document:
    """Write `edits` into the file that was `seen` and return it as it is now.

    Keys that others changed meanwhile are kept. Raises ConfigurationError when the same key was changed to
    something else, when a value is not allowed, or when the file can't be written; the file is untouched then.
    """
    if seen.path is None:
        raise ConfigurationError("There is no file to save to.", hint="Start with --config FILE.")
    path = Path(os.path.realpath(seen.path))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path):
            current = read_document(path)
            _refuse_conflicts(seen, current, edits)
            text = edited_text(current, edits, environ)
            _remove_leftovers(path)
            if current.text:
                _write_whole(path.with_name(path.name + ".bak"), current.text)
            _write_whole(path, text)
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be written: {error.strerror or error}.", hint="Nothing was changed; check its folder."
        ) from None
    return read_document(seen.path)


def edited_text(document: Document, edits: Sequence[Edit], environ: Mapping[str, str]) -> str:
    """Return the TOML text of `document` with `edits`; raises ConfigurationError when a value is not allowed."""
    table = edited_table(document, edits)
    text = _to_toml(table)
    changed = document_of(table, text, document.path)
    for profile in changed.profiles:
        if any(edit.profile == profile.name for edit in edits):
            file_entries(changed, profile, environ)
    if any(edit.profile is None for edit in edits):
        file_entries(changed, None, environ)
    return text


def edited_table(document: Document, edits: Sequence[Edit]) -> dict[str, object]:
    """Return the table of `document` with `edits`, nothing checked."""
    table: dict[str, object] = dict(document.values)
    providers: list[dict[str, object]] = [
        {**dict(profile.keys), "config": dict(profile.values)} for profile in document.profiles
    ]
    for edit in edits:
        _apply(edit, table, providers)
    return {**table, "providers": providers} if providers else table


def shown_difference(document: Document, edits: Sequence[Edit]) -> str:
    """Return what `edits` change as a unified diff for people, secrets masked; empty when nothing changes."""
    from difflib import unified_diff

    sides = [masked("", edited_table(document, chosen)) for chosen in ((), edits)]
    before, after = (_to_toml(side).splitlines() if isinstance(side, dict) else [] for side in sides)
    name = str(document.path or "config.toml")
    lines = list(unified_diff(before, after, name, name, lineterm="", n=2))
    hidden = [edit.name for edit in edits if _is_hidden_change(document, edit)]
    return "\n".join([*(clean_line(line) for line in lines), *(f"~ {name} changes (not shown)" for name in hidden)])


def _is_hidden_change(document: Document, edit: Edit) -> bool:
    old, new = _written(document, edit), edit.value
    return old != new and masked(edit.name, old) == masked(edit.name, new)


def _apply(edit: Edit, table: dict[str, object], providers: list[dict[str, object]]) -> None:
    target = table
    if edit.profile is not None:
        provider = _provider_of(edit.profile, providers)
        config = provider["config"]
        target = config if edit.name in BY_NAME and isinstance(config, dict) else provider
    if edit.value is UNSET:
        target.pop(edit.name, None)
    elif isinstance(edit.value, tuple):
        target[edit.name] = list(edit.value)
    else:
        target[edit.name] = NULL if edit.value is None else edit.value


def _provider_of(name: str, providers: list[dict[str, object]]) -> dict[str, object]:
    for provider in providers:
        if provider.get("instance_id", provider["module"]) == name:
            return provider
    provider = {"module": MODULE} if name == MODULE else {"module": MODULE, "instance_id": name}
    provider["config"] = {}
    providers.append(provider)
    return provider


def _refuse_conflicts(seen: Document, current: Document, edits: Sequence[Edit]) -> None:
    lost = [
        edit.name
        for edit in edits
        if _written(current, edit) != _written(seen, edit) and _written(current, edit) != _plain(edit.value)
    ]
    if lost:
        raise ConfigurationError(
            f"{seen.path} was changed by another program since it was read: {', '.join(lost)}.",
            hint="Nothing was saved; read the settings again, then change them.",
        )


def _written(document: Document, edit: Edit) -> object:
    if edit.profile is None:
        return document.values.get(edit.name, UNSET)
    for profile in document.profiles:
        if profile.name == edit.profile:
            return (profile.values if edit.name in BY_NAME else profile.keys).get(edit.name, UNSET)
    return UNSET


def _plain(value: OptionValue | Unset) -> object:
    return NULL if value is None else list(value) if isinstance(value, tuple) else value


def _to_toml(table: Mapping[str, object]) -> str:
    import tomli_w

    try:
        return tomli_w.dumps(table)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"Option {_unwritable(table)} can't be written to TOML: {error}.") from None


def _unwritable(table: Mapping[str, object]) -> str:
    import tomli_w

    for name, value in table.items():
        if name == "providers" and isinstance(value, list):
            for provider in value:
                if isinstance(provider, dict) and isinstance(provider.get("config"), dict):
                    found = _unwritable(provider["config"])
                    if found:
                        return found
            continue
        try:
            tomli_w.dumps({name: value})
        except (TypeError, ValueError, RecursionError):
            return name
    return ""


def _write_whole(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file beside `path`, so that two programs save one after the other."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _is_lock_taken(handle):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"Another program is saving {path}.", hint="Nothing was saved; try again.")
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _is_lock_taken(handle: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
