"""The public's pages and the figures without small numbers, for anybody: on a telephone without scripts, and in the dark."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser

from notifier.domain.appeal import Cause, Outcome
from notifier.domain.transparency import Transparency
from notifier.services import grants, hearing, people, sign_in, transparency
from notifier.services.access import Role
from notifier.services.people import Reach
from tests.browser.screens import DESK, PHONE, screen
from tests.services.stages import ADA, HOOK, MAIL, ROLF, Stage
from tests.services.test_appeals import appealed, held
from tests.services.test_transparency import OPEN, tell, watched
from tests.web.browsing import PASSWORD

WAYS = [
    pytest.param((DESK, True, True), id="desk in the dark"),
    pytest.param((PHONE, False, False), id="phone without scripts"),
    pytest.param((PHONE, True, False), id="phone"),
]


@pytest.fixture(scope="module")
async def filled(stage: Stage) -> Stage:
    """A name that is shown, a mistake that was put right, and an evaluator who sees no small number."""
    tell(stage, OPEN, watch=watched(1), refresh=timedelta(days=400))
    await held(stage, HOOK)
    await stage.pass_time(days=2)
    wrong = await appealed(stage, await held(stage, MAIL), MAIL)
    await hearing.take(stage.ctx, ROLF, wrong)
    await hearing.decide(stage.ctx, ROLF, wrong, Outcome.OVERTURNED, "You have a licence.", Cause.LAWFUL)
    await stage.pass_time(days=12)
    assert await transparency.make(stage.ctx, stage.ctx.program("opioids"))
    link = await people.add(stage.ctx.db, "Uma Faraway", Reach(Role.EVALUATOR, organisation="institute"), by="test")
    await sign_in.accept(stage.ctx, link, "", PASSWORD, "test", "test")
    await grants.give(stage.ctx, ADA, "opioids", "institute", await stage.r.clock.now() + timedelta(days=30))
    return stage


@pytest.mark.parametrize("way", WAYS)
async def test_the_publics_pages_are_for_everybody(
    filled: Stage, chromium: Browser, way: tuple[tuple[int, int], bool, bool]
) -> None:
    size, scripts, dark = way
    found = []
    async with screen(chromium, filled.r.url, size, scripts=scripts, dark=dark) as one:
        for told in (OPEN, Transparency(public=True, delay_days=7, suppress_below=10, registries=True)):
            tell(filled, told)
            await transparency.make(filled.ctx, filled.ctx.program("opioids"))
            for path in ("/transparency", "/transparency/opioids", "/transparency/pharmacy"):
                await one.open(path)
                found += await one.violations()
                assert not await one.is_too_wide(), path
        await one.open("/transparency/opioids")
        await one.press("Tell us that we are wrong")
        assert "/appeal" in one.page.url
    assert found == []
    tell(filled, OPEN)


@pytest.mark.parametrize("way", WAYS)
async def test_figures_without_small_numbers_are_for_everybody(
    filled: Stage, chromium: Browser, way: tuple[tuple[int, int], bool, bool]
) -> None:
    size, scripts, dark = way
    tell(filled, Transparency(public=True, delay_days=7, suppress_below=10))
    async with screen(chromium, filled.r.url, size, scripts=scripts, dark=dark) as one:
        await one.sign_in("Uma Faraway", PASSWORD)
        await one.open("/figures?program=opioids&by=month")
        assert "keeps numbers below 10 back" in await one.words()
        assert await one.violations() == []
        assert not await one.is_too_wide()
    tell(filled, OPEN)
