"""Checks of live events: the registered window, the stream against the official feed, and a target that is known."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.checks_authority import orders
from notifier.domain.facts import OURS, Finding, Hearing, Submission, failed, in_words, passed, unknown
from notifier.domain.live_events import LiveEvent
from notifier.domain.rules import InEventWindow, Rule


def _named(on: Hearing) -> list[tuple[Submission, str]]:
    """Reports that name an event, with its id."""
    return [
        (submission, submission.report.event_window.event)
        for submission in on.facts.reports
        if submission.report.event_window is not None and submission.report.event_window.event is not None
    ]


def _registered(on: Hearing, event_id: str) -> LiveEvent | None:
    program = on.program.id
    return next((e for e in on.facts.events if e.id == event_id and e.program == program), None)


def events_now(rule: InEventWindow, on: Hearing) -> list[LiveEvent]:
    """The events in whose window the case lives at this moment; none when it is over."""
    found = {
        event.id: event
        for submission, event_id in _named(on)
        if (event := _registered(on, event_id)) is not None and not _objection(submission, event, rule, on)
    }
    return [event for _, event in sorted(found.items())]


def registered_events(on: Hearing) -> list[LiveEvent]:
    """The registered events that the reports name, each once, by their start."""
    found = {event.id: event for _, event_id in _named(on) if (event := _registered(on, event_id)) is not None}
    return sorted(found.values(), key=lambda event: (event.starts, event.id))


def held_for(on: Hearing, after: datetime) -> LiveEvent | None:
    """The event that anything is asked for because of: of those that its reporters may report about the one that ends
    first after an instant. What two events would have held is held for the first, and asked for anew for the second."""
    found = {
        event.id: event
        for submission, event_id in _named(on)
        if (event := _registered(on, event_id)) is not None and _may_report(submission, event, on)
    }
    return min((e for e in found.values() if e.ends > after), key=lambda e: (e.ends, e.id), default=None)


def _may_report(submission: Submission, event: LiveEvent, on: Hearing) -> bool:
    return submission.by != OURS and (submission.organisation or on.program.owner) in event.organisations


def _objection(submission: Submission, event: LiveEvent, rule: InEventWindow, on: Hearing) -> str:
    window = submission.report.event_window
    opens = event.starts - rule.opens_before
    if not _may_report(submission, event, on):
        return f"{submission.organisation or 'the reporter'} is not approved for {event.id} ({event.title})"
    if event.ends - event.starts > rule.max_length:
        return f"{event.id} is registered for more than {in_words(rule.max_length)}"
    given = (window.starts, window.ends) if window is not None else (None, None)
    if given[0] is not None and given[1] is not None and (given[0] < event.starts or given[1] > event.ends):
        return f"the times given lie outside {event.id}"
    if on.now < opens:
        return f"{event.id} opens at {opens:%Y-%m-%d %H:%M} UTC"
    if on.now >= event.ends:
        return f"{event.id} was over at {event.ends:%Y-%m-%d %H:%M} UTC, and nothing is asked for after that"
    return ""


def _in_event_window(rule: rules.InEventWindow, on: Hearing) -> Finding:
    named = _named(on)
    if not named:
        return unknown(rule, "no report names a registered event", "give the event's id as event_window")
    now = events_now(rule, on)
    if now:
        until = max(event.ends for event in now)
        return passed(rule, f"{', '.join(event.id for event in now)} runs until {until:%Y-%m-%d %H:%M} UTC")
    whys = set()
    for submission, event_id in named:
        event = _registered(on, event_id)
        if event is None:
            whys.add(f"no event {event_id!r:.80} is registered under {on.program.id}")
        else:
            whys.add(_objection(submission, event, rule, on))
    opens = [event.starts - rule.opens_before for event in registered_events(on)]
    return failed(
        rule,
        "; ".join(sorted(whys)),
        "report within a registered event that names your organisation",
        again_at=min((at for at in opens if at > on.now), default=None),
    )


def _stream_matched(rule: rules.StreamMatched, on: Hearing) -> Finding:
    matches = on.evidence(ev.StreamMatch)
    if not matches:
        return unknown(
            rule,
            "no stream was held against the official feed",
            f"add stream_match: {rule.min_points} moments seen in both, with their times",
        )
    whys: set[str] = set()
    good: list[tuple[str, str]] = []
    for key, item in matches:
        why = _mismatch(item, rule, on)
        if why:
            whys.add(why)
        else:
            good.append((key, f"{item.feed} was found again from {item.vantage}"))
    if good:
        return passed(rule, "; ".join(sorted({said for _, said in good})), [key for key, _ in good])
    return failed(
        rule,
        f"no match counts: {'; '.join(sorted(whys))}",
        f"match {rule.min_points} moments over {in_words(rule.min_span)}, each {rule.min_similarity} % alike, now",
        [key for key, _ in matches],
    )


def _mismatch(item: ev.StreamMatch, rule: rules.StreamMatched, on: Hearing) -> str:
    """Why a match does not count; empty if it does."""
    if not on.on_target(item.url):
        return f"the page is not of {on.facts.target}"
    if item.event not in {event_id for _, event_id in _named(on)}:
        return f"it is of {item.event!r:.80}, which no report names"
    event = _registered(on, item.event)
    if event is None:
        return f"no event {item.event!r:.80} is registered"
    if item.feed.casefold() != event.feed.casefold():
        return f"{item.feed!r:.80} is not the feed registered for {event.id}"
    skew = on.program.windows.clock_skew
    points = [
        point
        for point in item.points
        if point.similarity >= rule.min_similarity
        and event.starts <= point.feed_at < event.ends
        and -skew <= point.stream_at - point.feed_at <= rule.max_delay
        and on.past(point.stream_at)
        and not on.before_registration(point.stream_at)
    ]
    different = {(point.stream_at, point.feed_at) for point in points}
    if len(different) < rule.min_points:
        return f"{len(different)} of {len(item.points)} moments fit the event, the feed and the delay"
    # A loop of one scene is no stream: the feed's time must move on with the stream's.
    spans = [(max(moments) - min(moments)) for moments in zip(*different, strict=True)]
    if min(spans) < rule.min_span:
        return f"the moments lie within {in_words(max(min(spans), timedelta()))}"
    if on.now - max(point.stream_at for point in points) > rule.max_age:
        return f"the last moment is over {in_words(rule.max_age)} old"
    return ""


def _adjudicated(rule: rules.Adjudicated, on: Hearing) -> Finding:
    given = [key for order in orders(on) for key in order.ids]
    given += [key for key, _ in on.evidence(ev.CaseLaw)]
    if not given:
        return unknown(rule, "no order or judgment about it is given", "add court_order or case_law that lists it")
    target, oldest = on.facts.target, on.now - rule.max_age
    for order in orders(on):
        recent = _midnight(order.one) >= oldest
        holds = order.lists(target) and order.covers_registration(on) and not order.lapsed(on)
        if holds and recent and order.one.issued_on <= on.now.date():
            return passed(rule, f"{order.named} lists {target}", order.ids)
    for key, item in sorted(on.evidence(ev.CaseLaw), key=lambda pair: (pair[1].decided_on, pair[1].reference)):
        names = {name.casefold().removesuffix(".") for name in item.domains}
        recent = datetime.combine(item.decided_on, time(), UTC) >= oldest and item.decided_on <= on.now.date()
        if item.held == "unlawful" and target in names and recent and not on.before_registration_day(item.decided_on):
            return passed(rule, f"{item.court} held it unlawful on {item.decided_on} ({item.reference})", [key])
    return failed(
        rule,
        f"nothing given of the last {in_words(rule.max_age)} judges {target} as it is registered now",
        "add an order or judgment that lists this very name",
        given,
    )


def _midnight(order: ev.CourtOrder) -> datetime:
    return datetime.combine(order.confirmed_on or order.issued_on, time(), UTC)


def _verified_before(rule: rules.VerifiedBefore, on: Hearing) -> Finding:
    earlier = on.facts.earlier
    if earlier is None:
        return unknown(rule, "it is not known whether it was acted on before", "we look it up; nothing is asked of you")
    fits = [
        act
        for act in earlier
        if act.program in rule.programs
        and on.now - act.verified_at <= rule.max_age
        and not on.before_registration(act.verified_at)
    ]
    if not fits:
        return failed(
            rule, f"no act on {on.facts.target} was verified before in this registration", "prove it another way"
        )
    last = max(fits, key=lambda act: (act.verified_at, act.reference))
    return passed(rule, f"{last.reference} was verified on {last.verified_at:%Y-%m-%d %H:%M} UTC, same registration")


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.InEventWindow: _in_event_window,
    rules.StreamMatched: _stream_matched,
    rules.Adjudicated: _adjudicated,
    rules.VerifiedBefore: _verified_before,
}
