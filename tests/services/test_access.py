"""Who may see what: tokens, scopes, pages. A foreign id answers as one that does not exist."""

from datetime import timedelta

import pytest

from notifier.errors import Forbidden, Invalid, NotFound, Unauthenticated
from notifier.services import access, reading
from notifier.services.access import Principal, Role
from notifier.services.reading import CaseFilter
from tests.services.stages import ADA, HOOK, MAIL, PIR, RITA, VERISIGN, Stage, row

FDA, MPA = (Principal(f"of {org}", "person", Role.SUBMITTER, organisation=org) for org in ("fda", "mpa"))


async def test_a_token_is_known_by_its_hash_alone(stage: Stage) -> None:
    db = stage.ctx.db
    made = await access.add_token(db, "Rita", "reviewer", by="test", organisation="fda", programs=["opioids"])
    who = await access.authenticate(db, made.token)
    assert who == Principal("Rita", "person", Role.REVIEWER, "fda", None, frozenset({"opioids"}))
    kept = await db.fetch("select * from api_token")
    assert not [r for r in kept if made.token in str(dict(r))]
    assert await stage.count("audit_entry where body like $1", f"%{made.token}%") == 0


async def test_an_ended_token_is_no_token(stage: Stage) -> None:
    db, now = stage.ctx.db, await stage.r.clock.now()
    short = await access.add_token(db, "Rita", "reviewer", by="test", expires_at=now + timedelta(hours=1))
    revoked = await access.add_token(db, "Rita", "reviewer", by="test")
    await db.pool.execute("update api_token set revoked_at = $2 where id = $1", revoked.id, now)
    assert (await access.authenticate(db, short.token)).id == "Rita"
    await stage.pass_time(hours=1)
    said = set()
    for secret in (short.token, revoked.token, "tn_x", "", short.token + " ", "\udcff", "\x00"):
        with pytest.raises(Unauthenticated) as raised:
            await access.authenticate(db, secret)
        said.add(raised.value.detail)
    assert len(said) == 1, "the reason is not told"


@pytest.mark.parametrize("name", ["", " ", "local:root", "daemon", "a\nb", "x" * 201, "\ud800"])
async def test_a_name_that_cannot_be_one_gets_no_token(stage: Stage, name: str) -> None:
    with pytest.raises(Invalid):
        await access.add_token(stage.ctx.db, name, "reviewer", by="test")


async def test_a_service_does_not_become_a_person(stage: Stage) -> None:
    await access.add_token(stage.ctx.db, "robot", "submitter", by="test", service=True)
    with pytest.raises(Invalid):
        await access.add_token(stage.ctx.db, "robot", "reviewer", by="test")


@pytest.mark.parametrize(("role", "registry"), [("registry", None), ("reviewer", "verisign"), ("king", None)])
async def test_a_role_has_what_belongs_to_it(stage: Stage, role: str, registry: str | None) -> None:
    with pytest.raises(Invalid):
        await access.add_token(stage.ctx.db, "p", role, by="test", registry=registry)


async def test_a_member_sees_its_own_cases_and_the_owner_all(stage: Stage) -> None:
    ours = str((await stage.submit(row(), FDA)).case_id)
    theirs = str((await stage.submit(row(HOOK), MPA)).case_id)
    owner = Principal("r", "person", Role.REVIEWER, organisation="fda")
    seen = {
        who.id: {str(c["id"]) for c in (await reading.cases(stage.ctx, who, CaseFilter())).items}
        for who in (FDA, MPA, owner, RITA)
    }
    assert seen == {FDA.id: {ours}, MPA.id: {theirs}, owner.id: {ours, theirs}, RITA.id: {ours, theirs}}
    with pytest.raises(NotFound):
        await reading.case(stage.ctx, MPA, ours)
    with pytest.raises(NotFound):
        await reading.report(stage.ctx, MPA, str(await stage.ctx.db.fetchval("select id from report limit 1")))


