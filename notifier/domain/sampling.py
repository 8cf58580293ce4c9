"""A seeded draw of pages that anybody can repeat with sort and sha256sum, so that nobody picks the pages by hand.

The list drawn from is taken as a set of addresses, one a line, in byte order of UTF-8. Its digest is what
`LC_ALL=C sort -u LIST | sha256sum` prints. Each address gets the mark SHA-256(seed, line feed, address), as
`printf '%s\\n%s' SEED ADDRESS | sha256sum` prints it; the draw is the first `size` addresses in the order of their
marks. A seed names one draw of a list and no other; it is told with the list's digest before anybody looks at a page.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from notifier.errors import Invalid

METHOD = "first pages of the list by SHA-256(seed, line feed, address)"


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw and what it can be repeated from. `population`: how many different addresses the list has."""

    seed: str
    population: int
    population_sha256: str
    items: tuple[str, ...]


def draw(seed: str, population: Iterable[str], size: int) -> Draw:
    """The `size` addresses that the seed gives. Raises Invalid for an empty seed or list, or a size outside 1..list."""
    pages = _as_list(population)
    if not seed or "\n" in seed:
        raise Invalid("the seed is empty or has a line feed; give one line")
    if not 1 <= size <= len(pages):
        raise Invalid(f"{size} of {len(pages)} different addresses cannot be drawn")
    marked = sorted(pages, key=lambda page: mark(seed, page))
    return Draw(seed, len(pages), population_digest(pages), tuple(marked[:size]))


def mark(seed: str, page: str) -> str:
    """What puts a page in its place: SHA-256 in lower-case hex of seed, line feed, address."""
    return hashlib.sha256(f"{seed}\n{page}".encode()).hexdigest()


def population_digest(population: Iterable[str]) -> str:
    """SHA-256 in lower-case hex over the different addresses in byte order, a line feed after each."""
    return hashlib.sha256("".join(f"{page}\n" for page in _as_list(population)).encode()).hexdigest()


def objection(
    seed: str, items: Sequence[str], population: Sequence[str], *, count: int | None = None, sha256: str | None = None
) -> str:
    """Why `items` are not the draw of this seed from this list; empty if they are, in whatever order.

    `count` and `sha256`: what was said of the list, None when nothing was.
    """
    pages = _as_list(population)
    if count is not None and count != len(pages):
        return f"the list has {len(pages)} different addresses, and {count} were stated"
    if sha256 is not None and sha256 != population_digest(pages):
        return "the list is not the one whose digest was stated"
    drawn = set(items)
    if not drawn <= set(pages):
        return "pages stand in the sample that are not on the list"
    if drawn != set(draw(seed, pages, len(drawn)).items):
        return f"the seed {seed!r:.60} draws other pages from this list"
    return ""


def _as_list(population: Iterable[str]) -> list[str]:
    return sorted({page for page in population if page}, key=lambda page: page.encode())
