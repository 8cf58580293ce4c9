"""The recipients' pages: their own notices and nothing else, answers that reach the case, evidence, channel and tokens."""

import hashlib
import html
import io
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from notifier.services import keeping, people
from notifier.services.access import DAEMON, Principal, Role
from notifier.store import captures as capture_store
from notifier.store.ids import new_id
from tests.services.stages import HOOK, MAIL, ROLF, Stage, row
from tests.services.test_joining import about
from tests.web.browsing import PASSWORD, Reader, Shown, seated
from tests.web.callers import BASE, Callers
from tests.web.test_answer_page import opened, standing

NOBODY_OF_OURS = ("Sam Submitter", "Rita Reviewer", "Rolf Reviewer", "Ada Admin", "Boris Admin")


async def at_desk(stage: Stage, name: str, registry: str) -> Reader:
    """Somebody of a registry, signed in now: time passes here, and sessions end with it."""
    if not await stage.count("seat where principal = $1", name):
        return await seated(stage, name, Role.REGISTRY, registry=registry)
    reader = Reader(stage.r.url)
    await enter(reader, name)
    return reader


async def enter(reader: Reader, name: str) -> None:
    assert (await reader.send("/sign-in", name=name, password=PASSWORD, code="", back="")).status == 200


@pytest.fixture
async def desk(callers: Callers) -> AsyncIterator[Reader]:
    reader = await at_desk(callers.stage, "Vera Verisign", "verisign")
    yield reader
    await reader.close()


@pytest.fixture
async def other_desk(callers: Callers) -> AsyncIterator[Reader]:
    reader = await at_desk(callers.stage, "Pia Pir", "pir")
    yield reader
    await reader.close()


async def sent(stage: Stage, name: str, **changes: Any) -> tuple[str, str]:
    """A sent notice whose registry says nothing by itself: ids of case and notice."""
    stage.r.sandbox.desk.behaviours[name] = "silent"
    said = await stage.submit({**about(name), **changes} if name not in (MAIL, HOOK) else row(name, **changes))
    assert said.case_id is not None, said
    await stage.r.quiet()
    await stage.approve(said.case_id)
    await stage.pass_time(minutes=31)
    return said.case_id, str((await stage.notice(said.case_id))["id"])


def no_name_of_ours(shown: Shown) -> None:
    assert [name for name in NOBODY_OF_OURS if name in html.unescape(shown.text)] == []


async def answers(stage: Stage, notice_id: str) -> list[dict[str, Any]]:
    rows = await stage.ctx.db.fetch(
        "select kind, measure, actor, reason, effective_at, comment, domain, principal, via from response "
        "where notice_id = $1 order by received_at, id",
        notice_id,
    )
    return [dict(r) for r in rows]


async def test_the_list_is_of_what_was_sent_to_them(callers: Callers, desk: Reader, other_desk: Reader) -> None:
    stage = callers.stage
    await sent(stage, "portal-one.com")
    await sent(stage, HOOK)
    waits = await stage.submit(about("portal-unsent.com"))
    assert waits.case_id is not None
    await stage.r.quiet()
    await stage.approve(waits.case_id)  # queued, and its cancel window runs
    shown = await desk.get("/portal")
    assert shown.heading == "Notices to you"
    assert "portal-one.com" in shown.text
    assert "1 waits for your answer" in shown.words
    assert HOOK not in shown.text
    assert "portal-unsent.com" not in shown.text
    no_name_of_ours(shown)
    theirs = await other_desk.get("/portal")
    assert HOOK in theirs.text
    assert "portal-one.com" not in theirs.text
    assert (await desk.get("/desk")).url == "/portal"
    unsent = str((await stage.notice(waits.case_id))["id"])
    assert (await desk.get(f"/portal/notices/{unsent}")).status == 404
    await callers.post(f"/cases/{waits.case_id}/withdraw", {"reason": "a test"}, by="reviewer")


