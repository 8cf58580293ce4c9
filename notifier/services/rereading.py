"""After an upgrade: which open cases would be about another name if their reports came in today. Reads only."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from notifier.catalog import Catalog
from notifier.domain.case_state import OPEN
from notifier.domain.names import NAMES_VERSION, Name, parse
from notifier.domain.safety import Target
from notifier.errors import Refused
from notifier.store import cases as case_store
from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Reread:
    """An open case. `named_by`, `now_by`: suffix list and version of the naming rules.

    `differs`: what its reports would say today that they did not when they came in, a sentence for each spelling.
    """

    case_id: str
    reference: str
    target: str
    named_by: str
    now_by: str
    differs: tuple[str, ...]


async def reread(catalog: Catalog, con: Connection) -> AsyncIterator[Reread]:
    """Every open case that was named by another suffix list or other rules, oldest first, in one snapshot."""
    now_by = named_by(catalog.suffixes.version, NAMES_VERSION)
    async with con.transaction(isolation="repeatable_read", readonly=True):
        async for row in con.cursor(
            "select id, reference, target, scope, registrable, host, private_suffix, tld, display, suffix_version, "
            "names_version from cases where state = any($1) and (suffix_version, names_version) <> ($2, $3) "
            "order by opened_at, id",
            [str(state) for state in OPEN],
            catalog.suffixes.version,
            NAMES_VERSION,
        ):
            target = case_store.target_of(row)
            spellings = await con.fetch(
                "select distinct domain, spelling from report, lateral (select body->>'domain' union all "
                "select jsonb_array_elements_text(coalesce(body->'urls', '[]'))) as named (spelling) "
                "where case_id = $1 and code is null and spelling is not null "
                "order by domain, spelling",
                row["id"],
            )
            differs = []
            for domain, spelling in spellings:
                try:
                    name = parse(spelling, catalog.suffixes)
                except Refused as refusal:
                    differs.append(f"{refusal.detail} ({refusal.code})")
                    continue
                if why := _differs(name, target) if _within(domain, target.registrable) else _other(name, domain):
                    differs.append(f"{spelling!r}: {why}")
            yield Reread(
                str(row["id"]),
                row["reference"],
                target.name,
                named_by(row["suffix_version"], row["names_version"]),
                now_by,
                tuple(differs),
            )


def named_by(suffix_version: str, names_version: int) -> str:
    return f"{suffix_version}, rules {names_version}"


def _differs(name: Name, target: Target) -> str | None:
    if name.registrable != target.registrable:
        return f"its registrable name is {name.registrable}, and was {target.registrable}"
    if name.private_suffix != target.private_suffix:
        return f"its private suffix is {name.private_suffix or 'none'}, and was {target.private_suffix or 'none'}"
    return None


def _other(name: Name, domain: str) -> str | None:
    """Of a report that a person moved here from the case of another name."""
    if domain in (name.registrable, name.private_registrable, name.host):
        return None
    return f"it is {name.host}, registrable name {name.registrable}, and was {domain}"


def _within(domain: str, registrable: str) -> bool:
    return domain == registrable or domain.endswith(f".{registrable}")
