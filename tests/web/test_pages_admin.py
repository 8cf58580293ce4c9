"""The admins' pages: health, configuration, channels, tokens, grants, and the log with its proofs."""

import base64
import hashlib
import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from notifier.catalog import Fault
from notifier.errors import Forbidden, Invalid, NotFound
from notifier.services import access, health, reloading, token_admin
from notifier.services.access import Principal, Role
from notifier.services.people import Reach
from notifier.store import processes
from tests.services.stages import ADA, MAIL, Stage
from tests.web.browsing import Reader, seated
from tests.web.callers import Callers

ELSEWHERE = Principal("Ella Elsewhere", "person", Role.ADMIN, "elsewhere")
AGREEMENT = "/admin/agreements/opioids.pir"


@pytest.fixture
def stage(callers: Callers) -> Stage:
    return callers.stage


@pytest.fixture(scope="module")
async def ada(callers: Callers) -> AsyncIterator[Reader]:
    reader = await seated(callers.stage, "Ada of the house", Role.ADMIN)
    yield reader
    await reader.close()


@pytest.fixture(scope="module")
async def boris(callers: Callers) -> AsyncIterator[Reader]:
    reader = await seated(callers.stage, "Boris of the house", Role.ADMIN)
    yield reader
    await reader.close()


@pytest.fixture(scope="module")
async def ella(callers: Callers) -> AsyncIterator[Reader]:
    """An admin of another organisation."""
    reader = await seated(callers.stage, "Ella of elsewhere", Role.ADMIN, organisation="elsewhere")
    yield reader
    await reader.close()


# --- health ---------------------------------------------------------------------------------------------------------


async def test_an_admin_begins_with_how_the_house_is(stage: Stage, ada: Reader) -> None:
    page = await ada.get("/desk")
    assert (page.url, page.heading) == ("/admin", "Overview")
    for told in ("PostgreSQL", "entries sealed", "Nothing is held after failing", "simulated", "Legal holds: 0"):
        assert told in page.words, told
    for agreement in ("opioids.verisign", "opioids.pir"):
        assert f'href="/admin/agreements/{agreement}"' in page.text


async def test_a_held_job_is_shown_with_its_reason(stage: Stage, ada: Reader) -> None:
    con = stage.ctx.db.pool
    job = await con.fetchval(
        "insert into queue.pgqueuer (priority, entrypoint, payload, status) values (0, 'send', $1, 'failed') returning id",
        b"<b>ref</b>",
    )
    await con.execute(
        "insert into queue.pgqueuer_log (job_id, status, priority, entrypoint, traceback) "
        "values ($1, 'exception', 0, 'send', $2)",
        job,
        {"exception_type": "ValueError", "exception_message": "<script>no</script>"},
    )
    try:
        page = await ada.get("/admin")
        assert "1 held after failing" in page.words
        assert "ValueError: <script>no</script>" in page.words
        assert "<script>no" not in page.text
        assert "<b>ref" not in page.text
    finally:
        await con.execute("delete from queue.pgqueuer where id = $1", job)


async def test_the_machine_is_the_houses(stage: Stage, ella: Reader) -> None:
    page = await ella.get("/admin")
    assert "PostgreSQL" not in page.words
    assert "opioids" not in page.text
    with pytest.raises(Forbidden):
        await health.held_jobs(stage.ctx, ELSEWHERE)
    assert (await ella.send("/admin/config/reload")).status == 403
    assert "What runs" not in (await ella.get("/admin/config")).words


# --- configuration --------------------------------------------------------------------------------------------------


async def test_what_is_configured(stage: Stage, ada: Reader, ella: Reader) -> None:
    page = await ada.get("/admin/config")
    program = stage.ctx.program("opioids")
    assert program.digest[:16] in page.text
    assert stage.ctx.catalog.agreements["opioids.pir"].digest[:16] in page.text
    assert stage.ctx.configuration.digest in page.text
    assert "verisign" in (await ada.get("/admin/config?q=VeriSign")).text
    shown = await ada.get("/admin/config/programs/opioids")
    assert program.rules[0].id in shown.text
    assert program.digest in shown.text
    assert (await ella.get("/admin/config/programs/opioids")).status == 404
    assert (await ella.get(AGREEMENT)).status == 404
    assert (await ella.send(f"{AGREEMENT}/disarm", sure="yes")).status == 404


