"""Tells whether the program that runs a turn still lives: it holds a locked file, which the kernel frees."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path

from vllm_tui.domain.errors import StorageError
from vllm_tui.store.folder import make_private

_SETTLING_SECONDS = 60.0


class Owner:
    """The mark of this process: `folder/ID`, locked until `close` or the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex
        self._path = folder / self.id
        try:
            make_private(folder)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise StorageError(
                f"{folder} can't be used: {(problem.strerror or str(problem)).lower()}.",
                hint="Check its permissions and the space on the disk, or run without saving.",
            ) from problem

    def close(self) -> None:
        """Take the mark away."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._handle)


def is_alive(folder: Path, owner: str | None) -> bool:
    """Return whether the process with that mark still runs."""
    return owner is not None and _is_locked(folder / owner)


def forget_dead_owners(folder: Path) -> None:
    """Remove marks that killed processes left; fresh ones are spared, as their lock may be on its way."""
    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _SETTLING_SECONDS and not _is_locked(path):
                path.unlink()


def _is_locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
