"""What several visitors saw of one page, held against each other: is the site hiding, broken into, parked, gone? Pure.

A page that changes by itself proves nothing, so its first visitor comes a second time: text is compared only as far as
that page is steady. Who is turned away as a robot saw nothing, and nothing follows from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.domain.page_text import Sketch, similarity

FIRST, AGAIN = "desktop", "desktop_again"
GONE = frozenset({404, 410, 451})

_UNLIKE = {"search": 0.3, "crawler": 0.3, "mobile": 0.1}  # below it two texts are different; phones get another layout
_STEADY = 0.3
_SOME_WORDS = 20  # fewer tell nothing
_MANY_WORDS = 50
_UNRELATED = 0.01
_PARKED_WORDS = 400  # a parking page is short


@dataclass(frozen=True, slots=True)
class Seen:
    """Where one visitor ended. `status` None: nobody answered. `site`: the registrable name, or the host."""

    visitor: str
    status: int | None
    site: str
    words: int = 0
    sketch: Sketch = ()

    @property
    def shown(self) -> bool | None:
        """True: a page; False: the server says that there is none; None: neither is known."""
        if self.status is None:
            return None
        if 200 <= self.status < 300:
            return True
        return False if self.status in GONE else None


@dataclass(frozen=True, slots=True)
class Compared:
    """`cloaking` None: too few visitors could be compared. `differences` name the visitor and say what differs."""

    cloaking: bool | None
    differences: tuple[str, ...]
    search_only: bool


def compare(seen: Sequence[Seen]) -> Compared:
    """Each visitor against the first one. A visitor in another language is kept, and not compared: it may read another text."""
    by_name = {each.visitor: each for each in seen}
    first, again = by_name.get(FIRST), by_name.get(AGAIN)
    if first is None or first.shown is None:
        return Compared(None, (), search_only=False)
    steady = similarity(first.sketch, again.sketch) if again is not None and first.shown and again.shown else 0.0
    differences, compared = {}, set()
    for visitor in _UNLIKE:
        other = by_name.get(visitor)
        if other is None or other.shown is None:
            continue
        compared.add(visitor)
        differs = _difference(first, other, steady)
        if differs:
            differences[visitor] = f"{visitor}: {differs}"
    enough = "search" in compared and len(compared) > 1
    return Compared(
        True if differences else (False if enough else None),
        tuple(differences.values()),
        search_only="search" in differences and by_name["search"].shown is True,
    )


def _difference(first: Seen, other: Seen, steady: float) -> str:
    if first.shown != other.shown:
        return f"{other.status} where {FIRST} gets {first.status}"
    if not first.shown:
        return ""
    if first.site != other.site:
        return f"ends at {other.site} where {FIRST} ends at {first.site}"
    if steady < _STEADY or max(first.words, other.words) < _SOME_WORDS:
        return ""
    alike = similarity(first.sketch, other.sketch)
    return f"shares {alike:.0%} of its text with {FIRST}" if alike < _UNLIKE[other.visitor] * steady else ""


def unrelated(front: Seen, page: Seen) -> bool:
    """Whether a site's front page and a page of it have nothing in common, as when somebody else put the page there."""
    both = front.shown and page.shown and front.site == page.site
    long = min(front.words, page.words) >= _MANY_WORDS
    return bool(both and long and similarity(front.sketch, page.sketch) < _UNRELATED)


def parked(words: Sequence[str], phrases: Sequence[str]) -> bool:
    """Whether a short page offers the name itself. `phrases` are lower-case words, one space between."""
    if len(words) > _PARKED_WORDS:
        return False
    text = f" {' '.join(words)} "
    return any(f" {phrase} " in text for phrase in phrases)


def replaced(before: Seen, after: Seen) -> bool | None:
    """Whether another page stands where one was captured; None when that cannot be told. Gone is not replaced."""
    if not (before.shown and after.shown):
        return None
    if before.site != after.site:
        return True
    if max(before.words, after.words) < _SOME_WORDS:
        return None
    return similarity(before.sketch, after.sketch) < _UNRELATED
