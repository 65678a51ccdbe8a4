"""Fetches a vocabulary file: checked, resumable, in one step, safe beside other processes doing the same."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vllm_tui.accounting.vocabulary import DEFAULT_URL, Vocabulary, file_status

_CHUNK = 64 * 1024
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_AGENT = "vllm-tui (vocabulary)"


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of one file that are here, of how many."""

    file_name: str
    received: int
    total: int


class DownloadFailed(Exception):
    """A vocabulary file could not be fetched; `hint` is the next step for a person."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message if not hint else f"{message} {hint}")
        self.message = message
        self.hint = hint


class _TryAgain(Exception):
    """This attempt failed in a way that may pass."""


@dataclass(frozen=True, slots=True)
class Downloader:
    """How to fetch: from where, how patiently, and whom to tell.

    `timeout` is seconds without a byte, `deadline` seconds for one file in all. `on_progress` is called from the
    thread that downloads. `is_stopped` is asked between chunks.
    """

    base_url: str = DEFAULT_URL
    timeout: float = 15.0
    deadline: float = 900.0
    attempts: int = 4
    first_pause: float = 0.5
    on_progress: Callable[[Progress], None] = lambda progress: None
    is_stopped: Callable[[], bool] = lambda: False
    pause: Callable[[float], None] = time.sleep

    def fetch(self, vocabulary: Vocabulary, folder: Path) -> Path:
        """Return the path of the file, downloaded unless it is there already. Raises DownloadFailed.

        Blocks; call it in a thread. A partial file stays behind for the next time. A second process waits for
        the first and then finds the file in place.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(folder / f".{vocabulary.file_name}.lock", self.deadline, self.is_stopped):
                if file_status(vocabulary, folder).state == "ok":
                    return folder / vocabulary.file_name
                return self._fetch_locked(vocabulary, folder)
        except OSError as error:
            if error.errno in _NO_SPACE:
                (folder / f".{vocabulary.file_name}.part").unlink(missing_ok=True)
            raise DownloadFailed(*_disk_words(error, folder)) from error

    def _fetch_locked(self, vocabulary: Vocabulary, folder: Path) -> Path:
        part = folder / f".{vocabulary.file_name}.part"
        end = time.monotonic() + self.deadline
        reason = ""
        for attempt in range(self.attempts):
            if attempt:
                self.pause(self.first_pause * 2 ** (attempt - 1))
            try:
                self._receive(vocabulary, part, end)
                return _take(vocabulary, part, folder)
            except _TryAgain as problem:
                reason = str(problem)
        raise DownloadFailed(
            f"{vocabulary.file_name} could not be fetched from {self.base_url}: {reason}.",
            "Fetch the file elsewhere and use: vllm-tui vocab install FILE",
        )

    def _receive(self, vocabulary: Vocabulary, part: Path, end: float) -> None:
        have = _size_of(part)
        if have == vocabulary.size:
            return
        if have > vocabulary.size:
            part.unlink()
            have = 0
        with self._open(vocabulary, have) as reply:
            resumed = have > 0 and reply.status == http.HTTPStatus.PARTIAL_CONTENT
            with part.open("ab" if resumed else "wb") as file:
                have = self._save(vocabulary, reply, file, have if resumed else 0, end)
        if have < vocabulary.size:
            raise _TryAgain(f"the connection broke off after {have:,} of {vocabulary.size:,} bytes")

    def _save(
        self, vocabulary: Vocabulary, reply: http.client.HTTPResponse, file: IO[bytes], have: int, end: float
    ) -> int:
        for chunk in _chunks(reply):
            if self.is_stopped():
                raise DownloadFailed(f"The download of {vocabulary.file_name} was stopped.")
            if time.monotonic() > end:
                raise _TryAgain(f"it took longer than {self.deadline:g} s")
            file.write(chunk)
            have += len(chunk)
            self.on_progress(Progress(vocabulary.file_name, have, vocabulary.size))
            if have > vocabulary.size:
                break
        return have

    @contextlib.contextmanager
    def _open(self, vocabulary: Vocabulary, have: int) -> Iterator[http.client.HTTPResponse]:
        url = self.base_url.rstrip("/") + "/" + vocabulary.file_name
        if not url.startswith(("https://", "http://")):
            raise DownloadFailed(f"{url} is not an http address.")
        headers = {"User-Agent": _AGENT, **({"Range": f"bytes={have}-"} if have else {})}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked above
        try:
            reply = urllib.request.urlopen(request, timeout=self.timeout)  # noqa: S310 - the scheme is checked above
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error, url) from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise _TryAgain(_network_words(error)) from error
        with reply:
            yield reply


def _refusal(error: urllib.error.HTTPError, url: str) -> Exception:
    if error.code >= 500 or error.code in (408, 425, 429):
        return _TryAgain(f"the server answered {error.code}")
    if error.code == 416:
        return _TryAgain("the server can't go on where the last download ended")
    hint = "Fetch the file elsewhere and use: vllm-tui vocab install FILE"
    return DownloadFailed(f"{url} answered {error.code} {error.reason}.", hint)


def _chunks(reply: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = reply.read(_CHUNK)
        except http.client.IncompleteRead as error:
            chunk = error.partial
        except (http.client.HTTPException, OSError) as error:
            raise _TryAgain(_network_words(error)) from error
        if not chunk:
            return
        yield chunk


def _take(vocabulary: Vocabulary, part: Path, folder: Path) -> Path:
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    if digest != vocabulary.sha256:
        part.unlink()
        raise _TryAgain("what arrived is not the published file (its SHA-256 differs); a proxy may have changed it")
    target = folder / vocabulary.file_name
    part.replace(target)
    return target


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _network_words(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "nothing arrived in time"
    return str(reason) or type(reason).__name__


def _disk_words(error: OSError, folder: Path) -> tuple[str, str]:
    where = error.filename or folder
    if error.errno in _NO_SPACE:
        return f"No space is left for the vocabulary in {folder}.", "Free 4 MB, or point HOME to a disk with room."
    return f"{where} can't be written: {error.strerror or error}.", "Check its permissions."


@contextlib.contextmanager
def _locked(path: Path, deadline: float, is_stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock file while one process downloads; it stays behind, empty."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + deadline
        while not _try_lock(handle):
            if is_stopped() or time.monotonic() > end:
                raise DownloadFailed("Another process has been downloading the vocabulary for too long.")
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks here: the last process to finish wins, with the same bytes
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
