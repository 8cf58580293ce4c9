"""What a notice gives as its reasons beside the description: read from the evidence that counts, the same each time.

Nothing here depends on when it is asked, since an approval names the digest of the words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifier.domain import checks_event
from notifier.domain import evidence as ev
from notifier.domain.calendar import Calendar
from notifier.domain.checks_authority import orders, the_order
from notifier.domain.checks_conflicts import latest_checks
from notifier.domain.checks_event import registered_events
from notifier.domain.checks_letter import the_letter
from notifier.domain.checks_piracy import SampleResult, sample_result
from notifier.domain.facts import CaseFacts, Hearing
from notifier.domain.live_events import LiveEvent
from notifier.domain.program import Program
from notifier.domain.rules import InEventWindow, LicenceSource, LimbProven, OrderIssued, Pervasive, StreamMatched

# Later than any instant that evidence may bear (fields.Instant): whatever was given has happened.
_EVERYTHING_HAPPENED = datetime(2101, 1, 1, tzinfo=UTC)


def grounds(program: Program, facts: CaseFacts) -> tuple[str, ...]:
    """One sentence or two for each thing that a program of this kind rests on; a submitter's words stay hostile."""
    on = Hearing(program, facts, _EVERYTHING_HAPPENED, {})
    found: list[str] = []
    if program.rule(InEventWindow):
        found += _events(on)
    if program.rule(StreamMatched):
        found += _streams(on)
    if program.rule(OrderIssued):
        found += _order(on)
    if program.rule(LimbProven):
        found += _limbs(on)
    if program.rule(LicenceSource):
        found += _registers(on)
    return tuple(found)


def threshold(program: Program, facts: CaseFacts) -> SampleResult | None:
    """The pooled samples as the program's rule counts them; None without such a rule, or a sample that counts."""
    rule = program.rule(Pervasive)
    return sample_result(rule, Hearing(program, facts, _EVERYTHING_HAPPENED, {})) if rule else None


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter or order that a case rests on; days as the paper has them, `due_on` with the instant that it ends."""

    kind: str
    number: str
    issued_on: str
    due_on: str = ""
    response: str = ""


def papers(program: Program, facts: CaseFacts, calendars: Mapping[str, Calendar]) -> tuple[Paper, ...]:
    """The letter that counts, as it was assessed last, and every order, each once whatever the number of its copies."""
    on = Hearing(program, facts, _EVERYTHING_HAPPENED, calendars)
    found: list[Paper] = []
    letter = the_letter(on)
    if letter is not None:
        window = letter.newest.response_due
        days = f"{window.working_days} working days ({window.calendar})"
        due = f"{letter.due:%Y-%m-%d %H:%M} UTC, {days}" if letter.due else days
        newest = letter.newest
        found.append(Paper("warning letter", newest.reference, newest.issued_on.isoformat(), due, newest.response))
    for order in orders(on):
        one = order.one
        found.append(Paper(f"order of {one.issuer}", one.reference, one.issued_on.isoformat()))
    return tuple(found)


def lapses(program: Program, facts: CaseFacts, at: datetime) -> datetime:
    """When a notice dated `at` lapses: after the program's validity, and never later than its event is released."""
    lapse = at + program.windows.validity
    if program.rule(InEventWindow) is None:
        return lapse
    events = registered_events(Hearing(program, facts, _EVERYTHING_HAPPENED, {}))
    return min([lapse, *(event.released for event in events)])


def held_for(program: Program, facts: CaseFacts, at: datetime) -> LiveEvent | None:
    """The event that a notice dated `at` asks for anything because of; None when there is none, or none that was still
    to end then."""
    if program.rule(InEventWindow) is None:
        return None
    return checks_event.held_for(Hearing(program, facts, _EVERYTHING_HAPPENED, {}), at)


def _events(on: Hearing) -> Iterator[str]:
    for event in registered_events(on):
        yield (
            f"Event {event.id}, {event.title}: from {_at(event.starts)} to {_at(event.ends)}. What is asked for is "
            f"released at {_at(event.released)} at the latest."
        )


def _streams(on: Hearing) -> Iterator[str]:
    for _, item in on.evidence(ev.StreamMatch):
        if not on.on_target(item.url):
            continue
        points = sorted(item.points, key=lambda point: (point.stream_at, point.feed_at))
        behind = sum((p.stream_at - p.feed_at for p in points), timedelta()) / len(points)
        alike = [point.similarity for point in points]
        yield (
            f"The stream at {item.url} is {item.feed}: {len(points)} moments of it, from {_at(points[0].stream_at)} to "
            f"{_at(points[-1].stream_at)}, {min(alike)} to {max(alike)} % alike, {behind.total_seconds():.0f} s behind the "
            f"feed; seen from {item.vantage}; compared by {item.method}."
        )


def _order(on: Hearing) -> Iterator[str]:
    order = the_order(on)
    if order is None:
        return
    one = order.one
    until = f", in force until {one.expires_on}" if one.expires_on else ""
    stands = f" ({one.standing})" if one.standing else ""
    yield f"Order {one.reference} of {one.issuer}, {one.issued_on}, {one.jurisdiction}{stands}{until}."
    yield f"It rests on: {'; '.join(one.provisions)}."
    yield f"It orders: {one.orders}"
    if one.reasons:
        yield f"Why the content is unlawful, in its words: {one.reasons}"
    if one.redress:
        yield f"How it can be reviewed: {one.redress}"
    if one.report_effect_to:
        yield f"To be told what was done: {one.report_effect_to}"
    if one.url or one.sha256:
        yield f"The document: {one.url or 'not published'}; sha256 {one.sha256 or 'not given'}."


def _limbs(on: Hearing) -> Iterator[str]:
    for _, capture in on.captures():
        if capture.limb and capture.finding not in ("lawful", "unclear"):
            offered = f", {capture.offers}" if capture.offers else ""
            words = capture.limb.replace("_", " ")
            yield f"{words}{offered}: seen at {capture.url} on {_at(capture.captured_at)} from {capture.vantage}."


def _registers(on: Hearing) -> Iterator[str]:
    for _, check in sorted(latest_checks(on).values(), key=lambda pair: (pair[1].checked_at, pair[1].source)):
        if check.result in ("unlicensed", "not_recommended"):
            words = check.result.replace("_", " ")
            yield f"{check.source} ({check.jurisdiction}): {words}, read on {_at(check.checked_at)}."


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
