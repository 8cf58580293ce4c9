"""What every request gets: a token read strictly, an id, one log line without secrets, and errors that tell nothing."""

import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from notifier.errors import NotifierError
from notifier.web.errors import is_unavailable, problems
from tests.services.stages import MAIL, row
from tests.web.callers import NOBODY, PROBLEM, Callers

BAD_TOKENS = [
    "",
    "Bearer",
    "Bearer ",
    "Basic dTpw",
    "Bearer a b",
    "Bearer tn_unknown",
    "Bearer \xe9",
    "Bearer " + "x" * 600,
]


@pytest.mark.parametrize("value", BAD_TOKENS)
async def test_a_token_that_is_none_is_challenged(callers: Callers, value: str) -> None:
    answer = await callers.get("/cases", by=NOBODY, headers={"Authorization": value})
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")  # RFC 9110 §11.6.1


async def test_two_tokens_are_none(callers: Callers) -> None:
    good = f"Bearer {callers.tokens['submitter']}"
    headers = [("Authorization", good), ("Authorization", good)]
    async with callers.session.get("/api/v1/cases", headers=headers) as answer:
        assert answer.status == 401


async def test_the_schemes_name_knows_no_case(callers: Callers) -> None:
    headers = {"Authorization": f"bEARER {callers.tokens['submitter']}"}
    assert (await callers.get("/cases", by=NOBODY, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ('{"a":1}', False)]
)
async def test_a_sane_request_id_is_kept(callers: Callers, given: str, kept: bool) -> None:
    answer = await callers.get("/cases", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert len(answer.headers["X-Request-Id"]) >= 8


async def test_one_log_line_a_request_and_no_secret_in_it(callers: Callers) -> None:
    with capture_logs() as lines:
        answer = await callers.get("/cases?domain=hidden-name.com", headers={"X-Request-Id": "log-me"})
    assert answer.status == 200
    seen = [line for line in lines if line["event"] == "http.request"]
    assert [(line["route"], line["method"], line["code"]) for line in seen] == [("/api/v1/cases", "GET", 200)]
    told = json.dumps(lines)
    assert "hidden-name" not in told
    assert callers.tokens["submitter"] not in told


async def test_every_answer_carries_the_headers(callers: Callers) -> None:
    for path in ("/api/v1/cases", "/api/v1/nowhere", "/", "/docs", "/openapi.json"):
        answer = await callers.call("GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'"), path
        assert answer.headers["Cache-Control"] == "no-store", path
        assert answer.headers["X-Simulated-Time"].startswith("2026-11-"), path


async def test_accept_is_not_looked_at(callers: Callers) -> None:
    answer = await callers.get("/cases", headers={"Accept": "image/webp"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")


async def test_a_compressed_body_is_read_and_a_broken_one_is_told(callers: Callers) -> None:
    report = json.dumps(row(MAIL)).encode()
    headers = {"Content-Encoding": "gzip"}
    assert (await callers.post("/reports", data=gzip.compress(report), headers=headers)).status == 201
    broken = await callers.post("/reports", data=report, headers=headers)
    assert (broken.status, broken.code) in [(422, "malformed"), (400, "bad_request")]


async def test_a_small_body_may_not_unpack_to_a_large_one(callers: Callers) -> None:
    bomb = gzip.compress(b" " * (32 << 20))
    assert len(bomb) < 1 << 16
    answer = await callers.post("/reports", data=bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.code) == (413, "too_large")


@pytest.fixture
async def failing() -> AsyncIterator[aiohttp.ClientSession]:
    """A server whose handlers fail as they should not."""

    async def bug(_: web.Request) -> web.Response:
        raise RuntimeError("the password is hunter2")

    async def ours(_: web.Request) -> web.Response:
        raise NotifierError("row 17 of table secrets is odd")

    app = web.Application(middlewares=[problems])
    app.add_routes([web.get("/bug", bug), web.get("/ours", ours)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        yield session
    await runner.cleanup()


@pytest.mark.parametrize("path", ["/bug", "/ours"])
async def test_what_we_did_not_expect_tells_nothing_and_is_logged(failing: aiohttp.ClientSession, path: str) -> None:
    with capture_logs() as lines:
        async with failing.get(path) as answer:
            text = await answer.text()
    assert (answer.status, answer.content_type) == (500, PROBLEM)
    assert json.loads(text)["code"] == "internal"
    assert "hunter2" not in text
    assert "secrets" not in text
    assert [line["log_level"] for line in lines] == ["error"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), True),
        (FileNotFoundError(2, "no socket"), True),
        (TimeoutError(), True),
        (ValueError("not a uuid"), False),
        (KeyError("x"), False),
    ],
)
def test_an_outage_is_told_from_a_fault(error: Exception, expected: bool) -> None:
    assert is_unavailable(error) is expected
