"""Runs in a process of its own: describes the functions of a Python file or module, or calls one of them.

Started as a script, so it imports the standard library only. Results go to the original standard output as one JSON
object; whatever the functions print goes to standard error.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence

_SIMPLE: dict[object, dict[str, object]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    list: {"type": "array"},
    dict: {"type": "object"},
    typing.Any: {},
    object: {},
    inspect.Parameter.empty: {},
}
Function = Callable[..., object]


class Unsupported(Exception):
    """A signature that can't be told to a model; the message says why."""


def load(name: str) -> types.ModuleType:
    """Import a module by dotted name, or a file that ends in .py."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location("vllm_tui_user_tools", name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def functions(module: types.ModuleType) -> dict[str, Function]:
    """Return the functions a module offers: those of `__all__`, else its own public ones."""
    names = getattr(module, "__all__", None)
    if names is not None:
        found = {name: getattr(module, name) for name in names}
        return {name: value for name, value in found.items() if inspect.isfunction(value)}
    own = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    return {name: f for name, f in own.items() if not name.startswith("_") and f.__module__ == module.__name__}


def describe(name: str, function: Function) -> dict[str, object]:
    """Return a function's spec; raises Unsupported."""
    summary, notes = read_docstring(inspect.getdoc(function) or "")
    hints = typing.get_type_hints(function, include_extras=True)
    properties: dict[str, object] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise Unsupported(f"{parameter} can't be given by name")
        entry = dict(schema_of(hints.get(parameter.name, parameter.empty)))
        if parameter.name in notes:
            entry.setdefault("description", notes[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif isinstance(parameter.default, str | int | float | bool | None):
            entry["default"] = parameter.default
        properties[parameter.name] = entry
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"name": name, "description": summary, "parameters": parameters}


def schema_of(hint: object) -> Mapping[str, object]:
    """Return the JSON Schema of a type hint; raises Unsupported."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        words = [part for part in parts[1:] if isinstance(part, str)]
        return {**schema_of(parts[0]), **({"description": words[0]} if words else {})}
    if origin is typing.Literal:
        return {"enum": list(parts)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(part) for part in parts]}
    if origin in (list, set, Sequence):
        return {"type": "array", "items": schema_of(parts[0])}
    if origin in (dict, Mapping) and parts[0] is str:
        return {"type": "object", "additionalProperties": schema_of(parts[1])}
    raise Unsupported(f"the type {hint} can't be told to a model")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return the first paragraph, and what is said of each argument (`Args:` lists and `:param name:` lines)."""
    summary = " ".join(re.split(r"\n\n|Args:|:param", text, maxsplit=1)[0].split())
    notes: dict[str, str] = {}
    is_listing = False
    for line in (line.strip() for line in text.splitlines()):
        if line in ("Args:", "Arguments:", "Parameters:"):
            is_listing = True
        elif line in ("Returns:", "Raises:", "Yields:", "Example:", "Examples:", ""):
            is_listing = False
        head, colon, rest = line.removeprefix(":param ").partition(":")
        if colon and rest and (is_listing or line.startswith(":param ")):
            notes[head.split("(")[0].split()[-1]] = rest.strip()
    return summary, notes


def described(module: types.ModuleType) -> dict[str, object]:
    """Return the specs of all functions, and why others are left out."""
    specs: list[dict[str, object]] = []
    problems: list[str] = []
    for name, function in functions(module).items():
        try:
            specs.append(describe(name, function))
        except (Unsupported, NameError, TypeError) as error:
            problems.append(f"{name} is left out: {error}")
    return {"tools": specs, "problems": problems}


def called(function: Function, arguments: dict[str, object]) -> dict[str, object]:
    """Call a function, awaiting it if need be, and return its value in a form JSON can carry."""
    value = function(**arguments)
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    if isinstance(value, bytes | bytearray):
        return {"binary": base64.b64encode(value).decode("ascii")}
    return {"value": value}


def main() -> None:
    """Do what the command line says: `describe MODULE` or `call MODULE FUNCTION`."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def report(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        results.write(json.dumps({"error": f"{kind.__name__}: {error}"}))
        results.flush()

    sys.excepthook = report
    module = load(sys.argv[2])
    if sys.argv[1] == "describe":
        answer = described(module)
    else:
        answer = called(functions(module)[sys.argv[3]], json.load(sys.stdin))
    results.write(json.dumps(answer, default=str))
    results.flush()


if __name__ == "__main__":
    main()
