"""Which party of a program's ladder is asked next: closest to the content first, each once, and only by an agreement.

Who was asked before and gave nothing, or was proven so by the reporter, is passed; who has no agreement is no rung at all.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from notifier.domain.epp import Measure
from notifier.domain.program import Program
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Scope, Target


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is asked for what, and under which agreement (its id)."""

    step: Recipient
    agreement: str
    measure: Measure


def askable(step: Recipient, target: Target, safety: Safety) -> bool:
    """Whether this party may be asked about the target at all: of one site among many only its host (design: `scope`)."""
    if step is Recipient.HOST:
        return safety is not Safety.REFUSE
    return target.scope is Scope.DOMAIN and safety in (Safety.CLEAR, Safety.SECOND_REVIEW)


def next_rung(
    program: Program,
    ways: Mapping[Recipient, str],
    passed: Collection[Recipient],
    proven: Collection[Recipient] = (),
) -> Rung | None:
    """The next party in the program's order; None when the ladder has ended.

    `ways`: the agreement for each party that may be asked. `passed`: whom we asked ourselves or passed over; nobody
    before them is asked any more. `proven`: who was asked by the reporter, in vain.
    """
    below = max((i for i, step in enumerate(program.ladder) if step.recipient in passed), default=-1)
    for step in program.ladder[below + 1 :]:
        if step.recipient in ways and step.recipient not in proven:
            # What the program asks for is asked of the registry; who stands closer to the content does what it can.
            asked = program.default_measure if step.recipient is Recipient.REGISTRY else step.measure
            return Rung(step.recipient, ways[step.recipient], asked)
    return None
