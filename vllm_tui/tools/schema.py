"""Checks schemas and values with jsonschema (Draft 2020-12), in bounded time whatever the schema holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol, cast

from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.patterns import PatternFailed, PatternMatcher

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_BYTES = 1_000_000
"""Largest arguments that are checked and run, in characters of JSON."""
MAX_SCHEMA_BYTES = 250_000
MAX_DEPTH = 64
_MAX_STEPS = 100_000
_MAX_SECONDS = 1.5
_MAX_PROBLEMS = 50
_MAX_DIGITS_BITS = 4_096


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong: where, which keyword says so, what it demands and what was found."""

    path: str
    keyword: str
    demand: JsonValue
    found: JsonValue
    schema: JsonValue
    message: str


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a check; `failure` says why it could not be finished."""

    violations: tuple[Violation, ...]
    failure: str | None = None


class _Validator(Protocol):
    """What is used of jsonschema's validator class, which is not typed."""

    def __init__(self, schema: JsonValue, *, registry: object) -> None: ...
    def iter_errors(self, instance: JsonValue) -> Iterator[ValidationError]: ...
    def descend(self, instance: JsonValue, schema: JsonValue, path: str) -> Iterator[ValidationError]: ...


_Found = Iterator["ValidationError"]
_Keyword = Callable[[_Validator, JsonValue, JsonValue, JsonObject], Iterable["ValidationError"] | None]


class CheckTooCostly(Exception):
    """The schema asks for more work than a check may take."""


def oversize(value: JsonValue, limit: int = MAX_BYTES) -> str | None:
    """Say in plain words why a JSON value is too large or too deep to work with, or None."""
    pending: list[tuple[JsonValue, int]] = [(value, 1)]
    size = 0
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            return f"nested more than {MAX_DEPTH} levels deep"
        size += 2
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += sum(len(key) for key in item)
            pending += [(entry, depth + 1) for entry in item.values()]
        elif isinstance(item, list):
            pending += [(entry, depth + 1) for entry in item]
        elif isinstance(item, int) and item.bit_length() > _MAX_DIGITS_BITS:
            return "holding a number of more than 1,200 digits"
        if size > limit:
            return f"larger than {limit / 1_000_000:g} MB"
    return None


def check_value(schema: JsonObject, value: JsonValue) -> Findings:
    """Return what is wrong with a value, at most 50 violations. Never hangs and raises for no schema."""
    return _Check().findings(schema, value)


def check_schema(schema: JsonObject) -> Findings:
    """Return what is wrong with a schema itself."""
    from jsonschema import Draft202012Validator

    return check_value(cast("JsonObject", Draft202012Validator.META_SCHEMA), schema)


class _Check:
    """One check and its budget of steps, seconds and pattern time."""

    def __init__(self) -> None:
        self._steps = 0
        self._deadline = time.monotonic() + _MAX_SECONDS

    def findings(self, schema: JsonObject, value: JsonValue) -> Findings:
        from referencing.exceptions import Unresolvable

        found: list[ValidationError] = []
        failure: str | None = None
        try:
            with PatternMatcher() as matcher:
                found.extend(islice(self._errors(matcher, schema, value), _MAX_PROBLEMS))
        except CheckTooCostly:
            failure = "the schema takes too long to check"
        except PatternFailed as error:
            failure = str(error)
        except RecursionError:
            failure = "the schema refers to itself without end"
        except Unresolvable as error:
            failure = f"the schema refers to {str(error.ref)[:80]!r}, which is not part of it"
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            failure = f"the schema is broken ({type(error).__name__})"
        return Findings(tuple(_violation(error) for error in found), failure)

    def _errors(self, matcher: PatternMatcher, schema: JsonObject, value: JsonValue) -> Iterator[ValidationError]:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import extend
        from referencing import Registry

        keywords: dict[str, _Keyword] = dict(Draft202012Validator.VALIDATORS)
        keywords |= _bounded_keywords(matcher)
        counted = {name: self._counted(keyword) for name, keyword in keywords.items()}
        made: type[_Validator] = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]
        return made(schema, registry=Registry()).iter_errors(value)

    def _counted(self, keyword: _Keyword) -> _Keyword:
        def run(validator: _Validator, demand: JsonValue, instance: JsonValue, schema: JsonObject) -> _Found:
            self._step()
            for error in keyword(validator, demand, instance, schema) or ():
                self._step()
                yield error

        return run

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS or time.monotonic() > self._deadline:
            raise CheckTooCostly


def _bounded_keywords(matcher: PatternMatcher) -> dict[str, _Keyword]:
    """Return the keywords whose own work has no bound in jsonschema, done again with one."""
    from jsonschema.exceptions import ValidationError

    def pattern(validator: _Validator, demand: JsonValue, instance: JsonValue, schema: JsonObject) -> _Found:
        if isinstance(instance, str) and not matcher.is_found(str(demand), instance):
            yield ValidationError(f"does not match {demand}")

    def by_pattern(validator: _Validator, demand: JsonValue, instance: JsonValue, schema: JsonObject) -> _Found:
        if isinstance(instance, dict) and isinstance(demand, dict):
            for expression, part in demand.items():
                for name in (name for name in instance if matcher.is_found(expression, name)):
                    yield from validator.descend(instance[name], part, path=name)

    def additional(validator: _Validator, demand: JsonValue, instance: JsonValue, schema: JsonObject) -> _Found:
        for name in _extras(matcher, schema, instance):
            assert isinstance(instance, dict)
            if demand is False:
                yield ValidationError("there is no such argument", path=[name])
            else:
                yield from validator.descend(instance[name], demand, path=name)

    def unique(validator: _Validator, demand: JsonValue, instance: JsonValue, schema: JsonObject) -> _Found:
        if demand is True and isinstance(instance, list):
            texts = {json.dumps(item, sort_keys=True) for item in instance}
            if len(texts) < len(instance):
                yield ValidationError("holds the same item twice")

    return {
        "pattern": pattern,
        "patternProperties": by_pattern,
        "additionalProperties": additional,
        "uniqueItems": unique,
    }


def _extras(matcher: PatternMatcher, schema: JsonObject, instance: JsonValue) -> list[str]:
    if not isinstance(instance, dict):
        return []
    named, patterns = schema.get("properties"), schema.get("patternProperties")
    names = named if isinstance(named, dict) else {}
    expressions = list(patterns) if isinstance(patterns, dict) else []
    return [
        name
        for name in instance
        if name not in names and not any(matcher.is_found(expression, name) for expression in expressions)
    ]


def _violation(error: ValidationError) -> Violation:
    path = ""
    for step in error.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    demand, found = cast("JsonValue", error.validator_value), cast("JsonValue", error.instance)
    return Violation(path, str(error.validator), demand, found, cast("JsonValue", error.schema), error.message)
