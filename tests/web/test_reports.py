"""Reports over HTTP: twice is once, refused is kept, a batch answers row by row."""

from tests.services.stages import MAIL, row
from tests.web.callers import Callers


async def test_the_same_report_twice_is_one_case(callers: Callers) -> None:
    report = row(MAIL, external_id="twice-1")
    first = await callers.post("/reports", report)
    again = await callers.post("/reports", report)
    assert (first.status, again.status) == (201, 200)
    assert first.body["case_id"] == again.body["case_id"]
    assert first.body["report_id"] == again.body["report_id"]
    assert (first.body["known"], again.body["known"]) == (False, True)
    assert first.body["domain"] == MAIL
    assert first.body["state"] == "in_review"
    assert {f["result"] for f in first.body["findings"]} <= {"pass", "unknown"}
