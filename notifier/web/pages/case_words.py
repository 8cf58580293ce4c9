"""A case in words: why it waits, what comes next and whose turn it is, what a look saw."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from notifier.domain.case_state import CaseState
from notifier.domain.jobs import URGENT, JobKind
from notifier.domain.policy import Finding, FindingResult
from notifier.services.reading import REVIEW_WITHIN
from notifier.web.views.base import FindingOut

S = CaseState

# Why a case came to be reviewed; whatever is not here says it in words of its own.
REASONS: Mapping[str, str] = {
    "first_look": "new: nobody has reviewed it yet",
    "escalation": "who was asked before did not act: the next party is to be asked",
    "amendment": "our answer to the recipient's question is to be approved",
    "undeliverable": "the notice could not be delivered",
    "relapse": "what was done came undone",
    "safety": "more hangs on the name than was known when it was approved",
    "evidence_requested": "more evidence came, as was asked for",
    "evidence added": "evidence came after the approval, which is void",
    "channel changed": "the recipient's channel changed; the approval is void",
    "approver became a party": "who approved it reported it too; the approval is void",
}


def reason(code: str | None) -> str:
    """Why a case is under review."""
    if code is None:
        return "to be reviewed"
    if code in REASONS:
        return REASONS[code]
    return f"the approval was {code}" if code.startswith("cancelled: ") else f"the approval is void: {code}"


def why_here(row: Mapping[str, Any], me: str, now: datetime) -> list[tuple[str, str]]:
    """Why a case stands where it does in the queue, each with a class of the stylesheet; most urgent first."""
    found: list[tuple[str, str]] = [("live event", "bad")] if row["live"] else []
    waited = now - row["review_since"]
    if row["priority"] >= URGENT:
        found.append(("urgent", "bad"))
    if waited > REVIEW_WITHIN:
        found.append(("overdue", "bad"))
    if row["approvers"]:
        mine = me in row["approvers"]
        found.append(("you approved; a second person must" if mine else "a second approval is wanted", "warn"))
    found.append((reason(row["review_reason"]), "plain"))
    if row["appeal_open"]:
        found.append(("an appeal is heard: it waits for that", "plain"))
    return found


class Next(NamedTuple):
    """What happens next, and who must act."""

    what: str
    who: str


_DAEMON = "nobody: it goes on by itself"


def next_step(row: Mapping[str, Any]) -> Next:
    """What comes next for a case, and whose turn it is."""
    if row["appeal_open"]:
        return Next("An appeal is heard. Nothing more is asked for until it is decided.", "whoever decides the appeal")
    state, party, measure = S(row["state"]), row["step"], str(row["measure"]).replace("_", " ")
    match state:
        case S.RECEIVED:
            return Next("The name is looked at, and the rules are checked.", _DAEMON)
        case S.NEEDS_EVIDENCE if row["review_reason"] == "evidence_requested":
            return Next("A reviewer asked for more evidence.", "whoever reported it")
        case S.NEEDS_EVIDENCE:
            return Next("Some rules do not pass yet; the findings say what would mend that.", "whoever reported it")
        case S.IN_REVIEW:
            owner = row["assignee"]
            who = "a second reviewer" if row["approvers"] else "a reviewer"
            return Next(
                f"A person reads what the {party} would be sent, and approves, rejects or asks for more.",
                f"{owner}, or another reviewer who had no part in it" if owner else who,
            )
        case S.APPROVED:
            return Next(f"The notice to the {party} leaves when the cancel window is over.", _DAEMON)
        case S.NOTIFIED:
            return _asked(row, party, measure)
        case S.RESOLVED:
            return Next("It is watched: what was done is looked at again and again.", _DAEMON)
        case S.CLOSED:
            return Next("It is over. A report about the same name opens a new case.", "nobody")
        case S.REJECTED:
            return Next("It was rejected, and nobody was asked.", "nobody")
        case S.WITHDRAWN if row["undo"] in ("requested", "claimed"):
            return Next("It was taken back; whoever acted was asked to undo that, and we look whether it is.", _DAEMON)
        case S.WITHDRAWN:
            return Next("It was taken back.", "nobody")
        case _:
            return Next("Another case goes on with it, or another registration has the name now.", "nobody")


def _asked(row: Mapping[str, Any], party: str, measure: str) -> Next:
    match row["response"]:
        case "needs_info":
            return Next(f"The {party} asked for more; its clock stands still until we answer.", "a reviewer")
        case "action_claimed":
            return Next(f"The {party} says that it acted. We look whether that is so.", _DAEMON)
        case _:
            return Next(f"The {party} was asked for {measure} and may answer.", f"the {party}")


_CLOCKS: Mapping[str, str] = {
    JobKind.DISPATCH: "the cancel window ends and the notice leaves",
    JobKind.CLOCK_ENDED: "the recipient's time to answer ends",
    JobKind.REMIND: "the recipient is reminded",
    JobKind.ANSWER_OWED: "our answer to the recipient is due",
    JobKind.OBSERVE: "the name is looked at",
    JobKind.HOLD_REVIEW: "whoever looks after the hold is warned, or it lapses",
    JobKind.ERASE: "its files may be erased",
}


def clock(kind: str) -> str:
    """What happens when this clock is over."""
    return _CLOCKS[kind]


_Found = TypeVar("_Found", Finding, FindingOut)


def worst_first(findings: Iterable[_Found]) -> list[_Found]:
    """What fails, then what nobody knows, then what passes; each in the program's order."""
    order = (FindingResult.FAIL, FindingResult.UNKNOWN, FindingResult.PASS)
    return sorted(findings, key=lambda finding: order.index(finding.result))