async def test_a_name_is_found_in_any_spelling_and_filters_live_in_the_address(callers: Callers, desk: Reader) -> None:
    await sent(callers.stage, "portal-find.com")
    for spelling in ("portal-find.com", "HXXPS://www.PORTAL-FIND[.]com/x", "portal-find.com."):
        shown = await desk.get(f"/portal?show=all&domain={spelling}")
        assert shown.text.count("<tr>") + shown.text.count('<tr class="urgent">') == 2, spelling  # its head, one row
        assert "portal-find.com" in shown.text
    assert "None of your notices fits" in (await desk.get("/portal?show=all&domain=portal-none.com")).words
    assert "None of your notices fits" in (await desk.get("/portal?show=all&state=bounced")).words
    assert (await desk.get("/portal?show=everything")).status == 422
    assert (await desk.get("/portal?domain=%22%3E%3Cscript%3E")).status == 422
    assert (await desk.get("/portal?cursor=x")).status == 422


async def test_what_waits_longest_comes_first_with_its_clock(callers: Callers, desk: Reader) -> None:
    stage = callers.stage
    await sent(stage, "portal-early.com")
    await stage.pass_time(minutes=10)
    await sent(stage, "portal-late.com")
    shown = await desk.get("/portal")
    assert shown.text.index("portal-early.com") < shown.text.index("portal-late.com")
    assert "overdue" not in shown.text.partition("portal-late.com")[2].partition("</tr>")[0]


async def test_one_notice_in_a_minute(callers: Callers, desk: Reader) -> None:
    stage = callers.stage
    _, notice_id = await sent(stage, "portal-view.com")
    shown = await desk.get(f"/portal/notices/{notice_id}")
    assert shown.status == 200
    content = (await stage.notice(await stage.ctx.db.fetchval("select case_id from notice where id = $1", notice_id)))[
        "content"
    ]
    assert content["text"] in html.unescape(shown.text)
    for told in ("Decision by", "sha256", "hxxp", "Registrar", "FDA"):
        assert told in shown.words, told
    assert not re.search(r'href="https?://', shown.text), "evidence is never a link"
    no_name_of_ours(shown)
    manifest = await stage.ctx.db.fetchval("select sha256 from manifest where notice_id = $1", notice_id)
    assert manifest in shown.text


async def test_nothing_of_another_recipient_is_there(callers: Callers, desk: Reader, other_desk: Reader) -> None:
    _, notice_id = await sent(callers.stage, "portal-theirs.com")
    at = f"/portal/notices/{notice_id}"
    for path in (at, f"{at}/evidence", f"{at}/xarf", f"{at}/pictures/{'0' * 64}"):
        assert (await other_desk.get(path)).status == 404, path
    assert (await other_desk.send(at, kind="acknowledged")).status == 404
    assert await answers(callers.stage, notice_id) == []
    assert (await desk.get(f"{at}/pictures/{'0' * 64}")).status == 404
    staff = await seated(callers.stage, "Stina Staff", Role.REVIEWER)
    for path in (at, "/portal", "/portal/history", "/portal/channel"):
        assert (await staff.get(path)).status == 404, path
    await staff.close()


async def test_an_answer_is_what_it_is_by_the_api(callers: Callers, desk: Reader) -> None:
    stage = callers.stage
    said = {"kind": "action_taken", "measure": "hold", "actor": "registry", "comment": "held\r\n<b>now</b>"}
    case_id, by_page = await sent(stage, "portal-page.com")
    shown = await desk.send(
        f"/portal/notices/{by_page}", **said, effective_at="2026-11-02T14:10", domain="portal-page.com", reason=""
    )
    assert (shown.status, shown.url) == (200, f"/portal/notices/{by_page}?said=answered")
    assert "<b>now" not in shown.text
    _, by_api = await sent(stage, "portal-api.com")
    body = {**said, "comment": "held\n<b>now</b>", "effective_at": "2026-11-02T14:10:00Z", "domain": "portal-api.com"}
    assert (await callers.post(f"/notices/{by_api}/responses", body, by="registry")).status == 201
    [one], [other] = await answers(stage, by_page), await answers(stage, by_api)
    assert one == {**other, "principal": "Vera Verisign", "via": "page", "domain": "portal-page.com"}
    assert one["effective_at"] == datetime(2026, 11, 2, 14, 10, tzinfo=UTC)
    assert (await stage.case(case_id))["response"] == "action_claimed"
    assert (await stage.case(case_id))["outcome"] is None
    page = await desk.get(f"/portal/notices/{by_page}")
    assert "Not seen yet" in page.words
    assert (await stage.claim(case_id))["measure"] == "hold"


