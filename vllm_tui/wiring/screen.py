"""Starts the program on the screen."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vllm_tui.domain.hygiene import clean_line
from vllm_tui.settings.layers import Settings
from vllm_tui.wiring.backend import LiveBackend
from vllm_tui.wiring.parts import data_folder_of

if TYPE_CHECKING:
    from vllm_tui.ui.launch import Launch, Sample

SLOW_LINK_FRAMES = "8"


def build_launch(settings: Settings, *, demo: bool, resume_last: bool) -> Launch:
    """Return what the screen shows before anything heavy is loaded."""
    from vllm_tui.settings.secrets import warnings_of
    from vllm_tui.ui.launch import Launch, demo_launch, with_settings

    launch = Launch(
        server="",
        model="",
        data_folder=data_folder_of(settings),
        resume=resume_last,
        samples=demo_samples(),
        first_run=not demo and not settings.document.text and settings.origin("base_url").layer == "default",
        warnings=() if demo else warnings_of(settings),
    )
    launch = with_settings(launch, settings)
    return demo_launch(launch) if demo else launch


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
