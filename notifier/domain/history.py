"""What statistics see of a case: its changes folded into times that never run backwards, and cases into units.

A unit is one domain name in one registration (domain-epoch), within one program and under one registry. A name that is
reported again in the same registration is the same unit, and counts once; a case that was merged into another is that
other's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from notifier.domain.case_state import ENDED, CaseState
from notifier.domain.epoch import Epoch
from notifier.domain.notice import ASKING, UNDO
from notifier.domain.outcome import Verdict
from notifier.domain.period import Spell

_HUMAN = ("acknowledged", "needs_info", "declined", "action_claimed")
_SAID = ("none", *_HUMAN)  # from least to most decided
_ASKING = frozenset(str(purpose) for purpose in ASKING)
_UNDOING = frozenset(str(purpose) for purpose in UNDO)
_ENDED = frozenset(str(state) for state in ENDED)


class Change(NamedTuple):
    """One thing that happened to a case. `at`: when, as far as is known; `told_at`: when it was written down.

    `before` and `after` are states, None where the state stayed. `actor_kind`: daemon, person, service or recipient.
    `word`: the target when it opened, its registration, the kind of an answer, a verdict, or the ground of an end.
    """

    case_id: str
    tag: str
    at: datetime
    told_at: datetime
    actor_kind: str
    program: str
    registry: str | None = None
    before: str | None = None
    after: str | None = None
    notice_id: str | None = None
    claim_id: str | None = None
    party: str | None = None
    recipient: str | None = None
    purpose: str | None = None
    measure: str | None = None
    word: str | None = None
    outcome: str | None = None
    credited: str | None = None


class ClaimSeen(NamedTuple):
    """What was claimed and what was seen of it last. `verdict` is `pending` until a look could tell; `seen`: it once was
    verified, whatever came after."""

    id: str
    party: str
    recipient: str
    measure: str
    at: datetime
    verdict: str = str(Verdict.PENDING)
    seen: bool = False


class Asked(NamedTuple):
    """A recipient that a notice went to, and the furthest that it said; `none` for silence."""

    party: str
    recipient: str
    answer: str = "none"


@dataclass(frozen=True, slots=True)
class History:
    """A case, or the cases of one unit, as of an instant. Each time is at or after the one that it is measured from.

    `sent`: the first notice that asks for something. `received`: a delivery report or an answer. `answered`: a person's
    answer. `claimed`: an act, as its author dates it. `verified`: when two looks agreed. `restored`: when an undo that
    we asked for was. `hopped`: when a successor that a person accepted was first seen. `ended`: no longer open. `work`:
    steps by who took them.
    """

    case_ids: tuple[str, ...]
    program: str
    registry: str | None
    target: str
    epoch: str | None
    state: str
    opened: datetime
    spells: tuple[Spell, ...]
    work: Mapping[str, int]
    approved: datetime | None = None
    sent: datetime | None = None
    received: datetime | None = None
    answered: datetime | None = None
    claimed: datetime | None = None
    verified: datetime | None = None
    relapsed: datetime | None = None
    restored: datetime | None = None
    hopped: datetime | None = None
    ended: datetime | None = None
    outcome: str | None = None
    actor: str | None = None
    claims: tuple[ClaimSeen, ...] = ()
    asked: tuple[Asked, ...] = ()
    our_error: bool = False
    merged: bool = False


def fold(changes: Sequence[Change]) -> History:
    """A case's history from its changes, in the order in which they were done. The first one opens it.

    Raises ValueError when it does not. Two clocks may disagree and answers be dated back; nothing here is earlier than
    what it follows from.
    """
    first = changes[0]
    if first.tag != "case.opened" or first.word is None:
        raise ValueError(f"case {first.case_id} does not begin with its opening")
    clock = first.at
    times: dict[str, datetime] = {}
    claims: dict[str, ClaimSeen] = {}
    asked: dict[tuple[str, str], Asked] = {}
    work: dict[str, int] = {}
    spells: list[Spell] = [Spell(first.at, None)]
    state, epoch, outcome, actor, error, merged = str(CaseState.RECEIVED), None, None, None, False, False
    relapsed: datetime | None = None
    hops: dict[str, datetime] = {}

    for change in changes:
        work[change.actor_kind] = work.get(change.actor_kind, 0) + 1
        asks = change.purpose in _ASKING
        if change.outcome is not None and outcome is None:
            outcome, actor = change.outcome, change.credited
        if change.after is not None:
            clock = max(clock, change.at if change.claim_id is None else change.told_at)
            if change.after in _ENDED and spells[-1].closed is None:
                spells[-1] = spells[-1]._replace(closed=clock)
            elif change.after not in _ENDED and spells[-1].closed is not None:
                spells.append(Spell(clock, None))
            state = change.after
            if change.after == CaseState.APPROVED:
                _earliest(times, "approved", clock)
        match change.tag:
            case "target.observed":
                epoch = epoch or change.word
            case "notice.sent" | "notice.settled" if asks:
                _earliest(times, "sent", max(first.at, change.at))
                asked.setdefault(*_asked(change))
            case "notice.delivered" if asks:
                _earliest(times, "received", change.at)
            case "answer.received" | "answer.received_late" if asks and change.word in _HUMAN:
                _earliest(times, "received", change.told_at)
                _earliest(times, "answered", change.told_at)
                key, silent = _asked(change)
                before = asked.setdefault(key, silent)
                asked[key] = before._replace(answer=max(before.answer, change.word, key=_SAID.index))
                if change.claim_id is not None:
                    _earliest(times, "claimed", change.at)
                    claim = ClaimSeen(change.claim_id, *key, change.measure or "none", change.at)
                    claims.setdefault(change.claim_id, claim)
            case "outcome.observed" if change.purpose in _UNDOING and change.word == Verdict.VERIFIED:
                _earliest(times, "restored", change.told_at)
            case "outcome.observed" | "outcome.relapsed" if change.claim_id in claims and change.word is not None:
                seen = claims[change.claim_id].seen or change.word == Verdict.VERIFIED
                claims[change.claim_id] = claims[change.claim_id]._replace(verdict=change.word, seen=seen)
                if change.word == Verdict.VERIFIED:
                    _earliest(times, "verified", change.told_at)
                elif change.word == Verdict.RELAPSED and "verified" in times:
                    relapsed = relapsed or max(change.told_at, times["verified"])
            case "case.withdrawn" | "case.overturned" | "case.found_wrong":
                # Older rows of an appeal have no other word; there the outcome tells, where the case had none before.
                error = error or change.word == "error" or change.outcome == "withdrawn_error"
            case "case.merged_into":
                merged = True
            case "hop.accepted" if change.word is not None:
                hops[change.word] = change.at
            case "hop.retracted" if change.word is not None:
                hops.pop(change.word, None)

    sent = times.get("sent")
    if sent is None and "answered" in times:  # whoever answers has it, whatever became of our own record
        sent = times["answered"]
    followed = min((at for at in hops.values() if sent is not None and at >= sent), default=None)
    after = {
        name: max(times[name], sent)
        for name in ("received", "answered", "claimed", "verified")
        if name in times and sent
    }
    return History(
        case_ids=(first.case_id,),
        program=first.program,
        registry=first.registry,
        target=first.word,
        epoch=epoch,
        state=state,
        opened=first.at,
        spells=tuple(spells),
        work=work,
        approved=times.get("approved"),
        sent=sent,
        relapsed=relapsed,
        restored=times.get("restored"),
        hopped=followed and max(followed, times.get("verified", followed)),
        ended=spells[-1].closed,
        outcome=outcome,
        actor=actor,
        claims=tuple(claims.values()),
        asked=tuple(asked.values()),
        our_error=error,
        merged=merged,
        **after,
    )


def _asked(change: Change) -> tuple[tuple[str, str], Asked]:
    key = (change.party or "none", change.recipient or "none")
    return key, Asked(*key)


def _earliest(times: dict[str, datetime], name: str, at: datetime) -> None:
    times[name] = min(times.get(name, at), at)


def units(histories: Iterable[History]) -> list[History]:
    """Domain-epochs, by the time at which the first case of each was opened. What was merged is left out."""
    found: dict[tuple[str, str | None, str], list[list[History]]] = {}
    for history in sorted((h for h in histories if not h.merged), key=lambda h: (h.opened, h.case_ids)):
        runs = found.setdefault((history.program, history.registry, history.target), [])
        if runs and not _another_registration(runs[-1], history):
            runs[-1].append(history)
        else:
            runs.append([history])
    made = [_one(run) for runs in found.values() for run in runs]
    return sorted(made, key=lambda h: (h.opened, h.case_ids))


def _another_registration(earlier: Sequence[History], later: History) -> bool:
    if earlier[-1].outcome == "superseded_epoch" or earlier[-1].state == CaseState.SUPERSEDED:
        return True
    known = next((h.epoch for h in reversed(earlier) if h.epoch is not None), None)
    if known is None or later.epoch is None:
        return False
    return Epoch.read(known).succeeded_by(Epoch.read(later.epoch))


def _one(run: Sequence[History]) -> History:
    """The cases of one unit as one: reached is what any of them reached, and its end is that of the last."""
    if len(run) == 1:
        return run[0]
    first, last = run[0], run[-1]
    decided = [h for h in run if h.outcome is not None]
    work: dict[str, int] = {}
    for history in run:
        for kind, n in history.work.items():
            work[kind] = work.get(kind, 0) + n

    def earliest(name: str) -> datetime | None:
        known: list[datetime] = [at for h in run if (at := getattr(h, name)) is not None]
        return min(known, default=None)

    reached: dict[str, Any] = {name: earliest(name) for name in _REACHED}
    return replace(
        last,
        case_ids=tuple(case_id for h in run for case_id in h.case_ids),
        epoch=next((h.epoch for h in run if h.epoch is not None), None),
        opened=first.opened,
        spells=tuple(spell for h in run for spell in h.spells),
        work=work,
        outcome=decided[-1].outcome if decided else None,
        actor=decided[-1].actor if decided else None,
        claims=tuple(claim for h in run for claim in h.claims),
        asked=_said_most(one for h in run for one in h.asked),
        our_error=any(h.our_error for h in run),
        **reached,
    )


def _said_most(found: Iterable[Asked]) -> tuple[Asked, ...]:
    """Each recipient once, with the furthest that it said."""
    kept: dict[tuple[str, str], Asked] = {}
    for one in found:
        before = kept.setdefault((one.party, one.recipient), one)
        kept[one.party, one.recipient] = max(before, one, key=lambda a: _SAID.index(a.answer))
    return tuple(kept.values())


_REACHED = ("approved", "sent", "received", "answered", "claimed", "verified", "relapsed", "restored", "hopped")