async def test_what_cannot_be_recorded_is_told_with_what_was_typed(callers: Callers, desk: Reader) -> None:
    _, notice_id = await sent(callers.stage, "portal-wrong.com")
    at = f"/portal/notices/{notice_id}"
    shown = await desk.send(at, kind="action_taken", comment='"><script>x()</script>')
    assert shown.status == 422
    assert "names its measure" in shown.words
    assert "<script>x" not in shown.text
    assert "x()" in shown.text
    assert (await desk.send(at, kind="declined", reason="because")).status == 422
    assert (await desk.send(at, {"Origin": "https://evil.example"}, kind="acknowledged")).status == 403
    assert await answers(callers.stage, notice_id) == []


async def test_declining_is_summed_up_before_it_ends_the_request(callers: Callers, desk: Reader) -> None:
    stage = callers.stage
    case_id, notice_id = await sent(stage, "portal-no.com")
    at = f"/portal/notices/{notice_id}"
    form = {"kind": "declined", "reason": "declined_court_order_required", "comment": "no order"}
    shown = await desk.send(at, **form)
    assert "You are about to decline" in shown.words
    assert await answers(stage, notice_id) == []
    assert (await desk.send(at, **form, sure="yes")).url == f"{at}?said=answered"
    [said] = await answers(stage, notice_id)
    assert (said["kind"], said["reason"], said["via"]) == ("declined", "declined_court_order_required", "page")
    assert (await stage.case(case_id))["response"] == "declined"
    page = await desk.get(at)
    assert "Nothing is asked of you by this notice any more" in page.words
    assert "portal-no.com" not in (await desk.get("/portal")).text.partition('id="lately"')[0]
    assert "portal-no.com" in (await desk.get("/portal/history")).text


async def test_the_evidence_is_the_apis_archive_and_a_picture_is_ours_alone(callers: Callers, desk: Reader) -> None:
    stage, name = callers.stage, "portal-picture.com"
    stage.r.sandbox.desk.behaviours[name] = "silent"
    said = await stage.submit(about(name))
    assert said.case_id is not None
    await stage.r.quiet()
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
    picture = hashlib.sha256(png).hexdigest()
    async with keeping.arriving(stage.ctx) as file:
        await file.write(png)
        kept = await keeping.take(stage.ctx, file, "picture.png", "image/png")
        async with stage.ctx.db.transaction(DAEMON) as tx:
            await keeping.keep(stage.ctx, tx, said.case_id, kept, DAEMON)
            made = (await capture_store.of_case(tx.con, said.case_id))[0]
            again = replace(made, id=new_id(), picture="made", picture_sha256=picture, title="<script>t()</script>")
            await capture_store.insert(tx.con, again)
    await stage.approve(said.case_id)
    await stage.pass_time(minutes=31)
    at = f"/portal/notices/{(await stage.notice(said.case_id))['id']}"
    page = await desk.get(at)
    assert f"{at}/pictures/{picture}" in page.text
    assert "<script>t()" not in page.text
    async with desk._session.get(f"{at}/pictures/{picture}") as got:
        assert (got.status, got.content_type, await got.read()) == (200, "image/png", png)
        assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert (await desk.get(f"{at}/pictures/{made.warc_sha256}")).status == 404
    async with desk._session.get(f"{at}/evidence") as got:
        ours = await got.read()
        assert got.headers["Content-Disposition"].startswith("attachment")
        assert got.content_type == "application/octet-stream"
    token = {"Authorization": f"Bearer {callers.tokens['registry']}"}
    async with callers.session.get(BASE + f"/notices/{at.rpartition('/')[2]}/evidence", headers=token) as got:
        assert await got.read() == ours
    assert zipfile.ZipFile(io.BytesIO(ours)).namelist()[0] == "manifest.json"
    xarf = await desk.get(f"{at}/xarf")
    assert xarf.headers["Content-Disposition"].startswith("attachment")
    assert '"XARFVersion"' in xarf.text or '"xarf_version"' in xarf.text


