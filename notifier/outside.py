"""Who is asked and where things lie outside the process, by the settings or, under an overlay, by that alone."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from notifier.adapter import Relay, StartTls
from notifier.catalog import Catalog, Fault
from notifier.errors import Invalid
from notifier.net.control import Addresses, resolved
from notifier.net.dns_probe import ZoneServers
from notifier.net.imap import Account, ImapError, ImapSession
from notifier.net.name_files import Layout, NameFile
from notifier.net.safe_http import Egress, allowed
from notifier.net.stamping import Stamper, roots_of
from notifier.net.survey import Sources
from notifier.settings import Settings
from notifier.store import blobs
from notifier.store.blobs import BlobStore, FolderBlobs, S3Blobs, open_s3

BLOBS = blobs.FOLDER


def servers_of(catalog: Catalog) -> Callable[[str], Awaitable[Sequence[tuple[str, int]]]]:
    finder = ZoneServers() if catalog.name_servers is None else None

    async def servers(zone: str) -> Sequence[tuple[str, int]]:
        if finder is not None:
            return await finder(zone)
        # Under an overlay a zone between (co.uk) is served where its top-level domain is.
        return catalog.parent_servers(zone.rpartition(".")[2]) or ()

    return servers


def control_servers(catalog: Catalog, egress: Egress) -> Addresses:
    """Where a name's own servers are. Under an overlay its zone is served where its top-level domain is."""
    if catalog.name_servers is None:
        return resolved(egress)

    async def addresses(zone: str, _: Sequence[str]) -> Sequence[tuple[str, int]]:
        return catalog.parent_servers(zone.rpartition(".")[2]) or ()

    return addresses


def survey_sources(settings: Settings, catalog: Catalog) -> Sources:
    """Who is asked how much hangs on a name: the overlay's, else those of the settings, else nobody."""
    if catalog.survey is not None:
        places = catalog.survey
        return Sources(places.certificates, places.dependents, None, places.popularity, None, places.resolver)
    return Sources(
        settings.survey_certificates_url,
        settings.survey_dependents_url,
        settings.survey_dependents_file,
        settings.survey_popularity_url,
        settings.survey_popularity_file,
    )


def survey_faults(settings: Settings) -> list[Fault]:
    """What is wrong with the local files that the settings name."""
    faults = []
    for key in ("survey_dependents_file", "survey_popularity_file", "hop_names_file"):
        path: Path | None = getattr(settings, key)
        if path is None:
            continue
        try:
            header = NameFile(path, "name,count").header()
        except OSError as error:
            faults.append(Fault("settings", key, f"cannot be read ({error.strerror})", "a text file"))
        else:
            if header.date is None:
                faults.append(
                    Fault("settings", key, f"{path.name} has no date", "a line `# date: YYYY-MM-DD` at the top")
                )
    return faults


def name_files(settings: Settings) -> tuple[NameFile, ...]:
    """Local lists of names that names of a like label are looked for in."""
    listed: tuple[tuple[Path | None, Layout], ...] = (
        (settings.hop_names_file, "name"),
        (settings.survey_popularity_file, "rank,name"),
    )
    return tuple(NameFile(path, layout) for path, layout in listed if path is not None)


def networks(settings: Settings, catalog: Catalog) -> str | None:
    """Where addresses are asked about; under an overlay only where that says."""
    return settings.rdap_networks_url if catalog.overlay is None else catalog.rdap_networks


async def mailbox_problem(settings: Settings) -> str | None:
    """What is wrong with the mailbox of the settings, as it says itself; None when it opens, or there is none."""
    account, egress = imap_account(settings), Egress(settings.egress)
    if account is None:
        return None
    try:
        session = await ImapSession.open(account, lambda ip: allowed(ip, egress))
    except (ImapError, OSError, TimeoutError) as error:
        return str(error) or "no answer in time"
    await session.close()
    return None


def imap_account(settings: Settings) -> Account | None:
    if settings.imap_host is None or settings.imap_user is None:
        return None
    return Account(
        settings.imap_host,
        settings.imap_port,
        settings.imap_user,
        settings.secret("imap_password") or "",
        settings.imap_tls,
        settings.imap_folder,
        settings.imap_done_folder,
        str(settings.imap_ca_file) if settings.imap_ca_file else None,
    )


def relay_of(settings: Settings, catalog: Catalog) -> Relay | None:
    if catalog.overlay is None:
        return settings.relay
    # No relay of the settings survives an overlay, as no shipped channel does.
    return Relay(*catalog.relay, starttls=StartTls.NONE) if catalog.relay else None


def blob_store(settings: Settings) -> BlobStore:
    """Where files of evidence lie: in the state folder, or in an S3-compatible store.

    Raises Invalid for a store that `egress = "loopback"` may not reach, or without the extra `s3`. Like the database,
    the store is the operator's own and is not held to the egress rule otherwise.
    """
    folder = settings.state_dir / BLOBS
    if settings.blob_store is None:
        return FolderBlobs(folder)
    host = urlsplit(settings.blob_endpoint or "").hostname or ""
    if Egress(settings.egress) is Egress.LOOPBACK and not allowed(host, Egress.LOOPBACK):
        raise Invalid('blob_endpoint must be an address of this machine with egress = "loopback"')
    bucket, _, prefix = settings.blob_store.removeprefix("s3://").partition("/")
    options = {"region": settings.blob_region, "aws_virtual_hosted_style_request": "false"}
    if settings.blob_endpoint:
        options |= {"endpoint": settings.blob_endpoint}
    key, secret = settings.secret("blob_access_key"), settings.secret("blob_secret_key")
    if key and secret:
        options |= {"access_key_id": key, "secret_access_key": secret}
    try:
        return S3Blobs(
            open_s3(bucket, prefix, plain=(settings.blob_endpoint or "").startswith("http:"), **options), folder
        )
    except ImportError as missing:
        raise Invalid("blob_store needs the extra s3: pip install 'trusted-notifier[s3]'") from missing


def stamper_of(settings: Settings) -> Stamper | None:
    """Raises Invalid when there is an authority and nothing to check its stamps by."""
    if settings.tsa_url is None:
        return None
    if settings.tsa_ca_file is None:
        raise Invalid("tsa_url needs tsa_ca_file: the certificate that the authority's stamps are checked by")
    try:
        roots = roots_of(settings.tsa_ca_file)
    except (OSError, ValueError) as fault:
        raise Invalid(f"tsa_ca_file {settings.tsa_ca_file.name} holds no certificate in PEM ({fault})") from fault
    return Stamper(Egress(settings.egress), settings.tsa_url, roots)
