"""Who is written to about a case: the agreement for the party whose turn it is, and where that party is reached.

An agreement that names the party goes before a look-up, and a contact that a person gave before both a look-up's and
none. Nothing is kept between cases, and nothing of another party's is ever used.
"""

from ipaddress import ip_address

from notifier.catalog import Agreement, Catalog
from notifier.domain import recipient
from notifier.domain.case import Case
from notifier.domain.ladder import askable
from notifier.domain.outcome import Look
from notifier.domain.recipient import Found, Nobody
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Target
from notifier.services.context import Context
from notifier.store import contacts
from notifier.store.database import Connection


def look_of(case: Case) -> Look | None:
    """The look that the case speaks of."""
    return Look.from_json(case.registration) if case.registration else None


def ways(
    catalog: Catalog, program: str, target: Target, safety: Safety, look: Look | None = None
) -> dict[Recipient, str]:
    """The agreement under which each party may be asked about a target; who has none is no step at all."""
    found: dict[Recipient, str] = {}
    for party in Recipient:
        agreement = _with(catalog, program, target, party, look) if askable(party, target, safety) else None
        # A registry's agreement stands also while it has no channel: it is known who would be asked.
        if agreement is not None and (party is Recipient.REGISTRY or agreement.channel is not None):
            found[party] = agreement.id
    return found


def ways_of(ctx: Context, case: Case) -> dict[Recipient, str]:
    """The same for a case, by the look that it speaks of."""
    return ways(ctx.catalog, case.program, case.target, case.safety, look_of(case))


def _with(catalog: Catalog, program: str, target: Target, party: Recipient, look: Look | None) -> Agreement | None:
    if party is Recipient.REGISTRY:
        registry = catalog.registry_for(target.tld)
        return catalog.agreement_for(program, registry.id, target.tld) if registry else None
    if party is Recipient.REGISTRAR:
        return catalog.agreement_with(program, party, look.registration.registrar_iana_id if look else None)
    addresses = look.hosting.addresses if look and look.hosting else ()
    return catalog.agreement_with(program, party, addresses=[ip_address(ip) for ip in addresses])


def seeks_host(ctx: Context, case: Case) -> bool:
    """Whether it matters who hosts the target: its turn is not over, and the program may ask a host at all."""
    return Recipient.HOST not in case.passed and any(
        agreement.program == case.program and agreement.party is Recipient.HOST
        for agreement in ctx.catalog.agreements.values()
    )


def seeks_mail(ctx: Context, case: Case) -> bool:
    """Whether somebody may be asked at an address that is found, so that it matters if mail arrives there."""
    return any(a.program == case.program and a.for_anybody for a in ctx.catalog.agreements.values())


async def contact(ctx: Context, con: Connection, case: Case, agreement: Agreement) -> Found | Nobody:
    """Whom a notice under this agreement goes to, and how that is known."""
    if not agreement.for_anybody:
        return by_agreement(agreement)
    found = seen(case, agreement.party)
    given = await contacts.given(con, case.id, agreement.party, found.id)
    if given is not None:
        known_as = found.id or f"{agreement.party}-{given.id[:8]}"
        source = f"{given.given_by}: {given.source}"
        return Found(agreement.party, known_as, given.name or found.name, given.address, "given", source, given.at)
    if isinstance(found, Nobody):
        return found
    catalog = ctx.catalog
    why = recipient.barred(
        found.address, case.target, catalog.lists, catalog.suffixes, fictitious=catalog.overlay is not None
    )
    domain = found.address.rpartition("@")[2].lower()
    look = look_of(case)
    if why is None and look is not None and domain in look.no_mail:
        why = f"{domain} takes no mail"
    return found if why is None else Nobody(why, found.id, found.name)


def seen(case: Case, party: Recipient) -> Found | Nobody:
    """The registrar or host as the look that the case speaks of found it."""
    look = look_of(case)
    if look is None:
        return Nobody("nobody has looked at the name yet")
    return recipient.registrar(look) if party is Recipient.REGISTRAR else recipient.host(look)


def by_agreement(agreement: Agreement) -> Found:
    """A party that an agreement names, on the channel that it gives."""
    return Found(
        agreement.party,
        agreement.registry,
        agreement.recipient_name,
        agreement.recipient_address,
        "agreement",
        agreement.id,
    )
