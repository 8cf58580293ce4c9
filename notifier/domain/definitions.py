"""What each figure means, once: code, answers, exports and docs/measures.md take these words and no others.

Rates and times are of a cohort (units by the day on which they were opened); work is of a period. They are never mixed:
a period's acts over the same period's notices is no rate (domain.md 4.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass

VERSION = "2"
HOP_DAYS = 30
FEW = 10  # a share or median of fewer is flagged: the interval says little more than that


@dataclass(frozen=True, slots=True)
class Definition:
    """`basis`: cohort or period. `unit`: what is counted. `of`: the stage that a share is of, or where a time begins."""

    key: str
    basis: str
    unit: str
    words: str
    of: str | None = None


_D = Definition
_UNIT, _CLAIM, _CASE, _STEP = "domain-epoch", "claim", "case", "step"

# Each stage holds those of the next: nothing enforced can exceed what it is of.
STAGES: Mapping[str, Definition] = {
    d.key: d
    for d in (
        _D("opened", "cohort", _UNIT, "A case was opened; its day is the cohort date"),
        _D("approved", "cohort", _UNIT, "A person approved a notice, or more than one where that is asked", "opened"),
        _D("sent", "cohort", _UNIT, "A notice that asks for something was accepted by its channel", "approved"),
        _D("received", "cohort", _UNIT, "The recipient's system reported delivery, or somebody answered", "sent"),
        _D(
            "answered", "cohort", _UNIT, "An answer of the recipient that counts; a machine's word does not", "received"
        ),
        _D("claimed", "cohort", _UNIT, "The recipient says that it, or somebody else, acted", "answered"),
        _D(
            "verified",
            "cohort",
            _UNIT,
            "Verified success: an act was claimed, and two of our own looks, in RDAP and DNS, agreed that it stands, "
            "in the same registration, and that it did not stand before the notice",
            "claimed",
        ),
    )
}

TIMES: Mapping[str, Definition] = {
    d.key: d
    for d in (
        _D("notice", "cohort", _UNIT, "Until the first notice was sent", "opened"),
        _D("receipt", "cohort", _UNIT, "Until delivery was reported or somebody answered", "sent"),
        _D("acknowledgement", "cohort", _UNIT, "Until the first answer that counts", "sent"),
        _D(
            "claim",
            "cohort",
            _UNIT,
            "Until the act, as the recipient dates it, but not before the notice and not after the answer",
            "sent",
        ),
        _D(
            "verified",
            "cohort",
            _UNIT,
            "Until two looks agreed, by our clock; what the recipient says plays no part",
            "sent",
        ),
        _D("relapse", "cohort", _UNIT, "From success until a look found it undone", "verified"),
        _D(
            "hop",
            "cohort",
            _UNIT,
            "From success until a successor that a person accepted was first seen; one seen between notice and success "
            "counts as at once, one from before the notice as none",
            "verified",
        ),
    )
}

SHARES: Mapping[str, Definition] = {
    d.key: d
    for d in (
        _D("success", "cohort", _UNIT, "Verified success among all that somebody was asked about", "sent"),
        _D(
            "accuracy",
            "cohort",
            _UNIT,
            "Approved, and not withdrawn as an error of ours, overturned on appeal or found wrong by a second look since; what "
            "was cured is no error. The ledger at `/accuracy` also counts what was rejected",
            "approved",
        ),
        _D(
            "gap",
            "cohort",
            _CLAIM,
            "Claim-verification gap: claims that were contradicted or that nobody could see, among those that were judged",
            "judged claims",
        ),
        _D("relapsed", "cohort", _UNIT, "Success that a later look found undone", "verified"),
        _D(
            "hopped",
            "cohort",
            _UNIT,
            f"Success with an accepted successor that was first seen within {HOP_DAYS} days of it; a younger success counts "
            "as without one so far, which the time `hop` does not do",
            "verified",
        ),
    )
}

COUNTS: Mapping[str, Definition] = {
    d.key: d
    for d in (
        _D(
            "outcome",
            "cohort",
            _UNIT,
            "What became of it and who is credited, set once; `open` until then",
            "opened",
        ),
        _D("claims", "cohort", _CLAIM, "What was claimed, by party and measure, against what was seen of it last"),
        _D(
            "party",
            "cohort",
            _UNIT,
            "Work shared: whom we asked, as host, registrar or registry, and how many of those units it answered, "
            "claimed an act for, and was at some time seen to have acted on; a unit counts for each party that was asked",
            "asked",
        ),
        _D("work", "cohort", _STEP, "Steps by who took them: daemon, person, service, or recipient"),
        _D("opened_before", "period", _CASE, "Open when the period began"),
        _D("opened_in", "period", _CASE, "Opened or reopened in the period; a case counts as often"),
        _D("closed_in", "period", _CASE, "Closed, rejected, withdrawn or superseded in the period"),
        _D("open_at_end", "period", _CASE, "Open when the period ended"),
        _D("sent_in", "period", _CASE, "First notice sent in the period, whenever the case was opened"),
        _D("claimed_in", "period", _CASE, "First act claimed in the period, whenever the notice was sent"),
        _D("verified_in", "period", _CASE, "First success in the period, whenever the notice was sent"),
        _D("relapsed_in", "period", _CASE, "First relapse in the period, whenever the success was"),
    )
}

PARTS: Mapping[str, Mapping[str, Definition]] = {"funnel": STAGES, "time": TIMES, "share": SHARES, "count": COUNTS}
DEFINITIONS: tuple[Definition, ...] = tuple(d for part in PARTS.values() for d in part.values())
