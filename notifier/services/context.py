"""What every service verb works with. Made once by bootstrap, read-only after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from notifier.adapter import RegistryAdapter
from notifier.catalog import Agreement, Catalog
from notifier.domain.program import Program
from notifier.errors import NotFound
from notifier.net.content import ContentProbe
from notifier.net.dns_probe import DnsProbe
from notifier.net.rdap import RdapClient
from notifier.rendering import Renderer
from notifier.settings import Settings
from notifier.store.database import Database


@dataclass(frozen=True, slots=True)
class Context:
    """`adapters` by agreement id: only agreements that name a channel have one. `reply_key` makes reply tokens."""

    db: Database
    settings: Settings
    catalog: Catalog
    adapters: Mapping[str, RegistryAdapter]
    renderer: Renderer
    rdap: RdapClient
    dns: DnsProbe
    content: ContentProbe
    reply_key: bytes
    verify_webhook: Callable[[str, Mapping[str, str], bytes], bool]

    def program(self, program_id: str) -> Program:
        """Raises NotFound (code unknown_program)."""
        program = self.catalog.programs.get(program_id)
        if program is None:
            known = ", ".join(sorted(self.catalog.programs))
            raise NotFound(f"no program {program_id!r}; there are {known}", code="unknown_program")
        return program

    def agreement(self, agreement_id: str) -> Agreement:
        """Raises NotFound when the catalog no longer has the agreement a case names."""
        agreement = self.catalog.agreements.get(agreement_id)
        if agreement is None:
            raise NotFound(f"no agreement {agreement_id!r} in the catalog", code="no_agreement")
        return agreement

    def owned_by(self, organisation: str) -> list[str]:
        """Programs whose owner is this organisation; the house itself owns all."""
        return sorted(p.id for p in self.catalog.programs.values() if not organisation or p.owner == organisation)