async def test_the_link_shows_evidence_rule_and_text_and_no_file(callers: Callers) -> None:
    path = await standing(callers, "portal-link.com")
    status, _, text = await opened(callers, path)
    words = html.unescape(re.sub(r"<[^>]*>", " ", text))
    assert status == 200
    for told in ("Can you see it too?", "By which rule?", "The text that was sent", "WHO WE ARE", "sha256"):
        assert told in words, told
    assert "/evidence" not in text.replace("/api/v1/notices/", "").partition("<pre>")[0]
    assert "<img" not in text
    assert 'value="declined"' not in text
    assert [name for name in NOBODY_OF_OURS if name in words] == []


async def test_the_channel_is_shown_changed_by_proposal_and_stopped_at_once(
    callers: Callers, desk: Reader, other_desk: Reader
) -> None:
    stage = callers.stage
    shown = await other_desk.get("/portal/channel")
    address = stage.ctx.catalog.agreements["opioids.pir"].address
    assert str(address["url"]) in html.unescape(shown.text)
    assert f"the secret named {address['secret']}" in shown.words
    assert str(stage.ctx.settings.secret(str(address["secret"]))) not in shown.text
    assert "opioids.verisign" not in shown.text
    no_name_of_ours(shown)
    bad = await desk.send("/portal/channel/propose", agreement="opioids.pir", adapter="smtp", to="a@b.example", url="")
    assert bad.status == 404
    bad = await desk.send("/portal/channel/propose", agreement="opioids.verisign", adapter="smtp", to='"><i>', url="")
    assert bad.status == 422
    assert "<i>" not in bad.text
    done = await desk.send(
        "/portal/channel/propose", agreement="opioids.verisign", adapter="smtp", to="new@verisign.sandbox.test", url=""
    )
    assert "We call you back" in done.words
    change = await stage.ctx.db.fetchrow("select version, state, proposed_by from channel_version")
    assert (change["state"], change["proposed_by"]) == ("proposed", "Vera Verisign")
    await desk.send("/portal/channel/refuse", agreement="opioids.verisign", version="1", reason="typed wrong")
    assert await stage.ctx.db.fetchval("select state from channel_version") == "withdrawn"
    stopped = await other_desk.send("/portal/channel/stop", agreement="opioids.pir", reason="our desk moves")
    assert "no further request leaves" in stopped.words
    entry = await stage.ctx.db.fetchrow("select actor, via from audit_entry where tag = 'agreement.suspended'")
    assert (entry["actor"], entry["via"]) == ("Pia Pir", "page")
    assert "stopped since" in (await other_desk.get("/portal/channel")).words


async def test_a_test_goes_out_and_what_came_of_it_is_told(callers: Callers, desk: Reader, other_desk: Reader) -> None:
    stage = callers.stage
    before = len(stage.received())
    first = await other_desk.get("/portal/channel")
    assert "Last test" not in first.words
    assert "HMAC-SHA256 over webhook-id" in first.words
    assert "invented-name.example" in html.unescape(first.text)
    assert str(stage.ctx.settings.secret("sandbox_pir")) not in first.text
    assert (await desk.send("/portal/channel/test", agreement="opioids.pir")).status == 404
    assert (await desk.send("/portal/channel/test")).status == 404
    done = await other_desk.send("/portal/channel/test", agreement="opioids.pir")
    assert done.url == "/portal/channel?said=test_accepted"
    assert "by you: it was accepted; whether anybody reads it, nobody told us; your side said HTTP 202" in done.words
    assert "delivered" not in done.words
    again = await other_desk.send("/portal/channel/test", agreement="opioids.pir")
    assert (again.status, "too many tests" in again.words) == (429, True)
    mail = await desk.send("/portal/channel/test", agreement="opioids.verisign")
    assert "The test was accepted" in mail.words
    assert "your side said" not in mail.words
    assert [(d.party, d.ask.domain) for d in stage.received()[before:]] == [("pir", ""), ("verisign", "")]
    entry = await stage.ctx.db.fetchrow("select actor, via from audit_entry where tag = 'agreement.tested' order by id")
    assert (entry["actor"], entry["via"]) == ("Pia Pir", "page")
    no_name_of_ours(mail)


