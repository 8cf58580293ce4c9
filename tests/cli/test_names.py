"""`notifier names`, as it is typed: how texts are read, with nothing stored and nobody asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from notifier.cli.main import app


def notifier(*args: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin, catch_exceptions=False)


def rows(said: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_names_of_the_command_line_are_read_as_fields() -> None:
    said = notifier(
        "names", "--json", "--name", "http://shop.pills.ru.com/", "--name", "faß.de", "--name", "see evil.com"
    )
    assert said.exit_code == 1
    first, second, third = rows(said)
    assert {key: first[key] for key in ("host", "registrable", "private_suffix", "domain", "safety", "code")} == {
        "host": "shop.pills.ru.com",
        "registrable": "ru.com",
        "private_suffix": "ru.com",
        "domain": "pills.ru.com",
        "safety": "reroute",
        "code": None,
    }
    assert (second["host"], second["unicode"], second["registry"]) == ("xn--fa-hia.de", "faß.de", "denic-eg")
    assert second["warnings"][0].startswith("deviation: ")
    assert (third["line"], third["code"], third["host"]) == (3, "invalid_name", None)


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "mail.txt"
    file.write_bytes(
        b"\xef\xbb\xbfevil.com\r\n\r\nsee hxxp://good[.]com/x or verisign.com\r\nm\xfcller.de\nnull\nplain words\n"
    )
    said = notifier("names", file, "--json")
    assert [(r["line"], r["host"], r["code"]) for r in rows(said)] == [
        (1, "evil.com", None),
        (3, "good.com", None),
        (3, "verisign.com", "protected"),
        (4, "xn--mller-kva.de", None),  # a line in Windows-1252 among others
        (5, None, "invalid_name"),
        (6, None, "nothing_named"),
    ]
    assert said.exit_code == 1
    assert notifier("names", "-", stdin=b"evil.com\nplain words\n").exit_code == 0


def test_people_read_one_block_for_each_name() -> None:
    said = notifier("names", "-", stdin="see g\u043e\u043egle.com and http://a.com\\@b.com/\n".encode())
    assert said.stdout.splitlines()[0] == "1: g\u043e\u043egle.com -> xn--ggle-55da.com (g\u043e\u043egle.com)"
    assert "CYRILLIC, LATIN" in said.stdout
    assert "ambiguous_host: programs disagree whether the host is 'a.com' or 'b.com'" in said.stdout
    assert said.stderr.strip() == "1 read, 1 ambiguous_host"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\x00\x01\x1b[31m evil.com\n",
        b"x\x00y.com",
        b"\xff\xff\xff.com\n\xed\xa0\x80.com",
        b"a" * 400_000 + b"\nevil.com\n",
        b"[." * 30_000,
        "\u202eevil.com \u2066hxxp://a[.]com\n".encode(),
        b"xn--" * 2000,
        b"[bold]evil.com[/bold]\n",
    ],
)
def test_hostile_input_gives_verdicts_and_nothing_else(content: bytes) -> None:
    said = notifier("names", "-", stdin=content)
    assert said.exit_code in (0, 1)
    assert not {c for c in said.stdout if ord(c) < 32 and c != "\n"}
    assert not set("\u202e\u2066\x1b") & set(said.stdout)
    for row in rows(notifier("names", "-", "--json", stdin=content)):
        assert (row["host"] is None) == (row["code"] is not None)


def test_a_line_that_is_far_too_long_does_not_hide_the_next() -> None:
    said = notifier("names", "-", "--json", stdin=b"evil.com " * 100_000 + b"\ngood.com\n")
    assert [(r["line"], r["host"], r["code"]) for r in rows(said)] == [(1, None, "too_large"), (2, "good.com", None)]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "give either a FILE"),
        (("nosuch.com",), "--name TEXT"),
        (("/",), "directory"),
        (("-", "--name", "evil.com"), "give either a FILE"),
        (("--recheck", "-"), "no file and no --name"),
        (("--recheck", "--name", "x"), "no file and no --name"),
        (("x\x00y",), "null byte"),
        (("--nope",), "No such option"),
        (("--name", "evil.com", "--config", "/nosuch.toml"), "nosuch.toml"),
    ],
)
def test_wrong_arguments_are_one_clear_error(args: tuple[str, ...], words: str) -> None:
    said = notifier("names", *args, stdin=b"")
    assert said.exit_code == 2
    assert words in said.stderr
    assert "Traceback" not in said.stderr
    assert said.stdout == ""


def test_utf16_is_told_from_hostile_bytes() -> None:
    said = notifier("names", "-", stdin="evil.com\n".encode("utf-16"))
    assert (said.exit_code, "save it as UTF-8" in said.stderr) == (2, True)
