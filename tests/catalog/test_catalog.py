"""The shipped catalog: who operates what, what was agreed, and that nothing in it can send."""

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifier.catalog import Catalog, load_catalog
from notifier.domain.epp import Measure
from notifier.domain.rule import Recipient
from notifier.resources import folder

CONFIG = folder("config")
TLDS = CONFIG / "registries" / "tlds.csv"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(CONFIG, adapters={"smtp", "webhook"})


def rows() -> list[dict[str, str]]:
    with TLDS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_top_level_domain_has_exactly_one_registry(catalog: Catalog) -> None:
    held = Counter(tld for registry in catalog.registries.values() for tld in registry.tlds)
    assert len(held) == 1438
    assert set(held.values()) == {1}
    assert all(tld in catalog.registries[catalog.registry_of[tld]].tlds for tld in held)


@pytest.mark.parametrize(
    ("tld", "registry", "manager"),
    [
        ("com", "verisign", "VeriSign Global Registry Services"),
        ("net", "verisign", "VeriSign Global Registry Services"),
        ("name", "verisign", "VeriSign Information Services, Inc."),
        ("org", "pir", "Public Interest Registry (PIR)"),
        ("ngo", "pir", "Public Interest Registry"),
        ("us", "registry-services", "Registry Services, LLC"),
        ("biz", "registry-services", "Registry Services, LLC"),
        ("info", "identity-digital", "Identity Digital Limited"),
        ("live", "identity-digital", "Dog Beach, LLC"),
        ("email", "identity-digital", "Binky Moon, LLC"),
        ("movie", "identity-digital", "Binky Moon, LLC"),
        ("mobi", "identity-digital", "Identity Digital Limited"),
        ("io", "identity-digital", "Internet Computer Bureau Limited"),
        ("online", "radix", "Radix Technologies Inc. SEZC"),
        ("site", "radix", "Radix Technologies Inc. SEZC"),
        ("website", "radix", "Radix Technologies Inc."),
        ("fun", "radix", "Radix Technologies Inc."),
        ("uk", "nominet", "Nominet UK"),
        ("app", "google", "Charleston Road Registry Inc."),
    ],
)
def test_operators_checked_by_hand(catalog: Catalog, tld: str, registry: str, manager: str) -> None:
    found = catalog.registry_for(tld)
    assert found is not None
    assert found.id == registry
    assert {row["manager"] for row in rows() if row["tld"] == tld} == {manager}


@pytest.mark.parametrize("tld", ["circle", "got", "jot"])
def test_amazons_own_are_not_identity_digitals(catalog: Catalog, tld: str) -> None:
    # The joined data groups them under Identity Digital; manager and abuse address are Amazon's.
    assert catalog.registry_of[tld] == "amazon"


@pytest.mark.parametrize(
    ("these", "those"),
    [
        ({"bh", "xn--mgbcpq6gpa1a"}, {"om", "xn--mgb9awbf"}),  # Bahrain, Oman: Telecommunications Regulatory Authority
        ({"bf"}, {"tg"}),  # Burkina Faso, Togo: ARCEP
        ({"onl", "rich"}, {"info"}),  # iRegistry's, on Identity Digital's servers
        ({"cc"}, {"com"}),  # on Verisign's RDAP, managed by another
        ({"pw"}, {"site"}),  # on CentralNic's RDAP as Radix's own
    ],
)
def test_who_shares_a_name_or_a_server_is_not_one_operator(catalog: Catalog, these: set[str], those: set[str]) -> None:
    first, second = ({catalog.registry_of[tld] for tld in group} for group in (these, those))
    assert len(first) == len(second) == 1
    assert first != second


def test_a_registry_joins_only_managers_that_were_named_or_differ_in_punctuation() -> None:
    managers: dict[str, set[str]] = {}
    for row in rows():
        managers.setdefault(row["registry"], set()).add("".join(filter(str.isalnum, row["manager"].casefold())))
    joined = {registry for registry, names in managers.items() if len(names) > 1}
    assert joined == {"verisign", "pir", "identity-digital", "radix"}


def test_unknown_top_level_domain_has_nobody(catalog: Catalog) -> None:
    assert catalog.registry_for("invalid") is None
    assert catalog.rdap_base("invalid") is None


def test_rdap_and_public_channel_are_kept_by_top_level_domain(catalog: Catalog) -> None:
    assert catalog.rdap_base("com") == "https://rdap.verisign.com/com/v1/"
    assert catalog.rdap_base("net") == "https://rdap.verisign.com/net/v1/"
    assert catalog.rdap_base("us") is None  # IANA's bootstrap has none: `no_rdap`, not a guess
    assert catalog.registries["pir"].abuse_form["org"] == "https://pir.org/report-abuse/"
    assert catalog.registries["radix"].abuse_email["online"] == "abuse@radixregistry.com"


