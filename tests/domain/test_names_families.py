"""Every kind of fault that inputs to such programs were reported to have, as families: each member is one row."""

import re

import pytest

from notifier.domain.names import Name, parse
from notifier.domain.urlparts import MAX_BYTES
from notifier.errors import Refused
from notifier.suffixes import load_suffixes

SUFFIXES = load_suffixes()


def code_of(raw: str) -> str:
    try:
        return f"read as {parse(raw, SUFFIXES).host}"
    except Refused as refusal:
        return refusal.code if len(refusal.detail) < 400 else "a text too long to show"


def warned(name: Name) -> set[str]:
    return {warning.partition(":")[0] for warning in name.warnings}


ONE_NAME = {
    "root dots, also the ideographic ones": [
        *(
            "evil.com.",
            "evil.com。",
            "evil.com．",
            "evil.com｡",
            "evil。com",
            "evil．com。",
            "EVIL.COM.",
            "evil.com.:80",
        ),
        *("http://evil.com./x", "http://evil.com。/x", "evil[.]com[.]", "evil.com.\u200b", "evil%2ecom%2e"),
    ],
    "brackets around dots": [
        *("evil[.]com", "evil(.)com", "evil{.}com", "evil[dot]com", "evil(dot)com", "evil{dot}com", "evil[DOT]com"),
        *("evil [.] com", "evil[ . ]com", "evil( dot )com", "evil [dot] com", "evil[.com", "evil.]com", "evil(.]com"),
        *("evil[[.]]com", "evil dot com", "evil DOT com", "evil\tdot\tcom", "www[dot]evil[dot]com", "evil%2Ecom"),
    ],
    "schemes": [
        *(
            "hxxp://evil.com",
            "hXXp://evil.com",
            "h00p://evil.com",
            "h**p://evil.com",
            "h__p://evil.com",
            "hxtp://evil.com",
        ),
        *("http[:]//evil.com", "http[://]evil.com", "http:[//]evil.com", "http(:)//evil.com", "http{:}//evil.com"),
        *(
            "[http]://evil.com",
            "(hxxp)://evil.com",
            "[hxxp][:]//evil[.]com",
            "http:\\\\evil.com",
            "hxxp[:]\\\\evil.com",
        ),
        *("http:\\/evil.com", "http:/\\evil.com", "HTTP://EVIL.COM", "hxxp:// evil[.]com", "http ://evil.com"),
        *("http://www.evil[.]com[/]x", "ftp://evil.com", "fxp://evil.com", "meow://evil.com", "//evil.com"),
    ],
    "doubled schemes": [
        *("http://http://evil.com", "https://http://evil.com", "HTTP://HTTPS://EVIL.COM", "http://hxxp://evil[.]com"),
        *(
            "hxxp://hxxp[:]//evil[.]com",
            "https://http//evil.com",
            "http://http:/evil.com",
            "http:\\\\http:\\\\evil.com",
        ),
        *("http://http%3a%2f%2fevil.com", "http://http%3A//evil.com", "http://http://http://evil.com"),
    ],
    "ports": [
        "evil.com:80",
        "evil.com:0080",
        "http://evil.com:8080/",
        "evil.com:65535",
        "evil.com:",
        "evil.com[:]8080",
    ],
    "around the value": [
        *(" evil.com ", "\tevil.com\r\n", "\xa0evil.com\u3000", "\ufeffevil.com", "\u202eevil.com", "\u200bevil.com"),
        *(
            '"evil.com"',
            "'evil.com'",
            "“evil.com”",
            "«evil.com»",
            "`evil.com`",
            "<evil.com>",
            "＜evil.com＞",
            "(evil.com)",
        ),
        *("[evil.com]", "{evil.com}", "evil.com,", "evil.com;", "evil.com!", "evil.com)", "<http://evil.com>"),
    ],
    "inside the name, as browsers read it": [
        *(
            "ev\u00adil.com",
            "ev\u200bil.com",
            "ev\u2060il.com",
            "ｅｖｉｌ.com",
            "ⓔⓥⓘⓛ.com",
            "𝕖𝕧𝕚𝕝.com",
            "EVIL.com",
            "ev%69l.com",
        ),
    ],
}


