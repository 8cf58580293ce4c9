"""A scripted cohort against figures by hand, and random histories against the laws that every table must keep."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.case_state import ENDED, OPEN, TRANSITIONS, CaseState
from notifier.domain.definitions import DEFINITIONS, SHARES, STAGES, TIMES
from notifier.domain.figures import Share, cohort, cohort_cells, compared, durations, outcome_of, period, period_cells
from notifier.domain.history import Change, History, fold, units
from notifier.domain.period import Flow

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = 3600.0


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def change(tag: str, hours: float, told: float | None = None, **more: str | None) -> Change:
    kind = more.pop("by", None) or ("recipient" if tag.startswith("answer") else "daemon")
    said = {"program": "opioids", "registry": "verisign", **more}
    return Change("c", tag, at(hours), at(hours if told is None else told), kind, **said)  # type: ignore[arg-type]


def story(case_id: str, target: str, *changes: Change, opened: float = 0, **more: str) -> History:
    first = change("case.opened", opened, word=target, by="person", **more)
    return fold([c._replace(case_id=case_id) for c in (first, *changes)])


def sent(hours: float) -> list[Change]:
    return [
        change("case.approved", hours - 0.5, before="in_review", after="approved", by="person"),
        change("notice.sent", hours, notice_id="n", party="registry", purpose="request", measure="hold"),
    ]


def claim(hours: float, told: float | None = None, case: str = "k") -> Change:
    return change(
        "answer.received", hours, told, word="action_claimed", claim_id=case, notice_id="n", party="registry",
        purpose="request", measure="hold",
    )  # fmt: skip


def seen(
    hours: float, verdict: str, outcome: str | None = None, actor: str | None = None, claim_id: str = "k"
) -> Change:
    moves = {"before": "notified", "after": "resolved"} if outcome else {}
    return change(
        "outcome.observed", hours, word=verdict, claim_id=claim_id, party="registry", purpose="request",
        measure="hold", outcome=outcome, credited=actor, **moves,
    )  # fmt: skip


def ten() -> list[History]:
    """C-119: ten cases, as of hour 100. By hand: 10 opened, 9 sent, 6 answered, 5 claimed, 3 verified, 1 relapsed."""
    declined = change("answer.received", 12, word="declined", purpose="request", party="registry", outcome="declined_nexus",
                      credited="none", before="notified", after="resolved")  # fmt: skip
    return [
        story("1", "a.com", *sent(2), claim(6), seen(7, "verified", "registry_hold", "registry")),
        story("2", "b.com", *sent(4), claim(10, told=20), seen(22, "verified", "registrar_hold", "registrar")),
        story("3", "c.com", *sent(6), claim(8), seen(9, "verified", "registry_hold", "registry"),
              change("outcome.relapsed", 57, word="relapsed", claim_id="k", before="resolved", after="in_review")),
        story("4", "d.com", *sent(2), claim(4), seen(28, "contradicted", "claimed_not_done", "none")),
        story("5", "e.com", *sent(2), claim(90)),
        story("6", "f.com", *sent(2), declined),
        story("7", "g.com", *sent(2)),
        story("8", "h.com", *sent(2), change("case.withdrawn", 50, before="notified", after="withdrawn", word="error",
                                             outcome="withdrawn_error", credited="notifier", by="person")),
        story("9", "i.com", *sent(2), change("notice.delivered", 3, purpose="request", notice_id="n")),
        story("10", "j.com", change("case.rejected", 1, before="in_review", after="rejected", word="substance", by="person")),
    ]  # fmt: skip


def test_ten_cases_by_hand() -> None:
    found = cohort(units(ten()), at(100))
    assert (found.units, found.cases) == (10, 10)
    assert {stage: (s.n, s.of) for stage, s in found.funnel.items()} == {
        "opened": (10, 10), "approved": (9, 10), "sent": (9, 9), "received": (7, 9), "answered": (6, 7),
        "claimed": (5, 6), "verified": (3, 5),
    }  # fmt: skip
    assert {key: (s.n, s.of, s.few) for key, s in found.shares.items()} == {
        "success": (3, 9, True), "accuracy": (8, 9, True), "gap": (1, 4, True), "relapsed": (1, 3, True),
        "hopped": (0, 3, True),
    }  # fmt: skip
    assert sorted((o.outcome, o.actor, o.share.n) for o in found.outcomes) == [
        ("claimed_not_done", "none", 1), ("declined_nexus", "none", 1), ("open", "none", 3),
        ("registrar_hold", "registrar", 1), ("registry_hold", "registry", 2), ("rejected", "none", 1),
        ("withdrawn_error", "notifier", 1),
    ]  # fmt: skip
    assert [(c.party, c.measure, c.verdict, c.n) for c in found.claims] == [
        ("registry", "hold", "contradicted", 1), ("registry", "hold", "pending", 1),
        ("registry", "hold", "relapsed", 1), ("registry", "hold", "verified", 2),
    ]  # fmt: skip
    verified = found.times["verified"].curve
    # After the notice: 3 h, 5 h, 18 h; open ones at 98 h, the withdrawn one at 48 h. 9 at risk: 8/9, 7/9, then 7 at 18 h.
    assert (verified.n, verified.events, verified.censored) == (9, 3, 6)
    assert [(p.time / HOUR, p.at_risk, round(p.lasting, 6)) for p in verified.points if p.events] == [
        (3, 9, round(8 / 9, 6)), (5, 8, round(7 / 9, 6)), (18, 7, round(6 / 9, 6)),
    ]  # fmt: skip
    assert verified.median.value is None
    assert (
        found.times["claim"].curve.median.value or 0
    ) / HOUR == 88  # 2, 2, 4, 6 h; one stops at 48 h; then 5/9 * 3/4
    relapse = found.times["relapse"].curve
    assert (relapse.n, relapse.events, relapse.points[0].time / HOUR) == (3, 1, 48)
    assert found.work["person"] == 10 + 9 + 1 + 1


def test_late_and_dated_back_answers_are_never_negative() -> None:
    unit = story("1", "a.com", *sent(10), claim(2, told=12), seen(11, "verified"))
    assert [d.length for key in TIMES for d in durations([unit], key, at(20))] == [
        10 * HOUR, 2 * HOUR, 2 * HOUR, 0, 1 * HOUR, 9 * HOUR, 9 * HOUR,
    ]  # fmt: skip


def test_an_answer_tells_that_the_notice_was_there() -> None:
    unit = story("1", "a.com", claim(5))
    assert (unit.sent, unit.received) == (at(5), at(5))
    found = cohort([unit], at(9)).funnel
    assert {stage: s.n for stage, s in found.items() if stage != "verified"} == dict.fromkeys(
        [stage for stage in STAGES if stage != "verified"], 1
    )


def test_one_name_in_one_registration_is_one_unit() -> None:
    bound = change("target.observed", 0.1, word="H1@2020-01-01T00:00:00+00:00")
    other = change("target.observed", 30.1, word="H2@2026-02-01T00:00:00+00:00")
    rejected = story("1", "a.com", bound, change("case.rejected", 1, before="in_review", after="rejected"))
    again = story("2", "a.com", bound._replace(at=at(30.1), told_at=at(30.1)), *sent(33), opened=30)
    new = story("3", "a.com", other, opened=30)
    unknown = story("4", "a.com", opened=40)
    merged = story("5", "a.com", change("case.merged_into", 60, after="superseded", outcome="duplicate"), opened=50)
    elsewhere = story("6", "a.com", opened=30, program="piracy")
    (one,) = units([again, rejected])
    assert (one.case_ids, one.opened, one.sent, outcome_of(one)) == (("1", "2"), at(0), at(33), ("open", "none"))
    assert [len(u.case_ids) for u in units([rejected, new])] == [1, 1]
    assert [u.case_ids for u in units([rejected, unknown, merged, elsewhere])] == [("1", "4"), ("6",)]
    superseded = replace(rejected, state="superseded", outcome="superseded_epoch")
    assert len(units([superseded, unknown])) == 2
    assert cohort([one], at(50)).cases == 2


def test_undoing_is_no_act() -> None:
    undo = claim(30, case="u")._replace(purpose="withdrawal", measure="restore")
    unit = story("1", "a.com", *sent(2), undo, seen(31, "verified", claim_id="u"))
    assert (unit.answered, unit.claimed, unit.verified, unit.claims) == (None, None, None, ())


def test_every_figure_is_defined_once() -> None:
    keys = [(d.basis, d.key) for d in DEFINITIONS if d.key not in ("verified",)]
    assert len(keys) == len(set(keys))
    found = cohort(units(ten()), at(100))
    assert (set(found.funnel), set(found.times), set(found.shares)) == (set(STAGES), set(TIMES), set(SHARES))
    flow = period(ten(), at(0), at(100))
    told = {d.key for d in DEFINITIONS if d.basis == "period"}
    assert told == {"opened_before", "opened_in", "closed_in", "open_at_end", *flow.acts}
    with pytest.raises(ValueError, match="does not begin"):
        fold([change("case.approved", 1)])


def test_a_period_by_hand() -> None:
    # Of the ten, two are over: rejected at hour 1, withdrawn at hour 50.
    first, second = period(ten(), at(0), at(5)), period(ten(), at(5), at(60))
    assert (first.flow, first.acts) == (
        Flow(0, 10, 1, 9),
        {"sent_in": 8, "claimed_in": 1, "verified_in": 0, "relapsed_in": 0},
    )
    assert (second.flow, second.acts["verified_in"], second.acts["relapsed_in"]) == (Flow(9, 0, 1, 8), 3, 1)


def test_slices_are_compared_by_time() -> None:
    found = compared([units(ten())[:5], units(ten())[5:]], at(100))
    assert set(found) == set(TIMES)
    assert found["verified"].df == 1


# --- random histories -----------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[History]:
    found = []
    for n in range(draw(st.integers(0, 12))):
        hours = float(draw(st.integers(0, 500)))
        told: list[Change] = []
        opened, state = hours, CaseState.RECEIVED
        for _ in range(draw(st.integers(0, 12))):
            hours += draw(st.integers(-3, 60))  # clocks of two processes may disagree
            kind = draw(st.sampled_from(["state", "state", "sent", "claim", "seen", "answer"]))
            if kind == "state" and TRANSITIONS[state]:
                after = draw(st.sampled_from(sorted(TRANSITIONS[state])))
                told.append(change("case.moved", hours, before=str(state), after=str(after)))
                state = after
            elif kind == "sent":
                told.append(change("notice.sent", hours, purpose="request", notice_id="n", party="registry"))
            elif kind == "answer":
                word = draw(st.sampled_from(["acknowledged", "declined"]))
                told.append(change("answer.received", hours, purpose="request", word=word))
            elif kind == "claim":
                back = draw(st.integers(0, 900))
                told.append(claim(hours - back, told=hours, case=draw(st.sampled_from("kl"))))
            elif kind == "seen":
                verdict = draw(st.sampled_from(["verified", "contradicted", "relapsed", "unverifiable"]))
                told.append(seen(hours, verdict, claim_id=draw(st.sampled_from("kl"))))
        target = draw(st.sampled_from(["a.com", "b.com", "c.com", "d.com"]))
        found.append(story(str(n), target, *told, opened=opened, registry=draw(st.sampled_from(["verisign", "pir"]))))
    return found


@given(histories(), st.integers(-10, 700), st.integers(0, 300))
def test_periods_balance_for_every_slice(found: list[History], start: int, length: int) -> None:
    whole = period(found, at(start), at(start + length))
    parts = [period([h for h in found if h.registry == r], at(start), at(start + length)) for r in ("verisign", "pir")]
    assert parts[0].flow + parts[1].flow == whole.flow
    assert whole.acts == {key: parts[0].acts[key] + parts[1].acts[key] for key in whole.acts}
    later = period(found, at(start + length), at(start + length + 50))
    assert later.flow.opened_before == whole.flow.open_at_end
    cells = period_cells(found, at(start), at(start + length))
    assert len(cells["flow/closed_in"]) == whole.flow.closed_in
    last = period(found, at(-1000), at(99_999)).flow
    assert last.open_at_end == sum(h.state in {str(s) for s in OPEN} for h in found)
    assert (last.opened_before, last.closed_in) == (0, last.opened_in - last.open_at_end)


@given(histories())
def test_cohorts_nest_and_nothing_is_negative(found: list[History]) -> None:
    whole, now = units(found), at(99_999)
    figures = cohort(whole, now)
    order = [figures.funnel[stage].n for stage in STAGES]
    assert order == sorted(order, reverse=True)
    assert order[0] == len(whole) == figures.units <= figures.cases
    assert figures.cases == sum(not h.merged for h in found)
    assert sum(o.share.n for o in figures.outcomes) == figures.units
    assert sum(c.n for c in figures.claims) == sum(len(u.claims) for u in whole)
    for share in (*figures.funnel.values(), *figures.shares.values()):
        assert 0 <= share.n <= share.of
        assert 0 <= share.low <= (share.share if share.share is not None else 0.5) <= share.high <= 1
    for key in TIMES:
        assert all(d.length >= 0 for d in durations(whole, key, now))
    for cell, counted in cohort_cells(whole).items():
        if cell.startswith("funnel/"):
            assert len(counted) == figures.funnel[cell.removeprefix("funnel/")].n
    for unit in whole:
        for spell in unit.spells:
            assert spell.closed is None or spell.closed >= spell.opened >= unit.opened
        assert (unit.spells[-1].closed is not None) == (unit.state in {str(s) for s in ENDED})


def test_a_share_flags_what_is_few() -> None:
    found = cohort(units(ten()), at(100)).funnel["sent"]
    assert isinstance(found, Share)
    assert (found.few, cohort(units(ten()), at(100)).funnel["approved"].few) == (True, False)


def test_a_hop_by_hand() -> None:
    """Five successes at hour 10, sent at hour 2: hops at hour 6, 34 and 10 + 31 days, one from before, one taken back."""
    start = [*sent(2), claim(6), seen(10, "verified", "registry_hold", "registry")]

    def hop(hours: float, told: float, tag: str = "hop.accepted", word: str = "h") -> Change:
        return change(tag, hours, told, word=word, by="person")

    cases = [
        story("1", "a.com", *start, hop(6, 20)),
        story("2", "b.com", *start, hop(90, 95, word="later"), hop(34, 40)),
        story("3", "c.com", *start, hop(10 + 31 * 24, 800)),
        story("4", "d.com", *start, hop(1, 20)),  # it was there before anybody was asked
        story("5", "e.com", *start, hop(34, 40), hop(60, 60, "hop.retracted")),
        story("6", "f.com", *sent(2), hop(6, 20)),  # no success, so nothing is measured from it
    ]
    assert [c.hopped for c in cases] == [at(10), at(34), at(10 + 31 * 24), None, None, at(6)]
    found = cohort(units(cases), at(1_000))
    assert (found.shares["hopped"].n, found.shares["hopped"].of) == (2, 5)
    assert sorted((d.length / HOUR, d.happened) for d in durations(cases, "hop", at(1_000))) == [
        (0, True), (24, True), (31 * 24, True), (990, False), (990, False)
    ]  # fmt: skip


def test_a_relapse_or_a_hop_is_waited_for_as_long_as_somebody_looks() -> None:
    held = [*sent(2), claim(6), seen(10, "verified", "registry_hold", "registry")]
    cases = [
        story("1", "a.com", *held, change("case.closed", 200, before="resolved", after="closed")),
        story("2", "b.com", *held),
    ]
    for key in ("relapse", "hop"):
        assert [(d.length / HOUR, d.happened) for d in durations(cases, key, at(1_000))] == [(190, False), (990, False)]
