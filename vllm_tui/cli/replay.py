"""`vllm-tui replay`: plays a cassette through the whole program, with no server."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ConfigurationError, ProtocolError

if TYPE_CHECKING:
    from vllm_tui.settings.layers import Settings

_EPILOG = """\
The recorded questions are asked again in order, the answers come from the file at the pace they came then. Tools of
the recording answer as they did. Nothing is saved. Save a cassette in the wire view (F7, t).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vllm-tui replay`."""
    parser.add_argument("file", metavar="FILE", help="a cassette")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="2 plays twice as fast, inf at once [1]")
    parser.epilog = _EPILOG


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show the recorded session; raises ConfigurationError when there is none to show."""
    from vllm_tui.cassette.cassette import read_cassette
    from vllm_tui.cli.main import require_terminal

    if math.isnan(arguments.speed) or arguments.speed <= 0:
        raise ConfigurationError("--speed must be above 0.")
    try:
        cassette = read_cassette(Path(arguments.file))
    except ProtocolError as error:
        raise ConfigurationError(str(error)) from error
    if not cassette.exchanges:
        raise ConfigurationError(f"{arguments.file} holds no exchange.", hint="Save one in the wire view: F7, t.")
    require_terminal(os.environ)
    run_replay: Callable[..., int] = import_module("vllm_tui.wiring.replay").run_replay
    return run_replay(settings, cassette, arguments.file, arguments.speed)
