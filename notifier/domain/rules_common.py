"""Rules that any program may use: the target, the submitter's word, prior contact, conflicts, captures at all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from notifier.domain.rule import Rule, between

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
    said = ("statements.compromise_check",)


# The submitter's word.


@dataclass(frozen=True, slots=True, kw_only=True)
class Described(Rule):
    """A report describes the conduct in at least `min_chars` characters."""

    type = "described"
    said = ("summary",)
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
    said = ("statements.laws",)
    minimum: int = between(1, 100)
    min_chars: int = between(1, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanReviewed(Rule):
    """A named person reviewed the evidence at most `max_age` ago."""

    type = "human_reviewed"
    said = ("statements.human_review",)
    max_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorContact(Rule):
    """Every one of `parties` was asked, and `wait` passed without the matter being settled."""

    type = "prior_contact"
    evidence = (
        "prior_contact",
        "capture",
    )
    parties: tuple[Literal["operator", "host", "registrar"], ...]
    wait: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Corroborated(Rule):
    """At least `organisations` different organisations reported the target under the same category."""

    type = "corroborated"
    said = ("report",)
    organisations: int = between(2, 100)


# What speaks for the site, and alternatives.


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictsWeighed(Rule):
    """What speaks for the site on one of `grounds` is not passed over: a second person weighs it, with a reason."""

    type = "conflicts_weighed"
    said = ("report",)
    grounds: tuple[Literal["licensed", "lawful_elsewhere", "promotional_supply", "exception", "lawful_judgment"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf(Rule):
    """At least one of the rules `of` (their ids) passes. Those rules then guard no step by themselves."""

    type = "any_of"
    of: tuple[str, ...]


# Captures.


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTarget(Rule):
    """A capture shows a page of the target itself, and not a login, a country wall or a parking page."""

    type = "on_target"
    evidence = ("capture",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh(Rule):
    """The newest capture of the target is at most `max_age` old."""

    type = "fresh"
    evidence = ("capture",)
    max_age: timedelta
