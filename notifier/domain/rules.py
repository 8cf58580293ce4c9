"""The rules that a program may have: a rule is a name, its numbers and the ladder steps it guards.

Each class is one `type` of `[[rules]]` in a program's TOML, and each of its fields one required key there.
How a rule is judged is in the `checks_*` modules; a program is composed of rules in TOML alone.
"""

from notifier.domain import rules_authority, rules_common, rules_drugs, rules_event, rules_piracy
from notifier.domain.rule import Recipient, Rule
from notifier.domain.rules_authority import OrderInForce, OrderIssued, OrderJurisdiction, OrderNamesTarget, OrderTells
from notifier.domain.rules_common import (
    AnyOf,
    ConflictsWeighed,
    Corroborated,
    Described,
    Explained,
    Fresh,
    HumanReviewed,
    LawsExplained,
    NotAlreadyDown,
    NotCompromised,
    OnTarget,
    PriorContact,
    Stated,
    TargetSafe,
)
from notifier.domain.rules_drugs import (
    ConductContinues,
    LetterDuePassed,
    LetterIssued,
    LetterNamesTarget,
    LetterUnanswered,
    LicenceSource,
    LimbProven,
    ProductsNamed,
)
from notifier.domain.rules_event import Adjudicated, InEventWindow, NotSignalled, StreamMatched, VerifiedBefore
from notifier.domain.rules_piracy import Authorised, Breadth, JudgmentsTold, Pervasive, SampleFloor

__all__ = [
    "RULES",
    "Adjudicated",
    "AnyOf",
    "Authorised",
    "Breadth",
    "ConductContinues",
    "ConflictsWeighed",
    "Corroborated",
    "Described",
    "Explained",
    "Fresh",
    "HumanReviewed",
    "InEventWindow",
    "JudgmentsTold",
    "LawsExplained",
    "LetterDuePassed",
    "LetterIssued",
    "LetterNamesTarget",
    "LetterUnanswered",
    "LicenceSource",
    "LimbProven",
    "NotAlreadyDown",
    "NotCompromised",
    "NotSignalled",
    "OnTarget",
    "OrderInForce",
    "OrderIssued",
    "OrderJurisdiction",
    "OrderNamesTarget",
    "OrderTells",
    "Pervasive",
    "PriorContact",
    "ProductsNamed",
    "Recipient",
    "Rule",
    "SampleFloor",
    "Stated",
    "StreamMatched",
    "TargetSafe",
    "VerifiedBefore",
]

RULES: dict[str, type[Rule]] = {
    rule.type: rule
    for module in (rules_common, rules_piracy, rules_drugs, rules_event, rules_authority)
    for rule in vars(module).values()
    if isinstance(rule, type) and issubclass(rule, Rule) and rule is not Rule
}
