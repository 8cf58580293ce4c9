"""Every alarm there is, with the sentence that a person gets who is told by mail or webhook.

The sentence holds the name, dates of its registration, and nothing that anybody wrote to us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

REDEMPTION: Final = timedelta(days=30)
PENDING_DELETE: Final = timedelta(days=5)
"""How long a deleted name can still be restored, and then waits for its purge, under generic top-level domains."""

DROP_AFTER: Final = REDEMPTION + PENDING_DELETE

CLOSED_FOR: Final = timedelta(days=1)
"""A closed alarm is raised anew when its cause is seen so long after it was closed."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """`sentence` may use {name} and {drop}; `when` says for the docs what raises it."""

    kind: str
    sentence: str
    when: str


_TABLE = (
    Alarm(
        "wrong_verb",
        "{name} was to stay in the DNS or to be held, and something worse was done to it. Call the recipient at once.",
        "hold, deletion or no delegation after a lock was asked for, whoever claims what; a deletion nobody asked for",
    ),
    Alarm(
        "other_measure",
        "The recipient says that it did something else to {name} than it was asked for.",
        "an answer that names another measure",
    ),
    Alarm(
        "wrong_name",
        "The answer to the notice about {name} is about another name. Call the recipient at once.",
        "an answer that writes back another name",
    ),
    Alarm(
        "neighbour_changed",
        "{name} was locked, held or deleted, and nobody asked for it: it is protected, or one letter away from a name "
        "that a notice was sent about. A recipient may have acted on the wrong name.",
        "a new lock, hold, deletion or missing delegation of a protected name, or of one a letter away from a noticed one",
    ),
    Alarm(
        "claim_contradicted",
        "What the recipient says that it did to {name} does not show in RDAP and DNS.",
        "a claim that our looks refute at its deadline",
    ),
    Alarm(
        "contradicted_cloaked",
        "Pages of {name} look gone to some visitors and are shown to others: the site hides.",
        "a reported page that is gone, or another one, for one visitor and stands for another, after somebody was asked",
    ),
    Alarm(
        "cure_relapsed",
        "{name} was cured and shows what was reported again. Nothing is asked for until it is reported anew.",
        "a reported page that is shown again within the watch over a case that ended because it was gone",
    ),
    Alarm(
        "inconsistent",
        "RDAP says that {name} is held or deleted, and its zone still delegates it.",
        "the same, where RDAP shows the act and the zone does not",
    ),
    Alarm(
        "contradictory_statuses",
        "The statuses of {name} in RDAP exclude each other, so one of them is wrong.",
        "statuses that RFC 5731 §2.3 does not allow together, new since the notice",
    ),
    Alarm(
        "leaky_hold",
        "{name} is held, and neither its transfer nor its update is safely prohibited: a new registrar could free it. {drop}",
        "a hold without transfer and update prohibited by the same side",
    ),
    Alarm(
        "hold_residual_glue",
        "{name} is out of its zone, and records below it are left there: hosts under it may still resolve.",
        "NODATA instead of NXDOMAIN at the parent's servers",
    ),
    Alarm(
        "registrar_changed",
        "{name} has another registrar than when it was held.",
        "another registrar's id under a hold, or when the hold is gone",
    ),
    Alarm(
        "epoch_changed",
        "{name} was registered anew. What was asked for was about the earlier registration.",
        "another registration under a claim",
    ),
    Alarm(
        "nameservers_changed",
        "The name servers of {name} are not those of before the notice.",
        "other name servers beside a lock or a redirect",
    ),
    Alarm(
        "name_suspended",
        "The whole of {name} was taken out of the DNS, where less was asked for.",
        "no delegation where content was to be removed, or the name redirected",
    ),
    Alarm(
        "deletion_seen",
        "{name} is being deleted, where a hold was asked for. It can be restored for 30 days only.",
        "redemption or pending delete where a hold was claimed",
    ),
    Alarm(
        "hold_after_withdrawal",
        "{name} is still held, or held again, though our request was withdrawn. Call whoever was asked.",
        "a hold `held_alarm_hours` after our withdrawal was accepted, and daily; or one that comes back after an undo",
    ),
    Alarm(
        "undo_unanswered",
        "A request about {name} was withdrawn days ago, and no undo of what was done was seen. Call the recipient.",
        "a withdrawal past the recipient's time to decide, while the name still shows what was asked, or an act was claimed",
    ),
    Alarm(
        "undo_undeliverable",
        "The withdrawal about {name} did not arrive: the name may stay held in error. Call the recipient at once.",
        "a withdrawal that bounced or was refused",
    ),
    Alarm(
        "not_restored",
        "{name} was to be given back, and it is not back in time. Call whoever was asked to restore it.",
        "a name that an appeal gave back, still gone after resolvers must have forgotten",
    ),
    Alarm(
        "hold_lapsing",
        "{name} is held at our request, and nothing fresh carries that. Bring evidence, or it is asked to be restored.",
        "a hold near its review-by date, and its owner's task",
    ),
    Alarm(
        "held_past_event",
        "{name} was to be held until an event was over, and it is not seen back. Call whoever was asked to restore it.",
        "a name held for a live event, not seen back when the event's margin is over; and anew a day after it was closed",
    ),
    Alarm(
        "appeal_overdue",
        "An appeal about {name} is not decided, and its time is over.",
        "an appeal past its time to be decided; what is enforced is asked to be lifted then",
    ),
    Alarm(
        "appeal_unanswered",
        "An appeal about {name} waits for a first word.",
        "an appeal that nobody has taken in time",
    ),
    Alarm(
        "answer_owed",
        "The recipient asked for more about {name} and still waits for our answer.",
        "a question left open longer than we give for a first word",
    ),
    Alarm(
        "task_overdue",
        "Something that a person was to do about {name} is overdue.",
        "a task past its due time, once a day",
    ),
)
ALARMS: Mapping[str, Alarm] = MappingProxyType({alarm.kind: alarm for alarm in _TABLE})

# Harm done at this moment to a name that was not to be harmed, or whose time is over.
_HARM = frozenset(
    [
        "wrong_verb",
        "wrong_name",
        "neighbour_changed",
        "hold_after_withdrawal",
        "undo_undeliverable",
        "not_restored",
        "held_past_event",
        "name_suspended",
        "deletion_seen",
    ]
)
# Somebody waits for us, or for a recipient, and a time is over or runs out.
_OWED = frozenset(
    [
        "undo_unanswered",
        "appeal_overdue",
        "appeal_unanswered",
        "answer_owed",
        "task_overdue",
        "hold_lapsing",
        "other_measure",
    ]
)
GRADES: Final = ("harm", "owed", "seen")
"""Worst first: harm is being done, somebody is owed something, something was seen that a person should know."""


def grade(kind: str) -> str:
    """How bad an alarm of this kind is: one of GRADES."""
    return "harm" if kind in _HARM else "owed" if kind in _OWED else "seen"


def sentence(kind: str, name: str, *, expires_at: datetime | None = None) -> str:
    """What a person is told. Raises KeyError for an alarm that is not in the table."""
    return ALARMS[kind].sentence.format(name=name, drop=drop_forecast(expires_at))


def drop_forecast(expires_at: datetime | None) -> str:
    """When anybody may have the name again if nobody renews it; a registrar's grace period may come on top."""
    if expires_at is None:
        return "When its registration expires is not known."
    drop = expires_at + DROP_AFTER
    return (
        f"Its registration expires on {expires_at:%Y-%m-%d}; not renewed, it can be registered by anybody from "
        f"{drop:%Y-%m-%d} on."
    )
