"""What visitors saw, held against each other."""

import pytest

from notifier.domain.cloaking import AGAIN, FIRST, Seen, compare, parked, replaced, unrelated
from notifier.domain.page_text import sketch

SHOP = tuple(f"pill{n}" for n in range(100))
BLOG = tuple(f"garden{n}" for n in range(100))
HALF = SHOP[:50] + BLOG[:50]


def seen(visitor: str, status: int | None = 200, words: tuple[str, ...] = SHOP, site: str = "a.com") -> Seen:
    return Seen(visitor, status, site, len(words), sketch(words))


def every(**others: Seen) -> list[Seen]:
    same = {name: seen(name) for name in (FIRST, "mobile", "search", "language", "crawler", AGAIN)}
    return list({**same, **others}.values())


def test_all_alike() -> None:
    found = compare(every())
    assert (found.cloaking, found.differences, found.search_only) == (False, (), False)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"search": seen("search", words=BLOG)}, "search: shares 0% of its text with desktop"),
        ({"search": seen("search", site="b.com")}, "search: ends at b.com where desktop ends at a.com"),
        ({"crawler": seen("crawler", 404)}, "crawler: 404 where desktop gets 200"),
        ({"mobile": seen("mobile", 410)}, "mobile: 410 where desktop gets 200"),
        ({"crawler": seen("crawler", words=())}, "crawler: shares 0% of its text with desktop"),
    ],
)
def test_a_difference_is_cloaking_and_is_named(others: dict[str, Seen], said: str) -> None:
    found = compare(every(**others))
    assert (found.cloaking, found.differences) == (True, (said,))


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, 302, None])
def test_who_is_turned_away_saw_nothing(status: int | None) -> None:
    assert compare(every(crawler=seen("crawler", status))).cloaking is False
    assert compare(every(desktop=seen(FIRST, status))).cloaking is None
    assert compare(every(search=seen("search", status))).cloaking is None


def test_a_page_that_changes_by_itself_tells_nothing_by_its_text() -> None:
    unsteady = {AGAIN: seen(AGAIN, words=BLOG)}
    assert compare(every(**unsteady, search=seen("search", words=BLOG))).cloaking is False
    assert compare(every(**unsteady, search=seen("search", 404))).cloaking is True


def test_phones_and_other_languages_may_read_another_text() -> None:
    assert compare(every(mobile=seen("mobile", words=HALF), language=seen("language", words=BLOG))).cloaking is False


def test_shown_only_to_searchers() -> None:
    found = compare(every(desktop=seen(FIRST, 404), desktop_again=seen(AGAIN, 404)))
    assert (found.cloaking, found.search_only) == (True, True)
    assert not compare(every(search=seen("search", 404))).search_only


def test_an_unrelated_front_page() -> None:
    front = seen("front_page", words=BLOG)
    assert unrelated(front, seen(FIRST))
    assert not unrelated(seen("front_page", words=HALF), seen(FIRST))
    assert not unrelated(seen("front_page", words=BLOG[:40]), seen(FIRST))  # too short to tell
    assert not unrelated(seen("front_page", 404, BLOG), seen(FIRST))
    assert not unrelated(seen("front_page", words=BLOG, site="b.com"), seen(FIRST))


def test_parked() -> None:
    phrases = ("this domain is for sale",)
    assert parked(("hello", *["this", "domain", "is", "for", "sale"], "now"), phrases)
    assert not parked(("this", "domain", "is", "for", "sales"), phrases)
    assert not parked((*["this", "domain", "is", "for", "sale"], *SHOP * 5), phrases)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (seen(FIRST), seen(FIRST), False),
        (seen(FIRST), seen(FIRST, words=BLOG), True),
        (seen(FIRST), seen(FIRST, words=HALF), False),
        (seen(FIRST), seen(FIRST, site="b.com"), True),
        (seen(FIRST), seen(FIRST, words=()), True),
        (seen(FIRST), seen(FIRST, 404), None),  # gone is the content look's to say
        (seen(FIRST), seen(FIRST, None), None),
        (seen(FIRST, words=("a",)), seen(FIRST, words=("b",)), None),
    ],
)
def test_replaced(before: Seen, after: Seen, told: bool | None) -> None:
    assert replaced(before, after) is told
