"""Gets the encoder ready in a thread of its own, and says how far it is."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vllm_tui.accounting.download import Downloader, DownloadFailed, Progress
from vllm_tui.accounting.vocabulary import (
    BASE_VARIABLE,
    DEFAULT_URL,
    O200K,
    VocabularyUnusable,
    default_folder,
    file_status,
    is_in_place,
    is_package_present,
    read_from_package,
    vocabulary_folder,
    write_whole,
)

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder

LOG_PREFIX = "[TOKEN_ACCOUNTING]"
logger = logging.getLogger(__name__)

DownloadPolicy = Literal["ask", "always", "never"]
SourcePhase = Literal["idle", "asking", "downloading", "loading", "ready", "unavailable"]


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far the encoder is; `asking` waits for `allow_download`. Bytes while downloading, words when it failed."""

    phase: SourcePhase = "idle"
    received: int = 0
    total: int = 0
    message: str = ""
    hint: str = ""


class EncoderSource:
    """Owns the one encoder of the program.

    `start` returns at once. `on_change` is called from the thread with every new state. A failed start can be
    repeated, for example after `vllm-tui vocab install`.
    """

    def __init__(
        self,
        policy: DownloadPolicy = "ask",
        *,
        folder: Path | None = None,
        base_url: str = DEFAULT_URL,
        on_change: Callable[[SourceState], None] = lambda state: None,
        downloader: Downloader | None = None,
    ) -> None:
        self._policy = policy
        self._folder = folder or vocabulary_folder()
        self._is_named = folder is None and bool(os.environ.get(BASE_VARIABLE, "").strip())
        self._on_change = on_change
        self._downloader = downloader or Downloader(base_url)
        self._encoder: Encoder | None = None
        self._state = SourceState()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @property
    def state(self) -> SourceState:
        """Return how far the encoder is."""
        return self._state

    @property
    def encoder(self) -> Encoder | None:
        """Return the encoder once it is ready, else None; never waits."""
        return self._encoder

    def start(self) -> None:
        """Begin to load in the background unless that is done or under way."""
        with self._lock:
            if self._encoder is None and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="vocabulary", daemon=True)
                self._thread.start()

    def allow_download(self) -> None:
        """Permit the download that the state `asking` waits for."""
        if self._policy == "ask":
            self._policy = "always"
        self.start()

    def retry_if_installed(self) -> bool:
        """Start again when the file has come in place since; cheap enough to ask before every request."""
        is_waiting = self._encoder is None and self._state.phase in ("asking", "unavailable")
        if not is_waiting or not is_in_place(O200K, self._folder):
            return False
        self.start()
        return True

    def wait(self, timeout: float | None = None) -> Encoder | None:
        """Wait up to `timeout` seconds for the thread; for commands without a screen."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._encoder

    def stop(self) -> None:
        """Make a running download end soon; what arrived is kept for the next time."""
        self._stopped.set()

    def _run(self) -> None:
        try:
            if not self._prepare_file():
                return
            self._change(SourceState("loading"))
            logger.info("%s Using vocab files from %s", LOG_PREFIX, _shown(self._folder))
            self._encoder = self._load()
            self._change(SourceState("ready"))
        except (VocabularyUnusable, DownloadFailed, OSError) as error:
            logger.warning("%s No exact token counts: %s", LOG_PREFIX, error)
            hint = getattr(error, "hint", "") or "Use: vllm-tui vocab status"
            self._change(SourceState("unavailable", message=getattr(error, "message", str(error)), hint=hint))

    def _load(self) -> Encoder:
        from vllm_tui.accounting.encoder import load_encoder

        encoder = load_encoder(self._folder)
        logger.info("%s Loaded Harmony GPT-OSS encoder", LOG_PREFIX)
        return encoder

    def _prepare_file(self) -> bool:
        status = file_status(O200K, self._folder)
        if status.state == "ok":
            return True
        if self._is_named:
            raise VocabularyUnusable(
                status.path, f"{status.problem or status.state} ({BASE_VARIABLE} names this folder)"
            )
        if is_package_present():
            write_whole(status.path, read_from_package(O200K))
            logger.info("%s Copied %s from the package bpe-openai", LOG_PREFIX, O200K.file_name)
            return True
        return self._download()

    def _download(self) -> bool:
        if self._policy == "ask":
            self._change(SourceState("asking", total=O200K.size, hint="Exact counts need one download of 3.6 MB."))
            return False
        if self._policy == "never":
            raise DownloadFailed("The vocabulary is not here and may not be downloaded.", _INSTALL_HINT)
        logger.info("%s Downloading Harmony vocab files to %s/...", LOG_PREFIX, _shown(self._folder))
        self._change(SourceState("downloading", 0, O200K.size))
        downloader = replace(self._downloader, on_progress=self._tell, is_stopped=self._stopped.is_set)
        path = downloader.fetch(O200K, self._folder)
        logger.info("%s Downloaded %s (%d bytes)", LOG_PREFIX, path.name, O200K.size)
        return True

    def _tell(self, progress: Progress) -> None:
        self._change(SourceState("downloading", progress.received, progress.total))

    def _change(self, state: SourceState) -> None:
        self._state = state
        self._on_change(state)


_INSTALL_HINT = "Use: vllm-tui vocab install FILE"


def _shown(folder: Path) -> str:
    return "~/.amplifier/cache/vocab" if folder == default_folder() else str(folder)
