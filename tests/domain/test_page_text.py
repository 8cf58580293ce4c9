"""The words of pages, and whether two pages say the same."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.page_text import KEPT, MAX_CHARS, MAX_WORDS, page_text, similarity, sketch

WORDS = [f"w{n}" for n in range(5_000)]


@pytest.mark.parametrize(
    ("html", "title", "words"),
    [
        ("<title>A &amp; b\n c</title><p>Zwei&nbsp;DREI", "A & b c", ["a", "b", "c", "zwei", "drei"]),
        ("x<script>var bad</script>y<STYLE>p{}</STYLE >z", "", ["x", "y", "z"]),
        ("<!-- hidden > still --><b>seen</b>", "", ["seen"]),
        ("a<script src=x />b", "", ["a", "b"]),
        ("left <unclosed and more", "", ["left"]),
        ("plain text, no markup: 1 < 2", "", ["plain", "text", "no", "markup", "1"]),
        ("<noscript>no</noscript><template>no</template>yes", "", ["yes"]),
        ("<script>never closed", "", []),
        ("&#99999999999999999999; &#x110000; ok", "", ["ok"]),
        ("", "", []),
    ],
)
def test_words(html: str, title: str, words: list[str]) -> None:
    found = page_text(html)
    assert (found.title, list(found.words)) == (title, words)


# Each of these makes some parser quadratic: a tree of 200,000 levels, an entity of a million digits.
@pytest.mark.parametrize(
    "piece", ["<div>", "<b><i><a>", "<", "<!--", "<script>", "<title>", "&", "&#", "&#1", "1", "İ<p>", "<a x=", "a "]
)
@pytest.mark.timeout(20)
def test_a_hostile_page_is_read_in_bounded_time(piece: str) -> None:
    found = page_text(piece * (2 * MAX_CHARS // len(piece)))
    assert len(found.words) <= MAX_WORDS
    assert len(sketch(found.words)) <= KEPT
    page_text("&#" + "9" * MAX_CHARS)


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    found = page_text(text)
    assert all(word == word.lower() and word.isalnum() for word in found.words)
    assert similarity(sketch(found.words), sketch(found.words)) == 1.0


@pytest.mark.parametrize("kept", [1.0, 0.9, 0.5, 0.0])
def test_similarity_estimates_the_share_of_common_runs(kept: float) -> None:
    # By hand: a text of n words has n-2 runs. Two texts that agree in their first k words share k-2 of them, and have
    # 2(n-2)-(k-2) together.
    n, rng = 2_000, random.Random(7)
    one = [rng.choice(WORDS[:2_500]) for _ in range(n)]
    k = int(n * kept)
    other = one[:k] + [rng.choice(WORDS[2_500:]) for _ in range(n - k)]
    shared = max(k - 2, 0)
    expected = shared / (2 * (n - 2) - shared)
    assert similarity(sketch(tuple(one)), sketch(tuple(other))) == pytest.approx(expected, abs=0.13)


def test_small_pages_are_compared_exactly() -> None:
    # Runs of "a b c d": abc, bcd. Of "a b c e": abc, bce. One of three.
    assert similarity(sketch(("a", "b", "c", "d")), sketch(("a", "b", "c", "e"))) == pytest.approx(1 / 3)
    assert similarity(sketch(("a",)), sketch(("b",))) == 0.0
    assert similarity((), sketch(("a",))) == 0.0
    assert similarity((), ()) == 1.0


def test_hashes_fit_a_bigint() -> None:
    assert all(0 <= each < 2**63 for each in sketch(tuple(WORDS)))
    assert list(sketch(tuple(WORDS))) == sorted(sketch(tuple(WORDS)))
