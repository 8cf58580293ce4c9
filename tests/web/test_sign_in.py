"""Signing in over the pages: passwords, second steps, sessions, seats, and who may not."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pyotp
import pytest

from notifier.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from notifier.services import credentials, people, sign_in
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.people import Reach
from notifier.web.pages.desk import COOKIE, own_path
from notifier.web.pages.nav import NAV
from tests.services.stages import Stage
from tests.web.browsing import PASSWORD, Reader, seated
from tests.web.callers import Callers

ADA = Principal("Ada Admin", "person", Role.ADMIN)


@pytest.fixture
def stage(callers: Callers) -> Stage:
    return callers.stage


async def later(stage: Stage, wait: timedelta) -> None:
    await stage.r.clock.advance(await stage.r.clock.now() + wait)


@pytest.fixture
async def strict(stage: Stage) -> Context:
    """The house as `serve` runs it: reviewers and admins owe a second step."""
    return replace(stage.ctx, settings=replace(stage.ctx.settings, second_step="on"))


@pytest.fixture
async def reader(stage: Stage) -> AsyncIterator[Reader]:
    opened = Reader(stage.r.url)
    yield opened
    await opened.close()


async def invite(ctx: Context, name: str, role: Role = Role.SUBMITTER, **reach: Any) -> str:
    return await people.add(ctx.db, name, Reach(role, **reach), by="test")


async def enter(ctx: Context, name: str, password: str = PASSWORD, code: str = "", source: str = "192.0.2.1") -> str:
    return await sign_in.sign_in(ctx, name, password, code, source, "test")


async def settled(ctx: Context, name: str, role: Role = Role.SUBMITTER) -> str:
    """Somebody who set a password; the secret of their first session."""
    return await sign_in.accept(ctx, await invite(ctx, name, role), "", PASSWORD, "192.0.2.1", "test")


async def test_a_link_sets_a_password_and_then_the_person_signs_in(stage: Stage, reader: Reader) -> None:
    secret = await invite(stage.ctx, "Pia Person", Role.REVIEWER)
    assert "Pia Person" in (await reader.get(f"/welcome/{secret}")).heading
    short = await reader.send(f"/welcome/{secret}", name="", password="short", again="short")
    assert short.status == 422
    assert "12 to 256" in short.words
    differ = await reader.send(f"/welcome/{secret}", name="", password=PASSWORD, again=PASSWORD + "x")
    assert differ.status == 422
    entered = await reader.send(f"/welcome/{secret}", name="", password=PASSWORD, again=PASSWORD)
    assert "Pia Person" in entered.words
    assert "reviewer" in entered.words
    assert (await reader.get(f"/welcome/{secret}")).status == 404  # once
    await reader.send("/sign-out")
    assert (await reader.get("/account")).url == "/sign-in?back=/account"
    back = await reader.send("/sign-in", name="pia person", password=PASSWORD, code="", back="/account")
    assert (back.url, back.heading) == ("/account", "Pia Person")


async def test_only_the_hash_of_a_password_is_kept(stage: Stage) -> None:
    await settled(stage.ctx, "Hanna Hash")
    kept = await stage.ctx.db.fetchval("select password_hash from credential where principal = 'Hanna Hash'")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD not in kept
    said = await stage.ctx.db.fetch("select body from audit_entry")
    assert not any(PASSWORD in str(row["body"]) for row in said)


@pytest.mark.parametrize("name", ["Wim Wrong", "nobody at all"])
async def test_a_wrong_password_and_an_unknown_name_read_the_same(stage: Stage, name: str) -> None:
    if name == "Wim Wrong":
        await settled(stage.ctx, name)
    with pytest.raises(Unauthenticated, match="the name, the password or the code is wrong"):
        await enter(stage.ctx, name, "not the password")


async def test_after_five_wrong_tries_the_right_password_waits_too(stage: Stage) -> None:
    await settled(stage.ctx, "Gus Guessed")
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await enter(stage.ctx, "Gus Guessed", "guess guess guess")
    with pytest.raises(TooMany) as refused:
        await enter(stage.ctx, "gus guessed")
    assert 0 < refused.value.extra["retry_after"] <= 15 * 60 + 1
    await later(stage, timedelta(minutes=15, seconds=1))
    assert await enter(stage.ctx, "Gus Guessed")


async def test_one_address_cannot_try_many_names(stage: Stage) -> None:
    for n in range(45):  # as each try is counted; to hold a password against a hash costs a fifth of a second
        await credentials.count_try(stage.ctx, f"name {n}", "198.51.100.7")
    for n in range(45, 50):
        with pytest.raises(Unauthenticated):
            await enter(stage.ctx, f"name {n}", source="198.51.100.7")
    with pytest.raises(TooMany):
        await enter(stage.ctx, "name 51", source="198.51.100.7")


async def test_deciders_owe_a_second_step_and_each_code_works_once(strict: Context) -> None:
    secret = await settled(strict, "Tess Two", Role.REVIEWER)
    visit = await sign_in.visitor(strict, secret)
    assert visit.owes_second_step
    shared = await sign_in.offer_second_step(strict, visit)
    assert shared == await sign_in.offer_second_step(strict, visit)  # a reload shows the same square
    assert "Tess%20Two" in sign_in.address_of(strict, visit, shared)
    with pytest.raises(Invalid):
        await sign_in.confirm_second_step(strict, visit, "000000" if pyotp.TOTP(shared).now() != "000000" else "111111")
    at = datetime.now(UTC)
    code = pyotp.TOTP(shared).at(at)
    await sign_in.confirm_second_step(strict, visit, f"{code[:3]} {code[3:]}")
    assert not (await sign_in.visitor(strict, secret)).owes_second_step
    with pytest.raises(Unauthenticated, match="code of your authenticator app"):
        await enter(strict, "Tess Two")
    with pytest.raises(Unauthenticated):
        await enter(strict, "Tess Two", code=code)  # it was used to set up
    later = pyotp.TOTP(shared).at(at, counter_offset=1)
    assert await enter(strict, "Tess Two", code=later)
    with pytest.raises(Unauthenticated):
        await enter(strict, "Tess Two", code=later)
    with pytest.raises(Conflict):
        await sign_in.offer_second_step(strict, visit)


async def test_a_submitter_owes_none(strict: Context) -> None:
    assert not (await sign_in.visitor(strict, await settled(strict, "Sue Submit"))).owes_second_step


async def test_sessions_end_by_time_by_hand_by_password_and_with_the_seat(stage: Stage) -> None:
    ctx = stage.ctx
    first = await settled(ctx, "Sid Session")
    second = await enter(ctx, "Sid Session")
    here = await sign_in.visitor(ctx, first)
    assert [one.ours for one in await sign_in.sessions(ctx, here)].count(True) == 1
    other = await sign_in.visitor(ctx, second)
    await sign_in.sign_out(ctx, here, other.session)
    with pytest.raises(Unauthenticated):
        await sign_in.visitor(ctx, second)
    third = await enter(ctx, "Sid Session")
    with pytest.raises(Unauthenticated):
        await sign_in.change_password(ctx, here, "not the old one", "another long one")
    await sign_in.change_password(ctx, here, PASSWORD, "another long one")
    with pytest.raises(Unauthenticated):
        await sign_in.visitor(ctx, third)
    assert await sign_in.visitor(ctx, first)
    await later(stage, timedelta(hours=2, seconds=1))  # idle
    with pytest.raises(Unauthenticated):
        await sign_in.visitor(ctx, first)
    fourth = await enter(ctx, "Sid Session", "another long one")
    for _ in range(8):
        await later(stage, timedelta(hours=1, minutes=29))
        assert await sign_in.visitor(ctx, fourth)  # seen again and again
    await later(stage, timedelta(minutes=9))  # twelve hours and a minute since it began
    with pytest.raises(Unauthenticated):
        await sign_in.visitor(ctx, fourth)
    fifth = await enter(ctx, "Sid Session", "another long one")
    await people.end_seat(ctx, ADA, here.seat.id)
    with pytest.raises(Unauthenticated):
        await sign_in.visitor(ctx, fifth)
    with pytest.raises(Unauthenticated, match="no role"):
        await enter(ctx, "Sid Session", "another long one")


async def test_nobody_ends_a_session_of_somebody_else(stage: Stage) -> None:
    mine = await sign_in.visitor(stage.ctx, await settled(stage.ctx, "Mia Mine"))
    theirs = await sign_in.visitor(stage.ctx, await settled(stage.ctx, "Theo Theirs"))
    with pytest.raises(NotFound):
        await sign_in.sign_out(stage.ctx, mine, theirs.session)
    with pytest.raises(NotFound):
        await sign_in.change_seat(stage.ctx, mine, theirs.seat.id)


async def test_two_seats_are_chosen_between(stage: Stage, reader: Reader) -> None:
    await settled(stage.ctx, "Tom Twoseats")
    await people.give(stage.ctx, ADA, "Tom Twoseats", Reach(Role.ADMIN))
    await reader.send("/sign-in", name="Tom Twoseats", password=PASSWORD, code="", back="/account")
    assert (await reader.get("/admin/people")).status == 404
    page = await reader.get("/account")
    seat = re.search(r'<option value="([^"]+)">admin', page.text)
    assert seat is not None
    await reader.send("/account/seat", seat=seat[1])
    assert (await reader.get("/admin/people")).heading == "People"


async def test_a_form_of_another_site_does_nothing(stage: Stage) -> None:
    reader = await seated(stage, "Cora Cross", Role.ADMIN)
    own = reader.base
    for headers in (
        {},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": own, "Sec-Fetch-Site": "cross-site"},
        {"Origin": own, "Sec-Fetch-Site": "same-site"},
        {"Origin": own.replace("http://", "http://x.")},
    ):
        shown = await reader.send("/admin/people", headers, name="Eve", role="admin")
        assert (shown.status, shown.heading) == (403, "Not allowed"), headers
        assert (await reader.send("/sign-in", headers, name="Cora Cross", password=PASSWORD)).status == 403
    assert await stage.ctx.db.fetchval("select count(*) from principal where id = 'Eve'") == 0
    assert (
        await reader.send("/admin/people", {"Sec-Fetch-Site": "same-origin"}, name="Eve", role="submitter")
    ).status == 200
    await reader.close()


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(stage: Stage, reader: Reader) -> None:
    await settled(stage.ctx, "Carl Cookie")
    said = await reader.send("/sign-in", follow=False, name="Carl Cookie", password=PASSWORD, code="", back="")
    cookie = said.headers["Set-Cookie"]
    assert said.status == 303
    assert all(part in cookie for part in (f"{COOKIE}=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"))


async def test_the_api_takes_no_cookie(stage: Stage) -> None:
    reader = await seated(stage, "Alma Api", Role.ADMIN)
    assert (await reader.get("/api/v1/cases")).status == 401
    await reader.close()


async def test_the_first_admin_comes_by_one_link_and_no_second(stage: Stage, reader: Reader) -> None:
    await stage.ctx.db.pool.execute("update seat set ended_at = given_at where role = 'admin' and ended_at is null")
    older = await people.first_admin(stage.ctx.db)
    link = await people.first_admin(stage.ctx.db)
    assert older
    assert link
    assert (await reader.get(f"/welcome/{older}")).status == 404
    entered = await reader.send(f"/welcome/{link}", name="Frida First", password=PASSWORD, again=PASSWORD)
    assert "Frida First" in entered.words
    assert "admin" in entered.words
    assert await people.first_admin(stage.ctx.db) is None
    assert (await reader.send(f"/welcome/{link}", name="Second", password=PASSWORD, again=PASSWORD)).status == 404


async def test_an_admin_gives_seats_within_reach_and_none_to_themselves(stage: Stage) -> None:
    ctx = stage.ctx
    studio = Principal("Stu Studio", "person", Role.ADMIN, "studio")
    with pytest.raises(Forbidden):
        await people.give(ctx, ADA, "ada admin", Reach(Role.REVIEWER))
    with pytest.raises(NotFound):
        await people.give(ctx, studio, "Xena", Reach(Role.REVIEWER))  # of the house
    with pytest.raises(NotFound):
        await people.give(ctx, studio, "Xena", Reach(Role.REVIEWER, "another studio"))
    with pytest.raises(Invalid):
        await people.give(ctx, ADA, "Xena", Reach(Role.REGISTRY))
    with pytest.raises(Invalid):
        await people.give(ctx, ADA, "Xena", Reach(Role.REVIEWER, programs=frozenset({"nonsense"})))
    assert await people.give(ctx, studio, "Xena", Reach(Role.REVIEWER, "studio"))
    assert [person.name for person in await people.everybody(ctx, studio)] == ["Xena"]
    outside = await people.give(ctx, ADA, "Otto Outside", Reach(Role.REVIEWER))
    assert outside
    with pytest.raises(NotFound):
        await people.invite_again(ctx, studio, "Otto Outside")
    with pytest.raises(Invalid):
        await people.give(ctx, studio, "Otto Outside", Reach(Role.REVIEWER, "studio"))
    for role in set(Role) - {Role.ADMIN}:
        with pytest.raises(Forbidden):
            await people.everybody(
                ctx, Principal("x", "person", role, registry="verisign" if role == "registry" else None)
            )


async def test_a_new_link_ends_what_was_before(stage: Stage) -> None:
    ctx = stage.ctx
    secret = await settled(ctx, "Lea Lost")
    link = await people.invite_again(ctx, ADA, "Lea Lost")
    for gone in (sign_in.visitor(ctx, secret), enter(ctx, "Lea Lost")):
        with pytest.raises(Unauthenticated):
            await gone
    assert await sign_in.accept(ctx, link, "", "a new long password", "192.0.2.1", "test")
    assert await enter(ctx, "Lea Lost", "a new long password")


async def test_one_password_of_two_spellings(stage: Stage) -> None:
    link = await invite(stage.ctx, "Uwe Umlaut")
    await sign_in.accept(stage.ctx, link, "", "Grüße aus Köln", "192.0.2.1", "test")
    assert await enter(stage.ctx, "Uwe Umlaut", "Gru\u0308ße aus Ko\u0308ln")


@pytest.mark.parametrize(
    "given",
    ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)", "", "/a\nb"],
)
def test_after_signing_in_nobody_goes_elsewhere(given: str) -> None:
    assert own_path(given) == "/desk"


async def test_hostile_names_are_refused_as_any_other(stage: Stage, reader: Reader) -> None:
    for name in (
        "\0",
        "<script>alert(1)</script>",
        "' or 1=1 --",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ):
        shown = await reader.send("/sign-in", name=name, password="x" * 300, code="'", back="")
        assert shown.status in (401, 422)
        assert "<script>alert" not in shown.text


async def test_a_missing_page_is_a_page_for_people_and_a_problem_for_programs(stage: Stage, reader: Reader) -> None:
    page = await reader.get("/nothing/here")
    assert (page.status, page.heading) == (404, "Nothing here")
    assert page.headers["Content-Type"].startswith("text/html")
    async with aiohttp.ClientSession() as session, session.get(f"{stage.r.url}/nothing/here") as got:
        assert got.content_type == "application/problem+json"


@pytest.mark.parametrize("role", Role)
async def test_everything_in_the_navigation_is_there(stage: Stage, role: Role) -> None:
    reader = await seated(stage, f"Nora {role}", role, registry="verisign" if role is Role.REGISTRY else None)
    assert (await reader.get("/desk")).status == 200
    for link in NAV[role]:
        shown = await reader.get(link.path)
        assert shown.status == 200, (link, shown.words)
        assert f'href="{link.path}" aria-current="page"' in shown.text
    await reader.close()


async def test_a_seat_reaches_no_further_than_the_admin_who_gives_it(stage: Stage) -> None:
    bound = Principal("Bo Bound", "person", Role.ADMIN, programs=frozenset({"opioids"}))
    for programs in (None, frozenset({"piracy"}), frozenset({"opioids", "piracy"})):
        with pytest.raises(Invalid, match="programs of your own"):
            await people.give(stage.ctx, bound, "Wanda Wider", Reach(Role.REVIEWER, programs=programs))
    with pytest.raises(Invalid, match="no recipient"):
        await people.give(stage.ctx, ADA, "Wanda Wider", Reach(Role.REGISTRY, registry="nobody-has-it"))
    assert await people.give(stage.ctx, bound, "Wanda Wider", Reach(Role.REVIEWER, programs=frozenset({"opioids"})))
