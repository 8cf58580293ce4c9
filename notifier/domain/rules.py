"""The rules that a program may have: a rule is a name, its numbers and the ladder steps it guards.

Each class is one `type` of `[[rules]]` in a program's TOML, and each of its fields one required key there.
How a rule is judged is in the `checks_*` modules; a program is composed of rules in TOML alone.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal


class Recipient(StrEnum):
    """Who can be asked, closest to the content first."""

    HOST = "host"
    REGISTRAR = "registrar"
    REGISTRY = "registry"


def between(low: float, high: float) -> Any:
    """A number's field whose TOML value must lie in low..high."""
    return field(metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`steps`: the ladder steps before which the rule must pass. `hard`: a fail is a reason to reject."""

    type: ClassVar[str]
    id: str
    steps: frozenset[Recipient] = frozenset(Recipient)
    hard: bool = False


# The target.


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSafe(Rule):
    """The name may be touched, and the step fits it: a shared host's registry or registrar is never asked."""

    type = "target_safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAlreadyDown(Rule):
    """The name is registered and delegated when we look."""

    type = "not_already_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompromised(Rule):
    """The submitter looked for signs of a hacked site and found none."""

    type = "not_compromised"


# The submitter's word.


@dataclass(frozen=True, slots=True, kw_only=True)
class Described(Rule):
    """A report describes the conduct in at least `min_chars` characters."""

    type = "described"
    min_chars: int = between(1, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated(Rule):
    """A yes-or-no statement was made, and it is yes."""

    type = "stated"
    statement: Literal["good_faith", "accuracy", "no_csam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained(Rule):
    """A statement in words was made, of at least `min_chars` characters."""

    type = "explained"
    statement: Literal["nexus", "licensed_check", "exceptions_check", "justification", "jurisdiction"]
    min_chars: int = between(1, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LawsExplained(Rule):
    """At least `minimum` laws are named, each with at least `min_chars` characters of why."""

    type = "laws_explained"
    minimum: int = between(1, 100)
    min_chars: int = between(1, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanReviewed(Rule):
    """A named person reviewed the evidence at most `max_age` ago."""

    type = "human_reviewed"
    max_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorContact(Rule):
    """Every one of `parties` was asked, and `wait` passed without the matter being settled."""

    type = "prior_contact"
    parties: tuple[Literal["operator", "host", "registrar"], ...]
    wait: timedelta


# Captures.


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTarget(Rule):
    """A capture shows a page of the target itself, and not a login, a country wall or a parking page."""

    type = "on_target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh(Rule):
    """The newest capture of the target is at most `max_age` old."""

    type = "fresh"
    max_age: timedelta


# Piracy.


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFloor(Rule):
    """At least `min_pages` different infringing pages of the target are shown (Dajaz1 was seized on four)."""

    type = "sample_floor"
    min_pages: int = between(1, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pervasive(Rule):
    """A seeded sample of at least `min_pages`; the infringing share's Wilson lower bound is >= `lower_bound`.

    From `solely_dedicated` on, the words "solely dedicated" may be used. `reviewers` 2: only a page that two
    people judged alike counts as infringing.
    """

    type = "pervasive"
    min_pages: int = between(1, 100_000)
    lower_bound: float = between(0, 1)
    solely_dedicated: float = between(0, 1)
    confidence: float = between(0.5, 0.9999)
    reviewers: int = between(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breadth(Rule):
    """At least `min_right_holders` different right holders, or at least `min_works` works."""

    type = "breadth"
    min_right_holders: int = between(1, 1_000)
    min_works: int = between(1, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorised(Rule):
    """Every right holder whose work is named consented to the referral."""

    type = "authorised"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgmentsTold(Rule):
    """A judgment that found the site lawful is not passed over in silence (Rojadirecta)."""

    type = "judgments_told"


# Opioids.


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterIssued(Rule):
    """There is a warning letter, dated in the past, that cites at least `min_statutes` provisions."""

    type = "letter_issued"
    min_statutes: int = between(1, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterNamesTarget(Rule):
    """The letter lists the target, or a link to the letter's network is documented."""

    type = "letter_names_target"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterDuePassed(Rule):
    """The letter's last working day is over in its calendar's zone."""

    type = "letter_due_passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterUnanswered(Rule):
    """After the due day a named person assessed the response as none or inadequate."""

    type = "letter_unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsNamed(Rule):
    """The letter names at least `minimum` products of the given classes."""

    type = "products_named"
    minimum: int = between(1, 500)
    classes: tuple[Literal["opioid", "benzodiazepine", "other"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductContinues(Rule):
    """Captures after the due day, from `min_vantages` vantages, show the sale going on.

    From each vantage: one of `substances` (lower case) or a product of the letter offered, one of
    `consumer_signs`, and one of `control_signs`.
    """

    type = "conduct_continues"
    min_vantages: int = between(1, 100)
    substances: tuple[str, ...]
    consumer_signs: tuple[Literal["us_shipping", "us_currency", "us_consumers"], ...]
    control_signs: tuple[Literal["no_prescription_control"], ...]


# Pharmacies.


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbProven(Rule):
    """At least `minimum` limbs of the test, each with a capture and a law of a stated jurisdiction."""

    type = "limb_proven"
    minimum: int = between(1, 3)
    limbs: tuple[Literal["no_valid_prescription", "unlicensed", "unapproved_drug"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceSource(Rule):
    """A register read at most `max_age` ago says unlicensed or not recommended; unverified is no evidence."""

    type = "licence_source"
    max_age: timedelta


RULES: dict[str, type[Rule]] = {rule.type: rule for rule in Rule.__subclasses__()}
