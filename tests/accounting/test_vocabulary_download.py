"""The downloader against a loopback server that behaves badly."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from vllm_tui.accounting.download import Downloader, DownloadFailed, Progress
from vllm_tui.accounting.vocabulary import Vocabulary

CONTENT = bytes(range(256)) * 1200
FILE = Vocabulary("small.tiktoken", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), True)


@dataclass
class Script:
    """What the server answers, request by request; the last answer repeats."""

    answers: list[Callable[[BaseHTTPRequestHandler], None]]
    ranges: list[str | None] = field(default_factory=list)


def whole(handler: BaseHTTPRequestHandler) -> None:
    begin = 0
    asked = handler.headers.get("Range")
    if asked:
        begin = int(asked.removeprefix("bytes=").rstrip("-"))
    handler.send_response(206 if asked else 200)
    handler.send_header("Content-Length", str(len(CONTENT) - begin))
    handler.end_headers()
    handler.wfile.write(CONTENT[begin:])


def ignoring_ranges(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT)


def cut_after(count: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:count])

    return answer


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: handler.send_error(code)


def other_content(handler: BaseHTTPRequestHandler) -> None:
    page = b"<html>Please log in to the proxy.</html>"
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(page)))
    handler.end_headers()
    handler.wfile.write(page)


def same_size_other_bytes(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(bytes(len(CONTENT)))


@contextmanager
def serve(*answers: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, Script]]:
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.ranges.append(self.headers.get("Range"))
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/encodings", script
        finally:
            server.shutdown()
            thread.join()


def downloader(url: str) -> Downloader:
    return Downloader(url, timeout=2.0, pause=lambda seconds: None)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_checked_with_progress(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with serve(whole) as (url, _):
        path = replace(downloader(url), on_progress=seen.append).fetch(FILE, tmp_path / "new" / "vocab")
    assert path.read_bytes() == CONTENT
    assert seen[-1] == Progress("small.tiktoken", len(CONTENT), len(CONTENT))
    assert leftovers(path.parent) == [".small.tiktoken.lock", "small.tiktoken"]


def test_a_file_in_place_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / FILE.file_name).write_bytes(CONTENT)
    with serve(whole) as (url, script):
        downloader(url).fetch(FILE, tmp_path)
    assert script.ranges == []


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE.file_name).write_bytes(CONTENT[:100])
    with serve(whole) as (url, _):
        assert downloader(url).fetch(FILE, tmp_path).read_bytes() == CONTENT


def test_a_cut_download_goes_on_where_it_ended(tmp_path: Path) -> None:
    with serve(cut_after(100_000), whole) as (url, script):
        assert downloader(url).fetch(FILE, tmp_path).read_bytes() == CONTENT
    assert script.ranges == [None, "bytes=100000-"]


def test_a_server_without_ranges_sends_it_all_again(tmp_path: Path) -> None:
    with serve(cut_after(100_000), ignoring_ranges) as (url, _):
        assert downloader(url).fetch(FILE, tmp_path).read_bytes() == CONTENT


def test_what_was_cut_is_kept_for_the_next_time(tmp_path: Path) -> None:
    with serve(cut_after(70_000)) as (url, _), pytest.raises(DownloadFailed, match="broke off after 70,000 of"):
        replace(downloader(url), attempts=1).fetch(FILE, tmp_path)
    assert leftovers(tmp_path) == [".small.tiktoken.lock", ".small.tiktoken.part"]
    with serve(whole) as (url, script):
        downloader(url).fetch(FILE, tmp_path)
    assert script.ranges == ["bytes=70000-"]


def test_a_server_in_trouble_is_asked_again(tmp_path: Path) -> None:
    pauses: list[float] = []
    with serve(status(503), status(429), whole) as (url, _):
        replace(downloader(url), pause=pauses.append).fetch(FILE, tmp_path)
    assert pauses == [0.5, 1.0]


def test_a_missing_file_fails_at_once_with_the_next_step(tmp_path: Path) -> None:
    with serve(status(404)) as (url, script), pytest.raises(DownloadFailed) as caught:
        downloader(url).fetch(FILE, tmp_path)
    assert caught.value.message == f"{url}/small.tiktoken answered 404 Not Found."
    assert caught.value.hint == "Fetch the file elsewhere and use: vllm-tui vocab install FILE"
    assert len(script.ranges) == 1


@pytest.mark.parametrize("answer", [other_content, same_size_other_bytes], ids=["a page", "other bytes"])
def test_wrong_content_is_never_taken(answer: Callable[[BaseHTTPRequestHandler], None], tmp_path: Path) -> None:
    with serve(answer) as (url, _), pytest.raises(DownloadFailed):
        replace(downloader(url), attempts=2).fetch(FILE, tmp_path)
    assert not (tmp_path / FILE.file_name).exists()


def test_wrong_content_names_the_hash_and_a_proxy(tmp_path: Path) -> None:
    with (
        serve(same_size_other_bytes) as (url, _),
        pytest.raises(DownloadFailed, match=r"SHA-256 differs.*; a proxy may"),
    ):
        replace(downloader(url), attempts=1).fetch(FILE, tmp_path)
    assert leftovers(tmp_path) == [".small.tiktoken.lock"], "nothing wrong is left to go on from"


def test_a_silent_server_times_out(tmp_path: Path) -> None:
    release = threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        release.wait(10)

    with serve(silent) as (url, _):
        with pytest.raises(DownloadFailed, match="nothing arrived in time"):
            replace(downloader(url), timeout=0.05, attempts=1).fetch(FILE, tmp_path)
        release.set()


def test_a_dripping_server_meets_the_deadline(tmp_path: Path) -> None:
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        for start in range(0, len(CONTENT), 1000):
            handler.wfile.write(CONTENT[start : start + 1000])

    with serve(dripping) as (url, _), pytest.raises(DownloadFailed, match="longer than 0 s"):
        replace(downloader(url), deadline=0.0, attempts=1).fetch(FILE, tmp_path)


def test_no_server_is_said_plainly(tmp_path: Path) -> None:
    with serve(whole) as (url, _):
        pass
    with pytest.raises(DownloadFailed, match="Connection refused"):
        downloader(url).fetch(FILE, tmp_path)


def test_a_download_can_be_stopped(tmp_path: Path) -> None:
    with serve(whole) as (url, _), pytest.raises(DownloadFailed, match="was stopped"):
        replace(downloader(url), is_stopped=lambda: True).fetch(FILE, tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    part = tmp_path / f".{FILE.file_name}.part"
    part.symlink_to("/dev/full")
    with serve(whole) as (url, _), pytest.raises(DownloadFailed) as caught:
        downloader(url).fetch(FILE, tmp_path)
    assert caught.value.message == f"No space is left for the vocabulary in {tmp_path}."
    assert leftovers(tmp_path) == [".small.tiktoken.lock"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadFailed, match="can't be written"):
        Downloader("http://127.0.0.1:9").fetch(FILE, tmp_path / "file" / "vocab")


def test_only_http_addresses_are_asked(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="is not an http address"):
        Downloader("file:///etc").fetch(FILE, tmp_path)


def fetch_in_process(url: str, folder: str) -> None:
    downloader(url).fetch(FILE, Path(folder))


def test_two_processes_at_once_download_once(tmp_path: Path) -> None:
    started = threading.Event()
    go_on = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        started.set()
        go_on.wait(10)
        whole(handler)

    context = multiprocessing.get_context("spawn")
    with serve(slow) as (url, script):
        processes = [context.Process(target=fetch_in_process, args=(url, str(tmp_path))) for _ in range(2)]
        for process in processes:
            process.start()
        assert started.wait(20)
        go_on.set()
        for process in processes:
            process.join(20)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / FILE.file_name).read_bytes() == CONTENT
    assert script.ranges == [None], "the second found the file in place"
