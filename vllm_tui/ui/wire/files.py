"""Writes what is taken away: into the data folder, for its owner alone, never over another file."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from vllm_tui.domain.errors import StorageError

FOLDER = "taken"


def keep_taken(folder: Path, name: str, ending: str, text: str, now: datetime | None = None) -> Path:
    """Write `text` to a new file `name-DATE.ending` below `folder`; return its path. Raises StorageError."""
    place = folder / FOLDER
    stamp = (now or datetime.now().astimezone()).strftime("%Y%m%d-%H%M%S")
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in range(1, 1000):
            again = "" if number == 1 else f"-{number}"
            path = place / f"{name}-{stamp}{again}.{ending}"
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except FileExistsError:
                continue
            try:
                with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
                    file.write(text)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            return path
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"Nothing was written to {place}: {reason}."
        raise StorageError(message, hint="Free some space, or choose another data_folder.") from error
    raise StorageError(f"There are too many files called {name}-{stamp} in {place}.")
