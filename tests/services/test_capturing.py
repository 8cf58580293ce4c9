"""Captures in the house: made at the first look, kept whole, weighed, shown in the notice, compared before sending."""

import io
from dataclasses import replace
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from notifier.errors import Forbidden, NotFound
from notifier.net.safe_http import Egress
from notifier.net.screenshot import Browser
from notifier.sandbox.site_server import Cloak
from notifier.services import captures, capturing, deconfliction
from notifier.services.access import Principal, Role
from notifier.store import blobs
from tests.net.test_screenshot import needs_chromium
from tests.services.stages import MAIL, RITA, SAM, TIM, Stage, row
from tests.services.test_deconfliction import DORA, listed
from tests.services.test_epoch import armed_again, waiting

GARDEN = " ".join(f"rose{n} tulip{n}" for n in range(60))
OLGA = Principal("Olga Other", "person", Role.SUBMITTER, "others")
SEARCHERS = Cloak(referrers=("google.",))


async def taken(stage: Stage, case_id: str) -> list[dict[str, Any]]:
    rows = await stage.ctx.db.fetch("select * from capture where case_id = $1 order by seq", case_id)
    return [dict(r) for r in rows]


async def signal(stage: Stage, case_id: str, name: str) -> str:
    found = await stage.ctx.db.fetchval(
        "select s->>'value' from assessment a, jsonb_array_elements(a.signals) s "
        "where a.case_id = $1 and s->>'name' = $2 order by a.rev desc limit 1",
        case_id,
        name,
    )
    return str(found)