@pytest.mark.parametrize(("family", "raw"), [(family, raw) for family, raws in ONE_NAME.items() for raw in raws])
def test_one_name_however_it_is_written(family: str, raw: str) -> None:
    name = parse(raw, SUFFIXES)
    assert name.registrable == "evil.com", family
    assert name.host in ("evil.com", "www.evil.com")
    assert name.raw == raw
    assert parse(name.host, SUFFIXES).host == name.host
    if name.url:
        assert parse(name.url, SUFFIXES).host == name.host


SCHEMES = [
    ("hxxps://evil.com/a", "https://evil.com/a"),
    ("hXXpS://evil.com/a", "https://evil.com/a"),
    ("h00ps://evil.com", "https://evil.com"),
    ("https[:]//evil.com", "https://evil.com"),
    ("[hxxps]://evil[.]com", "https://evil.com"),
    ("https(:)//evil.com", "https://evil.com"),
    ("http://https://evil.com/x", "https://evil.com/x"),
    ("https://http://evil.com/x", "http://evil.com/x"),
    ("fxps://evil.com", "ftps://evil.com"),
    ("https://https.evil.com", "https://https.evil.com"),
    ("http://httpbin.org/", "http://httpbin.org/"),
    ("http://http.com/", "http://http.com/"),
]


@pytest.mark.parametrize(("raw", "url"), SCHEMES)
def test_the_scheme_is_the_one_that_was_written(raw: str, url: str) -> None:
    assert parse(raw, SUFFIXES).url == url


