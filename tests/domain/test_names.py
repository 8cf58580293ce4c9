"""Names at intake. Expected values come from IDNA2008, the URL standard and public bug reports, not from the code."""

import re

import pytest

from notifier.domain.names import Name, display, parse
from notifier.domain.urlparts import MAX_BYTES, cut
from notifier.errors import Refused
from notifier.suffixes import PublicSuffixes, load_suffixes

REAL = load_suffixes()

SMALL = PublicSuffixes(
    """// VERSION: 2026-01-02_03-04-05_UTC
// ===BEGIN ICANN DOMAINS===
com
net
uk
co.uk
io
ck
*.ck
!www.ck
// ===END ICANN DOMAINS===
// ===BEGIN PRIVATE DOMAINS===
github.io
ru.com
*.compute.cloud.com
// ===END PRIVATE DOMAINS===
"""
)


def codes(name: Name) -> list[str]:
    return [warning.partition(":")[0] for warning in name.warnings]


HOSTS = [
    # raw, host, registrable
    ("evil-pharm.com", "evil-pharm.com", "evil-pharm.com"),
    ("evil-pharm.com.", "evil-pharm.com", "evil-pharm.com"),
    ("WWW.Evil-Pharm.COM", "www.evil-pharm.com", "evil-pharm.com"),
    (
        "212.156.101.43.00-ebgp-atakoy1-k.301-fra-col-1.statik.turktelekom.com.tr",
        "212.156.101.43.00-ebgp-atakoy1-k.301-fra-col-1.statik.turktelekom.com.tr",
        "turktelekom.com.tr",
    ),
    ("a" * 63 + ".com", "a" * 63 + ".com", "a" * 63 + ".com"),
    ("a." * 125 + "com", "a." * 125 + "com", "a.com"),  # 253 bytes
    # suffix text repeated in the name (split on labels, never on text)
    ("evil.com.com", "evil.com.com", "com.com"),
    ("net.shop.net", "net.shop.net", "shop.net"),
    ("example.com.com.br", "example.com.com.br", "com.com.br"),
    ("shop.co.uk.com.co", "shop.co.uk.com.co", "uk.com.co"),
    # IDNA2008, non-transitional (RFC 5891, UTS 46)
    ("faß.de", "xn--fa-hia.de", "xn--fa-hia.de"),
    ("FAẞ.de", "xn--fa-hia.de", "xn--fa-hia.de"),
    ("fass.de", "fass.de", "fass.de"),
    ("Exämple.COM", "xn--exmple-cua.com", "xn--exmple-cua.com"),
    ("BÜCHER.de", "xn--bcher-kva.de", "xn--bcher-kva.de"),
    ("bu\u0308cher.de", "xn--bcher-kva.de", "xn--bcher-kva.de"),
    ("tést.com", "xn--tst-bma.com", "xn--tst-bma.com"),
    ("examp1e。com", "examp1e.com", "examp1e.com"),
    ("ｅｖｉｌ．ｃｏｍ", "evil.com", "evil.com"),
    ("gооgle.com", "xn--ggle-55da.com", "xn--ggle-55da.com"),
    ("点看.中国", "xn--3pxu8k.xn--fiqs8s", "xn--3pxu8k.xn--fiqs8s"),
    # the A-label is the identity, also when it has no valid Unicode form
    ("xn--photosuite-4r6e.com", "xn--photosuite-4r6e.com", "xn--photosuite-4r6e.com"),
    ("xn----5da7e.de", "xn----5da7e.de", "xn----5da7e.de"),
    ("XN--LS8H.la", "xn--ls8h.la", "xn--ls8h.la"),
    # names that IDNA alone would refuse and that exist
    ("ab--c.com", "ab--c.com", "ab--c.com"),
    ("a_b.evil.com", "a_b.evil.com", "evil.com"),
    ("-u-.evil.com", "-u-.evil.com", "evil.com"),
    # bracket and word styles
    ("evil[.]com", "evil.com", "evil.com"),
    ("evil(.)com", "evil.com", "evil.com"),
    ("evil{.}com", "evil.com", "evil.com"),
    ("evil[dot]com", "evil.com", "evil.com"),
    ("evil(dot)com", "evil.com", "evil.com"),
    ("evil [DOT] com", "evil.com", "evil.com"),
    ("evil dot com", "evil.com", "evil.com"),
    ("www[.]evil[.com", "www.evil.com", "evil.com"),
    # what surrounds the value
    ("  evil.com\n", "evil.com", "evil.com"),
    ("“evil.com”", "evil.com", "evil.com"),
    ("<evil.com>,", "evil.com", "evil.com"),
    ("\ufeffevil.com", "evil.com", "evil.com"),
    ("(evil.com)", "evil.com", "evil.com"),
    ("ev\u200bil.com", "evil.com", "evil.com"),
]


