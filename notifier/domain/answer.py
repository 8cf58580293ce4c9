"""What a recipient may say of a notice: the words of every channel, and what each must name. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from notifier.domain.epp import Measure
from notifier.errors import Invalid

Kind = Literal["acknowledged", "needs_info", "declined", "action_taken"]
Actor = Literal["registry", "registrar", "host", "registrant"]
DeclineReason = Literal[
    "declined_nexus",
    "declined_insufficient",
    "declined_out_of_scope",
    "declined_court_order_required",
    "declined_collateral",
    "declined_compromised",
    "declined_other",
]
KINDS: tuple[str, ...] = get_args(Kind)
ACTORS: tuple[str, ...] = get_args(Actor)
DECLINE_REASONS: tuple[str, ...] = get_args(DeclineReason)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipient says of one notice. `reason` is one of DECLINE_REASONS when it declines; `domain` is the name that
    it writes back."""

    kind: str
    measure: Measure | None = None
    actor: str | None = None
    reason: str | None = None
    effective_at: datetime | None = None
    comment: str = ""
    domain: str | None = None


def check(answer: Answer) -> None:
    """Raises Invalid for words that are none of ours, and for an answer that leaves out what its kind must name."""
    if answer.kind not in KINDS:
        raise Invalid(f"kind is one of {', '.join(KINDS)}")
    if answer.kind == "action_taken" and answer.measure is None:
        raise Invalid(f"action_taken names its measure: one of {', '.join(Measure)}")
    if answer.kind == "declined" and answer.reason not in DECLINE_REASONS:
        raise Invalid(f"declined names its reason: one of {', '.join(DECLINE_REASONS)}")
    if answer.actor is not None and answer.actor not in ACTORS:
        raise Invalid(f"actor is one of {', '.join(ACTORS)}")
    # Near the ends of what a date can be, no zone conversion works.
    if answer.effective_at is not None and not 1990 <= answer.effective_at.year <= 2100:
        raise Invalid("effective_at lies in the years 1990 to 2100")
