"""Starts the program on the screen."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vllm_tui.domain.hygiene import clean_line
from vllm_tui.provider.addresses import is_local
from vllm_tui.settings.layers import Settings
from vllm_tui.wiring.backend import LiveBackend
from vllm_tui.wiring.parts import data_folder_of

if TYPE_CHECKING:
    from vllm_tui.ui.launch import Launch, Sample

SLOW_LINK_RATE, SLOW_LINK_FRAMES = 4, "8"
DEMO_SERVER = "demo server"


def build_launch(settings: Settings, *, demo: bool, resume_last: bool) -> Launch:
    """Return what the screen shows before anything heavy is loaded."""
    from vllm_tui.settings.secrets import warnings_of
    from vllm_tui.ui.launch import Launch

    base_url = settings.text("base_url")
    display = settings.text("reasoning_display")
    return Launch(
        server=DEMO_SERVER if demo else server_name(base_url),
        model=settings.text("default_model"),
        data_folder=data_folder_of(settings),
        is_local=demo or is_local(base_url),
        effort=settings.text_or_none("reasoning"),
        theme=settings.text("theme"),
        reasoning_mode="show" if display == "show" else "hide" if display == "hide" else "collapse",
        sidebar=settings.is_on("sidebar"),
        rate=SLOW_LINK_RATE if settings.is_on("slow_link") else settings.integer("update_rate"),
        demo=demo,
        resume=resume_last,
        max_tokens=settings.integer("max_tokens"),
        instructions=settings.text_or_none("instructions"),
        max_tool_rounds=settings.integer("max_tool_rounds"),
        samples=demo_samples() if demo else (),
        warnings=() if demo else warnings_of(settings),
    )


def server_name(base_url: str) -> str:
    """Return host and port of an address as the top line shows them."""
    parts = urlsplit(base_url)
    return parts.netloc.rpartition("@")[2] or base_url


def demo_samples() -> tuple[Sample, ...]:
    """Return the failures the demo can act out, for the palette."""
    from vllm_tui.demo.failures import FAILURES
    from vllm_tui.ui.launch import Sample

    return tuple(Sample(failure.description, failure.prompt) for failure in FAILURES)


def run_app(settings: Settings, *, demo: bool = False, resume_last: bool = False) -> int:
    """Show the chat until the person quits; return the exit code."""
    if settings.is_on("slow_link"):
        os.environ.setdefault("TEXTUAL_FPS", SLOW_LINK_FRAMES)  # read when textual is imported
    from vllm_tui.ui.app import ChatApp

    launch = build_launch(settings, demo=demo, resume_last=resume_last)
    backend = LiveBackend(settings, launch.data_folder, demo=demo)
    app = ChatApp(launch, backend)
    app.run(mouse=settings.is_on("mouse"))
    for notice in backend.notices:
        print(f"vllm-tui: {clean_line(notice)}", file=sys.stderr)
    if app.was_used and app.return_code == 0:
        print("resume: vllm-tui -c" + (" --demo" if demo else ""), file=sys.stderr)
    return app.return_code or 0
