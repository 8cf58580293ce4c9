"""Safety from lists. The incidents behind the rows: mooo.com 2011, zoho.com 2018, itch.io 2024, zoom.us 2025."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.catalog import load_catalog
from notifier.domain.names import parse
from notifier.domain.safety import Assessment, Safety, Scope, TargetLists, _apart, assess
from notifier.domain.scripts import mixed_scripts, skeleton
from notifier.errors import Refused
from notifier.resources import folder
from notifier.suffixes import load_suffixes
from notifier.targetlists import load_lists

SUFFIXES = load_suffixes()
SHIPPED, FAULTS = load_lists(folder("config") / "lists", own=["our-notifier.org"])


def assessed(raw: str, lists: TargetLists = SHIPPED) -> Assessment:
    return assess(parse(raw, SUFFIXES), lists)


TABLE = [
    # raw, safety, target, scope, signal that decided (None: no signal at all)
    ("evil-pharm.com", Safety.CLEAR, "evil-pharm.com", Scope.DOMAIN, None),
    ("https://www.shop.evil-pharm.co.uk/x", Safety.CLEAR, "evil-pharm.co.uk", Scope.DOMAIN, None),
    ("faß.de", Safety.CLEAR, "xn--fa-hia.de", Scope.DOMAIN, None),
    # registries, the root, documentation
    ("verisign.com", Safety.REFUSE, "verisign.com", Scope.DOMAIN, "protected"),
    ("a.iana-servers.net", Safety.REFUSE, "iana-servers.net", Scope.DOMAIN, "protected"),
    ("a.gtld-servers.net", Safety.REFUSE, "gtld-servers.net", Scope.DOMAIN, "protected"),
    ("pir.org", Safety.REFUSE, "pir.org", Scope.DOMAIN, "protected"),
    ("whois.nic.shop", Safety.REFUSE, "nic.shop", Scope.DOMAIN, "protected"),
    ("nic.io", Safety.REFUSE, "nic.io", Scope.DOMAIN, "protected"),
    ("221.80.157.5.in-addr.arpa", Safety.REFUSE, "5.in-addr.arpa", Scope.DOMAIN, "protected"),
    ("example.com", Safety.REFUSE, "example.com", Scope.DOMAIN, "protected"),
    # governments
    ("fda.gov", Safety.REFUSE, "fda.gov", Scope.DOMAIN, "protected"),
    ("army.mil", Safety.REFUSE, "army.mil", Scope.DOMAIN, "protected"),
    ("who.int", Safety.REFUSE, "who.int", Scope.DOMAIN, "protected"),
    ("www.mhra.gov.uk", Safety.REFUSE, "mhra.gov.uk", Scope.DOMAIN, "protected"),
    ("health.sa.gov.au", Safety.REFUSE, "health.sa.gov.au", Scope.DOMAIN, "protected"),
    ("salud.gob.mx", Safety.REFUSE, "salud.gob.mx", Scope.DOMAIN, "protected"),
    ("sante.gouv.fr", Safety.REFUSE, "sante.gouv.fr", Scope.DOMAIN, "protected"),
    ("mhlw.go.jp", Safety.REFUSE, "mhlw.go.jp", Scope.DOMAIN, "protected"),
    ("gov.de", Safety.SECOND_REVIEW, "gov.de", Scope.DOMAIN, "resembles_government"),
    # vetted zones and our own names
    ("aon.pharmacy", Safety.REFUSE, "aon.pharmacy", Scope.DOMAIN, "protected"),
    ("any.bank", Safety.REFUSE, "any.bank", Scope.DOMAIN, "protected"),
    ("www.our-notifier.org", Safety.REFUSE, "our-notifier.org", Scope.DOMAIN, "protected"),
    # private suffixes
    ("http://shop.pills.ru.com/", Safety.REROUTE, "pills.ru.com", Scope.HOST, "private_suffix"),
    ("ru.com", Safety.REROUTE, "ru.com", Scope.HOST, "private_suffix"),
    ("a.b.evil.github.io", Safety.REROUTE, "evil.github.io", Scope.HOST, "private_suffix"),
    ("github.io", Safety.REROUTE, "github.io", Scope.HOST, "private_suffix"),
    ("cheap-meds.blogspot.com", Safety.REROUTE, "cheap-meds.blogspot.com", Scope.HOST, "private_suffix"),
    # platforms that the public suffix list does not know
    ("mooo.com", Safety.REROUTE, "mooo.com", Scope.HOST, "platform"),
    ("pills.mooo.com", Safety.REROUTE, "pills.mooo.com", Scope.HOST, "platform"),
    ("https://itch.io/fan-page", Safety.REROUTE, "itch.io", Scope.HOST, "platform"),
    ("zoho.com", Safety.REROUTE, "zoho.com", Scope.HOST, "platform"),
    ("https://t.me/pills", Safety.REROUTE, "t.me", Scope.HOST, "platform"),
    ("https://sites.google.com/view/pills", Safety.REROUTE, "sites.google.com", Scope.HOST, "platform"),
    # schools
    ("cs.stanford.edu", Safety.REROUTE, "cs.stanford.edu", Scope.HOST, "university"),
    ("www.ox.ac.uk", Safety.REROUTE, "www.ox.ac.uk", Scope.HOST, "university"),
    ("uq.edu.au", Safety.REROUTE, "uq.edu.au", Scope.HOST, "university"),
    ("ethz.ch", Safety.REROUTE, "ethz.ch", Scope.HOST, "university"),
    # popular, imitations, missing values
    ("zoom.us", Safety.SECOND_REVIEW, "zoom.us", Scope.DOMAIN, "popular"),
    ("mail.google.com", Safety.SECOND_REVIEW, "google.com", Scope.DOMAIN, "popular"),
    ("gооgle.com", Safety.SECOND_REVIEW, "xn--ggle-55da.com", Scope.DOMAIN, "look_alike"),
    ("xn--80ak6aa92e.com", Safety.SECOND_REVIEW, "xn--80ak6aa92e.com", Scope.DOMAIN, "look_alike"),
    ("раураl.net", Safety.SECOND_REVIEW, "xn--l-7sba6dbr.net", Scope.DOMAIN, "look_alike"),
    ("undefined.com", Safety.SECOND_REVIEW, "undefined.com", Scope.DOMAIN, "placeholder"),
    # an edit or an ending away from a listed name: which one did the reporter mean?
    ("paypa1.com", Safety.SECOND_REVIEW, "paypa1.com", Scope.DOMAIN, "near_name"),
    ("gogle.com", Safety.SECOND_REVIEW, "gogle.com", Scope.DOMAIN, "near_name"),
    ("googel.com", Safety.SECOND_REVIEW, "googel.com", Scope.DOMAIN, "near_name"),
    ("google.xyz", Safety.SECOND_REVIEW, "google.xyz", Scope.DOMAIN, "near_name"),
    ("verisgn.com", Safety.SECOND_REVIEW, "verisgn.com", Scope.DOMAIN, "near_name"),
    ("walgreenss.net", Safety.SECOND_REVIEW, "walgreenss.net", Scope.DOMAIN, "near_name"),
    ("goggles.com", Safety.CLEAR, "goggles.com", Scope.DOMAIN, None),  # two edits
    ("cisco.com", Safety.SECOND_REVIEW, "cisco.com", Scope.DOMAIN, "popular"),
    ("disco.com", Safety.SECOND_REVIEW, "disco.com", Scope.DOMAIN, "near_name"),
    ("vise.com", Safety.CLEAR, "vise.com", Scope.DOMAIN, None),  # visa: too short to tell
    # each family of the lists
    ("columbia.edu", Safety.REROUTE, "columbia.edu", Scope.HOST, "university"),
    ("math.uni-freiburg.de", Safety.REROUTE, "math.uni-freiburg.de", Scope.HOST, "university"),
    ("www.usp.br", Safety.REROUTE, "www.usp.br", Scope.HOST, "university"),
    ("library.lib.ca.us", Safety.REROUTE, "library.lib.ca.us", Scope.HOST, "university"),
    ("0crenova4.soup.io", Safety.REROUTE, "0crenova4.soup.io", Scope.HOST, "platform"),
    ("soup.io", Safety.REROUTE, "soup.io", Scope.HOST, "platform"),
    ("pills.afraid.org", Safety.REROUTE, "pills.afraid.org", Scope.HOST, "platform"),
    ("pills.blogspot.de", Safety.REROUTE, "pills.blogspot.de", Scope.HOST, "platform"),
    ("blogspot.com", Safety.REROUTE, "blogspot.com", Scope.HOST, "private_suffix"),
    ("https://bit.ly/3pills", Safety.REROUTE, "bit.ly", Scope.HOST, "platform"),
    ("https://gofile.io/d/film", Safety.REROUTE, "gofile.io", Scope.HOST, "platform"),
    ("https://github.com/u/r", Safety.REROUTE, "github.com", Scope.HOST, "platform"),
    ("pills.weebly.com", Safety.REROUTE, "pills.weebly.com", Scope.HOST, "platform"),
    ("https://www.facebook.com/pills", Safety.REROUTE, "www.facebook.com", Scope.HOST, "platform"),
    ("state.ca.us", Safety.REFUSE, "state.ca.us", Scope.DOMAIN, "protected"),
    ("www.tjrj.jus.br", Safety.REFUSE, "tjrj.jus.br", Scope.DOMAIN, "protected"),
    ("goarmy.com", Safety.REFUSE, "goarmy.com", Scope.DOMAIN, "protected"),
    ("www.polizei.de", Safety.REFUSE, "polizei.de", Scope.DOMAIN, "protected"),
    ("worldbank.org", Safety.REFUSE, "worldbank.org", Scope.DOMAIN, "protected"),
    ("cybertipline.org", Safety.REFUSE, "cybertipline.org", Scope.DOMAIN, "protected"),
    ("any.creditunion", Safety.REFUSE, "any.creditunion", Scope.DOMAIN, "protected"),
    ("hdfc.bank.in", Safety.REFUSE, "hdfc.bank.in", Scope.DOMAIN, "protected"),
    ("zdnsgtld.com", Safety.REFUSE, "zdnsgtld.com", Scope.DOMAIN, "protected"),
    ("crsnic.net", Safety.REFUSE, "crsnic.net", Scope.DOMAIN, "protected"),
    # whole labels only: these share text with a listed name, and no label boundary
    ("notverisign.com", Safety.CLEAR, "notverisign.com", Scope.DOMAIN, None),
    ("mooo.com.evil.net", Safety.CLEAR, "evil.net", Scope.DOMAIN, None),
    ("xitch.io", Safety.CLEAR, "xitch.io", Scope.DOMAIN, None),
    ("fda.gov.evil.com", Safety.CLEAR, "evil.com", Scope.DOMAIN, None),
    ("gov-pills.com", Safety.CLEAR, "gov-pills.com", Scope.DOMAIN, None),
    ("google.com.evil.net", Safety.CLEAR, "evil.net", Scope.DOMAIN, None),
    ("edu.evil.com", Safety.CLEAR, "evil.com", Scope.DOMAIN, None),
    ("mypharmacy.com", Safety.CLEAR, "mypharmacy.com", Scope.DOMAIN, None),
]


@pytest.mark.parametrize(("raw", "safety", "target", "scope", "signal"), TABLE)
def test_safety_and_target(raw: str, safety: Safety, target: str, scope: Scope, signal: str | None) -> None:
    result = assessed(raw)
    assert (result.safety, result.target.name, result.target.scope) == (safety, target, scope)
    assert (signal is None and not result.signals) or signal in [s.name for s in result.signals]
    assert result.why


def test_target_carries_every_reading_of_the_name() -> None:
    target = assessed("http://shop.pills.ru.com/").target
    assert (target.host, target.registrable, target.private_suffix) == ("shop.pills.ru.com", "ru.com", "ru.com")
    assert target.tld == "com"
    assert assessed("bücher-kaufen.de").target.unicode == "bücher-kaufen.de"
    assert assessed("bücher.github.io").target.unicode == "bücher.github.io"


def test_every_signal_names_its_source_with_a_version() -> None:
    by_name = {s.name: s for raw, *_ in TABLE for s in assessed(raw).signals}
    for name, file in [("platform", "platforms.txt"), ("popular", "popular.txt"), ("university", "universities.txt")]:
        assert by_name[name].source == f"{file} 2026-11-25"
    assert by_name["private_suffix"].source == SUFFIXES.version
    assert assessed("our-notifier.org").signals[0].source == "settings own_names"
    assert assessed("verisign.com").signals[0].value == "registry_infrastructure verisign.com"


def test_the_worst_reading_wins_and_all_are_kept() -> None:
    lists = TargetLists(
        protected={"evil.mooo.com": "own"},
        platforms=frozenset({"mooo.com"}),
        popular=frozenset({"mooo.com"}),
        universities=frozenset(),
        versions={},
    )
    result = assessed("a.evil.mooo.com", lists)
    assert result.safety is Safety.REFUSE
    assert [s.name for s in result.signals] == ["protected", "platform", "popular"]
    assert assessed("b.mooo.com", lists).safety is Safety.REROUTE


@given(st.sampled_from(sorted(SHIPPED.platforms)), st.from_regex(r"[a-z]{1,12}", fullmatch=True))
def test_nothing_under_a_platform_can_reach_a_registry(platform: str, label: str) -> None:
    for raw in (platform, f"{label}.{platform}", f"https://{platform}/{label}"):
        result = assessed(raw)
        assert result.safety in (Safety.REROUTE, Safety.REFUSE)
        assert result.target.scope is not Scope.DOMAIN


@given(st.sampled_from(sorted(n for n in SHIPPED.protected if not n.endswith(".*"))))
def test_every_protected_name_and_all_below_it_are_refused(protected: str) -> None:
    if not SUFFIXES.is_public_suffix(protected):
        assert assessed(protected).safety is Safety.REFUSE
    assert assessed(f"www.some-name.{protected}").safety is Safety.REFUSE


def test_names_one_edit_apart() -> None:
    for listed, label, distance in [
        ("google", "google", 0),
        ("google", "gogle", 1),
        ("google", "googgle", 1),
        ("google", "goggle", 1),
        ("google", "googel", 1),
        ("google", "oggole", 2),
        ("google", "googles1", 2),
        ("google", "", 2),
    ]:
        assert _apart(listed, label) == _apart(label, listed) == distance


def test_every_name_under_which_a_registry_answers_is_protected() -> None:
    catalog = load_catalog(folder("config"))
    hosts = {urlsplit(base).hostname for registry in catalog.registries.values() for base in registry.rdap.values()}
    assert len(hosts) > 300
    for host in hosts:
        assert host is not None
        found = assess(parse(host, SUFFIXES), catalog.lists)
        assert (found.safety, found.signals[0].name) == (Safety.REFUSE, "protected"), host
    by_catalog = assess(
        parse("ryce-rsp.com", SUFFIXES), replace(catalog.lists, protected={"ryce-rsp.com": "rdap_host"})
    )
    assert by_catalog.signals[0].source == "registries/tlds.csv"


def test_samples_are_rarely_taken_for_another_name() -> None:
    """Of 200 names that were really reported not one is near to a listed one."""
    path = folder("config") / "samples" / "reports.ndjson"
    near = []
    for line in path.read_text(encoding="utf-8").splitlines():
        report = json.loads(line)
        try:
            found = assessed(report.get("domain") or report["urls"][0])
        except Refused:
            continue
        near += [(found.target.name, s.value) for s in found.signals if s.name == "near_name"]
    assert near == []


def test_shipped_lists_are_sound() -> None:
    assert FAULTS == ()
    for entries in (SHIPPED.platforms, SHIPPED.popular):
        for entry in entries:
            assert parse(entry, SUFFIXES).private_suffix is None, f"{entry} is in the public suffix list already"
    assert {parse(entry, SUFFIXES).registrable for entry in SHIPPED.popular} == SHIPPED.popular


def test_faults_name_file_and_line(tmp_path: Path) -> None:
    head = "# source: a test\n# date: 2026-01-02\n"
    (tmp_path / "protected.txt").write_text(
        head + "good.com own\nverisign.com registry_infrastructure\nBad.com government\n"
    )
    (tmp_path / "platforms.txt").write_text(head + "a.com\n\na.com\nb.com c.com\ngov.*\n")
    (tmp_path / "popular.txt").write_text("# date: yesterday\n")
    lists, faults = load_lists(tmp_path, own=["Ours.org"])
    assert [(f.file, f.line) for f in faults] == [
        ("protected.txt", 3),
        ("protected.txt", 5),
        ("platforms.txt", 5),
        ("platforms.txt", 6),
        ("platforms.txt", 7),
        ("popular.txt", 0),
        ("popular.txt", 0),
        ("popular.txt", 0),
        ("universities.txt", 0),
        ("settings", 0),
    ]
    assert all(f.what and f.expected for f in faults)
    assert dict(lists.protected) == {"verisign.com": "registry_infrastructure"}
    assert lists.versions["platforms"] == "platforms.txt 2026-01-02"


@pytest.mark.parametrize(
    ("label", "latin"),
    [("аррӏе", "apple"), ("раураl", "paypal"), ("gοοgle", "google"), ("ģöögle", "google"), ("plain", "plain")],
)
def test_skeleton(label: str, latin: str) -> None:
    assert skeleton(label) == latin


@pytest.mark.parametrize(
    ("label", "mixed"),
    [
        ("gооgle", ("CYRILLIC", "LATIN")),
        ("gοogle", ("GREEK", "LATIN")),
        ("東京タワーabc", ()),
        ("한글abc", ()),
        ("привет-123", ()),
        ("plain", ()),
    ],
)
def test_mixed_scripts(label: str, mixed: tuple[str, ...]) -> None:
    assert mixed_scripts(label) == mixed
