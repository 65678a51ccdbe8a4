"""What kinds of values options hold: how each is read from text, checked, written as text and explained."""

from __future__ import annotations

import json
import math
import re
import shlex
from urllib.parse import urlsplit

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.option import Option, OptionValue

NULL = "null"
"""The word that means "not set" where a format has no null (TOML, environment, flags)."""

MASK = "••••••••"
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_SHOWN_LENGTH = 120
_SHOWN_BITS = 1000
_INTEGER_END = 2**63  # TOML's integers have 64 bits
_LOOKS_NUMERIC = re.compile(r"[+-]?[0-9.][0-9a-zA-Z_.+-]*$")


def parse_text(option: Option, text: str) -> OptionValue:
    """Return the checked value that `text` from the environment or a flag means; raises ConfigurationError."""
    if text == NULL and option.nullable:
        return None
    match option.kind:
        case "text" | "url" | "choice":
            return check_value(option, text)
        case "switch":
            return _switch_of(option, text)
        case "integer" | "number":
            return check_value(option, _number_of(option, text))
        case "list":
            return check_value(option, _list_of(option, text))
        case "mapping":
            return check_value(option, _json_of(option, text))


def check_value(option: Option, value: object) -> OptionValue:
    """Return `value` as the option holds it; raises ConfigurationError naming option, value and what is allowed."""
    if option.nullable and (value is None or value in (NULL, "")):
        return None
    match option.kind:
        case "text":
            return _check_text(option, value)
        case "url":
            return _check_url(option, value)
        case "choice" | "switch":
            return _check_choice(option, value)
        case "integer" | "number":
            return _check_number(option, value)
        case "list" | "mapping":
            return _check_collection(option, value)


def format_value(value: OptionValue) -> str:
    """Return `value` as text that `parse_text` reads back: JSON for lists and mappings, plain words else."""
    match value:
        case None:
            return NULL
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case tuple() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)


def shown_value(option: Option, value: object) -> str:
    """Return `value` on one line for people: secrets masked, control characters visible, shortened."""
    if option.secret and value not in (None, "", option.default):
        return MASK
    text = value if isinstance(value, str) else _dump(_masked(value))
    if option.kind == "url":
        text = mask_address(text)
    text = clean_line(text)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def _masked(value: object) -> object:
    """Return a mapping with the values of headers and environment variables masked: they are where keys stand."""
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: dict.fromkeys(part, MASK) if name in ("headers", "env") and isinstance(part, dict) else _masked(part)
        for name, part in value.items()
    }


def mask_address(text: str) -> str:
    """Return an address with the password in it masked."""
    return re.sub(r"(//[^/@:]*:)[^/]*@", rf"\1{MASK}@", text)


def allowed_values(option: Option) -> str:
    """Say in a phrase what the option takes, such as `a number from 0 to 2, or null`."""
    match option.kind:
        case "text":
            phrase = "text"
        case "url":
            phrase = "an http:// or https:// address"
        case "switch":
            phrase = "true or false"
        case "choice":
            phrase = "one of " + ", ".join(option.choices)
        case "integer" | "number":
            phrase = ("a whole number" if option.kind == "integer" else "a number") + _measure(option)
        case "list":
            phrase = "a list of texts, not empty"
        case "mapping":
            phrase = "a table of JSON values"
    return phrase + (", or null" if option.nullable else "")


