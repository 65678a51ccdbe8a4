"""Waits between attempts: their exact lengths, what a server asks for, and when nothing is tried again."""

from __future__ import annotations

import pytest
from vllm_tui.domain.errors import InvalidRequest, RateLimited, ServerError
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.provider.retry import delay_before, parse_retry_after, should_retry

NOW = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT."""


def config(**options: object) -> ProviderConfig:
    return ProviderConfig(base_url="http://localhost:8000/v1", **options)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        (None, None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("-3", None),
        ("1e9", None),
        ("٣", None),
        ("soon", None),
        ("Wed, 99 Oct 2015 07:28:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_delays_double_up_to_the_longest() -> None:
    delays = [delay_before(attempt, ServerError("x"), config(retry_jitter=0), lambda: 0.9) for attempt in range(8)]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


@pytest.mark.parametrize(("random", "delay"), [(0.0, 3.2), (0.5, 4.0), (1.0, 4.8)])
def test_jitter_is_a_fraction_to_both_sides(random: float, delay: float) -> None:
    assert delay_before(2, ServerError("x"), config(retry_jitter=0.2), lambda: random) == pytest.approx(delay)


def test_jitter_never_exceeds_the_longest_delay() -> None:
    assert delay_before(6, ServerError("x"), config(retry_jitter=0.5), lambda: 1.0) == 60.0


def test_a_wait_is_never_shorter_than_the_server_asked() -> None:
    assert delay_before(0, RateLimited("x", retry_after=7.5), config(retry_jitter=1), lambda: 0.0) == 7.5


def test_a_huge_attempt_number_waits_the_longest_delay() -> None:
    assert delay_before(10**6, ServerError("x"), config(retry_jitter=0), lambda: 0.5) == 60.0
    assert delay_before(10**6, ServerError("x"), config(retry_jitter=0, min_retry_delay=0), lambda: 0.5) == 0.0


def test_only_retryable_errors_within_the_limits_are_tried_again() -> None:
    options = config(max_retries=2, max_retry_delay=10)
    assert should_retry(ServerError("x"), 0, options)
    assert should_retry(ServerError("x"), 1, options)
    assert not should_retry(ServerError("x"), 2, options)
    assert not should_retry(InvalidRequest("x"), 0, options)
    assert should_retry(RateLimited("x", retry_after=10), 0, options)
    assert not should_retry(RateLimited("x", retry_after=10.1), 0, options)
    assert not should_retry(ServerError("x", retryable=False), 0, options)
