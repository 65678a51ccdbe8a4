"""Reading under a folder: what is found, and every way out that is closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.values import JsonObject
from vllm_tui.tools.files import MAX_FILE_BYTES, build_file_tools
from vllm_tui.tools.tool import ToolFailed, ToolOutput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("canary")
    root = tmp_path / "shared"
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "today.md").write_text("hello\n")
    (root / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (root / "long.txt").write_text("é" * MAX_FILE_BYTES)
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    return root


async def list_files(folder: Path, arguments: JsonObject) -> ToolOutput:
    tool = build_file_tools(folder)[0]
    assert tool.function is not None
    return await tool.function(arguments)


async def read_file(folder: Path, arguments: JsonObject) -> ToolOutput:
    tool = build_file_tools(folder)[1]
    assert tool.function is not None
    return await tool.function(arguments)


async def test_files_are_listed_by_name_with_kind_and_size(folder: Path) -> None:
    assert await list_files(folder, {}) == {
        "path": ".",
        "entries": [
            {"name": "link.txt", "kind": "link"},
            {"name": "long.txt", "kind": "file", "bytes": 2 * MAX_FILE_BYTES},
            {"name": "notes", "kind": "folder"},
            {"name": "picture.png", "kind": "file", "bytes": 58},
            {"name": "pipe", "kind": "other"},
            {"name": "up", "kind": "link"},
        ],
    }


async def test_a_text_file_is_read(folder: Path) -> None:
    assert await read_file(folder, {"path": "notes/./today.md"}) == "hello\n"


async def test_a_long_file_is_read_in_pieces_and_no_character_is_split(folder: Path) -> None:
    first = await read_file(folder, {"path": "long.txt", "start": 0})
    assert isinstance(first, str)
    assert first.endswith(f"[bytes 0 to 256,000 of 512,000; read on with start={MAX_FILE_BYTES}]")
    odd = await read_file(folder, {"path": "long.txt", "start": 2 * MAX_FILE_BYTES - 4})
    assert odd == "éé"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../secret.txt", "without .."),
        ("notes/../../secret.txt", "without .."),
        ("/etc/passwd", "not from /"),
        ("~/x", "not from /"),
        ("notes\\..\\..\\secret.txt", "without .."),
        ("a\x00b", "Only paths inside"),
        ("link.txt", "links are not followed"),
        ("up/secret.txt", "can't be opened"),
        ("pipe", "not an ordinary file"),
        ("notes", "not an ordinary file"),
        ("missing", "No such file"),
        ("picture.png", "not a text file. Binary data: 58 bytes, a PNG picture"),
        ("x" * 5000, "can't be opened"),
    ],
)
async def test_no_way_leads_out_and_nothing_but_text_is_read(folder: Path, path: str, words: str) -> None:
    with pytest.raises(ToolFailed) as failure:
        await read_file(folder, {"path": path})
    assert words in str(failure.value)
    assert "canary" not in str(failure.value)


@pytest.mark.parametrize("path", ["up", "../", "link.txt", "notes/today.md"])
async def test_only_folders_inside_are_listed(folder: Path, path: str) -> None:
    with pytest.raises(ToolFailed):
        await list_files(folder, {"path": path})


async def test_a_crowded_folder_is_cut(tmp_path: Path) -> None:
    for number in range(510):
        (tmp_path / f"{number:03}").touch()
    found = await list_files(tmp_path, {})
    assert isinstance(found, dict)
    assert isinstance(found["entries"], list)
    assert (len(found["entries"]), found["note"]) == (500, "only the first 500 are listed")


def test_the_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a folder"):
        build_file_tools(tmp_path / "none")


def test_reading_files_is_not_pure(folder: Path) -> None:
    assert [tool.pure for tool in build_file_tools(folder)] == [False, False]