# --- looks --------------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """What one source said at a look."""

    source: str
    words: str


def look(seen: Mapping[str, Any]) -> list[Seen]:
    """A stored look in words."""
    return list(_look(seen))


def _look(seen: Mapping[str, Any]) -> Iterator[Seen]:
    yield Seen("Registry (RDAP)", _registration(seen["registration"]))
    yield Seen("Parent zone", _delegation(seen["delegation"]))
    if content := seen.get("content"):
        yield Seen("Reported pages", _with(_CONTENT.get(content["answer"], content["answer"]), content["detail"]))
    if hosting := seen.get("hosting"):
        yield Seen("Host", _hosting(hosting))


def _registration(said: Mapping[str, Any]) -> str:
    match said["answer"]:
        case "found":
            statuses = _listed(said["statuses"], "no status at all")
            by = f", registrar {said['registrar_name']}" if said["registrar_name"] else ""
            return f"registered, with {statuses}{by}"
        case "absent":
            return "there is no such name"
        case "no_rdap":
            return "it has no server that could be asked"
        case _:
            return _with("could not be told", said["detail"])


def _delegation(said: Mapping[str, Any]) -> str:
    match said["answer"]:
        case "delegated":
            return f"the name is in the zone, at {_listed(said['nameservers'], 'no server that was named')}"
        case "absent":
            return "the name is out of the zone"
        case "residual":
            return "the name is not delegated, and something of it is left"
        case _:
            return "could not be told: its servers did not agree or did not answer"


def _hosting(said: Mapping[str, Any]) -> str:
    match said["answer"]:
        case "found":
            return f"in the network of {said['name'] or said['handle'] or 'a holder without a name'}"
        case "several":
            return "in networks of more than one holder"
        case "absent":
            return "the name has no address"
        case _:
            return _with("could not be told", said["detail"])


_CONTENT: Mapping[str, str] = {
    "served": "served",
    "gone": "gone",
    "changed": "another text stands in their place",
    "inconclusive": "could not be told",
}


def _with(words: str, detail: str) -> str:
    return f"{words}: {detail}" if detail else words


def _listed(items: Sequence[str], none: str) -> str:
    return ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "") if items else none
