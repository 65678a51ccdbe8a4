"""The registry: sources, switches, names, and what is offered."""

from __future__ import annotations

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.tool_runs import ToolListing
from vllm_tui.domain.values import JsonObject
from vllm_tui.tools.registry import Registry, build_builtins
from vllm_tui.tools.tool import Tool


def tool(name: str, parameters: JsonObject | None = None, origin: str = "box") -> Tool:
    spec = ToolSpec(name=name, description="d", parameters=parameters or {"type": "object"})
    return Tool(spec, "mcp", None, origin=origin, title=f"{origin}/{name}")


def names(registry: Registry) -> list[str]:
    return [spec.name for spec in registry.specs]


def test_built_in_tools_are_offered_and_the_weather_in_demo_mode_only() -> None:
    assert names(Registry(build_builtins())) == ["current_time", "calculator", "stub"]
    assert names(Registry(build_builtins(is_demo=True))) == ["current_time", "calculator", "stub", "get_weather"]


def test_every_built_in_schema_is_valid() -> None:
    assert [entry.problem for entry in Registry(build_builtins(is_demo=True)).listings] == [None] * 4


def test_a_tool_switched_off_is_listed_and_not_offered() -> None:
    registry = Registry(build_builtins())
    registry.switch("calculator", is_enabled=False)
    assert names(registry) == ["current_time", "stub"]
    assert registry.offered("calculator") is None
    assert [entry.is_enabled for entry in registry.listings] == [True, False, True]
    registry.switch("calculator", is_enabled=True)
    assert names(registry) == ["current_time", "calculator", "stub"]


def test_a_listing_says_all_there_is_to_know() -> None:
    made = tool("find")
    registry = Registry([made])
    assert registry.listing("find") == ToolListing(
        name="find",
        title="box/find",
        spec=made.spec,
        kind="mcp",
        origin="box",
        fingerprint=made.fingerprint,
        pure=False,
        by_hand=True,
    )
    assert registry.listing("other") is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"type": "strnig"}, '"type": "object"'),
        ({"type": "object", "properties": []}, "not valid at properties"),
        ({"type": "object", "required": "city"}, "not valid at required"),
        ({"type": "object", "properties": {"a": {"type": "strnig"}}}, "not valid at properties.a.type"),
        ({"type": "object", "description": "x" * 300_000}, "larger than 0.25 MB"),
    ],
)
def test_a_tool_with_a_broken_schema_is_listed_with_its_problem(parameters: JsonObject, words: str) -> None:
    registry = Registry([tool("broken", parameters)])
    listing = registry.listing("broken")
    assert listing is not None
    assert (listing.readiness, names(registry)) == ("invalid", [])
    assert words in (listing.problem or "")


@pytest.mark.parametrize("name", ["", "has space", "a" * 65, "semi;colon", "né", "x\x1b[2J"])
def test_a_name_no_server_takes_is_not_offered(name: str) -> None:
    registry = Registry([tool(name)])
    assert names(registry) == []
    assert registry.listings[0].problem == "the name must be 1 to 64 letters, digits, _ or -"


def test_a_name_can_be_used_once() -> None:
    with pytest.raises(ConfigurationError, match="Two tools are called 'find': one from box, one from shelf"):
        Registry([tool("find"), tool("find", origin="shelf")])


def test_a_changed_tool_is_withheld_until_it_is_approved() -> None:
    registry = Registry()
    registry.add(tool("find"), changed="its description changed")
    assert (names(registry), registry.listings[0].problem) == ([], "its description changed")
    registry.approve_change("find")
    assert (names(registry), registry.listings[0].problem) == (["find"], None)


def test_approving_a_change_does_not_excuse_a_broken_schema() -> None:
    registry = Registry()
    registry.add(tool("find", {"type": "array"}), changed="its schema changed")
    registry.approve_change("find")
    assert names(registry) == []


def test_a_source_can_be_taken_out_whole() -> None:
    registry = Registry([tool("a"), tool("b", origin="shelf"), tool("c")])
    registry.remove("mcp", "box")
    assert names(registry) == ["b"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no tool called 'x'.*current_time, calculator, stub"):
        Registry(build_builtins()).switch("x", is_enabled=False)


def test_the_fingerprint_covers_name_description_and_schema() -> None:
    made = tool("find")
    others = [
        tool("find2"),
        tool("find", origin="shelf"),
        tool("find", {"type": "object", "properties": {"a": {}}}),
        Tool(made.spec.model_copy(update={"description": "other"}), "mcp", None, origin="box"),
    ]
    assert made.fingerprint == tool("find").fingerprint
    assert made.fingerprint not in {other.fingerprint for other in others}
