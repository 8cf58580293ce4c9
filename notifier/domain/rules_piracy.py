"""Rules of piracy programs: clear and pervasive infringement, on behalf of those whose works they are."""

from dataclasses import dataclass
from typing import Literal

from notifier.domain.rule import Rule, between


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFloor(Rule):
    """At least `min_pages` different infringing pages of the target are shown (Dajaz1 was seized on four)."""

    type = "sample_floor"
    evidence = (
        "capture",
        "sample",
    )
    min_pages: int = between(1, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pervasive(Rule):
    """A seeded sample of at least `min_pages`; the infringing share's Wilson lower bound is >= `lower_bound`.

    From `solely_dedicated` on, the words "solely dedicated" may be used. `reviewers` 2: only a page that two
    people judged alike counts as infringing; `identified`: only one whose work is named. `draw`: what must be told of
    the draw: its seed (stated), also day, number and digest of the list (recorded), or the list itself (verified).
    """

    type = "pervasive"
    evidence = ("sample",)
    min_pages: int = between(1, 100_000)
    lower_bound: float = between(0, 1)
    solely_dedicated: float = between(0, 1)
    confidence: float = between(0.5, 0.9999)
    reviewers: int = between(1, 2)
    identified: bool
    draw: Literal["stated", "recorded", "verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Breadth(Rule):
    """At least `min_right_holders` different right holders, or at least `min_works` works."""

    type = "breadth"
    said = ("works",)
    min_right_holders: int = between(1, 1_000)
    min_works: int = between(1, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorised(Rule):
    """Every right holder whose work is named consented to the referral."""

    type = "authorised"
    evidence = ("rights_statement",)
    said = (
        "statements.authorisation",
        "works",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgmentsTold(Rule):
    """A judgment that found the site lawful is not passed over in silence (Rojadirecta)."""

    type = "judgments_told"
    said = ("statements.judgments",)