def _dump(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return "a very large number"
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"


def _measure(option: Option) -> str:
    limits = range_of(option)
    return (f" of {option.unit}" if option.unit else "") + (f", {limits}" if limits else "")


def range_of(option: Option) -> str:
    """Say the range of a number, such as `0 to 2`; empty when there is none."""
    low, high = (
        None if end is None else f"{end:g}" if abs(end) < 1e6 else f"{end:,}" for end in (option.low, option.high)
    )
    if low is not None and option.low_is_open:
        return f"above {low}" + ("" if high is None else f", up to {high}")
    if low is not None:
        return f"{low} or more" if high is None else f"{low} to {high}"
    return ""


def _refusal(option: Option, value: object, why: str = "") -> ConfigurationError:
    because = f" {why}" if why else ""
    return ConfigurationError(
        f"Option {option.name}: {shown_value(option, value)} is not allowed.{because}",
        hint=f"It takes {allowed_values(option)}.",
    )


def _check_text(option: Option, value: object) -> OptionValue:
    if not isinstance(value, str):
        raise _refusal(option, value)
    if _UNFIT.search(value):
        raise _refusal(option, value, "It holds a character that can't be sent or stored.")
    if value.strip() == "":
        if option.secret:
            return option.default
        raise _refusal(option, value)
    if option.secret and any(not "!" <= character <= "~" for character in value):
        raise _refusal(option, value, "A key is printable ASCII without spaces: it travels in a header.")
    return value


def _check_url(option: Option, value: object) -> OptionValue:
    if not isinstance(value, str) or _UNFIT.search(value):
        raise _refusal(option, value)
    text = value.strip()
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _refusal(option, value, "It holds a space or a control character.")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise _refusal(option, value, f"{str(error).rstrip('.')}.") from None
    if not valid:
        raise _refusal(option, value)
    if parts.query or parts.fragment:
        raise _refusal(option, value, "It must end with its path, without ? or #.")
    return text


def _check_choice(option: Option, value: object) -> OptionValue:
    if option.kind == "switch" and isinstance(value, bool):
        return value
    if option.kind == "choice" and isinstance(value, str) and value in option.choices:
        return value
    raise _refusal(option, value)


def _check_collection(option: Option, value: object) -> OptionValue:
    if option.kind == "list" and isinstance(value, list | tuple) and value and all(_is_word(item) for item in value):
        return tuple(value)
    if option.kind == "mapping" and isinstance(value, dict) and _is_json(value):
        return value
    raise _refusal(option, value)


def _check_number(option: Option, value: object) -> OptionValue:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(option, value)
    if option.kind == "integer" and not isinstance(value, int):
        raise _refusal(option, value)
    if isinstance(value, int) and not _is_whole(value):
        raise _refusal(option, value, "It does not fit into 64 bits.")
    number = value if option.kind == "integer" else float(value)
    if not math.isfinite(number) or _is_outside(option, number):
        raise _refusal(option, value)
    return number


def _is_whole(value: int) -> bool:
    return -_INTEGER_END <= value < _INTEGER_END


def _is_outside(option: Option, number: float) -> bool:
    if option.low is not None and (number < option.low or (option.low_is_open and number == option.low)):
        return True
    return option.high is not None and number > option.high


def _switch_of(option: Option, text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _refusal(option, text)


def _number_of(option: Option, text: str) -> int | float:
    word = text.strip()
    if not _LOOKS_NUMERIC.match(word):
        raise _refusal(option, text)
    try:
        return int(word) if option.kind == "integer" else float(word)
    except ValueError:
        raise _refusal(option, text) from None


def _list_of(option: Option, text: str) -> object:
    if text.lstrip().startswith("["):
        return _json_of(option, text)
    if not option.command:
        return [text]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise _refusal(option, text, f"{error}.") from None


def _json_of(option: Option, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal(option, text, f"Not JSON: {error}.") from None


def _is_word(item: object) -> bool:
    return isinstance(item, str) and item != "" and not _UNFIT.search(item)


def _is_json(value: object) -> bool:
    match value:
        case None | bool():
            return True
        case int() | float():
            return _is_whole(value) if isinstance(value, int) else math.isfinite(value)
        case str():
            return not _UNFIT.search(value)
        case list():
            return all(_is_json(item) for item in value)
        case dict():
            return all(isinstance(key, str) and _is_json(key) and _is_json(item) for key, item in value.items())
        case _:
            return False
