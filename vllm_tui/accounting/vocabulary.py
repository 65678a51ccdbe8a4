"""The vocabulary files: where they are, whether they are whole, and how to put them there without a network."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

BASE_VARIABLE = "TIKTOKEN_ENCODINGS_BASE"
"""Names the folder with the files under their plain names; openai-harmony and this program read it."""
CACHE_VARIABLE = "TIKTOKEN_RS_CACHE_DIR"
"""openai-harmony keeps its own downloads there, each named by the SHA-1 of its URL."""
DEFAULT_URL = "https://openaipublic.blob.core.windows.net/encodings/"
OFFLINE_PACKAGE = "bpe_openai"
"""The package of the extra `offline`; it carries the same files, gzipped."""

FileState = Literal["ok", "missing", "damaged", "unreadable"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One vocabulary file: its name, size in bytes, SHA-256, and whether gpt-oss needs it."""

    file_name: str
    size: int
    sha256: str
    is_needed: bool

    @property
    def url(self) -> str:
        """Return where the file is published."""
        return DEFAULT_URL + self.file_name

    @property
    def cache_name(self) -> str:
        """Return the name the file has inside TIKTOKEN_RS_CACHE_DIR."""
        return hashlib.sha1(self.url.encode(), usedforsecurity=False).hexdigest()


O200K = Vocabulary(
    "o200k_base.tiktoken", 3_613_922, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", True
)
CL100K = Vocabulary(
    "cl100k_base.tiktoken", 1_681_126, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", False
)
VOCABULARIES = (O200K, CL100K)


class VocabularyUnusable(Exception):
    """A vocabulary file is missing, damaged or can't be loaded; `path` names it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What is at `path`: its state, size in bytes and SHA-256 (None where it can't be read)."""

    vocabulary: Vocabulary
    path: Path
    state: FileState
    size: int | None = None
    sha256: str | None = None
    problem: str = ""


def vocabulary_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder in use: TIKTOKEN_ENCODINGS_BASE if set, else ~/.amplifier/cache/vocab."""
    environment = os.environ if environment is None else environment
    named = environment.get(BASE_VARIABLE, "").strip()
    return Path(named).expanduser() if named else default_folder()


def default_folder() -> Path:
    """Return ~/.amplifier/cache/vocab."""
    return Path.home() / ".amplifier" / "cache" / "vocab"


def file_status(vocabulary: Vocabulary, folder: Path) -> FileStatus:
    """Return the state of one file; reads all of it (20 ms)."""
    path = folder / vocabulary.file_name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return FileStatus(vocabulary, path, "missing")
    except OSError as error:
        return FileStatus(vocabulary, path, "unreadable", problem=error.strerror or str(error))
    digest = hashlib.sha256(data).hexdigest()
    if digest == vocabulary.sha256:
        return FileStatus(vocabulary, path, "ok", len(data), digest)
    return FileStatus(vocabulary, path, "damaged", len(data), digest, "the content is not that of the published file")


def is_in_place(vocabulary: Vocabulary, folder: Path) -> bool:
    """Return whether a file of the right size is there, without reading it."""
    try:
        return (folder / vocabulary.file_name).stat().st_size == vocabulary.size
    except OSError:
        return False


def recognise(data: bytes) -> Vocabulary | None:
    """Return which vocabulary `data` is, by its SHA-256."""
    digest = hashlib.sha256(data).hexdigest()
    return next((entry for entry in VOCABULARIES if entry.sha256 == digest), None)


def install_file(source: Path, folder: Path) -> FileStatus:
    """Put `source` (plain or gzipped, under any name) into `folder`, checked and in one step.

    Raises VocabularyUnusable when the content is no known vocabulary, OSError when a file can't be read or written.
    """
    data = source.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise VocabularyUnusable(source, f"the gzip file is damaged ({error})") from error
    vocabulary = recognise(data)
    if vocabulary is None:
        names = " or ".join(entry.file_name for entry in VOCABULARIES)
        raise VocabularyUnusable(source, f"this is not {names} ({len(data):,} bytes, another SHA-256)")
    write_whole(folder / vocabulary.file_name, data)
    return FileStatus(vocabulary, folder / vocabulary.file_name, "ok", len(data), vocabulary.sha256)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees all of it or nothing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_beside(path) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)


@contextlib.contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def is_package_present() -> bool:
    """Return whether the extra `offline` is installed."""
    return find_spec(OFFLINE_PACKAGE) is not None


def _package_folder() -> Path:
    # Found, not imported: importing it would load a tokenizer of its own.
    spec = find_spec(OFFLINE_PACKAGE)
    places = (spec.submodule_search_locations if spec else None) or ()
    return Path(next(iter(places), OFFLINE_PACKAGE))


def read_from_package(vocabulary: Vocabulary) -> bytes:
    """Return the file as the package `bpe-openai` carries it, checked; needs no network.

    Raises VocabularyUnusable when the package is not installed or carries another file.
    """
    name = f"{vocabulary.file_name}.gz"
    place = Path(OFFLINE_PACKAGE) / "data" / name
    if not is_package_present():
        raise VocabularyUnusable(place, "the extra `offline` is not installed")
    try:
        data = gzip.decompress(_package_folder().joinpath("data", name).read_bytes())
    except (OSError, EOFError) as error:
        raise VocabularyUnusable(place, str(error)) from error
    if hashlib.sha256(data).hexdigest() != vocabulary.sha256:
        raise VocabularyUnusable(place, "the package carries another file")
    return data
