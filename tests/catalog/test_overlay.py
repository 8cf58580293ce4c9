"""With an overlay no shipped address survives, and what it does not name cannot be reached at all."""

import dataclasses
import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from notifier.catalog import Catalog, ConfigFaults, check, load_catalog
from notifier.resources import folder

CONFIG = folder("config")
SANDBOX: dict[str, Any] = {
    "id": "sandbox",
    "site": "127.0.0.1:8002",
    "smtp": "127.0.0.1:2525",
    "rdap": {"*": "http://127.0.0.1:8001/rdap/"},
    "dns": {"*": "127.0.0.1:5353"},
    "agreements": {
        "opioids.verisign": {"adapter": "smtp", "address": {"to": "notices@verisign.sandbox.test"}},
        "piracy.radix": {
            "adapter": "webhook",
            "address": {"url": "http://127.0.0.1:8001/hook/radix", "secret": "radix"},
        },
    },
}
NEW = {
    "program": "piracy",
    "registry": "verisign",
    "recipient": "Sandbox Verisign",
    "tlds": ["com"],
    "categories": ["piracy"],
    "basis": "A rehearsal.",
    "sources": ["the sandbox"],
    "as_of": date(2026, 11, 2),
    "measures": {"hold": "hold"},
    "clocks": {
        "acknowledge": {"within": "24h", "commitment": "none"},
        "decide": {"within": "72h", "commitment": "none"},
    },
    "adapter": "smtp",
    "address": {"to": "piracy@verisign.sandbox.test"},
}


def with_changes(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**SANDBOX, **changes}.items() if value is not None}


def channels(catalog: Catalog) -> str:
    """Every text of the catalog that something could connect or write to."""
    parts: list[Any] = [catalog.site, catalog.relay, dict(catalog.name_servers or {})]
    for registry in catalog.registries.values():
        parts += [registry.rdap, registry.abuse_email, registry.abuse_form, registry.abuse_api]
    parts += [[a.adapter, a.address] for a in catalog.agreements.values()]
    return json.dumps(parts, default=str)


def hosts(text: str) -> set[str]:
    return set(re.findall(r"(?:://|@)([A-Za-z0-9.-]+)", text))


def test_no_shipped_host_survives() -> None:
    shipped = hosts(channels(load_catalog(CONFIG)))
    assert "rdap.verisign.com" in shipped
    assert "pir.org" in shipped
    assert hosts(channels(load_catalog(CONFIG, SANDBOX))) == {"127.0.0.1", "verisign.sandbox.test"}


def test_a_channel_in_the_folder_does_not_survive_either(tmp_path: Path) -> None:
    config = Path(shutil.copytree(CONFIG, tmp_path / "config", ignore=shutil.ignore_patterns("samples")))
    path = config / "agreements" / "opioids.pir.toml"
    channel = 'adapter = "smtp"\naddress = { to = "real@registry.example" }\nas_of'
    path.write_text(path.read_text(encoding="utf-8").replace("as_of", channel, 1), encoding="utf-8")
    assert load_catalog(config).agreements["opioids.pir"].recipient_address == "real@registry.example"
    covered = load_catalog(config, SANDBOX)
    assert "registry.example" not in channels(covered)
    assert covered.agreements["opioids.pir"].channel is None


def test_everything_it_names_is_used() -> None:
    catalog = load_catalog(CONFIG, SANDBOX)
    assert catalog.overlay == "sandbox"
    assert catalog.rdap_base("com") == catalog.rdap_base("us") == "http://127.0.0.1:8001/rdap/"
    assert catalog.parent_servers("com") == (("127.0.0.1", 5353),)
    assert (catalog.site, catalog.relay) == (("127.0.0.1", 8002), ("127.0.0.1", 2525))
    channel = catalog.agreements["piracy.radix"].channel
    assert channel is not None
    assert (channel.adapter, channel.address["secret"]) == ("webhook", "radix")
    assert catalog.agreements["opioids.verisign"].recipient_address == "notices@verisign.sandbox.test"


def test_what_it_does_not_name_is_closed() -> None:
    only_com = with_changes(rdap={"com": "http://127.0.0.1:1/"}, dns={"com": "[::1]:53"}, site=None, smtp=None)
    catalog = load_catalog(CONFIG, only_com)
    assert catalog.rdap_base("com") == "http://127.0.0.1:1/"
    assert catalog.rdap_base("net") is None
    assert catalog.parent_servers("com") == (("::1", 53),)
    assert catalog.parent_servers("net") == ()  # none may be asked, not: find them by DNS
    assert catalog.parent_servers("nonexistent") == ()
    assert (catalog.site, catalog.relay) == (None, None)
    assert load_catalog(CONFIG).parent_servers("com") is None


