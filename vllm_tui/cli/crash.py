"""What a crash prints: the traceback, with keys masked."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import urlsplit

from vllm_tui.settings.kinds import MASK
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.options import OPTIONS


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return the texts in `settings` that must never be printed."""
    secret = [option for option in OPTIONS if option.secret]
    values = [settings.value(option.name) for option in secret if settings.value(option.name) != option.default]
    password = urlsplit(settings.text("base_url")).password
    return tuple(text for text in (*values, password) if isinstance(text, str) and text)


def mask_tracebacks(secrets: Iterable[str]) -> None:
    """Mask `secrets` in the traceback of any exception that ends the program."""
    hidden = tuple(secrets)

    def print_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        import traceback

        text = "".join(traceback.format_exception(kind, error, trace))
        for secret in hidden:
            text = text.replace(secret, MASK)
        sys.stderr.write(text)

    sys.excepthook = print_masked