def test_every_registry_has_words_for_lock_hold_and_delete(catalog: Catalog) -> None:
    for registry in catalog.registries.values():
        assert {Measure.LOCK, Measure.HOLD, Measure.DELETE} <= registry.verbs.keys() & registry.verb_notes.keys()
    assert "stopped resolution" in catalog.registries["nominet"].verb_notes[Measure.LOCK]
    assert catalog.registries["pir"].verbs[Measure.HOLD] == "suspension"


def test_agreements_are_the_published_ones_and_none_can_send(catalog: Catalog) -> None:
    published = {key: a for key, a in catalog.agreements.items() if a.party is Recipient.REGISTRY}
    assert set(published) == {
        "opioids.verisign",
        "opioids.pir",
        "opioids.registry-services",
        "piracy.identity-digital",
        "piracy.radix",
    }
    for agreement in published.values():
        assert agreement.adapter is None
        assert agreement.channel is None
        assert agreement.recipient_address == ""
        assert agreement.acknowledge.commitment == agreement.decide.commitment == "none"
        assert agreement.sources
        assert Measure.HOLD in agreement.measures


def test_hosts_and_registrars_are_asked_as_they_are_found_and_never_at_an_address_of_ours(catalog: Catalog) -> None:
    found = {key: a for key, a in catalog.agreements.items() if a.party is not Recipient.REGISTRY}
    assert set(found) == {f"{p}.{who}" for p in ("opioids", "pharmacy", "piracy") for who in ("host", "registrar")}
    for key, agreement in found.items():
        assert agreement.for_anybody
        assert (agreement.channel, dict(agreement.address), agreement.recipient_address) == (None, {}, "")
        assert agreement.acknowledge.commitment == agreement.decide.commitment == "none"
        wanted = {Measure.CONTENT_REMOVAL} if key.endswith("host") else {Measure.LOCK, Measure.HOLD}
        assert set(agreement.measures) == wanted


@pytest.mark.parametrize(
    ("program", "tld", "found"),
    [
        ("opioids", "com", "opioids.verisign"),
        ("opioids", "net", "opioids.verisign"),
        ("opioids", "name", None),  # Verisign's, but never part of the pilot
        ("opioids", "org", "opioids.pir"),
        ("opioids", "ngo", None),
        ("opioids", "us", "opioids.registry-services"),
        ("opioids", "biz", "opioids.registry-services"),
        ("opioids", "club", None),
        ("opioids", "live", None),
        ("piracy", "live", "piracy.identity-digital"),
        ("piracy", "online", "piracy.radix"),
        ("piracy", "com", None),
        ("pharmacy", "com", None),
    ],
)
def test_an_agreement_speaks_of_its_own_names_only(catalog: Catalog, program: str, tld: str, found: str | None) -> None:
    agreement = catalog.agreement_for(program, catalog.registry_of[tld], tld)
    assert (agreement.id if agreement else None) == found


def test_decision_clock_counts_working_days_over_a_holiday(catalog: Catalog) -> None:
    # From Monday 2 November 2026: Veterans Day, Wednesday 11 November, is off, so the tenth working day is
    # Tuesday 17 November, and it is over at midnight in New York, 05:00 UTC.
    due = catalog.agreements["opioids.verisign"].decide.due(datetime(2026, 11, 2, 14, tzinfo=UTC), catalog.calendars)
    assert due == datetime(2026, 11, 18, 5, tzinfo=UTC)


def test_digests_are_stable_and_differ(catalog: Catalog) -> None:
    again = load_catalog(CONFIG)
    for kind in ("programs", "registries", "agreements"):
        digests = {key: item.digest for key, item in getattr(catalog, kind).items()}
        assert digests == {key: item.digest for key, item in getattr(again, kind).items()}
        assert len(set(digests.values())) == len(digests)


def test_the_data_file_says_where_it_comes_from() -> None:
    text = (CONFIG / "registries" / "README.md").read_text(encoding="utf-8")
    for words in ("IANA root zone database, 2025-11-16", "2025-11-06", "MIT", "171b00a09d"):
        assert words in text


def test_no_agreement_file_holds_a_mailbox_or_a_channel() -> None:
    for path in Path(CONFIG / "agreements").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert "@" not in text, json.dumps(path.name)
        assert not any(line.startswith("adapter") for line in text.splitlines()), path.name
