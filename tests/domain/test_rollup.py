"""What is added up beforehand against the same histories read whole."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import figures, lengths, rollup
from notifier.domain.history import History, units
from notifier.domain.lengths import Row, Rows
from notifier.domain.rollup import Added, Some, Spent, bin_of, edge, told_by
from notifier.domain.survival import Duration, Lengths, kaplan_meier, log_rank
from tests.domain.test_history import START, at, histories, story, ten

NOW = START + timedelta(days=400)


def _whole(added: Added) -> figures.CohortFigures:
    counts: Counter[str] = Counter()
    for sums in added.groups.values():
        counts.update(sums.counts)
    rows = [row(spent, some) for sums in added.groups.values() for spent, some in sums.times.items()]
    return rollup.cohort({cell: n for cell, n in counts.items() if n}, lengths.read(Rows.of(rows), NOW)[1])


def row(spent: Spent, some: Some) -> Row:
    return Row("", spent.key, spent.how, [spent.at], [some.n], [some.micros])


def durations(found: Lengths) -> list[Duration]:
    columns = (found.length.tolist(), found.happened.tolist(), found.n.tolist())
    return [Duration(*one) for one in zip(*columns, strict=True)]


def test_bins_by_hand() -> None:
    """To 32 seconds one each; then sixteen to an octave: 33 with 32, an hour (3,600 s) from 3,584 to 3,711."""
    assert [edge(bin_of(n)) for n in (0, 1, 31, 32, 33, 34, 63, 64, 67, 3600)] == [
        0,
        1,
        31,
        32,
        32,
        34,
        62,
        64,
        64,
        3584,
    ]
    assert edge(bin_of(3600) + 1) == 3712


@given(st.integers(0, 10**9))
def test_bins_follow_each_other_and_are_narrow(seconds: int) -> None:
    low, high = edge(bin_of(seconds)), edge(bin_of(seconds) + 1)
    assert low <= seconds < high
    assert high - low <= max(1, low // 16)


def test_ten_cases_by_hand() -> None:
    added = Added()
    for history in ten():
        added.add(told_by([history], {history.case_ids[0]: 2}))
    found = _whole(added)
    assert {stage: share.n for stage, share in found.funnel.items()} == {
        "opened": 10, "approved": 9, "sent": 9, "received": 7, "answered": 6, "claimed": 5, "verified": 3,
    }  # fmt: skip
    assert sum(sums.counts[rollup.REPORTS] for sums in added.groups.values()) == 20
    # Alike or alone in a bin, they stand where they are: every step and median is that of the histories.
    exact = figures.cohort(units(ten()), NOW)
    for key, time in found.times.items():
        steps = [p for p in time.curve.points if p.events]
        assert steps == [p for p in exact.times[key].curve.points if p.events], key
        assert time.curve.median == exact.times[key].curve.median
    assert len([p for p in found.times["verified"].curve.points if p.events]) == 3


@given(histories())
def test_what_is_added_up_is_what_the_histories_say(found: list[History]) -> None:
    names: dict[tuple[str, str], list[History]] = {}
    for history in found:
        names.setdefault((history.program, history.target), []).append(history)
    added = Added()
    for of in names.values():
        added.add(told_by(of, {}))
    exact, rolled = figures.cohort(units(found), NOW), _whole(added)
    assert replace(rolled, times={}) == replace(exact, times={})
    for key, time in rolled.times.items():
        curve, other = time.curve, exact.times[key].curve
        assert (curve.n, curve.events, curve.censored) == (other.n, other.events, other.censored)
        assert sum(p.events for p in curve.points) == sum(p.events for p in other.points)
    for of in names.values():
        added.add(told_by(of, {}), -1)
    for sums in added.groups.values():
        assert not any(sums.counts.values())
        assert not any(some.n or some.micros for some in sums.times.values())


def test_a_period_stands_on_what_was_before() -> None:
    before = {rollup.OPENED: 5, rollup.CLOSED: 2, "act/claimed_in": 1}
    until = {rollup.OPENED: 9, rollup.CLOSED: 8, "act/sent_in": 3, "act/claimed_in": 1}
    found = rollup.period(at(0), at(1), before, until)
    flow = found.flow
    assert (flow.opened_before, flow.opened_in, flow.closed_in, flow.open_at_end) == (3, 4, 6, 1)
    assert found.acts == {"sent_in": 3, "claimed_in": 0, "verified_in": 0, "relapsed_in": 0}


def test_what_runs_lasts_from_the_mean_of_its_beginnings() -> None:
    """Two began on the day at 06:00 and at 12:00, so at noon of the next day they have lasted 27 hours in the mean."""
    hours = sum(int(timedelta(hours=h) / timedelta(microseconds=1)) for h in (6, 12))
    began = Spent("notice", rollup.DAY, date(2026, 3, 1).toordinal())
    lasted, _ = lengths.read(Rows.of([row(began, Some(2, hours))]), datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert durations(lasted[""].lengths["notice"]) == [Duration(27 * 3600.0, False, 2)]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(0, 86399))
def test_what_runs_is_read_in_days_weeks_and_four_weeks_none_too_wide(days: list[int], second: int) -> None:
    """Each once, the sum exact, and each within the sixteenth of its age that it is read in (or a day, where that is more)."""
    began = [Spent("notice", rollup.DAY, NOW.toordinal() - age) for age in days]
    rows = [row(*kept) for one in began for kept in rollup.grains(one, Some(1, second * 1_000_000))]
    found = lengths.read(Rows.of(rows), NOW, rollup.ages(NOW))[0][""].lengths["notice"]
    passed = (NOW - NOW.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    exact = sorted(max(0.0, age * 86400.0 + passed - second) for age in days)
    told = sorted(one.length for one in durations(found) for _ in range(one.n))
    assert len(told) == len(exact)
    if min(days):
        assert abs(sum(told) - sum(exact)) < 1e-3 * len(exact)
    for length, real in zip(told, exact, strict=True):
        assert abs(length - real) <= max(86400, (real + 86400) / 16)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.lists(st.integers(0, 3000), min_size=1))))
def test_many_are_read_in_grains_as_each_is(found: list[tuple[str, bool, list[int]]]) -> None:
    rows = [
        Row(part, "notice", rollup.DAY if runs else rollup.HAPPENED, days, [2] * len(days), days)
        for part, runs, days in found
    ]
    one_by_one = [
        (part, *kept, *some)
        for part, key, how, *bins in rows
        for at_bin, n, micros in zip(*bins, strict=True)
        for kept, some in rollup.grains(Spent(key, how, at_bin), Some(n, micros))
    ]
    wider = Rows.of(rows).in_grains()
    names = [name for name, size in zip(wider.names, wider.sizes, strict=True) for _ in range(size)]
    columns = (wider.at.tolist(), wider.n.tolist(), wider.micros.tolist())
    assert sorted((*name, *bins) for name, *bins in zip(names, *columns, strict=True)) == sorted(one_by_one)


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_groups_that_are_compared_meet_at_the_edges_of_bins(seconds: list[int]) -> None:
    assert lengths.met(np.array(seconds) + 0.5).tolist() == [edge(bin_of(one)) for one in seconds]


@given(
    st.lists(
        st.tuples(st.sampled_from(["one", "two"]), st.booleans(), st.integers(0, 40), st.integers(1, 3)), max_size=30
    )
)
def test_parts_keep_to_themselves_and_what_is_taken_away_is_gone(found: list[tuple[str, bool, int, int]]) -> None:
    """Lengths to 32 s have bins of their own, and 33 s is 32 with one above: told one by one, and again less the last one."""
    hows = {True: rollup.HAPPENED, False: rollup.STOPPED}
    rows = [
        Row(part, "claim", hows[had], [bin_of(s)], [n], [n * (s - edge(bin_of(s))) * 1_000_000])
        for part, had, s, n in found
    ]
    for left, told in (
        (found, rows),
        (found[:-1], [*rows, *(r._replace(n=[-r.n[0]], micros=[-r.micros[0]]) for r in rows[-1:])]),
    ):
        bins: dict[tuple[str, bool, int], list[int]] = {}
        for part, had, s, n in left:
            bins.setdefault((part, had, bin_of(s)), []).extend([s] * n)
        parts, whole = lengths.read(Rows.of(told), NOW)
        for part in {part for part, *_ in found}:
            expected = [
                Duration(sum(of) / len(of), had, len(of)) for (told_of, had, _), of in bins.items() if told_of == part
            ]
            assert _sorted(durations(parts[part].lengths.get("claim", Lengths.of(())))) == _sorted(expected)
        together: dict[tuple[bool, int], list[int]] = {}
        for (_, had, at_bin), of in bins.items():
            together.setdefault((had, at_bin), []).extend(of)
        expected = [Duration(sum(of) / len(of), had, len(of)) for (had, _), of in together.items()]
        assert _sorted(durations(whole.lengths.get("claim", Lengths.of(())))) == _sorted(expected)


def _sorted(found: list[Duration]) -> list[Duration]:
    return sorted(one._replace(length=round(one.length, 6)) for one in found)


def running_in(added: Added) -> set[tuple[str, str, int, int, int]]:
    return {(*spent, *some) for sums in added.groups.values() for spent, some in sums.times.items() if some.n}


def test_a_name_moves_from_running_to_ended() -> None:
    waits = story("a", "one.com", opened=24)  # on the second at 09:00
    added = Added()
    added.add(told_by([waits], {}))
    hour = 3600 * 1_000_000
    assert running_in(added) == {("notice", rollup.DAY, date(2026, 3, 2).toordinal(), 1, 9 * hour)}
    # The second of March is a Monday, ordinal 739677; its week in multiples of seven begins a day later than weeks of ours do.
    (day, week, fours) = rollup.grains(Spent("notice", rollup.DAY, 739677), Some(1, 9 * hour))
    assert day == (Spent("notice", rollup.DAY, 739677), Some(1, 9 * hour))
    assert week == (Spent("notice", rollup.WEEK, 739676), Some(1, 33 * hour))  # 739676 = 7 * 105668
    assert fours == (Spent("notice", rollup.FOUR_WEEKS, 739676), Some(1, 33 * hour))  # = 28 * 26417
    added.add(told_by([waits], {}), -1)
    added.add(told_by([replace(waits, sent=at(26), approved=at(25))], {}))
    ended = {one for one in running_in(added) if one[1] != rollup.DAY}
    assert {one[0] for one in running_in(added) - ended} == {"receipt", "acknowledgement", "claim", "verified"}
    assert ended == {("notice", rollup.HAPPENED, bin_of(7168), 1, 32 * 1_000_000)}


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(1, 4)), max_size=20))
def test_many_at_once_are_as_each_for_itself(found: list[tuple[int, bool, int]]) -> None:
    together = [Duration(length, happened, n) for length, happened, n in found]
    apart = [Duration(length, happened) for length, happened, n in found for _ in range(n)]
    assert kaplan_meier(together) == kaplan_meier(apart)
    assert log_rank([together[::2], together[1::2]]) == log_rank(
        [[Duration(length, happened) for length, happened, n in found[first::2] for _ in range(n)] for first in (0, 1)]
    )
