"""Spans as sentences have them."""

from datetime import timedelta

import pytest

from notifier.domain.facts import in_words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(hours=72), "3 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=60), "1 hour"),
    ],
)
def test_in_words(span: timedelta, words: str) -> None:
    assert in_words(span) == words
