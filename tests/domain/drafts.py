"""Facts that satisfy each shipped program, and the ways in which a table of tests changes them."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from notifier.domain import policy
from notifier.domain.calendar import Calendar, parse_calendar
from notifier.domain.evidence import parse_evidence
from notifier.domain.live_events import LiveEvent
from notifier.domain.policy import CaseFacts, Earlier, FindingResult, Submission, Supplied, Verdict
from notifier.domain.program import Program, parse_program
from notifier.domain.report import ReportIn
from notifier.domain.rules import Recipient
from notifier.domain.safety import Safety, Scope
from notifier.resources import folder

NOW = datetime(2026, 7, 20, 12, 0, tzinfo=UTC)
TARGET = "evil.example"
PASS, FAIL, UNKNOWN = FindingResult.PASS, FindingResult.FAIL, FindingResult.UNKNOWN
Json = dict[str, Any]


def load_program(program_id: str) -> Program:
    text = (folder("config") / "programs" / f"{program_id}.toml").read_text()
    program, faults = parse_program(tomllib.loads(text), "0" * 64)
    assert program is not None, faults
    return program


def load_calendar(calendar_id: str) -> Calendar:
    calendar, faults = parse_calendar(
        tomllib.loads((folder("config") / "calendars" / f"{calendar_id}.toml").read_text())
    )
    assert calendar is not None, faults
    return calendar


PROGRAMS = {name: load_program(name) for name in ("piracy", "opioids", "pharmacy", "live-event", "authority-order")}
CALENDARS = {name: load_calendar(name) for name in ("us-federal", "england-wales", "utc-weekdays")}


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


def capture(path: str = "/", **changes: Any) -> Json:
    url = path if path.startswith("http") else f"https://www.{TARGET}{path}"
    return {
        "kind": "capture",
        "url": url,
        "captured_at": ago(hours=5),
        "vantage": "residential-us",
        "sha256": "a" * 64,
        "finding": "infringing",
        **changes,
    }


def sample(pages: int = 24, infringing: int = 23, **changes: Any) -> Json:
    def page(i: int) -> Json:
        label = "infringing" if i < infringing else "lawful"
        return {"url": f"https://{TARGET}/watch/{i}", "label": label, "second_label": label, "work": f"Film {i % 3}"}

    items = [page(i) for i in range(pages)]
    return {"kind": "sample", "seed": "7", "method": "random", "population": 900, "items": items, **changes}


def contact(party: str, **changes: Any) -> Json:
    return {
        "kind": "prior_contact",
        "party": party,
        "address": f"abuse@{party}.example",
        "contacted_at": ago(days=6),
        "response": "none",
        "summary": "Asked to act; nothing came back.",
        **changes,
    }


def rights(holder: str, *works: str, **changes: Any) -> Json:
    return {
        "kind": "rights_statement",
        "right_holder": holder,
        "works": list(works),
        "authorised_by": "General counsel",
        **changes,
    }


def letter(**changes: Any) -> Json:
    """15 working days after Monday 15 June 2026, over 19 June and 3 July: the last is Wednesday 8 July."""
    return {
        "kind": "warning_letter",
        "reference": "MARCS-CMS 634444",
        "issued_on": "2026-06-15",
        "recipient": "Tramadol network",
        "domains": [TARGET, "other.example"],
        "response_due": {"working_days": 15, "calendar": "us-federal"},
        "statutes": ["21 U.S.C. 331(a)", "21 U.S.C. 355(a)"],
        "products": [
            {"name": "Ultrum", "active_ingredient": "Tramadol", "drug_class": "opioid", "violation": "unapproved"}
        ],
        "response": "none",
        "assessed_by": "Compliance officer",
        "assessed_at": "2026-07-10T15:00:00Z",
        **changes,
    }


def offer(vantage: str, **changes: Any) -> Json:
    shows = ["us_shipping", "no_prescription_control"]
    return capture("/cart", vantage=vantage, offers="tramadol", shows=shows, **changes)


EVENT = LiveEvent(
    id="final-2026",
    program="live-event",
    title="Final",
    starts=NOW - timedelta(hours=1),
    ends=NOW + timedelta(hours=1),
    margin=timedelta(minutes=30),
    organisations=frozenset({"league"}),
    feed="feed-1",
)


def point(minutes_ago: float, delay_s: float = 40, similarity: int = 97) -> Json:
    """A moment of the feed found again in the stream `delay_s` later."""
    shown = NOW - timedelta(minutes=minutes_ago)
    at = shown + timedelta(seconds=delay_s)
    return {"stream_at": at.isoformat(), "feed_at": shown.isoformat(), "similarity": similarity}


def stream(**changes: Any) -> Json:
    return {
        "kind": "stream_match",
        "url": f"https://{TARGET}/live",
        "event": "final-2026",
        "feed": "feed-1",
        "method": "perceptual hash",
        "vantage": "residential-es",
        "points": [point(8), point(6), point(4)],
        "sha256": "c" * 64,
        **changes,
    }


def order(**changes: Any) -> Json:
    return {
        "kind": "court_order",
        "issuer": "District Court",
        "reference": "26-cv-1",
        "issued_on": "2026-07-01",
        "jurisdiction": "US-CA",
        "provisions": ["17 U.S.C. 502"],
        "domains": [TARGET],
        "orders": "The registry shall hold the name.",
        "sha256": "d" * 64,
        **changes,
    }


def judgment(held: str = "unlawful", **changes: Any) -> Json:
    return {
        "kind": "case_law",
        "court": "Audiencia Provincial",
        "reference": "1/2026",
        "decided_on": "2026-05-10",
        "jurisdiction": "ES",
        "domains": [TARGET],
        "held": held,
        "summary": "Decided.",
        **changes,
    }


def lawful_use(ground: str = "promotional_supply", **changes: Any) -> Json:
    return {"kind": "lawful_use", "ground": ground, "summary": "The label sent the song for promotion.", **changes}


def licence(result: str = "unlicensed", **changes: Any) -> Json:
    return {
        "kind": "licence_check",
        "source": "Ohio Board of Pharmacy",
        "checked_at": ago(days=2),
        "result": result,
        "jurisdiction": "US-OH",
        **changes,
    }


STATEMENTS: Json = {
    "good_faith": True,
    "accuracy": True,
    "human_review": {"reviewer": "A. Reviewer", "at": ago(days=1)},
    "laws": [{"law": "17 U.S.C. 501", "why": "Streams whole films without a licence."}],
    "nexus": "The operator uploads the films and sells the advertising.",
    "licensed_check": "No licence is on file with any of the members named.",
    "judgments": "No judgment about this site is known.",
    "exceptions_check": "No telehealth or in-person exception applies in Ohio.",
    "justification": "Host and registrar were asked and did nothing.",
    "jurisdiction": "US",
    "compromise_check": {"result": "not_compromised", "why": "The whole site is a shop since its registration."},
}
WORKS = [
    {"title": f"Film {i}", "kind": "film", "right_holder": holder}
    for i, holder in enumerate(["Studio A", "Studio B", "Studio C"])
]
CONTACTS = [contact("operator"), contact("host"), contact("registrar")]
EVIDENCE: dict[str, list[Json]] = {
    "piracy": [
        *CONTACTS,
        *(capture(f"/watch/{i}") for i in range(5)),
        sample(),
        *(rights(f"Studio {letter_}", f"Film {i}") for i, letter_ in enumerate("ABC")),
    ],
    "opioids": [*CONTACTS, letter(), offer("residential-us"), offer("mobile-us")],
    "pharmacy": [*CONTACTS, capture("/buy", limb="no_valid_prescription"), licence()],
    "live-event": [
        contact("host", contacted_at=ago(minutes=20)),
        stream(),
        capture("/live", captured_at=ago(minutes=5)),
        sample(24, 24),
        *(rights(f"Studio {letter_}", f"Film {i}") for i, letter_ in enumerate("ABC")),
    ],
    "authority-order": [order()],
}
# What a program asks for beside the statements of all.
SAID: dict[str, Json] = {"live-event": {"human_review": {"reviewer": "A. Reviewer", "at": ago(minutes=10)}}}


@dataclass
class Draft:
    """Sufficient facts, to be changed by one row of a table."""

    evidence: list[Json]
    statements: Json = field(default_factory=lambda: dict(STATEMENTS))
    works: list[Json] = field(default_factory=lambda: [dict(work) for work in WORKS])
    summary: str = "The whole site streams films and series that the named studios never licensed to anybody."
    scope: Scope = Scope.DOMAIN
    safety: Safety | None = Safety.CLEAR
    registered: bool | None = True
    already_down: bool | None = False
    step: Recipient = Recipient.REGISTRY
    reports: bool = True
    window: Any = "final-2026"
    organisation: str = "league"
    supplier: str = "ann"
    registered_at: datetime | None = None
    signals: dict[str, str] | None = field(default_factory=lambda: {"mail_active": "no", "popularity": "no"})
    earlier: tuple[Earlier, ...] | None = ()
    events: tuple[LiveEvent, ...] = (EVENT,)
    category: str = ""
    more: tuple[Submission, ...] = ()

    def state(self, **changes: Any) -> None:
        """Sets statements; None removes one."""
        self.statements = {k: v for k, v in {**self.statements, **changes}.items() if v is not None}

    def drop(self, *kinds: str) -> None:
        self.evidence = [item for item in self.evidence if item["kind"] not in kinds]

    def change(self, kind: str, **changes: Any) -> None:
        self.evidence = [{**item, **changes} if item["kind"] == kind else item for item in self.evidence]

    def swap(self, kind: str, *items: Json) -> None:
        self.drop(kind)
        self.evidence += items

    def facts(self) -> CaseFacts:
        report = ReportIn.model_validate(
            {
                "program": "p",
                "domain": TARGET,
                "summary": self.summary,
                "works": self.works,
                "statements": self.statements,
                "event_window": self.window,
            }
        )
        return CaseFacts(
            target=TARGET,
            scope=self.scope,
            safety=self.safety,
            reports=(Submission("r1", "ann", report, self.organisation, self.category), *self.more)
            if self.reports
            else (),
            evidence=tuple(
                Supplied(f"e{i}", e.get("by", self.supplier), parse_evidence({k: v for k, v in e.items() if k != "by"}))
                for i, e in enumerate(self.evidence)
            ),
            step=self.step,
            registered=self.registered,
            already_down=self.already_down,
            registered_at=self.registered_at,
            signals=self.signals,
            earlier=self.earlier,
            events=self.events,
        )


def good(program: str) -> Draft:
    """Facts that pass every rule of a program."""
    return Draft(
        list(EVIDENCE[program]),
        statements={**STATEMENTS, **SAID.get(program, {})},
        category=PROGRAMS[program].category,
    )


def judge(program: str, draft: Draft, now: datetime = NOW) -> Verdict:
    return policy.evaluate(PROGRAMS[program], draft.facts(), now, CALENDARS)


def result(verdict: Verdict, rule: str) -> FindingResult:
    return next(finding.result for finding in verdict.findings if finding.rule == rule)


Change = Callable[[Draft], None]


def sets(**values: Any) -> Change:
    def change(draft: Draft) -> None:
        for name, value in values.items():
            assert hasattr(draft, name)
            setattr(draft, name, value)

    return change


def states(**values: Any) -> Change:
    return lambda draft: draft.state(**values)


def drops(*kinds: str) -> Change:
    return lambda draft: draft.drop(*kinds)


def changes(kind: str, **values: Any) -> Change:
    return lambda draft: draft.change(kind, **values)


def swaps(kind: str, *items: Json) -> Change:
    return lambda draft: draft.swap(kind, *items)


def adds(*items: Json) -> Change:
    return lambda draft: draft.evidence.extend(items)


def both(*parts: Change) -> Change:
    def change(draft: Draft) -> None:
        for part in parts:
            part(draft)

    return change


Row = tuple[str, str, str, Change, FindingResult]


def finding(verdict: Verdict, rule: str) -> policy.Finding:
    return next(found for found in verdict.findings if found.rule == rule)


def check_row(program: str, rule: str, change: Change, expected: FindingResult) -> None:
    """One row of a table: a change to good facts, and what one rule then says."""
    draft = good(program)
    change(draft)
    verdict = judge(program, draft)
    found = finding(verdict, rule)
    assert found.result is expected, found
    assert found.why
    assert bool(found.mend) is (expected is not PASS)
    if expected is not PASS and rule not in PROGRAMS[program].alternatives:
        assert not verdict.sufficient
