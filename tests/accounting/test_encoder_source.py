"""The encoder comes in a thread of its own, and every way it can fail is said."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

import pytest
from vllm_tui.accounting import encoder as encoders
from vllm_tui.accounting import source as sources
from vllm_tui.accounting.download import Downloader, DownloadFailed
from vllm_tui.accounting.encoder import Encoder
from vllm_tui.accounting.source import EncoderSource, SourceState
from vllm_tui.accounting.vocabulary import BASE_VARIABLE, O200K, Vocabulary

FOLDER = ".amplifier/cache/vocab"


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "is_package_present", lambda: False)


@pytest.fixture
def quick_encoder(monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    """Stand in for the load of 0.3 s, which another test makes for real."""
    monkeypatch.setattr(encoders, "load_encoder", lambda folder: encoder)


class Fetching(Downloader):
    """Copies the file instead of fetching it, in two steps."""

    def fetch(self, vocabulary: Vocabulary, folder: Path) -> Path:
        from vllm_tui.accounting.download import Progress
        from vllm_tui.accounting.vocabulary import read_from_package, write_whole

        self.on_progress(Progress(vocabulary.file_name, vocabulary.size // 2, vocabulary.size))
        write_whole(folder / vocabulary.file_name, read_from_package(vocabulary))
        self.on_progress(Progress(vocabulary.file_name, vocabulary.size, vocabulary.size))
        return folder / vocabulary.file_name


class Failing(Downloader):
    """Has no connection."""

    def fetch(self, vocabulary: Vocabulary, folder: Path) -> Path:
        raise DownloadFailed("No connection.", "Install it.")


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_file_in_place_is_loaded_off_the_main_thread(
    own_home: Path, vocabulary_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = own_home / FOLDER
    folder.mkdir(parents=True)
    shutil.copy(vocabulary_file, folder)
    threads: list[str] = []
    source = EncoderSource("never", on_change=lambda state: threads.append(threading.current_thread().name))
    assert (source.encoder, source.state) == (None, SourceState("idle"))
    with caplog.at_level(logging.INFO):
        source.start()
        found = source.wait()
    assert found is not None
    assert len(found.encode("Hello world")) == 2
    assert set(threads) == {"vocabulary"}
    assert source.state == SourceState("ready")
    assert messages(caplog) == [
        "[TOKEN_ACCOUNTING] Using vocab files from ~/.amplifier/cache/vocab",
        "[TOKEN_ACCOUNTING] Loaded Harmony GPT-OSS encoder",
    ]


@pytest.mark.usefixtures("without_package", "quick_encoder")
def test_a_download_is_logged_and_shown_as_documented(own_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    states: list[SourceState] = []
    source = EncoderSource("always", on_change=states.append, downloader=Fetching())
    with caplog.at_level(logging.INFO):
        source.start()
        assert source.wait() is not None
    assert [(state.phase, state.received) for state in states] == [
        ("downloading", 0),
        ("downloading", O200K.size // 2),
        ("downloading", O200K.size),
        ("loading", 0),
        ("ready", 0),
    ]
    assert messages(caplog) == [
        "[TOKEN_ACCOUNTING] Downloading Harmony vocab files to ~/.amplifier/cache/vocab/...",
        "[TOKEN_ACCOUNTING] Downloaded o200k_base.tiktoken (3613922 bytes)",
        "[TOKEN_ACCOUNTING] Using vocab files from ~/.amplifier/cache/vocab",
        "[TOKEN_ACCOUNTING] Loaded Harmony GPT-OSS encoder",
    ]
    assert (own_home / FOLDER / O200K.file_name).stat().st_size == O200K.size


@pytest.mark.usefixtures("without_package", "quick_encoder")
def test_nothing_is_downloaded_before_it_is_allowed() -> None:
    source = EncoderSource("ask", downloader=Fetching())
    source.start()
    assert source.wait() is None
    assert source.state.phase == "asking"
    source.allow_download()
    assert source.wait() is not None


@pytest.mark.usefixtures("without_package")
def test_never_forbids_the_download(caplog: pytest.LogCaptureFixture) -> None:
    source = EncoderSource("never", downloader=Fetching())
    source.allow_download()
    assert source.wait() is None
    assert source.state == SourceState(
        "unavailable",
        message="The vocabulary is not here and may not be downloaded.",
        hint="Use: vllm-tui vocab install FILE",
    )
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.usefixtures("without_package", "quick_encoder")
def test_a_file_installed_later_is_found_without_a_restart(own_home: Path, vocabulary_file: Path) -> None:
    source = EncoderSource("always", downloader=Failing())
    source.start()
    assert source.wait() is None
    assert (source.state.phase, source.state.hint) == ("unavailable", "Install it.")
    assert not source.retry_if_installed()
    (own_home / FOLDER).mkdir(parents=True)
    shutil.copy(vocabulary_file, own_home / FOLDER)
    assert source.retry_if_installed()
    assert source.wait() is not None
    assert not source.retry_if_installed()


@pytest.mark.usefixtures("quick_encoder")
def test_with_the_extra_offline_no_network_is_needed(own_home: Path) -> None:
    source = EncoderSource("never", downloader=Failing())
    source.start()
    assert source.wait() is not None
    assert (own_home / FOLDER / O200K.file_name).stat().st_size == O200K.size


def test_a_folder_the_person_named_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE_VARIABLE, str(tmp_path))
    source = EncoderSource("always", downloader=Fetching())
    source.start()
    assert source.wait() is None
    assert source.state.message == f"{tmp_path / O200K.file_name}: missing (TIKTOKEN_ENCODINGS_BASE names this folder)"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_encoder")
def test_starting_twice_loads_once(vocabulary_file: Path) -> None:
    states: list[SourceState] = []
    source = EncoderSource("never", folder=vocabulary_file.parent, on_change=states.append)
    source.start()
    source.start()
    source.wait()
    source.start()
    source.wait()
    assert [state.phase for state in states] == ["loading", "ready"]


@pytest.mark.usefixtures("without_package")
def test_a_stopped_download_keeps_quiet(own_home: Path) -> None:
    class Stoppable(Downloader):
        def fetch(self, vocabulary: Vocabulary, folder: Path) -> Path:
            assert self.is_stopped()
            raise DownloadFailed("The download was stopped.")

    source = EncoderSource("always", downloader=Stoppable())
    source.stop()
    source.start()
    assert source.wait() is None
    assert source.state.message == "The download was stopped."
