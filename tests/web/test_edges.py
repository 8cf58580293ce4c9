"""Bad input over HTTP: a problem document that says what to do, nothing lost, and never a 5xx."""

import json
import re
from typing import Any

import pytest

from tests.services.stages import MAIL, row
from tests.web.callers import NOBODY, PROBLEM, Callers

DEEP = b"[" * 100_000 + b"]" * 100_000
HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    b"\x00",
    b"{",
    b"null",
    b"123",
    b'"text"',
    DEEP,
    b'{"program": ' + b"9" * 5000 + b"}",
    b'{"program": "piracy", "domain": "a\\u0000.com", "summary": "s"}',
    b'{"program": "piracy", "domain": "\\ud800.com", "summary": "s"}',
    b'{"program": "piracy", "domain": "evil.com", "summary": "\\udfff"}',
    b'{"program": "\\u0000", "domain": "evil.com", "summary": "s"}',
    b'{"program": "piracy", "domain": "evil.com", "summary": NaN}',
    b'{"program": "piracy", "program": "opioids", "domain": 1e400, "summary": "s"}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:40]))
async def test_a_hostile_report_is_refused_and_kept(callers: Callers, body: bytes) -> None:
    before = await callers.stage.ctx.db.fetchval("select count(*) from report")
    answer = await callers.post("/reports", data=body)
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith(PROBLEM)
    assert answer.body["detail"]
    kept = await callers.stage.ctx.db.fetchrow("select raw, code from report where id = $1", answer.body["report_id"])
    assert (bytes(kept["raw"]), kept["code"]) == (body, answer.code)
    assert await callers.stage.ctx.db.fetchval("select count(*) from report") == before + 1


async def test_csam_is_not_kept(callers: Callers) -> None:
    body = json.dumps({**row(MAIL), "content_flags": ["csam"], "summary": "a secret word: xyzzy"}).encode()
    answer = await callers.post("/reports", data=body)
    assert (answer.status, answer.code) == (422, "csam_refused")
    kept = await callers.stage.ctx.db.fetchrow("select * from report where id = $1", answer.body["report_id"])
    assert (kept["raw"], kept["principal"], kept["body"]) == (None, "", None)
    assert "xyzzy" not in str(dict(kept))


async def test_a_batch_answers_row_by_row(callers: Callers) -> None:
    sheet = (
        "\ufeffdomain;program;summary;colour\nfaß.de;piracy;Müller, GmbH;red\n1.2.3.4;piracy;x;\ngethe.php;piracy;y;\n"
    )
    answer = await callers.post("/reports/batch", data=sheet.encode(), headers={"Content-Type": "text/csv"})
    assert answer.status == 200
    assert {k: answer.body[k] for k in ("accepted", "duplicates", "refused")} == {
        "accepted": 1,
        "duplicates": 0,
        "refused": 2,
    }
    assert answer.body["ignored_columns"] == ["colour"]
    assert [(r["row"], r["domain"], r["code"]) for r in answer.body["results"]] == [
        (1, "xn--fa-hia.de", None),
        (2, None, "ip_not_domain"),
        (3, None, "no_host"),
    ]
    again = await callers.post(
        "/reports/batch", data=sheet.encode("cp1252", "ignore"), headers={"Content-Type": "text/csv"}
    )
    assert (again.body["accepted"], again.body["duplicates"]) == (0, 1)


async def test_a_key_names_one_body(callers: Callers) -> None:
    first = await callers.post("/reports", row(MAIL), headers={"Idempotency-Key": "k1"})
    same = await callers.post("/reports", row(MAIL), headers={"Idempotency-Key": "k1"})
    other = await callers.post("/reports", row(MAIL, summary="other words"), headers={"Idempotency-Key": "k1"})
    assert (first.status, same.status, other.status) == (201, 200, 409)
    assert first.body["report_id"] == same.body["report_id"]
    assert other.code == "idempotency_mismatch"


ODD: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/api/v1/nowhere", {}, 404, "not_found"),
    ("DELETE", "/api/v1/cases", {}, 405, "method_not_allowed"),
    ("GET", "/api/v1/cases?colour=red", {}, 422, "invalid"),
    ("GET", "/api/v1/cases?limit=0", {}, 422, "invalid"),
    ("GET", "/api/v1/cases?limit=1&limit=2", {}, 422, "invalid"),
    ("GET", "/api/v1/cases?cursor=AAAA", {}, 422, "invalid"),
    ("GET", "/api/v1/cases?domain=%00", {}, 422, "invalid"),
    ("GET", "/api/v1/cases/not-an-id", {}, 404, "not_found"),
    (
        "POST",
        "/api/v1/reports",
        {"data": b"x", "headers": {"Content-Type": "text/plain"}},
        415,
        "unsupported_media_type",
    ),
    ("POST", "/api/v1/reports/batch", {"data": b"a,b\n", "headers": {"Content-Type": "text/csv"}}, 422, "invalid"),
    ("POST", "/api/v1/reports", {"data": b"x" * (1 << 21)}, 413, "too_large"),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "code"), ODD)
async def test_an_odd_request_gets_a_problem(
    callers: Callers, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    answer = await callers.call(method, path, **options)
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_unsigned_webhook_stores_nothing(callers: Callers) -> None:
    answer = await callers.post("/inbound/verisign", {"type": "notice.response", "data": {}}, by=NOBODY)
    assert (answer.status, answer.code) == (401, "bad_signature")
    assert await callers.stage.ctx.db.fetchval("select count(*) from inbound where channel = 'webhook'") == 0


@pytest.mark.parametrize("page", ["/", "/docs"])
async def test_pages_ask_nobody_else(callers: Callers, page: str) -> None:
    answer = await callers.call("GET", page, by=NOBODY)
    assert answer.status == 200
    asked = re.findall(r"""(?:src|href)=["']([^"']+)""", answer.body)
    assert asked
    assert [url for url in asked if "//" in url] == []
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert "X-Simulated-Time" in answer.headers


async def test_metrics_and_health_tell_of_the_house(callers: Callers) -> None:
    assert (await callers.call("GET", "/healthz", by=NOBODY)).body == {"alive": True}
    assert (await callers.call("GET", "/readyz", by=NOBODY)).body == {"database": True, "queue": True}
    metrics = str((await callers.call("GET", "/metrics", by=NOBODY)).body)
    for name in ("notifier_http_requests_total", "notifier_cases", "notifier_queue", "notifier_alarms_untold"):
        assert name in metrics, name
