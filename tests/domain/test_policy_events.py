"""Rules of live events and of orders, each with rows on both sides; what must be weighed; who counts as a second voice."""

import tomllib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from notifier.domain import policy
from notifier.domain.policy import FindingResult, Submission
from notifier.domain.program import Program, parse_program
from notifier.domain.report import ReportIn
from notifier.domain.rules import Recipient
from notifier.domain.safety import Safety, Scope
from notifier.resources import folder
from tests.domain.drafts import (
    CALENDARS,
    EVENT,
    FAIL,
    NOW,
    PASS,
    PROGRAMS,
    TARGET,
    UNKNOWN,
    Change,
    Draft,
    Earlier,
    Json,
    Row,
    adds,
    ago,
    both,
    capture,
    changes,
    check_row,
    contact,
    drops,
    finding,
    good,
    judge,
    judgment,
    lawful_use,
    licence,
    order,
    point,
    sample,
    sets,
    states,
    stream,
    swaps,
)


def event(**values: Any) -> Change:
    return sets(events=(replace(EVENT, **values),))


def acted(program: str = "piracy", **before: float) -> Change:
    return sets(earlier=(Earlier("TN-2026-000007", program, NOW - timedelta(**before)),))


def signals(**values: str) -> Change:
    return sets(signals={"mail_active": "no", "popularity": "no", **values})