@pytest.mark.parametrize(("raw", "host", "registrable"), HOSTS)
def test_host_and_registrable_name(raw: str, host: str, registrable: str) -> None:
    name = parse(raw, REAL)
    assert (name.host, name.registrable, name.raw) == (host, registrable, raw)
    assert name.suffix_version == REAL.version
    assert parse(name.host, REAL).host == name.host


URLS = [
    ("https://evil.com/a?b#c", "evil.com", "https://evil.com/a?b#c"),
    ("hxxps://evil.com/a", "evil.com", "https://evil.com/a"),
    ("hxxp://evil[.]com/x", "evil.com", "http://evil.com/x"),
    ("hXXp://evil.com", "evil.com", "http://evil.com"),
    ("h00p://evil.com", "evil.com", "http://evil.com"),
    ("https[:]//evil.com", "evil.com", "https://evil.com"),
    ("hxxps[://]evil.com/a[.]php", "evil.com", "https://evil.com/a.php"),
    ("http:\\\\evil.com\\a", "evil.com", "http://evil.com/a"),
    ("FTP://evil.com/a", "evil.com", "ftp://evil.com/a"),
    (" http://evil.com", "evil.com", "http://evil.com"),
    ("http://evil.com\t/", "evil.com", "http://evil.com/"),
    ("//evil.com/x", "evil.com", "http://evil.com/x"),
    ("evil.com/x y", "evil.com", "http://evil.com/x%20y"),
    ("http://evil.com:80/", "evil.com", "http://evil.com/"),
    ("https://evil.com:8443", "evil.com", "https://evil.com:8443"),
    ("https://evil.com:/x", "evil.com", "https://evil.com/x"),
    ("http://faß.de/ß", "xn--fa-hia.de", "http://xn--fa-hia.de/ß"),
    ("http://ev%69l.com/", "evil.com", "http://evil.com/"),
    ("http://evil.com/#@good.com", "evil.com", "http://evil.com/#@good.com"),
    ("http://evil.com/http://good.com", "evil.com", "http://evil.com/http://good.com"),
    # doubled schemes are mended, and never read as the host "https"
    ("https://https://jpn.nec.com/x", "jpn.nec.com", "https://jpn.nec.com/x"),
    ("https://http//evil.com/x", "evil.com", "http://evil.com/x"),
    ("http://http%3a%2f%2fgaytoday%2ecom%2f", "gaytoday.com", "http://gaytoday.com/"),
    # junk from real mails
    ("hxxp:// feeds.rapidfeeds[.]com/88604/", "feeds.rapidfeeds.com", "http://feeds.rapidfeeds.com/88604/"),
    ("http://tintuc[.]vietbaotinmoi[.]com\u201d", "tintuc.vietbaotinmoi.com", "http://tintuc.vietbaotinmoi.com"),
    ('h00p://http://turbonacho(.)com/ocsr.html"＞', "turbonacho.com", "http://turbonacho.com/ocsr.html"),
]


@pytest.mark.parametrize(("raw", "host", "url"), URLS)
def test_url(raw: str, host: str, url: str) -> None:
    name = parse(raw, REAL)
    assert (name.host, name.url, name.raw) == (host, url, raw)


