"""Rules of live events: a registered window, the stream held against the official feed, a target that is known."""

from dataclasses import dataclass
from datetime import timedelta

from notifier.domain.rule import Rule, between


@dataclass(frozen=True, slots=True, kw_only=True)
class InEventWindow(Rule):
    """A report of an organisation that the event names was made for a registered event that runs now.

    The window opens `opens_before` the start and ends with the event, which lasts at most `max_length`.
    """

    type = "in_event_window"
    said = ("event_window",)
    opens_before: timedelta
    max_length: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMatched(Rule):
    """The stream on the target is the official feed of the event: moments seen in both, with their times.

    At least `min_points` moments, `min_span` from first to last, each at least `min_similarity` percent alike, in the
    stream at most `max_delay` after the feed, the last at most `max_age` ago.
    """

    type = "stream_matched"
    evidence = ("stream_match",)
    min_points: int = between(1, 500)
    min_similarity: int = between(1, 100)
    min_span: timedelta
    max_delay: timedelta
    max_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudicated(Rule):
    """A court or authority has judged the target: an order in force, or a judgment, of at most `max_age` ago."""

    type = "adjudicated"
    evidence = ("court_order", "case_law")
    max_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBefore(Rule):
    """Under one of `programs` an act on the target in its present registration was verified, at most `max_age` ago."""

    type = "verified_before"
    programs: tuple[str, ...]
    max_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSignalled(Rule):
    """None of the signals `refuses` was found for the target, and each of `measured` was looked for."""

    type = "not_signalled"
    refuses: tuple[str, ...]
    measured: tuple[str, ...]
