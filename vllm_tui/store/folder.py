"""The data folder and its files, readable by their owner alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from vllm_tui.domain.errors import StorageError

FILE_NAME = "conversations.db"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_ELSEWHERE = "Choose another data folder, or run without saving."


def prepare_folder(folder: Path) -> None:
    """Make `folder` (mode 0700 whatever the umask; one that is there stays as it is); StorageError on failure."""
    try:
        make_private(folder)
    except (FileExistsError, NotADirectoryError) as problem:
        raise StorageError(f"{folder} can't hold conversations: it is not a folder.", hint=_ELSEWHERE) from problem
    except OSError as problem:
        raise _refused(folder, problem) from problem


def make_private(folder: Path) -> None:
    """Make a folder and its parents, unless another program just did; raises OSError."""
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(_FOLDER_MODE)


def prepare_file(path: Path) -> None:
    """Make sure `path` is a plain file with mode 0600 before SQLite opens it; a link is refused."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _FILE_MODE)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise StorageError(
                f"{path} is a symbolic link, which is not followed.", hint="Replace it with the file it points to."
            ) from problem
        raise _refused(path, problem) from problem
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise StorageError(f"{path} is not a plain file.", hint=_ELSEWHERE)
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != _FILE_MODE:
            os.fchmod(handle, _FILE_MODE)
    finally:
        os.close(handle)


def set_aside(path: Path, stamp: str) -> Path:
    """Rename a damaged database and its companions so that nothing is lost; return the new name."""
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        for suffix in ("-wal", "-shm", ""):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.rename(aside.with_name(aside.name + suffix))
    except OSError as problem:
        raise _refused(path, problem) from problem
    return aside


def _refused(path: Path, problem: OSError) -> StorageError:
    reason = (problem.strerror or str(problem)).lower()
    return StorageError(f"{path} can't be used: {reason}.", hint=f"Check its permissions. {_ELSEWHERE}")
