"""When reported pages are gone: one table of what visitors met, and what a page of 200 is held against (domain.md 5.5)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.cure import NEEDED, Found, Known, Met, judge, mark, next_look, read
from notifier.domain.page_text import sketch, words_of

G, S, C, U = "gone", "served", "changed", "unclear"
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def met(desktop: str, mobile: str, search: str, **others: str) -> dict[str, Met]:
    return {"desktop": desktop, "mobile": mobile, "search": search, **others}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        ([met(G, G, G)], Found("gone")),
        ([met(G, G, G, language=G, crawler=G)], Found("gone")),
        ([met(G, G, G, crawler=U)], Found("gone")),  # a robot is often turned away
        ([met(G, G, G), met(G, G, G)], Found("gone")),
        ([met(G, G, U)], Found("inconclusive")),
        ([met(G, U, G, crawler=G)], Found("inconclusive")),  # a robot stands for nobody else
        ([met(G, G, G), met(G, G, U)], Found("inconclusive")),
        ([met(C, C, C)], Found("changed")),
        ([met(G, G, G), met(C, C, C)], Found("changed")),
        ([met(G, C, G)], Found("changed")),
        ([met(G, G, G, language=C)], Found("changed")),
        ([met(C, C, U)], Found("inconclusive")),
        ([met(S, S, S)], Found("served")),
        ([met(G, G, G), met(S, S, S)], Found("served")),  # one page taken away, another one not: nobody hides
        ([met(G, G, S)], Found("served", cloaked=True)),
        ([met(C, C, C, crawler=S)], Found("served", cloaked=True)),
        ([met(U, U, S)], Found("served")),
        ([met(G, G, G), met(G, S, G)], Found("served", cloaked=True)),
        ([{"desktop": G, "mobile": G}], Found("inconclusive")),  # asked by too few
        ([], Found("inconclusive")),
    ],
)
def test_what_visitors_met(pages: list[dict[str, Met]], found: Found) -> None:
    assert judge({str(number): page for number, page in enumerate(pages)}) == found


VISITORS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from([G, S, C, U]) for name in (*sorted(NEEDED), "crawler")}
)


@given(st.dictionaries(st.sampled_from("abc"), VISITORS, max_size=3))
def test_gone_needs_three_visitors_at_every_page_and_nothing_else_from_any(pages: dict[str, dict[str, Met]]) -> None:
    gone = bool(pages) and all(
        all(page.get(name) == G for name in NEEDED) and set(page.values()) <= {G, U} for page in pages.values()
    )
    assert (judge(pages).answer == "gone") == gone


SHOP = words_of(" ".join(f"tablets {n} shipped to your door without any script" for n in range(12)))
PARKED = words_of("The name is for sale. Ask its owner for an offer, or see thousands of other names at our market.")
WAS = Known(len(SHOP), sketch(SHOP))


@pytest.mark.parametrize(
    ("words", "before", "marks", "found"),
    [
        (SHOP, WAS, (), S),
        (PARKED, WAS, (), C),
        (PARKED, WAS, ("for sale",), S),  # it names what was reported
        (PARKED, None, (), S),  # nothing to hold it against
        (PARKED, Known(5, sketch(SHOP[:5])), (), S),
        ((), WAS, (), U),
        (words_of("Please verify you are a human. hCaptcha"), None, (), U),
        (words_of("Checking your browser before accessing the site"), WAS, (), U),
        ((*SHOP, *["captcha"] * 200), WAS, (), S),  # a shop that has a captcha somewhere is a shop
    ],
)
def test_what_a_page_of_200_is(
    words: tuple[str, ...], before: Known | None, marks: tuple[str, ...], found: str
) -> None:
    assert read(words, before, marks) == found


@pytest.mark.parametrize(
    ("name", "found"), [("Tramadol", "tramadol"), ("It", None), ("Up!", None), ("Ad Astra", "ad astra"), ("", None)]
)
def test_what_names_a_page(name: str, found: str | None) -> None:
    assert mark(name) == found


def test_looks_keep_the_watchs_pace_and_come_a_gap_after_a_page_was_seen_gone() -> None:
    watch = (timedelta(minutes=1), DAY, 2 * DAY, 9 * DAY)
    assert next_look(watch, DAY, NOW, NOW, gone=False) == NOW + DAY
    assert next_look(watch, DAY, NOW, NOW + 2 * DAY, gone=False) == NOW + 9 * DAY
    assert next_look(watch, DAY, NOW, NOW + 2 * DAY, gone=True) == NOW + 3 * DAY
    assert next_look(watch, DAY, NOW, NOW + 20 * DAY, gone=False) == NOW + 27 * DAY
