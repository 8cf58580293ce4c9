"""After an upgrade of the suffix list or of our rules: open cases that would be about another name today are found."""

from dataclasses import replace
from pathlib import Path

import publicsuffixlist
import pytest

from notifier.domain.names import NAMES_VERSION
from notifier.services import rereading
from notifier.services.rereading import Reread, reread
from notifier.suffixes import PublicSuffixes
from tests.services.stages import Stage
from tests.services.test_programs import about

TEXT = Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8")
NEWER = TEXT.replace("// VERSION: 20", "// VERSION: 21", 1)
PRIVATE_END = "// ===END PRIVATE DOMAINS==="


async def found(stage: Stage, text: str) -> list[Reread]:
    catalog = replace(stage.ctx.catalog, suffixes=PublicSuffixes(text))
    async with stage.ctx.db.pool.acquire() as con:
        return [case async for case in reread(catalog, con)]


async def test_cases_keep_by_what_they_were_named_and_are_reread_after_an_upgrade(stage: Stage) -> None:
    plain = await stage.submit(about("pills-on-plain.com"))
    below = await stage.submit(
        {**about("pills.newhoster.com", urls=None), "domain": "hxxp://pills[.]newhoster[.]com/x"}
    )
    country = await stage.submit({**about("pills.xn--p1ai", urls=None), "domain": "pills.рф"})
    assert None not in (plain.case_id, below.case_id, country.case_id), (plain, below, country)
    row = await stage.case(str(below.case_id))
    assert (row["target"], row["registrable"], row["private_suffix"]) == ("newhoster.com", "newhoster.com", None)
    assert (row["suffix_version"], row["names_version"]) == (stage.ctx.catalog.suffixes.version, NAMES_VERSION)

    assert await found(stage, TEXT) == []
    renewed = await found(stage, NEWER)
    assert [(case.target, case.differs) for case in renewed] == [
        ("pills-on-plain.com", ()),
        ("newhoster.com", ()),
        ("pills.xn--p1ai", ()),
    ]
    assert renewed[0].named_by != renewed[0].now_by

    shared = await found(stage, NEWER.replace(PRIVATE_END, f"newhoster.com\n{PRIVATE_END}"))
    assert [case.differs for case in shared] == [
        (),
        ("'hxxp://pills[.]newhoster[.]com/x': its private suffix is newhoster.com, and was none",),
        (),
    ]
    split = await found(stage, NEWER.replace("\nрф\n", "\n").replace("\ncom\n", "\ncom\nnewhoster.com\n", 1))
    assert [case.differs for case in split] == [
        (),
        ("'hxxp://pills[.]newhoster[.]com/x': its registrable name is pills.newhoster.com, and was newhoster.com",),
        ("'pills.рф': ends in .xn--p1ai, and there is no such top-level domain; check the spelling (invalid_name)",),
    ]


async def test_other_rules_alone_bring_a_case_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    said = await stage.submit(about("pills-on-plain.com"))
    monkeypatch.setattr(rereading, "NAMES_VERSION", NAMES_VERSION + 1)
    [case] = await found(stage, TEXT)
    assert (case.reference, case.differs) == (said.reference, ())
    assert case.named_by.endswith(f"rules {NAMES_VERSION}")
    assert case.now_by.endswith(f"rules {NAMES_VERSION + 1}")
