"""`vllm-tui tokens` and `vllm-tui vocab` as typed."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from recorded_counts import ROOT
from vllm_tui.accounting import source as sources
from vllm_tui.accounting.vocabulary import BASE_VARIABLE, CL100K, O200K
from vllm_tui.cli import tokens, vocab
from vllm_tui.server import tokenize
from vllm_tui.server.tokenize import TokenCount
from vllm_tui.settings.layers import load_settings

Run = Callable[..., int]
TWO_CALLS = ROOT / "0.32.0/gpt-oss/tool_second_turn_stream.request.json"


def run(module: ModuleType, *words: str, **flags: str) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    code = module.run(parser.parse_args(words), load_settings(flags, {}, None, None))
    assert isinstance(code, int)
    return code


@pytest.fixture
def with_vocabulary(vocabulary_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE_VARIABLE, str(vocabulary_file.parent))


@pytest.fixture
def without_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "is_package_present", lambda: False)
    monkeypatch.setattr(vocab, "is_package_present", lambda: False)


def typed(text: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.usefixtures("with_vocabulary")
def test_a_request_is_counted_as_the_server_counts_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tokens, "--request", str(TWO_CALLS), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["input_tokens"], printed["source"], printed["method"]) == (269, "computed", "harmony")
    assert printed["parts"] == {
        "system": 75,
        "tools": 113,
        "question": 16,
        "reasoning": 12,
        "calls": 26,
        "results": 25,
        "opening": 2,
    }


@pytest.mark.usefixtures("with_vocabulary")
def test_a_request_is_shown_by_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tokens, "--request", str(TWO_CALLS)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "269 tokens ◐ computed"
    assert lines[2].split() == ["system", "75"]


@pytest.mark.usefixtures("with_vocabulary")
def test_the_model_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tokens, "--request", str(TWO_CALLS), "--json", default_model="Qwen/Qwen3-8B") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["source"], printed["method"]) == ("estimate", "vocabulary")


@pytest.mark.usefixtures("with_vocabulary")
def test_text_comes_from_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("Hello world")
    assert run(tokens, str(tmp_path / "text"), "--json") == 0
    typed("Hello world", monkeypatch)
    assert run(tokens, "--json") == 0
    typed("Hello world", monkeypatch)
    assert run(tokens, "-", "--json") == 0
    assert {json.loads(line)["input_tokens"] for line in capsys.readouterr().out.splitlines()} == {2}


@pytest.mark.usefixtures("with_vocabulary")
def test_a_conversation_is_counted_with_all_around_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    for value in (messages, {"messages": messages}, {"input": messages}, {"input": "Hi"}):
        typed(json.dumps(value), monkeypatch)
        assert run(tokens, "--json") == 0
    counts = [json.loads(line)["input_tokens"] for line in capsys.readouterr().out.splitlines()]
    assert counts == [68, 68, 68, 68]


@pytest.mark.usefixtures("with_vocabulary")
@pytest.mark.parametrize("text", ['{"a": 1}', "[not json", '["a"]', ""])
def test_other_text_is_counted_as_text(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(text, monkeypatch)
    assert run(tokens, "--json") == 0
    assert json.loads(capsys.readouterr().out)["parts"] == {}


@pytest.mark.usefixtures("without_vocabulary")
def test_without_a_vocabulary_it_estimates_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("x" * 40, monkeypatch)
    assert run(tokens, vocab_download="never") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "10 tokens ○ estimate"
    assert printed.err == (
        "No vocabulary: The vocabulary is not here and may not be downloaded. Use: vllm-tui vocab install FILE\n"
    )


@pytest.mark.usefixtures("with_vocabulary")
def test_the_server_counts_for_its_own_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, object]] = []

    async def count(base_url: str, api_key: str | None = None, **words: object) -> TokenCount:
        asked.append({"base_url": base_url, "api_key": api_key, **words})
        return TokenCount(33, 4096, ())

    monkeypatch.setattr(tokenize, "tokenize", count)
    typed('{"model": "SmolLM2", "input": "Hi"}', monkeypatch)
    assert run(tokens, "--server", "--json", base_url="http://127.0.0.1:9/v1") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["input_tokens"], printed["source"], printed["method"]) == (33, "computed", "tokenize")
    assert asked == [
        {
            "base_url": "http://127.0.0.1:9/v1",
            "api_key": "EMPTY",
            "model": "SmolLM2",
            "prompt": None,
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [],
        }
    ]


@pytest.mark.usefixtures("with_vocabulary")
def test_a_server_that_does_not_answer_leaves_an_estimate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed('{"model": "SmolLM2", "input": "Hi"}', monkeypatch)
    assert run(tokens, "--server", "--json", base_url="http://127.0.0.1:9/v1") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["source"], printed["method"]) == ("estimate", "vocabulary")
    assert "The server's /tokenize was no help: http://127.0.0.1:9/tokenize" in printed["explanation"]


@pytest.mark.usefixtures("with_vocabulary")
def test_an_effort_the_server_is_not_told_leaves_an_estimate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed('{"model": "SmolLM2", "input": "Hi", "reasoning": {"effort": "high"}}', monkeypatch)
    assert run(tokens, "--server", "--json", base_url="http://127.0.0.1:9/v1") == 0
    assert "the reasoning effort can't be passed on" in json.loads(capsys.readouterr().out)["explanation"]


def test_what_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").write_text("{")
    (tmp_path / "other").write_text("{}")
    assert run(tokens, str(tmp_path / "missing")) == 1
    assert run(tokens, "--request", str(tmp_path / "broken")) == 1
    assert run(tokens, "--request", str(tmp_path / "other")) == 1
    assert run(tokens, "x", "--request", str(tmp_path / "other")) == 1
    typed(b"\xff\xfe", monkeypatch)
    assert run(tokens) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in errors] == ["vllm-tui tokens"] * 5
    assert errors[2].endswith("other: this is no Responses request: `input` is missing.")
    assert errors[4].endswith("-: this is no UTF-8 text (byte 0).")


def test_vocab_status_explains_folder_files_and_variables(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(vocab, "status") == 0
    shown = capsys.readouterr().out
    for words in (
        str(own_home / ".amplifier/cache/vocab"),
        "o200k_base.tiktoken  missing (needed for gpt-oss)",
        f"expected {O200K.size:,} bytes, SHA-256 {O200K.sha256}",
        CL100K.url,
        "TIKTOKEN_ENCODINGS_BASE = (not set)",
        "TIKTOKEN_RS_CACHE_DIR = (not set)",
        "o200k_base.tiktoken -> fb374d419588a4632f3f557e76b4b70aebbca790",
    ):
        assert words in shown


def test_vocab_installs_given_files_and_verifies_them(
    own_home: Path, vocabulary_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(vocab, "verify") == 1
    (tmp_path / "wrong").write_text("no")
    assert run(vocab, "install", str(tmp_path / "wrong"), str(tmp_path / "missing"), str(vocabulary_file)) == 1
    assert run(vocab, "verify") == 0
    folder = own_home / ".amplifier/cache/vocab"
    printed = capsys.readouterr()
    assert f"Installed o200k_base.tiktoken (3,613,922 bytes, SHA-256 checked) in {folder}." in printed.out
    assert f"{folder / 'o200k_base.tiktoken'}: ok" in printed.out
    assert f"Not installed: {tmp_path / 'wrong'}: this is not o200k_base.tiktoken or" in printed.err
    assert f"Not installed: {tmp_path / 'missing'}: No such file or directory." in printed.err


def test_vocab_installs_from_the_extra_without_a_network(own_home: Path) -> None:
    assert run(vocab, "install", vocab_download="never") == 0
    assert (own_home / ".amplifier/cache/vocab" / O200K.file_name).stat().st_size == O200K.size


@pytest.mark.usefixtures("without_vocabulary")
def test_vocab_install_keeps_to_never(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(vocab, "install", vocab_download="never") == 1
    assert capsys.readouterr().err == (
        "Downloads are forbidden (vocab_download = never). Use: vllm-tui vocab install FILE\n"
    )


def test_a_damaged_file_is_named_with_both_hashes(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own_home / ".amplifier/cache/vocab"
    folder.mkdir(parents=True)
    (folder / O200K.file_name).write_text("cut")
    assert run(vocab, "status") == 0
    shown = capsys.readouterr().out
    assert "o200k_base.tiktoken  damaged, 3 bytes (needed for gpt-oss)" in shown
    assert "found    3 bytes, SHA-256" in shown
