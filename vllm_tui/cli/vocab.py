"""`vllm-tui vocab`: where the vocabulary files are, whether they are whole, and how to put them there."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.accounting.download import Downloader, DownloadFailed, Progress
from vllm_tui.accounting.vocabulary import (
    BASE_VARIABLE,
    CACHE_VARIABLE,
    O200K,
    VOCABULARIES,
    FileStatus,
    Vocabulary,
    VocabularyUnusable,
    file_status,
    install_file,
    is_package_present,
    read_from_package,
    vocabulary_folder,
    write_whole,
)
from vllm_tui.domain.hygiene import clean_line

if TYPE_CHECKING:
    from vllm_tui.settings.layers import Settings

_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions: status, install, verify."""
    actions = parser.add_subparsers(dest="action", metavar="status|install|verify")
    actions.add_parser("status", help="show folder, files, sizes, hashes and the environment variables")
    install = actions.add_parser("install", help="put files in place; without FILE from the extra `offline` or the net")
    install.add_argument("files", nargs="*", metavar="FILE", help="a vocabulary file under any name, gzipped or not")
    actions.add_parser("verify", help="check the files; the exit code is 1 when the needed one is not whole")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run one action; returns 0, or 1 when it failed."""
    folder = vocabulary_folder()
    match getattr(arguments, "action", None):
        case "install":
            return _install([Path(name) for name in arguments.files], folder, str(settings.value("vocab_download")))
        case "verify":
            return _verify(folder)
        case _:
            return _show_status(folder)


def _show_status(folder: Path) -> int:
    named = os.environ.get(BASE_VARIABLE)
    print(f"Folder   {clean_line(str(folder))}")
    print(f"         {'named by ' + BASE_VARIABLE if named else 'the default; ' + BASE_VARIABLE + ' is not set'}")
    print()
    for vocabulary in VOCABULARIES:
        _print_file(file_status(vocabulary, folder))
    print(f"Extra `offline` (package bpe-openai): {'installed' if is_package_present() else 'not installed'}")
    print()
    _print_variables()
    return 0


def _print_file(status: FileStatus) -> None:
    vocabulary = status.vocabulary
    need = "needed for gpt-oss" if vocabulary.is_needed else "not needed by gpt-oss"
    size = "" if status.size is None else f", {status.size:,} bytes"
    print(f"{vocabulary.file_name}  {status.state}{size} ({need})")
    print(f"  expected {vocabulary.size:,} bytes, SHA-256 {vocabulary.sha256}")
    if status.sha256 is not None and status.sha256 != vocabulary.sha256:
        print(f"  found    {status.size:,} bytes, SHA-256 {status.sha256}")
    if status.problem:
        print(f"  {clean_line(status.problem)}")
    print(f"  from     {vocabulary.url}")
    print()


def _print_variables() -> None:
    base, cache = os.environ.get(BASE_VARIABLE), os.environ.get(CACHE_VARIABLE)
    print(f"{BASE_VARIABLE} = {clean_line(base) if base else '(not set)'}")
    print(
        f"  A folder with the files under their plain names, such as {O200K.file_name}. This program uses it as it is."
    )
    print(f"{CACHE_VARIABLE} = {clean_line(cache) if cache else '(not set)'}")
    print("  A cache of openai-harmony, where each file is named by the SHA-1 of its address:")
    for vocabulary in VOCABULARIES:
        print(f"  {vocabulary.file_name} -> {vocabulary.cache_name}")
    print("  Files with plain names are not found there. This program does not use it.")


def _verify(folder: Path) -> int:
    statuses = [file_status(vocabulary, folder) for vocabulary in VOCABULARIES]
    for status in statuses:
        print(f"{clean_line(str(status.path))}: {status.state}{': ' + status.problem if status.problem else ''}")
    if all(status.state == "ok" for status in statuses if status.vocabulary.is_needed):
        return 0
    print(f"Without {O200K.file_name} counts are estimates. Use: vllm-tui vocab install FILE", file=sys.stderr)
    return _FAILED


def _install(files: list[Path], folder: Path, policy: str) -> int:
    if not files:
        return _install_without_file(folder, policy)
    failed = False
    for path in files:
        try:
            status = install_file(path, folder)
        except VocabularyUnusable as error:
            print(f"Not installed: {clean_line(str(error))}.", file=sys.stderr)
            failed = True
        except OSError as error:
            where = error.filename or path
            print(f"Not installed: {clean_line(str(where))}: {error.strerror or error}.", file=sys.stderr)
            failed = True
        else:
            _say_installed(status.vocabulary, folder)
    return _FAILED if failed else 0


def _install_without_file(folder: Path, policy: str) -> int:
    try:
        if is_package_present():
            write_whole(folder / O200K.file_name, read_from_package(O200K))
        elif policy == "never":
            message = "Downloads are forbidden (vocab_download = never). Use: vllm-tui vocab install FILE"
            print(message, file=sys.stderr)
            return _FAILED
        else:
            Downloader(on_progress=_show_progress).fetch(O200K, folder)
    except (VocabularyUnusable, DownloadFailed) as error:
        print(f"Not installed: {clean_line(str(error))}", file=sys.stderr)
        return _FAILED
    except OSError as error:
        print(f"Not installed: {clean_line(str(folder))}: {error.strerror or error}.", file=sys.stderr)
        return _FAILED
    _say_installed(O200K, folder)
    return 0


def _show_progress(progress: Progress) -> None:
    if sys.stderr.isatty():
        end = "\n" if progress.received >= progress.total else "\r"
        print(f"{progress.file_name}  {progress.received * 100 // progress.total:3} %", end=end, file=sys.stderr)


def _say_installed(vocabulary: Vocabulary, folder: Path) -> None:
    print(
        f"Installed {vocabulary.file_name} ({vocabulary.size:,} bytes, SHA-256 checked) in {clean_line(str(folder))}."
    )