async def test_every_fault_is_shown_and_nothing_changes(
    stage: Stage, ada: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [
        Fault("programs/a.toml", "id", "is <b>", "a word"),
        Fault("agreements/b.toml", "", "is not TOML", "a TOML file"),
    ]
    asked = await _reload(stage, faults, "d1")
    assert list(asked.faults) == faults
    async with stage.ctx.db.pool.acquire() as con:
        assert await processes.wish(con) is None


async def test_files_without_fault_are_asked_for_once(stage: Stage, ada: Reader) -> None:
    page = await ada.send("/admin/config/reload")  # the files are those that run
    assert "every process runs them already" in page.words
    asked = await _reload(stage, [], "d2")
    assert (asked.faults, asked.same) == ((), False)
    async with stage.ctx.db.pool.acquire() as con:
        wish = await processes.wish(con)
    assert wish is not None
    assert (wish.number, wish.digest, wish.asked_by) == (1, "d2", "Ada Admin")
    assert "d2 by Ada Admin" in (await ada.get("/admin/config")).words
    entry = await stage.ctx.db.fetchrow("select actor, via from audit_entry where tag = 'config.reload_asked'")
    assert entry is not None
    assert tuple(entry) == ("Ada Admin", "page")


async def _reload(stage: Stage, faults: list[Fault], digest: str) -> reloading.Asked:
    configuration = replace(stage.ctx.configuration, check=lambda: (faults, digest))
    return await reloading.ask(replace(stage.ctx, configuration=configuration), ADA)


async def test_a_faulty_folder_is_read_as_check_config_reads_it(stage: Stage, tmp_path: Path) -> None:
    """The real check, over a folder that has nothing in it."""
    from notifier import bootstrap

    settings = replace(stage.ctx.settings, config_folder=tmp_path)
    faults = bootstrap.config_faults(settings, None)
    assert any("safety" in fault.file for fault in faults)


# --- channels -------------------------------------------------------------------------------------------------------


def hidden(text: str) -> dict[str, str]:
    return {
        name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text)
    }


async def test_an_act_shows_what_it_does_before_it_does_it(stage: Stage, ada: Reader, boris: Reader) -> None:
    agreement = "opioids.pir"
    summary = await ada.send(f"{AGREEMENT}/suspend", scope="requests", reason="they asked <by> phone")
    assert summary.heading == f"Suspend: {agreement}"
    assert "they asked <by> phone" in summary.words
    assert "<by>" not in summary.text
    assert await stage.ctx.db.fetchval("select count(*) from suspension") == 0
    done = await ada.send(f"{AGREEMENT}/suspend", **hidden(summary.text))
    assert (done.status, "It is suspended" in done.words) == (200, True)
    entry = await stage.ctx.db.fetchrow("select actor, via from audit_entry where tag = 'agreement.suspended'")
    assert entry is not None
    assert tuple(entry) == ("Ada of the house", "page")
    assert "requests stopped" in (await ada.get("/admin")).words
    for reader in (ada, boris):  # it takes two
        summary = await reader.send(f"{AGREEMENT}/resume", note="their desk agreed")
        assert (await reader.send(f"{AGREEMENT}/resume", **hidden(summary.text))).status == 200
    assert await stage.ctx.db.fetchval("select count(*) from suspension where lifted_at is null") == 0


async def test_arming_takes_two_and_only_what_they_read(stage: Stage, ada: Reader, boris: Reader) -> None:
    disarm = hidden((await ada.send(f"{AGREEMENT}/disarm")).text)
    assert (await ada.send(f"{AGREEMENT}/disarm", **disarm)).status == 200
    stale = await ada.send(f"{AGREEMENT}/arm", sure="yes", digest="0" * 64)
    assert stale.status == 409
    assert "changed since you looked" in stale.words
    armed = hidden((await ada.send(f"{AGREEMENT}/arm")).text)
    assert "armed by one of two" in (await ada.send(f"{AGREEMENT}/arm", **armed)).words
    again = await ada.send(f"{AGREEMENT}/arm", **armed)
    assert (again.status, "the second must be another admin" in again.words) == (403, True)
    await boris.send(f"{AGREEMENT}/arm", **hidden((await boris.send(f"{AGREEMENT}/arm")).text))
    rows = await stage.ctx.db.fetch(
        "select principal from arming where agreement = 'opioids.pir' and disarmed_at is null"
    )
    assert {row["principal"] for row in rows} == {"Ada of the house", "Boris of the house"}


