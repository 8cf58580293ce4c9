"""Every rule with a passing, a failing and an unknown row; the shipped programs; domain scenarios 5, 6 and 28."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import policy
from notifier.domain.calendar import Calendar, parse_calendar
from notifier.domain.evidence import parse_evidence
from notifier.domain.policy import CHECKS, CaseFacts, FindingResult, Submission, Supplied, Verdict
from notifier.domain.program import Program, parse_program
from notifier.domain.report import ReportIn
from notifier.domain.rules import RULES, Recipient
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


PROGRAMS = {name: load_program(name) for name in ("piracy", "opioids", "pharmacy")}
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
        return {"url": f"https://{TARGET}/watch/{i}", "label": label, "second_label": label}

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
}


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
            }
        )
        return CaseFacts(
            target=TARGET,
            scope=self.scope,
            safety=self.safety,
            reports=(Submission("r1", "ann", report),) if self.reports else (),
            evidence=tuple(Supplied(f"e{i}", "ann", parse_evidence(e)) for i, e in enumerate(self.evidence)),
            step=self.step,
            registered=self.registered,
            already_down=self.already_down,
        )


def good(program: str) -> Draft:
    return Draft(list(EVIDENCE[program]))


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


UNLISTED = {"domains": ["third.example"]}
ROWS: list[tuple[str, str, str, Change, FindingResult]] = [
    # The target.
    ("piracy", "target-safe", "second review", sets(safety=Safety.SECOND_REVIEW), PASS),
    ("piracy", "target-safe", "platform, host asked", sets(safety=Safety.REROUTE, step=Recipient.HOST), PASS),
    ("piracy", "target-safe", "platform, registry asked", sets(safety=Safety.REROUTE), FAIL),
    ("piracy", "target-safe", "host scope, registrar asked", sets(scope=Scope.HOST, step=Recipient.REGISTRAR), FAIL),
    ("piracy", "target-safe", "protected", sets(safety=Safety.REFUSE, step=Recipient.HOST), FAIL),
    ("piracy", "target-safe", "not measured", sets(safety=None), UNKNOWN),
    ("piracy", "not-already-down", "no RDAP, but delegated", sets(registered=None), PASS),
    ("piracy", "not-already-down", "down", sets(already_down=True), FAIL),
    ("piracy", "not-already-down", "not registered", sets(registered=False, already_down=None), FAIL),
    ("piracy", "not-already-down", "timeout", sets(already_down=None), UNKNOWN),
    (
        "opioids",
        "not-compromised",
        "found hacked",
        states(compromise_check={"result": "compromised", "why": "x"}),
        FAIL,
    ),
    ("opioids", "not-compromised", "a capture shows it", adds(capture(shows=["compromised"])), FAIL),
    ("opioids", "not-compromised", "unsure", states(compromise_check={"result": "unsure", "why": "x"}), UNKNOWN),
    ("opioids", "not-compromised", "silent", states(compromise_check=None), UNKNOWN),
    # The submitter's word.
    ("piracy", "described", "80 characters", sets(summary="x" * 80), PASS),
    ("piracy", "described", "79 characters", sets(summary="x" * 79), FAIL),
    ("piracy", "described", "no report", sets(reports=False), UNKNOWN),
    ("piracy", "good-faith", "no", states(good_faith=False), FAIL),
    ("piracy", "good-faith", "silent", states(good_faith=None), UNKNOWN),
    ("piracy", "accuracy", "no", states(accuracy=False), FAIL),
    ("piracy", "accuracy", "silent", states(accuracy=None), UNKNOWN),
    (
        "piracy",
        "human-review",
        "14 days ago",
        states(human_review={"reviewer": "B", "at": ago(days=14)}),
        PASS,
    ),
    (
        "piracy",
        "human-review",
        "a second over",
        states(human_review={"reviewer": "B", "at": ago(days=14, seconds=1)}),
        FAIL,
    ),
    ("piracy", "human-review", "tomorrow", states(human_review={"reviewer": "B", "at": ago(days=-1)}), FAIL),
    ("piracy", "human-review", "silent", states(human_review=None), UNKNOWN),
    ("piracy", "laws", "no why", states(laws=[{"law": "17 U.S.C. 501", "why": "stolen"}]), FAIL),
    ("piracy", "laws", "silent", states(laws=None), UNKNOWN),
    ("piracy", "nexus", "a word", states(nexus="ads"), FAIL),
    ("piracy", "nexus", "silent", states(nexus=None), UNKNOWN),
    ("piracy", "licensed-check", "a word", states(licensed_check="none"), FAIL),
    ("piracy", "licensed-check", "silent", states(licensed_check=None), UNKNOWN),
    ("piracy", "justification", "a word", states(justification="must"), FAIL),
    ("piracy", "justification", "silent", states(justification=None), UNKNOWN),
    ("pharmacy", "jurisdiction", "one letter", states(jurisdiction="U"), FAIL),
    ("pharmacy", "jurisdiction", "silent", states(jurisdiction=None), UNKNOWN),
    ("pharmacy", "exceptions", "a word", states(exceptions_check="none"), FAIL),
    ("pharmacy", "exceptions", "silent", states(exceptions_check=None), UNKNOWN),
    # Prior contact.
    ("piracy", "prior-contact", "just 72 h ago", changes("prior_contact", contacted_at=ago(hours=72)), PASS),
    ("piracy", "prior-contact", "a second less", changes("prior_contact", contacted_at=ago(hours=71.9997)), FAIL),
    (
        "piracy",
        "prior-contact",
        "declined at once",
        changes("prior_contact", contacted_at=ago(hours=1), response="declined"),
        PASS,
    ),
    (
        "piracy",
        "prior-contact",
        "only an auto-reply",
        changes("prior_contact", contacted_at=ago(hours=1), response="auto_reply"),
        FAIL,
    ),
    (
        "piracy",
        "prior-contact",
        "acted, and it goes on",
        changes("prior_contact", response="acted", responded_at=ago(days=2)),
        PASS,
    ),
    (
        "piracy",
        "prior-contact",
        "acted since the last capture",
        changes("prior_contact", response="acted", responded_at=ago(hours=1)),
        FAIL,
    ),
    ("piracy", "prior-contact", "host not asked", swaps("prior_contact", contact("registrar")), UNKNOWN),
    ("piracy", "prior-contact", "registrar not asked", swaps("prior_contact", contact("host")), UNKNOWN),
    ("piracy", "prior-contact", "asked tomorrow", changes("prior_contact", contacted_at=ago(days=-1)), UNKNOWN),
    ("opioids", "operator-told", "today", swaps("prior_contact", contact("operator", contacted_at=ago(hours=2))), FAIL),
    ("opioids", "operator-told", "not told", drops("prior_contact"), UNKNOWN),
    # Captures.
    ("pharmacy", "on-target", "another site", changes("capture", url="https://evil.example.net/"), FAIL),
    ("pharmacy", "on-target", "the name as a prefix", changes("capture", url="https://notevil.example/"), FAIL),
    ("pharmacy", "on-target", "a login wall", changes("capture", shows=["login_wall"]), FAIL),
    ("pharmacy", "on-target", "a country wall", changes("capture", shows=["geo_wall"]), FAIL),
    ("pharmacy", "on-target", "tomorrow", changes("capture", captured_at=ago(days=-1)), FAIL),
    ("pharmacy", "on-target", "root dot, port, capitals", changes("capture", url="https://EVIL.example.:8443/"), PASS),
    ("pharmacy", "on-target", "their clock is 5 min ahead", changes("capture", captured_at=ago(minutes=-5)), PASS),
    ("pharmacy", "on-target", "6 min ahead", changes("capture", captured_at=ago(minutes=-6)), FAIL),
    ("pharmacy", "on-target", "none", drops("capture"), UNKNOWN),
    ("pharmacy", "fresh", "72 h", changes("capture", captured_at=ago(hours=72)), PASS),
    ("pharmacy", "fresh", "a second over", changes("capture", captured_at=ago(hours=72, seconds=1)), FAIL),
    ("pharmacy", "fresh", "none", drops("capture"), UNKNOWN),
    # Piracy.
    ("piracy", "sample-floor", "five captures", drops("sample"), PASS),
    (
        "piracy",
        "sample-floor",
        "five pages labelled",
        both(drops("capture"), swaps("sample", sample(5, 5))),
        PASS,
    ),
    (
        "piracy",
        "sample-floor",
        "four, one twice",
        swaps("capture", *(capture(f"/{i % 4}#{i}") for i in range(8))),
        PASS,
    ),
    ("piracy", "sample-floor", "nothing", drops("capture", "sample"), UNKNOWN),
    ("piracy", "pervasive", "15 of 20", swaps("sample", sample(20, 15)), PASS),  # low end 53.1 %
    ("piracy", "pervasive", "14 of 20", swaps("sample", sample(20, 14)), FAIL),  # low end 48.1 %
    ("piracy", "pervasive", "19 of 19", swaps("sample", sample(19, 19)), FAIL),
    ("piracy", "pervasive", "picked by hand", changes("sample", method="chosen"), FAIL),
    ("piracy", "pervasive", "drawn tomorrow", changes("sample", drawn_at=ago(days=-1)), FAIL),
    ("piracy", "pervasive", "a second sample of lawful pages", adds(sample(24, 0)), FAIL),
    ("piracy", "pervasive", "none", drops("sample"), UNKNOWN),
    ("piracy", "breadth", "two right holders, two works", sets(works=WORKS[:2]), FAIL),
    (
        "piracy",
        "breadth",
        "one right holder, nine works",
        sets(works=[{**WORKS[0], "title": str(i)} for i in range(9)]),
        FAIL,
    ),
    (
        "piracy",
        "breadth",
        "one right holder, ten works",
        sets(works=[{**WORKS[0], "title": str(i)} for i in range(10)]),
        PASS,
    ),
    (
        "piracy",
        "breadth",
        "one, spelled three ways",
        sets(works=[{**WORKS[0], "right_holder": n} for n in ("Studio A", "studio a", "STUDIO  A")]),
        FAIL,
    ),
    ("piracy", "breadth", "none", sets(works=[]), UNKNOWN),
    ("piracy", "authorised", "another film of a member", sets(works=[{**WORKS[0], "title": "Film 9"}]), FAIL),
    ("piracy", "authorised", "signed tomorrow", changes("rights_statement", signed_at=ago(days=-1)), UNKNOWN),
    (
        "piracy",
        "authorised",
        "by statement",
        both(
            drops("rights_statement"),
            states(authorisation={"right_holders": ["studio a", "Studio B", "Studio C"], "statement": "Members."}),
        ),
        PASS,
    ),
    ("piracy", "authorised", "none", drops("rights_statement"), UNKNOWN),
    (
        "piracy",
        "judgments",
        "found lawful, silent",
        both(
            states(judgments=None),
            adds(
                {
                    "kind": "case_law",
                    "court": "Audiencia Provincial",
                    "reference": "1/2010",
                    "decided_on": "2010-05-10",
                    "jurisdiction": "ES",
                    "held": "lawful",
                    "summary": "Linking was lawful.",
                }
            ),
        ),
        FAIL,
    ),
    ("piracy", "judgments", "silent", states(judgments=None), UNKNOWN),
    # The warning letter.
    ("opioids", "letter", "tomorrow's", changes("warning_letter", issued_on="2026-07-21"), FAIL),
    ("opioids", "letter", "none", drops("warning_letter"), UNKNOWN),
    ("opioids", "letter-names-target", "a host below it", changes("warning_letter", domains=[f"WWW.{TARGET}."]), PASS),
    (
        "opioids",
        "letter-names-target",
        "linked",
        changes("warning_letter", **UNLISTED, link_to_network="Same phone."),
        PASS,
    ),
    ("opioids", "letter-names-target", "not listed", changes("warning_letter", **UNLISTED), FAIL),
    ("opioids", "letter-names-target", "none", drops("warning_letter"), UNKNOWN),
    (
        "opioids",
        "letter-due",
        "30 days still run",
        changes("warning_letter", response_due={"working_days": 30, "calendar": "us-federal"}),
        FAIL,
    ),
    ("opioids", "letter-due", "received later", changes("warning_letter", received_on="2026-07-10"), FAIL),
    ("opioids", "letter-due", "a second copy cannot shorten", adds(letter(received_on="2026-07-10")), FAIL),
    (
        "opioids",
        "letter-due",
        "unknown calendar",
        changes("warning_letter", response_due={"working_days": 15, "calendar": "mars"}),
        UNKNOWN,
    ),
    ("opioids", "letter-due", "calendar does not reach", changes("warning_letter", issued_on="2017-06-15"), UNKNOWN),
    ("opioids", "letter-due", "none", drops("warning_letter"), UNKNOWN),
    ("opioids", "letter-unanswered", "inadequate", changes("warning_letter", response="inadequate"), PASS),
    ("opioids", "letter-unanswered", "adequate", changes("warning_letter", response="adequate"), FAIL),
    (
        "opioids",
        "letter-unanswered",
        "assessed too early",
        changes("warning_letter", assessed_at="2026-07-09T03:59:59Z"),
        FAIL,
    ),
    (
        "opioids",
        "letter-unanswered",
        "assessed at the instant",
        changes("warning_letter", assessed_at="2026-07-09T04:00:00Z"),
        PASS,
    ),
    (
        "opioids",
        "letter-unanswered",
        "later found adequate",
        adds(letter(response="adequate", assessed_at=ago(hours=1))),
        FAIL,
    ),
    (
        "opioids",
        "letter-unanswered",
        "first pending",
        adds(letter(response="pending", assessed_at=None, assessed_by=None)),
        PASS,
    ),
    ("opioids", "letter-unanswered", "pending", changes("warning_letter", response="pending"), UNKNOWN),
    ("opioids", "letter-unanswered", "no assessor", changes("warning_letter", assessed_by=None), UNKNOWN),
    ("opioids", "letter-unanswered", "none", drops("warning_letter"), UNKNOWN),
    (
        "opioids",
        "products",
        "other class",
        changes("warning_letter", products=[{"name": "X", "drug_class": "other", "violation": "both"}]),
        FAIL,
    ),
    ("opioids", "products", "none", changes("warning_letter", products=[]), UNKNOWN),
    # Continuing conduct.
    ("opioids", "continues", "by the letter's own name", changes("capture", offers="ULTRUM"), PASS),
    ("opioids", "continues", "one vantage", changes("capture", vantage="same"), FAIL),
    ("opioids", "continues", "one vantage, spelled twice", swaps("capture", offer("US Home"), offer("us  home")), FAIL),
    ("opioids", "continues", "another product", changes("capture", offers="ibuprofen"), FAIL),
    (
        "opioids",
        "continues",
        "a product of another class",
        both(
            changes("warning_letter", products=[{"name": "Balm", "drug_class": "other", "violation": "both"}]),
            changes("capture", offers="Balm"),
        ),
        FAIL,
    ),
    ("opioids", "continues", "no US sign", changes("capture", shows=["no_prescription_control"]), FAIL),
    ("opioids", "continues", "prescription asked", changes("capture", shows=["us_shipping", "us_currency"]), FAIL),
    ("opioids", "continues", "before the due instant", changes("capture", captured_at="2026-07-09T03:59:59Z"), FAIL),
    ("opioids", "continues", "at the due instant", changes("capture", captured_at="2026-07-09T04:00:00Z"), PASS),
    (
        "opioids",
        "continues",
        "offer and checkout apart",
        swaps(
            "capture",
            *(capture("/item", vantage=v, offers="tramadol", shows=["us_currency"]) for v in "ab"),
            *(capture("/pay", vantage=v, shows=["no_prescription_control"]) for v in "ab"),
        ),
        PASS,
    ),
    ("opioids", "continues", "no capture", drops("capture"), UNKNOWN),
    ("opioids", "continues", "no letter", drops("warning_letter"), UNKNOWN),
    # Pharmacies.
    (
        "pharmacy",
        "limb",
        "law for another limb",
        states(laws=[{"law": "x", "why": "y" * 20, "limb": "unlicensed"}]),
        FAIL,
    ),
    ("pharmacy", "limb", "no jurisdiction", states(jurisdiction=None), FAIL),
    (
        "pharmacy",
        "limb",
        "the law's own jurisdiction",
        states(jurisdiction=None, laws=[{"law": "x", "why": "y" * 20, "jurisdiction": "GB"}]),
        PASS,
    ),
    ("pharmacy", "limb", "unlicensed, a register says so", changes("capture", limb="unlicensed"), PASS),
    (
        "pharmacy",
        "limb",
        "unlicensed, no register",
        both(drops("licence_check"), changes("capture", limb="unlicensed")),
        FAIL,
    ),
    ("pharmacy", "limb", "page judged lawful", changes("capture", finding="lawful"), UNKNOWN),
    ("pharmacy", "limb", "no limb shown", changes("capture", limb=None), UNKNOWN),
    ("pharmacy", "licence", "not recommended", changes("licence_check", result="not_recommended"), PASS),
    ("pharmacy", "licence", "unverified", changes("licence_check", result="unverified"), FAIL),
    ("pharmacy", "licence", "licensed", changes("licence_check", result="licensed"), FAIL),
    ("pharmacy", "licence", "one register says licensed", adds(licence("licensed", jurisdiction="US-NY")), FAIL),
    ("pharmacy", "licence", "licensed since", adds(licence("licensed", checked_at=ago(hours=1))), FAIL),
    ("pharmacy", "licence", "31 days ago", changes("licence_check", checked_at=ago(days=31)), FAIL),
    ("pharmacy", "licence", "none", drops("licence_check"), UNKNOWN),
]


@pytest.mark.parametrize(
    ("program", "rule", "change", "expected"),
    [pytest.param(p, r, c, e, id=f"{p}-{r}-{name}-{e}") for p, r, name, c, e in ROWS],
)
def test_row(program: str, rule: str, change: Change, expected: FindingResult) -> None:
    draft = good(program)
    change(draft)
    verdict = judge(program, draft)
    finding = next(finding for finding in verdict.findings if finding.rule == rule)
    assert finding.result is expected, finding
    assert finding.why
    assert bool(finding.mend) is (expected is not PASS)
    if expected is not PASS:
        assert not verdict.sufficient


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("step", Recipient)
def test_the_good_facts_pass_every_rule(program: str, step: Recipient) -> None:
    draft = good(program)
    draft.step = step
    verdict = judge(program, draft)
    assert [finding for finding in verdict.findings if finding.result is not PASS] == []
    assert verdict.sufficient
    assert verdict.blocking == ()


def test_each_rule_of_each_program_has_a_row_that_fails_and_one_that_is_unknown() -> None:
    seen = {(program, rule, expected) for program, rule, _, _, expected in ROWS}
    types = {(program.id, rule.id): rule.type for program in PROGRAMS.values() for rule in program.rules}
    for wanted in (FAIL, UNKNOWN):
        tested = {types[program, rule] for program, rule, expected in seen if expected is wanted}
        # The hard floor fails in scenario 5 below.
        assert set(RULES) - tested <= ({"sample_floor", "letter_issued"} if wanted is FAIL else set())


def test_every_rule_type_has_a_check() -> None:
    assert set(CHECKS) == set(RULES.values())


def test_empty_facts_pass_nothing_but_what_we_measured() -> None:
    draft = Draft([], statements={}, works=[], reports=False)
    for program in PROGRAMS:
        verdict = judge(program, draft)
        assert not verdict.sufficient
        assert set(verdict.ids(PASS)) == {"target-safe", "not-already-down"}
        assert verdict.ids(FAIL) == ()


def test_rules_of_the_registry_step_do_not_block_the_host_step() -> None:
    draft = good("piracy")
    draft.drop("prior_contact")
    assert judge("piracy", draft).blocking == ("prior-contact",)
    draft.step = Recipient.HOST
    verdict = judge("piracy", draft)
    assert verdict.sufficient
    assert result(verdict, "prior-contact") is UNKNOWN


# Scenario 5: four links took Dajaz1 down for 13 months.
@pytest.mark.parametrize("pages", [1, 2, 3, 4])
def test_a_report_of_four_pages_is_rejected(pages: int) -> None:
    draft = good("piracy")
    draft.drop("sample")
    draft.swap("capture", *(capture(f"/{i}") for i in range(pages)))
    verdict = judge("piracy", draft)
    assert result(verdict, "sample-floor") is FAIL
    assert verdict.rejects == ("sample-floor",)
    assert not verdict.sufficient


# Scenario 6: the window ends with Wednesday 8 July 2026 in New York, which is 04:00 UTC on the 9th.
def test_an_opioid_notice_is_not_sendable_one_minute_early() -> None:
    draft = good("opioids")
    due = datetime(2026, 7, 9, 4, 0, tzinfo=UTC)
    assert result(judge("opioids", draft, due - timedelta(minutes=1)), "letter-due") is FAIL
    assert result(judge("opioids", draft, due - timedelta(microseconds=1)), "letter-due") is FAIL
    assert result(judge("opioids", draft, due), "letter-due") is PASS


# Scenario 28: nobody having verified a pharmacy says nothing about it.
def test_unverified_is_not_unlicensed() -> None:
    draft = good("pharmacy")
    draft.change("licence_check", result="unverified")
    finding = next(f for f in judge("pharmacy", draft).findings if f.rule == "licence")
    assert finding.result is FAIL
    assert "not evidence" in finding.why


def test_pages_two_reviewers_differ_on_do_not_count_as_infringing() -> None:
    draft = good("piracy")
    items = [{**item, "second_label": "unclear" if i < 9 else None} for i, item in enumerate(sample(24, 24)["items"])]
    draft.change("sample", items=items)
    sampled = policy.sampled(PROGRAMS["piracy"], draft.facts(), NOW)
    assert sampled is not None
    assert (sampled.pages, sampled.infringing) == (24, 0)


def test_pages_of_other_sites_and_pages_twice_are_not_counted() -> None:
    draft = good("piracy")
    other = {"url": "https://other.example/1", "label": "infringing", "second_label": "infringing"}
    items = sample(20, 20)["items"]
    draft.change("sample", items=[*items, *items, other])
    sampled = policy.sampled(PROGRAMS["piracy"], draft.facts(), NOW)
    assert sampled is not None
    assert (sampled.pages, sampled.infringing) == (20, 20)


# 23 of 24: 79.8-99.3 %, short of 80; 24 of 24: 86.2-100 %.
@pytest.mark.parametrize(("infringing", "solely"), [(23, False), (24, True)])
def test_the_words_solely_dedicated_need_their_own_bound(infringing: int, solely: bool) -> None:
    draft = good("piracy")
    draft.swap("sample", sample(24, infringing))
    sampled = policy.sampled(PROGRAMS["piracy"], draft.facts(), NOW)
    assert sampled is not None
    assert sampled.solely_dedicated is solely
    assert result(judge("piracy", draft), "pervasive") is PASS


def test_an_idn_capture_matches_its_a_label_and_not_the_look_alike() -> None:
    draft = good("pharmacy")
    draft.change("capture", url="https://faß.de/kaufen")
    facts = draft.facts()
    for target, expected in (("xn--fa-hia.de", PASS), ("fass.de", FAIL)):
        verdict = policy.evaluate(PROGRAMS["pharmacy"], replace(facts, target=target), NOW, CALENDARS)
        assert result(verdict, "on-target") is expected


def test_steps_are_proved_by_a_refusal_or_by_the_window() -> None:
    program = PROGRAMS["piracy"]

    def proved(*contacts: Json) -> set[Recipient]:
        draft = Draft(list(contacts))
        return set(policy.proved_steps(program, draft.facts(), NOW, CALENDARS))

    assert proved() == set()
    assert proved(contact("operator")) == set()
    assert proved(contact("host", contacted_at=ago(hours=71))) == set()
    assert proved(contact("host", contacted_at=ago(hours=72))) == {Recipient.HOST}
    assert proved(contact("registrar", contacted_at=ago(hours=1), response="declined")) == {Recipient.REGISTRAR}
    assert proved(contact("host", contacted_at=ago(hours=-80))) == set()


UNRELATED = [
    {
        "kind": "screenshot",
        "url": f"https://{TARGET}/",
        "captured_at": ago(hours=1),
        "sha256": "b" * 64,
        "media_type": "image/png",
    },
    {
        "kind": "dns_snapshot",
        "domain": TARGET,
        "server": "a.example",
        "queried_at": ago(hours=1),
        "rrtype": "NS",
        "rcode": "NOERROR",
    },
    {"kind": "rdap_snapshot", "domain": TARGET, "server": "https://rdap.example/", "queried_at": ago(hours=1)},
    {
        "kind": "court_order",
        "issuer": "Court",
        "reference": "1",
        "issued_on": "2026-01-01",
        "jurisdiction": "US",
        "provisions": ["x"],
        "orders": "Hold it.",
    },
]


@given(
    row=st.sampled_from(ROWS),
    extra=st.lists(st.sampled_from(UNRELATED), min_size=1, max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_evidence_of_an_unrelated_kind_changes_no_finding(row: Any, extra: list[Json], order: Any) -> None:
    program, _, _, change, _ = row
    draft = good(program)
    change(draft)
    before = {finding.rule: finding.result for finding in judge(program, draft).findings}
    draft.evidence += extra
    order.shuffle(draft.evidence)
    assert {finding.rule: finding.result for finding in judge(program, draft).findings} == before


# Which kinds a rule may rest on; evidence of any other kind never lifts it to a pass.
READS = {
    "pervasive": {"sample"},
    "sample-floor": {"sample", "capture"},
    "authorised": {"rights_statement"},
    "judgments": {"case_law"},
    "on-target": {"capture"},
    "fresh": {"capture"},
    "letter": {"warning_letter"},
    "letter-names-target": {"warning_letter"},
    "letter-due": {"warning_letter"},
    "letter-unanswered": {"warning_letter"},
    "products": {"warning_letter"},
    "continues": {"warning_letter", "capture"},
    "limb": {"capture", "licence_check"},
    "licence": {"licence_check"},
    "operator-told": {"prior_contact", "capture"},
    "prior-contact": {"prior_contact", "capture"},
    "not-compromised": {"capture"},
}
EVERY_ITEM = [item for items in EVIDENCE.values() for item in items] + UNRELATED


@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    start=st.lists(st.sampled_from(EVERY_ITEM), max_size=6),
    extra=st.sampled_from(EVERY_ITEM),
)
def test_only_evidence_of_its_own_kind_lifts_a_rule_to_a_pass(program: str, start: list[Json], extra: Json) -> None:
    before = judge(program, Draft(list(start)))
    after = judge(program, Draft([*start, extra]))
    for old, new in zip(before.findings, after.findings, strict=True):
        if old.result is not PASS and new.result is PASS:
            assert extra["kind"] in READS.get(old.rule, set())


@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    evidence=st.lists(st.sampled_from(EVERY_ITEM), max_size=8),
    step=st.sampled_from(list(Recipient)),
)
def test_sufficient_means_that_no_guarding_rule_failed_or_is_unknown(
    program: str, evidence: list[Json], step: Recipient
) -> None:
    draft = Draft(list(evidence), step=step)
    verdict = judge(program, draft)
    guarding = {rule.id for rule in PROGRAMS[program].rules if step in rule.steps}
    assert len(verdict.findings) == len(PROGRAMS[program].rules)
    assert verdict.sufficient is (guarding <= set(verdict.ids(PASS)))
    assert set(verdict.blocking) == guarding - set(verdict.ids(PASS))
