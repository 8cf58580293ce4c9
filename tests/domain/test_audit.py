"""Entry text, Merkle tree and checkpoints against RFC 8785, RFC 9162, C2SP and published vectors."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain import audit
from notifier.domain.audit import Entry, Tree
from notifier.domain.checkpoint import (
    BadNote,
    Checkpoint,
    SigningKey,
    read_checkpoint,
    read_signing_key,
    read_verifier,
)

# The eight leaves that the Certificate Transparency tests use for their reference tree.
LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def h(data: bytes) -> bytes:
    return sha256(data).digest()


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1, read off the page: the definition by recursion over the data itself."""
    n = len(leaves)
    if n == 0:
        return h(b"")
    if n == 1:
        return h(b"\x00" + leaves[0])
    k = 1
    while k * 2 < n:
        k *= 2
    return h(b"\x01" + mth(leaves[:k]) + mth(leaves[k:]))


def nodes_of(leaves: list[bytes]) -> audit.Nodes:
    """Complete subtrees by definition, independent of how the tree grew."""

    def nodes(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, f"node {index} of level {level} is not complete"
        return mth(part)

    return nodes


def grown(leaves: list[bytes]) -> tuple[Tree, list[audit.Node]]:
    tree, kept = Tree(), []
    for i, data in enumerate(leaves):
        hash_ = h(b"\x00" + data)
        kept += [audit.Node(0, i, hash_), *tree.append(hash_)]
    return tree, kept


@pytest.mark.parametrize("n", range(9))
def test_roots_of_the_reference_tree(n: int) -> None:
    assert mth(LEAVES[:n]).hex() == ROOTS[n]
    tree, kept = grown(LEAVES[:n])
    assert tree.root().hex() == ROOTS[n]
    assert audit.root(n, audit.lookup(kept)).hex() == ROOTS[n]


def test_seven_leaves_written_out() -> None:
    a, b, c, d, e, f, g = (h(b"\x00" + leaf) for leaf in LEAVES[:7])
    ab, cd, ef = h(b"\x01" + a + b), h(b"\x01" + c + d), h(b"\x01" + e + f)
    abcd, efg = h(b"\x01" + ab + cd), h(b"\x01" + ef + g)
    assert grown(LEAVES[:7])[0].root() == h(b"\x01" + abcd + efg)
    nodes = nodes_of(LEAVES[:7])
    # The example of RFC 9162 §2.1.5 has the same shape and names these proofs.
    assert audit.inclusion_proof(0, 7, nodes) == [b, cd, efg]
    assert audit.inclusion_proof(3, 7, nodes) == [c, ab, efg]
    assert audit.inclusion_proof(4, 7, nodes) == [f, g, abcd]
    assert audit.inclusion_proof(6, 7, nodes) == [ef, abcd]
    assert audit.consistency_proof(3, 7, nodes) == [c, d, ab, efg]
    assert audit.consistency_proof(4, 7, nodes) == [efg]
    assert audit.consistency_proof(6, 7, nodes) == [ef, g, abcd]


def test_a_leaf_is_the_hash_of_the_exact_text() -> None:
    assert audit.leaf_hash("é") == h(b"\x00\xc3\xa9")
    assert audit.leaf_hash('{"a":1}') != audit.leaf_hash('{"a": 1}')


data = st.lists(st.binary(max_size=6), min_size=1, max_size=70)


@given(data)
def test_the_growing_tree_is_the_tree_by_definition(leaves: list[bytes]) -> None:
    tree, kept = grown(leaves)
    assert tree.root() == mth(leaves)
    # Exactly the complete subtrees come out, each once.
    assert sorted((n.level, n.index) for n in kept) == [
        (level, index) for level in range(len(leaves).bit_length()) for index in range(len(leaves) >> level)
    ]
    by_definition = nodes_of(leaves)
    assert all(node.hash == by_definition(node.level, node.index) for node in kept)
    assert tree.peaks == [by_definition(*at) for at in audit.peak_coordinates(len(leaves))]


@given(data, st.data())
def test_inclusion(leaves: list[bytes], draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, len(leaves) - 1))
    n, root, leaf = len(leaves), mth(leaves), h(b"\x00" + leaves[index])
    path = audit.inclusion_proof(index, n, nodes_of(leaves))
    assert len(path) <= (n - 1).bit_length()
    assert audit.verify_inclusion(index, n, leaf, path, root)
    assert not audit.verify_inclusion(index, n, h(b"\x00other" + leaves[index]), path, root)
    assert not audit.verify_inclusion(index, n, leaf, path, h(root))
    assert not audit.verify_inclusion(index, n, leaf, [*path, root], root)
    assert not audit.verify_inclusion(n, n, leaf, path, root)
    assert not audit.verify_inclusion(-1, n, leaf, path, root)
    for i in range(len(path)):
        assert not audit.verify_inclusion(index, n, leaf, [*path[:i], h(path[i]), *path[i + 1 :]], root)
    if path:
        assert not audit.verify_inclusion(index, n, leaf, path[:-1], root)


