"""What a rule is judged on, and what comes out: a case's facts, their hearing at a moment, a finding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urldefrag

import idna

from notifier.domain.calendar import Calendar
from notifier.domain.evidence import Capture, Evidence
from notifier.domain.live_events import LiveEvent
from notifier.domain.program import Program
from notifier.domain.report import ReportIn, Statements
from notifier.domain.rules import Recipient, Rule
from notifier.domain.safety import Safety, Scope

E = TypeVar("E", bound=Evidence)

# A page that hides the site proves nothing about it.
_WALLS = frozenset({"login_wall", "geo_wall", "parked"})


OURS = "daemon"  # the principal under whose name our own looks and notices are evidence


@dataclass(frozen=True, slots=True)
class Submission:
    """A report tied to the case, and the principal who sent it. Its own `evidence` is not read from here.

    `organisation` is the sender's, empty for the house itself; `category` that of the program it was made under.
    """

    id: str
    by: str
    report: ReportIn
    organisation: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Supplied:
    """An evidence item and the principal who supplied it."""

    id: str
    by: str
    item: Evidence


@dataclass(frozen=True, slots=True)
class Earlier:
    """An ended act on the same target in the same registration: observed by us, and not found wrong since."""

    reference: str
    program: str
    verified_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """Everything known about a case when its rules are evaluated.

    `target`: A-label host that the case is about.
    `evidence`: that of every report, what came later, and our own notices to host and registrar as
    `prior_contact`.
    `step`: the ladder step that is asked for next; the registry if nothing else is said.
    `registered_at`: when the present registration began; what is older speaks of somebody else's.
    `signals`: what was measured or listed about the target, by name; `earlier`: verified acts on it before.
    `events`: the live events registered for the program.
    None means unknown, never no.
    """

    target: str
    scope: Scope
    safety: Safety | None
    reports: tuple[Submission, ...]
    evidence: tuple[Supplied, ...]
    step: Recipient = Recipient.REGISTRY
    registered: bool | None = None
    already_down: bool | None = None
    registered_at: datetime | None = None
    signals: Mapping[str, str] | None = None
    earlier: tuple[Earlier, ...] | None = None
    events: tuple[LiveEvent, ...] = ()


class FindingResult(StrEnum):
    PASS = "pass"  # noqa: S105 (a result, not a password)
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's result: why, what would mend it (empty for a pass), and the ids of the evidence it rests on.

    unknown: nothing was given that could tell. fail: something was given, and it does not hold.
    `weigh`: sentences about what speaks for the site; a second person must weigh them.
    `again_at`: when time alone may change the result; None: it takes more than time.
    """

    rule: str
    result: FindingResult
    why: str
    mend: str
    evidence: tuple[str, ...] = ()
    weigh: tuple[str, ...] = ()
    again_at: datetime | None = None


def passed(rule: Rule, why: str, evidence: Iterable[str] = (), weigh: Iterable[str] = ()) -> Finding:
    return Finding(rule.id, FindingResult.PASS, why, "", tuple(evidence), tuple(weigh))


def failed(
    rule: Rule, why: str, mend: str, evidence: Iterable[str] = (), *, again_at: datetime | None = None
) -> Finding:
    return Finding(rule.id, FindingResult.FAIL, why, mend, tuple(evidence), again_at=again_at)


def unknown(rule: Rule, why: str, mend: str) -> Finding:
    return Finding(rule.id, FindingResult.UNKNOWN, why, mend)


@dataclass(frozen=True, slots=True)
class Hearing:
    """The facts of a case heard under one program at one moment."""

    program: Program
    facts: CaseFacts
    now: datetime
    calendars: Mapping[str, Calendar]

    def past(self, moment: datetime) -> bool:
        """Whether a submitter's instant has happened, allowing for their clock."""
        return moment <= self.now + self.program.windows.clock_skew

    def before_registration(self, moment: datetime | None) -> bool:
        """Whether an instant lies before the present registration; one that is not given may."""
        began = self.facts.registered_at
        return began is not None and (moment is None or moment < began)

    def before_registration_day(self, day: date) -> bool:
        """Whether a paper's day lies before the day on which the present registration began, UTC."""
        began = self.facts.registered_at
        return began is not None and day < began.astimezone(UTC).date()

    def evidence(self, kind: type[E], *, ours: bool = False) -> list[tuple[str, E]]:
        """The items of a kind, with their ids, in the order they came.

        What the daemon supplied is no submitter's proof: it is left out unless `ours`.
        """
        return [
            (supplied.id, supplied.item)
            for supplied in self.facts.evidence
            if isinstance(supplied.item, kind) and (ours or supplied.by != OURS)
        ]

    def statements(self) -> list[Statements]:
        return [submission.report.statements for submission in self.facts.reports]

    def on_target(self, url: str) -> bool:
        """Whether a page lies on the target or on a host below it."""
        host = host_of(url)
        return host is not None and (host == self.facts.target or host.endswith("." + self.facts.target))

    def captures(self, *, ours: bool = False) -> list[tuple[str, Capture]]:
        """Captures that count: of the target, of the past but of this registration, not of a wall or parking page."""
        return [(key, item) for key, item in self.evidence(Capture, ours=ours) if not self.objection(item)]

    def objection(self, capture: Capture) -> str:
        """Why a capture does not count; empty if it does."""
        if not self.on_target(capture.url):
            return f"it is not of {self.facts.target}"
        if not self.past(capture.captured_at):
            return "it is dated in the future"
        if self.before_registration(capture.captured_at):
            return f"it was taken before the present registration ({self.facts.registered_at:%Y-%m-%d %H:%M} UTC)"
        walls = sorted(_WALLS.intersection(capture.shows))
        return f"it shows only a {walls[0].replace('_', ' ')}" if walls else ""


@lru_cache(maxsize=4096)
def host_of(url: str) -> str | None:
    """Host of an address that the evidence models accepted, A-labels, no root dot; None if it is no name."""
    authority = url.split("://", 1)[1].replace("?", "/").replace("#", "/").split("/", 1)[0]
    host = authority.rpartition(":")[0] if authority.rpartition(":")[2].isdigit() else authority.removesuffix(":")
    try:
        return idna.encode(host, uts46=True, std3_rules=False).decode().removesuffix(".").lower()
    except UnicodeError:  # IDNAError is one
        return host.removesuffix(".").lower() if host.isascii() else None


def page_of(url: str) -> str:
    """The page an address names: two fragments of one page are one page."""
    return urldefrag(url).url


def same(text: str) -> str:
    """A name as it is compared: case and spacing do not tell two right holders apart."""
    return " ".join(text.casefold().split())


def within(one: str, other: str) -> bool:
    """Whether two jurisdictions are the same, or one is a part of the other: US-OH of US."""
    a, b = same(one), same(other)
    return a == b or a.startswith(f"{b}-") or b.startswith(f"{a}-")


def in_words(span: timedelta) -> str:
    """A span as a sentence has it: `3 days`, `36 hours`, `90 minutes`."""
    minutes = int(span.total_seconds()) // 60
    count, unit = next((minutes // size, unit) for unit, size in _UNITS if minutes % size == 0)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


_UNITS = (("day", 24 * 60), ("hour", 60), ("minute", 1))
