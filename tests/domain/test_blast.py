"""What measured readings mean, on both sides of every number, and each of them unknown. Numbers are those shipped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.catalog.safety import read_thresholds
from notifier.domain import blast
from notifier.domain.blast import Complaint, Measured, Reading, Surveyed, Thresholds
from notifier.domain.names import parse
from notifier.domain.safety import Assessment, Safety, Scope, Signal, assess
from notifier.domain.weighing import weigh
from notifier.resources import folder
from notifier.suffixes import load_suffixes
from notifier.targetlists import load_lists

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SUFFIXES = load_suffixes()
LISTS, _ = load_lists(folder("config") / "lists")
CLEAR, SECOND, REROUTE, REFUSE = Safety.CLEAR, Safety.SECOND_REVIEW, Safety.REROUTE, Safety.REFUSE
SITE, PAGES = Complaint(pages_only=False), Complaint(pages_only=True)


def thresholds() -> Thresholds:
    faults: list[object] = []
    found = read_thresholds(folder("config"), faults)  # type: ignore[arg-type]
    assert found is not None, faults
    return found


T = thresholds()
HARMLESS = {"host_names": 0, "wildcard": False, "dependents": 0, "mail_active": False, "rank": 0}


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def measured(**changes: object) -> Measured:
    """Everything known and harmless, but for the changes; None makes a reading unknown."""
    values: dict[str, object] = {
        **HARMLESS,
        "registered_at": days_ago(100),
        "parked": False,
        "already_down": False,
        "cloaking": False,
        "signs": (),
        **changes,
    }
    readings = {
        name: value if isinstance(value, Reading) else Reading(value, f"source of {name}", NOW)
        for name, value in values.items()
    }
    around = Surveyed(**{name: readings.pop(name) for name in HARMLESS})
    return Measured(around=around, **readings)


def weighed(raw: str = "evil-pharm.com", complaint: Complaint = SITE, **changes: object) -> Assessment:
    return weigh(assess(parse(raw, SUFFIXES), LISTS), measured(**changes), T, complaint, NOW)


TABLE = [
    # what is measured, complaint, safety, the signal that weighs
    ({}, SITE, CLEAR, None),
    ({"host_names": 39}, SITE, CLEAR, None),
    ({"host_names": 40}, SITE, SECOND, "host_names"),
    ({"host_names": 499}, SITE, SECOND, "host_names"),
    ({"host_names": 500}, SITE, REROUTE, "host_names"),
    ({"host_names": 84_000}, SITE, REROUTE, "host_names"),  # mooo.com, 2011
    ({"host_names": Reading(7, "s", NOW, at_least=True)}, SITE, SECOND, "host_names"),
    ({"dependents": 1}, SITE, SECOND, "name_server_dependents"),
    ({"dependents": 9}, SITE, SECOND, "name_server_dependents"),
    ({"dependents": 10}, SITE, REROUTE, "name_server_dependents"),
    ({"dependents": Reading(0, "s", NOW, at_least=True)}, SITE, SECOND, "name_server_dependents"),
    ({"wildcard": True}, SITE, SECOND, "wildcard"),
    ({"mail_active": True, "registered_at": days_ago(1094)}, SITE, CLEAR, None),
    ({"mail_active": True, "registered_at": days_ago(1095)}, SITE, SECOND, "mail_active"),  # zoho.com, zoom.us
    ({"mail_active": True, "registered_at": None}, SITE, SECOND, "mail_active"),
    ({"registered_at": days_ago(2189.9)}, SITE, CLEAR, None),
    ({"registered_at": days_ago(2190)}, SITE, SECOND, "age"),  # susam.in, 2019
    ({"registered_at": days_ago(-1)}, SITE, CLEAR, None),  # a clock that differs
    ({"rank": 500_000}, SITE, SECOND, "popularity"),
    ({"rank": 500_001}, SITE, CLEAR, None),
    ({"parked": True}, SITE, SECOND, "parked"),
    ({"already_down": True}, SITE, CLEAR, None),
    ({"cloaking": True}, SITE, CLEAR, None),
    # signs of a site that was broken into, added up: 1, 1, 2, 2
    ({"signs": ("cms_path",)}, SITE, CLEAR, None),
    ({"signs": ("cms_path",), "registered_at": days_ago(2190)}, SITE, SECOND, "compromised"),
    ({"signs": ("referrer_only",)}, SITE, SECOND, "compromised"),
    ({"signs": ("root_unrelated", "cms_path")}, SITE, SECOND, "compromised"),
    ({"signs": ("root_unrelated", "referrer_only")}, SITE, REROUTE, "compromised"),
    ({"signs": ("referrer_only", "cms_path"), "registered_at": days_ago(2190)}, SITE, REROUTE, "compromised"),
    ({"signs": ("referrer_only", "referrer_only")}, SITE, SECOND, "compromised"),
    ({"signs": ("another_sign_of_a_capture",)}, SITE, SECOND, "compromised"),
    # single pages: of a small name, of a shared one, of a well-known one
    ({}, PAGES, CLEAR, None),
    ({"host_names": 39}, PAGES, CLEAR, None),
    ({"host_names": 40}, PAGES, REROUTE, "complaint"),
    ({"rank": 500_000}, PAGES, REROUTE, "complaint"),
    ({"rank": 500_001}, PAGES, CLEAR, None),
    # unknown is never harmless where others would be hit
    ({"host_names": None}, SITE, SECOND, "host_names"),
    ({"wildcard": None}, SITE, SECOND, "wildcard"),
    ({"dependents": None}, SITE, SECOND, "name_server_dependents"),
    ({"mail_active": None}, SITE, SECOND, "mail_active"),
    ({"rank": None}, SITE, SECOND, "popularity"),
    ({"registered_at": None}, SITE, SECOND, "age"),
    # and is only advice elsewhere
    ({"parked": None}, SITE, CLEAR, None),
    ({"cloaking": None}, SITE, CLEAR, None),
    ({"already_down": None}, SITE, CLEAR, None),
    ({"signs": None}, SITE, CLEAR, None),
    # the worst wins
    ({"host_names": 40, "dependents": 10}, SITE, REROUTE, "name_server_dependents"),
]


@pytest.mark.parametrize(("changes", "complaint", "safety", "by"), TABLE)
def test_each_number_on_both_sides(
    changes: dict[str, object], complaint: Complaint, safety: Safety, by: str | None
) -> None:
    result = weighed(complaint=complaint, **changes)
    assert result.safety is safety
    if by is None:
        assert {s.weight for s in result.signals} == {CLEAR}
    else:
        assert {s.name: s.weight for s in result.signals}[by] is safety
        assert result.why
    # A registry can be asked only about a whole name that others do not depend on.
    assert result.target.scope is (Scope.HOST if safety is REROUTE else Scope.DOMAIN)


def test_every_reading_leaves_a_signal_with_its_source_and_time() -> None:
    known, unknown = weighed(), weighed(**dict.fromkeys([*HARMLESS, "registered_at", "parked", "cloaking", "signs"]))
    names = {
        *("complaint", "host_names", "wildcard", "name_server_dependents", "mail_active", "age", "popularity"),
        *("compromised", "parked", "cloaking", "already_down"),
    }
    for result in (known, unknown):
        assert {s.name for s in result.signals} == names
        assert all(s.source for s in result.signals)
        assert all(s.at == NOW for s in result.signals if s.name != "complaint")
    by_name = {s.name: s for s in known.signals}
    assert by_name["age"].value == "100 days"
    assert by_name["host_names"].source == f"source of host_names; {T.version}"
    assert {s.value for s in unknown.signals if s.name in ("host_names", "wildcard", "age", "popularity")} == {
        "unknown"
    }


def test_the_reason_says_what_could_not_be_measured_and_why() -> None:
    silent = Reading(None, "crt.example", NOW, "answers 429", failed=True)
    result = weighed(host_names=silent)
    assert result.why == "how many hosts are below the name could not be measured (answers 429)"
    assert next(s.source for s in result.signals if s.name == "host_names").startswith("crt.example (answers 429); ")
    assert "no source is configured" in weighed(rank=None).why


def test_reasons_of_one_weight_stand_side_by_side() -> None:
    result = weighed(host_names=40, rank=10)
    assert result.why == "40 hosts are below the name; it has rank 10 among the most used names"


def test_lists_and_measurements_count_together() -> None:
    popular = weighed("zoom.us")
    assert (popular.safety, popular.signals[0].name) == (SECOND, "popular")
    assert weighed("zoom.us", host_names=500).safety is REROUTE
    assert weighed("zoom.us", PAGES).safety is REROUTE
    assert weighed("verisign.com").safety is REFUSE
    assert weighed("verisign.com").target.scope is Scope.HOST


def test_a_rerouted_target_is_the_reported_host() -> None:
    target = weighed("alice.bigplatform.com", host_names=3000).target
    assert (target.name, target.scope, target.registrable) == ("alice.bigplatform.com", Scope.HOST, "bigplatform.com")
    assert weighed("bigplatform.com", host_names=3000).target.name == "bigplatform.com"


BOOLS = st.sampled_from([True, False, None])
COUNTS = st.none() | st.integers(0, 10**6)


@given(
    hosts=COUNTS,
    dependents=COUNTS,
    rank=COUNTS,
    mail=BOOLS,
    wildcard=BOOLS,
    parked=BOOLS,
    age=st.none() | st.integers(0, 10_000),
    signs=st.none() | st.lists(st.sampled_from(blast.SIGNS), max_size=4).map(tuple),
    pages=st.booleans(),
)
def test_nothing_unknown_is_ever_clear_and_every_reroute_is_about_one_host(
    hosts: int | None,
    dependents: int | None,
    rank: int | None,
    mail: bool | None,
    wildcard: bool | None,
    parked: bool | None,
    age: int | None,
    signs: tuple[str, ...] | None,
    pages: bool,
) -> None:
    result = weighed(
        "a.evil-pharm.com",
        Complaint(pages),
        host_names=hosts,
        dependents=dependents,
        rank=rank,
        mail_active=mail,
        wildcard=wildcard,
        parked=parked,
        registered_at=None if age is None else days_ago(age),
        signs=signs,
    )
    if None in (hosts, dependents, rank, mail, wildcard, age):
        assert result.safety is not CLEAR
    assert (result.target.scope is Scope.DOMAIN) == (result.safety in (CLEAR, SECOND))
    assert result.safety is max((s.weight for s in result.signals), key=list(Safety).index)


def test_news_are_what_weighs_more_than_before() -> None:
    def signals(**weights: Safety) -> list[Signal]:
        return [Signal(name, "v", "s", weight) for name, weight in weights.items()]

    before = signals(host_names=SECOND, age=CLEAR)
    assert blast.news(before, signals(host_names=SECOND, age=CLEAR)) == ()
    assert blast.news(before, signals(host_names=CLEAR)) == ()
    assert blast.news(before, signals(host_names=REROUTE, age=SECOND)) == ("age", "host_names")
    assert blast.news((), signals(popularity=SECOND, age=CLEAR)) == ("popularity",)
    twice = [*signals(popular=SECOND), *signals(popular=CLEAR)]
    assert blast.heaviest(twice)["popular"].weight is SECOND


def test_parking_servers_by_whole_labels() -> None:
    assert blast.parked_by(["ns1.sedoparking.com"], T)
    assert not blast.parked_by(["ns1.notsedoparking.com", "sedoparking.com.evil.net"], T)
    assert not blast.parked_by([], T)


def test_pages_where_a_content_management_system_keeps_uploads() -> None:
    assert blast.cms_signs(["/WP-Content/uploads/buy-pills.html"], T)
    assert not blast.cms_signs(["/wp-content.html", "/", ""], T)
    assert not blast.cms_signs([], T)


def test_thresholds_change_what_is_weighed() -> None:
    lower = replace(T, host_names_second=5, host_names_reroute=6)
    listed = assess(parse("evil-pharm.com", SUFFIXES), LISTS)
    assert weigh(listed, measured(host_names=5), lower, SITE, NOW).safety is SECOND
    assert weigh(listed, measured(host_names=6), lower, SITE, NOW).safety is REROUTE
