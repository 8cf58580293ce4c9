"""What the database itself refuses, and what the audit store reads and writes, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from notifier.domain import audit as tree
from notifier.domain.audit import Entry
from notifier.domain.checkpoint import SigningKey
from notifier.store import audit, checkpoint_file, keys
from notifier.store.database import Database

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLES = ("audit_entry", "audit_leaf", "audit_node", "audit_checkpoint")

NEW_CASE = """
insert into cases (id, reference, program, program_digest, organisation, target, scope, registrable, host, tld, display,
                   suffix_version, safety, warnings, measure, state, rev, opened_at, state_since)
values ($1::uuid, $1::uuid::text, 'pharmacy', 'd', 'o', $1::uuid::text, 'domain', 'a.example', 'a.example', 'example',
        'a.example', '1', 'clear', '{}', 'hold', 'received', $2, $3, $3)
"""


def entry(case_id: str | None = None, rev: int | None = None, tag: str = "case.opened") -> Entry:
    return Entry(AT, "ann", "test", tag, "C-1", case_id, rev, {"n": 1})


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """As the daemon connects: every session has set itself to the app role."""
    database = await Database.connect(database_url)
    yield database
    await database.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection."""
    con = await asyncpg.connect(database_url)
    yield con
    await con.close()


async def open_case(db: Database) -> str:
    case_id = str(uuid4())
    async with db.pool.acquire() as con, con.transaction():
        await con.execute(NEW_CASE, case_id, 1, AT)
        await audit.append(con, entry(case_id, 1))
    return case_id


# --- a case and its entry ---------------------------------------------------------------------------------------


async def test_a_case_with_its_entries(db: Database) -> None:
    case_id = await open_case(db)
    async with db.pool.acquire() as con, con.transaction():
        # Two steps in one transaction, and an entry of the case that changes no row.
        for rev in (2, 3):
            await con.execute("update cases set rev = $2 where id = $1", case_id, rev)
            await audit.append(con, entry(case_id, rev))
        await audit.append(con, entry(case_id, None))
        await audit.append(con, entry(case_id, None))
    assert await db.fetchval("select rev from cases") == 3
    assert await db.fetchval("select array_agg(rev order by id) from audit_entry") == [1, 2, 3, None, None]


async def test_an_insert_without_entry_fails_at_commit(db: Database) -> None:
    case_id = str(uuid4())
    with pytest.raises(
        asyncpg.IntegrityConstraintViolationError, match=f"case {case_id} reached rev 1 without its audit"
    ):
        await db.pool.execute(NEW_CASE, case_id, 1, AT)
    assert await db.fetchval("select count(*) from cases") == 0


async def test_an_update_without_entry_fails_at_commit_and_undoes_all(db: Database) -> None:
    case_id = await open_case(db)

    async def change() -> None:
        async with db.pool.acquire() as con, con.transaction():
            await con.execute("update cases set rev = 2, state = 'rejected' where id = $1", case_id)
            await audit.append(con, entry(case_id, None))
            await audit.append(con, entry(None, None, "token.added"))

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="reached rev 2 without its audit entry"):
        await change()
    assert await db.fetchval("select state from cases") == "received"
    assert await db.fetchval("select count(*) from audit_entry") == 1


@pytest.mark.parametrize("rev", [1, 3, 0])
async def test_rev_goes_up_by_one(db: Database, rev: int) -> None:
    case_id = await open_case(db)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=f"changes with rev 2, not {rev}"):
        await db.pool.execute("update cases set rev = $2, priority = 9 where id = $1", case_id, rev)


async def test_a_case_begins_at_one(db: Database) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="must begin at rev 1, not 2"):
        await db.pool.execute(NEW_CASE, str(uuid4()), 2, AT)


async def test_one_entry_for_a_rev(db: Database) -> None:
    case_id = await open_case(db)
    with pytest.raises(asyncpg.UniqueViolationError, match="audit_entry_case_rev"):
        await audit.append(db.pool, entry(case_id, 1))


async def test_no_entry_ahead_of_its_case(db: Database) -> None:
    case_id = await open_case(db)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="which the case did not reach"):
        await audit.append(db.pool, entry(case_id, 2))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="which the case did not reach"):
        await audit.append(db.pool, entry(str(uuid4()), 1))


@pytest.mark.parametrize("statement", ["delete from cases", "truncate cases cascade"])
async def test_cases_are_never_removed(db: Database, owner: asyncpg.Connection, statement: str) -> None:
    await open_case(db)
    with pytest.raises(asyncpg.RestrictViolationError, match="on cases refused"):
        await owner.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.pool.execute(statement)