REFUSED = {
    ("ip_not_domain", "dotted, octal, hexadecimal, short, decimal, too large"): [
        *("5.157.80.221", "0177.0.0.1", "0300.0250.0.1", "0x7f.1", "0X7F.0.0.1", "0x7f000001", "0177.0x0.0.1", "127.1"),
        *("127.0.1", "2130706433", "0", "0x", "4294967296", "0x100000000", "00000000000000000000000000000177.1"),
        *("256.256.256.256", "1.2.3.4.5", "1.2.3.08", "foo.1", "foo.09", "a.0x1", "1.2.3.4/24", "1.2.3.4:80", "0b1.1"),
    ],
    ("ip_not_domain", "in disguise"): [
        *(
            "5.157.80.221.",
            "127.0.0.1。",
            "5。157。80。221",
            "１２７．０．０．１",
            "127｡0｡0｡1",
            "①.②.③.④",
            "1.2.3.4\u200b",
        ),
        *(
            "1[.]2[.]3[.]4",
            "1 dot 2 dot 3 dot 4",
            "hxxp://1.2.3[.]4/x",
            "[1.2.3.4]",
            "%31%32%37.0.0.1",
            "http://0x7f.1:80/",
        ),
    ],
    ("ip_not_domain", "IPv6"): [
        *(
            "::",
            "::1",
            "fe80::1",
            "2001:db8::1",
            "2001:db8::1.",
            "1:2:3:4:5:6:7:8",
            "[::1]",
            "[::1].",
            "[::1]:80",
            "[::1",
        ),
        *("http://::1]/", "http://[::1]/", "http://[2001:db8::1]:80/x", "http://2001:db8::1/", "hxxp://[2001:db8::1]"),
        *("fe80::1%eth0", "[fe80::1%25eth0]", "http://[fe80::1%25en0]:80/", "[2001[:]db8::1]", "2001[:]db8[:][:]1"),
    ],
    ("ip_not_domain", "IPv4 in IPv6"): [
        *("::ffff:1.2.3.4", "[::ffff:1.2.3.4]", "::ffff:c0a8:1", "http://[::ffff:7f00:1]", "0:0:0:0:0:ffff:127.0.0.1"),
        *("[64:ff9b::1.2.3.4]", "::1.2.3.4"),
    ],
    ("invalid_name", "what looks like an address and is none"): [
        *("1::2::3", "[v1.abc]", "[::ffff:0x7f.1]", "[:::1]", "[1.2.3]:80:80", "1.2.3.4..", "1.2.3.4%00", "1e3", "::g"),
    ],
    ("invalid_name", "empty labels"): [
        *(
            ".",
            "..",
            "...",
            ".evil.com",
            "evil..com",
            "evil.com..",
            "。evil.com",
            "evil.。com",
            "evil.com.。",
            "http://.evil.com/",
        ),
        *(
            "evil.\u200b.com",
            "evil.\u00ad.com",
            "\u00ad.com",
            "evil[.].com",
            "evil%2e%2ecom",
            "http://../",
            "evil.com…",
        ),
    ],
    ("invalid_name", "control characters"): [
        *("ev\x00il.com", "evil.com\x00", "\x00", "evil.com\x00.good.com", "http://evil.com/\x00", "evil\x1b.com"),
        *("evil\x7f.com", "evil\x9f.com", "http://evil.com%00.good.com", "http://http://%00evil.com"),
        *("ev\u202eil.com", "\ud800.com", "evil.com/\udfff"),
    ],
    ("invalid_name", "words for nothing"): [
        *(
            "null",
            "NULL",
            "Null",
            "none",
            "undefined",
            "Undefined.",
            "nan",
            "nil",
            "n/a",
            "N/A",
            "#N/A",
            "unknown",
            "-",
            "--",
        ),
        *("<null>", "(null)", "[null]", "{null}", '"null"', "<redacted>", "[redacted]", "redacted", "missing", "empty"),
        *("null/", "http://null/x", "http://undefined", "http://undefined/", "TBD", "none.none", "undefined.undefined"),
        *("[object Object]", "{{domain}}", "${domain}", "%s", "\\N", "not available", "domain", "http://domain/x"),
        *("http://<domain>/x", "http://domain.tld/", "True", "—"),
    ],
    ("invalid_name", "two names in one field"): [
        *("evil.com,good.com", "evil.com;good.com", "evil.com good.com", "evil.com|good.com", "evil.com\u3000good.com"),
        *("http://evil.comhttp://good.com", "http://evil.comhttps://good.com/x", "http://evil.com,http://good.com"),
        *(
            "http://evil.com;http://good.com",
            "http://evil.com http://good.com",
            "evil.com&good.com",
            "evil.com+good.com",
        ),
        *("[evil.com](http://good.com)", "http://domain evil[.]com", "https://www.https://evil.com"),
    ],
    ("invalid_name", "letters that look like separators"): [
        *(
            "evil.com／good.com",
            "evil.com＼good.com",
            "good.com＠evil.com",
            "good.com﹫evil.com",
            "evil.com：80",
            "evil.com？x",
        ),
        *("evil.com＃x", "evil.com％", "evil․com", "evil‧com", "evil·com", "evil℀com.de", "evil＊com", "evil＿com"),
    ],
    ("invalid_name", "ways of hiding a dot that we do not undo"): [
        *(
            "evil<.>com",
            "evil<dot>com",
            "evil_dot_com",
            "evil-dot-com",
            "evil[d0t]com",
            "evil .com",
            "evil. com",
            "evil[,]com",
        ),
        *("evil&period;com", "evil=2Ecom", "evil%5B.%5Dcom", "user[at]evil.com", "evil[.]c0m", "https : // evil . com"),
    ],
    ("invalid_name", "schemes that nobody can read"): [
        *(
            "httphttps://evil.com",
            "httphttp://evil.com",
            "hxxphxxp://evil.com",
            "a*b://evil.com",
            "http://ftp://evil.com",
        ),
        *("https://https:evil.com", "http://" * 9 + "evil.com"),
    ],
    ("invalid_name", "ports that are none"): [
        *("evil.com:65536", "evil.com:-1", "evil.com:８０", "evil.com:80:80", "evil.com:80a", "http://evil.com:+80/"),
        *("http://evil.com: 80/", "http://evil.com:8 0/", "http://evil.com:99999999999999999999/"),
    ],
    ("invalid_name", "not in IDNA2008, and not an A-label"): [
        *(
            "☃.net",
            "💩.la",
            "i❤.ws",
            "😀.com",
            "½.com",
            "≠.com",
            "א1a.com",
            "\u0300a.com",
            "·.com",
            "-é.com",
            "é-.com",
            "ab--é.com",
        ),
        *("xn--é.com", "a\u200db.com", "א٣1.com", "١٢٧.٠.٠.١", "٣۳.com"),
    ],
    ("invalid_name", "cannot be registered"): [
        *("a_b.com", "-bad.com", "bad-.com", "xn--.com", "xn--a-.com", "xn--google-.com", "_.com", "a.Xn--B.A.A.a"),
    ],
    ("no_host", "paths, files, schemes without a host"): [
        *(
            "gethe.php",
            "krp3mg/images/",
            "/a/b.html",
            "./x",
            "../x",
            "?a=b",
            "#x",
            "",
            " ",
            "“”",
            "\u200b",
            "http://",
            "https:///a",
        ),
        *(
            "http://:80/",
            "http:evil.com",
            "http:/evil.com",
            "https//evil.com",
            "https:\\/\\/evil.com\\/x",
            "http:///evil.com",
        ),
        *(
            "mailto:a@evil.com",
            "javascript:alert(1)//evil.com",
            "data:text/html,x",
            "file:///etc/passwd",
            "magnet:?xt=x",
        ),
        *(
            "tel:+123",
            "http:http://evil.com",
            "blob:https://evil.com/x",
            "view-source:https://evil.com",
            "#REF!",
            "#VALUE!",
        ),
    ],
    ("public_suffix", "names under which others register"): [
        *(
            "com",
            "COM.",
            "co.uk",
            "http://co.uk/",
            "中国",
            "xn--fiqs8s",
            "kawasaki.jp",
            "ck",
            "na",
            "XXX",
            "http://com:80/",
        ),
    ],
    ("too_large", "bytes, not characters"): [
        "a" * (MAX_BYTES + 1),
        "http://evil.com/" + "é" * 4089,
        "http://evil.com/" + "💩" * 2045,
        " " * (MAX_BYTES + 1),
    ],
}


