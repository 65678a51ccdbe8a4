"""Reading under one folder the person named: list and read, nothing outside it, nothing large, nothing binary."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.builtin import text_argument
from vllm_tui.tools.output import decode_text, describe_binary
from vllm_tui.tools.tool import Tool, ToolFailed

MAX_FILE_BYTES = 256_000
MAX_ENTRIES = 500
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


def build_file_tools(folder: Path) -> tuple[Tool, Tool]:
    """Return `list_files` and `read_file` for a folder; raises ConfigurationError when it is no folder."""
    root = folder.expanduser()
    if not root.is_dir():
        raise ConfigurationError(f"The folder for file tools, {folder}, is not a folder.", hint="Name one that exists.")
    reader = _Folder(root.resolve())
    path: JsonObject = {"type": "string", "description": "Path inside the folder, for example notes/today.md"}
    start: JsonObject = {"type": "integer", "minimum": 0, "description": "Byte to start at, for long files"}
    list_spec = ToolSpec(
        name="list_files",
        description="List the files of a folder.",
        parameters={"type": "object", "properties": {"path": path}, "additionalProperties": False},
    )
    read_spec = ToolSpec(
        name="read_file",
        description=f"Read a text file, up to {MAX_FILE_BYTES // 1000} kB at a time.",
        parameters={
            "type": "object",
            "properties": {"path": path, "start": start},
            "required": ["path"],
            "additionalProperties": False,
        },
    )

    async def list_files(arguments: JsonObject) -> JsonValue:
        return await asyncio.to_thread(reader.entries, text_argument(arguments, "path", "."))

    async def read_file(arguments: JsonObject) -> JsonValue:
        begin = arguments.get("start", 0)
        if not isinstance(begin, int) or begin < 0:
            raise ToolFailed("The argument start must be a whole number from 0.")
        return await asyncio.to_thread(reader.read, text_argument(arguments, "path"), begin)

    origin = str(reader.root)
    return (
        Tool(list_spec, "builtin", list_files, origin=origin),
        Tool(read_spec, "builtin", read_file, origin=origin),
    )


@dataclass(frozen=True, slots=True)
class _Folder:
    """Opens what lies under `root`, step by step without following links, so that no path leads out."""

    root: Path

    def entries(self, path: str) -> JsonValue:
        with self._open(path) as handle:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                raise ToolFailed(f"{path} is a file, not a folder. Use read_file.")
            with os.scandir(handle) as found:
                some = list(islice(found, MAX_ENTRIES + 1))
            rows = [_row(entry) for entry in sorted(some[:MAX_ENTRIES], key=lambda entry: entry.name)]
        note = {"note": f"only the first {MAX_ENTRIES} are listed"} if len(some) > MAX_ENTRIES else {}
        return {"path": path, "entries": list(rows), **note}

    def read(self, path: str, start: int) -> JsonValue:
        with self._open(path) as handle:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise ToolFailed(f"{path} is not an ordinary file. Use list_files for folders.")
            data = os.pread(handle, MAX_FILE_BYTES, start)
        text = decode_text(data)
        if text is None:
            raise ToolFailed(f"{path} is not a text file. {describe_binary(data)}")
        end = start + len(text.encode("utf-8"))
        rest = f"\n[bytes {start:,} to {end:,} of {facts.st_size:,}; read on with start={end}]"
        return text if end >= facts.st_size or not text else text + rest

    @contextmanager
    def _open(self, path: str) -> Iterator[int]:
        steps = [step for step in path.replace("\\", "/").split("/") if step not in ("", ".")]
        if path.startswith(("/", "~")) or ".." in steps or "\x00" in path:
            raise ToolFailed("Only paths inside the folder can be used, without .. and not from /.")
        handle = os.open(self.root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for step in steps:
                inner = os.open(step, _OPEN, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle
        except OSError as error:
            raise ToolFailed(f"{path} can't be opened: {_reason(error)}.") from error
        finally:
            os.close(handle)


def _reason(error: OSError) -> str:
    links = "links are not followed"
    return {"Too many levels of symbolic links": links}.get(error.strerror or "", error.strerror or str(error))


def _row(entry: os.DirEntry[str]) -> JsonObject:
    name = without_surrogates(entry.name)
    if entry.is_symlink():
        return {"name": name, "kind": "link"}
    if entry.is_dir(follow_symlinks=False):
        return {"name": name, "kind": "folder"}
    if not entry.is_file(follow_symlinks=False):
        return {"name": name, "kind": "other"}
    return {"name": name, "kind": "file", "bytes": entry.stat(follow_symlinks=False).st_size}