@given(data, st.data())
def test_consistency(leaves: list[bytes], draw: st.DataObject) -> None:
    new = len(leaves)
    old = draw.draw(st.integers(0, new))
    before, after = mth(leaves[:old]), mth(leaves)
    path = audit.consistency_proof(old, new, nodes_of(leaves))
    assert audit.verify_consistency(old, new, before, after, path)
    assert not audit.verify_consistency(old, new, h(before), after, path)
    assert not audit.verify_consistency(old, new, before, after, [*path, after])
    assert not audit.verify_consistency(new + 1, new, before, after, path)
    if old > 0:
        assert not audit.verify_consistency(old, new, before, h(after), path)
    for i in range(len(path)):
        assert not audit.verify_consistency(old, new, before, after, [*path[:i], h(path[i]), *path[i + 1 :]])
    if path:
        assert not audit.verify_consistency(old, new, before, after, path[:-1])


@given(data, st.data())
def test_a_rewritten_past_has_no_consistency_proof(leaves: list[bytes], draw: st.DataObject) -> None:
    changed = draw.draw(st.integers(0, len(leaves) - 1))
    old = draw.draw(st.integers(changed + 1, len(leaves)))
    forged = [*leaves[:changed], leaves[changed] + b"!", *leaves[changed + 1 :]]
    path = audit.consistency_proof(old, len(leaves), nodes_of(forged))
    assert not audit.verify_consistency(old, len(leaves), mth(leaves[:old]), mth(forged), path)


@given(st.integers(1, 5000), st.data())
def test_reads_names_every_node_before_it_is_asked(size: int, draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, size - 1))
    old = draw.draw(st.integers(0, size))
    for walk in (
        lambda nodes: audit.inclusion_proof(index, size, nodes),
        lambda nodes: audit.consistency_proof(old, size, nodes),
        lambda nodes: [audit.root(size, nodes)],
    ):
        wanted = audit.reads(walk)
        assert all((i + 1) << level <= size for level, i in wanted), "a partial subtree is not stored"
        assert len(wanted) <= 2 * size.bit_length()
        walk(audit.lookup(audit.Node(level, i, b"%d/%d" % (level, i)) for level, i in wanted))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_inclusion_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        audit.inclusion_proof(index, size, nodes_of(LEAVES))


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3)])
def test_no_consistency_backwards(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not extend"):
        audit.consistency_proof(old, new, nodes_of(LEAVES))


# --- entries --------------------------------------------------------------------------------------------------

CASE = "0190F3A2-0000-7000-8000-00000000000A"


def entry(**changes: object) -> Entry:
    fields: dict[str, object] = {
        "at": datetime(2026, 11, 25, 9, 30, tzinfo=timezone(timedelta(hours=1))),
        "actor": "p.ünal",
        "via": "api",
        "tag": "case.approved",
        "subject": "C-2026-7",
        "case_id": CASE,
        "rev": 3,
        "detail": {"digest": "00ff", "n": 1, "b": None},
    }
    return Entry(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_text_is_canonical() -> None:
    assert audit.body(entry()) == (
        '{"actor":"p.ünal","at":"2026-11-25T08:30:00.000000Z","case_id":"0190f3a2-0000-7000-8000-00000000000a",'
        '"detail":{"b":null,"digest":"00ff","n":1},"rev":3,"subject":"C-2026-7","tag":"case.approved","via":"api"}'
    )


def test_keys_are_sorted_by_utf_16() -> None:
    # RFC 8785 §3.2.3: U+1F600 is D83D DE00 in UTF-16 and comes before U+FB33, though its code point is larger.
    text = audit.body(entry(detail={"\ufb33": 1, "\U0001f600": 2}))
    assert '"detail":{"\U0001f600":2,"\ufb33":1}' in text


@pytest.mark.parametrize(
    "changes",
    [
        {"at": datetime(2026, 11, 25)},
        {"case_id": "7"},
        {"detail": {"at": datetime(2026, 11, 25, tzinfo=UTC)}},
        {"detail": {"n": 2**60}},
        {"detail": {"x": float("nan")}},
        {"actor": "\ud800"},
    ],
)
def test_what_cannot_be_written_down_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        audit.body(entry(**changes))


json_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab é", max_size=3), inner, max_size=3),
    max_leaves=8,
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60)
@given(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]), min_value=datetime(1900, 1, 1)),
    text,
    st.none() | st.uuids(),
    st.dictionaries(text, json_value, max_size=4),
)
def test_reading_the_text_gives_the_entry_back(
    at: datetime, word: str, case_id: UUID | None, detail: dict[str, audit.JSON]
) -> None:
    before = entry(at=at, actor=word, subject=word, case_id=case_id and str(case_id), detail=detail)
    assert audit.read_body(audit.body(before)) == before


