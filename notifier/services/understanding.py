"""What a report says and whom it is about, from its bytes and the catalog alone: no database, nobody asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from notifier.catalog import Catalog
from notifier.domain.names import Name, parse
from notifier.domain.program import Program
from notifier.domain.report import CSAM, ReportIn, mentions_csam
from notifier.domain.safety import Assessment, Safety, Signal, assess
from notifier.errors import Invalid, Refused
from notifier.services.access import Principal


@dataclass(frozen=True, slots=True)
class Understood:
    """A report that may become a case."""

    report: ReportIn
    assessment: Assessment
    name: Name
    urls: tuple[str, ...]


def understand(catalog: Catalog, who: Principal, raw: bytes) -> Understood:
    """Read a report and its target. Raises Refused, Invalid or NotFound with the refusal code."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:  # nested so deep that nobody means it
        raise Invalid(f"the report is not JSON: {error}", code="malformed") from error
    if not isinstance(data, Mapping):
        raise Invalid("the report is not a JSON object", code="malformed")
    if mentions_csam(data):
        raise Refused(CSAM, code="csam_refused")
    try:
        report = ReportIn.model_validate(data)
    except ValidationError as error:
        raise Invalid(_first_faults(error), code=_code_of(error)) from error
    if report.program not in catalog.programs or (who.programs is not None and report.program not in who.programs):
        raise Refused(
            f"no program {report.program!r}; there are {', '.join(sorted(catalog.programs))}",
            code="unknown_program",
        )
    name, urls = _target(catalog, report)
    assessment = assess(name, catalog.lists)
    if assessment.safety is Safety.REFUSE:
        raise Refused(assessment.why, code="protected")
    return Understood(report, asked_twice(assessment, catalog.programs[report.program]), name, urls)


def asked_twice(assessment: Assessment, program: Program) -> Assessment:
    """The assessment with the second review that the program asks for of every case."""
    if not program.second_review:
        return assessment
    asked = Signal("program", f"{program.id} asks for two people", f"program {program.version}", Safety.SECOND_REVIEW)
    return assessment.and_also(asked, f"two people decide every case of {program.name}")


def _target(catalog: Catalog, report: ReportIn) -> tuple[Name, tuple[str, ...]]:
    """The one name a report is about. URLs on another registrable name are another report."""
    names = [parse(url, catalog.suffixes) for url in report.urls]
    first = parse(report.domain, catalog.suffixes) if report.domain is not None else names[0]
    unit = _unit(first)
    for name in names:
        if _unit(name) != unit:
            raise Refused(f"{name.host} is not under {unit}; send one report for each name", code="several_domains")
    if report.domain is None and len({n.host for n in names}) > 1:
        # Several hosts of one name: the name itself is what they have in common.
        first = replace(first, warnings=(*first.warnings, "several hosts are named; the case is about " + unit))
    return first, tuple(name.url or name.raw for name in names)


def _unit(name: Name) -> str:
    return name.private_registrable or name.registrable


def _first_faults(error: ValidationError, limit: int = 5) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    named = [f"{'.'.join(str(p) for p in fault['loc']) or 'report'}: {fault['msg']}" for fault in faults[:limit]]
    more = f" (and {len(faults) - limit} more)" if len(faults) > limit else ""
    return "; ".join(named) + more


def _code_of(error: ValidationError) -> str:
    types = {fault["type"] for fault in error.errors(include_url=False, include_input=False, include_context=False)}
    if types & {"too_large", "too_long", "string_too_long"}:
        return "too_large"
    return "no_host" if "no_host" in types else "invalid_report"
