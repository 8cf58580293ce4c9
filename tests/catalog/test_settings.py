"""Settings: precedence, every fault at once, and no secret where it could be seen."""

from pathlib import Path

import pytest

from notifier.adapter import StartTls
from notifier.catalog import ConfigFaults
from notifier.resources import folder
from notifier.settings import Settings, load_settings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "notifier.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(config: Path | None, environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigFaults) as raised:
        load_settings(config, environ)
    return [str(fault) for fault in raised.value.faults]


def test_defaults() -> None:
    found = load_settings(None, {"HOME": "/home/someone"})
    assert found == Settings(state_dir=Path("/home/someone/.local/share/trusted-notifier"))
    assert (found.host, found.port, found.egress) == ("127.0.0.1", 8080, "public")
    assert found.database_url is None
    assert found.inbound_smtp_port == 0
    assert found.relay is None
    assert found.simulated is False


def test_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    config = written(tmp_path, 'port = 9000\nhost = "::1"\norganisation = "From the file"\n')
    found = load_settings(config, {"NOTIFIER_PORT": "9100", "NOTIFIER_HOST": ""})
    assert found.port == 9100
    assert found.host == "::1"  # set and empty is not set
    assert found.organisation == "From the file"
    assert found.workers == 4


def test_the_file_is_found_by_the_environment(tmp_path: Path) -> None:
    config = written(tmp_path, "port = 9000\n")
    assert load_settings(None, {"NOTIFIER_CONFIG": str(config)}).port == 9000
    other = tmp_path / "other.toml"
    other.write_text("port = 9001\n", encoding="utf-8")
    assert load_settings(other, {"NOTIFIER_CONFIG": str(config)}).port == 9001


def test_every_fault_of_file_and_environment_is_named_at_once(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        'port = "web"\nhosts = "a"\negress = "both"\nworkers = 0\ncontact = "nobody"\nown_names = ["UPPER.example"]\n',
    )
    found = faults(config, {"NOTIFIER_LOG_LEVEL": "loud", "NOTIFIER_EGRES": "loopback"})
    starts = [
        "environment: NOTIFIER_EGRES: is not known, expected one of state_dir, ",
        "environment: NOTIFIER_LOG_LEVEL: is 'loud', expected one of debug, info, warning, error",
        "notifier.toml: contact: is 'nobody', expected a mailbox",
        "notifier.toml: egress: is 'both', expected one of public, loopback",
        "notifier.toml: hosts: is not known, expected one of ",
        "notifier.toml: own_names: is ['UPPER.example'], expected a list of names",
        "notifier.toml: port: is 'web', expected a port from 0 to 65535",
        "notifier.toml: workers: is 0, expected a number from 1 to 64",
    ]
    assert len(found) == len(starts)
    for fault, start in zip(found, starts, strict=True):
        assert fault.startswith(start)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "true"),
        ("smtp_port", "0"),
        ("public_url", '"ftp://x.example"'),
        ("public_url", '"https://user:pw@x.example"'),
        ("public_url", '"https://[x.example"'),
        ("database_url", '"mysql://x"'),
        ("smtp_starttls", '"yes"'),
        ("mail_from", '"a b@x.example"'),
        ("domain", '"localhost"'),
        ("state_dir", "1"),
        ("own_names", '["ok.example", 1]'),
        ("panel_resolvers", '["resolver.example"]'),
        ("panel_resolvers", '["192.0.2.1:0"]'),
        ("panel_resolvers", '["192.0.2.1:99999"]'),
        ("panel_resolvers", '["192.0.2.256"]'),
        ("panel_resolvers", "192"),
        ("alarm_mail", '"nobody"'),
        ("alarm_webhook", '"ftp://alarms.example"'),
        ("held_alarm_hours", "0"),
        ("survey_certificates_url", '"https://crt.example/?q=name"'),
        ("survey_certificates_url", '"ftp://crt.example/{name}"'),
        ("survey_popularity_url", '"https://user:pw@rank.example/{name}"'),
        ("survey_dependents_url", '"https://ns.example/{name}/{other}"'),
        ("survey_popularity_file", "7"),
    ],
)
def test_wrong_values(tmp_path: Path, key: str, value: str) -> None:
    (fault,) = faults(written(tmp_path, f"{key} = {value}\n"), {})
    assert fault.startswith(f"notifier.toml: {key}: ")


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml", {})[0].startswith("none.toml: cannot be read")
    assert faults(written(tmp_path, "port = = 1"), {})[0].startswith("notifier.toml: is not TOML")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2-from-file\n", encoding="utf-8")
    config = written(tmp_path, 'smtp_host = "mail.example"\nsmtp_user = "notifier"\nsmtp_password_file = "password"\n')
    environ = {
        "NOTIFIER_DATABASE_URL": "postgresql://app:hunter2-db@db.example/notifier",
        "NOTIFIER_SECRET_RADIX_KEY": "whsec_hunter2",
    }
    found = load_settings(config, environ)
    assert found.secret("smtp_password") == "hunter2-from-file"
    assert found.secret("radix-key") == "whsec_hunter2"
    assert found.secret("nobody") is None
    assert found.relay is not None
    assert found.relay.password == "smtp_password"
    for text in (repr(found), str(found), repr(found.relay)):
        assert "hunter2" not in text


def test_a_wrong_database_url_is_not_repeated() -> None:
    assert "hunter2" not in "".join(faults(None, {"NOTIFIER_DATABASE_URL": "mysql://a:hunter2@db.example"}))


