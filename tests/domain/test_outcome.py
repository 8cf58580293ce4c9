"""The verification table, one row for each cell. Expected values come from the fact sheet's claim table, by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.epp import EPP_OF_RDAP, LOCK, Measure
from notifier.domain.outcome import (
    Claim,
    Content,
    Delegation,
    Judgement,
    Look,
    Probe,
    Registration,
    Verdict,
    judge,
)
from notifier.domain.panel import Heard, Panel
from notifier.errors import Invalid

T0 = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GAP = timedelta(minutes=4)
DEADLINE = T0 + timedelta(hours=24)
BORN = datetime(2019, 5, 1, tzinfo=UTC)
NS = ("ns1.host.example", "ns2.host.example")
LOCKED = tuple(sorted(LOCK))
GUARDED_HOLD = ("server hold", "server transfer prohibited", "server update prohibited")
REGISTRAR_HOLD = ("client hold", "client transfer prohibited", "client update prohibited")


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


def rdap(*statuses: str, answer: str = "found", **fields: Any) -> Registration:
    if answer != "found":
        return Registration(answer, **fields)  # type: ignore[arg-type]
    base: dict[str, Any] = {"handle": "D1-EX", "registered_at": BORN, "registrar_iana_id": "292"}
    return Registration("found", statuses=statuses, **(base | fields))


UP, DOWN = Delegation("delegated", NS), Delegation("absent")
GLUE, MUTE = Delegation("residual"), Delegation("inconclusive")
NO_RDAP, NOT_FOUND, RDAP_MUTE = (rdap(answer=a) for a in ("no_rdap", "absent", "inconclusive"))
SERVED, GONE, CONTENT_MUTE = Content("served", "200"), Content("gone", "404 x 6"), Content("inconclusive")
CHANGED, CLOAKED = Content("changed", "200 with another text x 3"), Content("served", "200", cloaked=True)
ACTIVE = rdap("active")


def look(at: datetime, registration: Registration, delegation: Delegation, content: Content | None = None) -> Look:
    return Look(at, registration, delegation, content)


BASE = look(T0, ACTIVE, UP, SERVED)


def judged(
    measure: Measure,
    looks: Sequence[Look],
    *,
    baseline: Look = BASE,
    requested: Measure | None = None,
    actor: str | None = "registry",
    now: datetime | None = None,
) -> Judgement:
    latest = max((seen.at for seen in looks), default=T0)
    return judge(
        requested or measure,
        Claim(measure, actor, minutes(1)),
        baseline,
        looks,
        verify_gap=GAP,
        deadline=DEADLINE,
        now=now or latest,
    )


def twice(registration: Registration, delegation: Delegation, content: Content | None = None) -> list[Look]:
    return [look(minutes(5), registration, delegation, content), look(minutes(9), registration, delegation, content)]


def late(registration: Registration, delegation: Delegation, content: Content | None = None) -> list[Look]:
    return [look(DEADLINE, registration, delegation, content)]


HELD_BASE = look(T0, rdap(*GUARDED_HOLD), DOWN)
LOCK_BASE = look(T0, rdap(*LOCKED), UP)


@dataclass(frozen=True)
class Row:
    """`expected`: verdict, outcome and credited actor (`-` for none), then each alarm with an exclamation mark."""

    name: str
    looks: Sequence[Look]
    expected: str
    baseline: Look
    by: str


def cell(name: str, looks: Sequence[Look], expected: str, *, baseline: Look = BASE, by: str = "") -> Row:
    return Row(name, looks, expected, baseline, by)


TABLE: dict[Measure, list[Row]] = {
    Measure.LOCK: [
        cell("lock seen twice", twice(rdap(*LOCKED), UP), "verified registry_lock registry"),
        cell(
            "lock in EPP spelling",
            twice(rdap(*(EPP_OF_RDAP[s] for s in LOCKED)), UP),
            "verified registry_lock registry",
        ),
        cell("lock seen once", twice(rdap(*LOCKED), UP)[:1], "pending"),
        cell("lock with one prohibition missing", twice(rdap(*LOCKED[:2]), UP), "partial partial_lock registry"),
        cell("lock not there yet", twice(ACTIVE, UP), "pending"),
        cell("lock never there", late(ACTIVE, UP), "contradicted claimed_not_done none !claim_contradicted"),
        cell(
            "client prohibitions are no registry lock",
            late(rdap("client transfer prohibited", "client update prohibited", "client delete prohibited"), UP),
            "contradicted claimed_not_done none !claim_contradicted",
        ),
        cell("lock there before", twice(rdap(*LOCKED), UP), "unverifiable already_locked none", baseline=LOCK_BASE),
        cell(
            "lock completed from two of three",
            twice(rdap(*LOCKED), UP),
            "verified registry_lock registry",
            baseline=look(T0, rdap(*LOCKED[:2]), UP),
        ),
        cell(
            "two of three before and nothing gained",
            late(rdap(*LOCKED[:2]), UP),
            "contradicted claimed_not_done none !claim_contradicted",
            baseline=look(T0, rdap(*LOCKED[:2]), UP),
        ),
        cell(
            "lock on a name held before",
            twice(rdap(*GUARDED_HOLD, "server delete prohibited"), DOWN),
            "unverifiable already_suspended none",
            baseline=HELD_BASE,
        ),
        cell("hold instead of lock", twice(rdap("server hold"), UP)[:1], "contradicted - - !wrong_verb"),
        cell("lock and hold", twice(rdap(*LOCKED, "serverHold"), DOWN), "contradicted - - !wrong_verb"),
        cell("NXDOMAIN after a lock, RDAP silent", twice(RDAP_MUTE, DOWN)[:1], "contradicted - - !wrong_verb"),
        cell("hold after a lock, DNS silent", twice(rdap("client hold"), MUTE)[:1], "contradicted - - !wrong_verb"),
        cell("NODATA after a lock", twice(rdap(*LOCKED), GLUE)[:1], "contradicted - - !wrong_verb"),
        cell(
            "lock with other name servers",
            twice(rdap(*LOCKED), Delegation("delegated", ("ns.else.example",))),
            "partial registry_lock registry !nameservers_changed",
        ),
        cell("lock where there is no RDAP", twice(NO_RDAP, UP), "unverifiable", baseline=look(T0, NO_RDAP, UP)),
        cell("lock with no known before", twice(rdap(*LOCKED), UP), "unverifiable", baseline=look(T0, RDAP_MUTE, UP)),
        cell("lock, looks silent", [*twice(RDAP_MUTE, UP), *late(rdap(*LOCKED), MUTE)], "pending"),
    ],
    Measure.HOLD: [
        cell("registry hold seen twice", twice(rdap(*GUARDED_HOLD), DOWN), "verified registry_hold registry"),
        cell("registry hold seen once", twice(rdap(*GUARDED_HOLD), DOWN)[:1], "pending"),
        cell("registrar hold", twice(rdap(*REGISTRAR_HOLD), DOWN), "verified registrar_hold registrar", by="registrar"),
        cell(
            "the registry says so, the registrar did it",
            twice(rdap(*REGISTRAR_HOLD), DOWN),
            "verified registrar_hold registrar",
        ),
        cell(
            "the registrar says so, the registry did it",
            twice(rdap(*GUARDED_HOLD), DOWN),
            "verified registry_hold registry",
            by="registrar",
        ),
        cell(
            "both holds",
            twice(rdap(*GUARDED_HOLD, "client hold"), DOWN),
            "verified registry_hold registry",
            by="registrar",
        ),
        cell("hold alone leaks", twice(rdap("server hold"), DOWN), "verified registry_hold registry !leaky_hold"),
        cell(
            "hold with transfer prohibited only",
            twice(rdap("server hold", "server transfer prohibited"), DOWN),
            "verified registry_hold registry !leaky_hold",
        ),
        cell(
            "the registrar's prohibitions do not guard the registry's hold",
            twice(rdap("server hold", "client transfer prohibited", "client update prohibited"), DOWN),
            "verified registry_hold registry !leaky_hold",
        ),
        cell(
            "registrar changed under the hold",
            twice(rdap(*GUARDED_HOLD, registrar_iana_id="146"), DOWN),
            "verified registry_hold registry !registrar_changed",
        ),
        cell("glue left", twice(rdap(*GUARDED_HOLD), GLUE), "partial registry_hold registry !hold_residual_glue"),
        cell("hold in RDAP, delegated, early", twice(rdap(*GUARDED_HOLD), UP), "pending"),
        cell(
            "hold in RDAP, delegated, late",
            late(rdap(*GUARDED_HOLD), UP),
            "contradicted claimed_not_done none !claim_contradicted !inconsistent",
        ),
        cell(
            "hold in RDAP, delegated, and RDAP silent at the deadline",
            [*twice(rdap(*GUARDED_HOLD), UP), *late(RDAP_MUTE, UP)],
            "contradicted claimed_not_done none !claim_contradicted !inconsistent",
        ),
        cell(
            "held and kept in the zone",
            late(rdap("clientHold", "serverManualInzone"), UP),
            "contradicted claimed_not_done none !claim_contradicted !contradictory_statuses !inconsistent",
        ),
        cell("nothing done, early", twice(ACTIVE, UP), "pending"),
        cell("nothing done, late", late(ACTIVE, UP), "contradicted claimed_not_done none !claim_contradicted"),
        cell(
            "delegated late, RDAP silent", late(RDAP_MUTE, UP), "contradicted claimed_not_done none !claim_contradicted"
        ),
        cell("NXDOMAIN without hold, early", twice(ACTIVE, DOWN), "pending"),
        cell("NXDOMAIN without hold, late", late(ACTIVE, DOWN), "unverifiable"),
        cell("name servers removed", late(rdap("inactive"), DOWN), "unverifiable"),
        cell(
            "deleted instead of held",
            late(rdap("pending delete", "redemption period"), DOWN),
            "unverifiable - - !deletion_seen",
        ),
        cell(
            "no RDAP, denied twice",
            twice(NO_RDAP, DOWN),
            "verified_dns_only registry_hold registry",
            baseline=look(T0, NO_RDAP, UP),
        ),
        cell(
            "no RDAP, registrar's claim",
            twice(NO_RDAP, DOWN),
            "verified_dns_only registrar_hold registrar",
            baseline=look(T0, NO_RDAP, UP),
            by="registrar",
        ),
        cell(
            "no RDAP, glue left",
            twice(NO_RDAP, GLUE),
            "partial registry_hold registry !hold_residual_glue",
            baseline=look(T0, NO_RDAP, UP),
        ),
        cell(
            "no RDAP, delegated late",
            late(NO_RDAP, UP),
            "contradicted claimed_not_done none !claim_contradicted",
            baseline=look(T0, NO_RDAP, UP),
        ),
        cell(
            "held before", twice(rdap(*GUARDED_HOLD), DOWN), "unverifiable already_suspended none", baseline=HELD_BASE
        ),
        cell(
            "held before and delegated",
            twice(rdap(*GUARDED_HOLD), DOWN),
            "unverifiable already_suspended none",
            baseline=look(T0, rdap("clientHold"), UP),
        ),
        cell(
            "out of the DNS before",
            twice(rdap(*GUARDED_HOLD), DOWN),
            "unverifiable already_suspended none",
            baseline=look(T0, ACTIVE, DOWN),
        ),
        cell("no before at all", twice(rdap(*GUARDED_HOLD), DOWN), "unverifiable", baseline=look(T0, RDAP_MUTE, MUTE)),
        cell("registration ended", twice(NOT_FOUND, DOWN), "unverifiable expired_lapsed none"),
        cell("404 and delegated", twice(NOT_FOUND, UP), "pending"),
        cell("404, DNS silent", late(NOT_FOUND, MUTE), "pending"),
    ],
    Measure.DELETE: [
        cell("redemption", twice(rdap("redemption period"), DOWN), "verified registry_delete registry"),
        cell("pending delete", twice(rdap("pendingDelete"), DOWN), "verified registry_delete registry"),
        cell(
            "deleted by the registrar",
            twice(rdap("redemption period"), DOWN),
            "verified registrar_delete registrar",
            by="registrar",
        ),
        cell("purged", twice(NOT_FOUND, DOWN), "verified registry_delete registry"),
        cell("deleted once", twice(rdap("redemption period"), DOWN)[:1], "pending"),
        cell("404 and delegated late", late(NOT_FOUND, UP), "contradicted claimed_not_done none !claim_contradicted"),
        cell("active and delegated late", late(ACTIVE, UP), "contradicted claimed_not_done none !claim_contradicted"),
        cell(
            "delete, glue left",
            twice(rdap("redemption period"), GLUE),
            "partial registry_delete registry !hold_residual_glue",
        ),
        cell("held, not deleted", twice(rdap(*GUARDED_HOLD), DOWN), "partial registry_hold registry"),
        cell(
            "held before, never deleted",
            late(rdap(*GUARDED_HOLD), DOWN),
            "contradicted claimed_not_done none !claim_contradicted",
            baseline=HELD_BASE,
        ),
        cell(
            "held before, now deleted",
            twice(rdap("pending delete"), DOWN),
            "verified registry_delete registry",
            baseline=HELD_BASE,
        ),
        cell("NXDOMAIN without delete", late(ACTIVE, DOWN), "unverifiable"),
        cell(
            "deleted before",
            twice(rdap("redemption period"), DOWN),
            "unverifiable already_suspended none",
            baseline=look(T0, rdap("redemption period"), DOWN),
        ),
        cell(
            "delete, no RDAP",
            twice(NO_RDAP, DOWN),
            "verified_dns_only registry_delete registry",
            baseline=look(T0, NO_RDAP, UP),
        ),
        cell(
            "delete beside its prohibition",
            twice(rdap("pending delete", "server delete prohibited"), DOWN),
            "verified registry_delete registry !contradictory_statuses",
        ),
    ],
    Measure.CONTENT_REMOVAL: [
        cell("pages gone twice", twice(ACTIVE, UP, GONE), "verified host_removed host"),
        cell("pages gone, RDAP silent", twice(RDAP_MUTE, UP, GONE), "verified host_removed host"),
        cell("pages gone once", twice(ACTIVE, UP, GONE)[:1], "pending"),
        cell(
            "cured by the registrant", twice(ACTIVE, UP, GONE), "verified registrant_cured registrant", by="registrant"
        ),
        cell("still served late", late(ACTIVE, UP, SERVED), "contradicted claimed_not_done none !claim_contradicted"),
        cell(
            "shown to one visitor late",
            late(ACTIVE, UP, CLOAKED),
            "contradicted claimed_not_done none !claim_contradicted !contradicted_cloaked",
        ),
        cell("shown to one visitor", [look(minutes(5), ACTIVE, UP, CLOAKED)], "pending - - !contradicted_cloaked"),
        cell("another text, a day apart", twice(ACTIVE, UP, CHANGED), "pending"),
        cell("another text late", late(ACTIVE, UP, CHANGED), "unverifiable"),
        cell("pages cannot be judged", late(ACTIVE, UP, CONTENT_MUTE), "pending"),
        cell("pages not asked for", late(ACTIVE, UP), "pending"),
        cell("pages gone, DNS silent", late(ACTIVE, MUTE, GONE), "pending"),
        cell("whole name suspended", late(rdap("client hold"), DOWN, CONTENT_MUTE), "unverifiable - - !name_suspended"),
        cell(
            "pages gone before",
            twice(ACTIVE, UP, GONE),
            "unverifiable cured_before_referral none",
            baseline=look(T0, ACTIVE, UP, GONE),
        ),
    ],
    Measure.REDIRECT: [
        cell(
            "name servers changed",
            twice(ACTIVE, Delegation("delegated", ("ns.park.example",))),
            "partial registrar_ns_change registrar !nameservers_changed",
            by="registrar",
        ),
        cell("name servers unchanged", late(ACTIVE, UP), "contradicted claimed_not_done none !claim_contradicted"),
        cell("out of the DNS, not redirected", late(rdap("server hold"), DOWN), "unverifiable - - !name_suspended"),
    ],
    Measure.RESTORE: [
        cell("hold lifted", twice(ACTIVE, UP), "verified - registry", baseline=HELD_BASE),
        cell("hold lifted, locks kept", twice(rdap(*LOCKED), UP), "verified - registry", baseline=HELD_BASE),
        cell(
            "registrar's hold lifted",
            twice(ACTIVE, UP),
            "verified - registrar",
            baseline=look(T0, rdap("client hold"), DOWN),
        ),
        cell("lifted once", twice(ACTIVE, UP)[:1], "pending", baseline=HELD_BASE),
        cell(
            "still out of the DNS",
            late(rdap(*GUARDED_HOLD), DOWN),
            "contradicted claimed_not_done none !claim_contradicted",
            baseline=HELD_BASE,
        ),
        cell(
            "lifted in RDAP, not in the DNS",
            late(ACTIVE, DOWN),
            "contradicted claimed_not_done none !claim_contradicted",
            baseline=HELD_BASE,
        ),
        cell(
            "delegated, hold still in RDAP",
            late(rdap("server hold"), UP),
            "contradicted claimed_not_done none !claim_contradicted !inconsistent",
            baseline=HELD_BASE,
        ),
        cell("lock lifted", twice(ACTIVE, UP), "verified - registry", baseline=LOCK_BASE),
        cell(
            "lock half lifted",
            late(rdap(LOCKED[0]), UP),
            "contradicted claimed_not_done none !claim_contradicted !inconsistent",
            baseline=LOCK_BASE,
        ),
        cell(
            "restored from redemption",
            twice(ACTIVE, UP),
            "verified - registrar",
            baseline=look(T0, rdap("redemption period"), DOWN),
            by="registrar",
        ),
        cell("restored, no RDAP", twice(NO_RDAP, UP), "verified_dns_only - registry", baseline=look(T0, NO_RDAP, DOWN)),
        cell("nothing to restore", twice(ACTIVE, UP), "unverifiable - none"),
    ],
}
ROWS = [pytest.param(measure, row, id=f"{measure}: {row.name}") for measure, rows in TABLE.items() for row in rows]


@pytest.mark.parametrize(("measure", "row"), ROWS)
def test_table(measure: Measure, row: Row) -> None:
    by = row.by or ("host" if measure is Measure.CONTENT_REMOVAL else "registry")
    found = judged(measure, row.looks, baseline=row.baseline, actor=by)
    said = [found.verdict.value, found.outcome or "-", found.actor or "-", *(f"!{a}" for a in sorted(found.alarms))]
    words = row.expected.split()
    wanted = words if len(words) > 1 else [*words, "-", "-"]
    assert said == wanted
    assert found.why


HELD = rdap(*GUARDED_HOLD)


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        ((5.0,), Verdict.PENDING),
        ((5.0, 5.0), Verdict.PENDING),
        ((5.0, 8.99), Verdict.PENDING),
        ((5.0, 9.0), Verdict.VERIFIED),
        ((5.0, 6.0, 7.0, 8.0), Verdict.PENDING),
        ((5.0, 6.0, 9.0), Verdict.VERIFIED),
    ],
)
def test_two_agreeing_looks_the_gap_apart(times: tuple[float, ...], verdict: Verdict) -> None:
    assert judged(Measure.HOLD, [look(minutes(t), HELD, DOWN) for t in times]).verdict is verdict


def test_one_look_is_one_look_even_without_a_gap() -> None:
    once = [look(minutes(5), HELD, DOWN)] * 2
    found = judge(
        Measure.HOLD, Claim(Measure.HOLD, "registry", T0), BASE, once,
        verify_gap=timedelta(0), deadline=DEADLINE, now=DEADLINE,
    )  # fmt: skip
    assert found.verdict is Verdict.PENDING


def test_dissent_between_starts_the_count_again() -> None:
    looks = [look(minutes(5), HELD, DOWN), look(minutes(7), ACTIVE, UP), look(minutes(9), HELD, DOWN)]
    assert judged(Measure.HOLD, looks).verdict is Verdict.PENDING
    assert judged(Measure.HOLD, [*looks, look(minutes(13), HELD, DOWN)]).verdict is Verdict.VERIFIED


def test_looks_after_now_are_not_known_yet() -> None:
    looks = twice(HELD, DOWN)
    assert judged(Measure.HOLD, looks, now=minutes(8)).verdict is Verdict.PENDING
    assert judged(Measure.HOLD, looks, now=minutes(9)).verdict is Verdict.VERIFIED


def test_time_passing_without_a_look_contradicts_nobody() -> None:
    found = judged(Measure.HOLD, [look(minutes(5), ACTIVE, UP)], now=DEADLINE + timedelta(days=3))
    assert found.verdict is Verdict.PENDING


def test_done_after_the_deadline_still_counts() -> None:
    after = [look(DEADLINE + timedelta(hours=h), HELD, DOWN) for h in (1, 2)]
    assert judged(Measure.HOLD, [*late(ACTIVE, UP), after[0]]).verdict is Verdict.CONTRADICTED
    assert judged(Measure.HOLD, [*late(ACTIVE, UP), *after]).verdict is Verdict.VERIFIED


@pytest.mark.parametrize(
    ("registration", "delegation"), [(ACTIVE, UP), (HELD, UP), (RDAP_MUTE, UP)], ids=["lifted", "zone only", "DNS"]
)
def test_relapse_keeps_the_credit_and_says_so(registration: Registration, delegation: Delegation) -> None:
    verified = twice(HELD, DOWN)
    gone = look(minutes(60), registration, delegation)
    found = judged(Measure.HOLD, [*verified, gone])
    assert (found.verdict, found.outcome, found.actor) == (Verdict.RELAPSED, "registry_hold", "registry")
    again = [look(minutes(m), HELD, DOWN) for m in (90, 94)]
    assert judged(Measure.HOLD, [*verified, gone, again[0]]).verdict is Verdict.RELAPSED
    assert judged(Measure.HOLD, [*verified, gone, *again]).verdict is Verdict.VERIFIED
    assert judged(Measure.HOLD, [*verified, gone, *late(ACTIVE, UP)]).verdict is Verdict.RELAPSED


def test_lock_relapses_when_its_prohibitions_go() -> None:
    looks = [*twice(rdap(*LOCKED), UP), look(minutes(60), ACTIVE, UP)]
    assert judged(Measure.LOCK, looks).verdict is Verdict.RELAPSED


def test_content_that_returns_relapses() -> None:
    looks = [*twice(ACTIVE, UP, GONE), look(minutes(60), ACTIVE, UP, SERVED)]
    found = judged(Measure.CONTENT_REMOVAL, looks, actor="host")
    assert (found.verdict, found.outcome) == (Verdict.RELAPSED, "host_removed")


def test_hold_that_returns_after_withdrawal_is_an_alarm() -> None:
    looks = [*twice(ACTIVE, UP), look(minutes(60), rdap("server hold"), DOWN)]
    found = judged(Measure.RESTORE, looks, baseline=HELD_BASE)
    assert (found.verdict, found.alarms) == (Verdict.RELAPSED, ("hold_after_withdrawal",))


def test_one_odd_look_does_not_unseat_a_verified_hold() -> None:
    odd = look(minutes(60), ACTIVE, DOWN)
    assert judged(Measure.HOLD, [*twice(HELD, DOWN), odd]).verdict is Verdict.VERIFIED
    confirmed = look(minutes(65), ACTIVE, DOWN)
    assert judged(Measure.HOLD, [*twice(HELD, DOWN), odd, confirmed]).verdict is Verdict.UNVERIFIABLE


def test_registry_lets_go_and_the_registrar_keeps_hold() -> None:
    registrar = rdap(*REGISTRAR_HOLD)
    looks = [*twice(HELD, DOWN), look(minutes(60), registrar, DOWN), look(minutes(64), registrar, DOWN)]
    assert judged(Measure.HOLD, looks[:3]).actor == "registry"
    found = judged(Measure.HOLD, looks)
    assert (found.verdict, found.outcome, found.actor) == (Verdict.VERIFIED, "registrar_hold", "registrar")


def test_verified_hold_whose_registration_lapses() -> None:
    looks = [*twice(HELD, DOWN), *(look(minutes(m), NOT_FOUND, DOWN) for m in (60, 64))]
    found = judged(Measure.HOLD, looks)
    assert (found.verdict, found.outcome, found.actor) == (Verdict.UNVERIFIABLE, "expired_lapsed", "none")


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"handle": "D2-EX"}, True),
        ({"registered_at": BORN + timedelta(days=1)}, True),
        ({"handle": None}, False),
        ({"registered_at": None}, False),
        ({"registered_at": BORN - timedelta(days=1)}, False),
        ({"registrar_iana_id": "146"}, False),
    ],
)
def test_epoch(fields: dict[str, Any], changed: bool) -> None:
    found = judged(Measure.HOLD, twice(rdap(*GUARDED_HOLD, **fields), DOWN))
    assert ("epoch_changed" in found.alarms) is changed
    if changed:
        assert (found.verdict, found.outcome, found.actor) == (Verdict.UNVERIFIABLE, "superseded_epoch", "none")


def test_wrong_verb_stays_told_after_it_was_mended() -> None:
    mended = [look(minutes(m), rdap(*LOCKED), UP) for m in (30, 34)]
    looks = [look(minutes(5), rdap("server hold"), DOWN), *mended]
    assert judged(Measure.LOCK, looks[:2]).verdict is Verdict.CONTRADICTED
    found = judged(Measure.LOCK, looks)
    assert (found.verdict, found.outcome, found.alarms) == (Verdict.VERIFIED, "registry_lock", ("wrong_verb",))


def test_lock_asked_for_and_hold_claimed_is_the_wrong_verb() -> None:
    found = judged(Measure.HOLD, twice(HELD, DOWN), requested=Measure.LOCK)
    assert (found.verdict, found.alarms) == (Verdict.CONTRADICTED, ("wrong_verb",))


def test_deletion_nobody_asked_for_is_told_from_the_claim_alone() -> None:
    assert judged(Measure.DELETE, [], requested=Measure.HOLD).alarms == ("wrong_verb",)
    assert judged(Measure.DELETE, [], requested=Measure.DELETE).alarms == ()


def test_order_of_arrival_does_not_matter() -> None:
    looks = [*twice(HELD, DOWN), look(minutes(20), ACTIVE, UP), look(minutes(30), HELD, GLUE)]
    found = {judged(Measure.HOLD, order) for order in permutations(looks)}
    assert len(found) == 1


# Properties -------------------------------------------------------------------------------------------------

texts = st.text(max_size=20)
times = st.datetimes(
    datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.sampled_from([UTC])
)  # fmt: skip
registrations = st.builds(
    Registration,
    answer=st.sampled_from(["found", "absent", "no_rdap", "inconclusive"]),
    statuses=st.lists(st.sampled_from([*sorted(EPP_OF_RDAP), "ok", "odd one"]), max_size=4).map(tuple),
    handle=st.none() | texts,
    registered_at=st.none() | times,
    expires_at=st.none() | times,
    last_changed_at=st.none() | times,
    registrar_name=st.none() | texts,
    registrar_iana_id=st.none() | texts,
    registrar_abuse_email=st.none() | texts,
    registrar_abuse_path=st.none() | texts,
    nameservers=st.lists(texts, max_size=3).map(tuple),
    source=texts,
    detail=texts,
    retry_after=st.none() | st.floats(0, 1e6),
)
delegations = st.builds(
    Delegation,
    answer=st.sampled_from(["delegated", "absent", "residual", "inconclusive"]),
    nameservers=st.lists(texts, max_size=3).map(tuple),
    probes=st.lists(st.builds(Probe, texts, texts, texts, texts), max_size=3).map(tuple),
    negative_ttl=st.none() | st.integers(0, 2**31 - 1),
)
panels = st.none() | st.builds(
    Panel,
    st.lists(st.builds(Heard, texts, st.sampled_from(["served", "denied", "timeout"]), texts), max_size=4).map(tuple),
)
contents = st.none() | st.builds(Content, answer=st.sampled_from(["served", "gone", "inconclusive"]), detail=texts)
any_look = st.builds(Look, at=times, registration=registrations, delegation=delegations, content=contents, panel=panels)


@given(any_look)
def test_a_look_survives_json(seen: Look) -> None:
    assert Look.from_json(json.loads(json.dumps(seen.to_json()))) == seen


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("registration"),
        lambda d: d["registration"].pop("answer"),
        lambda d: d["registration"].update(answer="perhaps"),
        lambda d: d["delegation"].update(answer="maybe"),
        lambda d: d.update(at="2026-01-01T00:00:00"),
        lambda d: d.update(at="yesterday"),
        lambda d: d.update(content={"answer": "half"}),
        lambda d: d["registration"].update(surprise=1),
    ],
)
def test_a_damaged_look_is_refused(damage: Any) -> None:
    stored = BASE.to_json()
    damage(stored)
    with pytest.raises(Invalid):
        Look.from_json(stored)


silent = st.sampled_from([(RDAP_MUTE, MUTE, CONTENT_MUTE), (RDAP_MUTE, MUTE, None)])
facts = st.tuples(
    st.sampled_from([ACTIVE, HELD, rdap(*LOCKED), rdap(*REGISTRAR_HOLD), rdap("redemption period"), NOT_FOUND]),
    st.sampled_from([UP, DOWN, GLUE]),
    st.sampled_from([SERVED, GONE, None]),
)
measures = st.sampled_from(list(Measure))


@given(measures, st.lists(facts, max_size=5), st.lists(st.tuples(st.integers(1, 3000), silent), max_size=6))
def test_silence_changes_nothing(measure: Measure, told: list[Any], gaps: list[Any]) -> None:
    spoken = [look(minutes(10 * (i + 1)), *seen) for i, seen in enumerate(told)]
    mute = [look(minutes(m + 0.5), *seen) for m, seen in gaps]
    end = minutes(5000)
    assert judged(measure, [*spoken, *mute], now=end) == judged(measure, spoken, now=end)


@given(measures, st.lists(facts, max_size=1))
def test_no_single_look_earns_credit(measure: Measure, told: list[Any]) -> None:
    found = judged(measure, [look(DEADLINE, *seen) for seen in told])
    assert found.verdict not in (Verdict.VERIFIED, Verdict.VERIFIED_DNS_ONLY, Verdict.PARTIAL, Verdict.RELAPSED)


@given(measures, measures, any_look, st.lists(any_look, max_size=4))
def test_credit_only_with_a_code_and_an_actor_for_measures_that_take_down(
    requested: Measure, measure: Measure, baseline: Look, looks: list[Look]
) -> None:
    found = judged(measure, looks, baseline=baseline, requested=requested)
    if found.verdict in (Verdict.VERIFIED, Verdict.VERIFIED_DNS_ONLY) and measure is not Measure.RESTORE:
        assert found.outcome in {
            "registry_lock", "registry_hold", "registrar_hold", "registry_delete", "registrar_delete",
            "host_removed", "registrant_cured",
        }  # fmt: skip
        assert found.actor in {"registry", "registrar", "host", "registrant"}