@pytest.mark.parametrize(
    ("code", "family", "raw"), [(code, family, raw) for (code, family), raws in REFUSED.items() for raw in raws]
)
def test_refused(code: str, family: str, raw: str) -> None:
    assert code_of(raw) == code, family


AMBIGUOUS = [
    # raw, the hosts that are shown, in the order in which they stand
    ("http://evil.com\\@good.com/", ["evil.com", "good.com"]),
    ("http://paypal.com@evil.com:8080/", ["paypal.com", "evil.com"]),
    ("http://evil.com:80@good.com/", ["evil.com", "good.com"]),
    ("http://evil.com:80\\@good.com/", ["evil.com", "good.com"]),
    ("http://evil.com\\good.com", ["evil.com", "good.com"]),
    ("http://evil.com\\.good.com", ["evil.com", "good.com"]),
    ("http://a.com@b.com\\c.com", ["b.com", "c.com"]),
    ("http://user:pw@evil.com\\@good.com", ["evil.com", "good.com"]),
    ("http://a.com@b.com@c.com", ["a.com", "c.com"]),
    ("http:\\\\evil.com\\@good.com", ["evil.com", "good.com"]),
    ("\\\\evil.com\\share", ["evil.com", "share"]),
    ("http://good.com%40evil.com/", ["good.com", "evil.com"]),
    ("http://evil.com%5cgood.com", ["evil.com", "good.com"]),
    ("http://good.com%5c@evil.com/", ["good.com", "evil.com"]),
    ("http://good.com;@evil.com", ["good.com", "evil.com"]),
    ("http://good.com\n@evil.com", ["good.com", "evil.com"]),
    ("http://1.2.3.4@evil.com", ["1.2.3.4", "evil.com"]),
    ("http://[::1]@evil.com", ["[::1]", "evil.com"]),
    ("http://http://good.com@evil.com", ["good.com", "evil.com"]),
    ("hxxp://good[.]com@evil[.]com", ["good.com", "evil.com"]),
    ("abuse@evil.com", ["abuse", "evil.com"]),
    ("http://evil.com\r\n.good.com", ["evil.com.good.com", "evil.com"]),
    ("http://e\tvil.com/", ["evil.com", "e"]),
]


