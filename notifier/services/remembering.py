"""A name that was found shared stays known as shared: later reports are about its hosts from the start."""

from dataclasses import replace

from notifier.domain import blast
from notifier.domain.names import display
from notifier.domain.safety import Safety, Scope, Signal
from notifier.services.context import Context
from notifier.services.understanding import Understood
from notifier.store import assessments
from notifier.store.database import Tx

_SHARED = ("host_names", "name_server_dependents")


async def remembered(ctx: Context, tx: Tx, understood: Understood) -> Understood:
    """The report as it is to be read when its name was measured before and found to carry many others."""
    assessment = understood.assessment
    target = assessment.target
    if target.scope is not Scope.DOMAIN or assessment.safety is Safety.REFUSE:
        return understood
    known = await assessments.latest_of_name(tx.con, target.registrable, tx.now - ctx.catalog.thresholds.remember)
    if known is None:
        return understood
    by_name = blast.heaviest(known.signals)
    shared = [by_name[name] for name in _SHARED if name in by_name and by_name[name].weight is Safety.REROUTE]
    if not shared:
        return understood
    value = ", ".join(f"{signal.name} {signal.value}" for signal in shared)
    signal = Signal("found_shared", value, f"measured {known.at:%Y-%m-%d}", Safety.REROUTE)
    narrowed = blast.narrowed(target, target.host, display(target.host))
    return replace(understood, assessment=replace(assessment.and_also(signal, known.why), target=narrowed))