async def test_a_registry_sees_what_was_sent_to_it(stage: Stage) -> None:
    told = await stage.notified(MAIL)
    waiting = await stage.case_in_review(HOOK)
    await stage.approve(waiting)
    assert [str(n["case_id"]) for n in (await reading.notices(stage.ctx, VERISIGN)).items] == [told]
    assert (await reading.notices(stage.ctx, PIR)).items == [], "what waits here has not been sent"
    notice = str((await stage.notice(told))["id"])
    with pytest.raises(NotFound):
        await reading.notice(stage.ctx, PIR, notice)
    shown = await reading.notice(stage.ctx, VERISIGN, notice)
    assert (shown["attempts"], str(shown["id"])) == ([], notice)
    with pytest.raises(Forbidden):
        await reading.cases(stage.ctx, VERISIGN, CaseFilter())


async def test_pages_meet_without_a_gap_or_an_overlap(stage: Stage) -> None:
    for n in range(7):
        await stage.submit({**row(), "domain": f"shop-{n}.com", "urls": []}, FDA)
    seen, cursor = [], None
    while True:
        page = await reading.cases(stage.ctx, RITA, CaseFilter(), limit=3, cursor=cursor)
        seen += [c["target"] for c in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == [f"shop-{n}.com" for n in range(7)]
    assert len(seen) == 7


# The last one is of a time that no database takes: year 1 in a zone ahead of UTC.
_EARLY = "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgIjAxYTIxM2Y0LTJjZmYt"
_EARLY += "NzQzZS1iMWQ2LTBmNDY3OTRkNjZiYSJd"


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "bnVsbA", "W10", "\x00", "é", "WyIyMDI2LTExLTAyVDE0OjAwOjAwIiwgIngiXQ", _EARLY]
)
async def test_a_cursor_that_no_page_gave_is_invalid(stage: Stage, cursor: str) -> None:
    with pytest.raises(Invalid):
        await reading.cases(stage.ctx, RITA, CaseFilter(), cursor=cursor)


async def test_a_name_is_found_in_any_spelling(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    for spelling in (MAIL, MAIL.upper(), f"hxxps://www.{MAIL.replace('.', '[.]')}/x", f"https://{MAIL}/"):
        page = await reading.cases(stage.ctx, RITA, CaseFilter(domain=spelling))
        assert [str(c["id"]) for c in page.items] == ([] if "www" in spelling else [case_id]), spelling
    with pytest.raises(Invalid):
        await reading.cases(stage.ctx, RITA, CaseFilter(domain="192.0.2.1"))


@pytest.mark.parametrize("text", ["\x00", "\ud800", "'; drop table cases; --"])
async def test_a_filter_may_hold_anything(stage: Stage, text: str) -> None:
    for wanted in (
        CaseFilter(state=text),
        CaseFilter(assignee=text),
        CaseFilter(outcome=text),
        CaseFilter(program=text),
    ):
        assert (await reading.cases(stage.ctx, RITA, wanted)).items == []
    assert (await reading.notices(stage.ctx, RITA, state=text)).items == []


async def test_an_admin_reads_and_does_not_decide(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    assert str((await reading.case(stage.ctx, ADA, case_id))["id"]) == case_id
    with pytest.raises(Forbidden):
        await stage.approve(case_id, ADA)


@pytest.mark.parametrize(
    "twin", ["RITA", "rita", "Rita ", "\u212bngstr\u00f6m", "registry:verisign", "Rehearsal", "daemon"]
)
async def test_one_person_has_one_name(stage: Stage, twin: str) -> None:
    """Two spellings would be two pairs of eyes: case, outer blanks, compatibility characters, our own actors."""
    await access.add_token(stage.ctx.db, "Rita", "submitter", by="test")
    with pytest.raises(Invalid):
        await access.add_token(stage.ctx.db, twin, "reviewer", by="test")
