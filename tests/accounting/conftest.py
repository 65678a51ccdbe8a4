"""The o200k vocabulary without a network, loaded once for all tests here, and the library as the judge."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from vllm_tui.accounting.encoder import Encoder, load_encoder
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.vocabulary import BASE_VARIABLE, CACHE_VARIABLE, O200K, read_from_package

if TYPE_CHECKING:
    from openai_harmony import HarmonyEncoding


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocab") / O200K.file_name
    path.write_bytes(read_from_package(O200K))
    return path


@pytest.fixture(scope="session")
def encoder(vocabulary_file: Path) -> Encoder:
    return load_encoder(vocabulary_file.parent)


@pytest.fixture(scope="session")
def renderer(encoder: Encoder) -> HarmonyRenderer:
    return HarmonyRenderer(encoder)


@pytest.fixture(scope="session")
def library(vocabulary_file: Path) -> HarmonyEncoding:
    """Return openai-harmony, with which our own tokens are compared."""
    from openai_harmony import load_harmony_encoding

    before = os.environ.get(BASE_VARIABLE)
    os.environ[BASE_VARIABLE] = str(vocabulary_file.parent)
    try:
        return load_harmony_encoding("HarmonyGptOss")
    finally:
        os.environ.pop(BASE_VARIABLE)
        if before is not None:
            os.environ[BASE_VARIABLE] = before


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the real home and from variables of the shell."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    return home
