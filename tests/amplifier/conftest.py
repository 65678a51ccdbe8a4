"""These tests need amplifier-core, which brings a pytest plugin: they run in their own environment (run.sh)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not collection_path.name.startswith("test_"):
        return None
    is_contract = collection_path.name == "test_contract.py"
    has_kernel = find_spec("amplifier_core") is not None
    has_plugin = config.pluginmanager.hasplugin("amplifier_module")
    return True if not has_kernel or (is_contract and not has_plugin) else None
