"""Rules of orders: who ordered what, on which ground, for which name, and whether it is in force."""

from dataclasses import dataclass
from typing import Literal

from notifier.domain.rule import Rule, between


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIssued(Rule):
    """There is an order, dated in the past, that rests on at least `min_provisions` provisions."""

    type = "order_issued"
    evidence = ("court_order",)
    min_provisions: int = between(1, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNamesTarget(Rule):
    """The order lists the target itself, and was issued or confirmed for its present registration."""

    type = "order_names_target"
    evidence = ("court_order",)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInForce(Rule):
    """The order has not run out, and is neither stayed nor lifted; one under appeal is weighed by a second person."""

    type = "order_in_force"
    evidence = ("court_order",)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderJurisdiction(Rule):
    """The jurisdiction that a report relies on is the one whose court or authority gave the order."""

    type = "order_jurisdiction"
    evidence = ("court_order",)
    said = ("statements.jurisdiction", "statements.laws")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTells(Rule):
    """The order has `parts`; document: its digest or the place where it is published."""

    type = "order_tells"
    evidence = ("court_order",)
    parts: tuple[Literal["document", "reasons", "redress", "report_effect_to"], ...]
