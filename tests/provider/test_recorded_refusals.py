"""Recorded refusals of three versions raise the errors they mean."""

from __future__ import annotations

import re

import pytest
from tests.support.recorded_reader import failure, names
from tests.support.replay import Recording, index
from vllm_tui.domain.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    NotFound,
    ServerError,
    VLLMError,
)

ERRORS = [recording for recording in index().values() if recording.status >= 400]
_OVERFLOW = re.compile(r"maximum context length|exceeds the max_model_len|max_tokens must be at least 1, got -")
_EFFORT = re.compile(r"^'(minimal|none|xhigh|max)'$")


def expected_error(recording: Recording) -> type[VLLMError]:
    message = recording.body.decode(errors="replace")
    said = re.search(r'"message":"([^"]*)"', message)
    if _OVERFLOW.search(message):
        return ContextLengthExceeded
    if said is not None and _EFFORT.search(said[1]):
        return InvalidRequest
    by_status: dict[int, type[VLLMError]] = {400: InvalidRequest, 401: AuthenticationFailed, 404: NotFound}
    return by_status.get(recording.status, ServerError)


@pytest.mark.parametrize("recording", names(ERRORS))
async def test_a_refusal_raises_the_error_it_means(recording: Recording) -> None:
    error = await failure(recording)
    assert (type(error), error.status) == (expected_error(recording), recording.status)
    assert error.retryable == (type(error) is ServerError and recording.status != 501)
    assert len(str(error)) < 2000
    assert error.partial is None


@pytest.mark.parametrize(
    ("name", "supported"),
    [
        ("0.32.0/gpt-oss/reason_effort_minimal", ("low", "medium", "high")),
        ("0.32.0/gpt-oss/reason_effort_xhigh", ("low", "medium", "high")),
        ("0.20.0/gpt-oss/reason_effort_minimal", ("low", "medium", "high")),
        ("0.10.1.1/smollm2/reasoning_effort_none", ("minimal", "low", "medium", "high")),
        (
            "0.32.0/default/reasoning_effort_bogus",
            ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        ),
    ],
)
async def test_a_refused_effort_names_those_that_work(name: str, supported: tuple[str, ...]) -> None:
    error = await failure(index()[name])
    assert isinstance(error, InvalidRequest)
    assert error.supported == supported


async def test_an_unknown_model_names_the_models_there_are() -> None:
    error = await failure(index()["0.32.0/default/unknown_model"])
    assert "'nope'" in error.message
    assert "It serves SmolLM2-135M-Instruct." in error.message
