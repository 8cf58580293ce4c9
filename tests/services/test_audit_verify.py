"""Sealing and `audit verify` on a real server: every way to tamper that we can think of is found and named."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from notifier.domain import audit as tree
from notifier.domain.audit import Entry
from notifier.domain.checkpoint import SigningKey
from notifier.errors import Invalid, NotFound
from notifier.services import audit as service
from notifier.services.audit import LogBroken, Sealer
from notifier.services.audit_verify import Report, verify
from notifier.store import audit as store
from notifier.store import checkpoint_file
from notifier.store.database import Database
from notifier.store.keys import open_signing_key

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

NEW_CASE = """
insert into cases (id, reference, program, program_digest, organisation, target, scope, registrable, host, tld, display,
                   suffix_version, safety, warnings, measure, state, rev, opened_at, state_since)
values ($1::uuid, $2, 'pharmacy', 'd', 'o', $2, 'domain', 'a.example', 'a.example', 'example',
        'a.example', '1', 'clear', '{}', 'hold', 'received', 1, $3, $3)
"""


@dataclass
class Installation:
    """A database, a state folder, a sealer; `owner` is a superuser who can do anything to the rows."""

    db: Database
    owner: asyncpg.Connection
    state: Path
    key: SigningKey
    sealer: Sealer

    @property
    def file(self) -> Path:
        return self.state / "checkpoints"

    def entry(self, tag: str, case_id: str | None = None, rev: int | None = None, **detail: tree.JSON) -> Entry:
        return Entry(AT, "ann", "test", tag, "s", case_id, rev, detail)

    async def note(self, n: int = 1) -> list[int]:
        """Entries that belong to no case."""
        async with self.db.pool.acquire() as con, con.transaction():
            return [await store.append(con, self.entry("token.added", n=i)) for i in range(n)]

    async def open_case(self, reference: str) -> str:
        case_id = str(uuid4())
        async with self.db.pool.acquire() as con, con.transaction():
            await con.execute(NEW_CASE, case_id, reference, AT)
            await store.append(con, self.entry("case.opened", case_id, 1))
        return case_id

    async def move(self, case_id: str, rev: int, came: str, to: str) -> None:
        async with self.db.pool.acquire() as con, con.transaction():
            await con.execute("update cases set rev = $2, state = $3 where id = $1", case_id, rev, to)
            await store.append(con, self.entry("case.moved", case_id, rev, **{"from": came, "to": to}))

    async def verify(self, *, late_s: float = 0, elsewhere: Path | None = None) -> Report:
        now = datetime.now(UTC) + timedelta(seconds=late_s)
        async with self.db.pool.acquire() as con:
            return await verify(con, self.file, self.key.verifier, now, elsewhere=elsewhere)

    async def tamper(self, sql: str, *args: object) -> None:
        """As a superuser whom no trigger holds back."""
        await self.owner.execute("set session_replication_role = replica")
        await self.owner.execute(sql, *args)


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    db = await Database.connect(database_url)
    owner = await asyncpg.connect(database_url)
    key = open_signing_key(tmp_path / "keys")
    yield Installation(db, owner, tmp_path, key, Sealer(db.pool, key, tmp_path / "checkpoints", db.clock))
    await owner.close()
    await db.close()


@pytest.fixture
async def full(house: Installation) -> Installation:
    """Eleven sealed entries under three checkpoints (of 4, 6 and 11).

    Entries 1 and 2 and 6 to 11 are of no case but for 8; C-1 has entries 3, 4, 5 (revs 1 to 3), C-2 entry 8.
    """
    await house.note(2)
    one = await house.open_case("C-1")
    await house.move(one, 2, "received", "in_review")
    assert await house.sealer.seal() == 4
    await house.move(one, 3, "in_review", "rejected")
    await house.note(1)
    assert await house.sealer.seal() == 2
    await house.note(1)
    await house.open_case("C-2")
    await house.note(3)
    assert await house.sealer.seal() == 5
    report = await house.verify()
    assert (report.exit_code, report.faults, report.text) == (0, [], "sealed 11, unsealed 0, oldest 0 s")
    return house


# --- all is well --------------------------------------------------------------------------------------------------


async def test_an_empty_log_holds(house: Installation) -> None:
    assert await house.sealer.seal() == 0
    assert await house.verify() == Report(0, 0, 0, 0.0, [])
    assert not house.file.exists()


async def test_the_stored_tree_is_the_tree_of_the_bodies(full: Installation) -> None:
    rows = await full.owner.fetch(
        "select body from audit_leaf l join audit_entry e on e.id = l.entry_id order by index"
    )
    grown = tree.Tree()
    for row in rows:
        grown.append(tree.leaf_hash(row["body"]))
    note = checkpoint_file.last(full.file)
    assert note is not None
    told = full.key.verifier.open_checkpoint(note)
    assert (told.size, told.root) == (11, grown.root())
    assert [full.key.verifier.open_checkpoint(at.note).size for at in checkpoint_file.read(full.file)] == [4, 6, 11]


@pytest.mark.parametrize(("late_s", "exit_code"), [(5, 0), (60, 3)])
async def test_a_sealer_behind(full: Installation, late_s: float, exit_code: int) -> None:
    await full.note(3)
    report = await full.verify(late_s=late_s)
    assert (report.exit_code, report.sealed, report.unsealed, report.faults) == (exit_code, 11, 3, [])
    assert re.fullmatch(rf"sealed 11, unsealed 3, oldest ({late_s}|{late_s + 1}) s", report.text)


async def test_tampered_goes_before_behind(full: Installation) -> None:
    await full.note(1)
    await full.tamper("update audit_entry set actor = 'eve' where id = 2")
    assert (await full.verify(late_s=60)).exit_code == 1


async def test_entries_that_commit_out_of_order(house: Installation) -> None:
    async with house.db.pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        first = await store.append(slow, house.entry("token.added"))
        others = await house.note(3)
        assert first < min(others)
        assert await house.sealer.seal() == 3
        assert await house.sealer.seal() == 0
        await late.commit()
    assert await house.sealer.seal() == 1
    assert await house.owner.fetchval("select array_agg(entry_id order by index) from audit_leaf") == [*others, first]
    assert (await house.verify()).text == "sealed 4, unsealed 0, oldest 0 s"
    assert (await house.verify()).exit_code == 0


async def test_the_sealer_while_many_write(house: Installation) -> None:
    stop = asyncio.Event()
    sealers = [Sealer(house.db.pool, house.key, house.file, house.db.clock, pause_s=0.01) for _ in range(2)]
    running = [asyncio.create_task(sealer.run(stop)) for sealer in sealers]

    async def write(n: int) -> None:
        for i in range(10):
            await house.note(3)
            await house.open_case(f"C-{n}-{i}")

    await asyncio.gather(*(write(n) for n in range(8)))
    midway = await house.verify()
    assert (midway.exit_code, midway.faults) == (0, [])
    stop.set()
    await asyncio.gather(*running)
    assert [sealer.fault for sealer in sealers] == [None, None]
    report = await house.verify()
    assert (report.exit_code, report.sealed, report.unsealed, report.faults) == (0, 320, 0, [])


async def test_two_sealers_do_not_fork(house: Installation, database_url: str) -> None:
    other_db = await Database.connect(database_url)
    other = Sealer(other_db.pool, house.key, house.file, other_db.clock)
    for n in (1, 7, 2, 30, 5):
        ids = await house.note(n)
        sealed = await asyncio.gather(*(sealer.seal() for sealer in [house.sealer, other] * 4))
        assert sum(sealed) == len(ids)
    await other_db.close()
    sizes = [house.key.verifier.open_checkpoint(at.note).size for at in checkpoint_file.read(house.file)]
    assert sizes == [1, 8, 10, 40, 45]
    assert (await house.verify()).exit_code == 0


# --- what a crash leaves ------------------------------------------------------------------------------------------


async def test_a_crash_between_commit_and_file(full: Installation) -> None:
    hidden = full.state / "away"
    shutil.copy(full.file, hidden)
    full.file.unlink()
    full.file.mkdir()  # a folder cannot be written to, not even by root
    await full.note(2)
    with pytest.raises(OSError):
        await full.sealer.seal()
    full.file.rmdir()
    hidden.rename(full.file)
    assert await full.owner.fetchval("select max(size) from audit_checkpoint") == 13
    # The row is ahead of the file, which is no tampering, and the next pass of any sealer brings the file up.
    assert (await full.verify()).exit_code == 0
    assert await Sealer(full.db.pool, full.key, full.file, full.db.clock).seal() == 0
    assert [full.key.verifier.open_checkpoint(at.note).size for at in checkpoint_file.read(full.file)] == [4, 6, 11, 13]
    assert (await full.verify()).exit_code == 0


async def test_a_note_half_written(full: Installation) -> None:
    whole = full.file.read_bytes()
    full.file.write_bytes(whole[:-30])
    assert (await full.verify()).exit_code == 0
    assert await Sealer(full.db.pool, full.key, full.file, full.db.clock).seal() == 0
    assert full.file.read_bytes() == whole


# --- tampering with rows ------------------------------------------------------------------------------------------

ROWS = [
    ("update audit_entry set actor = 'eve' where id = 2", r"entry 2 \(token.added\): actor is eve in the row, ann in"),
    ("update audit_entry set at = at + interval '1 us' where id = 2", r"entry 2 \(token.added\): at is"),
    ("update audit_entry set via = 'x' where id = 2", r"entry 2 \(token.added\): via is"),
    ("update audit_entry set tag = 'x.y' where id = 2", r"entry 2 \(x.y\): tag is"),
    ("update audit_entry set subject = 'x' where id = 2", r"entry 2 \(token.added\): subject is"),
    (
        "update audit_entry set rev = 9 where id = 4",
        r"entry 4 \(case.moved, case .* rev 9\): rev is 9 in the row, 2 in",
    ),
    ("update audit_entry set case_id = null, rev = null where id = 4", r"C-1 .*: its entry for rev 2 is missing"),
    ("update audit_entry set body = replace(body, 'ann', 'eve') where id = 2", r"entry 2 .*: its text is not what was"),
    (
        "update audit_entry set body = body || ' ' where id = 2",
        r"entry 2 .*: its text is not what was sealed as leaf 1",
    ),
    ("update audit_entry set body = '', actor = '' where id = 2", r"entry 2 .*: its text is no audit entry"),
    (
        "update audit_entry set actor = 'eve', body = replace(body, '\"ann\"', '\"eve\"') where id = 2",
        r"entry 2 .*: its text is not what was sealed as leaf 1",
    ),
    ("update audit_entry set id = 99 where id = 2", "entry 2 is gone, which was sealed as leaf 1"),
    ("delete from audit_entry where id = 2", "entry 2 is gone, which was sealed as leaf 1"),
    ("delete from audit_entry where id = 11", "entry 11 is gone, which was sealed as leaf 10"),
    ("delete from audit_entry where id = 4", r"C-1 \(.*\): its entry for rev 2 is missing"),
    ("update audit_leaf set leaf_hash = sha256('x') where index = 5", r"entry 6 .*: its text is not what was sealed"),
    ("update audit_leaf set leaf_hash = sha256('x') where index = 5", r"leaves 4 to 5 \(entries 5 to 6\) are not what"),
    ("update audit_leaf set entry_id = 99 where index = 5", "entry 99 is gone, which was sealed as leaf 5"),
    ("delete from audit_leaf where index = 3", "leaf 3 is missing"),
    ("delete from audit_leaf where index between 0 and 2", "leaves 0 to 2 are missing"),
    ("delete from audit_leaf where index = 10", "11 entries were sealed, the log has 10; its end is gone"),
    ("truncate audit_leaf", "entries were sealed, the log has 0; its end is gone"),
    ("update audit_node set hash = sha256('x') where level = 1 and idx = 2", "tree node 2 of level 1 is not the hash"),
    ("update audit_node set hash = sha256('x') where level = 3 and idx = 0", "tree node 0 of level 3 is not the hash"),
    ("delete from audit_node where level = 2 and idx = 1", "level 2 of the tree has 1 nodes, not 2"),
    ("insert into audit_node values (4, 0, sha256('x'))", "level 4 of the tree has 1 nodes, not 0"),
    ("update audit_checkpoint set root = sha256('x') where size = 6", "checkpoint row 6: its root is not the one"),
    ("update audit_checkpoint set note = 'x' where size = 6", "checkpoint row 6: not a signed note"),
    ("update audit_checkpoint set size = 5 where size = 4", "checkpoint row 5: its signed note is of size 4"),
    ("delete from audit_checkpoint where size = 6", "the checkpoint of size 6 has no row in the database"),
    ("delete from audit_checkpoint where size = 11", "leaves 6 to 10 are under no checkpoint in the database"),
    ("update cases set rev = 4 where reference = 'C-1'", r"case C-1 \(.*\): its entry for rev 4 is missing"),
    ("update cases set rev = 2 where reference = 'C-1'", r"case C-1 \(.*\): its row says rev 2, the log has rev 3"),
    ("update cases set state = 'approved' where reference = 'C-1'", r"C-1 \(.*\): its row says approved, the log rej"),
    ("update cases set state = 'approved' where reference = 'C-2'", r"C-2 \(.*\): its row says approved, the log rec"),
    ("delete from cases where reference = 'C-1'", "case .* is gone; the log has it up to rev 3"),
    ("delete from cases", "case .* is gone; the log has it up to rev 1"),
]


@pytest.mark.parametrize(("sql", "named"), ROWS, ids=[sql for sql, _ in ROWS])
async def test_a_changed_row_is_found_and_named(full: Installation, sql: str, named: str) -> None:
    await full.tamper(sql)
    report = await full.verify()
    assert report.exit_code == 1
    assert any(re.search(named, fault) for fault in report.faults), report.faults


async def test_a_swap_of_two_entries(full: Installation) -> None:
    await full.tamper(
        "update audit_leaf set entry_id = -entry_id where index in (0, 1); "
        "update audit_leaf set entry_id = 2 where entry_id = -1; update audit_leaf set entry_id = 1 where entry_id = -2"
    )
    report = await full.verify()
    assert report.exit_code == 1
    assert any(fault.startswith("entry 2 (token.added): its text is not") for fault in report.faults)


async def test_a_rebuilt_tree_is_not_what_was_signed(full: Installation) -> None:
    """Everything that needs no key is made to fit the changed entry."""
    await full.tamper("update audit_entry set actor = 'eve', body = replace(body, '\"ann\"', '\"eve\"') where id = 6")
    rows = await full.owner.fetch("select id, body from audit_entry order by id")
    grown = tree.Tree()
    for index, row in enumerate(rows):
        hash_ = tree.leaf_hash(row["body"])
        await full.tamper("update audit_leaf set leaf_hash = $2 where index = $1", index, hash_)
        for node in grown.append(hash_):
            await full.tamper(
                "update audit_node set hash = $3 where (level, idx) = ($1, $2)", node.level, node.index, node.hash
            )
        await full.tamper("update audit_checkpoint set root = $2 where size = $1", grown.size, grown.root())
    report = await full.verify()
    assert report.exit_code == 1
    assert report.faults == [
        "checkpoint row 6: its root is not the one that its note signs",
        "checkpoint row 11: its root is not the one that its note signs",
        f"leaves 4 to 5 (entries 5 to 6) are not what was signed in {full.file} line 6",
    ]


async def cut_off(house: Installation, size: int, ids: list[int] | None = None) -> None:
    """The tail from leaf `size` on with all that hangs on it: nodes, checkpoint rows, and entries where asked."""
    await house.tamper(f"delete from audit_leaf where index >= {size}")
    await house.tamper(f"delete from audit_node where (idx + 1) << level > {size}")
    await house.tamper(f"delete from audit_checkpoint where size > {size}")
    await house.tamper("delete from audit_entry where id = any($1)", ids or [])


async def test_a_cut_tail_is_found_through_the_file(full: Installation) -> None:
    await cut_off(full, 6, [7, 9, 10, 11])
    report = await full.verify()
    assert report.exit_code == 1
    assert f"{full.file} line 11: 11 entries were sealed, the log has 6; its end is gone" in report.faults


async def test_a_cut_tail_of_a_case_names_the_case(full: Installation) -> None:
    await cut_off(full, 4, [5])
    report = await full.verify()
    assert report.exit_code == 1
    assert any(re.match(r"case C-1 \(.*\): its entry for rev 3 is missing", fault) for fault in report.faults)


async def test_nothing_is_signed_on_a_cut_log(full: Installation) -> None:
    await cut_off(full, 6, [7, 9, 10, 11])
    await full.note(20)
    for sealer in (full.sealer, Sealer(full.db.pool, full.key, full.file, full.db.clock)):
        with pytest.raises(LogBroken, match="has a checkpoint of 11 leaves, the database only of 6"):
            await sealer.seal()
    stop = asyncio.Event()
    stop.set()
    await full.sealer.run(stop)
    assert full.sealer.fault is not None
    assert full.sealer.fault.startswith("LogBroken: ")
    assert await full.owner.fetchval("select max(size) from audit_checkpoint") == 6


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("update audit_leaf set leaf_hash = sha256('x') where index = 10", "has another root than was signed"),
        ("update audit_node set hash = sha256('x') where level = 3", "has another root than was signed"),
        ("delete from audit_node where level = 3", r"tree node \(3, 0\) is missing"),
        ("insert into audit_leaf values (11, 99, sha256('x'))", "there are 12 leaves, and 11 are under a checkpoint"),
        ("update audit_checkpoint set root = sha256('x') where size = 11", "row 11 differs from its signed note"),
        ("delete from audit_checkpoint where size = 11", "has a checkpoint of 11 leaves, the database only of 6"),
        ("update audit_checkpoint set note = 'x' where size = 11", "the newest checkpoint is not ours"),
    ],
)
async def test_nothing_is_signed_on_a_changed_tree(full: Installation, sql: str, why: str) -> None:
    await full.tamper(sql)
    await full.note(1)
    with pytest.raises(LogBroken, match=why):
        await Sealer(full.db.pool, full.key, full.file, full.db.clock).seal()


async def test_a_missing_unsealed_entry(full: Installation) -> None:
    case_id = await full.open_case("C-3")
    await full.move(case_id, 2, "received", "in_review")
    await full.move(case_id, 3, "in_review", "approved")
    await full.tamper("delete from audit_entry where case_id = $1 and rev = 2", UUID(case_id))
    report = await full.verify()
    assert (report.exit_code, report.unsealed) == (1, 2)
    assert report.faults == [f"case C-3 ({case_id}): its entry for rev 2 is missing"]


async def test_a_changed_unsealed_entry(full: Installation) -> None:
    (entry_id,) = await full.note(1)
    await full.tamper("update audit_entry set actor = 'eve' where id = $1", entry_id)
    assert (await full.verify()).faults == [f"entry {entry_id} (token.added): actor is eve in the row, ann in its text"]


async def test_a_case_that_no_entry_knows(full: Installation) -> None:
    await full.tamper(NEW_CASE, uuid4(), "C-9", AT)
    faults = (await full.verify()).faults
    assert len(faults) == 1
    assert faults[0].startswith("case C-9 (")
    assert faults[0].endswith("its entry for rev 1 is missing")


async def test_many_faults_are_counted_not_listed(house: Installation) -> None:
    await house.note(150)
    await house.sealer.seal()
    await house.tamper("update audit_entry set actor = 'eve'")
    faults = (await house.verify()).faults
    assert len(faults) == 101
    assert faults[-1] == "and 50 more"


# --- tampering with files -----------------------------------------------------------------------------------------


async def test_a_missing_file(full: Installation) -> None:
    full.file.unlink()
    assert (await full.verify()).faults == [f"{full.file}: missing, though 11 entries were sealed"]


async def test_a_changed_line(full: Installation) -> None:
    full.file.write_text(full.file.read_text(encoding="utf-8").replace("\n6\n", "\n7\n"), encoding="utf-8")
    assert f"{full.file} line 6: the signature does not fit the text" in (await full.verify()).faults


async def test_two_histories_signed_with_the_real_key(full: Installation) -> None:
    with full.file.open("a", encoding="utf-8") as file:
        file.write(full.key.sign_checkpoint(6, bytes(32)))
    faults = (await full.verify()).faults
    assert faults == [f"{full.file} line 16: another root of size 6 was signed in {full.file} line 6"]


async def test_another_key(full: Installation) -> None:
    full.key = open_signing_key(full.state / "other")
    report = await full.verify()
    assert report.exit_code == 1
    assert f"{full.file} line 1: not signed by {full.key.name}" in report.faults
    with pytest.raises(LogBroken, match="every process needs the same state folder keys"):
        await Sealer(full.db.pool, full.key, full.file, full.db.clock).seal()


async def test_a_checkpoint_kept_elsewhere_finds_what_the_own_file_cannot(full: Installation) -> None:
    """A holder of database and state folder leaves nothing behind that contradicts itself."""
    notes = [at.note for at in checkpoint_file.read(full.file)]
    kept = full.state / "kept"
    kept.write_text(notes[-1], encoding="utf-8")
    assert (await full.verify(elsewhere=kept)).exit_code == 0
    await cut_off(full, 6, [7, 9, 10, 11])
    full.file.write_text("".join(notes[:-1]), encoding="utf-8")
    assert (await full.verify()).exit_code == 0
    report = await full.verify(elsewhere=kept)
    assert report.exit_code == 1
    assert f"{kept} line 1: 11 entries were sealed, the log has 6; its end is gone" in report.faults


async def test_a_file_without_a_checkpoint_proves_nothing(full: Installation) -> None:
    kept = full.state / "kept"
    kept.write_text("", encoding="utf-8")
    assert (await full.verify(elsewhere=kept)).faults == [f"{kept}: no checkpoint in it"]
    with pytest.raises(FileNotFoundError):
        await full.verify(elsewhere=full.state / "nothing")


# --- proofs and export --------------------------------------------------------------------------------------------


async def test_every_entry_proves_itself_under_every_checkpoint(full: Installation) -> None:
    async with full.db.pool.acquire() as con:
        for size in (4, 6, 11, None):
            for row in await full.owner.fetch(
                "select index, entry_id from audit_leaf order by index limit $1", size or 11
            ):
                proof = await service.inclusion_proof(con, row["entry_id"], size)
                told = full.key.verifier.open_checkpoint(proof.checkpoint)
                body = await full.owner.fetchval("select body from audit_entry where id = $1", row["entry_id"])
                assert (proof.index, proof.size, told.size) == (row["index"], size or 11, size or 11)
                assert proof.leaf_hash == tree.leaf_hash(body)
                assert tree.verify_inclusion(proof.index, told.size, proof.leaf_hash, proof.path, told.root)


async def test_every_size_extends_every_smaller_one(full: Installation) -> None:
    signed = {
        cp.size: cp.root
        for cp in (full.key.verifier.open_checkpoint(at.note) for at in checkpoint_file.read(full.file))
    }
    async with full.db.pool.acquire() as con:
        for new in range(12):
            for old in range(new + 1):
                proof = await service.consistency_proof(con, old, new)
                assert tree.verify_consistency(old, new, proof.old_root, proof.new_root, proof.path)
                assert proof.new_root == signed.get(new, proof.new_root)
                assert proof.old_root == signed.get(old, proof.old_root)


async def test_no_proof_of_what_is_not_there(full: Installation) -> None:
    (unsealed,) = await full.note(1)
    async with full.db.pool.acquire() as con:
        for entry_id, size in ((unsealed, None), (999, None), (1, 5), (11, 4)):
            with pytest.raises(NotFound):
                await service.inclusion_proof(con, entry_id, size)
        with pytest.raises(NotFound):
            await service.consistency_proof(con, 1, 12)
        for old, new in ((3, 2), (-1, 2)):
            with pytest.raises(Invalid):
                await service.consistency_proof(con, old, new)


async def test_an_export_is_checked_without_the_database(full: Installation, tmp_path: Path) -> None:
    await full.note(1)
    out = tmp_path / "log.ndjson"
    async with full.db.pool.acquire() as con:
        assert await service.export(con, full.key.verifier, out) == 11
    first, *leaves, last = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    assert first == {"verifier": full.key.verifier.text}
    grown = tree.Tree()
    for index, leaf in enumerate(leaves):
        assert (leaf["index"], leaf["leaf_hash"]) == (index, tree.leaf_hash(leaf["body"]).hex())
        grown.append(bytes.fromhex(leaf["leaf_hash"]))
    told = full.key.verifier.open_checkpoint(last["checkpoint"])
    assert (told.size, told.root) == (11, grown.root())
    assert not out.with_name("log.ndjson.part").exists()
