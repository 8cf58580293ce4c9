"""Mail read with bounded work. Shapes follow RFC 2045-2047; the bounds are counted in steps, not in seconds."""

import base64
import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import mail_class, mail_match, mail_text, mime
from notifier.domain.mail_match import Ours
from notifier.domain.mime import MAX_DELIMITERS, MAX_DEPTH, MAX_FIELDS, MAX_PARTS, MAX_STEPS

OURS = Ours("notices", "replies.notifier.example")


def multipart(boundary: str, *parts: str, kind: str = "mixed") -> str:
    inside = "".join(f"\n--{boundary}\n{part}" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\npreamble{inside}\n--{boundary}--\nepilogue\n'


def nested(depth: int) -> bytes:
    """Multiparts within multiparts, `depth` of them, with a text in the innermost."""
    inner = "Content-Type: text/plain\n\ninnermost"
    for n in range(depth):
        inner = multipart(f"b{n}", inner)
    return inner.encode()


def test_parts_and_where_they_end() -> None:
    text = multipart("one", "Content-Type: text/plain\n\nhello\n", multipart("two", "\nthere", "X-A: b\n\nyou"))
    mail = mime.read(text.encode())
    assert mail.fault is None
    assert [(p.depth, p.media_type) for p in mail.parts] == [
        (0, "multipart/mixed"),
        (1, "text/plain"),
        (1, "multipart/mixed"),
        (2, "text/plain"),
        (2, "text/plain"),
    ]
    bodies = [mail.raw[p.start : p.end] for p in mail.parts]
    assert (bodies[1], bodies[3], bodies[4]) == (b"hello\n", b"there", b"you")
    assert mail.parts[4].get("x-a") == "b"


def test_a_message_inside_is_a_part_of_its_own() -> None:
    text = multipart("b", "Content-Type: message/rfc822\n\nSubject: within\nContent-Type: text/html\n\n<p>x")
    mail = mime.read(text.encode())
    assert [(p.depth, p.media_type) for p in mail.parts] == [
        (0, "multipart/mixed"),
        (1, "message/rfc822"),
        (2, "text/html"),
    ]
    assert mail.parts[2].get("subject") == "within"


def test_a_field_over_several_lines_is_one() -> None:
    mail = mime.read(b"Subject: a\r\n b\r\n\tc\r\nTo: x@y.example\r\n\r\nbody")
    assert (mail.get("subject"), mail.get("to")) == ("a b\tc", "x@y.example")


def test_what_the_delivery_tells_stands_above_the_mail_s_own() -> None:
    mail = mime.read(b"Return-Path: <liar@x.example>\n\nbody", {"Return-Path": "<>"})
    assert mail.get("return-path") == "<>"


def test_an_outer_delimiter_ends_what_is_inside() -> None:
    """A part that is never closed ends where its parent goes on (RFC 2046 §5.1.2)."""
    head = "Content-Type: multipart/mixed; boundary="
    text = f"{head}a\n\n--a\n{head}b\n\n--b\n\nin\n--a\n\nout\n--a--\n"
    mail = mime.read(text.encode())
    assert [mail.raw[p.start : p.end] for p in mail.parts][2:] == [b"in", b"out"]


def test_a_boundary_of_a_part_that_is_over_delimits_nothing() -> None:
    text = multipart("a", multipart("b", "\nin"), "\ntext\n--b\nmore")
    mail = mime.read(text.encode())
    assert mail.raw[mail.parts[-1].start : mail.parts[-1].end] == b"text\n--b\nmore"


# --- bounds -------------------------------------------------------------------------------------------------------


def field_of(name: str, size: int) -> bytes:
    return f"{name}: ".encode() + b"x" * size + b"\n\nbody"


BOMBS = {
    "deep": (nested(MAX_DEPTH + 1), "deeper"),
    "very deep": (nested(2_000), "deeper"),
    "messages in messages": (b"Content-Type: message/rfc822\n\n" * 5_000, "deeper"),
    "many parts": (multipart("b", *["\nx"] * (MAX_PARTS + 1)).encode(), "parts"),
    "very many parts": (multipart("b", *["\nx"] * 100_000).encode(), "parts"),
    "many fields": (b"".join(b"X-%d: y\n" % n for n in range(MAX_FIELDS + 1)) + b"\nbody", "fields"),
    "a large field": (field_of("Subject", mime.MAX_FIELD_BYTES + 1), "field"),
    "a field of many lines": (b"Subject: x\n" + b" y" * 40 + b"\n" + (b" z" * 40 + b"\n") * 5_000 + b"\nbody", "field"),
    "encoded words": (b"Subject: " + b"=?utf-8?q?x?= " * 2_001 + b"\n\nbody", "encoded words"),
    "encoded words over lines": (b"Subject: x\n" + b" =?a?q?x?=\n" * 2_001 + b"\nbody", "encoded words"),
    "lines like boundaries": (multipart("b", "\n" + "--x\n" * (MAX_DELIMITERS + 1)).encode(), "boundaries"),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_what_is_over_a_bound_is_a_fault_and_costs_little(bomb: tuple[bytes, str]) -> None:
    mail = mime.read(bomb[0])
    assert mail.fault is not None
    assert bomb[1] in mail.fault
    assert mail.steps <= MAX_STEPS
    assert len(mail.parts) <= MAX_PARTS


def test_what_is_just_within_the_bounds_is_read() -> None:
    deepest = mime.read(nested(MAX_DEPTH))
    assert (deepest.fault, mail_text.comment(deepest)) == (None, "innermost")
    assert mime.read(multipart("b", *["\nx"] * (MAX_PARTS - 1)).encode()).fault is None
    assert mime.read(b"".join(b"X-%d: y\n" % n for n in range(MAX_FIELDS)) + b"\nbody").fault is None


def test_a_mail_of_one_long_line_takes_one_step() -> None:
    assert mime.read(b"x" * 5_000_000).steps == 1


def zip_bomb() -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 10_000_000)
    return made.getvalue()


UNREAD = {
    "zip": ("application/zip", base64.b64encode(zip_bomb()).decode()),
    "tnef": ("application/ms-tnef", base64.b64encode(b"\x78\x9f\x3e\x22" * 50).decode()),
    "octets": ("application/octet-stream", "not base64 at all \x00"),
}


@pytest.mark.parametrize("part", UNREAD.values(), ids=UNREAD)
def test_files_are_never_opened(part: tuple[str, str]) -> None:
    file = f"Content-Type: {part[0]}\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n{part[1]}"
    mail = mime.read(multipart("b", file, "\nsee the file").encode())
    assert (mail.fault, mail_text.comment(mail)) == (None, "see the file")
    assert list(mail_text.quoted(mail)) == ["see the file"]


def test_uuencode_stays_text() -> None:
    text = "begin 644 x.zip\n#0V%T\n`\nend"
    assert mail_text.comment(mime.read(f"Subject: x\n\n{text}\n".encode())) == text


def test_text_is_decoded_as_far_as_the_bound_goes() -> None:
    raw = b"Content-Transfer-Encoding: base64\n\n" + base64.b64encode(b"a" * 3_000_000)
    mail = mime.read(raw)
    assert len(mail_text.text_of(mail, mail.top)) == mail_text.MAX_TEXT * 3 // 4
    assert mail_text.comment(mail) == "a" * mail_text.MAX_COMMENT


def whole(raw: bytes) -> mime.Mail:
    """Everything that is ever done with a mail's bytes."""
    mail = mime.read(raw)
    mail_match.clues(mail, OURS)
    mail_class.classify(mail, OURS)
    mail_match.delivery_of(raw, OURS)
    return mail


PIECES = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"\r\n",
        b"\n",
        b"\n\n",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b'Content-Type: text/plain; charset="punycode"',
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Action: failed",
        b"Subject: =?utf-8?B?/////w==?= =?x?q?=?=",
        b"From: MAILER-DAEMON@x.example",
        b"To: notices+abcdefghij@replies.notifier.example",
        b"=\xff=C3",
        b"\x00",
    ]
)