# --- append only ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", ["update", "delete", "truncate"])
async def test_nobody_changes_the_log(db: Database, owner: asyncpg.Connection, table: str, verb: str) -> None:
    column = {"audit_entry": "actor", "audit_leaf": "index", "audit_node": "idx", "audit_checkpoint": "size"}[table]
    statement = {
        "update": f"update {table} set {column} = {column}",
        "delete": f"delete from {table}",
        "truncate": f"truncate {table}",
    }[verb]
    with pytest.raises(asyncpg.RestrictViolationError, match=f"{verb.upper()} on {table} refused"):
        await owner.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.pool.execute(statement)


@pytest.mark.parametrize("column", ["id", "recorded", "xact"])
async def test_the_app_may_not_name_what_the_database_sets(db: Database, column: str) -> None:
    value = {"id": "7", "recorded": "'2020-01-01'", "xact": "'1'"}[column]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.pool.execute(
            f"insert into audit_entry (at, actor, via, tag, subject, body, {column}) "
            f"values ($1, 'a', 'v', 'a.b', 's', '{{}}', {value})",
            AT,
        )


async def test_the_app_may_not_turn_back_the_ids(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.pool.execute("select setval('audit_entry_id_seq', 1)")


async def test_the_app_may_not_switch_triggers_off(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.pool.execute("alter table audit_entry disable trigger append_only")


@pytest.mark.parametrize("tag", ["approved", "Case.approved", "case.approved.twice", "case approved", ""])
async def test_tags_have_two_words(db: Database, tag: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await audit.append(db.pool, entry(tag=tag))


# --- what is written and read -------------------------------------------------------------------------------------


async def test_columns_repeat_the_text(db: Database) -> None:
    case_id = await open_case(db)
    row = await db.fetchrow("select * from audit_entry")
    assert row is not None
    assert row["body"] == (
        f'{{"actor":"ann","at":"2026-03-01T12:00:00.000000Z","case_id":"{case_id}","detail":{{"n":1}},"rev":1,'
        '"subject":"C-1","tag":"case.opened","via":"test"}'
    )
    told = tree.read_body(row["body"])
    assert (told.at, told.actor, told.via, told.tag, told.subject) == (AT, "ann", "test", "case.opened", "C-1")
    assert (told.case_id, told.rev) == (str(row["case_id"]), row["rev"])
    assert abs((datetime.now(UTC) - row["recorded"]).total_seconds()) < 60


async def test_unsealed_shows_what_commits_late(db: Database) -> None:
    async with db.pool.acquire() as slow, db.pool.acquire() as quick, db.pool.acquire() as sealer:
        late = slow.transaction()
        await late.start()
        first = await audit.append(slow, entry())
        second = await audit.append(quick, entry())
        assert first < second
        ids, horizon = await audit.unsealed(sealer, "0", 10)
        assert ids == [second]
        await audit.add_leaves(sealer, [audit.Leaf(0, second, bytes(32))], [])
        await late.commit()
        third = await audit.append(quick, entry())
        # Nothing below the horizon is looked at again, and the late one is not below it.
        ids, after = await audit.unsealed(sealer, horizon, 10)
        assert ids == [first, third]
        assert (await audit.unsealed(sealer, horizon, 1))[0] == [first]
        await audit.add_leaves(sealer, [audit.Leaf(1, first, bytes(32)), audit.Leaf(2, third, bytes(32))], [])
        assert (await audit.unsealed(sealer, after, 10))[0] == []
        assert (await audit.unsealed(sealer, "0", 10))[0] == []


async def test_nodes_come_from_both_tables(db: Database) -> None:
    grown, leaves, completed = tree.Tree(), [], []
    for i in range(7):
        hash_ = tree.leaf_hash(str(i))
        leaves.append(audit.Leaf(i, 100 + i, hash_))
        completed += grown.append(hash_)
    async with db.pool.acquire() as con:
        await audit.add_leaves(con, leaves[:4], [n for n in completed if (n.index + 1) << n.level <= 4])
        await audit.add_leaves(con, leaves[4:], [n for n in completed if (n.index + 1) << n.level > 4])
        nodes = await audit.nodes(con, tree.peak_coordinates(7))
        assert tree.root(7, nodes) == grown.root()
        with pytest.raises(KeyError):
            nodes(3, 0)
        assert await audit.leaf_count(con) == 7
        assert await audit.leaf_of(con, 103) == leaves[3]
        assert await audit.leaf_of(con, 99) is None
        with pytest.raises(asyncpg.UniqueViolationError):
            await audit.add_leaves(con, [audit.Leaf(6, 999, bytes(32))], [])
        with pytest.raises(asyncpg.UniqueViolationError):
            await audit.add_leaves(con, [audit.Leaf(7, 103, bytes(32))], [])


async def test_one_seals_at_a_time(db: Database, database_url: str) -> None:
    async with db.pool.acquire() as a, db.pool.acquire() as b:
        async with audit.sealing(a) as first, audit.sealing(b) as second:
            assert (first, second) == (True, False)
        async with audit.sealing(b) as first:
            assert first
    lost = await asyncpg.connect(database_url)
    async with audit.sealing(lost) as held:
        assert held
        lost.terminate()
    async with asyncio.timeout(5), db.pool.acquire() as con:
        held = False
        while not held:  # the server notices the closed socket in its own time
            async with audit.sealing(con) as held:
                pass


# --- files --------------------------------------------------------------------------------------------------------

KEY = SigningKey("trusted-notifier/test", bytes(32))
NOTES = [KEY.sign_checkpoint(size, tree.leaf_hash(str(size))) for size in range(1, 1200)]


def test_notes_are_appended_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    assert checkpoint_file.last(file) is None
    checkpoint_file.append(file, NOTES[:1])
    checkpoint_file.append(file, NOTES[1:3])
    assert file.read_text(encoding="utf-8") == "".join(NOTES[:3])
    assert [(at.line, at.note) for at in checkpoint_file.read(file)] == [(1, NOTES[0]), (6, NOTES[1]), (11, NOTES[2])]
    assert file.stat().st_mode & 0o777 == 0o600
    checkpoint_file.append(file, NOTES[3:])
    assert checkpoint_file.last(file) == NOTES[-1]
    assert [at.note for at in checkpoint_file.read(file)] == NOTES


@pytest.mark.parametrize("cut", [1, 20, 60, 90, 100, len(NOTES[1].encode()) - 1])
@pytest.mark.parametrize("before", [0, 1, 900])
def test_a_torn_note_is_completed(tmp_path: Path, before: int, cut: int) -> None:
    file = tmp_path / "checkpoints"
    file.write_bytes("".join(NOTES[:before]).encode() + NOTES[before].encode()[:cut])
    assert checkpoint_file.last(file) == (NOTES[before - 1] if before else None)
    assert [at.note for at in checkpoint_file.read(file)] == NOTES[:before]
    checkpoint_file.append(file, NOTES[before : before + 2])
    assert file.read_bytes() == "".join(NOTES[: before + 2]).encode()


def test_something_else_at_the_end_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    file.write_text(NOTES[0] + "not a note\n", encoding="utf-8")
    with pytest.raises(checkpoint_file.DamagedFile):
        checkpoint_file.append(file, NOTES[1:2])
    assert file.read_text(encoding="utf-8") == NOTES[0] + "not a note\n"


def test_a_cosigned_note_in_crlf_is_one_note(tmp_path: Path) -> None:
    cosigned = NOTES[0] + "— witness.example AAAA\n"
    file = tmp_path / "kept"
    file.write_bytes((cosigned + NOTES[1]).replace("\n", "\r\n").encode())
    assert [(at.line, at.note) for at in checkpoint_file.read(file)] == [(1, cosigned), (7, NOTES[1])]


async def test_everyone_gets_the_same_new_key(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "keys"
    made = await asyncio.gather(*(asyncio.to_thread(keys.open_signing_key, folder) for _ in range(16)))
    assert len({key.text for key in made}) == 1
    assert keys.open_verifier(folder) == made[0].verifier
    assert sorted(path.name for path in folder.iterdir()) == ["audit.ed25519", "audit.pub"]
    assert (folder / "audit.ed25519").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_installations_have_two_names(tmp_path: Path) -> None:
    a, b = (keys.open_signing_key(tmp_path / name) for name in "ab")
    assert a.name != b.name
    assert a.seed != b.seed


def test_a_public_key_of_another_pair_is_refused(tmp_path: Path) -> None:
    keys.open_signing_key(tmp_path)
    (tmp_path / "audit.pub").write_text(KEY.verifier.text)
    with pytest.raises(ValueError, match="is not the public key"):
        keys.open_signing_key(tmp_path)
