"""How this installation runs: `notifier.toml`, and `NOTIFIER_<KEY>` in the environment, which wins.

A secret is a file's content (`smtp_password_file`) or an environment value; it is never shown by `repr`.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin, get_type_hints
from urllib.parse import urlsplit

from notifier.adapter import Identity, Relay, StartTls
from notifier.catalog import ConfigFaults, Fault

PREFIX = "NOTIFIER_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
ENVIRONMENT = "environment"
# Read elsewhere, from the environment alone.
_NOT_OURS = frozenset({CONFIG_VARIABLE, f"{PREFIX}TOKEN"})
_TEST_PREFIX = f"{PREFIX}TEST_"
_SECRET_PREFIX = f"{PREFIX}SECRET_"

Egress = Literal["public", "loopback"]
Switch = Literal["off", "on"]
ImapTls = Literal["implicit", "starttls", "none"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class _Key:
    """How a key's value is read (None: it cannot be), and what to say then."""

    read: Callable[[Any], Any]
    expected: str


_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9.-]{1,253})\Z")
_RESOLVER = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<four>[0-9.]{7,15})|(?P<bare>[0-9A-Fa-f:.]{2,45}))(?::(?P<port>[0-9]{1,5}))?\Z"
)
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._/-]{1,200})?\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}\Z")
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}\Z")
_LMTP = re.compile(r"(?:unix:/[^\0\s]{1,100}|(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):[1-9][0-9]{0,4})\Z")
_FOLDER = re.compile(r"[ !#$'()+,./0-9:;=@A-Z^_`a-z{|}~\[\]-]{1,200}\Z")  # what needs no encoding (RFC 3501 §5.1.3)


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], str | None]:
    return lambda value: value if isinstance(value, str) and pattern.match(value) else None


def _one_of(*words: str) -> Callable[[Any], str | None]:
    return lambda value: value if value in words else None


def _number(low: int, high: int) -> Callable[[Any], int | None]:
    def read(value: Any) -> int | None:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        return value if type(value) is int and low <= value <= high else None

    return read


def _path(value: Any) -> Path | None:
    return Path(value).expanduser() if isinstance(value, str) and value.strip() and "\0" not in value else None


def _resolvers(value: Any) -> tuple[tuple[str, int], ...] | None:
    """Addresses, not names: a name would be looked up at the very resolvers that are to be compared."""
    listed = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(listed, list):
        return None
    found = []
    for item in listed:
        fits = _RESOLVER.match(item) if isinstance(item, str) else None
        if fits is None:
            return None
        try:
            address = str(ipaddress.ip_address(fits["six"] or fits["four"] or fits["bare"]))
        except ValueError:
            return None
        port = int(fits["port"] or 53)
        if not 0 < port < 65536:
            return None
        found.append((address, port))
    return tuple(dict.fromkeys(found))


def _names(value: Any) -> tuple[str, ...] | None:
    listed = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(listed, list) or any(not isinstance(item, str) or not _NAME.match(item) for item in listed):
        return None
    return tuple(dict.fromkeys(listed))


def _database(value: Any) -> str | None:
    fits = isinstance(value, str) and value.startswith(("postgres://", "postgresql://"))
    return value if fits else None


def _web(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    fits = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment or "@" in value)
    return value.rstrip("/") if fits else None


def _issuer(value: Any) -> str | None:
    """As it is: whether it ends with a stroke makes two issuers of it."""
    return value if _web(value) is not None else None


def _template(value: Any) -> str | None:
    fits = isinstance(value, str) and re.fullmatch(r"https?://[^\s{}@]+\{name\}[^\s{}@]*", value)
    return value if fits else None


def _s3(value: Any) -> str | None:
    return value if isinstance(value, str) and _BUCKET.match(value) else None


def _starttls(value: Any) -> StartTls | None:
    return StartTls(value) if value in tuple(StartTls) else None


_A_TEMPLATE = "an http(s) URL with {name} where the name goes"
_A_COUNT = "a number of reports up to 999999"
_A_NUMBER = "a number of appeals from 1 to 999999"
_A_HOST, _A_PORT = "a host name or address", "a port from 0 to 65535"
# Any regional registry redirects to the one that has the network (RFC 7480 §5.2).
_ADDRESSES = "https://rdap.arin.net/registry"
_RESOLVERS = "a list of resolvers' addresses: 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53"
_A_FOLDER = "a folder's name in ASCII, without wildcards, quotes and &"
_IMAP_TLS = ("implicit", "starttls", "none")
_LEVELS = ("debug", "info", "warning", "error")
_LOCAL = "notifier.invalid"  # RFC 6761: never resolves, so nothing can be sent in its name by accident