@given(
    st.one_of(st.binary(max_size=2_000), st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=80).map(b"".join))
)
def test_any_bytes_are_a_mail_and_cost_no_more_than_their_lines(raw: bytes) -> None:
    mail = whole(raw)
    lines = raw.count(b"\n") + raw.count(b"\r") + 1
    assert mail.steps <= min(MAX_STEPS, 2 * lines)
    for part in mail.parts:
        assert 0 <= part.start <= part.end <= len(raw)


@given(st.integers(0, 40), st.integers(0, 300))
def test_depth_and_number_of_parts_are_held(depth: int, parts: int) -> None:
    mail = whole(multipart("top", *["\nx"] * parts, nested(depth).decode()).encode())
    assert len(mail.parts) <= MAX_PARTS
    assert max(p.depth for p in mail.parts) <= MAX_DEPTH
    assert (mail.fault is None) == (depth + 1 <= MAX_DEPTH and parts + depth + 2 <= MAX_PARTS)


# --- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        # C-086: Q and B mixed, no blank between the words, and a character cut in two.
        ("=?UTF-8?Q?Auf?==?UTF-8?Q?=C3=BCr_?==?UTF-8?B?w7xi?=", "Aufür üb"),
        ("=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BCn?=", "Grün"),
        ("=?iso-8859-1?Q?Fa=E7ade?= and =?utf-8?Q?=C3=A9?=", "Façade and é"),
        ("=?utf-8*en?Q?a?=", "a"),
        ("=?ks_c_5601-1987?B?vsiz5w==?=", "안녕"),
        ("=?x-unknown?Q?=E9?=", "é"),
        ("=?utf-8?B?!!!?=", ""),
        ("=?utf-8?Q?no end", "=?utf-8?Q?no end"),
    ],
)
def test_encoded_words(value: str, expected: str) -> None:
    assert mail_text.words(value) == expected


@pytest.mark.parametrize(
    ("charset", "content", "expected"),
    [
        (None, "é".encode(), "é"),
        (None, b"\xe9", "é"),
        ("ks_c_5601-1987", b"\xbe\xc8\xb3\xe7", "안녕"),
        ("unicode", b"caf\xe9", "café"),
        ("x-unknown", b"caf\xe9", "café"),
        ("utf-7", b"caf+AOk-", "café"),
        ("punycode", b"caf\xe9", "café"),
        ("idna", b"caf\xe9", "café"),
        ("zlib", b"caf\xe9", "café"),
        ("rot13", b"caf\xe9", "café"),
        ("undefined", b"caf\xe9", "café"),
        ("unicode_escape", b"\\u0041", "\\u0041"),
        ("\0", b"caf\xe9", "café"),
        ("gb2312", "网站".encode("gb18030"), "网站"),
    ],
)
def test_any_charset_is_read_as_far_as_it_can_be(charset: str | None, content: bytes, expected: str) -> None:
    assert mail_text.decode(content, charset) == expected


def test_html_alone_is_read_without_its_tags() -> None:
    html = "<html><head><title>t</title><style>p {}</style></head><body><p>We act&nbsp;now.</p><script>x</script>Bye"
    mail = mime.read(f"Content-Type: text/html\n\n{html}".encode())
    assert mail_text.comment(mail) == "We act now.\nBye"
