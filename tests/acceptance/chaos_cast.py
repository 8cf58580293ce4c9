"""Who plays in the chaos run, what goes wrong at their doors, and the files that daemon and sandbox read."""

from pathlib import Path
from typing import Any

from notifier.rehearsal import Cast, overlay_of
from registries.mail_message import key_id

from .daemons import quick_config
from .overlays import overlay_toml

REPLY_DOMAIN = "replies.notifier.example"
SECRET = "whsec_" + "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdA=="
CAST = (
    Cast("verisign", ["opioids.verisign"], "smtp", "notices@verisign.sandbox.test"),
    Cast("pir", ["opioids.pir"], "webhook"),
    Cast("identity-digital", ["piracy.identity-digital"], "smtp", "notices@identity.sandbox.test"),
    Cast("radix", ["piracy.radix"], "webhook"),
)
TLDS = {"verisign": "com", "pir": "org", "identity-digital": "live", "radix": "online"}
FAULTS = {
    "smtp.shut": 0.004,
    "smtp.connect": 0.03,
    "smtp.greeting": 0.03,
    "smtp.ehlo": 0.03,
    "smtp.rcpt": 0.03,
    "smtp.rcpt_451": 0.06,
    "smtp.rcpt_550": 0.015,
    "smtp.data": 0.03,
    "smtp.dot": 0.02,
    "smtp.dot_421": 0.03,
    "smtp.dot_451": 0.08,
    "smtp.dot_550": 0.015,
    "smtp.answer": 0.03,
    "smtp.slow": 0.02,
    "webhook.headers": 0.05,
    "webhook.body": 0.05,
    "webhook.410": 0.03,
    "webhook.429": 0.06,
    "webhook.503": 0.06,
    "webhook.answer": 0.06,
    "webhook.500": 0.05,
    "webhook.slow": 0.03,
}
_WAITS = {"connect": 2.0, "reply": 2.0, "final": 1.5, "pause": 0.05}
_SLOW_S = 4.5  # beyond `reply` and `final`


def party_of(agreement: str) -> Cast:
    """Who is written to under an agreement."""
    return next(c for c in CAST if agreement in c.agreements)


def key_of(agreement: str, send_key: str) -> str:
    """By what the recipient knows the notice: Message-ID (RFC 5322 §3.6.4) or webhook-id."""
    key = key_id(send_key)
    return f"<{key}@{REPLY_DOMAIN}>" if party_of(agreement).channel == "smtp" else key


def where(ports: dict[str, int]) -> dict[str, Any]:
    """Where the sandbox will be, as it says itself."""
    http = f"http://127.0.0.1:{ports['http']}"
    return {
        **{name: ("127.0.0.1", ports[name]) for name in ("smtp", "dns", "site", "resolver")},
        "rdap": f"{http}/rdap/",
        "survey": f"{http}/survey/",
        "hooks": {c.registry: f"{http}/hook/{c.registry}" for c in CAST},
        "forms": {},
    }


def overlay(ports: dict[str, int]) -> str:
    """The daemon's catalog overlay; its channels wait for answers as long as a test may."""
    waits = "".join(f"{key} = {value}\n" for key, value in _WAITS.items())
    return f"{overlay_toml(overlay_of(CAST, where(ports)))}\n[waits]\n{waits}"


def plan(seed: str, ports: dict[str, int]) -> str:
    """The sandbox's plan."""
    lines = [f'seed = "{seed}"', 'log = "deliveries.ndjson"', f"slow = {_SLOW_S}", 'behaviour = "silent"', "[ports]"]
    lines += [f"{name} = {port}" for name, port in ports.items()]
    lines += ["[faults]", *(f'"{point}" = {chance}' for point, chance in FAULTS.items())]
    for cast in CAST:
        way = f'address = "{cast.address}"' if cast.channel == "smtp" else f'secret = "{SECRET}"'
        lines += [f"[parties.{cast.registry}]", f'channel = "{cast.channel}"', way]
    return "\n".join(lines) + "\n"


def settings(folder: Path) -> dict[str, str]:
    """The daemon's settings, with a configuration that has no cancel window and no pace."""
    config = quick_config(folder)
    for agreement in (a for c in CAST for a in c.agreements):
        with (config / "agreements" / f"{agreement}.toml").open("a") as file:
            file.write("\n[pace]\nper_hour = 1_000_000\nburst = 1_000_000\nper_day = 1_000_000\n")
    return {
        "NOTIFIER_CONFIG_FOLDER": str(config),
        "NOTIFIER_CATALOG_OVERLAY": str(folder / "overlay.toml"),
        "NOTIFIER_EGRESS": "loopback",
        "NOTIFIER_REPLY_DOMAIN": REPLY_DOMAIN,
        "NOTIFIER_MAIL_FROM": "notices@notifier.example",
        "NOTIFIER_CAPTURE_URLS": "0",
        "NOTIFIER_PUBLIC_URL": "http://notifier.example",  # one for all processes: notices name it
        "NOTIFIER_SECRET_HOOK_PIR": SECRET,
        "NOTIFIER_SECRET_HOOK_RADIX": SECRET,
    }
