"""Four people from sign-in to done, each with a real browser: at a desk with scripts, and on a telephone without any."""

from dataclasses import dataclass

import pytest
from playwright.async_api import Browser

from notifier import demo
from tests.browser.screens import DESK, PHONE, Screen, screen
from tests.services.stages import Stage

WAYS = [pytest.param((DESK, True), id="desk"), pytest.param((PHONE, False), id="phone without scripts")]


@dataclass(frozen=True)
class House:
    """A demonstration that left work for each of its people."""

    stage: Stage
    password: str
    appeal: str


@pytest.fixture(scope="module")
async def house(stage: Stage) -> House:
    reports = demo.reports_of(None, None)
    await demo.play(stage.r, reports[:6], lambda *_: None)
    appeal = await demo.leave_work(stage.r, reports)
    assert appeal is not None, "nothing was acted on"
    return House(stage, await demo.give_seats(stage.r), appeal)


async def fair(one: Screen) -> None:
    """Whoever reads with a screen reader, in large type or on a telephone, can read this page."""
    assert await one.violations() == []
    assert not await one.is_too_wide(), one.page.url


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.timeout(300)
async def test_a_reviewer_goes_through_the_queue(
    house: House, chromium: Browser, way: tuple[tuple[int, int], bool]
) -> None:
    db, (size, scripts) = house.stage.ctx.db, way
    before = await db.fetchval("select count(*) from approval")
    async with screen(chromium, house.stage.r.url, size, scripts=scripts) as one:
        await one.sign_in("Rita Reviewer", house.password)
        assert await one.heading() == "Queue"
        await fair(one)
        await one.press("Review them one by one")
        for _ in range(3):
            name = (await one.page.locator("h1 .domain").inner_text()).strip()
            await one.write("Type the name to approve", f"not-{name}")
            await one.press("Approve exactly this")
            assert (await one.page.locator("h1 .domain").inner_text()).strip() == name, "another name approves nothing"
            await fair(one)
            if scripts:  # by keyboard, and nothing is decided by a key alone
                await one.page.locator("h1").click()
                await one.page.keyboard.press("a")
                await one.page.keyboard.press("Control+A")
                await one.page.keyboard.type(name)
            else:
                await one.write("Type the name to approve", f"hxxps://{name}/")
            await one.press("Approve exactly this")
            assert (await one.page.locator("h1 .domain").inner_text()).strip() != name, "the next one comes by itself"
    assert await db.fetchval("select count(*) from approval") == before + 3


@pytest.mark.parametrize("way", WAYS)
async def test_a_registry_answers(house: House, chromium: Browser, way: tuple[tuple[int, int], bool]) -> None:
    db, (size, scripts) = house.stage.ctx.db, way
    async with screen(chromium, house.stage.r.url, size, scripts=scripts) as one:
        await one.sign_in("Vera Verisign", house.password)
        await fair(one)
        link = one.page.locator("main tbody th a").first
        name = (await link.inner_text()).strip()
        await link.click()
        await one.page.wait_for_load_state("load")
        await fair(one)
        assert name in await one.heading()
        await one.page.get_by_label("We acted: say below what was done").check()
        await one.page.locator("#measure").select_option("hold")
        await one.page.locator("#actor").select_option("registry")
        await one.page.locator("#domain").fill(name)
        await one.press("Send the answer")
        assert "Your answer is recorded" in await one.words()
        await fair(one)
    claimed = await db.fetch(
        "select k.measure, k.verdict from claim k join notice n on n.id = k.notice_id where n.domain = $1", name
    )
    assert [tuple(row) for row in claimed] == [("hold", "pending")], "it counts once it was seen"


@pytest.mark.parametrize("way", WAYS)
async def test_an_evaluator_reads_the_numbers_and_the_cases_behind_them(
    house: House, chromium: Browser, way: tuple[tuple[int, int], bool]
) -> None:
    size, scripts = way
    async with screen(chromium, house.stage.r.url, size, scripts=scripts) as one:
        await one.sign_in("Eva Evaluator", house.password)
        await fair(one)
        assert await one.page.locator("svg[role=img]").count() > 0
        number = one.page.locator("main a[aria-label$='show the cases']").first
        n = int((await number.inner_text()).strip())
        await number.click()
        await one.page.wait_for_load_state("load")
        await fair(one)
        assert await one.page.locator("main tbody tr").count() == n
        for someone in ("Sam Submitter", "Rita Reviewer", "Rolf Reviewer"):
            assert someone not in await one.words()


@pytest.mark.parametrize(("lang", "send"), [("en", "Send"), ("de", "Senden"), ("es", "Enviar")])
@pytest.mark.parametrize("way", WAYS)
async def test_a_registrant_contests(
    house: House, chromium: Browser, way: tuple[tuple[int, int], bool], lang: str, send: str
) -> None:
    size, scripts = way
    async with screen(chromium, house.stage.r.url, size, scripts=scripts) as one:
        await one.page.goto(f"{house.appeal}?lang={lang}")
        assert await one.page.locator("html").get_attribute("lang") == lang
        await fair(one)
        await one.page.locator("#grounds").fill("We sell garden chairs, and nothing else.")
        await one.page.locator("#contact").fill("owner@example.net")
        await one.press(send)
        assert "/appeal/status/" in one.page.url
        await fair(one)
        words = await one.words()
        for someone in ("Sam Submitter", "Rita Reviewer", "Rolf Reviewer"):
            assert someone not in words


@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("Sam Submitter", ["/desk/submit", "/desk/cases", "/desk/batches", "/desk/upload"]),
        (
            "Rita Reviewer",
            ["/desk/cases", "/desk/work", "/desk/alarms", "/desk/watch", "/desk/appeals", "/desk/events"],
        ),
        ("Vera Verisign", ["/portal/history", "/portal/channel", "/account/tokens"]),
        ("Otto Auditor", ["/audit", "/desk/cases", "/figures", "/figures/reports"]),
        ("Ada Admin", ["/admin", "/admin/config", "/admin/people", "/admin/tokens", "/admin/grants", "/desk/alarms"]),
    ],
)
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk in the dark"])
async def test_every_main_page_is_for_everybody(
    house: House, chromium: Browser, size: tuple[int, int], who: str, paths: list[str]
) -> None:
    found = []
    async with screen(chromium, house.stage.r.url, size, dark=size == DESK) as one:
        await one.sign_in(who, house.password)
        for path in paths:
            await one.open(path)
            found += await one.violations()
            if await one.is_too_wide():
                found.append(f"{path} must be scrolled sideways")
    assert found == []
