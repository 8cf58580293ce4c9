"""Which things a number counts: by hand, and that whoever adds and takes away the same has nothing left."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.numbers import CASES, RING, Number, Part, Tally, counted
from tests.domain.test_suppression import START, sent, unit

_MARCH, _APRIL = date(2026, 3, 1), date(2026, 4, 1)


def test_two_numbers_of_the_same_units_are_one_and_of_others_are_not() -> None:
    march = START.replace(month=3)
    units = [
        sent(1, opened=march),
        unit(2, opened=march, registry=None),
        unit(3, opened=march + timedelta(days=31)),
        replace(unit(4, opened=march), case_ids=("case-4", "case-5")),
    ]
    found = counted(units)
    assert set(found) == {Part("opioids", r, m) for r, m in (("verisign", _MARCH), ("", _MARCH), ("verisign", _APRIL))}
    of = found[Part("opioids", "verisign", _MARCH)]
    assert {cell: of[cell].n for cell in ("funnel/opened", "funnel/sent", CASES)} == {
        "funnel/opened": 2, "funnel/sent": 1, CASES: 3,
    }  # fmt: skip
    assert of["funnel/sent"] == of["funnel/approved"] == of["time/notice/events"] == of["time/receipt/n"]
    assert of["funnel/opened"] == of["time/notice/n"]
    assert of["funnel/opened"] - of["funnel/sent"] == of["time/notice/censored"]
    april = found[Part("opioids", "verisign", _APRIL)]
    assert april[CASES] == april["funnel/opened"], "of one case each"
    other, alone = found[Part("opioids", "", _MARCH)]["funnel/opened"], of["funnel/sent"]
    assert (other.n, alone.n) == (1, 1)
    assert other != alone


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1, -1]), st.sets(st.sampled_from("abc"))), max_size=20))
def test_a_tally_is_what_was_added_less_what_was_taken_away(steps: list[tuple[int, int, set[str]]]) -> None:
    both, added, taken = Tally(), Tally(), Tally()
    for n, sign, cells in steps:
        both.add(unit(n).case_ids, cells, sign)
        (added if sign > 0 else taken).add(unit(n).case_ids, cells)
    none = Number(0, 0)
    for cell in {*both.n, CASES}:
        plus, minus = (tally.numbers().get(cell, none) for tally in (added, taken))
        assert both.numbers().get(cell, none) == plus - minus
        assert 0 <= (plus + minus).which < RING
    for n, sign, cells in steps:
        both.add(unit(n).case_ids, cells, -sign)
    assert both.numbers() == {}
