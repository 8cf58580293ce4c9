"""Each cell of the verification table, and the two clocks."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from notifier.domain.epp import Measure
from notifier.domain.look import Content, Delegation, Look, Registration
from notifier.domain.outcome import Judgement, Verdict
from notifier.domain.panel import Heard, Panel
from tests.domain import outcome_cells as table
from tests.domain.test_outcome import (
    ACTIVE,
    CONTENT_MUTE,
    DEADLINE,
    DOWN,
    GLUE,
    GONE,
    GUARDED_HOLD,
    HELD,
    HELD_BASE,
    LOCKED,
    MUTE,
    NO_RDAP,
    NOT_FOUND,
    RDAP_MUTE,
    REGISTRAR_HOLD,
    SERVED,
    T0,
    UP,
    judged,
    look,
    minutes,
    rdap,
    twice,
)

RDAP: dict[str, Registration] = {
    "active": ACTIVE,
    "inactive": rdap("inactive"),
    "lock": rdap(*LOCKED),
    "part_lock": rdap(*LOCKED[:2]),
    "client_lock": rdap("client transfer prohibited", "client update prohibited", "client delete prohibited"),
    "pending_update": rdap("pending update"),
    "hold": HELD,
    "bare_hold": rdap("server hold"),
    "client_hold": rdap(*REGISTRAR_HOLD),
    "both_holds": rdap(*GUARDED_HOLD, "client hold"),
    "redemption": rdap("redemption period"),
    "pending_delete": rdap("pending delete"),
    "absent": NOT_FOUND,
    "no_rdap": NO_RDAP,
    "mute": RDAP_MUTE,
    "other": rdap("active", handle="D2-EX"),
}
ZONE: dict[str, Delegation] = {
    "up": UP,
    "moved": Delegation("delegated", ("ns.else.example",)),
    "gone": DOWN,
    "glue": GLUE,
    "mute": MUTE,
}
NOT_DONE = "contradicted claimed_not_done none !claim_contradicted"
CODES = {
    ".": ("pending - -", "pending - -"),
    "C": ("pending - -", NOT_DONE),
    "CI": ("pending - -", f"{NOT_DONE} !inconsistent"),
    "W": ("contradicted - - !wrong_verb",) * 2,
    "U": ("pending - -", "unverifiable - -"),
    "UD": ("pending - - !deletion_seen", "unverifiable - - !deletion_seen"),
    "US": ("pending - - !name_suspended", "unverifiable - - !name_suspended"),
    "E": ("unverifiable superseded_epoch none !epoch_changed",) * 2,
}
BY = {Measure.CONTENT_REMOVAL: "host", Measure.REDIRECT: "registrar"}


def said(found: Judgement) -> str:
    alarms = (f"!{kind}" for kind in sorted(found.alarms))
    return " ".join([found.verdict.value, found.outcome or "-", found.actor or "-", *alarms])


def wanted(cell: str) -> tuple[str, str]:
    words = " ".join(table.SHORT.get(word, word) for word in cell.split())
    return CODES.get(cell) or (words, words)


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


TABLES: list[tuple[Measure, str, Content | None, Look | None]] = [
    (Measure.HOLD, table.HOLD, None, None),
    (Measure.LOCK, table.LOCK, None, None),
    (Measure.DELETE, table.DELETE, None, None),
    (Measure.REDIRECT, table.REDIRECT, None, None),
    (Measure.CONTENT_REMOVAL, table.CONTENT_GONE, GONE, None),
    (Measure.CONTENT_REMOVAL, table.CONTENT_MUTE, CONTENT_MUTE, None),
    (Measure.CONTENT_REMOVAL, table.CONTENT_MUTE, None, None),
    (Measure.CONTENT_REMOVAL, table.CONTENT_SERVED, SERVED, None),
    (Measure.RESTORE, table.RESTORE, None, HELD_BASE),
]


def cells() -> Iterator[object]:
    for measure, text, content, baseline in TABLES:
        pages = "" if measure is not Measure.CONTENT_REMOVAL else f" {content.answer if content else 'unasked'}"
        for name, *columns in rows(text):
            for zone, cell in zip(table.COLUMNS, columns, strict=True):
                yield pytest.param(
                    measure, name, zone, content, baseline, cell, id=f"{measure}{pages}: {name} x {zone}"
                )


@pytest.mark.parametrize(("measure", "registration", "zone", "content", "baseline", "cell"), list(cells()))
def test_cell(
    measure: Measure, registration: str, zone: str, content: Content | None, baseline: Look | None, cell: str
) -> None:
    before = baseline or look(T0, ACTIVE, UP, SERVED)
    seen = twice(RDAP[registration], ZONE[zone], content)
    by = BY.get(measure, "registry")
    at_last = [*seen, look(DEADLINE, RDAP[registration], ZONE[zone], content)]
    assert (
        said(judged(measure, seen, baseline=before, actor=by)),
        said(judged(measure, at_last, baseline=before, actor=by)),
    ) == wanted(cell)
    if "wrong_verb" not in wanted(cell)[0] and cell != "E":
        once = judged(measure, seen[:1], baseline=before, actor=by)
        assert once.verdict is Verdict.PENDING, "one look proves nothing"


DONE: dict[str, tuple[Registration, Delegation, Content | None]] = {
    "lock": (RDAP["lock"], UP, None),
    "hold": (RDAP["hold"], DOWN, None),
    "delete": (RDAP["redemption"], DOWN, None),
    "redirect": (ACTIVE, ZONE["moved"], None),
    "content_removal": (ACTIVE, UP, GONE),
    "restore": (ACTIVE, UP, None),
}


def befores() -> Iterator[object]:
    for name, *columns in rows(table.BEFORE):
        for measure, cell in zip(table.BASELINES, columns, strict=True):
            yield pytest.param(name, measure, cell, id=f"{name}: {measure}")


@pytest.mark.parametrize(("before", "measure", "cell"), list(befores()))
def test_what_stood_before_earns_no_credit(before: str, measure: str, cell: str) -> None:
    registration, zone = before.split("/")
    baseline = look(T0, RDAP[registration], ZONE[zone])
    by = BY.get(Measure(measure), "registry")
    assert said(judged(Measure(measure), twice(*DONE[measure]), baseline=baseline, actor=by)) == wanted(cell)[0]


@pytest.mark.parametrize(("registration", "by", "credit"), rows(table.CREDIT))
def test_credit_is_the_status_s(registration: str, by: str, credit: str) -> None:
    found = judged(Measure.HOLD, twice(RDAP[registration], DOWN), actor=by)
    assert f"{found.outcome} {found.actor}" == credit


def panel(answer: str, of: int = 5) -> Panel | None:
    words = {"served": ["served"] * of, "denied": ["denied"] * of, "mixed": ["served", *["denied"] * (of - 1)]}
    if answer == "unasked":
        return None
    results = words.get(answer, ["timeout"] * (of - 1) + ["served"])
    return Panel(tuple(Heard(f"192.0.2.{n}:53", result) for n, result in enumerate(results)))


def back(at: float, answer: str) -> Look:
    return Look(minutes(at), ACTIVE, UP, panel=panel(answer))


DENIED = Look(T0, HELD, Delegation("absent", negative_ttl=900))


@pytest.mark.parametrize(("answer", "within", "after"), rows(table.PANEL))
def test_a_name_is_back_when_resolvers_say_so(answer: str, within: str, after: str) -> None:
    looks = [back(10, answer), back(24, answer)]
    assert judged(Measure.RESTORE, looks, baseline=DENIED).verdict == within
    looks += [back(25, answer), back(30, answer)]
    assert judged(Measure.RESTORE, looks, baseline=DENIED).verdict == after


def test_without_a_known_negative_ttl_three_hours_are_given() -> None:
    looks = [back(10, "denied"), back(100, "denied"), back(189, "denied")]
    assert judged(Measure.RESTORE, looks, baseline=HELD_BASE).verdict is Verdict.PENDING
    looks += [back(190, "denied"), back(194, "denied")]
    found = judged(Measure.RESTORE, looks, baseline=HELD_BASE)
    assert (found.verdict, found.effect.negative_until) == (Verdict.PARTIAL, minutes(190))


@pytest.mark.parametrize("answer", ["unasked", "inconclusive", "served", "mixed", "denied"])
def test_resolvers_prove_no_hold_and_refute_none(answer: str) -> None:
    """A resolver's cache lags both ways; only the parent's own servers tell."""
    down = [Look(minutes(m), HELD, DOWN, panel=panel(answer)) for m in (5, 9)]
    assert judged(Measure.HOLD, down).verdict is Verdict.VERIFIED
    up = [Look(DEADLINE, ACTIVE, UP, panel=panel(answer))]
    assert judged(Measure.HOLD, up).verdict is Verdict.CONTRADICTED
    blind = [Look(minutes(m), HELD, MUTE, panel=panel(answer)) for m in (5, 9)]
    assert judged(Measure.HOLD, blind).verdict is Verdict.PENDING


def test_two_clocks_of_a_hold() -> None:
    looks = [
        Look(minutes(1), ACTIVE, UP, panel=panel("served")),
        Look(minutes(5), HELD, DOWN, panel=panel("served")),
        Look(minutes(15), HELD, MUTE, panel=panel("inconclusive")),
        Look(minutes(60), HELD, DOWN, panel=panel("mixed")),
        Look(minutes(360), HELD, DOWN, panel=panel("denied")),
        Look(minutes(1440), HELD, DOWN, panel=panel("denied")),
    ]
    effect = judged(Measure.HOLD, looks).effect
    assert (effect.parent_at, effect.user_at) == (minutes(5), minutes(360))


def test_the_clocks_of_an_undo() -> None:
    looks = [
        Look(minutes(5), HELD, Delegation("absent", negative_ttl=600)),
        back(10, "denied"),
        back(20, "served"),
        back(30, "served"),
    ]
    found = judged(Measure.RESTORE, looks, baseline=DENIED)
    assert (found.effect.parent_at, found.effect.user_at) == (minutes(10), minutes(20))
    assert found.effect.negative_until == minutes(25), "900 s of the baseline's denial, the longest that was seen"


def test_a_flap_starts_the_clocks_again() -> None:
    looks = [look(minutes(5), HELD, DOWN), look(minutes(6), ACTIVE, UP), look(minutes(20), HELD, DOWN)]
    assert judged(Measure.HOLD, looks).effect.parent_at == minutes(20)
    assert judged(Measure.HOLD, looks[:2]).effect.parent_at is None


def test_a_relapse_leaves_the_clocks() -> None:
    found = judged(Measure.HOLD, [*twice(HELD, DOWN), look(minutes(60), ACTIVE, UP)])
    assert (found.verdict, found.effect.parent_at) == (Verdict.RELAPSED, minutes(5))


@pytest.mark.parametrize(
    ("measure", "seen"),
    [
        (Measure.HOLD, (ACTIVE, UP)),  # never done
        (Measure.HOLD, (ACTIVE, DOWN)),  # done by nobody that can be seen
        (Measure.LOCK, (RDAP["lock"], UP)),  # a lock does not touch the DNS
    ],
)
def test_no_clock_without_the_act(measure: Measure, seen: tuple[Registration, Delegation]) -> None:
    found = judged(measure, [*twice(*seen), look(DEADLINE, *seen)])
    assert (found.effect.parent_at, found.effect.user_at) == (None, None)


def test_a_delete_of_what_was_held_shows_nothing_new_in_the_zone() -> None:
    found = judged(Measure.DELETE, twice(RDAP["redemption"], DOWN), baseline=HELD_BASE)
    assert (found.verdict, found.effect.parent_at) == (Verdict.VERIFIED, None)


def test_glue_left_is_not_in_effect() -> None:
    assert judged(Measure.HOLD, twice(HELD, GLUE)).effect.parent_at is None


@pytest.mark.parametrize(
    ("results", "answer"),
    [
        ([], "inconclusive"),
        (["served"] * 19 + ["denied"], "served"),  # 95 of a hundred
        (["served"] * 18 + ["denied"] * 2, "mixed"),
        (["denied"] * 3 + ["error:SERVFAIL"] * 2, "denied"),
        (["denied"] * 2 + ["timeout"] * 2, "inconclusive"),  # no majority spoke
        (["error:REFUSED", "nodata", "timeout"], "inconclusive"),
    ],
)
def test_what_a_panel_says(results: list[str], answer: str) -> None:
    assert Panel(tuple(Heard("r", result) for result in results)).answer == answer


def test_a_registrar_s_own_lock_is_partial_and_the_registrar_s() -> None:
    found = judged(Measure.LOCK, twice(RDAP["client_lock"], UP), actor="registrar")
    assert said(found) == "partial partial_lock registrar"


def test_each_cause_is_dated_by_the_look_that_shows_it() -> None:
    mended = [look(minutes(m), rdap(*LOCKED), UP) for m in (30, 34)]
    (cause,) = judged(Measure.LOCK, [look(minutes(5), rdap("server hold"), DOWN), *mended]).causes
    assert (cause.kind, cause.seen_at) == ("wrong_verb", minutes(5))
    (cause,) = judged(Measure.HOLD, twice(rdap("server hold"), DOWN)).causes
    assert (cause.kind, cause.seen_at) == ("leaky_hold", minutes(9))


def test_a_registrar_that_changed_under_a_hold_is_told_when_the_hold_is_gone() -> None:
    moved = look(minutes(60), rdap("active", registrar_iana_id="146"), UP)
    found = judged(Measure.HOLD, [*twice(HELD, DOWN), moved])
    assert (found.verdict, found.alarms) == (Verdict.RELAPSED, ("registrar_changed",))


def test_a_lock_asked_for_is_harmed_by_a_hold_whatever_is_claimed() -> None:
    for claimed in Measure:
        found = judged(claimed, [look(minutes(5), HELD, DOWN)], requested=Measure.LOCK)
        assert "wrong_verb" in found.alarms, claimed
        assert found.verdict is Verdict.CONTRADICTED or claimed is Measure.RESTORE


def test_minutes_are_minutes() -> None:
    assert minutes(1440) - T0 == timedelta(days=1) == DEADLINE - T0