async def test_another_channel_is_proposed_and_refused(stage: Stage, ada: Reader, boris: Reader) -> None:
    wrong = await ada.send(f"{AGREEMENT}/propose", adapter="smtp", address="no toml")
    assert wrong.status == 422
    assert "as in the agreement's file" in wrong.words
    assert "no toml" in wrong.text  # what was typed is still there
    summary = await ada.send(f"{AGREEMENT}/propose", adapter="smtp", address='to = "new@pir.sandbox.test"')
    done = await ada.send(f"{AGREEMENT}/propose", **hidden(summary.text))
    assert "new@pir.sandbox.test" in done.words
    refused = await boris.send(f"{AGREEMENT}/refuse", version="1", reason="not theirs")
    assert (await boris.send(f"{AGREEMENT}/refuse", **hidden(refused.text))).status == 200
    state = await stage.ctx.db.fetchval("select state from channel_version where agreement = 'opioids.pir'")
    assert state == "refused"


# --- tokens and sessions --------------------------------------------------------------------------------------------


async def test_a_token_is_made_shown_once_and_revoked(callers: Callers, ada: Reader) -> None:
    made = await ada.send("/admin/tokens", name="Importer <1>", role="submitter", days="30", service="yes")
    secret = re.search(r'<code class="secret">(tn_[^<]+)</code>', made.text)
    assert secret is not None
    assert "Importer <1>" in made.words
    assert secret[1] not in (await ada.get("/admin/tokens")).text
    callers.tokens = {**callers.tokens, "importer": secret[1]}
    assert (await callers.get("/programs", by="importer")).status == 200
    row = await callers.stage.ctx.db.fetchrow(
        "select t.id, t.role, p.kind, t.expires_at - t.created_at as length from api_token t "
        "join principal p on p.id = t.principal where t.principal = 'Importer <1>'"
    )
    assert row is not None
    assert (row["role"], row["kind"], row["length"]) == ("submitter", "service", timedelta(days=30))
    assert (await ada.send("/admin/tokens/revoke", token=str(row["id"]))).url == "/admin/tokens?said=token_revoked"
    assert (await callers.get("/programs", by="importer")).status == 401
    assert "Importer" not in (await ada.get("/admin/tokens")).text
    assert "revoked" in (await ada.get("/admin/tokens?ended=yes")).words


@pytest.mark.parametrize(
    ("name", "reach", "days", "wrong"),
    [
        ("Ada Admin", Reach(Role.REVIEWER), 30, Forbidden),  # nobody gives themselves a role
        ("Somebody", Reach(Role.REVIEWER), 0, Invalid),
        ("Somebody", Reach(Role.REVIEWER), 731, Invalid),
        ("Somebody", Reach(Role.REGISTRY), 30, Invalid),
        ("Somebody", Reach(Role.REGISTRY, registry="nowhere"), 30, Invalid),
        ("Somebody", Reach(Role.REVIEWER, programs=frozenset({"nothing"})), 30, Invalid),
    ],
)
async def test_tokens_that_cannot_be(stage: Stage, name: str, reach: Reach, days: int, wrong: type[Exception]) -> None:
    with pytest.raises(wrong):
        await token_admin.make(stage.ctx, ADA, name, reach, days=days, service=False)
    assert await stage.ctx.db.fetchval("select count(*) from api_token where principal = 'Somebody'") == 0


async def test_an_organisations_admin_sees_its_own_tokens_alone(stage: Stage, ella: Reader) -> None:
    theirs = await access.add_token(
        stage.ctx.db, "Their Bot", "submitter", by="test", organisation="elsewhere", service=True
    )
    ours = await access.add_token(stage.ctx.db, "Our Bot", "submitter", by="test", service=True)
    page = await ella.get("/admin/tokens")
    assert "Their Bot" in page.words
    assert "Our Bot" not in page.words
    assert (await ella.send("/admin/tokens/revoke", token=ours.id)).status == 404
    assert (await ella.send("/admin/tokens/revoke", token="no id")).status == 404
    await token_admin.revoke(stage.ctx, ELSEWHERE, theirs.id)
    with pytest.raises(NotFound):
        await token_admin.make(stage.ctx, ELSEWHERE, "X", Reach(Role.REVIEWER), days=1, service=False)


async def test_all_sessions_of_a_person_end(stage: Stage, ada: Reader, ella: Reader) -> None:
    gone = await seated(stage, "Gus Gone", Role.AUDITOR)
    assert (await ella.send("/admin/sessions/end", name="Gus Gone")).status == 404
    assert (await gone.get("/account")).status == 200
    assert (await ada.send("/admin/sessions/end", name="Gus Gone")).url == "/admin/people?said=sessions_ended"
    assert (await gone.get("/account")).url.startswith("/sign-in")
    await gone.close()


