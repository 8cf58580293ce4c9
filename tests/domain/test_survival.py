"""Kaplan-Meier and log-rank, against published worked examples, SciPy, and their own laws."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.survival import Duration, chi2_tail, kaplan_meier, log_rank


def scipy() -> Any:
    from scipy import stats  # takes seconds to import, and every process of a run reads this file

    return stats


def group(happened: list[int], censored: list[int]) -> list[Duration]:
    return [Duration(t, True) for t in happened] + [Duration(t, False) for t in censored]


# Freireich and others 1963: weeks in remission under 6-mercaptopurine and under placebo.
SIX_MP = group([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = group([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])


def test_freireich_as_published() -> None:
    # Estimates: Kalbfleisch and Prentice, table 1.1 onward; bands and medians on the log-log scale: Venables and
    # Ripley, Modern Applied Statistics with S, 13.1 (data set gehan).
    curve = kaplan_meier(SIX_MP)
    assert (curve.n, curve.events, curve.censored) == (21, 9, 12)
    shown = [
        (p.time, p.at_risk, round(p.lasting, 3), round(p.low or 0, 3), round(p.high or 0, 3)) for p in curve.points
    ]
    assert [line for line, p in zip(shown, curve.points, strict=True) if p.events] == [
        (6, 21, 0.857, 0.620, 0.952),
        (7, 17, 0.807, 0.563, 0.923),
        (10, 15, 0.753, 0.503, 0.889),
        (13, 12, 0.690, 0.432, 0.849),
        (16, 11, 0.627, 0.368, 0.805),
        (22, 7, 0.538, 0.268, 0.747),
        (23, 6, 0.448, 0.188, 0.680),
    ]
    assert (curve.median.value, curve.median.low, curve.median.high) == (23, 13, None)
    control = kaplan_meier(PLACEBO).median
    assert (control.value, control.low, control.high) == (8, 4, 11)


def test_freireich_log_rank_as_published() -> None:
    found = log_rank([SIX_MP, PLACEBO])
    assert found.p is not None
    assert (round(found.chi2, 2), found.df, float(f"{found.p:.3g}")) == (16.79, 1, 4.17e-05)


def test_by_hand_five_subjects() -> None:
    # 1 of 5 at day 1; one censored at 2; 1 of 3 at day 3; the last at 4: 0.8, 0.8, 0.8 * 2/3, 0.
    curve = kaplan_meier([*group([1, 3], [2, 3]), Duration(4, True)])
    assert [round(p.lasting, 6) for p in curve.points] == [0.8, 0.8, round(0.8 * 2 / 3, 6), 0]
    assert [(p.at_risk, p.events, p.censored) for p in curve.points] == [(5, 1, 0), (4, 0, 1), (3, 1, 1), (1, 1, 0)]
    assert (curve.points[-1].low, curve.points[-1].high) == (None, None)
    assert (curve.lasting(0.5), curve.lasting(2.5), curve.at_risk(2.5), curve.at_risk(9)) == (1.0, 0.8, 3, 0)


def test_a_plain_median_over_what_is_over_would_be_too_low() -> None:
    curve = kaplan_meier(group([1, 2, 3], [30, 30, 30]))
    assert curve.median.value == 3  # of the three that are over it would be 2
    assert kaplan_meier(group([1], [30, 30])).median.value is None


def test_nothing_at_all() -> None:
    curve = kaplan_meier([])
    assert (curve.n, curve.points, curve.median.value) == (0, (), None)
    assert log_rank([[], []]).p is None
    assert log_rank([SIX_MP, []]).p is None
    with pytest.raises(ValueError, match="before it begins"):
        kaplan_meier([Duration(-1, True)])


subjects = st.lists(
    st.builds(Duration, st.integers(0, 30).map(float), st.booleans(), st.just(1)), min_size=1, max_size=40
)


@given(subjects)
def test_it_falls_inside_its_band_and_counts_everybody(found: list[Duration]) -> None:
    curve = kaplan_meier(found)
    before = 1.0
    for point in curve.points:
        assert 0 <= point.lasting <= before
        before = point.lasting
        if point.low is not None and point.high is not None:
            assert 0 <= point.low <= point.lasting + 1e-9
            assert point.lasting - 1e-9 <= point.high <= 1
    assert sum(p.events + p.censored for p in curve.points) == curve.n == len(found)
    median = curve.median
    if median.value is not None and median.low is not None:
        assert median.low <= median.value
    if median.value is not None and median.high is not None:
        assert median.value <= median.high


@given(subjects, st.data())
def test_leaving_something_open_never_makes_it_look_faster(found: list[Duration], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(found) - 1))
    opened = [Duration(d.length, d.happened and i != at) for i, d in enumerate(found)]
    before, after = kaplan_meier(found), kaplan_meier(opened)
    for point in before.points:
        assert after.lasting(point.time) >= point.lasting - 1e-12


@given(subjects)
def test_as_scipy(found: list[Duration]) -> None:
    data = scipy().CensoredData.right_censored([d.length for d in found], [not d.happened for d in found])
    theirs = scipy().ecdf(data).sf
    ours = kaplan_meier(found)
    for time, share in zip(theirs.quantiles, theirs.probabilities, strict=True):
        assert ours.lasting(float(time)) == pytest.approx(float(share), abs=1e-9)


@given(subjects, subjects)
def test_log_rank_as_scipy_and_the_same_the_other_way_round(one: list[Duration], other: list[Duration]) -> None:
    found, turned = log_rank([one, other]), log_rank([other, one])
    assert found.p is None or 0 <= found.p <= 1
    assert (found.chi2, found.df) == (pytest.approx(turned.chi2, abs=1e-6), turned.df)
    if found.p is None:
        return
    theirs = scipy().logrank(
        *(scipy().CensoredData.right_censored([d.length for d in g], [not d.happened for d in g]) for g in (one, other))
    )
    assert found.chi2 == pytest.approx(theirs.statistic**2, rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-9)


def test_three_groups_by_their_laws() -> None:
    assert log_rank([SIX_MP, PLACEBO, []]) == log_rank([SIX_MP, PLACEBO])
    same = log_rank([SIX_MP, SIX_MP, SIX_MP])
    assert (round(same.chi2, 9), same.df) == (0, 2)
    assert same.p == pytest.approx(1)
    assert log_rank([SIX_MP, PLACEBO, SIX_MP]).df == 2


@given(st.lists(subjects, min_size=3, max_size=6), st.randoms())
def test_the_order_of_many_groups_says_nothing(groups: list[list[Duration]], random: Random) -> None:
    found = log_rank(groups)
    turned = log_rank(random.sample(groups, len(groups)))
    assert (turned.df, turned.chi2) == (found.df, pytest.approx(found.chi2, rel=1e-6, abs=1e-6))


def test_three_groups_by_hand() -> None:
    """Each of three has it at day 1, 2 and 3, alone in its group. At day 1 of three, each is expected 1/3, at day 2 two 1/2,
    at day 3 one 1: excess 2/3, 1/6, -5/6. Variances: 2/9, 2/9 + 1/4; covariance -1/9 of the first two.
    chi2 = (2/3, 1/6) V^-1 (2/3, 1/6)' over V = (2/9, -1/9; -1/9, 17/36), whose determinant is 5/54."""
    found = log_rank([[Duration(float(day), True)] for day in (1, 2, 3)])
    by_hand = (4 / 9 * 17 / 36 + 2 * (2 / 3) * (1 / 6) * (1 / 9) + 1 / 36 * 2 / 9) / (2 / 9 * 17 / 36 - 1 / 81)
    assert (found.df, found.chi2) == (2, pytest.approx(by_hand))


@given(st.floats(0, 60), st.integers(1, 12))
def test_the_tail_as_scipy(x: float, df: int) -> None:
    assert chi2_tail(x, df) == pytest.approx(float(scipy().chi2.sf(x, df)), rel=1e-8, abs=1e-12)


def test_what_is_no_chi_squared_is_refused() -> None:
    with pytest.raises(ValueError, match="no chi-squared"):
        chi2_tail(-1, 1)
