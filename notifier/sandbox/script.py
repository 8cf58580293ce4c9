"""How a simulated party behaves, as data: what happens at the door, what it does, what it says."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.sandbox.world import PENDING_DELETE, REDEMPTION, Act


class Door(StrEnum):
    """What a delivery meets.

    BOUNCE: 550 or 410, for good. THROTTLE: the first try gets 451 or 429, the next is taken.
    """

    ACCEPT = "accept"
    BOUNCE = "bounce"
    THROTTLE = "throttle"


class Does(StrEnum):
    """What happens to the name.

    ASKED: what the notice asks, within the party's means. OTHER_VERB: lock for hold and back. OTHER_NAME: what was asked,
    to `mistyped` of the name. The holds are kinds of a hold gone wrong (`world.Act`).
    """

    ASKED = "asked"
    CLIENT_HOLD = "client_hold"
    REMOVE_CONTENT = "remove_content"
    OTHER_VERB = "other_verb"
    OTHER_NAME = "other_name"
    LEAKY_HOLD = "leaky_hold"
    GLUE_HOLD = "glue_hold"
    HOLD_IN_RDAP = "hold_in_rdap"
    HOLD_IN_ZONE = "hold_in_zone"
    NOTHING = "nothing"


class Says(StrEnum):
    """What the party answers.

    ASKED: that the requested measure was taken. DONE: the measure of its own act.
    """

    ASKED = "asked"
    DONE = "done"
    DECLINED = "declined"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Later:
    """What somebody does to the name `after` the party's own act, or as many whole days of `spread` later as the name
    draws. An undo ends what has not happened by then."""

    act: Act
    after: timedelta
    by: str = "registrant"
    spread: int = 0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to behave. `actor` None: whoever was asked; otherwise a registry answers for the registrar or
    host that acted, and any other party asked stays silent. `mail` is sent on acceptance where the channel
    is mail. `undoes` False: says that it lifted what is withdrawn, and keeps it. `deaf`: so many undo notices about a
    name fall under the table first. `then` happens after its own act. `again`: how it behaves when it is asked anew
    about a name on which it acted."""

    name: str
    door: Door = Door.ACCEPT
    mail: Literal["dsn", "auto_reply"] | None = None
    acknowledges: bool = True
    does: Does = Does.ASKED
    says: Says = Says.ASKED
    actor: Literal["registrar", "host"] | None = None
    reason: str | None = None
    late: bool = False
    undoes: bool = True
    deaf: int = 0
    then: tuple[Later, ...] = ()
    again: str | None = None


def _declines(reason: str) -> Behaviour:
    return Behaviour(f"decline:{reason}", does=Does.NOTHING, says=Says.DECLINED, reason=reason)


UNASKED = "registry, unasked"
_TRANSFER = Later(Act.TRANSFER, timedelta(days=3))
_FREED = Later(Act.RESTORE, timedelta(days=3, hours=8), UNASKED)  # the new registrar asked for it
_PURGED = REDEMPTION + PENDING_DELETE
_TO_THE_END = (
    Later(Act.END_REDEMPTION, REDEMPTION, "registry"),
    Later(Act.PURGE, _PURGED, "registry"),
    Later(Act.REREGISTER, _PURGED + timedelta(days=3), "somebody else"),
)

BEHAVIOURS: Mapping[str, Behaviour] = {
    each.name: each
    for each in (
        Behaviour("obey"),
        Behaviour("registrar_acts", does=Does.CLIENT_HOLD, says=Says.DONE, actor="registrar"),
        Behaviour("host_acts", does=Does.REMOVE_CONTENT, says=Says.DONE, actor="host"),
        _declines("declined_nexus"),
        _declines("declined_insufficient"),
        _declines("declined_court_order_required"),
        Behaviour("wrong_verb", does=Does.OTHER_VERB),
        Behaviour("lie", does=Does.NOTHING),
        Behaviour("leaky_hold", does=Does.LEAKY_HOLD),
        Behaviour("glue_hold", does=Does.GLUE_HOLD),
        Behaviour("rdap_lies", does=Does.HOLD_IN_RDAP),
        Behaviour("rdap_lags", does=Does.HOLD_IN_ZONE),
        Behaviour("keeps_hold", undoes=False),
        Behaviour("keeps_hold_silently", undoes=False, acknowledges=False),
        Behaviour("transfer_under_hold", does=Does.LEAKY_HOLD, then=(_TRANSFER,)),
        Behaviour("freed_by_transfer", does=Does.LEAKY_HOLD, then=(_TRANSFER, _FREED), again="obey"),
        Behaviour("escapes_by_transfer", does=Does.CLIENT_HOLD, says=Says.DONE, actor="registrar", then=(_TRANSFER,)),
        Behaviour("frees_quietly", then=(Later(Act.RESTORE, timedelta(days=9), UNASKED, spread=12),), again="obey"),
        Behaviour("deletes_for_good", then=_TO_THE_END),
        Behaviour("deaf_once", deaf=1),
        Behaviour("wrong_name", does=Does.OTHER_NAME),
        Behaviour("silent", acknowledges=False, does=Does.NOTHING, says=Says.NOTHING),
        Behaviour("bounce", door=Door.BOUNCE, acknowledges=False, does=Does.NOTHING, says=Says.NOTHING),
        Behaviour("dsn_bounce", mail="dsn", acknowledges=False, does=Does.NOTHING, says=Says.NOTHING),
        Behaviour("delay_then_obey", late=True),
        Behaviour("throttle_then_obey", door=Door.THROTTLE),
        Behaviour("auto_reply_then_obey", mail="auto_reply"),
    )
}