@pytest.mark.parametrize("stored", ["", "null", "[]", "{}", '{"at":"2026-11-25T08:30:00Z"}', '{"at":7}'])
def test_other_text_is_no_entry(stored: str) -> None:
    with pytest.raises(ValueError):
        audit.read_body(stored)


# --- checkpoints ----------------------------------------------------------------------------------------------

# Published with the reference implementation of signed notes (golang.org/x/mod/sumdb/note).
NEUMANN = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_NOTE = (
    NEUMANN_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

KEY = SigningKey("trusted-notifier/test", bytes(range(32)))
OTHER = SigningKey("trusted-notifier/test", bytes(32))


def test_the_published_note() -> None:
    key = read_signing_key(NEUMANN)
    assert key.verifier == read_verifier(NEUMANN_PUBLIC)
    assert (key.text, key.verifier.text) == (NEUMANN, NEUMANN_PUBLIC)
    assert key.sign(NEUMANN_TEXT) == NEUMANN_NOTE
    assert read_verifier(NEUMANN_PUBLIC).open(NEUMANN_NOTE) == NEUMANN_TEXT


def test_the_text_of_a_checkpoint() -> None:
    root = bytes.fromhex(ROOTS[8])
    note = KEY.sign_checkpoint(8, root)
    assert note.startswith(f"trusted-notifier/test\n8\n{base64.b64encode(root).decode()}\n\n— trusted-notifier/test ")
    assert KEY.verifier.open_checkpoint(note) == Checkpoint("trusted-notifier/test", 8, root)


def test_extension_lines_are_read_over() -> None:
    text = Checkpoint("o", 1, bytes(32)).text + "more\n"
    assert read_checkpoint(text) == Checkpoint("o", 1, bytes(32))


def test_a_cosigned_note_still_opens() -> None:
    note = KEY.sign_checkpoint(8, bytes(32))
    witness = read_signing_key(NEUMANN).sign(Checkpoint(KEY.name, 8, bytes(32)).text)
    line = witness.rpartition("\n\n")[2]
    assert KEY.verifier.open_checkpoint(note + line).size == 8
    assert KEY.verifier.open_checkpoint(note.replace("\n\n", "\n\n" + line)).size == 8


NOTE = KEY.sign_checkpoint(8, bytes.fromhex(ROOTS[8]))


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE.replace("\n8\n", "\n9\n"),
        NOTE.replace("\n8\n", "\n08\n"),
        NOTE.removesuffix("\n"),
        NOTE.replace("— ", "- "),
        NOTE + "\n",
        NOTE + "unsigned\n",
        OTHER.sign_checkpoint(8, bytes.fromhex(ROOTS[8])),
        KEY.sign(Checkpoint("another/log", 8, bytes(32)).text),
        KEY.sign(f"{KEY.name}\n8\n{base64.b64encode(bytes(31)).decode()}\n"),
        KEY.sign(f"{KEY.name}\n-8\n{base64.b64encode(bytes(32)).decode()}\n"),
        KEY.sign(f"{KEY.name}\n08\n{base64.b64encode(bytes(32)).decode()}\n"),
        KEY.sign(f"{KEY.name}\n8\n{base64.b64encode(bytes(32)).decode()}!\n"),
        KEY.sign("hello\n"),
    ],
)
def test_no_other_note_passes(note: str) -> None:
    with pytest.raises(BadNote):
        KEY.verifier.open_checkpoint(note)


@given(st.integers(0, len(NOTE) - 1), st.characters(exclude_categories=["Cs"]))
def test_no_changed_character_passes(at: int, character: str) -> None:
    forged = NOTE[:at] + character + NOTE[at + 1 :]
    try:
        opened = KEY.verifier.open_checkpoint(forged)
    except BadNote:
        return
    # Nothing but the note itself may say this, up to bits of base64 padding outside the signature's 64 bytes.
    assert (opened.size, opened.root.hex()) == (8, ROOTS[8])
    assert forged.rpartition("\n\n")[0] == NOTE.rpartition("\n\n")[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        NEUMANN_PUBLIC.replace("c74f20a3", "c74f20a4"),
        NEUMANN_PUBLIC.replace("PeterNeumann", "Peter Neumann"),
        NEUMANN_PUBLIC[:-4],
        NEUMANN_PUBLIC.replace("+AR", "+CR"),
    ],
)
def test_a_damaged_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_verifier(text)
    with pytest.raises(BadNote):
        read_signing_key("PRIVATE+KEY+" + text)


@pytest.mark.parametrize("name", ["", "with space", "with+plus", "line\nfeed"])
def test_a_key_name_keeps_notes_readable(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        SigningKey(name, bytes(32))
