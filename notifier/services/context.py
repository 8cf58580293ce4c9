"""What every service verb works with. Made once by bootstrap, read-only after."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from notifier.adapter import AgreementChannel, Message, RegistryAdapter
from notifier.catalog import Agreement, Catalog, Fault
from notifier.domain.program import Program
from notifier.errors import NotFound
from notifier.net.capture import Capturer
from notifier.net.content import ContentProbe
from notifier.net.control import ControlProbe
from notifier.net.dns_probe import DnsProbe
from notifier.net.hosting import HostFinder
from notifier.net.name_files import NameFile
from notifier.net.oidc import Provider
from notifier.net.panel import ResolverPanel
from notifier.net.rdap import RdapClient
from notifier.net.screenshot import Browser
from notifier.net.stamping import Stamper
from notifier.net.survey import Survey
from notifier.rendering import Renderer
from notifier.settings import Settings
from notifier.store.blobs import BlobStore
from notifier.store.database import Database


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the catalog was read from: the digest of its files, and where they stand. `check` looks at them as they are
    now: every fault, and their digest. It reads files, so it is called in a thread."""

    digest: str
    folder: str
    check: Callable[[], tuple[Sequence[Fault], str]]


@dataclass(frozen=True, slots=True)
class Context:
    """`adapters` by agreement id, for the channels that stand in the agreements' files; `services.channels` says which
    channel an agreement has. `build_adapter` makes another, once for each channel; Invalid says what it cannot use.
    `verify_webhook`: whether one of the named secrets signed it. `reply_key` makes reply tokens.
    `name_files`: lists of names, in which those that follow a case's are looked for.
    `alarm_ways`: how alarms leave, `mail` and `webhook`; the failures are an adapter's three.
    """

    db: Database
    settings: Settings
    catalog: Catalog
    configuration: Configuration
    adapters: Mapping[str, RegistryAdapter]
    renderer: Renderer
    rdap: RdapClient
    hosts: HostFinder
    dns: DnsProbe
    panel: ResolverPanel
    control: ControlProbe
    content: ContentProbe
    capturer: Capturer
    browser: Browser | None
    survey: Survey
    name_files: Sequence[NameFile]
    blobs: BlobStore
    stamper: Stamper | None
    oidc: Provider | None
    reply_key: bytes
    build_adapter: Callable[[AgreementChannel], RegistryAdapter]
    verify_webhook: Callable[[Sequence[str], Mapping[str, str], bytes], bool]
    alarm_ways: Mapping[str, Callable[[Message], Awaitable[None]]]

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