async def test_the_first_look_captures_each_page_and_keeps_it_whole(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    made = await taken(stage, case_id)
    assert sorted(c["url"] for c in made) == sorted(row()["urls"])
    assert all(len(c["visits"]) >= 6 and c["cloaking"] is False and c["parked"] is False for c in made)
    content = b"".join([p async for p in blobs.checked(stage.ctx.blobs, made[0]["warc_sha256"])])
    answers = [r for r in ArchiveIterator(io.BytesIO(content)) if r.rec_type == "response"]
    assert len(answers) >= 6
    assert (await stage.tags(case_id)).count("capture.made") == len(made)
    assert await signal(stage, case_id, "cloaking") == "no"
    assert await signal(stage, case_id, "parked") == "no"


async def test_what_hides_from_the_first_visitor_is_told_and_weighed(stage: Stage) -> None:
    stage.r.sandbox.site.cloaks[MAIL] = SEARCHERS
    case_id = await stage.case_in_review()
    assert all(c["cloaking"] and c["search_only"] for c in await taken(stage, case_id))
    assert await signal(stage, case_id, "cloaking") == "yes"
    assert await signal(stage, case_id, "compromised") == "referrer_only"
    assert (await stage.case(case_id))["safety"] == "second_review"


async def test_a_page_that_has_nothing_to_do_with_its_site(stage: Stage) -> None:
    stage.r.sandbox.site.pages[MAIL] = {"/": GARDEN}
    urls = [f"https://{MAIL}/wp-content/tramadol"]
    case_id = await stage.case_in_review(urls=urls)
    (made,) = await taken(stage, case_id)
    assert made["unrelated"]
    # By config/safety.toml: a content system's path counts 1, an unrelated front page 2; 4 would reroute.
    assert await signal(stage, case_id, "compromised") == "cms_path root_unrelated"
    assert (await stage.case(case_id))["safety"] == "second_review"


async def test_a_parked_page_asks_for_a_second_person(stage: Stage) -> None:
    stage.r.sandbox.site.pages[MAIL] = {"*": "Welcome. This domain is for sale! Call us."}
    case_id = await stage.case_in_review()
    assert await signal(stage, case_id, "parked") == "yes"
    assert (await stage.case(case_id))["safety"] == "second_review"


async def test_the_notice_says_how_to_see_it_and_its_archive_holds_the_warc(stage: Stage) -> None:
    stage.r.sandbox.site.cloaks[MAIL] = Cloak(user_agents=("Mobile",))
    case_id = await stage.case_in_review()
    made = await taken(stage, case_id)
    text = (await stage.preview(case_id)).drafts[0].content.text
    part = text[text.index("HOW TO SEE IT") : text.index("STATEMENTS")]
    assert "as a telephone's browser: 200, 71 words" in part
    assert "! mobile: 200 where desktop gets 410" in part
    assert "User-Agent: Mozilla/5.0 (Linux; Android 15; Mobile)" in part
    assert all(c["warc_sha256"] in part for c in made)
    assert "http://cheap" not in part  # addresses of evidence are defanged
    body = (await stage.preview(case_id)).drafts[0].manifest.body
    assert all(f'"sha256":"{c["warc_sha256"]}"' in body for c in made)


async def test_a_later_capture_voids_no_approval_and_changes_no_notice(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    before = await stage.ctx.db.fetchval("select body from manifest m join notice n on n.id = m.notice_id")
    await captures.ask(stage.ctx, RITA, case_id)
    await stage.r.quiet()
    made = await taken(stage, case_id)
    assert len(made) == 2 * len(row()["urls"])
    await stage.pass_time(minutes=30)
    notice = await stage.notice(case_id)
    assert (await stage.state(case_id), notice["state"]) == ("notified", "sent")
    assert await stage.ctx.db.fetchval("select body from manifest where notice_id = $1", notice["id"]) == before


async def test_another_page_at_the_approved_place_goes_back_to_a_person(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.site.pages[MAIL] = {"*": GARDEN}
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"]) == ("in_review", "pages replaced")
    assert stage.received() == []
    # A person saw the new pages in the new preview, and may still ask.
    assert "121 words" in (await stage.preview(case_id)).drafts[0].content.text
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    assert [d.ask.domain for d in stage.received()] == [MAIL]


async def test_one_page_that_stands_is_enough_to_go_on(stage: Stage) -> None:
    urls = [f"https://{MAIL}/a", f"https://{MAIL}/b"]
    case_id = await stage.case_in_review(urls=urls)
    await stage.approve(case_id)
    stage.r.sandbox.site.pages[MAIL] = {"/a": GARDEN}
    await stage.pass_time(minutes=30)
    assert await stage.state(case_id) == "notified"


async def test_a_notice_that_waited_is_held_back_when_the_pages_were_replaced(stage: Stage) -> None:
    case_id = await waiting(stage)
    stage.r.sandbox.site.pages[MAIL] = {"*": GARDEN}
    await armed_again(stage, hours=2)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"]) == ("in_review", "pages replaced")
    assert stage.received() == []


async def test_nothing_is_fetched_for_a_name_under_investigation_until_it_is_released(stage: Stage) -> None:
    entry = await listed(stage)
    said = await stage.submit(row())
    await stage.r.quiet()
    case_id = str(said.case_id)
    await captures.ask(stage.ctx, RITA, case_id)
    await stage.r.quiet()
    assert await taken(stage, case_id) == []
    await deconfliction.release(stage.ctx, DORA, str(entry.entry["id"]), "over")
    await stage.r.quiet()
    assert {c["url"] for c in await taken(stage, case_id)} == set(row()["urls"])


async def test_reports_that_join_bring_their_pages(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.submit(row(urls=[f"https://{MAIL}/later"]), TIM)
    await stage.r.quiet()
    urls = [c["url"] for c in await taken(stage, case_id)]
    assert urls.count(f"https://{MAIL}/later") == 1
    assert len(urls) == len(set(urls)), "a page that was captured today is not asked for again"


async def test_a_judged_capture_is_evidence_and_its_judge_may_not_approve(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    made = (await taken(stage, case_id))[0]
    said = {"finding": "infringing", "shows": ["us_shipping"], "offers": "tramadol"}
    await captures.judged(stage.ctx, RITA, case_id, str(made["id"]), said, "search")
    await captures.judged(stage.ctx, RITA, case_id, str(made["id"]), said, "search")  # twice is once
    rows = await stage.ctx.db.fetch(
        "select body from evidence where case_id = $1 and supplied_by = $2", case_id, RITA.id
    )
    (item,) = [r["body"] for r in rows]
    assert (item["sha256"], item["finding"], item["http_status"]) == (made["warc_sha256"], "infringing", 200)
    assert item["referrer"].startswith("https://www.google.com/")
    assert item["captured_at"].startswith(made["at"].strftime("%Y-%m-%dT%H:%M"))
    with pytest.raises(Forbidden):
        await stage.approve(case_id)


async def test_who_may_judge_what(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    made = (await taken(stage, case_id))[0]
    said = {"finding": "lawful"}
    for capture_id, visitor in ((str(made["id"]), "nobody"), ("0" * 8, "desktop"), (case_id, "desktop")):
        with pytest.raises(NotFound):
            await captures.judged(stage.ctx, SAM, case_id, capture_id, said, visitor)
    with pytest.raises(NotFound):  # another organisation's submitter does not see the case
        await captures.judged(stage.ctx, OLGA, case_id, str(made["id"]), said, "desktop")
    await stage.submit(row(urls=[f"https://{MAIL}/other"]), OLGA)
    await stage.r.quiet()
    assert {r.url for r, _ in await captures.of_case(stage.ctx, SAM, case_id)} == set(row()["urls"])
    with pytest.raises(NotFound):
        await captures.judged(stage.ctx, OLGA, case_id, str(made["id"]), said, "desktop")
    seen = {r.url for r, _ in await captures.of_case(stage.ctx, OLGA, case_id)}
    assert seen == {f"https://{MAIL}/other"}  # its own pages, not those that another organisation reported


async def test_pages_that_look_alike_are_found(stage: Stage) -> None:
    one = await stage.case_in_review()
    other = "pills-mirror.com"
    shop = "Sample content of the simulated site"
    page = " ".join([shop, *(f"ware{n}" for n in range(80))])
    stage.r.sandbox.site.pages |= {MAIL: {"*": page}, other: {"*": f"{page} and one more"}}
    await captures.ask(stage.ctx, RITA, one)
    await stage.r.quiet()
    copy = row(domain=other, urls=[f"https://{other}/"], evidence=[])
    said = await stage.submit(copy)
    await stage.r.quiet()
    newest, near = (await captures.of_case(stage.ctx, RITA, str(said.case_id)))[0]
    assert newest.url == f"https://{other}/"
    (found,) = near
    assert (found.case_id, found.similarity > 0.9) == (one, True)
    assert found.reference == (await stage.case(one))["reference"]


@needs_chromium
async def test_a_picture_is_kept_beside_the_warc(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    browser = Browser(Egress.LOOPBACK, ("127.0.0.1", stage.r.sandbox.site_port))
    await capturing.capture(replace(stage.ctx, browser=browser), case_id + capturing.ANEW)
    made = (await taken(stage, case_id))[-1]
    assert (made["picture"], made["picture_why"]) == ("made", "")
    content = b"".join([p async for p in blobs.checked(stage.ctx.blobs, made["picture_sha256"])])
    assert content.startswith(b"\x89PNG")
    manifest = (await stage.preview(case_id)).drafts[0].manifest.body
    assert f'"media_type":"image/png","sha256":"{made["picture_sha256"]}"' in manifest