LIVE, ORDER = "live-event", "authority-order"
FIVE_HOURS = {"from": ago(hours=2), "to": ago(hours=-2)}
EVENT_ROWS: list[Row] = [
    # Who else would be hit.
    (LIVE, "nobody-else-hit", "on the list of popular names", signals(popular="x.example"), FAIL),
    (LIVE, "nobody-else-hit", "ranked", signals(popularity="rank 900"), FAIL),
    (LIVE, "nobody-else-hit", "takes mail", signals(mail_active="yes"), FAIL),
    (LIVE, "nobody-else-hit", "platform", signals(platform="a.example"), FAIL),
    (LIVE, "nobody-else-hit", "a signal of another kind", signals(wildcard="yes"), PASS),
    (LIVE, "nobody-else-hit", "mail not looked for", sets(signals={"popularity": "no"}), UNKNOWN),
    (LIVE, "nobody-else-hit", "mail not told", signals(mail_active="unknown"), UNKNOWN),
    (LIVE, "nobody-else-hit", "nothing measured", sets(signals=None), UNKNOWN),
    # The window.
    (LIVE, "event-window", "no event named", sets(window=None), UNKNOWN),
    (LIVE, "event-window", "times only", sets(window={"from": ago(hours=1), "to": ago(hours=-1)}), UNKNOWN),
    (LIVE, "event-window", "no such event", sets(window="final-2027"), FAIL),
    (LIVE, "event-window", "of another program", event(program="piracy"), FAIL),
    (LIVE, "event-window", "organisation not approved", sets(organisation="stranger"), FAIL),
    (LIVE, "event-window", "the house speaks as the owner", sets(organisation=""), FAIL),
    (
        LIVE,
        "event-window",
        "the owner is approved",
        both(sets(organisation=""), event(organisations=frozenset({"live-rights"}))),
        PASS,
    ),
    (LIVE, "event-window", "at the first instant", event(starts=NOW), PASS),
    (LIVE, "event-window", "a microsecond before", event(starts=NOW + timedelta(microseconds=1)), FAIL),
    (LIVE, "event-window", "at the last instant", event(ends=NOW), FAIL),
    (LIVE, "event-window", "a microsecond before its end", event(ends=NOW + timedelta(microseconds=1)), PASS),
    (LIVE, "event-window", "longer than any event", event(starts=NOW - timedelta(hours=12)), FAIL),
    (LIVE, "event-window", "times outside it", sets(window={"event": "final-2026", **FIVE_HOURS}), FAIL),
    (
        LIVE,
        "event-window",
        "times inside it",
        sets(window={"event": "final-2026", "from": ago(minutes=30), "to": ago(minutes=-30)}),
        PASS,
    ),
    # The stream.
    (LIVE, "stream", "none", drops("stream_match"), UNKNOWN),
    (LIVE, "stream", "only our own", changes("stream_match", by="daemon"), UNKNOWN),
    (LIVE, "stream", "a page of another site", changes("stream_match", url="https://other.example/"), FAIL),
    (LIVE, "stream", "of another event", changes("stream_match", event="final-2027"), FAIL),
    (LIVE, "stream", "not the registered feed", changes("stream_match", feed="feed-2"), FAIL),
    (LIVE, "stream", "two moments", swaps("stream_match", stream(points=[point(8), point(4)])), FAIL),
    (LIVE, "stream", "one moment thrice", swaps("stream_match", stream(points=[point(8)] * 3)), FAIL),
    (
        LIVE,
        "stream",
        "89 % alike",
        swaps("stream_match", stream(points=[point(8), point(6), point(4, similarity=89)])),
        FAIL,
    ),
    (
        LIVE,
        "stream",
        "90 % alike",
        swaps("stream_match", stream(points=[point(i, similarity=90) for i in (8, 6, 4)])),
        PASS,
    ),
    (
        LIVE,
        "stream",
        "within 59 s",
        swaps("stream_match", stream(points=[point(5 - i * 0.49) for i in range(3)])),
        FAIL,
    ),
    (LIVE, "stream", "over 60 s", swaps("stream_match", stream(points=[point(5 - i * 0.5) for i in range(3)])), PASS),
    (
        LIVE,
        "stream",
        "ahead of the feed: it is the feed's source",
        swaps("stream_match", stream(points=[point(i, delay_s=-61) for i in (8, 6, 4)])),
        FAIL,
    ),
    (
        LIVE,
        "stream",
        "eleven minutes behind: a recording",
        swaps("stream_match", stream(points=[point(i, delay_s=660) for i in (20, 18, 16)])),
        FAIL,
    ),
    (
        LIVE,
        "stream",
        "one scene in a loop",
        swaps(
            "stream_match",
            stream(points=[{**point(4), "stream_at": ago(seconds=s)} for s in (200, 140, 80)]),
        ),
        FAIL,
    ),
    (LIVE, "stream", "16 minutes old", swaps("stream_match", stream(points=[point(i) for i in (24, 20, 16.7)])), FAIL),
    (LIVE, "stream", "before the event", event(starts=NOW - timedelta(minutes=5)), FAIL),
    # A target that is known.
    (LIVE, "known-target", "nothing", drops("sample"), UNKNOWN),
    (
        LIVE,
        "known-target",
        "not dedicated, nor known",
        both(swaps("sample", sample(24, 20)), adds(judgment("lawful"))),
        FAIL,
    ),
    (LIVE, "known-target", "verified before", both(drops("sample"), acted(days=30)), PASS),
    (LIVE, "known-target", "adjudicated", both(drops("sample"), adds(order())), PASS),
    (LIVE, "adjudicated", "held unlawful", adds(judgment()), PASS),
    (LIVE, "adjudicated", "held lawful", adds(judgment("lawful")), FAIL),
    (LIVE, "adjudicated", "another site", adds(judgment(domains=["other.example"])), FAIL),
    (LIVE, "adjudicated", "two years and a day ago", adds(judgment(decided_on="2024-07-19")), FAIL),
    (LIVE, "adjudicated", "lifted", adds(order(standing="lifted")), FAIL),
    (
        LIVE,
        "adjudicated",
        "registered since",
        both(adds(judgment()), sets(registered_at=NOW - timedelta(days=9))),
        FAIL,
    ),
    (LIVE, "adjudicated", "nothing given", sets(), UNKNOWN),
    (LIVE, "verified-before", "a year ago", acted(days=365), PASS),
    (LIVE, "verified-before", "a day more", acted(days=366), FAIL),
    (LIVE, "verified-before", "of another matter", acted("pharmacy", days=3), FAIL),
    (
        LIVE,
        "verified-before",
        "before the registration",
        both(acted(days=3), sets(registered_at=NOW - timedelta(days=2))),
        FAIL,
    ),
    (LIVE, "verified-before", "not known", sets(earlier=None), UNKNOWN),
    (LIVE, "host-told", "nine minutes ago", changes("prior_contact", contacted_at=ago(minutes=9)), FAIL),
    (LIVE, "host-told", "not told", drops("prior_contact"), UNKNOWN),
    # Orders.
    (ORDER, "order", "none", drops("court_order"), UNKNOWN),
    (ORDER, "order", "tomorrow's", changes("court_order", issued_on="2026-07-21"), FAIL),
    (ORDER, "order-names-target", "none", drops("court_order"), UNKNOWN),
    (
        ORDER,
        "order-names-target",
        "root dot and capitals",
        changes("court_order", domains=[f"{TARGET.upper()}."]),
        PASS,
    ),
    (ORDER, "order-names-target", "its www", changes("court_order", domains=[f"www.{TARGET}"]), PASS),
    (ORDER, "order-names-target", "another name", changes("court_order", domains=["other.example"]), FAIL),
    (ORDER, "order-names-target", "a host below it", changes("court_order", domains=[f"shop.{TARGET}"]), FAIL),
    (ORDER, "order-names-target", "the name as an ending", changes("court_order", domains=[f"not{TARGET}"]), FAIL),
    (ORDER, "order-names-target", "no name", changes("court_order", domains=[]), FAIL),
    (ORDER, "order-names-target", "registered since", sets(registered_at=NOW - timedelta(days=5)), FAIL),
    (
        ORDER,
        "order-names-target",
        "registered since, and confirmed",
        both(sets(registered_at=NOW - timedelta(days=5)), changes("court_order", confirmed_on="2026-07-18")),
        PASS,
    ),
    (ORDER, "order-in-force", "none", drops("court_order"), UNKNOWN),
    (ORDER, "order-in-force", "on its last day", changes("court_order", expires_on="2026-07-20"), PASS),
    (ORDER, "order-in-force", "a day after", changes("court_order", expires_on="2026-07-19"), FAIL),
    (ORDER, "order-in-force", "stayed", changes("court_order", standing="stayed"), FAIL),
    (ORDER, "order-in-force", "a copy says lifted", adds(order(standing="lifted")), FAIL),
    (ORDER, "order-in-force", "stayed, then confirmed", adds(order(standing="final", confirmed_on="2026-07-18")), PASS),
    (ORDER, "order-jurisdiction", "none", drops("court_order"), UNKNOWN),
    (ORDER, "order-jurisdiction", "another state's", states(jurisdiction="DE"), FAIL),
    (ORDER, "order-jurisdiction", "of a part of it", states(jurisdiction="US"), PASS),
    (ORDER, "order-jurisdiction", "silent", states(jurisdiction=None), UNKNOWN),
    (ORDER, "order-whole", "none", drops("court_order"), UNKNOWN),
    (ORDER, "order-whole", "no document", changes("court_order", sha256=None), FAIL),
    (ORDER, "order-whole", "published", changes("court_order", sha256=None, url="https://court.example/26-cv-1"), PASS),
    # An order takes the place of the threshold and of prior contact, and of nothing else.
    (ORDER, "target-safe", "platform", sets(safety=Safety.REROUTE, scope=Scope.HOST), FAIL),
    (ORDER, "not-already-down", "down", sets(already_down=True), FAIL),
    (ORDER, "conflicts", "no report", sets(reports=False), UNKNOWN),
    ("piracy", "conflicts", "no report", sets(reports=False), UNKNOWN),
]


