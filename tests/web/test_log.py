"""The audit log by HTTP: what it gives out is enough for a stranger to check it, by RFC 9162 alone."""

import asyncio

from notifier.domain.audit import leaf_hash, verify_consistency, verify_inclusion
from notifier.store import keys
from tests.services.stages import HOOK, MAIL
from tests.web.callers import Answer, Callers


async def sealed(callers: Callers, entry_id: int) -> Answer:
    """The proof of an entry, once the sealer has come by; it promises a second."""
    async with asyncio.timeout(10):
        while True:
            proof = await callers.get(f"/audit/proofs/inclusion?entry_id={entry_id}", by="auditor")
            if proof.status != 404:
                return proof
            await asyncio.sleep(0.05)


async def test_an_entry_is_proved_under_a_signed_checkpoint(callers: Callers) -> None:
    case_id = await callers.case_in_review(MAIL)
    entries = (await callers.get(f"/audit/entries?case_id={case_id}", by="auditor")).body["items"]
    revs = [entry["rev"] for entry in entries if entry["rev"]]
    assert revs == list(range(1, len(revs) + 1))
    entry = entries[-1]
    proof = (await sealed(callers, entry["id"])).body
    verifier = keys.open_verifier(callers.stage.r.house.settings.state_dir / "keys")
    checkpoint = verifier.open_checkpoint(proof["checkpoint"])
    assert bytes.fromhex(proof["leaf_hash"]) == leaf_hash(entry["body"])
    path = [bytes.fromhex(step) for step in proof["path"]]
    assert verify_inclusion(proof["index"], proof["size"], leaf_hash(entry["body"]), path, checkpoint.root)
    assert not verify_inclusion(proof["index"], proof["size"], leaf_hash(entry["body"] + " "), path, checkpoint.root)


async def test_the_log_only_grows(callers: Callers) -> None:
    old = (await callers.get("/audit/checkpoint", by="auditor")).body
    case_id = await callers.case_in_review(HOOK)
    entries = (await callers.get(f"/audit/entries?case_id={case_id}", by="auditor")).body["items"]
    await sealed(callers, entries[-1]["id"])
    new = (await callers.get("/audit/checkpoint", by="auditor")).body
    assert new["size"] > old["size"]
    proof = (await callers.get(f"/audit/proofs/consistency?old={old['size']}&new={new['size']}", by="auditor")).body
    assert (proof["old_root"], proof["new_root"]) == (old["root"], new["root"])
    roots = (bytes.fromhex(old["root"]), bytes.fromhex(new["root"]))
    path = [bytes.fromhex(step) for step in proof["path"]]
    assert verify_consistency(old["size"], new["size"], *roots, path)


async def test_entries_come_in_order_page_by_page(callers: Callers) -> None:
    ids: list[int] = []
    since: int | None = 0
    while since is not None:
        page = (await callers.get(f"/audit/entries?since_id={since}&limit=7", by="admin")).body
        ids += [entry["id"] for entry in page["items"]]
        since = page["next_since_id"]
    assert ids == sorted(set(ids))
    assert len(ids) == await callers.stage.ctx.db.fetchval("select count(*) from audit_entry")


async def test_a_proof_of_nothing_is_not_found(callers: Callers) -> None:
    for query in ("inclusion?entry_id=999999", "consistency?old=0&new=999999"):
        assert (await callers.get(f"/audit/proofs/{query}", by="auditor")).status == 404
    for query in ("inclusion?entry_id=-1", "inclusion?entry_id=1e3", "consistency?old=5&new=4", "consistency?old=0"):
        answer = await callers.get(f"/audit/proofs/{query}", by="auditor")
        assert (answer.status, answer.code) == (422, "invalid"), query
