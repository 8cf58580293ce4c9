"""Two clocks of one act: since when the parent zone shows it, and since when users do.

The verdict does not hang on them, but for an undo: a name is back for its users only when resolvers answer for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.domain.epp import Measure
from notifier.domain.look import Look
from notifier.domain.panel import NEGATIVE_TTL_UNKNOWN
from notifier.domain.readings import is_dark


@dataclass(frozen=True, slots=True)
class Effect:
    """`parent_at`: the first look of the parent zone that showed the act, since when no look denied it.

    `user_at`: the same of the resolvers, from `parent_at` on; None also where none is asked. `negative_until`: how
    long resolvers may keep the denial of a name that is back. Once two looks the gap apart agreed, a time stands.
    """

    parent_at: datetime | None = None
    user_at: datetime | None = None
    negative_until: datetime | None = None


NO_EFFECT = Effect()


def in_effect(measure: Measure, baseline: Look, seen: Sequence[Look], gap: timedelta) -> Effect:
    """The clocks of one claim over its looks in their order. A lock and a removal of content do not touch the DNS."""
    parent_at = _lasting(((look.at, _at_parent(measure, look, baseline)) for look in seen), gap)
    if parent_at is None:
        return NO_EFFECT
    user_at = _lasting(((look.at, _at_users(measure, look)) for look in seen if look.at >= parent_at), gap)
    until = None
    if measure is Measure.RESTORE:
        told = [look.delegation.negative_ttl for look in (baseline, *seen) if look.at < parent_at]
        ttl = max((seconds for seconds in told if seconds is not None), default=None)
        until = parent_at + (NEGATIVE_TTL_UNKNOWN if ttl is None else timedelta(seconds=ttl))
    return Effect(parent_at, user_at, until)


def reaches_users(measure: Measure, look: Look) -> bool:
    """Whether nothing speaks against users having a restored name back. A panel that tells nothing does not."""
    return measure is not Measure.RESTORE or look.panel is None or look.panel.answer in ("served", "inconclusive")


def _at_parent(measure: Measure, look: Look, baseline: Look) -> bool | None:
    if look.delegation.answer == "inconclusive":
        return None
    match measure:
        case Measure.HOLD | Measure.DELETE:
            # With glue left, some of it still resolves; what was dark before shows nothing new.
            return look.delegation.answer == "absent" if not is_dark(baseline) else None
        case Measure.RESTORE:
            return look.delegation.answer == "delegated" if is_dark(baseline) else None
        case Measure.REDIRECT:
            moved = set(look.delegation.nameservers) != set(baseline.delegation.nameservers)
            return moved and not is_dark(look) if baseline.delegation.answer == "delegated" else None
    return None


def _at_users(measure: Measure, look: Look) -> bool | None:
    answer = look.panel.answer if look.panel is not None else "inconclusive"
    if answer == "inconclusive":
        return None
    match measure:
        case Measure.HOLD | Measure.DELETE:
            return answer == "denied"
        case Measure.RESTORE:
            return answer == "served"
    return None


def _lasting(signs: Iterable[tuple[datetime, bool | None]], gap: timedelta) -> datetime | None:
    """The first of the signs that agree; one that denies them starts again, unless they had lasted the gap."""
    since: datetime | None = None
    until: datetime | None = None
    for at, sign in signs:
        if sign is None:
            continue
        if sign:
            since, until = since or at, at
        elif since is not None and until is not None and not (until > since and until - since >= gap):
            since = until = None
    return since
