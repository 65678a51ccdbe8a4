"""Arithmetic on an expression's syntax tree; nothing is evaluated as code, and nothing may grow huge."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from vllm_tui.tools.tool import ToolFailed

Number = int | float

MAX_EXPRESSION = 1_000
MAX_BITS = 4_096
_MAX_DEPTH = 50
_MAX_FACTORIAL = 500

_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}


def _factorial(value: Number) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MAX_FACTORIAL:
        raise ToolFailed(f"factorial takes a whole number from 0 to {_MAX_FACTORIAL}.")
    return math.factorial(value)


_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Number]]] = {
    "abs": (1, 1, abs),
    "ceil": (1, 1, math.ceil),
    "cos": (1, 1, math.cos),
    "exp": (1, 1, math.exp),
    "factorial": (1, 1, _factorial),
    "floor": (1, 1, math.floor),
    "log": (1, 2, math.log),
    "log10": (1, 1, math.log10),
    "log2": (1, 1, math.log2),
    "max": (1, 20, max),
    "min": (1, 20, min),
    "round": (1, 1, round),
    "sin": (1, 1, math.sin),
    "sqrt": (1, 1, math.sqrt),
    "tan": (1, 1, math.tan),
}


def calculate(expression: str) -> Number:
    """Return the value of an arithmetic expression; raises ToolFailed with the reason in plain words.

    Knows + - * / // % **, parentheses, pi, e, tau and common functions. Whole numbers are kept under 4,096 bits.
    """
    if len(expression) > MAX_EXPRESSION:
        raise ToolFailed(f"The expression is longer than {MAX_EXPRESSION} characters.")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ToolFailed("This is not an arithmetic expression. Example: (2 + 3) * 4") from error
    try:
        value = _value(tree.body, 0)
    except ZeroDivisionError as error:
        raise ToolFailed("Division by zero.") from error
    except (OverflowError, ValueError) as error:
        raise ToolFailed(f"This has no result that can be shown: {error}.") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ToolFailed("The result is too large.")
    return value


def _value(node: ast.expr, depth: int) -> Number:
    if depth > _MAX_DEPTH:
        raise ToolFailed("The expression is nested too deeply.")
    match node:
        case ast.Constant(value=bool() | complex()):
            raise ToolFailed("Only real numbers can be used.")
        case ast.Constant(value=int() | float() as number):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, depth + 1))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, depth + 1), _value(right, depth + 1))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(_BINARY[type(op)](_value(left, depth + 1), _value(right, depth + 1)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _apply(name, [_value(argument, depth + 1) for argument in arguments])
    raise ToolFailed("Only numbers, + - * / // % **, parentheses and functions such as sqrt can be used.")


def _apply(name: str, values: list[Number]) -> Number:
    least, most, function = _FUNCTIONS[name]
    if not least <= len(values) <= most:
        raise ToolFailed(f"{name} takes {least if least == most else f'{least} to {most}'} value(s).")
    return _bounded(function(*values))


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1:
        if exponent > 0 and base.bit_length() * exponent > MAX_BITS:
            raise ToolFailed("The result is too large.")
        if exponent < -MAX_BITS:
            return 0.0
    value = base**exponent
    if isinstance(value, complex):
        raise ToolFailed("The result is not a real number.")
    return _bounded(value)


def _bounded(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ToolFailed("The result is too large.")
    return value
