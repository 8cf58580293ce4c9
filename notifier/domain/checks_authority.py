"""Checks of orders: they replace the program's threshold, never the registration, the name or who else is hit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.checks_conflicts import cut
from notifier.domain.facts import Finding, Hearing, failed, passed, same, unknown, within
from notifier.domain.rules import Rule

_ADD_ORDER = "add the court_order: issuer, reference, day, jurisdiction, provisions, what it orders, the names it lists"
# Of two copies of one day the one that says less for the order holds.
_WORST = (None, "final", "interim", "appealed", "stayed", "lifted")


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its newest copies have it: `speaking` are those of the last day that any copy tells of."""

    speaking: tuple[ev.CourtOrder, ...]
    ids: tuple[str, ...]

    @property
    def one(self) -> ev.CourtOrder:
        return max(self.speaking, key=lambda item: (_WORST.index(item.standing), ev.digest(item)))

    @property
    def named(self) -> str:
        return f"order {cut(self.one.reference)} of {cut(self.one.issuer)}, {self.one.issued_on}"

    def lists(self, target: str) -> bool:
        """Whether it lists the target itself; an order on a host below it reaches no further than that host."""
        names = {name.casefold().removesuffix(".") for item in self.speaking for name in item.domains}
        return target in names or f"www.{target}" in names

    def covers_registration(self, on: Hearing) -> bool:
        return not any(on.before_registration_day(item.confirmed_on or item.issued_on) for item in self.speaking)

    def lapsed(self, on: Hearing) -> str:
        """Why it has no force now; empty if it has."""
        if self.one.standing in ("stayed", "lifted"):
            return f"was {self.one.standing}"
        ends = [item.expires_on for item in self.speaking if item.expires_on is not None]
        if ends and on.now.date() > min(ends):
            return f"ran out on {min(ends)}"
        return ""


def orders(on: Hearing) -> list[Order]:
    """The orders given, each once whatever the number of its copies, in the order of issuer and reference."""
    copies: dict[tuple[str, str], list[tuple[str, ev.CourtOrder]]] = {}
    for key, item in on.evidence(ev.CourtOrder):
        copies.setdefault((same(item.issuer), same(item.reference)), []).append((key, item))
    found = []
    for _, its in sorted(copies.items()):
        last = max(item.confirmed_on or item.issued_on for _, item in its)
        speaking = tuple(item for _, item in its if (item.confirmed_on or item.issued_on) == last)
        found.append(Order(speaking, tuple(key for key, _ in its)))
    return found


def the_order(on: Hearing) -> Order | None:
    """The one order that is judged: every rule speaks of the same, so that two half good ones never make a whole."""
    return max(orders(on), key=lambda order: _worth(order, on), default=None)


def _worth(order: Order, on: Hearing) -> tuple[object, ...]:
    one = order.one
    return (
        order.lists(on.facts.target),
        order.covers_registration(on),
        not order.lapsed(on),
        one.issued_on <= on.now.date(),
        _relied_on(order, on),
        _has(order, "document"),
        one.standing != "appealed",
        one.issued_on,
        same(one.issuer),
        same(one.reference),
    )


def _none(rule: Rule) -> Finding:
    return unknown(rule, "there is no order", _ADD_ORDER)


def _order_issued(rule: rules.OrderIssued, on: Hearing) -> Finding:
    order = the_order(on)
    if order is None:
        return _none(rule)
    if order.one.issued_on > on.now.date():
        return failed(rule, f"{order.named} is dated in the future", "give the day of the order", order.ids)
    if len({same(text) for text in order.one.provisions}) < rule.min_provisions:
        why = f"{order.named} names fewer than {rule.min_provisions} provisions"
        return failed(rule, why, "list the provisions it rests on", order.ids)
    provisions = ", ".join(cut(text) for text in order.one.provisions[:5])
    return passed(rule, f"{order.named}, under {provisions}", order.ids)


def _order_names_target(rule: rules.OrderNamesTarget, on: Hearing) -> Finding:
    order, target = the_order(on), on.facts.target
    if order is None:
        return _none(rule)
    if not order.lists(target):
        return failed(
            rule,
            f"no order lists {target} itself",
            "give an order that lists this very name; one about another name or a host below it does not reach it",
            [key for each in orders(on) for key in each.ids],
        )
    if not order.covers_registration(on):
        return failed(
            rule,
            f"{target} was registered anew since {order.named}",
            "have the issuer confirm that it covers the name as registered now, and give the day as confirmed_on",
            order.ids,
        )
    return passed(rule, f"{order.named} lists {target}", order.ids)


def _order_in_force(rule: rules.OrderInForce, on: Hearing) -> Finding:
    order = the_order(on)
    if order is None:
        return _none(rule)
    if lapsed := order.lapsed(on):
        return failed(rule, f"{order.named} {lapsed}", "give an order that is in force", order.ids)
    weigh = [f"{order.named} is under appeal"] if order.one.standing == "appealed" else []
    ends = f", until {order.one.expires_on}" if order.one.expires_on else ""
    return passed(rule, f"{order.named} is in force{ends}", order.ids, weigh)


def _order_jurisdiction(rule: rules.OrderJurisdiction, on: Hearing) -> Finding:
    order = the_order(on)
    if order is None:
        return _none(rule)
    stated = _stated(on)
    if not stated:
        return unknown(rule, "no report says whose law it relies on", "state jurisdiction, such as US or DE")
    given = cut(order.one.jurisdiction)
    if not _relied_on(order, on):
        return failed(
            rule,
            f"the order is of {given}, and the report relies on {cut(', '.join(sorted(stated)))}",
            "rely on the law under which the order was given",
            order.ids,
        )
    return passed(rule, f"{order.named} was given under the law relied on ({given})", order.ids)


def _stated(on: Hearing) -> set[str]:
    """Jurisdictions whose law the reports rely on."""
    found = {said.jurisdiction for said in on.statements() if said.jurisdiction}
    return found | {law.jurisdiction for said in on.statements() for law in said.laws if law.jurisdiction}


def _relied_on(order: Order, on: Hearing) -> bool:
    return any(within(order.one.jurisdiction, place) for place in _stated(on))


def _order_tells(rule: rules.OrderTells, on: Hearing) -> Finding:
    order = the_order(on)
    if order is None:
        return _none(rule)
    lacking = [part for part in rule.parts if not _has(order, part)]
    if lacking:
        asks = ["sha256 or url" if part == "document" else part for part in lacking]
        return failed(rule, f"{order.named} lacks: {', '.join(lacking)}", f"add {', '.join(asks)}", order.ids)
    return passed(rule, f"{order.named} has: {', '.join(rule.parts)}", order.ids)


def _has(order: Order, part: str) -> bool:
    if part == "document":
        return any(item.sha256 or item.url for item in order.speaking)
    return any(getattr(item, part) for item in order.speaking)


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.OrderIssued: _order_issued,
    rules.OrderNamesTarget: _order_names_target,
    rules.OrderInForce: _order_in_force,
    rules.OrderJurisdiction: _order_jurisdiction,
    rules.OrderTells: _order_tells,
}