@pytest.mark.parametrize(
    ("program", "rule", "change", "expected"),
    [pytest.param(p, r, c, e, id=f"{p}-{r}-{name}-{e}") for p, r, name, c, e in EVENT_ROWS],
)
def test_row(program: str, rule: str, change: Change, expected: FindingResult) -> None:
    check_row(program, rule, change, expected)


def test_an_order_needs_no_sample_capture_or_prior_contact() -> None:
    kinds = {kind for rule in PROGRAMS[ORDER].rules for kind in rule.evidence}
    assert kinds == {"court_order"}


def test_two_half_good_orders_are_no_good_one() -> None:
    """One names the target and was stayed, the other is in force and about another name."""
    draft = good(ORDER)
    draft.evidence = [order(standing="stayed"), order(reference="26-cv-2", domains=["other.example"])]
    assert not judge(ORDER, draft).sufficient
    assert judge(ORDER, draft).blocking == ("order-in-force",)


def test_the_alternatives_guard_nothing_by_themselves() -> None:
    verdict = judge(LIVE, good(LIVE))
    assert [finding(verdict, rule).result for rule in ("adjudicated", "verified-before", "dedicated")] == [
        UNKNOWN,
        FAIL,
        PASS,
    ]
    assert verdict.sufficient
    assert finding(verdict, "known-target").evidence == finding(verdict, "dedicated").evidence


# --- what speaks for the site -------------------------------------------------------------------------------------

