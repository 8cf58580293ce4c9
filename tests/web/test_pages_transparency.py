"""The public's pages: anybody reads them, nobody is named in them, and a feed reader and a spreadsheet take what they get."""

import asyncio
import csv
import io
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from notifier.domain.transparency import Transparency
from notifier.services import appealing, transparency
from notifier.services.appealing import Filing
from notifier.store import publications as store
from notifier.web import keeping
from tests.services.stages import HOOK, MAIL, TIM, Stage, row
from tests.services.test_appeals import held
from tests.services.test_transparency import OPEN, tell, watched
from tests.web.browsing import Reader
from tests.web.callers import Callers

AT = "/transparency/opioids"
ATOM = "{http://www.w3.org/2005/Atom}"
EVERY = ("/transparency", AT, f"{AT}/feed.atom", f"{AT}/figures.json", f"{AT}/figures.csv")
CANARY = "CANARY-7f3a"


@pytest.fixture(scope="module")
async def stage(callers: Callers) -> Stage:
    """A hold that is over and old, one that is young, an appeal that is open, a report by somebody with a telling name."""
    stage = callers.stage
    tell(stage, OPEN, watch=watched(1), refresh=timedelta(days=400))
    await held(stage)
    await stage.submit(row(HOOK, summary=f"{CANARY} " + "They sell opioids without any prescription. " * 4))
    await stage.r.quiet()
    await stage.submit(row(HOOK), replace(TIM, organisation=f"{CANARY} e. V."))
    await appealing.file(stage.ctx, Filing(HOOK, f"{CANARY} grounds", f"{CANARY}@example.org"), "192.0.2.9")
    await stage.r.advance_to(datetime(2027, 1, 20, 12, tzinfo=UTC))
    assert await transparency.make(stage.ctx, stage.ctx.program("opioids"))
    return stage


@pytest.fixture(scope="module")
async def anybody(stage: Stage) -> AsyncIterator[Reader]:
    reader = Reader(stage.r.url)
    yield reader
    await reader.close()


async def text_of(reader: Reader, path: str) -> str:
    shown = await reader.get(path)
    assert shown.status == 200, (path, shown.words)
    return shown.text


@pytest.mark.parametrize("path", EVERY)
async def test_anybody_reads_it_and_it_can_be_kept_for_a_while(anybody: Reader, path: str) -> None:
    shown = await anybody.get(path)
    assert (shown.status, shown.headers["Cache-Control"]) == (200, "public, max-age=600")
    assert "Set-Cookie" not in shown.headers
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    async with anybody._session.head(path) as got:
        assert got.status == 200


async def test_the_page_says_what_when_and_how_to_contest(stage: Stage, anybody: Reader) -> None:
    page = await anybody.get(AT)
    assert page.heading == "Illegal sale of opioids on the internet"
    for words in (
        "A program of fda",
        "everything up to the end of 2027-01-12 (UTC)",
        "made on 2027-01-20",
        "Illegal sale of opioids",
        "The registrant may appeal to us at any time",
        "Tell us that we are wrong",
        "Appeals so far: 0",  # what was filed is about a name that nobody was asked about
        "Nothing had to be put right up to 2027-01-12",
        "The registry is asked for hold and has",
        "cheap-pharma[.]com",
    ):
        assert words in page.words, words
    listed = await anybody.get("/transparency")
    assert "Figures up to 2027-01-12" in listed.words
    assert "live" not in listed.words.lower()


async def test_the_numbers_are_those_counted_by_hand(anybody: Reader) -> None:
    """Two names were opened in the last quarter of 2026; one of them was held, and seen so."""
    made = json.loads(await text_of(anybody, f"{AT}/figures.json"))
    funnel = {row["figure"]: (row["n"], row["out_of"]) for row in made["whole"] if row["part"] == "funnel"}
    assert (funnel["opened"], funnel["approved"], funnel["verified"]) == ((2, 2), (1, 2), (1, 1))
    assert [(one["key"], one["complete"]) for one in made["quarters"]] == [("2026-Q4", True)]
    assert (made["appeals"]["filed"], made["appeals"]["open"], made["corrections"]) == (0, 0, [])
    assert [(one["name"], one["outcome"]) for one in made["names"]] == [("cheap-pharma[.]com", "registry_hold")]
    rows = list(csv.DictReader(io.StringIO(await text_of(anybody, f"{AT}/figures.csv"))))
    verified = [r for r in rows if (r["slice"], r["part"], r["figure"]) == ("2026-Q4", "funnel", "verified")]
    assert [(r["n"], r["out_of"], r["share"], r["days"]) for r in verified] == [("1", "1", "1.0", "")]
    assert not any(value.startswith(("=", "+", "-", "@")) for r in rows for value in r.values())
    assert [r["figure"] for r in rows if r["slice"] == "names"] == ["cheap-pharma[.]com"]


