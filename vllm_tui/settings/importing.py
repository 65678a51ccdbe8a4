"""Import of settings from Amplifier's YAML or from TOML, as edits of the configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.document import Document, Profile, document_of
from vllm_tui.settings.kinds import NULL
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.options import BY_NAME, option_named
from vllm_tui.settings.saving import Edit

MODULES = ("provider-vllm", "provider-vllm-tui", "vllm")
"""Module ids whose options are this program's."""

_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Import:
    """What a file asks for: `edits` of the configuration, and names in it that are `left_out` as not ours."""

    edits: tuple[Edit, ...]
    left_out: tuple[str, ...]


def read_import(path: Path, into: Document) -> Import:
    """Return what the file at `path` changes in the document `into`; raises ConfigurationError."""
    text = _read_text(path)
    table = _toml_of(text, path) if path.suffix.lower() == ".toml" else _yaml_of(text, path)
    ours, left_out = _ours(table, path)
    document = document_of(ours, text, path)
    edits = [edit for name, raw in document.values.items() for edit in _option_edits(name, raw, None, into)]
    for profile in document.profiles:
        edits += _profile_edits(profile, into)
    if not edits:
        raise ConfigurationError(
            f"{path} holds no options of this program.", hint="It needs options, or providers with module and config."
        )
    return Import(tuple(edits), left_out)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if len(content) > _BYTES:
            raise ConfigurationError(f"{path} is larger than a configuration can be.", hint="Check the path.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror or error}.", hint="Check the path.") from None


def _toml_of(text: str, path: Path) -> object:
    import tomllib

    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", hint="Correct that line.") from None


def _yaml_of(text: str, path: Path) -> object:
    import yaml

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise ConfigurationError(f"{path} holds YAML aliases (*name).", hint="Write the values out.")
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" (line {error.problem_mark.line + 1})"
        raise ConfigurationError(
            f"{path} is not valid YAML: {error.problem}{line}.", hint="Correct that line."
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {clean_line(str(error))}.") from None


def _ours(content: object, path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the options and providers in `content` that are ours, and the names of the rest."""
    whole = _text_keys({"providers": content} if isinstance(content, list) else content, path)
    table, left_out = whole, []
    if "providers" not in whole and isinstance(whole.get("config"), dict):
        table, left_out = _text_keys(whole["config"], path), [name for name in whole if name != "config"]
    if "providers" not in table:
        return table, tuple(clean_line(name) for name in left_out)
    kept = {name: value for name, value in table.items() if name in BY_NAME}
    left_out += [name for name in table if name not in BY_NAME and name != "providers"]
    providers = table["providers"]
    if isinstance(providers, list):
        left_out += [str(item["module"]) for item in providers if _is_foreign(item)]
        providers = [item for item in providers if not _is_foreign(item)]
    return {**kept, "providers": providers}, tuple(clean_line(name) for name in left_out)


def _text_keys(content: object, path: Path) -> dict[str, object]:
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds no table of options.", hint="See `vllm-tui --help` for the options.")
    return {str(name): value for name, value in content.items()}


def _is_foreign(provider: object) -> bool:
    return isinstance(provider, dict) and isinstance(provider.get("module"), str) and provider["module"] not in MODULES


def _profile_edits(profile: Profile, into: Document) -> list[Edit]:
    edits = [
        Edit(key, str(value), profile.name) for key, value in profile.keys.items() if not _is_implied(key, profile)
    ]
    for name, raw in profile.values.items():
        edits += _option_edits(name, raw, profile.name, into)
    return edits


def _is_implied(key: str, profile: Profile) -> bool:
    return key == "instance_id" or (key == "module" and profile.name == profile.keys["module"])


def _option_edits(name: str, raw: object, profile: str | None, into: Document) -> list[Edit]:
    option = option_named(name)
    if name == "reasoning" and isinstance(raw, Mapping):
        return _reasoning_edits(raw, profile)
    if raw is None and option.nullable and not _stands_in(into, name, profile):
        return []
    return [Edit(name, _as_written(option, raw), profile)]


def _reasoning_edits(raw: Mapping[object, object], profile: str | None) -> list[Edit]:
    names = {"effort": "reasoning", "summary": "reasoning_summary"}
    edits: list[Edit] = []
    for key, value in raw.items():
        if key not in names or not isinstance(value, str):
            raise ConfigurationError("Option reasoning: the table is not understood.", hint="It takes effort, summary.")
        edits.append(Edit(names[str(key)], value, profile))
    return edits


def _stands_in(into: Document, name: str, profile: str | None) -> bool:
    tables = [into.values, *(item.values for item in into.profiles if item.name == profile)]
    return any(name in table for table in tables)


def _as_written(option: Option, raw: object) -> OptionValue:
    """Return `raw` in the types an edit takes; what the option allows is checked when the edit is applied."""
    match raw:
        case None:
            if option.nullable:
                return None
            raise ConfigurationError(
                f"Option {option.name}: null is not allowed.", hint="Leave it out for the default."
            )
        case bool() | int() | float() | str():
            return raw
        case list() | tuple():
            return tuple(item if isinstance(item, str) else _odd(option, item) for item in raw)
        case dict():
            return raw
        case _:
            return _odd(option, raw)


def _odd(option: Option, raw: object) -> str:
    raise ConfigurationError(f"Option {option.name}: {clean_line(str(raw))} is not allowed.", hint=f"Or write {NULL}.")
