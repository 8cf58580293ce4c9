"""From outside a case that waits for an authority looks like any other; only the permission shows it."""

import json
import re
from typing import Any

import pytest

from notifier.services import access
from tests.services.stages import MAIL, row
from tests.web.callers import Callers

_ID = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|TN-\d{4}-\d{6}|\"id\": \d+|[a-z2-7]{26}@|ref:[a-z2-7]{26}"
)


@pytest.fixture(scope="module")
async def detective(callers: Callers) -> Callers:
    made = await access.add_token(
        callers.stage.ctx.db, "Dora Detective", "reviewer", by="test", permissions=["deconflict"]
    )
    callers.tokens = {**callers.tokens, "detective": made.token}
    return callers


# Nobody asks around about a name that waits, and nobody fetches its pages. What came of that, and how many steps it
# took, is all that may differ.
_MEASURED = ("measured", "why", "assessed_at", "signals", "rev")
_LEAVES = ("target.assessed", "file.kept", "capture.made")
# What the simulated registry made up for each name.
_THEIR_OWN = ("epoch", "look", "row", "text", "html", "xarf", "digest")


def unmeasured(value: Any) -> Any:
    """An answer without what asking around and fetching pages leaves in it."""
    if isinstance(value, list):
        ours = [v for v in value if not (isinstance(v, dict) and v.get("tag") in _LEAVES)]
        return [unmeasured(v) for v in ours if not (isinstance(v, dict) and v.get("supplied_by") == "daemon")]
    if isinstance(value, dict):
        if isinstance(value.get("evidence"), list):  # items of one millisecond come in any order
            items = value["evidence"]
            value = {**value, "evidence": sorted(i.get("kind", "") if isinstance(i, dict) else "" for i in items)}
        told = value.get("body")
        kept = {k: unmeasured(v) for k, v in value.items() if k not in _MEASURED}
        kept |= {k: type(kept[k]).__name__ for k in _THEIR_OWN if k in kept}
        if isinstance(told, str) and told.startswith("{"):
            kept["body"] = unmeasured(json.loads(told))
        return kept
    return value


def plain(answer: Any, name: str) -> str:
    """An answer with every id as the number of its first appearance, and the name as NAME."""
    seen: dict[str, str] = {}
    text = f"{answer.status} {json.dumps(unmeasured(answer.body), sort_keys=True)}".replace(name, "NAME")
    return _ID.sub(lambda found: seen.setdefault(found[0], f"#{len(seen)}"), text)


async def everything(callers: Callers, name: str, case_id: str, report_id: str) -> dict[str, str]:
    """All that four roles see of one case."""
    paths = [
        f"/cases/{case_id}",
        f"/cases/{case_id}/timeline",
        f"/cases/{case_id}/observations",
        f"/reports/{report_id}",
    ]
    found = {}
    for by in ("submitter", "reviewer", "auditor", "admin"):
        for n, path in enumerate(paths):
            found[f"{by} {n}"] = plain(await callers.get(path, by=by), name)
        page = await callers.get("/cases?domain=" + name, by=by)
        found[f"{by} list"] = plain(page, name)
    found["preview"] = plain(await callers.get(f"/cases/{case_id}/preview", by="reviewer"), name)
    for by in ("auditor", "admin"):
        page = await callers.get(f"/audit/entries?case_id={case_id}&limit=200", by=by)
        found[f"{by} entries"] = plain(page, name)
    return found


async def test_a_case_that_waits_looks_like_its_twin(detective: Callers) -> None:
    callers, names, seen = detective, ("twin-free-shop.com", "twin-held-shop.com"), []
    added = await callers.post(
        "/deconfliction", {"pattern": names[1], "authority": "Bureau", "reference": "OP-7"}, by="detective"
    )
    assert (added.status, added.body["cases"]) == (201, [])
    for name in names:
        report = json.loads(json.dumps(row(MAIL)).replace(MAIL, name))
        said = await callers.post("/reports", report)
        assert said.status == 201
        await callers.stage.r.quiet()
        case_id, report_id = said.body["case_id"], said.body["report_id"]
        got = {"said": plain(said, name)} | await everything(callers, name, case_id, report_id)
        approved = await callers.approve(case_id)
        got["approved"] = plain(approved, name)
        got |= {f"after {k}": v for k, v in (await everything(callers, name, case_id, report_id)).items()}
        for path in ("/tasks", "/alarms", "/news"):
            page = await callers.get(path, by="reviewer")
            got[path] = f"{path} {str(page.body).count(name)}"
        seen.append((case_id, got))
    (_, free), (held_id, held) = seen
    assert free.keys() == held.keys()
    for view, shown in free.items():
        if held[view] != shown:
            apart = next((n for n, (a, b) in enumerate(zip(held[view], shown, strict=False)) if a != b), -80)
            assert held[view] == shown, f"{view}: {held[view][apart - 60 :][:150]} | {shown[apart - 60 :][:150]}"

    await callers.stage.pass_time(hours=2)
    assert [d.ask.domain for d in callers.stage.r.sandbox.inbox.received if d.ask.domain in names] == [names[0]]
    after = await everything(callers, names[1], held_id, NO_ID)
    assert not [view for view, text in after.items() if "OP-7" in text or "Bureau" in text or '"embargo": true' in text]
    mine = await callers.get(f"/cases/{held_id}", by="detective")
    assert mine.body["embargo"] is True
    entry = await callers.get(f"/deconfliction/{added.body['id']}", by="detective")
    assert [(c["case_id"], c["state"], [n["state"] for n in c["notices"]]) for c in entry.body["cases"]] == [
        (held_id, "approved", ["queued"])
    ]
    released = await callers.post(f"/deconfliction/{added.body['id']}/release", {"note": "over"}, by="detective")
    assert (released.status, released.body["waiting"]) == (200, 0)
    await callers.stage.r.quiet()
    assert (await callers.get(f"/cases/{held_id}", by="reviewer")).body["state"] == "notified"


async def test_no_role_opens_the_list(detective: Callers) -> None:
    for by in ("submitter", "reviewer", "registry", "evaluator", "auditor", "admin"):
        for answer in (
            await detective.get("/deconfliction", by=by),
            await detective.get(f"/deconfliction/{NO_ID}", by=by),
            await detective.post("/deconfliction", {"pattern": "a.com", "authority": "a", "reference": "b"}, by=by),
            await detective.post(f"/deconfliction/{NO_ID}/release", {"note": "n"}, by=by),
        ):
            assert (answer.status, answer.code) == (403, "forbidden"), by
    wrong = await detective.post(
        "/deconfliction", {"pattern": "*.co.uk", "authority": "a", "reference": "b"}, by="detective"
    )
    assert (wrong.status, wrong.code) == (422, "invalid_pattern")
    nothing = await detective.get(f"/deconfliction/{NO_ID}", by="detective")
    assert (nothing.status, nothing.code) == (404, "not_found")
    page = await detective.get("/deconfliction?standing=false", by="detective")
    assert page.status == 200


NO_ID = "0190ffff-0000-7000-8000-000000000000"