def test_a_user_without_a_password_is_a_fault() -> None:
    environ = {"NOTIFIER_SMTP_HOST": "mail.example", "NOTIFIER_SMTP_USER": "notifier"}
    (fault,) = faults(None, environ)
    assert "smtp_user: has no password" in fault
    assert load_settings(None, {**environ, "NOTIFIER_SECRET_SMTP_PASSWORD": "x"}).secret("smtp_password") == "x"


def test_relay_asks_for_verified_tls_unless_told_otherwise() -> None:
    environ = {"NOTIFIER_SMTP_HOST": "mail.example"}
    strict = load_settings(None, environ).relay
    loose = load_settings(None, {**environ, "NOTIFIER_SMTP_STARTTLS": "none", "NOTIFIER_SMTP_PORT": "25"}).relay
    assert strict is not None
    assert loose is not None
    assert (strict.starttls, strict.port) == (StartTls.REQUIRED, 587)
    assert (loose.starttls, loose.port) == (StartTls.NONE, 25)


def test_paths_in_the_file_are_meant_from_the_file(tmp_path: Path) -> None:
    config = written(tmp_path, 'state_dir = "state"\ncatalog_overlay = "/etc/overlay.toml"\n')
    found = load_settings(config, {})
    assert found.state_dir == tmp_path / "state"
    assert found.catalog_overlay == Path("/etc/overlay.toml")


def test_a_mailbox_needs_its_user_and_password() -> None:
    assert faults(None, {"NOTIFIER_IMAP_HOST": "mail.example"}) == [
        "environment: imap_host: has no user, expected imap_user, and its password"
    ]
    assert faults(None, {"NOTIFIER_IMAP_HOST": "mail.example", "NOTIFIER_IMAP_USER": "notices"}) == [
        "environment: imap_user: has no password, expected imap_password_file or NOTIFIER_SECRET_IMAP_PASSWORD"
    ]
    given = {"NOTIFIER_IMAP_HOST": "m.example", "NOTIFIER_IMAP_USER": "n", "NOTIFIER_SECRET_IMAP_PASSWORD": "secret"}
    found = load_settings(None, given)
    assert (found.secret("imap_password"), "secret" in repr(found)) == ("secret", False)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("unix:/run/notifier/lmtp", True),
        ("127.0.0.1:2424", True),
        ("[::1]:24", True),
        ("localhost:24", True),
        ("unix:relative", False),
        ("127.0.0.1", False),
        ("127.0.0.1:0", False),
        ("::1:24", False),
    ],
)
def test_where_lmtp_listens(value: str, fits: bool) -> None:
    if fits:
        assert load_settings(None, {"NOTIFIER_INBOUND_LMTP": value}).inbound_lmtp == value
    else:
        assert "NOTIFIER_INBOUND_LMTP" in faults(None, {"NOTIFIER_INBOUND_LMTP": value})[0]


def test_names_that_no_report_may_name() -> None:
    found = load_settings(
        None,
        {
            "NOTIFIER_OWN_NAMES": "notifier.example, notifier.org",
            "NOTIFIER_DOMAIN": "notifier.example",
            "NOTIFIER_CONTACT": "Desk@Help.Example",
        },
    )
    assert found.own_names == ("notifier.example", "notifier.org")
    assert found.protected_names == ("notifier.example", "notifier.org", "help.example")
    assert load_settings(None, {}).protected_names == ()


def test_the_example_file_is_right() -> None:
    found = load_settings(folder("config") / "notifier.example.toml", {"HOME": "/home/someone"})
    assert found.organisation == "Example Notifier"
    assert found.protected_names == ("notifier.example", "reply.notifier.example")


def test_every_key_of_the_example_file_is_a_key(tmp_path: Path) -> None:
    text = (folder("config") / "notifier.example.toml").read_text(encoding="utf-8")
    shown = "\n".join(
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in text.splitlines()
        if not line.startswith("# ") or " = " in line
    )
    found = load_settings(written(tmp_path, shown), {"HOME": "/home/someone"})
    defaults = Settings(state_dir=found.state_dir)
    for key in ("host", "port", "public_url", "egress", "workers", "log_level", "smtp_port", "inbound_smtp_port"):
        assert getattr(found, key) == getattr(defaults, key)


def test_resolvers_are_addresses_with_or_without_a_port() -> None:
    environ = {"NOTIFIER_PANEL_RESOLVERS": "192.0.2.1, 192.0.2.2:5353 2001:db8::1 [2001:db8::2]:5353 192.0.2.1:53"}
    assert load_settings(environ=environ).panel_resolvers == (
        ("192.0.2.1", 53),
        ("192.0.2.2", 5353),
        ("2001:db8::1", 53),
        ("2001:db8::2", 5353),
    )


def test_an_alarm_that_could_never_be_told_is_a_fault(tmp_path: Path) -> None:
    config = written(tmp_path, 'alarm_mail = "duty@notifier.example"\nalarm_webhook = "https://pager.example/hook"\n')
    assert faults(config, {}) == [
        "notifier.toml: alarm_mail: has no relay to leave by, expected smtp_host",
        "notifier.toml: alarm_webhook: has no secret, expected NOTIFIER_SECRET_ALARM_WEBHOOK",
    ]
    known = {"NOTIFIER_SECRET_ALARM_WEBHOOK": "whsec_x", "NOTIFIER_SMTP_HOST": "mail.example"}
    found = load_settings(config, known)
    assert (found.alarm_mail, found.alarm_webhook) == ("duty@notifier.example", "https://pager.example/hook")
