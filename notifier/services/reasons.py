"""The statement of reasons for whom a request is about, in the field names of Article 17 DSA's transparency database.

A registry is no hosting service, so nothing here claims an effect of that law (recital 29); its words are those that
most readers know. No reporter and nobody of ours is in it, and nothing that a report says in its own words.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifier.domain import grounds
from notifier.domain.case import Case
from notifier.domain.epp import Measure
from notifier.domain.facts import CaseFacts
from notifier.domain.program import Program
from notifier.errors import NotFound
from notifier.services import access, evaluation, review
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import appeals as store
from notifier.store import cases as case_store
from notifier.store.database import Connection
from notifier.translations import ENGLISH, speaker, translated

# What a measure is there: a hold suspends the whole service of a name, a deletion ends it.
_PROVISION = {
    Measure.HOLD: "DECISION_PROVISION_TOTAL_SUSPENSION",
    Measure.DELETE: "DECISION_PROVISION_TOTAL_TERMINATION",
    Measure.LOCK: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    Measure.REDIRECT: "DECISION_PROVISION_PARTIAL_SUSPENSION",
}
_COPYRIGHT = ("STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS", "KEYWORD_COPYRIGHT_INFRINGEMENT")
_PRODUCTS = ("STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS", "KEYWORD_PROHIBITED_PRODUCTS")
_OTHER = ("STATEMENT_CATEGORY_OTHER_VIOLATION_TC", "KEYWORD_OTHER")
_CATEGORY = {"piracy": _COPYRIGHT, "live-event": _COPYRIGHT, "opioids": _PRODUCTS, "pharmacy": _PRODUCTS}
_PAGES = 10
_MAX_FACTS, _MAX_GROUND, _MAX_WHY, _MAX_ID = 5_000, 500, 2_000, 500


async def of_case(ctx: Context, who: Principal, case_id: str) -> tuple[Mapping[str, Any], str]:
    """(fields, text) for the newest request of a case that left. Raises NotFound, also when nothing left."""
    access.require(who, Role.REVIEWER, Role.AUDITOR)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        decisions = await store.newest_request(con, case.id)
        if decisions is None:
            raise NotFound("no request of this case has left, so there is nothing to give reasons for")
        fields = await statement(ctx, con, case, decisions)
    return fields, text(ctx, fields)


async def for_registrant(
    ctx: Context, con: Connection, case_id: str, notice_id: str, language: str = ENGLISH
) -> Mapping[str, Any] | None:
    """The statement behind a decision that somebody may read who showed control of the name."""
    case = await case_store.get(con, case_id)
    return await statement(ctx, con, case, notice_id, language) if case is not None else None


async def statement(
    ctx: Context, con: Connection, case: Case, notice_id: str, language: str = ENGLISH, *, pages_named: bool = True
) -> Mapping[str, Any]:
    """The fields, their sentences in a language. Times are dates, as that schema has them. Addresses of pages may tell of
    people; `pages_named` leaves them out of what is published."""
    say = speaker(language)
    row = await con.fetchrow(
        "select measure, domain, party, sent_at, content->>'recipient_name' as recipient from notice where id = $1",
        notice_id,
    )
    program = ctx.program(case.program)
    facts = await evaluation.facts_of(ctx.catalog, con, case, program)
    measure = Measure(row["measure"])
    category, keyword = _CATEGORY.get(program.category, _OTHER)
    sent: datetime | None = row["sent_at"]
    said = say(
        "A report named %(domain)s under the program %(program)s. A person of %(organisation)s who did not report it read "
        "the evidence and asked %(recipient)s, as the %(party)s, for one thing: %(measure)s. Whether to act was decided there.",
        domain=row["domain"],
        program=translated(language, program.name),
        organisation=ctx.settings.organisation,
        recipient=row["recipient"],
        party=translated(language, row["party"]),
        measure=translated(language, measure.replace("_", " ")),
    )
    pages = [url.partition("?")[0] for url in await evaluation.sample_urls(con, case.id)][:_PAGES]
    if pages and pages_named:
        said += " " + say("The pages that were read: %(pages)s.", pages=", ".join(dict.fromkeys(pages)))
    fields: dict[str, Any] = {
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "illegal_content_legal_ground": translated(language, program.basis)[:_MAX_GROUND],
        "illegal_content_explanation": _why(program, facts, language)[:_MAX_WHY],
        "content_type": ["CONTENT_TYPE_OTHER"],
        "content_type_other": "a domain name and the site under it",
        "category": category,
        "category_specification": [keyword],
        "content_date": case.opened_at.date().isoformat(),
        "application_date": sent.date().isoformat() if sent else None,
        "decision_facts": said[:_MAX_FACTS],
        "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION",
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "puid": f"{case.reference}-{notice_id}"[:_MAX_ID],
    }
    if keyword == "KEYWORD_OTHER":
        fields["category_specification_other"] = translated(language, program.name)[:_MAX_GROUND]
    if measure is Measure.CONTENT_REMOVAL:
        fields["decision_visibility"] = ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    else:
        fields["decision_provision"] = _PROVISION[measure]
    return {**fields, "redress": translated(language, program.appeal)}


def _why(program: Program, facts: CaseFacts, language: str) -> str:
    """What was counted, and never what a reporter wrote."""
    say = speaker(language)
    rules = say("The evidence meets every rule of the program %(program)s.", program=translated(language, program.name))
    why = f"{rules} {translated(language, program.basis)}"
    counted = grounds.threshold(program, facts)
    if counted is None:
        return why
    drawn = say(
        "Of %(pages)s pages that were drawn by chance, %(infringing)s were found to infringe.",
        pages=counted.pages,
        infringing=counted.infringing,
    )
    return f"{drawn} {why}"


def text(ctx: Context, fields: Mapping[str, Any], language: str = ENGLISH) -> str:
    """The same in plain words."""
    return ctx.renderer.reasons(fields, language)
