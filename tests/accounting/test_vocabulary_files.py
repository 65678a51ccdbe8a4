"""Vocabulary files: where they are looked for, whether they are whole, how they are put in place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from vllm_tui.accounting import vocabulary
from vllm_tui.accounting.vocabulary import (
    BASE_VARIABLE,
    CL100K,
    O200K,
    FileStatus,
    VocabularyUnusable,
    file_status,
    install_file,
    is_in_place,
    read_from_package,
    vocabulary_folder,
)


def test_the_variable_wins_over_the_default_folder(own_home: Path) -> None:
    assert vocabulary_folder({BASE_VARIABLE: "/srv/vocab"}) == Path("/srv/vocab")
    assert vocabulary_folder({BASE_VARIABLE: "~/vocab"}) == own_home / "vocab"
    assert vocabulary_folder({BASE_VARIABLE: " "}) == own_home / ".amplifier/cache/vocab"
    assert vocabulary_folder({}) == own_home / ".amplifier/cache/vocab"


def test_the_addresses_are_the_documented_ones() -> None:
    place = "https://openaipublic.blob.core.windows.net/encodings/"
    assert [O200K.url, CL100K.url] == [f"{place}o200k_base.tiktoken", f"{place}cl100k_base.tiktoken"]
    assert O200K.cache_name == "fb374d419588a4632f3f557e76b4b70aebbca790"


def test_the_state_of_a_file_is_told(tmp_path: Path, vocabulary_file: Path) -> None:
    assert file_status(O200K, tmp_path) == FileStatus(O200K, tmp_path / O200K.file_name, "missing")
    assert file_status(O200K, vocabulary_file.parent) == FileStatus(
        O200K, vocabulary_file, "ok", O200K.size, O200K.sha256
    )
    (tmp_path / O200K.file_name).write_bytes(vocabulary_file.read_bytes()[:-1])
    cut = file_status(O200K, tmp_path)
    assert (cut.state, cut.size, cut.problem) == (
        "damaged",
        O200K.size - 1,
        "the content is not that of the published file",
    )
    (tmp_path / CL100K.file_name).mkdir()
    assert file_status(CL100K, tmp_path).state == "unreadable"


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_a_file_is_installed_under_its_own_name(tmp_path: Path, vocabulary_file: Path, is_gzipped: bool) -> None:
    data = vocabulary_file.read_bytes()
    given = tmp_path / "download (1)"
    given.write_bytes(gzip.compress(data, 1) if is_gzipped else data)
    folder = tmp_path / "vocab"
    assert install_file(given, folder) == FileStatus(O200K, folder / O200K.file_name, "ok", O200K.size, O200K.sha256)
    assert [path.name for path in folder.iterdir()] == [O200K.file_name]
    assert is_in_place(O200K, folder)


@pytest.mark.parametrize("content", [b"<html>", b"\x1f\x8bno gzip", b""])
def test_another_file_is_not_installed(tmp_path: Path, content: bytes) -> None:
    given = tmp_path / "file"
    given.write_bytes(content)
    with pytest.raises(VocabularyUnusable):
        install_file(given, tmp_path / "vocab")
    assert not (tmp_path / "vocab").exists()


def test_the_package_carries_both_files() -> None:
    assert [len(read_from_package(entry)) for entry in (O200K, CL100K)] == [O200K.size, CL100K.size]


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "OFFLINE_PACKAGE", "no_such_package")
    with pytest.raises(VocabularyUnusable, match="the extra `offline` is not installed"):
        read_from_package(O200K)
