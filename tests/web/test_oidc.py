"""Signing in by an identity provider, against a real one; and what such a provider, or somebody between, might do wrong."""

import html
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import oidc_provider_mock
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from notifier.catalog import ConfigFaults
from notifier.errors import Unauthenticated, Unavailable
from notifier.net import oidc
from notifier.net.oidc import Provider
from notifier.net.safe_http import Egress, guarded_session
from notifier.services import identities, people
from notifier.services.access import Role
from notifier.services.context import Context
from notifier.services.people import Reach
from notifier.settings import load_settings
from notifier.web.app import make_app
from tests.services.stages import Stage
from tests.web.browsing import PASSWORD, Reader, Shown
from tests.web.callers import Callers

CLIENT, SECRET = "trusted-notifier", "a secret: with %"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread(require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
async def house(callers: Callers, issuer: str) -> AsyncIterator[tuple[Context, str]]:
    """The house with a provider, served beside the rehearsal's own face."""
    async with serving(callers.stage, issuer) as found:
        yield found


class serving:
    def __init__(self, stage: Stage, issuer: str) -> None:
        self.stage, self.issuer = stage, issuer

    async def __aenter__(self) -> tuple[Context, str]:
        self.session = guarded_session(Egress.LOOPBACK, total_timeout=10)
        opened = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{opened.getsockname()[1]}"
        ctx = self.stage.ctx
        settings = replace(ctx.settings, public_url=url, oidc_issuer=self.issuer, oidc_name="the university's sign-in")
        provider = Provider(self.issuer, CLIENT, SECRET, f"{url}/sign-in/oidc/callback", self.session)
        ctx = replace(ctx, settings=settings, oidc=provider)
        self.runner = web.AppRunner(make_app(ctx, ready=_ready), access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.SockSite(self.runner, opened).start()
        return ctx, url

    async def __aexit__(self, *said: object) -> None:
        await self.runner.cleanup()
        await self.session.close()


async def _ready() -> dict[str, bool]:
    return {}


@pytest.fixture
async def reader(house: tuple[Context, str]) -> AsyncIterator[Reader]:
    opened = Reader(house[1])
    yield opened
    await opened.close()


async def let_in(address: str, subject: str, **form: str) -> str:
    """What the person does at the provider; the address that it sends the browser back to."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data={"sub": subject, **form}, allow_redirects=False) as answer,
    ):
        assert answer.status == 302, await answer.text()
        return str(answer.headers["Location"])


def path(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


async def out(reader: Reader, way: str = "/sign-in/oidc") -> str:
    """Leave for the provider; where to."""
    left = await reader.get(way, follow=False)
    assert left.status == 303, left.words
    return str(left.headers["Location"])


async def invited(ctx: Context, name: str, role: Role = Role.REVIEWER) -> str:
    return await people.add(ctx.db, name, Reach(role), by="test")


async def tied(house: tuple[Context, str], reader: Reader, name: str, subject: str) -> Shown:
    """Somebody takes up their invitation with an identity."""
    link = f"/welcome/{await invited(house[0], name)}"
    offered = await reader.get(link)
    assert "Use the university's sign-in" in offered.words
    assert f'href="{link}/oidc"' in offered.text
    return await reader.get(path(await let_in(await out(reader, f"{link}/oidc"), subject)))


# --- with the real provider -----------------------------------------------------------------------------------------


async def test_an_invitation_ties_an_identity_which_signs_in_from_then_on(
    house: tuple[Context, str], reader: Reader
) -> None:
    ctx, url = house
    entered = await tied(house, reader, "Olga Oidc", "olga@university.example")
    assert entered.url.startswith("/desk/queue")  # where a reviewer begins, without a second step of ours
    row = await ctx.db.fetchrow("select * from credential where principal = 'Olga Oidc'")
    assert row is not None
    assert (row["oidc_subject"], row["password_hash"]) == ("olga@university.example", None)
    assert await ctx.db.fetchval("select how from session where principal = 'Olga Oidc'") == "oidc"
    other = Reader(url)
    address = await out(other, "/sign-in/oidc?back=/account")
    asked = parse_qs(urlsplit(address).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    kept = await ctx.db.fetchrow("select verifier, nonce from oidc_try")
    assert kept is not None
    assert asked["code_challenge"] == [oidc.challenge(kept["verifier"])]
    assert asked["nonce"] == [kept["nonce"]]
    again = await other.get(path(await let_in(address, "olga@university.example")))
    assert (again.url, again.heading) == ("/account", "Olga Oidc")
    assert await ctx.db.fetchval("select count(*) from oidc_try") == 0
    said = await ctx.db.fetch("select body from audit_entry where subject = 'Olga Oidc'")
    assert not any("university.example" in row["body"] for row in said)
    await other.close()


async def test_whoever_is_not_tied_is_refused(house: tuple[Context, str], reader: Reader) -> None:
    """Also when the provider names them as somebody here."""
    await invited(house[0], "Nora Named")
    page = await reader.get(path(await let_in(await out(reader), "Nora Named")))
    assert (page.status, page.heading) == (401, "You are not signed in")
    assert "Open the link of your invitation" in page.words
    assert await house[0].db.fetchval("select count(*) from session where principal = 'Nora Named'") == 0


async def test_an_answer_counts_once_and_in_its_own_browser(house: tuple[Context, str], reader: Reader) -> None:
    await tied(house, reader, "Rita Replay", "replay")
    thief, owner = Reader(house[1]), Reader(house[1])
    back = path(await let_in(await out(owner), "replay"))
    stolen = await thief.get(back)  # without the cookie
    assert (stolen.status, "another browser" in stolen.words) == (401, True)
    await out(thief)  # with the cookie of a try of its own
    assert (await thief.get(back)).status == 401
    assert (await thief.get("/account")).url.startswith("/sign-in")
    cookie = next(c for c in owner._session.cookie_jar if c.key == "tn_oidc")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/sign-in/oidc")
    assert (await owner.get(back)).url.startswith("/desk/queue")
    owner._session.cookie_jar.update_cookies({"tn_oidc": cookie.value})
    replayed = await owner.get(back)
    assert (replayed.status, "was used" in replayed.words) == (401, True)
    await thief.close()
    await owner.close()


async def test_a_try_is_over_after_ten_minutes(house: tuple[Context, str], reader: Reader, callers: Callers) -> None:
    await tied(house, reader, "Lena Late", "late")
    late = Reader(house[1])
    back = path(await let_in(await out(late), "late"))
    clock = callers.stage.r.clock
    await clock.advance(await clock.now() + timedelta(minutes=10, seconds=1))
    assert (await late.get(back)).status == 401
    await late.close()


async def test_who_says_no_at_the_provider_is_not_signed_in(house: tuple[Context, str], reader: Reader) -> None:
    back = await let_in(await out(reader), "x", action="deny")
    state = parse_qs(urlsplit(await out(reader)).query)["state"][0]
    page = await reader.get(f"{urlsplit(back).path}?error=access_denied&state={state}")
    assert page.status == 401
    assert "did not let you in" in page.words


async def test_an_account_ties_and_unties(house: tuple[Context, str], reader: Reader) -> None:
    ctx, url = house
    secret = await invited(ctx, "Tina Tie", Role.SUBMITTER)
    await reader.send(f"/welcome/{secret}", name="", password=PASSWORD, again=PASSWORD)
    foreign = await reader.send("/account/oidc", headers={"Origin": "https://elsewhere.example"})
    assert foreign.status == 403
    page = await reader.send("/account/oidc")
    way = re.search(r'<a class="button" href="([^"]*)" rel="noreferrer">', page.text)
    assert way is not None
    done = await reader.get(path(await let_in(html.unescape(way[1]), "tina")))
    assert done.url == "/account?said=identity_tied"
    other = Reader(url)
    entered = await other.get(path(await let_in(await out(other, "/sign-in/oidc?back=/account"), "tina")))
    assert entered.heading == "Tina Tie"
    taken = await tied(house, other, "Ted Taken", "tina")
    assert (taken.status, "somebody else's" in taken.words) == (409, True)
    assert await ctx.db.fetchval("select used_at is null from invitation where principal = 'Ted Taken'") is True
    await reader.send("/account/oidc/end")
    assert (await other.get(path(await let_in(await out(other), "tina")))).status == 401
    await other.close()


async def test_without_a_provider_nothing_is_offered(callers: Callers) -> None:
    plain = Reader(callers.stage.r.url)
    assert "/sign-in/oidc" not in (await plain.get("/sign-in")).text
    for there in ("/sign-in/oidc", "/sign-in/oidc/callback?state=x&code=y"):
        assert (await plain.get(there)).status == 404
    await plain.close()


async def test_back_is_a_page_of_ours(house: tuple[Context, str], reader: Reader) -> None:
    await out(reader, "/sign-in/oidc?back=https://elsewhere.example/")
    assert await house[0].db.fetchval("select back_to from oidc_try order by began_at desc limit 1") == "/desk"


# --- a provider that does wrong -------------------------------------------------------------------------------------

_KEY, _OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}), RSAKey.generate_key(2048, {"kid": "one"})
Claims = dict[str, Any]


class Wrong:
    """A provider whose next token, document and keys a test decides."""

    def __init__(self) -> None:
        self.issuer, self.asked = "", dict[str, str]()
        self.authorization = ""
        self.document: Claims = {}
        self.token: Callable[[Claims], str] = signed

    def claims(self) -> Claims:
        now = int(time.time())
        return {"iss": self.issuer, "sub": "s", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": "the nonce"}

    async def run(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._document)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        opened = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{opened.getsockname()[1]}"
        await web.SockSite(runner, opened).start()
        return runner

    async def _document(self, _: web.Request) -> web.Response:
        at = self.issuer
        usual = {"authorization_endpoint": f"{at}/go", "token_endpoint": f"{at}/token", "jwks_uri": f"{at}/keys"}
        return web.json_response({"issuer": at, **usual, **self.document})

    async def _token(self, request: web.Request) -> web.Response:
        self.asked = {k: str(v) for k, v in (await request.post()).items()}
        self.authorization = request.headers.get("Authorization", "")
        return web.json_response({"id_token": self.token(self.claims())})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [_KEY.as_dict(private=False), {"kty": "oct", "k": "AA", "kid": "sym"}]})


def signed(claims: Claims, key: Any = _KEY, **header: str) -> str:
    head = {"alg": "RS256", "kid": "one", **header}
    return jwt.encode(head, claims, key, algorithms=[head["alg"]])


def but(**changes: Any) -> Callable[[Claims], str]:
    return lambda claims: signed({k: v for k, v in {**claims, **changes}.items() if v is not None})


@pytest.fixture
async def wrong() -> AsyncIterator[Wrong]:
    made = Wrong()
    runner = await made.run()
    yield made
    await runner.cleanup()


async def subject(wrong: Wrong, said_issuer: str | None = None) -> str:
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        provider = Provider(wrong.issuer, CLIENT, SECRET, "http://127.0.0.1/back", session)
        return (await provider.identity("the code", "the verifier", "the nonce", said_issuer)).subject


async def test_what_is_right_is_taken_and_the_client_shows_itself(wrong: Wrong) -> None:
    assert await subject(wrong) == "s"
    assert await subject(wrong, wrong.issuer) == "s"
    assert wrong.asked == {
        "grant_type": "authorization_code",
        "code": "the code",
        "redirect_uri": "http://127.0.0.1/back",
        "code_verifier": "the verifier",
    }
    login = aiohttp.BasicAuth.decode(wrong.authorization)
    assert (login.login, login.password) == (CLIENT, "a%20secret%3A%20with%20%25")  # RFC 6749 §2.3.1
    wrong.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert await subject(wrong) == "s"
    assert (wrong.authorization, wrong.asked["client_secret"]) == ("", SECRET)
    wrong.token = but(aud=[CLIENT, "another"], azp=CLIENT)
    assert await subject(wrong) == "s"


@pytest.mark.parametrize(
    "token",
    [
        but(nonce="another"),
        but(nonce=None),
        but(iss="https://elsewhere.example"),
        but(aud="another client"),
        but(aud=[]),
        but(aud=[CLIENT, "another"]),
        but(azp="another client"),
        but(exp=int(time.time()) - 61),
        but(exp=None),
        but(exp="soon"),
        but(exp=True),
        but(iat=int(time.time()) + 3_600),
        but(iat=None),
        but(sub=""),
        but(sub=7),
        but(sub="s" * 256),
        lambda claims: signed(claims, _OTHER),
        lambda claims: signed(claims, kid="unknown"),
        lambda claims: signed(claims, OctKey.import_key(SECRET), alg="HS256"),
        lambda claims: signed(claims)[:-4] + "AAAA",
        lambda claims: "eyJhbGciOiJub25lIn0." + signed(claims).split(".")[1] + ".",
        lambda claims: "no token",
        lambda claims: "",
    ],
)  # fmt: skip
async def test_a_token_that_proves_nothing(wrong: Wrong, token: Callable[[Claims], str]) -> None:
    wrong.token = token
    with pytest.raises(Unauthenticated):
        await subject(wrong)


async def test_a_mixed_up_issuer(wrong: Wrong) -> None:
    with pytest.raises(Unauthenticated, match="another provider"):
        await subject(wrong, "https://elsewhere.example")
    wrong.document = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(Unauthenticated, match="another provider"):
        await subject(wrong)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://elsewhere.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"token_endpoint": 7},
        {"jwks_uri": "http://127.0.0.1:1/nothing"},
        {"jwks_uri": "http://192.0.2.1/keys"},  # outside of what this house may reach
    ],
)
async def test_a_provider_that_cannot_be_used(wrong: Wrong, document: Claims) -> None:
    wrong.document = document
    with pytest.raises(Unavailable):
        await subject(wrong)


async def test_too_many_tries_wait(house: tuple[Context, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "_MOST_TRIES", 0)
    reader = Reader(house[1])
    assert (await reader.get("/sign-in/oidc")).status == 429
    await reader.close()


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"OIDC_ISSUER": "https://id.example", "SECRET_OIDC_CLIENT_SECRET": "x"}, "has no client"),
        ({"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "x"}, "has no secret"),
        (
            {"OIDC_ISSUER": "http://id.example", "OIDC_CLIENT_ID": "x", "SECRET_OIDC_CLIENT_SECRET": "x"},
            "is not encrypted",
        ),
        ({"OIDC_ISSUER": "id.example"}, "expected an https URL"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigFaults, match=key):
        load_settings(None, {f"NOTIFIER_{name}": value for name, value in given.items()})


def test_settings_that_can(tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    found = load_settings(
        None,
        {
            "NOTIFIER_OIDC_ISSUER": "https://id.example/",
            "NOTIFIER_OIDC_CLIENT_ID": "x",
            "NOTIFIER_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        },
    )
    assert (found.oidc_issuer, found.secret("oidc_client_secret")) == ("https://id.example/", "s3cret")
    assert "s3cret" not in repr(found)
