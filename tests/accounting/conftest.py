"""The o200k vocabulary without a network, loaded once for all tests here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vllm_tui.accounting.encoder import HarmonyEncoder, load_encoder
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.vocabulary import BASE_VARIABLE, CACHE_VARIABLE, O200K, read_from_package


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocab") / O200K.file_name
    path.write_bytes(read_from_package(O200K))
    return path


@pytest.fixture(scope="session")
def encoder(vocabulary_file: Path) -> HarmonyEncoder:
    before = os.environ.get(BASE_VARIABLE)
    found = load_encoder(vocabulary_file.parent)
    os.environ.pop(BASE_VARIABLE)
    if before is not None:
        os.environ[BASE_VARIABLE] = before
    assert isinstance(found, HarmonyEncoder)
    return found


@pytest.fixture(scope="session")
def renderer(encoder: HarmonyEncoder) -> HarmonyRenderer:
    return HarmonyRenderer(encoder)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the real home and from variables of the shell."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    # Set and taken back, so that what code under test writes there is undone too.
    monkeypatch.setenv(BASE_VARIABLE, "")
    monkeypatch.delenv(BASE_VARIABLE)
    return home