async def test_the_feed_is_one_that_readers_take(stage: Stage, anybody: Reader) -> None:
    """RFC 4287: one id, title, updated and author for the feed; id, title and updated for each entry; ids that stay."""
    shown = await anybody.get(f"{AT}/feed.atom")
    assert shown.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(shown.text)
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "fda"
    assert {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")} == {
        "self": f"{stage.ctx.settings.public_url}{AT}/feed.atom",
        "alternate": f"{stage.ctx.settings.public_url}{AT}",
    }
    entries = feed.findall(f"{ATOM}entry")
    names = "Names of ended cases, 2027-01-20"
    told = {one.findtext(f"{ATOM}title"): one.findtext(f"{ATOM}content") or "" for one in entries}
    assert set(told) == {names, "Figures of 2026-Q4"}
    assert (told[names], "opened: 2, approved: 1" in told["Figures of 2026-Q4"]) == ("cheap-pharma[.]com", True)
    for one in (feed, *entries):
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", one.findtext(f"{ATOM}id") or "")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", one.findtext(f"{ATOM}updated") or "")
    ids = [one.findtext(f"{ATOM}id") for one in (feed, *entries)]
    assert len(set(ids)) == 3
    assert feed.findtext(f"{ATOM}updated") == max(one.findtext(f"{ATOM}updated") or "" for one in entries)
    again = ElementTree.fromstring((await anybody.get(f"{AT}/feed.atom")).text)
    assert [one.findtext(f"{ATOM}id") for one in (again, *again.findall(f"{ATOM}entry"))] == ids


@pytest.mark.parametrize("path", EVERY)
async def test_nobody_is_named_and_no_offender_is_helped(stage: Stage, anybody: Reader, path: str) -> None:
    text = await text_of(anybody, path)
    rows = await stage.ctx.db.fetch("select id, reference from cases")
    people = await stage.ctx.db.fetch(
        "select principal as who from report union select supplied_by from evidence union select approved_by from notice "
        "union select id from principal union select organisation from report"
    )
    never = [CANARY, HOOK, "globalpills", *(str(r["id"]) for r in rows), *(r["reference"] for r in rows)]
    never += [r["who"] for r in people if r["who"]]
    never += ["192.0.2.9", "vantage", "referrer", "similar", "sha256", "captur", "seconds"]
    never += [stage.ctx.settings.mail_from.partition("@")[0], MAIL]  # the shown name is dead letters, and no link
    found = [word for word in never if word.lower() in text.lower()]
    if path == AT:  # rules may speak of captures as such, in words that the program publishes
        found = [word for word in found if word != "captur"]
    assert found == []
    times = re.findall(r"\d\d:\d\d", re.sub(r"T00:00:00Z", "", re.sub(r"<script.*?</script>", "", text)))
    assert times == [], "nothing is finer than a day"
    if path != "/transparency":
        assert "verisign" not in text.lower(), "no registry is named unless the program says so"


async def test_what_is_not_public_is_not_there(stage: Stage, anybody: Reader) -> None:
    nothing = await anybody.get("/transparency/no-such-program")
    for program in ("live-event", "authority-order"):
        for path in ("", "/feed.atom", "/figures.json", "/figures.csv"):
            shown = await anybody.get(f"/transparency/{program}{path}")
            assert (shown.status, shown.words) == (404, nothing.words)
    assert (await anybody.get("/transparency/pharmacy")).status == 200
    assert "No figures were made yet" in (await anybody.get("/transparency/pharmacy")).words
    assert (await anybody.get("/transparency/pharmacy/figures.csv")).status == 404
    feed = ElementTree.fromstring((await anybody.get("/transparency/pharmacy/feed.atom")).text)
    assert feed.findall(f"{ATOM}entry") == []


async def test_a_reader_makes_nothing_be_computed(stage: Stage, anybody: Reader) -> None:
    before = await stage.count("publication")
    await stage.pass_time(days=2)
    for path in EVERY:
        await anybody.get(path)
    assert await stage.count("publication") == before
    assert "up to the end of 2027-01-12" in (await anybody.get(AT)).words


async def test_half_a_minute_has_one_answer_whatever_is_asked(
    stage: Stage, anybody: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many ask at once, each with a query of its own; then the half minute is over."""
    await stage.pass_time(days=1)  # what was read before is of another day
    asked: list[str] = []

    def counted(name: str) -> None:
        real = getattr(store, name)

        async def count(*args: Any) -> Any:
            asked.append(name)
            return await real(*args)

        monkeypatch.setattr(store, name, count)

    for name in ("newest", "newest_days", "by_day"):
        counted(name)
    first = {path: await text_of(anybody, path) for path in EVERY}
    shown = await asyncio.gather(*(text_of(anybody, f"{path}?n={n}") for n in range(4) for path in EVERY))
    assert shown == [first[path] for _ in range(4) for path in EVERY]
    assert sorted(asked) == ["by_day", "newest", "newest_days"]
    moment = time.monotonic()
    monkeypatch.setattr(keeping.time, "monotonic", lambda: moment + keeping.KEPT_S)
    for path in EVERY:
        assert await text_of(anybody, path) == first[path]
    assert sorted(asked) == ["by_day", "by_day", "newest", "newest", "newest_days", "newest_days"]


async def test_small_numbers_are_shown_as_kept_back(stage: Stage, anybody: Reader) -> None:
    tell(stage, Transparency(public=True, delay_days=7, suppress_below=10, registries=True))
    assert await transparency.make(stage.ctx, stage.ctx.program("opioids"))
    page = await anybody.get(AT)
    assert "Numbers below 10 are kept back" in page.words
    assert "verified kept back kept back" in page.words
    assert "By registry" in page.words
    assert "cheap-pharma" not in page.words
    made = json.loads(await text_of(anybody, f"{AT}/figures.json"))
    assert {row["n"] for part in (made["whole"], *(q["rows"] for q in made["quarters"])) for row in part} <= {None, 0}
    assert {r["key"] for r in made["registries"]} == {"verisign", "pir"}
    tell(stage, OPEN)
