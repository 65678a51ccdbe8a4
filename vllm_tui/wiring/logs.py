"""Puts the program's log lines into the debug log, `[TOKEN_ACCOUNTING]` among them, while `debug` is on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vllm_tui.wiring.parts import debug_log_of

if TYPE_CHECKING:
    from vllm_tui.provider.debug_log import DebugLog
    from vllm_tui.settings.layers import Settings

_LOGGER = "vllm_tui"


class DebugLogHandler(logging.Handler):
    """Writes each record as an event `log`."""

    def __init__(self, log: DebugLog) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._log.emit("log", {"level": record.levelname.lower(), "message": record.getMessage()})

    def close(self) -> None:
        """Close the file."""
        self._log.close()
        super().close()


def keep_logs(settings: Settings) -> None:
    """Begin, or stop, to write log lines to the debug log as `debug` says."""
    logger = logging.getLogger(_LOGGER)
    for handler in [item for item in logger.handlers if isinstance(item, DebugLogHandler)]:
        logger.removeHandler(handler)
        handler.close()
    path = debug_log_of(settings)
    if path is None:
        logger.setLevel(logging.NOTSET)
        return
    from vllm_tui.provider.debug_log import DebugLog

    length = max(settings.integer("debug_truncate_length"), 180)
    logger.addHandler(DebugLogHandler(DebugLog(path, length, False, (settings.text("api_key"),))))
    logger.setLevel(logging.INFO)