@dataclass(frozen=True, slots=True)
class Settings:
    """Every key, checked. Ports of 0: `port` is chosen by the system, `inbound_smtp_port` is off.

    `simulated` and `secrets` are no keys: the first is told by the database, the second are `NOTIFIER_SECRET_<NAME>`.
    """

    state_dir: Annotated[Path, _Key(_path, "a folder")]
    database_url: Annotated[str | None, _Key(_database, "a postgresql:// URL")] = field(default=None, repr=False)
    host: Annotated[str, _Key(_matching(_HOST), _A_HOST)] = "127.0.0.1"
    port: Annotated[int, _Key(_number(0, 65535), _A_PORT)] = 8080
    public_url: Annotated[str, _Key(_web, "an http(s) URL without query")] = "http://127.0.0.1:8080"
    egress: Annotated[Egress, _Key(_one_of("public", "loopback"), "one of public, loopback")] = "public"
    organisation: Annotated[str, _Key(_text, "a text")] = "Unnamed notifier"
    contact: Annotated[str, _Key(_matching(_MAILBOX), "a mailbox that a person answers")] = f"contact@{_LOCAL}"
    domain: Annotated[str, _Key(_matching(_NAME), "our own domain, lower case")] = _LOCAL
    mail_from: Annotated[str, _Key(_matching(_MAILBOX), "a mailbox")] = f"notices@{_LOCAL}"
    reply_domain: Annotated[str, _Key(_matching(_NAME), "a domain, lower case")] = _LOCAL
    inbound_smtp_host: Annotated[str, _Key(_matching(_HOST), _A_HOST)] = "127.0.0.1"
    inbound_smtp_port: Annotated[int, _Key(_number(0, 65535), _A_PORT)] = 0
    inbound_lmtp: Annotated[str | None, _Key(_matching(_LMTP), "HOST:PORT or unix:/PATH")] = None
    imap_host: Annotated[str | None, _Key(_matching(_HOST), _A_HOST)] = None
    imap_port: Annotated[int, _Key(_number(1, 65535), "a port from 1 to 65535")] = 993
    imap_tls: Annotated[ImapTls, _Key(_one_of(*_IMAP_TLS), f"one of {', '.join(_IMAP_TLS)}")] = "implicit"
    imap_ca_file: Annotated[Path | None, _Key(_path, "a file")] = None
    imap_user: Annotated[str | None, _Key(_text, "a user name")] = None
    imap_password_file: Annotated[Path | None, _Key(_path, "a file")] = None
    imap_folder: Annotated[str, _Key(_matching(_FOLDER), _A_FOLDER)] = "INBOX"
    imap_done_folder: Annotated[str, _Key(_matching(_FOLDER), _A_FOLDER)] = "Done"
    authserv_id: Annotated[str | None, _Key(_matching(_HOST), "the name in our server's Authentication-Results")] = None
    smtp_host: Annotated[str | None, _Key(_matching(_HOST), _A_HOST)] = None
    smtp_port: Annotated[int, _Key(_number(1, 65535), "a port from 1 to 65535")] = 587
    smtp_starttls: Annotated[StartTls, _Key(_starttls, f"one of {', '.join(StartTls)}")] = StartTls.REQUIRED
    smtp_user: Annotated[str | None, _Key(_text, "a user name")] = None
    smtp_password_file: Annotated[Path | None, _Key(_path, "a file")] = None
    config_folder: Annotated[Path | None, _Key(_path, "a folder")] = None
    catalog_overlay: Annotated[Path | None, _Key(_path, "a file")] = None
    workers: Annotated[int, _Key(_number(1, 64), "a number from 1 to 64")] = 4
    log_level: Annotated[LogLevel, _Key(_one_of(*_LEVELS), f"one of {', '.join(_LEVELS)}")] = "info"
    rdap_networks_url: Annotated[str | None, _Key(_web, "an http(s) URL without query")] = _ADDRESSES
    rdap_per_hour: Annotated[int, _Key(_number(1, 999_999), "looks an hour from 1 to 999999")] = 3_600
    cases_at_once: Annotated[int, _Key(_number(1, 99_999_999), "cases from 1 to 99999999")] = 200_000
    second_step: Annotated[Switch, _Key(_one_of("off", "on"), "one of off, on")] = "on"
    oidc_issuer: Annotated[str | None, _Key(_issuer, "an https URL, exactly as the provider writes it")] = None
    oidc_client_id: Annotated[str | None, _Key(_text, "the id that the provider gave us")] = None
    oidc_client_secret_file: Annotated[Path | None, _Key(_path, "a file")] = field(default=None, repr=False)
    oidc_name: Annotated[str, _Key(_text, "what the button calls the provider")] = "your organisation's sign-in"
    alarm_mail: Annotated[str | None, _Key(_matching(_MAILBOX), "a mailbox that a person reads")] = None
    alarm_webhook: Annotated[str | None, _Key(_web, "an http(s) URL without query")] = None
    held_alarm_hours: Annotated[int, _Key(_number(1, 720), "hours from 1 to 720")] = 24
    panel_resolvers: Annotated[tuple[tuple[str, int], ...], _Key(_resolvers, _RESOLVERS)] = ()
    survey_certificates_url: Annotated[str | None, _Key(_template, _A_TEMPLATE)] = None
    survey_dependents_url: Annotated[str | None, _Key(_template, _A_TEMPLATE)] = None
    survey_dependents_file: Annotated[Path | None, _Key(_path, "a file")] = None
    survey_popularity_url: Annotated[str | None, _Key(_template, _A_TEMPLATE)] = None
    survey_popularity_file: Annotated[Path | None, _Key(_path, "a file")] = None
    hop_names_file: Annotated[Path | None, _Key(_path, "a file")] = None
    hop_questions: Annotated[int, _Key(_number(0, 1500), "a number from 0 to 1500")] = 60
    hop_captures_day: Annotated[int, _Key(_number(0, 100), "a number from 0 to 100")] = 5
    quota_principal_day: Annotated[int, _Key(_number(1, 999_999), _A_COUNT)] = 20_000
    quota_principal_minute: Annotated[int, _Key(_number(1, 999_999), _A_COUNT)] = 2_000
    quota_organisation_day: Annotated[int, _Key(_number(1, 999_999), _A_COUNT)] = 50_000
    quota_organisation_minute: Annotated[int, _Key(_number(1, 999_999), _A_COUNT)] = 5_000
    quota_urgent_principal_day: Annotated[int, _Key(_number(0, 999_999), _A_COUNT)] = 50
    quota_urgent_organisation_day: Annotated[int, _Key(_number(0, 999_999), _A_COUNT)] = 200
    quota_keep_factor: Annotated[int, _Key(_number(1, 100), "a number from 1 to 100")] = 2
    appeal_quota_address_minute: Annotated[int, _Key(_number(1, 999_999), _A_NUMBER)] = 20
    appeal_quota_address_day: Annotated[int, _Key(_number(1, 999_999), _A_NUMBER)] = 100
    appeal_quota_name_day: Annotated[int, _Key(_number(1, 999_999), _A_NUMBER)] = 20
    appeal_quota_day: Annotated[int, _Key(_number(1, 999_999), _A_NUMBER)] = 20_000
    client_address_header: Annotated[str | None, _Key(_matching(_HEADER), "a header that only our proxy can set")] = (
        None
    )
    blob_store: Annotated[str | None, _Key(_s3, "s3://BUCKET or s3://BUCKET/PREFIX")] = None
    blob_endpoint: Annotated[str | None, _Key(_web, "an http(s) URL without query")] = None
    blob_region: Annotated[str, _Key(_text, "a region's name")] = "us-east-1"
    file_max_mb: Annotated[int, _Key(_number(1, 2000), "megabytes from 1 to 2000")] = 50
    files_max: Annotated[int, _Key(_number(1, 100), "a number from 1 to 100")] = 20
    unpacked_max_mb: Annotated[int, _Key(_number(1, 10_000), "megabytes from 1 to 10000")] = 500
    capture_urls: Annotated[int, _Key(_number(0, 10), "a number from 0 to 10")] = 3
    screenshots: Annotated[Switch, _Key(_one_of("off", "on"), "one of off, on")] = "off"
    tsa_url: Annotated[str | None, _Key(_web, "an http(s) URL without query")] = None
    tsa_ca_file: Annotated[Path | None, _Key(_path, "a file")] = None
    own_names: Annotated[tuple[str, ...], _Key(_names, "a list of names as lower-case A-labels")] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    simulated: bool = False

    @property
    def protected_names(self) -> tuple[str, ...]:
        """Our own names, which no report may name: those listed, and those that our mail and pages live under."""
        mailboxes = (self.contact, self.mail_from)
        found = (*self.own_names, self.domain, self.reply_domain, *(m.rpartition("@")[2].lower() for m in mailboxes))
        return tuple(dict.fromkeys(name for name in found if name != _LOCAL))

    @property
    def watches_hops(self) -> bool:
        """Whether names that may follow those of a case are looked for at all."""
        return self.hop_captures_day > 0

    @property
    def identity(self) -> Identity:
        """Who we are to the recipients of mail."""
        return Identity(self.organisation, self.mail_from, self.reply_domain)

    @property
    def relay(self) -> Relay | None:
        """The server that takes our mail; its password is the secret `smtp_password`. None without `smtp_host`."""
        if self.smtp_host is None:
            return None
        password = "smtp_password" if self.smtp_user else None
        return Relay(self.smtp_host, self.smtp_port, self.smtp_starttls, self.smtp_user, password)

    def secret(self, name: str) -> str | None:
        """A secret by name, or None. Raises OSError when the password's file cannot be read."""
        files = {
            "smtp_password": self.smtp_password_file,
            "imap_password": self.imap_password_file,
            "oidc_client_secret": self.oidc_client_secret_file,
        }
        if (file := files.get(name)) is not None:
            return file.read_text(encoding="utf-8").strip()
        return self.secrets.get(re.sub(r"[^a-z0-9]", "_", name.lower()))


