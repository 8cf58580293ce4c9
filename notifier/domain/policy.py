"""`evaluate`: a program's rules over the facts of a case, every finding listed. Unknown is never a pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from notifier.domain import checks_drugs, checks_piracy, checks_report
from notifier.domain.calendar import Calendar
from notifier.domain.checks_piracy import SampleResult, sample_result
from notifier.domain.evidence import PriorContact
from notifier.domain.facts import CaseFacts, Finding, FindingResult, Hearing, Submission, Supplied
from notifier.domain.program import Program
from notifier.domain.rules import Pervasive, Recipient

__all__ = [
    "CHECKS",
    "CaseFacts",
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

CHECKS = {**checks_report.CHECKS, **checks_piracy.CHECKS, **checks_drugs.CHECKS}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Findings in the program's order. `sufficient`: every rule that guards the asked step passed.

    `blocking`: ids of the rules that stand in the way; `rejects`: those whose fail is a reason to reject.
    """

    findings: tuple[Finding, ...]
    sufficient: bool
    blocking: tuple[str, ...]
    rejects: tuple[str, ...]

    def ids(self, result: FindingResult) -> tuple[str, ...]:
        """Rule ids with one result, such as all that failed."""
        return tuple(finding.rule for finding in self.findings if finding.result is result)


def evaluate(program: Program, facts: CaseFacts, now: datetime, calendars: Mapping[str, Calendar]) -> Verdict:
    """The verdict on `facts` at aware `now`. A rule that guards another step does not block."""
    hearing = Hearing(program, facts, now, calendars)
    findings = [CHECKS[type(rule)](rule, hearing) for rule in program.rules]
    blocking = [
        (rule, finding)
        for rule, finding in zip(program.rules, findings, strict=True)
        if facts.step in rule.steps and finding.result is not FindingResult.PASS
    ]
    return Verdict(
        findings=tuple(findings),
        sufficient=not blocking,
        blocking=tuple(finding.rule for _, finding in blocking),
        rejects=tuple(f.rule for rule, f in blocking if rule.hard and f.result is FindingResult.FAIL),
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
    contacts = [item for _, item in hearing.evidence(PriorContact) if hearing.past(item.contacted_at)]
    done: set[Recipient] = set()
    for step in program.ladder:
        for contact in (item for item in contacts if item.party == step.recipient):
            gave_up = contact.response in ("declined", "undeliverable")
            if gave_up or step.window.ends(contact.contacted_at, calendars) <= now:
                done.add(step.recipient)
    return frozenset(done)