def test_who_is_asked_how_much_hangs_on_a_name() -> None:
    survey = {"certificates": "http://127.0.0.1:8001/c/{name}", "resolver": "127.0.0.1:5354"}
    found = load_catalog(CONFIG, with_changes(survey=survey)).survey
    assert found is not None
    assert (found.certificates, found.resolver) == ("http://127.0.0.1:8001/c/{name}", ("127.0.0.1", 5354))
    assert (found.dependents, found.popularity) == (None, None)
    # An overlay that names nobody closes what the settings name; without one the settings hold.
    silent = load_catalog(CONFIG, SANDBOX).survey
    assert silent is not None
    assert (silent.certificates, silent.dependents, silent.popularity, silent.resolver) == (None, None, None, None)
    assert load_catalog(CONFIG).survey is None
    for wrong in ({"certificates": "http://127.0.0.1/c"}, {"resolver": "127.0.0.1"}, {"colour": "blue"}):
        assert check(CONFIG, with_changes(survey=wrong))


def test_it_may_add_an_agreement() -> None:
    more = with_changes(agreements={**SANDBOX["agreements"], "piracy.verisign": NEW})
    added = load_catalog(CONFIG, more).agreement_for("piracy", "verisign", "com")
    assert added is not None
    assert added.recipient_address == "piracy@verisign.sandbox.test"
    assert load_catalog(CONFIG, SANDBOX).agreement_for("piracy", "verisign", "com") is None


def test_it_changes_the_digests_of_what_it_touches() -> None:
    plain, covered = load_catalog(CONFIG), load_catalog(CONFIG, SANDBOX)
    assert plain.agreements["opioids.verisign"].digest != covered.agreements["opioids.verisign"].digest
    assert plain.registries["pir"].digest != covered.registries["pir"].digest


def test_it_is_read_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.toml"
    path.write_text(
        'id = "sandbox"\n[rdap]\n"*" = "http://127.0.0.1:8001/rdap/"\n[dns]\n"*" = "127.0.0.1:53"\n'
        '[agreements."opioids.pir"]\nadapter = "smtp"\naddress = { to = "a@pir.sandbox.test" }\n',
        encoding="utf-8",
    )
    assert load_catalog(CONFIG, path).agreements["opioids.pir"].recipient_address == "a@pir.sandbox.test"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"id": None}, "id"),
        ({"rdap": None}, "rdap"),
        ({"dns": None}, "dns"),
        ({"rdap": {"*": "http://127.0.0.1:8001/rdap"}}, "rdap.*"),
        ({"rdap": {"nonexistent": "http://127.0.0.1:8001/"}}, "rdap.nonexistent"),
        ({"dns": {"*": "127.0.0.1"}}, "dns.*"),
        ({"dns": {"*": "127.0.0.1:70000"}}, "dns.*"),
        ({"site": "somewhere"}, "site"),
        ({"colour": "red"}, "colour"),
        ({"agreements": {"opioids.pir": {"adapter": "smtp"}}}, "agreements.opioids.pir.address"),
        ({"agreements": {"opioids.radix": {"adapter": "smtp", "address": {}}}}, "agreements.opioids.radix.program"),
        ({"agreements": {"opioids.pir": "smtp"}}, "agreements.opioids.pir"),
    ],
)
def test_its_faults_are_named_and_nothing_is_loaded(changes: dict[str, Any], key: str) -> None:
    broken = with_changes(**changes)
    assert key in {fault.key for fault in check(CONFIG, broken) if fault.file == "overlay"}
    with pytest.raises(ConfigFaults):
        load_catalog(CONFIG, broken)


def test_a_missing_overlay_file_is_not_no_overlay(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match=r"nowhere\.toml"):
        load_catalog(CONFIG, tmp_path / "nowhere.toml")


def test_registries_keep_who_they_are() -> None:
    plain, covered = load_catalog(CONFIG), load_catalog(CONFIG, SANDBOX)
    kept = [f.name for f in dataclasses.fields(plain.registries["pir"])]
    kept = [name for name in kept if name not in ("rdap", "abuse_email", "abuse_form", "abuse_api", "digest")]
    for name in kept:
        assert getattr(plain.registries["pir"], name) == getattr(covered.registries["pir"], name)


def test_waits_are_as_patient_as_ever_unless_the_overlay_says_otherwise() -> None:
    """RFC 5321 §4.5.3.2.6: ten minutes after the final dot."""
    assert load_catalog(CONFIG, SANDBOX).waits.final == 600
    changed = load_catalog(CONFIG, {**SANDBOX, "waits": {"final": 2}}).waits
    assert (changed.final, changed.connect) == (2.0, 10.0)
    with pytest.raises(ConfigFaults, match=r"waits.final: is 0"):
        load_catalog(CONFIG, {**SANDBOX, "waits": {"final": 0}})