WEIGHED: list[tuple[str, Json, str]] = [
    ("piracy", lawful_use("promotional_supply"), "promotional supply: The label sent the song"),
    ("piracy", lawful_use("licensed", jurisdiction="ES"), "said to be licensed in ES"),
    ("piracy", lawful_use("lawful_elsewhere"), "said to be lawful elsewhere"),
    ("piracy", judgment("lawful"), "a court found it lawful: Audiencia Provincial"),
    ("opioids", lawful_use("lawful_elsewhere"), "said to be lawful elsewhere"),
    ("opioids", licence("licensed"), "Ohio Board of Pharmacy says that it is licensed in US-OH"),
    ("pharmacy", licence("licensed", jurisdiction="GB", source="GPhC"), "GPhC says that it is licensed in GB"),
    ("pharmacy", lawful_use("exception"), "said to be exception"),
    (LIVE, lawful_use("licensed"), "said to be licensed"),
    (ORDER, judgment("lawful"), "a court found it lawful"),
]


@pytest.mark.parametrize(
    ("program", "item", "said"), WEIGHED, ids=[f"{p}-{i['kind']}-{s[-12:]}" for p, i, s in WEIGHED]
)
@pytest.mark.parametrize("by", ["ann", "daemon"])
def test_what_speaks_for_the_site_goes_to_a_second_person(program: str, item: Json, said: str, by: str) -> None:
    draft = good(program)
    draft.evidence.append(item if item["kind"] == "licence_check" else {**item, "by": by})
    verdict = judge(program, draft)
    assert len(verdict.second_reasons) == 1
    assert said in verdict.second_reasons[0]
    assert verdict.sufficient, "it is weighed by people, and nothing passes or fails by itself"


def test_an_order_under_appeal_is_weighed() -> None:
    draft = good(ORDER)
    draft.change("court_order", standing="appealed")
    assert "under appeal" in judge(ORDER, draft).second_reasons[0]


def test_a_sentence_is_one_line_and_not_endless() -> None:
    draft = good("piracy")
    draft.evidence.append(lawful_use(summary="a\r\nb " + "c" * 5_000))
    (reason,) = judge("piracy", draft).second_reasons
    assert len(reason) < 400
    assert "\n" not in reason


# --- corroboration (C-109) ----------------------------------------------------------------------------------------


def corroborated() -> Program:
    """The piracy program with one more rule: two organisations must report."""
    data = tomllib.loads((folder("config") / "programs" / "piracy.toml").read_text())
    data["rules"].append({"id": "two-voices", "type": "corroborated", "organisations": 2})
    program, faults = parse_program(data, "1" * 64)
    assert program is not None, faults
    return program


def voice(by: str, organisation: str, category: str = "piracy") -> Submission:
    report = ReportIn.model_validate({"program": "p", "domain": TARGET, "summary": "It is so."})
    return Submission(f"r-{by}", by, report, organisation, category)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], FAIL),
        ([voice("bob", "league")], FAIL),  # two people of one organisation are one voice
        ([voice("bob", "rights-b", "pharmacy")], FAIL),  # a report of another category is about another matter
        ([voice("daemon", "")], FAIL),  # what we noted ourselves is no report
        ([voice("bob", "rights-b")], PASS),
        ([voice("bob", "rights-b", "pharmacy"), voice("cem", "rights-c")], PASS),
    ],
)
def test_only_other_organisations_with_the_same_category_corroborate(
    others: list[Submission], expected: FindingResult
) -> None:
    draft = good("piracy")
    draft.more = tuple(others)
    verdict = policy.evaluate(corroborated(), draft.facts(), NOW, CALENDARS)
    assert finding(verdict, "two-voices").result is expected
    assert verdict.sufficient is (expected is PASS)


def test_without_a_report_corroboration_is_unknown() -> None:
    draft = Draft([], reports=False)
    assert finding(policy.evaluate(corroborated(), draft.facts(), NOW, CALENDARS), "two-voices").result is UNKNOWN


def test_the_host_is_told_before_anything_is_known_about_others() -> None:
    """The first step of a live event is the host: it waits for no contact and no measurement."""
    draft = good(LIVE)
    draft.drop("prior_contact")
    draft.signals, draft.step = None, Recipient.HOST
    assert judge(LIVE, draft).sufficient
    draft.step = Recipient.REGISTRY
    assert set(judge(LIVE, draft).blocking) == {"nobody-else-hit", "host-told"}


def test_captures_of_another_page_do_not_make_the_stream() -> None:
    draft = good(LIVE)
    draft.swap("capture", capture("https://other.example/live", captured_at=ago(minutes=5)))
    draft.evidence.append(contact("registrar"))
    assert judge(LIVE, draft).blocking == ("on-target", "fresh")
