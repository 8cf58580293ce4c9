"""Free text: what is certain is proposed, the rest is shown with its reason, and no domain is ever made up."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.mentions import MAX_LINE, Mention, mentions, of_field
from notifier.domain.names import parse
from notifier.suffixes import load_suffixes
from tests.domain.drawing import some

SUFFIXES = load_suffixes()


def told(*lines: str) -> list[str]:
    return [m.name.host if m.name else str(m.code) for m in mentions(lines, SUFFIXES)]


def test_the_junk_pack_gives_four_proposals_and_invents_none() -> None:
    pack = [
        "hxxp:// feeds.rapidfeeds[.]com/88604/",
        "http://tintuc[.]vietbaotinmoi[.]com\u201d",
        "http://http%3a%2f%2fgaytoday%2ecom%2f",
        'h00p://http://turbonacho(.)com/ocsr.html"\uff1e',
        "hxxp://<redacted>/28022018/pz.zip.\xa0",
        "http://domain rsafinderfirewall[.]com",
    ]
    found = list(mentions(pack, SUFFIXES))
    assert [(m.line, m.name.registrable) for m in found if m.name] == [
        (1, "rapidfeeds.com"),
        (2, "vietbaotinmoi.com"),
        (3, "gaytoday.com"),
        (4, "turbonacho.com"),
    ]
    assert [(m.line, m.code, m.text) for m in found if not m.name] == [
        (5, "no_host", "hxxp://<redacted>/28022018/pz.zip."),
        (6, "no_host", "http://domain rsafinderfirewall[.]com"),
    ]
    assert found[3].name is not None
    assert found[3].name.url == "http://turbonacho.com/ocsr.html"


PROSE = [
    # line, hosts proposed or codes, in the order of the line
    ("We saw hxxp://evil[.]com/x, and www.good.com.", ["evil.com", "www.good.com"]),
    ("Look (http://a.com/b_(c)) and [this](https://b.com/).", ["a.com", "b.com"]),
    ('<a href="http://evil.com/x">evil.com</a>', ["evil.com", "evil.com"]),
    ("| evil.com | 12 | good.net |", ["evil.com", "good.net"]),
    ("evil.com,good.com;third.net", ["evil.com", "good.com", "third.net"]),
    ("http://evil.com/a,http://good.com/b", ["evil.com", "good.com"]),
    ("http://evil.com/a,b.html?c=d,e today", ["evil.com"]),
    ("Domain: evil.com", ["evil.com"]),
    ("Domain:evil.com", ["evil.com"]),
    ("URL=http://evil.com/x", ["evil.com"]),
    ("it is **evil.com**, `good.com` and 'third.net'!", ["evil.com", "good.com", "third.net"]),
    ("evil [.] com and good(dot)com", ["evil.com", "good.com"]),
    ("faß.de und fass.de", ["xn--fa-hia.de", "fass.de"]),
    ("see xn--photosuite-4r6e.com there", ["xn--photosuite-4r6e.com"]),
    ("port evil.com:8080 is open", ["evil.com"]),
    ("ev\u200bil.com is bad", ["evil.com"]),
    ("请看http://evil.com/x", ["evil.com"]),
    ("请看 evil.com。下一句", ["evil.com"]),
    ("see shop.evil.github.io and co.uk", ["shop.evil.github.io"]),
    ("https://web.archive.org/web/2020/http://evil.com/ x", ["web.archive.org"]),
    # what may be meant otherwise
    ("the polka dot is red", ["uncertain"]),
    ("visit evil dot com today", ["uncertain"]),
    ("visit evil.co dot uk today", ["uncertain"]),
    ("sells pills.No prescription", ["uncertain"]),
    ("Done.It works", ["uncertain"]),
    ("open invoice.zip and run.sh", ["uncertain", "uncertain"]),
    ("去请看evil.com 吧", ["uncertain"]),
    # addresses that must not be taken apart
    ("see http://evil.com\\@good.com/ there", ["ambiguous_host"]),
    ("see good.com@evil.com:80 there", ["ambiguous_host"]),
    ("see evil.com\\good.com there", ["ambiguous_host"]),
    ("see http://evil.comhttp://good.com there", ["invalid_name"]),
    ("see http://localhost, evil.com", ["no_host"]),
    ("see http://redacted/x for more", ["no_host"]),
    ("hxxp://<domain>.com/x", ["no_host"]),
    ("write to sales@evil.com.", ["mail_address"]),
    ("servers 10.0.0.1 and [1.2.3[.]4]", ["ip_not_domain", "ip_not_domain"]),
    ("http://[::1]/ x", ["ip_not_domain"]),
    # ordinary words
    ("e.g. this, i.e. that at 3.5 or v1.2.3, a.m. and/or etc...", ["nothing_named"]),
    ("O'Reilly.com? redacted domain null undefined", ["nothing_named"]),
    ("Hello world", ["nothing_named"]),
    # a line with one thing is a field
    ("evil dot com", ["evil.com"]),
    ('  "http://evil.com/x",', ["evil.com"]),
    ("null", ["invalid_name"]),
    ("Hello", ["invalid_name"]),
    ("5.157.80.221.", ["ip_not_domain"]),
    ("co.uk", ["public_suffix"]),
    ("http://evil.com\\@good.com/", ["ambiguous_host"]),
    ("ev\x00il.com", ["invalid_name"]),
    ("   ", []),
    ("a" * (MAX_LINE + 1), ["too_large"]),
]


@pytest.mark.parametrize(("line", "expected"), PROSE)
def test_line(line: str, expected: list[str]) -> None:
    assert told(line) == expected


def test_lines_are_counted_and_texts_are_as_written() -> None:
    found = list(mentions(["", "see hxxp://evil[.]com/x.", "", "none here"], SUFFIXES))
    assert [(m.line, m.text) for m in found] == [(2, "hxxp://evil[.]com/x"), (4, "none here")]
    assert found[0].name is not None
    assert found[0].name.url == "http://evil.com/x"
    assert of_field(1, "see evil.com", SUFFIXES).code == "invalid_name"


WORDS = st.sampled_from(
    [
        *(
            "evil",
            "good",
            "com",
            "de",
            "xn--fa-hia",
            "ß",
            "请看",
            "the",
            "redacted",
            "http",
            "hxxp",
            "www",
            "dot",
            "1",
            "é",
        ),
        *(
            ".",
            "[.]",
            "(dot)",
            " dot ",
            "。",
            "@",
            "\\",
            "/",
            ":",
            "://",
            "://",
            " ",
            " ",
            "\t",
            ",",
            ";",
            "<",
            ">",
            '"',
            "'",
        ),
        *("(", ")", "[", "]", "|", "\u200b", "\x00", "%2e", "-", "_", "\ud800"),
    ]
)
LINES = st.one_of(st.lists(WORDS, max_size=16).map("".join), st.text(max_size=60), st.text(st.characters(codec=None)))


@settings(max_examples=some(3000), deadline=None)
@given(LINES)
def test_any_line_gives_verdicts_and_only_whole_words_of_it(line: str) -> None:
    found: list[Mention] = list(mentions([line], SUFFIXES))
    assert bool(found) == bool(line.strip())
    for mention in found:
        assert (mention.name is None) == (mention.code is not None)
        if mention.name is None:
            continue
        assert parse(mention.text, SUFFIXES).host == mention.name.host
        # It stands in the line, and is no piece of a longer word, user name or address.
        places = [(line[: at.start()], line[at.end() :]) for at in re.finditer(re.escape(mention.text), line)]
        assert places
        assert any(
            not re.search(r"[\w@\\%-]$", before) and not re.match(r"[\w@\\%-]", after) for before, after in places
        )


PIECES = [
    *(
        "[.",
        " [.] ",
        " dot ",
        "a dot ",
        "http://",
        "http:// ",
        "h",
        "(",
        ")",
        "]",
        "a.",
        "@",
        "a@b.c ",
        "\\",
        ",http://a",
        "。",
    ),
    *("x,", "xn--", "http://a ", "hxxp[:]//", "<a>", " ", "\u200b", "é", "请", "1.1.1.1 ", "://", "a:", ".", "[", "*"),
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_line_takes_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        line = piece * (size // len(piece))
        began = time.process_time()
        list(mentions([line, "x " + line], SUFFIXES))
        return time.process_time() - began

    assert seconds(MAX_LINE - 8) < 3  # the worst takes a sixth of this on a busy machine