_KEYS: Mapping[str, _Key] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if get_origin(hint) is Annotated
}
_SHOWN = frozenset(each.name for each in fields(Settings) if each.repr)


def load_settings(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment, then the file (`config`, else NOTIFIER_CONFIG), then the defaults.

    Raises ConfigFaults with every unknown key and wrong value of both at once.
    """
    faults: list[Fault] = []
    known: dict[str, Any] = {}
    if config is None and environ.get(CONFIG_VARIABLE):
        config = Path(environ[CONFIG_VARIABLE])
    if config is not None:
        known |= _from_file(config, faults)
    known |= _from_environment(environ, faults)
    known.setdefault("state_dir", Path(environ.get("HOME") or Path.home(), ".local/share/trusted-notifier"))
    where = config.name if config else ENVIRONMENT
    for kind in ("smtp", "imap"):
        if known.get(f"{kind}_user") and not (
            known.get(f"{kind}_password_file") or _secrets(environ).get(f"{kind}_password")
        ):
            wanted = f"{kind}_password_file or {_SECRET_PREFIX}{kind.upper()}_PASSWORD"
            faults.append(Fault(where, f"{kind}_user", "has no password", wanted))
    if known.get("alarm_webhook") and not _secrets(environ).get("alarm_webhook"):
        faults.append(Fault(where, "alarm_webhook", "has no secret", f"{_SECRET_PREFIX}ALARM_WEBHOOK"))
    if known.get("alarm_mail") and not (known.get("smtp_host") or known.get("catalog_overlay")):
        faults.append(Fault(where, "alarm_mail", "has no relay to leave by", "smtp_host"))
    faults += _oidc_faults(known, where, _secrets(environ))
    if known.get("imap_host") and not known.get("imap_user"):
        faults.append(Fault(where, "imap_host", "has no user", "imap_user, and its password"))
    if faults:
        raise ConfigFaults(faults)
    return Settings(**known, secrets=_secrets(environ))


def _oidc_faults(known: Mapping[str, Any], where: str, found: Mapping[str, str]) -> list[Fault]:
    """What the identity provider lacks."""
    issuer = known.get("oidc_issuer")
    if issuer is None:
        return []
    faults = []
    if not known.get("oidc_client_id"):
        faults.append(Fault(where, "oidc_issuer", "has no client", "oidc_client_id"))
    if not (known.get("oidc_client_secret_file") or found.get("oidc_client_secret")):
        wanted = f"oidc_client_secret_file or {_SECRET_PREFIX}OIDC_CLIENT_SECRET"
        faults.append(Fault(where, "oidc_issuer", "has no secret", wanted))
    if issuer.startswith("http:") and known.get("egress", "public") != "loopback":
        faults.append(Fault(where, "oidc_issuer", "is not encrypted", "an https URL"))
    return faults


def _from_file(path: Path, faults: list[Fault]) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        faults.append(Fault(path.name, "", f"cannot be read ({reason})", "a UTF-8 TOML file"))
        return {}
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(path.name, "", f"is not TOML: {error}", "a TOML file"))
        return {}
    found = _read(path.name, data, {key: key for key in data}, faults)
    # A path in the file is meant from where the file is, not from where the daemon was started.
    return {
        key: path.parent / value if isinstance(value, Path) and not value.is_absolute() else value
        for key, value in found.items()
    }


def _from_environment(environ: Mapping[str, str], faults: list[Fault]) -> dict[str, Any]:
    names = {
        name.removeprefix(PREFIX).lower(): name
        for name in environ
        if name.startswith(PREFIX) and name not in _NOT_OURS and not name.startswith((_SECRET_PREFIX, _TEST_PREFIX))
    }
    # Set and empty is the shell's way to say "not set".
    given = {key: environ[name] for key, name in names.items() if environ[name].strip()}
    return _read(ENVIRONMENT, given, names, faults)


def _read(file: str, data: Mapping[str, Any], names: Mapping[str, str], faults: list[Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        known = _KEYS.get(key)
        if known is None:
            faults.append(Fault(file, names[key], "is not known", f"one of {', '.join(_KEYS)}"))
            continue
        got = known.read(value)
        if got is None:
            # The value of a key that may hold a password is not repeated.
            what = f"is {value!r:.80}" if key in _SHOWN else "cannot be used"
            faults.append(Fault(file, names[key], what, known.expected))
        else:
            found[key] = got
    return found


def _secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(_SECRET_PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(_SECRET_PREFIX) and value
    }
