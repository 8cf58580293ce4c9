"""What speaks for a site: a licence, a law elsewhere, promotional supply, a judgment. Never passed over in silence.

Each such thing becomes a sentence that a second person must weigh, with a stated reason (Rojadirecta, Dajaz1).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.facts import Finding, Hearing, passed, same, unknown
from notifier.domain.rules import Rule

_LONGEST = 300


def cut(text: str) -> str:
    """A submitter's words within a sentence of ours: one line, not endless."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def lawful_judgments(on: Hearing) -> list[tuple[str, str]]:
    """Judgments that found the site or the conduct lawful: evidence id and sentence."""
    return [
        (
            key,
            f"a court found it lawful: {cut(item.court)}, {cut(item.reference)}, {item.decided_on} "
            f"({cut(item.jurisdiction)}): {cut(item.summary)}",
        )
        for key, item in on.evidence(ev.CaseLaw, ours=True)
        if item.held == "lawful"
    ]


def licences(on: Hearing) -> list[tuple[str, str]]:
    """What registers say of a licence: evidence id and sentence."""
    return [
        (key, f"{cut(check.source)} says that it is licensed in {cut(check.jurisdiction)}")
        for key, check in latest_checks(on).values()
        if check.result == "licensed"
    ]


# Of two readings of one register at one instant the one that speaks for the site holds.
_FAVOUR = ("unlicensed", "not_recommended", "unverified", "licensed")


def latest_checks(on: Hearing) -> dict[tuple[str, str], tuple[str, ev.LicenceCheck]]:
    """The newest reading of each register and jurisdiction, of this registration, by source and jurisdiction."""
    latest: dict[tuple[str, str], tuple[str, ev.LicenceCheck]] = {}
    for key, check in on.evidence(ev.LicenceCheck):
        place = (same(check.source), same(check.jurisdiction))
        if not on.past(check.checked_at) or on.before_registration(check.checked_at):
            continue
        if place not in latest or _newer(check, latest[place][1]):
            latest[place] = key, check
    return latest


def _newer(one: ev.LicenceCheck, other: ev.LicenceCheck) -> bool:
    return (one.checked_at, _FAVOUR.index(one.result)) > (other.checked_at, _FAVOUR.index(other.result))


def _uses(on: Hearing, ground: str) -> list[tuple[str, str]]:
    words = ground.replace("_", " ")
    return [
        (key, f"said to be {words}{f' in {cut(item.jurisdiction)}' if item.jurisdiction else ''}: {cut(item.summary)}")
        for key, item in on.evidence(ev.LawfulUse, ours=True)
        if item.ground == ground
    ]


def _conflicts_weighed(rule: rules.ConflictsWeighed, on: Hearing) -> Finding:
    found: list[tuple[str, str]] = []
    for ground in rule.grounds:
        if ground == "lawful_judgment":
            found += lawful_judgments(on)
        else:
            found += _uses(on, ground)
        if ground == "licensed":
            found += licences(on)
    if found:
        weigh = sentences(found)
        count = f"{len(weigh)} things speak" if len(weigh) > 1 else "one thing speaks"
        return passed(rule, f"{count} for the site; a second person must weigh it", [key for key, _ in found], weigh)
    if not on.facts.reports:
        return unknown(rule, "there is no report", "report what happens on the site, and what speaks for it")
    return passed(rule, "nothing that was given speaks for the site")


def sentences(found: Iterable[tuple[str, str]]) -> list[str]:
    """Each sentence once, in an order that does not depend on when it came."""
    return sorted({sentence for _, sentence in found})


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {rules.ConflictsWeighed: _conflicts_weighed}