# --- grants ---------------------------------------------------------------------------------------------------------


async def test_a_grant_is_given_and_ended(stage: Stage, ada: Reader, ella: Reader) -> None:
    assert "Nobody else sees your figures" in (await ada.get("/admin/grants")).words
    wrong = await ada.send("/admin/grants", program="opioids", organisation="institute", until="soon")
    assert (wrong.status, 'value="institute"' in wrong.text) == (422, True)
    until = (await stage.r.clock.now() + timedelta(days=30)).date().isoformat()
    given = await ada.send("/admin/grants", program="opioids", organisation="institute", until=until)
    assert "institute" in given.words
    assert "not shown" in given.words
    row = await stage.ctx.db.fetchrow("select id, until, names_shown from grant_to")
    assert row is not None
    assert (row["until"].isoformat()[:19], row["names_shown"]) == (
        (await stage.r.clock.now() + timedelta(days=31)).date().isoformat() + "T00:00:00",
        False,
    )
    assert (await ella.send("/admin/grants/end", grant=str(row["id"]))).status == 404
    assert "ended by Ada of the house" in (await ada.send("/admin/grants/end", grant=str(row["id"]))).words


# --- the log --------------------------------------------------------------------------------------------------------


async def test_the_log_newest_first_and_by_what_is_asked(callers: Callers, stage: Stage) -> None:
    case_id = await callers.case_in_review(MAIL)
    reference = await stage.ctx.db.fetchval("select reference from cases where id = $1", case_id)
    auditor = await seated(stage, "Otto Reads", Role.AUDITOR)
    page = await auditor.get("/audit")
    ids = [int(n) for n in re.findall(r'<a href="/audit/([0-9]+)">', page.text)]
    assert ids == sorted(ids, reverse=True)
    of_case = await auditor.get(f"/audit?case={reference}")
    tags = set(re.findall(r">([a-z_]+\.[a-z_]+)</a>", of_case.text))
    assert {"case.opened", "target.observed"} <= tags
    assert "seat.given" not in tags
    kind = await auditor.get("/audit?tag=case.")
    assert set(re.findall(r">([a-z_]+)\.[a-z_]+</a>", kind.text)) == {"case"}
    one = await auditor.get("/audit?tag=case.opened&case=nothing")
    assert "No entry in your reach fits" in one.words
    assert (await auditor.get("/audit?cursor=x")).status == 422
    await auditor.close()
    far = await seated(stage, "Olga Elsewhere", Role.AUDITOR, organisation="elsewhere")
    assert "No entry in your reach fits" in (await far.get("/audit")).words
    assert (await far.get(f"/audit/{ids[0]}")).status == 404
    assert (await far.get(f"/audit/{ids[0]}/proof.json")).status == 404
    await far.close()


async def test_an_entry_proves_itself_without_us(stage: Stage, ada: Reader) -> None:
    """The steps that the page tells, done by hand."""
    newest = await stage.ctx.db.fetchval("select max(id) - 20 from audit_entry")
    await stage.r.quiet()
    page = await ada.get(f"/audit/{newest}")
    assert "To verify it without us" in page.words
    proof = json.loads((await ada.get(f"/audit/{newest}/proof.json")).text)
    node = hashlib.sha256(b"\0" + proof["body"].encode()).digest()
    assert node.hex() == proof["leaf_hash"]
    index, last = proof["index"], proof["size"] - 1
    for step in map(bytes.fromhex, proof["path"]):
        if index & 1 or index == last:
            node = hashlib.sha256(b"\1" + step + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + step).digest()
        index, last = index >> 1, last >> 1
    assert node == base64.b64decode(proof["checkpoint"].splitlines()[2])
    assert (await ada.get("/audit/999999999999")).status == 404


@pytest.mark.parametrize("role", [Role.SUBMITTER, Role.REVIEWER, Role.EVALUATOR, Role.AUDITOR])
async def test_admins_pages_are_for_admins(stage: Stage, role: Role) -> None:
    reader = await seated(stage, f"No admin {role}", role)
    for path in (
        "/admin",
        "/admin/config",
        "/admin/tokens",
        "/admin/grants",
        AGREEMENT,
        "/admin/config/programs/opioids",
    ):
        assert (await reader.get(path)).status == 404, path
    for path in ("/admin/config/reload", "/admin/tokens", "/admin/sessions/end", f"{AGREEMENT}/arm"):
        assert (await reader.send(path)).status == 404, path
    assert (await reader.get("/audit")).status == (200 if role is Role.AUDITOR else 404)
    await reader.close()
