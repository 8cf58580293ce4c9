"""Whether the reported pages are gone, from what several visitors met at each. Pure.

Gone needs every page gone for three visitors of different kinds, a telephone and somebody who comes from a search among
them; others may only refute it. A page with another text in place of the reported one is neither served nor gone: a person
says what it is. Whoever is turned away, as a robot or for the law of a country, saw nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from notifier.domain.look import ContentAnswer
from notifier.domain.page_text import Sketch, similarity, sketch, words_of

Met = Literal["served", "gone", "changed", "unclear"]

# RFC 7725 §3: 451 implies neither the existence nor the nonexistence of the page, so it is not among them.
GONE = frozenset({404, 410})
NEEDED = frozenset({"desktop", "mobile", "search"})

_UNRELATED = 0.01  # below it two pages have no text in common
_SOME_WORDS = 20  # fewer tell nothing
_CHALLENGE_WORDS = 200  # a page that asks whether its visitor is a robot is short
_CHALLENGES = re.compile(
    r"\b(captcha|hcaptcha|recaptcha|verify(ing)? (that )?you are (a )?human|not a robot|just a moment|checking your browser|"
    r"attention required|unusual traffic|ddos protection|enable javascript|access denied|security check)\b"
)
_LATER = timedelta(days=7)
_TELLING_CHARS = 5  # a shorter single word, such as a film's title, stands on any page


@dataclass(frozen=True, slots=True)
class Known:
    """A page as it was captured when it was reported."""

    words: int
    sketch: Sketch


@dataclass(frozen=True, slots=True)
class Reported:
    """The reported addresses; what was captured there, by address; `marks`: words that name what was reported, such as the
    titles of works and the names of drugs, as `mark` makes them."""

    urls: Sequence[str] = ()
    before: Mapping[str, Known] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """`cloaked`: a page was hidden from one visitor and shown to another."""

    answer: ContentAnswer
    cloaked: bool = False


def next_look(watch: Sequence[timedelta], gap: timedelta, asked_at: datetime, now: datetime, *, gone: bool) -> datetime:
    """When pages are looked at again: as planned for a watch, but no denser than `gap`; a gap after they were seen gone."""
    later = [at for offset in watch if offset >= gap and (at := asked_at + offset) > now]
    return now + gap if gone else min(later, default=now + max(gap, _LATER))


def mark(name: str) -> str | None:
    """A name as it is looked for among a page's words; None for one that says too little."""
    words = words_of(name)
    text = " ".join(words)
    return text if len(words) > 1 or len(text) >= _TELLING_CHARS else None


def read(words: tuple[str, ...], before: Known | None, marks: Iterable[str]) -> Met:
    """What a visitor met who was given a page of these words. What cannot be held against anything is still served."""
    text = f" {' '.join(words)} "
    if any(f" {mark} " in text for mark in marks):
        return "served"
    if len(words) <= _CHALLENGE_WORDS and _CHALLENGES.search(text):
        return "unclear"
    if before is None or before.words < _SOME_WORDS:
        return "served"
    if not words:  # a script may have been meant to write it
        return "unclear"
    return "changed" if similarity(before.sketch, sketch(words)) < _UNRELATED else "served"


def judge(met: Mapping[str, Mapping[str, Met]]) -> Found:
    """All pages together: by address, what each visitor met there, by the visitor's name."""
    pages = [_page(by_visitor) for by_visitor in met.values()]
    answers = {page.answer for page in pages}
    if "served" in answers:
        return Found("served", cloaked=any(page.cloaked for page in pages))
    if not answers or "inconclusive" in answers:
        return Found("inconclusive")
    return Found("changed" if "changed" in answers else "gone")


def _page(by_visitor: Mapping[str, Met]) -> Found:
    seen = set(by_visitor.values())
    if "served" in seen:
        return Found("served", cloaked=bool(seen & {"gone", "changed"}))
    told = {by_visitor.get(visitor, "unclear") for visitor in NEEDED}
    if "unclear" in told:
        return Found("inconclusive")
    return Found("changed" if "changed" in seen else "gone")