async def test_a_token_has_the_reach_of_its_seat_is_shown_once_and_ends(callers: Callers) -> None:
    stage = callers.stage
    reader = await seated(stage, "Tom Tokens", Role.REGISTRY, registry="verisign")
    assert "/account/tokens" in (await reader.get("/account")).text
    made = await reader.send("/account/tokens", label="ticket <system>", days="30", programs="")
    found = re.search(r"tn_[A-Za-z0-9_-]{43}", made.text)
    assert found is not None
    secret = found[0]
    again = await reader.get("/account/tokens")
    assert secret not in again.text
    assert "ticket &lt;system&gt;" in again.text

    async def call(path: str) -> int:
        async with aiohttp.ClientSession(base_url=stage.r.url) as session:
            async with session.get(BASE + path, headers={"Authorization": f"Bearer {secret}"}) as answer:
                return answer.status

    assert (await call("/notices"), await call("/cases")) == (200, 403)
    kept = await stage.ctx.db.fetchrow(
        "select id, role, registry, organisation, permissions, expires_at - created_at as span from api_token "
        "where principal = 'Tom Tokens'"
    )
    assert (kept["role"], kept["registry"], kept["permissions"], kept["span"].days) == ("registry", "verisign", [], 30)
    for label, days, programs in (("x", "31", ""), ("", "30", ""), ("x", "30", "no-such-program")):
        assert (await reader.send("/account/tokens", label=label, days=days, programs=programs)).status == 422
    thief = await seated(stage, "Theo Thief", Role.REGISTRY, registry="pir")
    assert (await thief.send("/account/tokens/revoke", token=str(kept["id"]))).status == 404
    assert await call("/notices") == 200
    await reader.send("/account/tokens/revoke", token=str(kept["id"]))
    assert await call("/notices") == 401
    made = await reader.send("/account/tokens", label="second", days="7", programs="opioids")
    found = re.search(r"tn_[A-Za-z0-9_-]{43}", made.text)
    assert found is not None
    secret = found[0]
    assert await call("/notices") == 200
    seat = await stage.ctx.db.fetchval("select id from seat where principal = 'Tom Tokens'")
    await people.end_seat(stage.ctx, Principal("Ada Admin", "person", Role.ADMIN), str(seat))
    assert await call("/notices") == 401
    assert ROLF.id not in made.text
    for one in (reader, thief):
        await one.close()


async def test_what_we_saw_stands_beside_what_they_say(callers: Callers, desk: Reader) -> None:
    stage = callers.stage
    stage.r.sandbox.desk.behaviours["portal-liar.com"] = "lie"
    said = await stage.submit(about("portal-liar.com"))
    assert said.case_id is not None
    await stage.r.quiet()
    await stage.approve(said.case_id)
    await stage.pass_time(days=4)
    await enter(desk, "Vera Verisign")
    notice_id = str((await stage.notices(said.case_id))[0]["id"])
    shown = await desk.get(f"/portal/notices/{notice_id}")
    claim = await stage.claim(said.case_id)
    assert claim["verdict"] == "contradicted"
    assert "Not so: what we see says otherwise" in shown.words
    assert "delegated" in shown.words
    no_name_of_ours(shown)
    history = await desk.get("/portal/history")
    assert "contradicted" in history.words
    assert "median time to your first answer" in history.words
    no_name_of_ours(history)
