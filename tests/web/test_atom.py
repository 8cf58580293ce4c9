"""The feed of a record made by hand: what stands in each entry, when it changed, and that its id stays."""

from datetime import date
from typing import Any
from xml.etree import ElementTree

from notifier.catalog import load_catalog
from notifier.resources import folder
from notifier.services.public_names import Batch, Shown
from notifier.services.transparency import Published
from notifier.web import atom
from notifier.web.pages.transparency import CAUSES

NS = "{http://www.w3.org/2005/Atom}"
AT = "https://notifier.example/transparency/piracy"


def quarter(key: str, *, complete: bool, updated: str) -> dict[str, Any]:
    rows = [{"part": "funnel", "figure": "opened", "n": 41}, {"part": "funnel", "figure": "sent", "n": None}]
    return {"key": key, "complete": complete, "updated": updated, "published": "2027-01-09", "rows": rows}


def correction(**changes: Any) -> dict[str, Any]:
    usual = {"id": "c-1", "on": "2026-12-24", "measure": "hold", "cause": "lawful", "back_on": "2026-12-26",
             "days_gone": 4, "was_gone": True}  # fmt: skip
    return {**usual, **changes}


def record(*, corrections: list[dict[str, Any]], gone: int = 0) -> Published:
    batch = Batch(
        date(2027, 1, 10),
        [Shown("xn--bcher-kva.example", "registry_hold", date(2026, 9, 1), date(2027, 1, 10))],
        gone,
        date(2027, 2, 1) if gone else date(2027, 1, 10),
    )
    document = {
        "simulated": False,
        "made_on": "2027-01-12",
        "quarters": [
            quarter("2026-Q4", complete=True, updated="2027-01-11"),
            quarter("2027-Q1", complete=False, updated="2027-01-12"),
        ],
        "corrections": corrections,
    }
    program = load_catalog(folder("config")).programs["piracy"]
    return Published(program, document, date(2027, 1, 12), batch.names, [batch])


def read(found: Published, address: str = AT) -> dict[str, dict[str, str]]:
    """Entries by title, and the feed itself under `feed`."""
    feed = ElementTree.fromstring(atom.feed(found, address, CAUSES))
    told = {"feed": {"id": feed.findtext(f"{NS}id") or "", "updated": feed.findtext(f"{NS}updated") or ""}}
    for one in feed.findall(f"{NS}entry"):
        told[one.findtext(f"{NS}title") or ""] = {
            name: one.findtext(f"{NS}{name}") or "" for name in ("id", "updated", "published", "content")
        }
    return told


def test_one_entry_for_each_quarter_that_is_over_each_mistake_and_each_day_of_names() -> None:
    told = read(record(corrections=[correction()]))
    assert list(told) == [
        "feed",
        "Figures of 2026-Q4",
        "Names of ended cases, 2027-01-10",
        "Put right: hold, what was there is lawful",
    ]
    assert told["feed"]["updated"] == "2027-01-12T00:00:00Z"
    quarter_of = told["Figures of 2026-Q4"]
    assert (quarter_of["updated"], quarter_of["published"]) == ("2027-01-11T00:00:00Z", "2027-01-09T00:00:00Z")
    assert "opened: 41, sent: kept back." in quarter_of["content"]
    right = told["Put right: hold, what was there is lawful"]
    assert (right["published"], right["updated"]) == ("2026-12-24T00:00:00Z", "2026-12-26T00:00:00Z")
    assert "gone for 4 days" in right["content"]
    assert told["Names of ended cases, 2027-01-10"]["content"] == "xn--bcher-kva[.]example"


def test_what_becomes_of_an_entry_changes_its_time_and_not_its_id() -> None:
    before = read(record(corrections=[correction(back_on=None, days_gone=None)]))
    after = read(record(corrections=[correction()], gone=2), "https://elsewhere.example/transparency/piracy")
    assert {title: one["id"] for title, one in before.items()} == {title: one["id"] for title, one in after.items()}
    names = "Names of ended cases, 2027-01-10"
    assert (before[names]["updated"], after[names]["updated"]) == ("2027-01-10T00:00:00Z", "2027-02-01T00:00:00Z")
    assert after[names]["content"].endswith("2 of this day were taken off the list.")
    assert after["feed"]["updated"] == "2027-02-01T00:00:00Z"
    right = "Put right: hold, what was there is lawful"
    assert before[right]["updated"] == "2026-12-24T00:00:00Z"
    assert "not seen to be back" in before[right]["content"]


def test_a_name_that_never_was_gone_is_told_as_such() -> None:
    told = read(record(corrections=[correction(was_gone=False, back_on=None, days_gone=None, cause="unsupported")]))
    assert "never seen to be gone" in told["Put right: hold, nobody brought fresh evidence"]["content"]