REFUSALS = [
    *[(raw, "invalid_name") for raw in (".example.net", "..", ".", "foo..bar.com", "evil.com..", "http://.evil.com/")],
    *[
        (raw, "ip_not_domain")
        for raw in (
            *("5.157.80.221", "5.157.80.221.", "0x7f.1", "2130706433", "0177.0.0.1", "999.1.1.1", "1.2.3[.]4"),
            *("[::1]", "::1", "2001:db8::1", "http://[2001:db8::1]:80/x", "[fe80::1%25eth0]", "１.２.３.４"),
            *("http://127.0.0.1:8080/a", "5.157.80.0/24"),
        )
    ],
    *[(raw, "invalid_name") for raw in ("a" * 64 + ".com", "a." * 126 + "om", "ü" * 63 + ".com", "b." * 500 + "com")],
    *[
        (raw, "invalid_name")
        for raw in ("null", "None", "undefined", "n/a", "N/A", "nan", "unknown", "<redacted>", "[redacted]", "-")
    ],
    *[(raw, "no_host") for raw in ("", "   ", "“”", "gethe.php", "krp3mg/images/", "/a/b.html", "./x", "?a=b", "#x")],
    *[(raw, "no_host") for raw in ("http://", "https:///a/b", "http://:80/", "http:evil.com", "http:/evil.com/")],
    *[(raw, "no_host") for raw in ("mailto:a@evil.com", "javascript:alert(1)", "file:///etc/passwd", "magnet:?xt=x")],
    *[(raw, "public_suffix") for raw in ("com", "co.uk", "http://co.uk/", "中国", "kawasaki.jp", "gov.uk", "COM.")],
    *[
        (raw, "ambiguous_host")
        for raw in (
            *(
                "http://evil.com\\@good.com/",
                "http://good.com@evil.com:8080/",
                "abuse@evil.com",
                "http://good.com\\.evil.com",
            ),
            *("http://good.com%40evil.com/", "http://good.com%5c@evil.com/", "http://e\tvil.com/", "evil\n.com"),
        )
    ],
    *[
        (raw, "invalid_name")
        for raw in (
            *("evil.nosuchtld", "localhost", "shop.test", "shop.example", "a.invalid", "printer.local", "abc.onion"),
            *("a.Xn--B.A.A.a", "xn--.com", "word", "http://redacted/x", "hxxp://<redacted>/28022018/pz.zip.\xa0"),
            *("ev\x00il.com", "\x00evil.com", "evil.com/\x01", "\ud800.com", "a_b.com", "-bad.com", "bad-.com"),
            *(
                "http://domain rsafinderfirewall[.]com",
                "evil.com and more",
                "*.evil.com",
                "||evil.com^",
                "evil.com:port",
            ),
            *("http://evil.com:65536/", "http://a:b:c/", "☃.net", "≠.com", "evil.com／x", "http://%ff.com/"),
            *("http://evil%2fgood.com/", "http://" * 9 + "evil.com", "[evil.com](http://good.com)", "א1a.com"),
        )
    ],
]


