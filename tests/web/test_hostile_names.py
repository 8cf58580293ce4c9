"""Whatever stands where a name should: the HTTP face answers with a verdict, never with a 5xx, and goes on working."""

import csv
import io
import json
import random
import string
from typing import Any

import pytest

from tests.services.stages import MAIL, row
from tests.web.callers import Callers

# Of the kinds that break programs: words of languages, numbers, quotes, markup, commands, paths, Unicode's corners.
HOSTILE = [
    *(
        "",
        " ",
        "undefined",
        "null",
        "NaN",
        "None",
        "true",
        "-1",
        "0",
        "1e400",
        "0x7f.1",
        "1/0",
        "\\",
        "\\N",
        "''",
        '"',
        "`",
    ),
    *(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{7*7}}",
        "${7*7}",
        "%s%n",
        "%00",
        "../../etc/passwd",
    ),
    *(
        "'; drop table cases; --",
        "$(reboot)",
        "| ls",
        "&& true",
        "\r\nBcc: a@b.com",
        "evil.com\r\nX: y",
        "\u0007\u001b[31m",
    ),
    *(
        "\u202eevil.com",
        "ev\u202eil.com",
        "\u200b",
        "\ufeff",
        "\ufffe.com",
        "\uffff",
        "\u2028",
        "\u0085",
        "Z\u0351\u036b\u0343.com",
    ),
    *(
        "\U0001f4a9.la",
        "\U000e0001.com",
        "\U0010ffff.com",
        "田中.com",
        "א.com",
        "مرحبا.com",
        "𝓮𝓿𝓲𝓵.com",
        "ﷺ.com",
        "İ.com",
        "ß.de",
    ),
    *(
        "http://[",
        "http://]",
        "http://[::1",
        "http://a:b:c:d",
        "http://a@b@c",
        "http://\\",
        "http://%",
        "http://%zz.com",
        "://",
    ),
    *(
        "http://" * 50,
        "[." * 2000,
        "." * 5000,
        "a." * 2000 + "com",
        "xn--" * 1000,
        "@" * 3000,
        "é" * 4000,
        "%41" * 2000,
    ),
    *(
        "xn--.com",
        "xn---.com",
        "xn--a-.com",
        "a.Xn--B.A.A.a",
        "xn--99999999.com",
        "xn--" + "z" * 59 + ".com",
        "XN--0.com",
    ),
    *("http://evil.com\\@good.com/", "http://good.com@evil.com", "evil.com..", ".evil.com", "127.1", "::ffff:1.2.3.4"),
]


def a_labels(count: int) -> list[str]:
    rng = random.Random()  # other names in every run; what fails is shown with its name
    letters = string.ascii_lowercase + string.digits + "-"
    return [f"xn--{''.join(rng.choices(letters, k=rng.randint(0, 59)))}.com" for _ in range(count)]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_one_report(callers: Callers, text: str) -> None:
    for report in ({**row(MAIL), "domain": text}, {**row(MAIL, domain=None), "urls": [text, text]}):
        said = await callers.post("/reports", report)
        assert said.status in (201, 200, 413, 422), said
        assert said.status < 300 or (said.code and said.body["detail"])


async def test_text_that_is_no_unicode(callers: Callers) -> None:
    for text in (
        b'"\\ud800.com"',
        b'"\xff.com"',
        b'"\\u0000.com"',
        b"123",
        b'["evil.com"]',
        b'{"a": 1}',
        b"1e999",
    ):
        data = json.dumps(row(MAIL)).encode().replace(f'"{MAIL}"'.encode(), text, 1)
        said = await callers.post("/reports", data=data)
        assert said.status == 422, (text, said)


async def test_a_batch_of_them_gives_each_row_its_verdict(callers: Callers) -> None:
    texts = [text for text in HOSTILE if text.strip()] + a_labels(100)
    lines = "\n".join(json.dumps({"domain": text, "program": "opioids", "summary": "s"}) for text in texts)
    said = await callers.post("/reports/batch", data=lines.encode(), headers={"Content-Type": "application/x-ndjson"})
    assert said.status == 200, said
    check(said.body, len(texts))
    taken = {r["host"] for r in said.body["results"] if r["code"] is None and r["host"]}
    for text, result in zip(texts, said.body["results"], strict=True):
        if text.startswith("xn--") and result["code"] is None:
            assert result["host"] == text
    assert len(taken) > 50


async def test_a_spreadsheet_of_them(callers: Callers) -> None:
    texts = [text for text in HOSTILE if text.strip() and "\r" not in text] + a_labels(40)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([["domain", "program", "summary"], *([text, "opioids", "s"] for text in texts)])
    data = file.getvalue().encode("utf-8")
    said = await callers.post("/reports/batch", data=data, headers={"Content-Type": "text/csv"})
    assert said.status == 200, said
    check(said.body, len(texts))


def check(body: dict[str, Any], count: int) -> None:
    assert len(body["results"]) == count
    assert not [r for r in body["results"] if r["code"] is None and r["case_id"] is None]
    assert all(r["detail"] for r in body["results"] if r["code"])
    assert not [r for r in body["results"] if r["code"] in ("internal", "unavailable")]


async def test_both_readings_and_their_versions_stand_in_the_case(callers: Callers) -> None:
    said = await callers.post("/reports", {**row(MAIL, urls=None), "domain": "http://shop.pills.ru.com/"})
    shown = await callers.get(f"/cases/{said.body['case_id']}")
    body = shown.body
    assert (body["domain"], body["host"]) == ("pills.ru.com", "shop.pills.ru.com")
    assert (body["registrable"], body["private_suffix"], body["scope"]) == ("ru.com", "ru.com", "host")
    assert body["suffix_version"].startswith("publicsuffix.org 20")
    assert body["names_version"] >= 1


async def test_a_case_is_found_by_either_spelling(callers: Callers) -> None:
    said = await callers.post("/reports", {**row(MAIL, urls=None), "domain": "tést-pills.com"})
    assert said.body["domain"] == "xn--tst-pills-b4a.com"
    for spelling in ("tést-pills.com", "xn--tst-pills-b4a.com", "TÉST-pills[.]com."):
        page = await callers.session.get(
            "/api/v1/cases",
            params={"domain": spelling},
            headers={"Authorization": f"Bearer {callers.tokens['reviewer']}"},
        )
        assert [case["id"] for case in (await page.json())["items"]] == [said.body["case_id"]]
    again = await callers.post(
        "/reports", {**row(MAIL, urls=None), "domain": "xn--TST-pills-b4a.com.", "external_id": "again"}
    )
    assert again.body["case_id"] == said.body["case_id"]
