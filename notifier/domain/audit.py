"""The audit log's arithmetic: an entry's exact text, its leaf hash, and the Merkle tree of RFC 9162 §2.1.

Proof functions read hashes of complete subtrees through a `Nodes` function: `nodes(level, index)` is the root
over the leaves from `index << level` up to `(index + 1) << level`, so level 0 are the leaf hashes themselves.
An empty or partial subtree is never asked for.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

import rfc8785

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
Nodes: TypeAlias = Callable[[int, int], bytes]
Coordinates: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `at` is business time; `tag` reads subject.verb_past.

    `detail` holds ids and digests, never personal data. `rev` is the case's revision that this entry accounts for,
    None when the case row did not change.
    """

    at: datetime
    actor: str
    via: str
    tag: str
    subject: str
    case_id: str | None
    rev: int | None
    detail: Mapping[str, JSON]


def body(entry: Entry) -> str:
    """The text that is stored and hashed: RFC 8785, time in UTC with microseconds, case id in lower case.

    Raises ValueError for a time without zone, a case id that is no UUID, or a detail that JSON cannot hold.
    """
    if entry.at.tzinfo is None:
        raise ValueError("an audit entry's time needs a zone")
    return rfc8785.dumps(
        {
            "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "actor": entry.actor,
            "via": entry.via,
            "tag": entry.tag,
            "subject": entry.subject,
            "case_id": str(UUID(entry.case_id)) if entry.case_id is not None else None,
            "rev": entry.rev,
            "detail": dict(entry.detail),
        }
    ).decode()


def read_body(text: str) -> Entry:
    """The entry that a stored text tells. Raises ValueError when it is no entry."""
    told: Any = json.loads(text)
    try:
        return Entry(**{**told, "at": datetime.fromisoformat(told["at"])})
    except (TypeError, KeyError) as e:
        raise ValueError(f"not an audit entry: {e}") from e


# --- the tree -----------------------------------------------------------------------------------------------


def leaf_hash(text: str) -> bytes:
    """RFC 9162 §2.1.1: the prefix keeps a leaf from passing for an inner node."""
    return sha256(b"\x00" + text.encode()).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 §2.1.1."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Node:
    """The root of a complete subtree of two leaves or more; it never changes once it exists."""

    level: int
    index: int
    hash: bytes


def peak_coordinates(size: int) -> list[Coordinates]:
    """The complete subtrees that make up a tree of `size` leaves, largest first: one for each set bit."""
    found, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


@dataclass(slots=True)
class Tree:
    """The right edge of a growing tree: enough to append and to tell the root, O(log n) in size.

    `peaks` are the hashes at `peak_coordinates(size)`.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[Node]:
        """Add one leaf hash; returns the subtrees that it completes, lowest first."""
        completed: list[Node] = []
        hash_, index = leaf, self.size
        while index & 1:
            hash_ = node_hash(self.peaks.pop(), hash_)
            index >>= 1
            completed.append(Node(len(completed) + 1, index, hash_))
        self.peaks.append(hash_)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """RFC 9162 §2.1.1; the empty tree's root is the hash of nothing."""
        if not self.peaks:
            return sha256(b"").digest()
        *left, root = self.peaks
        for peak in reversed(left):
            root = node_hash(peak, root)
        return root


def root(size: int, nodes: Nodes) -> bytes:
    """The root over the first `size` leaves."""
    return Tree(size, [nodes(*at) for at in peak_coordinates(size)]).root()


def _split(n: int) -> int:
    """The largest power of two below n (n > 1)."""
    return 1 << ((n - 1).bit_length() - 1)


def _range_root(start: int, size: int, nodes: Nodes) -> bytes:
    """MTH(D[start:start+size]) for a range that the recursion of §2.1 reaches."""
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    k = _split(size)
    return node_hash(_range_root(start, k, nodes), _range_root(start + k, size - k, nodes))


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162 §2.1.3.1, nearest the leaf first.

    Raises ValueError outside 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path, start = [], 0
    while size > 1:
        k = _split(size)
        if index - start < k:
            path.append(_range_root(start + k, size - k, nodes))
            size = k
        else:
            path.append(_range_root(start, k, nodes))
            start, size = start + k, size - k
    return path[::-1]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 9162 §2.1.4.1; empty for old = new, and for old = 0, which anything extends.

    Raises ValueError outside 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        return []
    path, start, size, whole = [], 0, new, True
    while old - start != size:
        k = _split(size)
        if old - start <= k:
            path.append(_range_root(start + k, size - k, nodes))
            size = k
        else:
            path.append(_range_root(start, k, nodes))
            start, size, whole = start + k, size - k, False
    # SUBPROOF(m, D[m], true) is empty: the verifier holds the old root itself.
    if not whole:
        path.append(_range_root(start, size, nodes))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root_hash: bytes) -> bool:
    """RFC 9162 §2.1.3.2: whether `leaf` is number `index` of the `size` leaves under `root_hash`."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root_hash


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2: whether the tree of `new` leaves only adds to the tree of `old`."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not path and old_root == Tree().root()
    if old == new:
        return not path and old_root == new_root
    if old & (old - 1) == 0:
        path = [old_root, *path]
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


def reads(walk: Callable[[Nodes], object]) -> list[Coordinates]:
    """The nodes that `walk` will ask for, so that a caller can fetch them all at once and run it then.

    Which nodes a proof reads depends on positions alone, never on hashes.
    """
    asked: dict[Coordinates, None] = {}

    def note(level: int, index: int) -> bytes:
        asked[level, index] = None
        return b""

    walk(note)
    return list(asked)


def lookup(nodes: Iterable[Node]) -> Nodes:
    """A `Nodes` function over nodes in hand; a missing one raises KeyError."""
    held = {(node.level, node.index): node.hash for node in nodes}
    return lambda level, index: held[level, index]
