"""What may run without asking, and what counts as the same call."""

from __future__ import annotations

import pytest
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.tool_runs import ArgumentPattern
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.builtin import build_calculator, build_stub
from vllm_tui.tools.policy import MayNotRun, MayRun, MustAsk, Permission, Policy, exact_pattern, is_match
from vllm_tui.tools.tool import Tool, call_fingerprint


async def nothing(arguments: JsonObject) -> JsonValue:
    return None


READ = Tool(ToolSpec(name="read", description="Read."), "file", nothing, origin="tools.json")


def test_pure_tools_run_and_others_are_asked_for() -> None:
    policy = Policy()
    assert policy.permission(build_calculator(), {}) == MayRun("it touches nothing")
    assert policy.permission(READ, {}) == MustAsk("it touches the machine or the network")
    assert policy.permission(build_stub(), {}) == MustAsk("it is answered by hand")


def test_pure_tools_can_be_asked_for_too() -> None:
    assert Policy(runs_pure=False).permission(build_calculator(), {}) == MustAsk("every call is asked for")


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (READ, MayRun("on the list of allowed tools")),
        (
            build_calculator(),
            MayNotRun("calculator is not on the list of allowed tools (--allow-tool calculator)"),
        ),
    ],
)
def test_with_a_list_only_the_list_runs_pure_or_not(tool: Tool, expected: Permission) -> None:
    policy = Policy("listed", ["read"])
    assert policy.permission(tool, {}) == expected
    assert policy.is_offered(tool.name) == isinstance(expected, MayRun)


def test_what_was_allowed_is_remembered_for_that_very_tool_and_can_be_taken_back() -> None:
    policy = Policy()
    policy.remember(READ, ArgumentPattern(globs={"path": "docs/*"}))
    changed = Tool(READ.spec.model_copy(update={"description": "Read all."}), "file", nothing, origin="tools.json")
    assert policy.permission(READ, {"path": "docs/a.md"}) == MayRun("allowed for this session")
    assert isinstance(policy.permission(READ, {"path": "src/a.md"}), MustAsk)
    assert isinstance(policy.permission(changed, {"path": "docs/a.md"}), MustAsk)
    policy.forget()
    assert isinstance(policy.permission(READ, {"path": "docs/a.md"}), MustAsk)


@pytest.mark.parametrize(
    ("arguments", "is_same"),
    [
        ({"path": "docs/a.md", "limit": 1}, True),
        ({"path": "docs/deep/b.md", "limit": 1}, True),
        ({"path": "docs/../secret", "limit": 1}, False),
        ({"path": "docs\\..\\secret", "limit": 1}, False),
        ({"path": "docs/a\n/etc/passwd", "limit": 1}, False),
        ({"path": "docs/\x1b[2J", "limit": 1}, False),
        ({"path": "docs/\u202etxt", "limit": 1}, False),
        ({"path": "other/a.md", "limit": 1}, False),
        ({"path": ["docs/a.md"], "limit": 1}, False),
        ({"path": "docs/a.md", "limit": 2}, False),
        ({"path": "docs/a.md", "limit": 1.0}, False),
        ({"path": "docs/a.md", "limit": True}, False),
        ({"path": "docs/a.md"}, False),
        ({"path": "docs/a.md", "limit": 1, "force": True}, False),
    ],
)
def test_a_pattern_matches_only_what_it_names(arguments: JsonObject, is_same: bool) -> None:
    assert is_match(ArgumentPattern(exact={"limit": 1}, globs={"path": "docs/*"}), arguments) is is_same


def test_brackets_in_a_pattern_are_only_text() -> None:
    pattern = ArgumentPattern(globs={"path": "[ab]*"})
    assert is_match(pattern, {"path": "[ab].txt"})
    assert not is_match(pattern, {"path": "a.txt"})


def test_the_exact_pattern_matches_the_same_arguments_alone() -> None:
    pattern = exact_pattern({"a": "*", "b": {"c": [1]}})
    assert is_match(pattern, {"b": {"c": [1]}, "a": "*"})
    assert not is_match(pattern, {"a": "x", "b": {"c": [1]}})


def test_a_call_fingerprint_is_over_name_and_arguments_whatever_their_order() -> None:
    one = call_fingerprint("read", {"a": 1, "b": 2})
    assert one == call_fingerprint("read", {"b": 2, "a": 1})
    assert len(one) == 64
    others: list[tuple[str, JsonObject]] = [
        ("read", {"a": 1, "b": "2"}),
        ("write", {"a": 1, "b": 2}),
        ("read", {"a": 1}),
    ]
    assert one not in {call_fingerprint(name, arguments) for name, arguments in others}
