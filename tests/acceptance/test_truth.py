"""The comparison of the liars run: it is silent about a true table, and names what a forged one hides."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.sandbox.world import Act

from .truth import Alarm, Claim, Did, Sight, Told, Words, differences

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NAME = "a.xyz"
UNASKED = "registry, unasked"
WATCH = (
    *(timedelta(minutes=m) for m in (1, 5, 15, 60, 360)),
    *(timedelta(days=d) for d in (*range(1, 31), *range(37, 181, 7))),
)
EYES = Sight(WATCH, deadline=timedelta(days=1))


def at(**span: float) -> datetime:
    return NOON + timedelta(**span)


def did(act: Act, by: str = "registry", **span: float) -> Did:
    return Did(at(**span), NAME, str(act), by)


def claim(*verdicts: tuple[datetime, str], **changes: Any) -> Claim:
    return replace(Claim("hold", NOON, verdicts, at(minutes=1)), **changes)


HELD = Told(NAME, "registry_hold", "registry", "standing", "none", [claim((at(minutes=5), "verified"))])
HOLD = Words([["verified"]], "registry_hold", "registry", "standing", shows=Act.HOLD)
LIE = Told(
    NAME,
    "claimed_not_done",
    "none",
    None,
    "none",
    [claim((at(days=1), "contradicted"), parent_at=None)],
    alarms=[Alarm("claim_contradicted", at(days=1))],
)
REFUTED = Words([["contradicted"]], "claimed_not_done", "none", alarms={"claim_contradicted": "deadline"})
RELAPSED = replace(
    HELD,
    claims=[
        claim((at(minutes=5), "verified"), (at(days=4), "relapsed")),
        claim((at(days=5, minutes=5), "verified"), at=at(days=5), parent_at=at(days=5, minutes=1)),
    ],
)
TWICE = replace(HOLD, verdicts=[["verified", "relapsed"], ["verified"]])
FELL = [did(Act.HOLD), did(Act.RESTORE, UNASKED, days=3, hours=2), did(Act.HOLD, days=5)]
GONE = Told(
    NAME,
    "registry_delete",
    "registry",
    "reregistered",
    "none",
    [claim((at(minutes=5), "verified"), measure="delete")],
    alarms=[Alarm("epoch_changed", at(days=44))],
)
DELETE = Words(
    [["verified"]],
    "registry_delete",
    "registry",
    "reregistered",
    alarms={"epoch_changed": Act.REREGISTER},
    shows=Act.DELETE,
)
DELETED = [did(Act.DELETE), did(Act.PURGE, days=35), did(Act.REREGISTER, "somebody else", days=38)]
TYPED = Told(NAME, None, None, None, "none", alarms=[Alarm("neighbour_changed", at(hours=20))])
MISTYPED = Words([], None, None, alarms={"neighbour_changed": Act.HOLD})
BACK = replace(HELD, aftermath="lifted_wrong", undo="verified")
LIFTED = replace(HOLD, aftermath="lifted_wrong", undo="verified")


def told_of(
    row: Told, acts: Sequence[Did], words: Words, *, held: bool = False, sight: Sight = EYES, name: str = NAME
) -> list[str]:
    return differences([row], acts, {name: words}, {name: sight}, frozenset({NAME} if held else ()))


@pytest.mark.parametrize(
    ("row", "acts", "words", "held"),
    [
        (HELD, [did(Act.HOLD)], HOLD, True),
        (LIE, [], REFUTED, False),
        (RELAPSED, FELL, TWICE, True),
        (GONE, DELETED, DELETE, False),
        (BACK, [did(Act.HOLD), did(Act.RESTORE, days=5)], LIFTED, False),
        (TYPED, [did(Act.HOLD), did(Act.RESTORE, "registry, called", days=1)], MISTYPED, False),
        (replace(HELD, alarms=[Alarm("hold_lapsing", at(days=20))]), [did(Act.HOLD)], HOLD, True),
    ],
)
def test_a_true_table(row: Told, acts: list[Did], words: Words, held: bool) -> None:
    assert told_of(row, acts, replace(words, quiet=frozenset({"hold_lapsing"})), held=held) == []


@pytest.mark.parametrize(
    ("row", "acts", "words", "held", "what"),
    [
        # A false claim that is believed, and a true one that is not.
        (replace(HELD, aftermath=None), [], REFUTED, False, "verdicts are"),
        (replace(HELD, aftermath=None), [], replace(HOLD, aftermath=None), False, "hold in the zone: since None"),
        (replace(LIE, aftermath="standing"), [did(Act.HOLD)], HOLD, True, "verdicts are"),
        (replace(HELD, actor="registrar"), [did(Act.HOLD)], HOLD, True, "actor is registrar"),
        # Alarms: none, false, early, late.
        (replace(LIE, alarms=[]), [], REFUTED, False, "no alarm claim_contradicted"),
        (replace(HELD, alarms=[Alarm("wrong_verb", NOON)]), [did(Act.HOLD)], HOLD, True, "a false alarm"),
        (replace(LIE, alarms=[Alarm("claim_contradicted", at(hours=23))]), [], REFUTED, False, "before deadline"),
        (replace(LIE, alarms=[Alarm("claim_contradicted", at(days=2))]), [], REFUTED, False, "must have seen it"),
        (GONE, DELETED[:2], replace(DELETE, aftermath="reregistered"), False, "which never happened"),
        # Relapses: not found, found late, found where there is none.
        (HELD, FELL, HOLD, True, "relapsed 0 times by us, 1 times by the sandbox"),
        (RELAPSED, FELL[:1], TWICE, True, "relapsed 1 times by us, 0 times"),
        (
            replace(
                RELAPSED,
                claims=[claim((at(minutes=5), "verified"), (at(days=4, hours=3), "relapsed")), RELAPSED.claims[1]],
            ),
            FELL,
            TWICE,
            True,
            "we found it at",
        ),
        # A name that nobody was asked about.
        (replace(TYPED, alarms=[]), [did(Act.HOLD)], MISTYPED, False, "no alarm neighbour_changed"),
        (
            replace(TYPED, alarms=[Alarm("neighbour_changed", at(days=2))]),
            [did(Act.HOLD)],
            MISTYPED,
            False,
            "a look by",
        ),
        (TYPED, [did(Act.HOLD)], MISTYPED, True, "our last word on it is nothing"),
        # Registered anew: not told, and told where nobody did.
        (replace(GONE, aftermath="dropped"), DELETED, replace(DELETE, aftermath="dropped"), False, "do not say so"),
        (replace(HELD, aftermath="reregistered"), [did(Act.HOLD)], HOLD, True, "we say that it was registered anew"),
        (
            replace(GONE, alarms=[Alarm("epoch_changed", at(days=46))]),
            DELETED,
            DELETE,
            False,
            "a look by 2026-12-17",
        ),
        # Held in error.
        (BACK, [did(Act.HOLD)], LIFTED, True, "still held"),
        (replace(LIE, alarms=LIE.alarms), [did(Act.HOLD)], REFUTED, True, "our last word on it is contradicted"),
        (HELD, [did(Act.HOLD), did(Act.RESTORE, days=9)], HOLD, False, "it is not held, and our last word"),
        # Times in the zone.
        (
            replace(HELD, claims=[claim((at(minutes=5), "verified"), parent_at=at(minutes=5))]),
            [did(Act.HOLD)],
            HOLD,
            True,
            "shows in the zone since",
        ),
        (
            replace(HELD, claims=[claim((at(minutes=5), "verified"), parent_at=at(minutes=-1))]),
            [did(Act.HOLD)],
            HOLD,
            True,
            "shows in the zone since",
        ),
        (replace(LIE, claims=[claim((at(days=1), "contradicted"))]), [], REFUTED, False, "it never did"),
        # Rows that are missing on either side.
        (replace(HELD, name="b.xyz"), [did(Act.HOLD)], HOLD, False, "we know nothing of it"),
        (replace(HELD, name="b.xyz"), [], HOLD, False, "nobody planned"),
    ],
)
def test_a_forged_table(row: Told, acts: list[Did], words: Words, held: bool, what: str) -> None:
    found = told_of(row, acts, words, held=held)
    assert any(what in one for one in found), found


@pytest.mark.parametrize(
    ("since", "blind", "by"),
    [
        ({}, [], {"minutes": 1}),
        ({}, [{"minutes": 1}], {"minutes": 5}),
        ({}, [{"minutes": 1}, {"minutes": 5}], {"minutes": 15}),
        ({"minutes": 2}, [{"minutes": 1}], {"minutes": 5}),  # blind before it happened
        ({"days": 3, "hours": 2}, [], {"days": 4, "hours": 2}),  # wherever in its day the look stands
        ({"days": 3, "hours": 2}, [{"days": 3, "hours": 9}], {"days": 5, "hours": 2}),
        ({"days": 38}, [], {"days": 45}),
        ({"days": 29, "hours": 12}, [], {"days": 36, "hours": 12}),  # the next look may be the first of a week's
    ],
)
def test_by_when_a_look_sees_it(since: dict[str, float], blind: list[dict[str, float]], by: dict[str, float]) -> None:
    eyes = replace(EYES, blind=frozenset(at(**span) for span in blind))
    assert eyes.by(NOON, at(**since)) == at(**by)


def test_after_the_last_look_nothing_is_promised() -> None:
    assert EYES.by(NOON, at(days=200)).year == 9999


def test_who_is_put_off_comes_a_step_later_for_each_time() -> None:
    """The look after six hours is due at 18:00, and late by two steps of an hour: until 20:00. Refusals at 17:30 (before it),
    19:00 and 20:30: the second of them makes it 21:00, in which the third falls: 22:00. That at 23:00 comes too late for it."""
    hour = timedelta(hours=1)
    refused = [at(hours=h) for h in (5.5, 7, 8.5, 11)]
    eyes = replace(EYES, late=2 * hour, step=hour, refused=refused)
    assert eyes.by(NOON, at(hours=2)) == at(hours=10)
    assert replace(eyes, refused=[]).by(NOON, at(hours=2)) == at(hours=8)
