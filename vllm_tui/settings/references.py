"""`${NAME}` in values means the environment variable NAME; `$${` means the two characters `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vllm_tui.domain.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")


def expand_references(value: object, environ: Mapping[str, str]) -> object:
    """Return `value` with the references in its texts replaced, at any depth; raises ConfigurationError."""
    match value:
        case str():
            return _REFERENCE.sub(lambda found: _replacement(found, environ), value)
        case list() | tuple():
            return [expand_references(item, environ) for item in value]
        case dict():
            return {key: expand_references(item, environ) for key, item in value.items()}
        case _:
            return value


def escape_references(value: object) -> object:
    """Return `value` so that `expand_references` gives it back unchanged."""
    match value:
        case str():
            return value.replace("${", "$${")
        case list() | tuple():
            return type(value)(escape_references(item) for item in value)
        case dict():
            return {key: escape_references(item) for key, item in value.items()}
        case _:
            return value


def has_references(value: object) -> bool:
    """Return whether a text in `value` refers to the environment."""
    match value:
        case str():
            return any(found[1] is not None for found in _REFERENCE.finditer(value))
        case list() | tuple():
            return any(has_references(item) for item in value)
        case dict():
            return any(has_references(item) for item in value.values())
        case _:
            return False


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found[0] == "$${":
        return "${"
    name = found[1]
    if not name or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ConfigurationError("${ needs the name of an environment variable and }.", hint="Write $${ for the text.")
    if name not in environ:
        raise ConfigurationError(
            f"The environment variable {name} is not set.", hint=f"Set it, or write $${{{name}}} for the text itself."
        )
    return environ[name]
