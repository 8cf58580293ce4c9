"""`evaluate`: a program's rules over the facts of a case, every finding listed. Unknown is never a pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain import (
    checks_authority,
    checks_conflicts,
    checks_event,
    checks_letter,
    checks_pharmacy,
    checks_piracy,
    checks_report,
    checks_target,
)
from notifier.domain.calendar import Calendar
from notifier.domain.checks_piracy import SampleResult, sample_result
from notifier.domain.checks_report import asked_before
from notifier.domain.facts import (
    CaseFacts,
    Earlier,
    Finding,
    FindingResult,
    Hearing,
    Submission,
    Supplied,
    failed,
    passed,
    unknown,
)
from notifier.domain.program import Program
from notifier.domain.rules import AnyOf, Pervasive, Recipient, Rule

__all__ = [
    "CHECKS",
    "CaseFacts",
    "Earlier",
    "Finding",
    "FindingResult",
    "SampleResult",
    "Submission",
    "Supplied",
    "Verdict",
    "evaluate",
    "proved_steps",
    "sampled",
]


def _any_of(rule: AnyOf, on: Hearing) -> Finding:
    """Passes with the first of its rules that passes; fails only when each of them fails."""
    parts = [(part, CHECKS[type(part)](part, on)) for part in on.program.rules if part.id in rule.of]
    good = [finding for _, finding in parts if finding.result is FindingResult.PASS]
    if good:
        why = "; ".join(f"{finding.rule}: {finding.why}" for finding in good)
        weigh = dict.fromkeys(sentence for finding in good for sentence in finding.weigh)
        return passed(rule, why, dict.fromkeys(key for finding in good for key in finding.evidence), weigh)
    why = "; ".join(f"{finding.rule}: {finding.why}" for _, finding in parts)
    mend = ", or ".join(dict.fromkeys(finding.mend for _, finding in parts))
    if all(finding.result is FindingResult.FAIL for _, finding in parts):
        return failed(rule, why, mend, dict.fromkeys(key for _, finding in parts for key in finding.evidence))
    return unknown(rule, why, mend)


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    **checks_target.CHECKS,
    **checks_report.CHECKS,
    **checks_conflicts.CHECKS,
    **checks_piracy.CHECKS,
    **checks_letter.CHECKS,
    **checks_pharmacy.CHECKS,
    **checks_event.CHECKS,
    **checks_authority.CHECKS,
    AnyOf: _any_of,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Findings in the program's order. `sufficient`: every rule that guards the asked step passed.

    `blocking`: ids of the rules that stand in the way; `rejects`: those whose fail is a reason to reject.
    `second_reasons`: what speaks for the site, as sentences that a second person must weigh.
    `again_at`: when it is worth evaluating again though nothing new came in; None: never by time alone.
    """

    findings: tuple[Finding, ...]
    sufficient: bool
    blocking: tuple[str, ...]
    rejects: tuple[str, ...]
    second_reasons: tuple[str, ...] = ()
    again_at: datetime | None = None

    def ids(self, result: FindingResult) -> tuple[str, ...]:
        """Rule ids with one result, such as all that failed."""
        return tuple(finding.rule for finding in self.findings if finding.result is result)


def evaluate(program: Program, facts: CaseFacts, now: datetime, calendars: Mapping[str, Calendar]) -> Verdict:
    """The verdict on `facts` at aware `now`. A rule that guards another step does not block."""
    hearing = Hearing(program, facts, now, calendars)
    findings = [CHECKS[type(rule)](rule, hearing) for rule in program.rules]
    guarding = set(program.guarding(facts.step))
    blocking = [
        (rule, finding)
        for rule, finding in zip(program.rules, findings, strict=True)
        if rule in guarding and finding.result is not FindingResult.PASS
    ]
    return Verdict(
        findings=tuple(findings),
        sufficient=not blocking,
        blocking=tuple(finding.rule for _, finding in blocking),
        rejects=tuple(f.rule for rule, f in blocking if rule.hard and f.result is FindingResult.FAIL),
        second_reasons=tuple(dict.fromkeys(sentence for finding in findings for sentence in finding.weigh)),
        again_at=min((f.again_at for _, f in blocking if f.again_at is not None and f.again_at > now), default=None),
    )


def sampled(program: Program, facts: CaseFacts, now: datetime) -> SampleResult | None:
    """The sample's numbers for a notice's threshold line; None without such a rule or such a sample."""
    rule = program.rule(Pervasive)
    return sample_result(rule, Hearing(program, facts, now, {})) if rule else None


def proved_steps(
    program: Program, facts: CaseFacts, now: datetime, calendars: Mapping[str, Calendar]
) -> frozenset[Recipient]:
    """Ladder steps that need not be taken: that party was asked, and declined or let the step's window pass.

    Raises errors.Invalid when a window's calendar cannot count it.
    """
    hearing = Hearing(program, facts, now, calendars)
    contacts = [item for _, item in asked_before(hearing)]
    done: set[Recipient] = set()
    for step in program.ladder:
        for contact in (item for item in contacts if item.party == step.recipient):
            gave_up = contact.response in ("declined", "undeliverable")
            if gave_up or step.window.ends(contact.contacted_at, calendars) <= now:
                done.add(step.recipient)
    return frozenset(done)
