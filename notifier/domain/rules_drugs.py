"""Rules of drug programs: the warning letter and what follows it, and the three limbs of the pharmacy test."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from notifier.domain.rule import Rule, between


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterIssued(Rule):
    """There is a warning letter, dated in the past, that cites at least `min_statutes` provisions."""

    type = "letter_issued"
    evidence = (
        "warning_letter",
        "letter_cited",
    )
    min_statutes: int = between(1, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterNamesTarget(Rule):
    """The letter lists the target, or a link to the letter's network is documented."""

    type = "letter_names_target"
    evidence = (
        "warning_letter",
        "letter_cited",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterDuePassed(Rule):
    """The letter's last working day is over in its calendar's zone."""

    type = "letter_due_passed"
    evidence = (
        "warning_letter",
        "letter_cited",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterUnanswered(Rule):
    """After the due day a named person assessed the response as none or inadequate."""

    type = "letter_unanswered"
    evidence = (
        "warning_letter",
        "letter_cited",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsNamed(Rule):
    """The letter names at least `minimum` products of the given classes."""

    type = "products_named"
    evidence = (
        "warning_letter",
        "letter_cited",
    )
    minimum: int = between(1, 500)
    classes: tuple[Literal["opioid", "benzodiazepine", "other"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductContinues(Rule):
    """Captures after the due day, from `min_vantages` vantages, show the sale going on.

    From each vantage: one of `substances` (lower case) or a product of the letter offered, one of
    `consumer_signs`, and one of `control_signs`.
    """

    type = "conduct_continues"
    evidence = (
        "capture",
        "warning_letter",
        "letter_cited",
    )
    min_vantages: int = between(1, 100)
    substances: tuple[str, ...]
    consumer_signs: tuple[Literal["us_shipping", "us_currency", "us_consumers"], ...]
    control_signs: tuple[Literal["no_prescription_control"], ...]


# Pharmacies.


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbProven(Rule):
    """At least `minimum` limbs of the test, each with a capture and a law of a stated jurisdiction.

    unlicensed: also a register that says so, for a jurisdiction that the shop ships to. unapproved_drug: the capture
    names the product.
    """

    type = "limb_proven"
    evidence = (
        "capture",
        "licence_check",
        "test_purchase",
    )
    said = (
        "statements.laws",
        "statements.jurisdiction",
    )
    minimum: int = between(1, 3)
    limbs: tuple[Literal["no_valid_prescription", "unlicensed", "unapproved_drug"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceSource(Rule):
    """A register read at most `max_age` ago says unlicensed or not recommended; unverified is no evidence.

    A licence in the same jurisdiction refutes it; one elsewhere is weighed by a second person.
    """

    type = "licence_source"
    evidence = ("licence_check",)
    max_age: timedelta
