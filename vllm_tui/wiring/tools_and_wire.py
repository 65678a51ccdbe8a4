"""The half of the backend about tools and traffic."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.settings.layers import Settings
from vllm_tui.wiring import parts
from vllm_tui.wiring.current import Build, CurrentProvider

if TYPE_CHECKING:
    from vllm_tui.cassette.exchange import RecordedRequest
    from vllm_tui.cassette.tape import Take
    from vllm_tui.domain.tool_bench import BenchPlan, BenchRun
    from vllm_tui.domain.tool_runs import Approver, CallRecord
    from vllm_tui.tools.policy import Policy
    from vllm_tui.tools.sources import ToolSources
    from vllm_tui.tools.toolbox import CheckedToolbox
    from vllm_tui.wiring.wire_log import WireLog

HAND_TOOL = "stub"
"""The built-in tool that a person answers; it is for trying things out, so it is off at first."""


class ToolsAndWire:
    """Tools, who approves them, and what crosses the wire; `build` makes the provider."""

    def __init__(self, settings: Settings, data_folder: Path, build: Build, *, demo: bool) -> None:
        self.settings = settings
        self.tools: CheckedToolbox | None = None
        self.wire: WireLog | None = None
        self._data_folder = data_folder
        self._demo = demo
        self._provider = CurrentProvider(settings, build)
        self._tools: ToolSources
        self._policy: Policy | None = None
        self._approver: Approver = parts.NobodyAsks()
        self._on_call: Callable[[CallRecord], None] | None = None
        self._told_notes = 0
        self._keys: set[str] = set()

    def use_approver(self, approver: Approver, on_call: Callable[[CallRecord], None]) -> None:
        """Ask `approver` before a tool runs, tell `on_call` of every change; for conversations opened later."""
        self._approver, self._on_call = approver, on_call

    async def open_tools(self) -> Sequence[str]:
        """Load the tools of the configuration and connect to its servers; return what went wrong, once each."""
        if not self._tools.is_open:
            await self._tools.open()
        notes = self._tools.registry.notes
        fresh, self._told_notes = notes[self._told_notes :], len(notes)
        return fresh

    async def connect_again(self, name: str) -> None:
        """Open an MCP server anew; raises ConfigurationError for an unknown name. What fails is a note."""
        await self._tools.connect_again(name)

    def bench_tools(self, plan: BenchPlan) -> AsyncGenerator[BenchRun, None]:
        """Ask as `plan` says, beside the conversation and without running any tool; yield each run as it ends."""
        from vllm_tui.tools.bench import run_plan

        return run_plan(self._provider, plan)

    def _build_tools(self) -> None:
        """Make the sources of tools and what may run; both are opened later."""
        from vllm_tui.wiring.tools import build_policy, build_sources

        self._tools = build_sources(self.settings, self._data_folder, demo=self._demo)
        self._tools.registry.switch(HAND_TOOL, is_enabled=False)
        self._policy = build_policy(self.settings)

    def _new_toolbox(self) -> CheckedToolbox:
        """Return the tools of a new conversation."""
        from vllm_tui.tools.toolbox import CheckedToolbox
        from vllm_tui.wiring.tools import limits_of

        self.tools = CheckedToolbox(
            self._tools.registry,
            self._policy,
            self._approver,
            limits=limits_of(self.settings),
            on_change=self._on_call,
        )
        return self.tools

    def _limit_tools(self, settings: Settings) -> None:
        from vllm_tui.wiring.tools import limits_of

        if self._policy is not None:
            self._policy.runs_pure = settings.text("tool_approval") == "machine"
        if self.tools is not None:
            self.tools.limits = limits_of(settings)

    def _wire_log(self) -> WireLog:
        """Return the log of the traffic, made before the first provider."""
        if self.wire is None:
            from vllm_tui.wiring import wire_parts
            from vllm_tui.wiring.wire_log import WireLog

            self.wire = WireLog(
                lambda: wire_parts.secrets_of(self.settings, *self._keys),
                lambda: wire_parts.describe(self.settings, "demo" if self._demo else self.settings.shown("base_url")),
                self._send_again,
            )
        return self.wire

    async def _send_again(self, request: RecordedRequest, profile: str | None) -> Take:
        from vllm_tui.wiring import wire_parts

        settings = None if profile is None else self.settings.with_profile(profile)
        return await wire_parts.repeat(request, settings, self._provider.config, demo=self._demo)
