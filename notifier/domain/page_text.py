"""The words of a web page and their fingerprint: whether two pages say the same, told without keeping either. Pure.

The words are found by one linear scan, since a page is hostile: a tree is not needed, and building one can be made to
take minutes. The fingerprint is a bottom-k sketch (Cohen and Kaplan 2007) over runs of three words.
"""

import heapq
import re
from dataclasses import dataclass
from hashlib import blake2b
from html import unescape
from itertools import islice

MAX_CHARS = 1_000_000
MAX_WORDS = 20_000
RUN = 3  # words that follow each other, hashed as one
KEPT = 128  # of the smallest hashes: the error of a similarity is about 1/sqrt(KEPT), 9 %

_UNSEEN = ("script", "style", "template", "noscript", "svg", "iframe", "textarea")
_WORD = re.compile(r"[^\W_]+")
_NO_CHARACTER = re.compile(r"&#[0-9]{8,};?|&#[xX][0-9a-fA-F]{8,};?")  # beyond Unicode; `unescape` fails on the longest
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,1000})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PageText:
    """`words` in lower case, in order; `title` is one line, "" where there is none."""

    title: str
    words: tuple[str, ...]


Sketch = tuple[int, ...]  # of 56 bits, so that a bigint holds each


def page_text(html: str) -> PageText:
    """What a visitor may read. Scripts, styles and markup are left out; anything that is no HTML is read as text."""
    html = html[:MAX_CHARS]
    title = _TITLE.search(html)
    shown = " ".join(_unescaped(title[1]).split()) if title else ""
    return PageText(
        "".join(c for c in shown if c.isprintable())[:200], words_of(_unescaped(_without_markup(html)), MAX_WORDS)
    )


def words_of(text: str, most: int | None = None) -> tuple[str, ...]:
    """The words of a text in lower case, in order; the first `most` of them."""
    return tuple(found[0] for found in islice(_WORD.finditer(text.lower()), most))


def _unescaped(text: str) -> str:
    return unescape(_NO_CHARACTER.sub(" ", text))


def _without_markup(html: str) -> str:
    lower, kept, at = html.lower(), [], 0
    if len(lower) != len(html):  # a few letters grow in lower case; positions must agree
        html = lower
    while (start := html.find("<", at)) != -1:
        kept.append(html[at:start])
        if lower.startswith("<!--", start):
            at = _after(lower, "-->", start + 4)
            continue
        end = lower.find(">", start)
        if end == -1:
            break
        at = end + 1
        name = re.match(r"[a-z]+", lower[start + 1 : start + 12])
        if name and name[0] in _UNSEEN and lower[end - 1] != "/":
            at = _after(lower, f"</{name[0]}", at)
    kept.append(html[at:] if start == -1 else "")
    return " ".join(kept)


def _after(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found == -1 else found + len(mark)


def sketch(words: tuple[str, ...]) -> Sketch:
    """The smallest hashes of the page's runs of words, ascending; empty for a page without words."""
    runs = {" ".join(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))} if words else set()
    hashes = (int.from_bytes(blake2b(run.encode(), digest_size=7).digest()) for run in runs)
    return tuple(heapq.nsmallest(KEPT, hashes))


def similarity(one: Sketch, other: Sketch) -> float:
    """The share of runs that two pages have in common (Jaccard), estimated; 1.0 for two pages without words."""
    if not one and not other:
        return 1.0
    smallest = heapq.nsmallest(KEPT, {*one, *other})
    common = set(one) & set(other)
    return sum(value in common for value in smallest) / len(smallest)
