"""Two tables of the same names: what the sandbox really did to each, and what our daemon says became of it. Pure.

`differences` names everything in which they differ. What is to be said of each fault is written by hand (`Words`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from notifier.sandbox.world import Act

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Did:
    """A line of the sandbox's table: what was really done to a name, when and by whom."""

    at: datetime
    name: str
    act: str
    by: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed act as our daemon knows it: its verdicts in their order, and since when the parent zone shows it."""

    measure: str
    at: datetime
    verdicts: Sequence[tuple[datetime, str]]
    parent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """A row of our closing table. `claims` without those of an undo, which are `restores`."""

    name: str
    outcome: str | None
    actor: str | None
    aftermath: str | None
    undo: str
    claims: Sequence[Claim] = ()
    restores: Sequence[Claim] = ()
    alarms: Sequence[Alarm] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What is to be said of a case. `verdicts`: of each claim, one after the other.

    `alarms`: kind, and what it tells of: an act of the truth, `claim`, or `deadline` of the claim. `quiet`: kinds that may
    be there beside them. `shows`: the act by which the parent zone loses the name, None where it never does.
    """

    verdicts: Sequence[Sequence[str]]
    outcome: str | None
    actor: str | None
    aftermath: str | None = None
    undo: str = "none"
    alarms: Mapping[str, str] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()
    shows: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """How sharp our eyes are. `watch`: offsets of the looks from a claim; those a day and more apart may stand anywhere in
    their interval. `lag`: of the zone, or of RDAP. `late`: by how much a look may come late; `refused`: in order, when a server
    put everybody off, each time by a `step` of the clock. `blind`: when the sandbox answered a look with a fault."""

    watch: Sequence[timedelta]
    deadline: timedelta
    zone_lag: timedelta = timedelta(0)
    rdap_lag: timedelta = timedelta(0)
    late: timedelta = timedelta(0)
    step: timedelta = timedelta(0)
    refused: Sequence[datetime] = ()
    blind: frozenset[datetime] = frozenset()

    def by(self, claimed_at: datetime, since: datetime) -> datetime:
        """By when a look must have seen what is there since then: one interval, and one more for each blind look."""
        ahead = [claimed_at + offset for offset in self.watch if claimed_at + offset >= since]
        before = [claimed_at, *(claimed_at + offset for offset in self.watch if claimed_at + offset < since)]
        blind = 0
        while True:
            if blind >= len(ahead):
                return datetime.max.replace(tzinfo=since.tzinfo)
            gap = ahead[0] - before[-1]
            if len(ahead) > 1:
                gap = max(gap, ahead[1] - ahead[0]) if gap >= DAY else gap
            end = self._latest(since + gap * (blind + 1) if gap >= DAY else ahead[blind])
            met = sum(since <= at <= end for at in self.blind)
            if met <= blind:
                return end
            blind = met

    def _latest(self, due: datetime) -> datetime:
        """When a look that is due has been taken, whoever was refused meanwhile."""
        end, first = due + self.late, bisect_left(self.refused, due)
        while (later := due + self.late + self.step * (bisect_right(self.refused, end) - first)) > end:
            end = later
        return end


def differences(
    told: Sequence[Told],
    did: Sequence[Did],
    words: Mapping[str, Words],
    sight: Mapping[str, Sight],
    held: frozenset[str] = frozenset(),
) -> list[str]:
    """Everything in which the tables differ. `words` and `sight` by name; `held`: names that are out of their zone or held
    at the end, by the sandbox."""
    found = []
    rows = {row.name: row for row in told}
    acts: dict[str, list[Did]] = {}
    for line in did:
        acts.setdefault(line.name, []).append(line)
    found += [f"{name}: the sandbox acted, and we know nothing of it" for name in acts if name not in rows]
    found += [f"{name}: nothing is said of it" for name in words if name not in rows]
    for name, row in rows.items():
        if name not in words:
            found.append(f"{name}: a case that nobody planned")
            continue
        own = sorted(acts.get(name, []), key=lambda line: line.at)
        parts = (
            _worded(row, words[name]),
            _alarmed(row, own, words[name], sight[name]),
            _seen(row, own, words[name], sight[name]),
            _fallen(row, own, sight[name]),
            _given_back(row, name in held),
        )
        found += [f"{name}: {what}" for part in parts for what in part]
    return found


