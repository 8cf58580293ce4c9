"""Signing in with a real browser: by keyboard, on a telephone, in the dark, and without scripts."""

import pytest
from playwright.async_api import Browser

from notifier.services import people, sign_in
from notifier.services.access import Role
from notifier.services.people import Reach
from tests.browser.screens import DESK, PHONE, WALL, screen
from tests.services.stages import Stage

PASSWORD = "correct horse battery"


async def settled(stage: Stage, name: str, role: Role) -> str:
    link = await people.add(stage.ctx.db, name, Reach(role), by="test")
    await sign_in.accept(stage.ctx, link, "", PASSWORD, "test", "test")
    return name


async def test_from_the_link_to_the_account_by_keyboard_alone(stage: Stage, chromium: Browser) -> None:
    link = await people.add(stage.ctx.db, "Kay Keyboard", Reach(Role.SUBMITTER), by="test")
    async with screen(chromium, stage.r.url) as one:
        await one.open(f"/welcome/{link}")
        await one.page.keyboard.press("Tab")  # the skip link, then the first field
        await one.page.keyboard.press("Tab")
        await one.page.keyboard.type(PASSWORD)
        await one.page.keyboard.press("Tab")
        await one.page.keyboard.type(PASSWORD)
        await one.page.keyboard.press("Enter")
        await one.page.wait_for_url("**/desk/submit")
        assert "Kay Keyboard" in await one.words()


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_second_step_from_the_square_on(stage: Stage, chromium: Browser, scripts: bool) -> None:
    name = await settled(stage, f"Sec Ond {scripts}", Role.SUBMITTER)
    async with screen(chromium, stage.r.url, scripts=scripts) as one:
        await one.sign_in(name, PASSWORD)
        await one.open("/account/second-step")
        assert await one.page.locator("svg.qr").count() == 1
        await one.write("Code", "12")
        await one.press("Take it into use")
        assert "not the code" in await one.words()


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (DESK, True), (WALL, False)])
async def test_every_page_of_signing_in_is_for_everybody(
    stage: Stage, chromium: Browser, size: tuple[int, int], dark: bool
) -> None:
    name = await settled(stage, f"Ada {size[0]}", Role.ADMIN)
    link = await people.add(stage.ctx.db, f"New {size[0]}", Reach(Role.SUBMITTER), by="test")
    async with screen(chromium, stage.r.url, size, dark=dark) as one:
        found = []
        for path in ("/", "/sign-in", f"/welcome/{link}", "/welcome/" + "x" * 32, "/appeal", "/nothing"):
            await one.open(path)
            found += await one.violations()
            assert not await one.is_too_wide(), path
        await one.sign_in(name, PASSWORD)
        for path in ("/account", "/account/second-step", "/admin/people"):
            await one.open(path)
            found += await one.violations()
            assert not await one.is_too_wide(), path
        assert found == []


async def test_times_are_in_the_readers_zone_with_utc_on_hover(stage: Stage, chromium: Browser) -> None:
    name = await settled(stage, "Tim Ezone", Role.SUBMITTER)
    async with screen(chromium, stage.r.url) as one:
        await one.sign_in(name, PASSWORD)
        await one.open("/account")
        shown = one.page.locator("time").first
        assert (await shown.get_attribute("title") or "").endswith("UTC")
        assert not (await shown.inner_text()).endswith("UTC")


async def test_what_the_policy_refuses_is_noticed(stage: Stage, chromium: Browser) -> None:
    """The tests above can fail: a picture from elsewhere is refused, and that is told."""

    async def looks_elsewhere() -> None:
        async with screen(chromium, stage.r.url) as one:
            await one.open("/sign-in")
            await one.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://a.example/x'}))")
            await one.page.wait_for_timeout(200)

    with pytest.raises(AssertionError, match="Content Security Policy"):
        await looks_elsewhere()
