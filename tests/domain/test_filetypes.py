"""What a file is, by its bytes: the magic numbers are those of the formats' own papers."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import filetypes
from notifier.errors import Refused

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

SAMPLES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a\x01\x00",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "video/mp4": b"\x00\x00\x00\x18ftypmp42",
    "application/pdf": b"%PDF-1.7\n",
    "application/gzip": gzip.compress(b"x", mtime=0),
    "application/zip": b"PK\x03\x04\x14\x00",
    "application/warc": b"WARC/1.1\r\nWARC-Type: warcinfo\r\n",
    "text/html": b"  <!DOCTYPE html><html><body>",
    "application/json": b'{"log": {"version": "1.2"}}',
    "message/rfc822": b"From: a@example.org\r\nSubject: x\r\n\r\nHello",
    "text/plain": "Überweisung in 3 Tagen".encode(),
}


@pytest.mark.parametrize(("media_type", "head"), SAMPLES.items())
def test_known_by_their_bytes(media_type: str, head: bytes) -> None:
    assert filetypes.found_in(head) == media_type
    for label in ("", "application/octet-stream", media_type, f"{media_type}; charset=x"):
        assert filetypes.judged("f", label, head) == media_type


@pytest.mark.parametrize(
    "head", [b"", b"MZ\x90\x00\x03", b"\x7fELF\x02", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"a\x00b", b"\xff\xfe\xfa"]
)
def test_what_is_not_taken(head: bytes) -> None:
    with pytest.raises(Refused) as refused:
        filetypes.judged("f", "", head)
    assert refused.value.code == "file_type"


@pytest.mark.parametrize(
    ("label", "head"),
    [
        ("application/gzip", SAMPLES["application/zip"]),  # a zip named .gz, and the other way round
        ("application/zip", SAMPLES["application/gzip"]),
        ("image/png", SAMPLES["image/jpeg"]),
        ("image/png", SAMPLES["text/html"]),
        ("text/plain", PNG),
    ],
)
def test_a_label_that_lies_is_refused(label: str, head: bytes) -> None:
    with pytest.raises(Refused, match="label it rightly"):
        filetypes.judged("f", label, head)


def test_a_text_may_be_called_by_what_it_is_for() -> None:
    assert filetypes.judged("f", "text/csv", b"a,b\n1,2\n") == "text/csv"
    assert filetypes.judged("f", "image/jpg", SAMPLES["image/jpeg"]) == "image/jpeg"


def test_a_character_cut_at_the_end_is_still_text() -> None:
    head = b"a" * (filetypes.HEAD_BYTES - 1) + "ü".encode()[:1]
    assert filetypes.found_in(head) == "text/plain"
    assert filetypes.found_in(b"a" * 10 + b"\xc3") is None


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\Beweis 1.pdf", "Beweis_1.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),  # the mark that writes from right to left is gone
        ('a"; rm -rf /.png', "png"),
        ("\r\nSet-Cookie: x", "Set-Cookie_x"),
        (".htaccess", "htaccess"),
        ("", "file"),
        ("\u200b\x00", "file"),
        ("x" * 300 + ".png", "x" * 76 + ".png"),
    ],
)
def test_safe_names(given: str, safe: str) -> None:
    assert filetypes.safe_name(given) == safe


@given(st.text(max_size=400))
def test_a_safe_name_is_safe_and_stays(name: str) -> None:
    safe = filetypes.safe_name(name)
    assert 0 < len(safe) <= 80
    assert safe.isascii()
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert safe[0] not in ".-_"
    assert filetypes.safe_name(safe) == safe