def _worded(row: Told, words: Words) -> Iterator[str]:
    for what in ("outcome", "actor", "aftermath", "undo"):
        if getattr(row, what) != getattr(words, what):
            yield f"{what} is {getattr(row, what)}, and it should be {getattr(words, what)}"
    said = [[verdict for _, verdict in claim.verdicts] for claim in row.claims]
    if said != [list(verdicts) for verdicts in words.verdicts]:
        yield f"verdicts are {said}, and should be {[list(verdicts) for verdicts in words.verdicts]}"


def _alarmed(row: Told, acts: Sequence[Did], words: Words, sight: Sight) -> Iterator[str]:
    raised: dict[str, datetime] = {}
    for alarm in sorted(row.alarms, key=lambda each: each.at):
        if alarm.kind not in words.alarms and alarm.kind not in words.quiet:
            yield f"a false alarm: {alarm.kind} at {alarm.at}"
        raised.setdefault(alarm.kind, alarm.at)
    for kind, of in words.alarms.items():
        if kind not in raised:
            yield f"no alarm {kind}"
            continue
        # Of a name that nobody was asked about only what a person looks at once a day is known.
        claimed_at = row.claims[0].at if row.claims else _at(acts, of) or raised[kind]
        eyes = sight if row.claims else replace(sight, watch=[DAY], blind=frozenset())
        since = claimed_at if of == "claim" else claimed_at + sight.deadline if of == "deadline" else _at(acts, of)
        if since is None:
            yield f"{kind} tells of {of}, which never happened"
            continue
        if raised[kind] < since:
            yield f"{kind} at {raised[kind]}, before {of} at {since}"
        if raised[kind] > (by := eyes.by(claimed_at, since + max(sight.zone_lag, sight.rdap_lag))):
            yield f"{kind} at {raised[kind]}: {of} was at {since}, a look by {by} must have seen it"


def _seen(row: Told, acts: Sequence[Did], words: Words, sight: Sight) -> Iterator[str]:
    """Since when the parent zone shows it: as exact as the looks are."""
    if not row.claims:
        return
    parent_at, claimed_at = row.claims[0].parent_at, row.claims[0].at
    if words.shows is None:
        if parent_at is not None:
            yield f"the parent zone is said to show it since {parent_at}, and it never did"
        return
    since = _at(acts, words.shows)
    if since is None or parent_at is None:
        yield f"{words.shows} in the zone: since {since} by the sandbox, since {parent_at} by us"
        return
    since += sight.zone_lag
    if not since <= parent_at <= sight.by(claimed_at, since):
        yield f"{words.shows} shows in the zone since {since}, and we say {parent_at}"


def _fallen(row: Told, acts: Sequence[Did], sight: Sight) -> Iterator[str]:
    """What came undone by nobody's wish of ours, and what went to somebody else: each found, in time, and nothing else."""
    relapses = [at for claim in row.claims for at, verdict in claim.verdicts if verdict == "relapsed"]
    freed = [line.at for line in acts if line.act == Act.RESTORE and line.by.endswith("unasked")]
    if len(relapses) != len(freed):
        yield f"relapsed {len(relapses)} times by us, {len(freed)} times by the sandbox"
    for since, found in zip(freed, sorted(relapses), strict=False):
        claimed_at = max(claim.at for claim in row.claims if claim.at <= since)
        if not since <= found <= sight.by(claimed_at, since + sight.zone_lag):
            yield f"it came undone at {since}, and we found it at {found}"
    anew = any(line.act == Act.REREGISTER for line in acts)
    if anew != (row.aftermath == "reregistered"):
        yield "it was registered anew, and we do not say so" if anew else "we say that it was registered anew"


def _given_back(row: Told, held: bool) -> Iterator[str]:
    if held and row.undo != "none":
        yield f"it was to be given back (undo {row.undo}), and it is still held"
    last = row.claims[-1].verdicts[-1][1] if row.claims and row.claims[-1].verdicts else "nothing"
    if held and last in ("contradicted", "relapsed", "nothing"):
        yield f"it is held, and our last word on it is {last}"
    ended = row.aftermath in ("dropped", "reregistered")
    if not held and not ended and row.undo == "none" and last in ("verified", "partial"):
        yield f"it is not held, and our last word on it is {last}"


def _at(acts: Sequence[Did], act: str) -> datetime | None:
    return next((line.at for line in acts if line.act == act), None)
