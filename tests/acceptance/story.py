"""Two stories of the same notices: what our audit log says, and what the recipients' own log says. Pure.

`differences` names everything in which they differ, and everything that is wrong in either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notifier.sandbox.ledger import Line

IDEMPOTENT = frozenset({"webhook"})  # the recipient knows a repeated key, so repeats are one delivery
_ATTEMPT_ENDS = frozenset({"notice.sent", "notice.deferred", "notice.send_again"})
_ENDS = {"sent": "sent", "delivered": "sent", "bounced": "bounced", "uncertain": "uncertain"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry about a notice. `at` is the business time of its transaction, which began before it was written."""

    at: datetime
    tag: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as we know it: what was approved for whom, where it stands, its open tasks, its entries in order."""

    id: str
    channel: str
    party: str
    key: str
    domain: str
    measure: str
    state: str
    tasks: frozenset[str]
    entries: Sequence[Entry]


def differences(notices: Sequence[Notice], log: Sequence[Line]) -> list[str]:
    """Everything in which the two stories differ; none when they tell the same."""
    own: dict[str, list[Line]] = {notice.key: [] for notice in notices}
    found = []
    for line in log:
        if line.key in own:
            own[line.key].append(line)
        elif line.result == "accepted":
            found.append(f"stranger: {line.party} accepted {line.key} about {line.domain}, which we know nothing of")
    for notice in notices:
        lines = own[notice.key]
        told = [*_named(notice, lines), *_counted(notice, lines), *_in_order(notice), *_attempts(notice, lines)]
        found += [f"{notice.id} ({notice.domain}): {what}" for what in told]
    return found


def _named(notice: Notice, lines: Sequence[Line]) -> Iterator[str]:
    """Whoever had it in hand is who was meant, and read what was approved."""
    for line in lines:
        pairs = [("channel", line.channel), ("party", line.party)]
        if line.notice:  # it was read as far as that
            pairs += [("domain", line.domain), ("measure", line.measure), ("id", line.notice)]
        elif line.result == "accepted":
            yield "accepted, and it says no name"
        for what, theirs in pairs:
            if theirs != getattr(notice, what):
                yield f"another {what}: {getattr(notice, what)} was approved, {theirs} is what {line.result} tells of"


def _counted(notice: Notice, lines: Sequence[Line]) -> Iterator[str]:
    accepted = [line for line in lines if line.result == "accepted"]
    if notice.channel in IDEMPOTENT:
        if len({line.sha256 for line in accepted}) > 1:
            yield "double: two contents were accepted under one key"
    elif len(accepted) > 1:
        yield f"double: accepted {len(accepted)} times"
    match _ENDS.get(notice.state):
        case "sent" if not accepted:
            yield "lost: we say that it was sent, and nobody accepted it"
        case "bounced" if accepted:
            yield "we say that it was refused, and it was accepted"
        case "bounced" if "no_contact" not in notice.tasks:
            yield "refused, and no task tells a person"
        case "uncertain" if "uncertain" not in notice.tasks:
            yield "uncertain, and no task asks a person"
        case None:
            yield f"not settled: it is {notice.state}"


def _in_order(notice: Notice) -> Iterator[str]:
    """The entries alone: nothing begins again that may have arrived, and the last word is the state's."""
    open_attempt = doubt = False
    end = ""
    for entry in notice.entries:
        match entry.tag:
            case "notice.send_started":
                if end == "sent":
                    yield "begun again after it was sent"
                if (open_attempt or doubt) and notice.channel not in IDEMPOTENT:
                    yield "begun again though it may have arrived"
                open_attempt, end = True, ""
            case "notice.deferred" | "notice.send_again":
                open_attempt = False
            case "notice.uncertain":
                open_attempt, doubt, end = False, True, "uncertain"
            case "notice.settled":
                doubt, end = False, "sent" if entry.detail.get("arrived", True) else ""
            case "notice.sent":
                if end == "sent" and notice.channel not in IDEMPOTENT:
                    yield "sent twice by our own word"
                open_attempt, doubt, end = False, False, "sent"
            case "notice.undeliverable" | "notice.bounced":
                open_attempt, end = False, "bounced"
    if end != _ENDS.get(notice.state, end):
        yield f"its entries end with {end or 'nothing'}, and it is {notice.state}"


def _attempts(notice: Notice, lines: Sequence[Line]) -> Iterator[str]:
    """Each delivery falls into an attempt that we say we made, and the attempt's end says what the recipient says.

    Two attempts may overlap where a repeat is harmless: a job that was taken up again may meet the timer's own.
    """
    ends = {e.detail["attempt"]: e.at for e in reversed(notice.entries) if e.tag in _ATTEMPT_ENDS}
    spans = {
        e.detail["attempt"]: (e.at, ends.get(e.detail["attempt"]))
        for e in notice.entries
        if e.tag == "notice.send_started"
    }
    accepted: list[frozenset[int]] = []  # for each acceptance, the attempts that were under way
    for line in lines:
        at = datetime.fromisoformat(line.at)
        if not any(start <= at for start, _ in spans.values()):
            yield f"{line.result} at {line.at}, before we say that we began"
        elif line.result == "accepted":
            accepted.append(
                frozenset(n for n, (start, end) in spans.items() if start <= at and (end is None or at <= end))
            )
    for entry in notice.entries:
        n = entry.detail.get("attempt")
        match entry.tag:
            case "notice.sent" if not any(n in under_way for under_way in accepted):
                yield f"attempt {n} was accepted by our word, and not by theirs"
            case "notice.deferred" if any(
                n in under_way and (len(under_way) == 1 or notice.channel not in IDEMPOTENT) for under_way in accepted
            ):
                yield f"attempt {n} was put off by our word, and accepted by theirs"
            case "notice.settled":
                before = [line for line in lines if datetime.fromisoformat(line.at) <= entry.at]
                arrived = any(line.result == "accepted" for line in before)
                if arrived != entry.detail.get("arrived", True):  # an answer settles without that word: it arrived
                    yield f"settled as {'not ' if arrived else ''}arrived, and it is not so"
