"""Keys: commands that print them, and warnings about places where others can read them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import clean_line

KEY_COMMAND_SECONDS = 15.0
"""How long `api_key_command` may run."""


def run_key_command(command: tuple[str, ...], environ: Mapping[str, str], seconds: float = KEY_COMMAND_SECONDS) -> str:
    """Return the first line that `command` prints, run without a shell; errors never quote its output."""
    name = clean_line(command[0]) if command else ""
    try:
        run = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=dict(environ), check=False
        )
    except subprocess.TimeoutExpired:
        raise _failed(name, f"gave no answer within {seconds:g} s") from None
    except OSError as error:
        raise _failed(name, f"could not be started: {error.strerror or error}") from None
    if run.returncode != 0:
        raise _failed(name, f"ended with status {run.returncode}")
    lines = run.stdout.decode("utf-8", "replace").strip().splitlines()
    key = lines[0].strip() if lines else ""
    if not key or any(not "!" <= character <= "~" for character in key):
        raise _failed(name, "printed no key (one line of printable ASCII without spaces)")
    return key


def _failed(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"api_key_command: {name} {what}.", hint="Run it by hand, or set VLLM_API_KEY.")
