"""The kernel's own behavioural and structural suites, run on the mounted module."""

from __future__ import annotations

from amplifier_core.validation.behavioral import ProviderBehaviorTests
from amplifier_core.validation.structural import ProviderStructuralTests


class TestBehaviour(ProviderBehaviorTests):  # type: ignore[misc, unused-ignore]
    """Five tests."""


class TestStructure(ProviderStructuralTests):  # type: ignore[misc, unused-ignore]
    """One test."""
