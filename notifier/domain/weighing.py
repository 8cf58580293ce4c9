"""Measured readings against the shipped numbers: what each alone would mean, and what they mean together. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from notifier.domain.blast import NOT_LISTED, UNKNOWN, Complaint, Measured, Reading, Thresholds
from notifier.domain.safety import Assessment, Safety, Scope, Signal, worse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Weighed:
    signal: Signal
    why: str


def weigh(
    listed: Assessment, measured: Measured, thresholds: Thresholds, complaint: Complaint, now: datetime
) -> Assessment:
    """What lists and measurements say together; the worst wins, and where it reroutes the target is one host.

    `listed` is for the case's host. Every reading leaves a signal, also one that is harmless or unknown.
    """
    found = list(_weights(measured, thresholds, complaint, now, shown_popular=_is_popular(listed)))
    result = replace(listed, signals=(*listed.signals, *(each.signal for each in found)))
    concerns = [each for each in found if each.signal.weight is not Safety.CLEAR]
    for each in concerns:
        if worse(each.signal.weight, result.safety):
            result = replace(result, safety=each.signal.weight, why=each.why)
    if result.safety is Safety.CLEAR:
        return replace(result, why="no list names it, and everything that was measured is harmless")
    rest = [each.why for each in concerns if each.signal.weight is result.safety and each.why != result.why]
    result = replace(result, why="; ".join([result.why, *rest]))
    return _one_host(result) if result.safety in (Safety.REROUTE, Safety.REFUSE) else result


def _one_host(result: Assessment) -> Assessment:
    target = result.target
    if target.scope is not Scope.DOMAIN:
        return result
    shown = target.unicode if target.host == target.name else target.host
    return replace(result, target=replace(target, name=target.host, scope=Scope.HOST, unicode=shown))


# --- each reading by itself ---------------------------------------------------------------------------------------


def _weights(
    m: Measured, t: Thresholds, complaint: Complaint, now: datetime, *, shown_popular: bool
) -> Iterator[_Weighed]:
    old = None if m.registered_at.value is None else now - m.registered_at.value
    yield _complaint(m, t, complaint, shown_popular)
    yield _host_names(m.around.host_names, t)
    yield _wildcard(m.around.wildcard, t)
    yield _dependents(m.around.dependents, t)
    yield _mail(m.around.mail_active, old, t)
    yield _age(m.registered_at, old, t)
    yield _rank(m.around.rank, t)
    yield _compromised(m.signs, old, t)
    yield _simple("parked", m.parked, Safety.SECOND_REVIEW, "it is parked: nobody's content may be there any more")
    yield _simple("cloaking", m.cloaking, Safety.CLEAR, "it shows different pages to different visitors")
    yield _simple("already_down", m.already_down, Safety.CLEAR, "it is out of the zone already")


def _complaint(m: Measured, t: Thresholds, complaint: Complaint, shown_popular: bool) -> _Weighed:
    source = f"the case's reports; {t.version}"
    if not complaint.pages_only:
        return _Weighed(Signal("complaint", "the site", source), "")
    hosts, rank = m.around.host_names.value, m.around.rank.value
    if hosts is not None and hosts >= t.host_names_pages:
        why = f"single pages are complained of, and {hosts} hosts share the name: their host is asked instead"
        return _Weighed(Signal("complaint", "single pages of a shared name", source, Safety.REROUTE), why)
    if t.rank_pages_reroute and (shown_popular or _ranks(rank, t)):
        why = "single pages of a widely used name are complained of: its owner is asked instead"
        return _Weighed(Signal("complaint", "single pages of a widely used name", source, Safety.REROUTE), why)
    return _Weighed(Signal("complaint", "single pages", source), "")


def _host_names(r: Reading[int], t: Thresholds) -> _Weighed:
    if r.value is None:
        return _unknown("host_names", r, t, "how many hosts are below the name")
    value = f"at least {r.value}" if r.at_least else str(r.value)
    if r.value >= t.host_names_reroute:
        why = f"{value} hosts are below the name, most of them other people's; they are asked instead"
        return _measured("host_names", value, r, t, Safety.REROUTE, why)
    if r.value >= t.host_names_second or r.at_least:
        return _measured("host_names", value, r, t, Safety.SECOND_REVIEW, f"{value} hosts are below the name")
    return _measured("host_names", value, r, t)


def _wildcard(r: Reading[bool], t: Thresholds) -> _Weighed:
    if r.value is None:
        return _unknown("wildcard", r, t, "whether any host below the name answers")
    if r.value and t.wildcard_second:
        why = "any host below the name answers, so the sites that share it cannot be counted"
        return _measured("wildcard", "yes", r, t, Safety.SECOND_REVIEW, why)
    return _measured("wildcard", _yes(r.value), r, t)


def _dependents(r: Reading[int], t: Thresholds) -> _Weighed:
    if r.value is None:
        return _unknown("name_server_dependents", r, t, "how many names use it as name server")
    value = f"at least {r.value}" if r.at_least else str(r.value)
    if r.value >= t.dependents_reroute:
        why = f"{value} other names use it as name server and would fail with it"
        return _measured("name_server_dependents", value, r, t, Safety.REROUTE, why)
    if r.value >= t.dependents_second or r.at_least:
        why = f"{value} other names use it as name server"
        return _measured("name_server_dependents", value, r, t, Safety.SECOND_REVIEW, why)
    return _measured("name_server_dependents", value, r, t)


def _mail(r: Reading[bool], old: timedelta | None, t: Thresholds) -> _Weighed:
    if r.value is None:
        return _unknown("mail_active", r, t, "whether it takes mail")
    if not r.value:
        return _measured("mail_active", "no", r, t)
    if old is None:
        why = "it takes mail, and how long it is registered is not known"
        return _measured("mail_active", "yes", r, t, Safety.SECOND_REVIEW, why)
    if old >= t.mail_age:
        why = f"it takes mail and was registered {_years(old)} ago: people would lose their mail"
        return _measured("mail_active", "yes", r, t, Safety.SECOND_REVIEW, why)
    return _measured("mail_active", "yes", r, t)


def _age(r: Reading[datetime], old: timedelta | None, t: Thresholds) -> _Weighed:
    if old is None:
        return _unknown("age", r, t, "how long it is registered")
    value = f"{max(old.days, 0)} days"
    if old >= t.age:
        why = f"it was registered {_years(old)} ago; so old a name is rarely made for this"
        return _measured("age", value, r, t, Safety.SECOND_REVIEW, why)
    return _measured("age", value, r, t)


def _rank(r: Reading[int], t: Thresholds) -> _Weighed:
    if r.value is None:
        return _unknown("popularity", r, t, "how widely it is used")
    if _ranks(r.value, t):
        why = f"it has rank {r.value} among the most used names"
        return _measured("popularity", f"rank {r.value}", r, t, Safety.SECOND_REVIEW, why)
    low = r if r.value == NOT_LISTED else replace(r, source=f"{r.source}, rank {r.value}")
    return _measured("popularity", "no", low, t)


def _compromised(r: Reading[tuple[str, ...]], old: timedelta | None, t: Thresholds) -> _Weighed:
    signs = [*(r.value or ()), *(("old_name",) if old is not None and old >= t.age else ())]
    # A sign of another name comes from our captures.
    points = sum(t.sign_points.get(sign, t.sign_points["captured"]) for sign in dict.fromkeys(signs))
    named = " ".join(dict.fromkeys(signs))
    if points >= t.signs_reroute:
        why = f"it looks broken into ({named}): its owner and its host are asked instead"
        return _measured("compromised", named, r, t, Safety.REROUTE, why)
    if points >= t.signs_second:
        return _measured("compromised", named, r, t, Safety.SECOND_REVIEW, f"it may be broken into ({named})")
    if r.value is None:
        return _Weighed(Signal("compromised", UNKNOWN, _source(r, t), Safety.CLEAR, r.at), "")
    return _measured("compromised", named or "no sign", r, t)


def _simple(name: str, r: Reading[bool], weight: Safety, why: str) -> _Weighed:
    if r.value is None:
        return _Weighed(Signal(name, UNKNOWN, r.source, Safety.CLEAR, r.at), "")
    signal = Signal(name, _yes(r.value), r.source, weight if r.value else Safety.CLEAR, r.at)
    return _Weighed(signal, why if r.value else "")


def _measured(
    name: str, value: str, r: Reading[T], t: Thresholds, weight: Safety = Safety.CLEAR, why: str = ""
) -> _Weighed:
    return _Weighed(Signal(name, value, _source(r, t), weight, r.at), why)


def _unknown(name: str, r: Reading[T], t: Thresholds, what: str) -> _Weighed:
    reason = r.detail or "no source is configured"
    signal = Signal(name, UNKNOWN, _source(r, t), Safety.SECOND_REVIEW, r.at)
    return _Weighed(signal, f"{what} could not be measured ({reason})")


def _source(r: Reading[T], t: Thresholds) -> str:
    why = f" ({r.detail})" if r.value is None and r.detail else ""
    return f"{r.source}{why}; {t.version}"


def _ranks(rank: int | None, t: Thresholds) -> bool:
    return rank is not None and NOT_LISTED < rank <= t.rank_second


def _is_popular(listed: Assessment) -> bool:
    return any(signal.name == "popular" for signal in listed.signals)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _years(span: timedelta) -> str:
    years = span.days // 365
    return f"{years} year{'' if years == 1 else 's'}" if years else f"{span.days} days"