_BY_ROLE: Mapping[str, Mapping[Measure, Act]] = {
    "registry": {
        Measure.LOCK: Act.LOCK,
        Measure.HOLD: Act.HOLD,
        Measure.DELETE: Act.DELETE,
        Measure.REDIRECT: Act.REDIRECT,
    },
    "registrar": {
        Measure.LOCK: Act.CLIENT_LOCK,
        Measure.HOLD: Act.CLIENT_HOLD,
        Measure.DELETE: Act.DELETE,
    },
    "host": {Measure.CONTENT_REMOVAL: Act.REMOVE_CONTENT},
}
_OTHER_VERB: Mapping[Measure, Act] = {
    Measure.LOCK: Act.HOLD,
    Measure.HOLD: Act.LOCK,
    Measure.DELETE: Act.LOCK,
}
_MEASURE_OF: Mapping[Act, Measure] = {
    Act.CLIENT_HOLD: Measure.HOLD,
    Act.REMOVE_CONTENT: Measure.CONTENT_REMOVAL,
}


def behaviour(name: str) -> Behaviour:
    """The behaviour of a name; raises Invalid, listing all, when there is none."""
    try:
        return BEHAVIOURS[name]
    except KeyError:
        known = ", ".join(BEHAVIOURS)
        raise Invalid(f"unknown behaviour {name!r}; known: {known}", code="unknown_behaviour") from None


def draw(seed: str, a_label: str, mix: Mapping[str, float]) -> str:
    """A behaviour from weights, the same for the same seed and name: sha256(seed + name) as a point on the
    weights in order."""
    point = int.from_bytes(hashlib.sha256(f"{seed}{a_label}".encode()).digest()[:8]) / 2**64 * sum(mix.values())
    for name, weight in mix.items():
        if point < weight:
            return name
        point -= weight
    return [name for name, weight in mix.items() if weight > 0][-1]


def act_of(how: Behaviour, role: str, measure: Measure) -> Act | None:
    """What is done to the name when `measure` is asked of a party of that role; None: nothing."""
    if how.does is Does.NOTHING:
        return None
    if measure is Measure.RESTORE:
        return (Act.PUT_BACK if role == "host" else Act.LIFT) if how.undoes else None
    match how.does:
        case Does.OTHER_VERB:
            return _OTHER_VERB.get(measure)
        case Does.CLIENT_HOLD:
            return Act.CLIENT_HOLD
        case Does.REMOVE_CONTENT:
            return Act.REMOVE_CONTENT
        case Does.LEAKY_HOLD | Does.GLUE_HOLD | Does.HOLD_IN_RDAP | Does.HOLD_IN_ZONE:
            return Act(how.does.value) if role == "registry" else None
    return _BY_ROLE[role].get(measure)


def wait_of(later: Later, seed: str, a_label: str) -> timedelta:
    """How long after the party's act it happens to this name."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}\0later\0{a_label}".encode()).digest()[:8])
    return later.after + timedelta(days=drawn % (later.spread + 1))


def mistyped(a_label: str) -> str:
    """The name as a clerk may type it: the last letter of its first label twice."""
    first, _, rest = a_label.partition(".")
    return f"{first}{first[-1]}.{rest}"


def said_measure(how: Behaviour, act: Act | None, measure: Measure) -> Measure:
    """The measure that the answer names: what was asked, or what the act amounts to."""
    return _MEASURE_OF.get(act, measure) if how.says is Says.DONE and act is not None else measure
