"""Reports as pages of their own: for everybody to read, at a desk and on a telephone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from notifier.services import reports
from notifier.services.report_data import Asked, Form, Kind
from tests.browser.screens import DESK, PHONE
from tests.services.stages import MAIL, RITA, Stage


@pytest.fixture(scope="module")
async def lived(stage: Stage) -> Stage:
    await stage.notified(MAIL)
    await stage.pass_time(hours=8)
    return stage


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_every_report_is_for_everybody(
    lived: Stage, chromium: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    begun, over = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    bounds = {Kind.SCORECARD: (None, None, ("verisign",)), Kind.PILOT: (begun, over, ("verisign",))}
    found = []
    for kind in Kind:
        asked = Asked(kind, "opioids", *bounds.get(kind, (None, None, ())))
        if kind is Kind.YEARLY:
            asked = reports.of_year("opioids", 2026)
        file = tmp_path / f"{kind}.html"
        file.write_bytes((await reports.report(lived.ctx, RITA, asked, Form.HTML, via="cli")).content)
        # Its policy lets nothing run, and axe is a script.
        context = await chromium.new_context(bypass_csp=True, viewport={"width": size[0], "height": size[1]})
        page = await context.new_page()
        await page.goto(file.as_uri())
        told = await Axe().run(page)
        found += [f"{kind}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in told.response["violations"]]
        if await page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{kind} must be scrolled sideways")
        await context.close()
    assert found == []