@pytest.mark.parametrize(("raw", "code"), REFUSALS)
def test_refusal(raw: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(raw, REAL)
    assert refusal.value.code == code
    assert len(refusal.value.detail) < 400
    assert re.fullmatch(r"[^\x00-\x1f\ud800-\udfff\u202a-\u202e]+", refusal.value.detail), "shown text is escaped"


@pytest.mark.parametrize(
    ("raw", "hosts"),
    [
        ("http://evil.com\\@good.com/", ["evil.com", "good.com"]),
        ("http://good.com@evil.com:8080/", ["good.com", "evil.com"]),
        ("http:\\\\evil.com\\@good.com/", ["evil.com", "good.com"]),
        ("https://user:secret@evil.com/", ["user", "evil.com"]),
    ],
)
def test_ambiguous_host_names_both_readings(raw: str, hosts: list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        parse(raw, REAL)
    assert refusal.value.extra["hosts"] == hosts
    assert all(host in refusal.value.detail for host in hosts)


@pytest.mark.parametrize(
    ("raw", "private_suffix", "private_registrable", "registrable"),
    [
        ("http://shop.pills.ru.com/", "ru.com", "pills.ru.com", "ru.com"),
        ("pills.ru.com", "ru.com", "pills.ru.com", "ru.com"),
        ("ru.com", "ru.com", None, "ru.com"),
        ("evil.github.io", "github.io", "evil.github.io", "github.io"),
        ("github.io", "github.io", None, "github.io"),
        ("notgithub.io", None, None, "notgithub.io"),
        ("a.b.eu.compute.cloud.com", "eu.compute.cloud.com", "b.eu.compute.cloud.com", "cloud.com"),
        ("www.cloud.com", None, None, "cloud.com"),
        ("www.ck", None, None, "www.ck"),
        ("a.b.shop.ck", None, None, "b.shop.ck"),
    ],
)
def test_private_suffix_is_a_second_reading(
    raw: str, private_suffix: str | None, private_registrable: str | None, registrable: str
) -> None:
    name = parse(raw, SMALL)
    assert name.private_suffix == private_suffix
    assert name.private_registrable == private_registrable
    assert name.registrable == registrable


def test_the_bundled_list_is_dated_and_has_both_sections() -> None:
    assert re.search(r"20\d\d-\d\d-\d\d", REAL.version)
    assert SMALL.version == "publicsuffix.org 2026-01-02_03-04-05_UTC"
    assert parse("http://shop.pills.ru.com/", REAL).private_registrable == "pills.ru.com"
    assert parse("evil.github.io", REAL).registrable == "github.io"
    for unlisted in ("mooo.com", "itch.io", "zoho.com"):
        assert parse(f"a.{unlisted}", REAL).private_suffix is None
    with pytest.raises(ValueError, match="VERSION"):
        PublicSuffixes("com\n")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("xn--photosuite-4r6e.com", "opaque_a_label"),
        ("xn----5da7e.de", "opaque_a_label"),
        ("xn--ls8h.la", "opaque_a_label"),
        ("faß.de", "deviation"),
        ("xn--fa-hia.de", "deviation"),
        ("gооgle.com", "mixed_scripts"),
        ("https://https://evil.com/x", "doubled_scheme"),
        ("a_b.evil.com", "unusual_label"),
        ("ev\u200bil.com", "invisible"),
        ("“evil.com”", "trimmed"),
        ("http://ev%69l.com/", "percent_encoded"),
        ("hxxp:// evil[.]com", "space_removed"),
        ("http://evil.com/a\nb", "line_break_removed"),
    ],
)
def test_warning(raw: str, code: str) -> None:
    assert code in codes(parse(raw, REAL))


@pytest.mark.parametrize("raw", ["evil.com", "bücher.de", "点看.中国", "東京タワーabc.jp", "https://evil.com/x"])
def test_ordinary_names_carry_no_warning(raw: str) -> None:
    assert parse(raw, REAL).warnings == ()


def test_mixed_scripts_are_named() -> None:
    assert any("CYRILLIC, LATIN" in warning for warning in parse("gооgle.com", REAL).warnings)


@pytest.mark.parametrize(
    ("a_label", "shown"),
    [
        ("xn--fa-hia", "faß"),
        ("xn--bcher-kva.de", "bücher.de"),
        ("xn--photosuite-4r6e", "xn--photosuite-4r6e"),
        ("xn----5da7e", "xn----5da7e"),
        ("xn--ls8h", "xn--ls8h"),
        ("xn---bbk", "xn---bbk"),  # a fake A-label: decodes, but is not what encoding gives
        ("xn--", "xn--"),
        ("plain", "plain"),
    ],
)
def test_display(a_label: str, shown: str) -> None:
    assert display(a_label) == shown


def test_both_forms_of_a_name_are_one_identity() -> None:
    assert parse("tést.com", REAL).host == parse("xn--tst-bma.com", REAL).host == "xn--tst-bma.com"
    assert parse("xn--tst-bma.com", REAL).unicode == "tést.com"


def test_the_limit_counts_bytes() -> None:
    room = MAX_BYTES - len("http://evil.com/")
    assert parse("http://evil.com/" + "é" * (room // 2), REAL).host == "evil.com"
    for raw in ("http://evil.com/" + "é" * (room // 2) + "x", "a" * (MAX_BYTES + 1)):
        with pytest.raises(Refused, match="8192 bytes") as refusal:
            parse(raw, REAL)
        assert refusal.value.code == "too_large"


def test_cut_keeps_port_and_path_as_written() -> None:
    parts = cut("hxxps://Evil[.]com:8443/A/é?q=1#f")
    assert (parts.scheme, parts.host, parts.port, parts.rest) == ("https", "Evil.com", 8443, "/A/é?q=1#f")