@pytest.mark.parametrize(("raw", "hosts"), AMBIGUOUS)
def test_where_programs_disagree_both_hosts_are_shown_and_none_is_taken(raw: str, hosts: list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        parse(raw, SUFFIXES)
    assert refusal.value.code == "ambiguous_host"
    assert refusal.value.extra["hosts"] == hosts
    assert all(repr(host) in refusal.value.detail for host in hosts)


@pytest.mark.parametrize("raw", ["http://@evil.com/", "http://:@evil.com", "http://evil.com@", "http://evil.com\\:80/"])
def test_a_user_name_mark_with_one_host_alone_is_no_choice_but_a_fault(raw: str) -> None:
    assert code_of(raw) == "invalid_name"


@pytest.mark.parametrize(
    ("raw", "host", "warning"),
    [
        # A-labels that do not lead back to themselves: the identity stays, and what a reader would see does not
        ("xn--photosuite-4r6e.com", "xn--photosuite-4r6e.com", "opaque_a_label"),
        ("xn----5da7e.de", "xn----5da7e.de", "opaque_a_label"),
        ("xn--e28h.com", "xn--e28h.com", "opaque_a_label"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws", "opaque_a_label"),
        ("xn--a.com", "xn--a.com", "opaque_a_label"),
        ("xn--0.com", "xn--0.com", "opaque_a_label"),
        ("xn--99999999.com", "xn--99999999.com", "opaque_a_label"),
        ("xn--xn---epa.com", "xn--xn---epa.com", "opaque_a_label"),
        ("xn--ab-j1t.com", "xn--ab-j1t.com", "opaque_a_label"),
        ("ｘｎ－－ls8h.la", "xn--ls8h.la", "opaque_a_label"),
        ("xn--fa-hia.DE.", "xn--fa-hia.de", "deviation"),
        ("σίγμας.gr", "xn--kxaef0b5ab.gr", "deviation"),
        ("نامه\u200cای.com", "xn--mgba3gch31f060k.com", "deviation"),
        ("fаss.de", "xn--fss-6cd.de", "mixed_scripts"),
        ("ﬁ.com", "fi.com", "mapped"),
        ("ℂ.com", "c.com", "mapped"),
        ("℡.com", "tel.com", "mapped"),
        ("_dmarc.evil.com", "_dmarc.evil.com", "unusual_label"),
        ("http://evil.com/a,http://good.com/b", "evil.com", "second_address"),
        ("http://evil.com/http://good.com", "evil.com", "second_address"),
        ("https://evil.com/?to=https%3A%2F%2Fgood.com", "evil.com", "second_address"),
    ],
)
def test_what_a_reviewer_must_know(raw: str, host: str, warning: str) -> None:
    name = parse(raw, SUFFIXES)
    assert name.host == host
    assert warning in warned(name)
    if warning == "opaque_a_label":
        assert name.unicode == name.host


@pytest.mark.parametrize("raw", ["ab--c.com", "a_b.evil.com", "r3---sn-4g5e.evil.com", "xn--bcher-kva.de", "аррӏе.com"])
def test_names_that_exist_are_taken(raw: str) -> None:
    assert not code_of(raw).startswith("invalid")


def test_two_spellings_that_other_programs_confuse_stay_two_names() -> None:
    pairs = [
        ("faß.de", "fass.de"),
        ("xn----5da7e.de", "xn----zfa7e.de"),
        ("xn--photosuite-4r6e.com", "photosuite.com"),
        ("σίγμας.gr", "σίγμασ.gr"),
        ("evil.com.com", "evil.com"),
    ]
    for one, other in pairs:
        assert parse(one, SUFFIXES).registrable != parse(other, SUFFIXES).registrable


def test_limits_are_bytes() -> None:
    assert code_of("a" * 63 + ".com") == "read as " + "a" * 63 + ".com"
    assert code_of("a" * 64 + ".com") == "invalid_name"
    assert code_of("ü" * 50 + ".com").startswith(
        "read as xn--"
    )  # 50 letters, of which Punycode makes 63 bytes or fewer
    assert code_of("ü" * 63 + ".com") == "invalid_name"
    assert code_of("a." * 125 + "com").startswith("read as")  # 253 bytes
    assert code_of("aa." + "a." * 124 + "com") == "invalid_name"  # 254
    assert code_of("http://evil.com/" + "a" * (MAX_BYTES - 16)) == "read as evil.com"
    with pytest.raises(Refused, match=re.escape(f"{MAX_BYTES} bytes")):
        parse("http://evil.com/" + "a" * (MAX_BYTES - 15), SUFFIXES)
