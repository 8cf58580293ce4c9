"""Links between names: what a shared signal is worth, when two names are proposed, and which belong together."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.hopping import (
    CLASS_OF,
    COMMON,
    STRONG,
    WEIGHTS,
    WORDS,
    Class,
    Kind,
    Link,
    Shared,
    Sign,
    clusters,
    is_public,
    link,
    may_be_the_original,
    name_servers,
    pattern,
    strength,
)
from notifier.domain.page_text import sketch

AT = datetime(2026, 11, 2, 14, tzinfo=UTC)
OLD, NEW = "moviehaven.com", "moviehaven.to"
PAGE = sketch(tuple(f"w{n}" for n in range(400)))
OTHER_PAGE = sketch(tuple(f"v{n}" for n in range(400)))


def sign(kind: Kind, value: str = "v") -> Sign:
    return Sign(kind, value, "a capture", AT, PAGE if kind is Kind.TEXT else ())


def shared(kind: Kind, carriers: int | None = 0, weight: float | None = None) -> Shared:
    return Shared(kind, "v", WEIGHTS[kind] if weight is None else weight, carriers, "a", "b", AT)


def linked(*kinds: Kind, carriers: int | None = 0, names: tuple[str, str] = ("a-shop.com", "b-store.net")) -> Link:
    signs = [sign(kind) for kind in kinds]
    return link(names[0], signs, names[1], signs, lambda _: carriers)


# By hand from the module's arithmetic: (what is shared, carriers known, whether a person is asked).
@pytest.mark.parametrize(
    ("kinds", "carriers", "asked"),
    [
        ((), 0, False),
        ((Kind.TEXT,), 0, False),
        ((Kind.ANALYTICS,), 0, False),
        ((Kind.TEXT, Kind.FAVICON), 0, False),  # one template
        ((Kind.TEXT, Kind.ANALYTICS), 0, True),
        ((Kind.TEXT, Kind.CERTIFICATE_KEY), 0, True),
        ((Kind.ANALYTICS, Kind.REGISTRANT), 0, True),
        ((Kind.ANALYTICS, Kind.REGISTRANT), 1, False),  # 0.9 / 2 = 0.45 each
        ((Kind.TEXT, Kind.CERTIFICATE_KEY), 3, False),
        ((Kind.TEXT, Kind.CERTIFICATE_KEY), None, False),  # nobody can say how many have it
        ((Kind.FAVICON, Kind.ANALYTICS), 0, False),  # an icon alone is 0.5
        ((Kind.CERTIFICATE_KEY, Kind.NAME_SERVERS, Kind.ADDRESS), 0, False),  # all of one host
        ((Kind.ADDRESS, Kind.ANALYTICS), 0, False),
        ((Kind.NAME_SERVERS, Kind.ANALYTICS), 0, True),
    ],
)
def test_what_is_enough(kinds: tuple[Kind, ...], carriers: int | None, asked: bool) -> None:
    assert linked(*kinds, carriers=carriers).proposes is asked


def test_a_name_and_the_servers_of_a_mass_host_are_never_enough() -> None:
    signs = [sign(Kind.NAME_SERVERS)]

    def mass(one: Sign) -> int:
        return 900_000 if one.kind is Kind.NAME_SERVERS else 0

    found = link(OLD, signs, NEW, signs, mass)
    assert (found.proposes, found.classes) == (False, {Class.NAME: 0.7})
    assert not link(OLD, [], NEW, signs, lambda _: 0).proposes  # the pattern alone


def test_the_same_label_and_the_same_page_are_asked_about() -> None:
    found = link(OLD, [sign(Kind.TEXT)], NEW, [sign(Kind.TEXT)], lambda _: 0)
    assert found.classes == {Class.CONTENT: 1.0, Class.NAME: 0.7}
    assert found.proposes
    # A label that four others have under other endings is a common word.
    assert not link(
        OLD, [sign(Kind.TEXT)], NEW, [sign(Kind.TEXT)], lambda s: 4 if s.kind is Kind.SAME_LABEL else 0
    ).proposes


def test_only_the_most_alike_pair_of_pages_counts() -> None:
    other = Sign(Kind.TEXT, "other", "a capture", AT, OTHER_PAGE)
    found = link("a.com", [other, sign(Kind.TEXT)], "b.com", [sign(Kind.TEXT), other], lambda _: 0)
    assert [s.kind for s in found.shared] == [Kind.TEXT]
    assert link("a.com", [other], "b.com", [sign(Kind.TEXT)], lambda _: 0).shared == ()
    empty = Sign(Kind.TEXT, "", "a capture", AT)  # two pages without words are alike, and tell nothing
    assert link("a.com", [empty], "b.com", [empty], lambda _: 0).shared == ()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (OLD, NEW, Kind.SAME_LABEL),
        ("piracy.com", "piracy.net", None),  # six letters: a word of anybody's
        ("movie-haven2.com", "moviehaven17.net", Kind.SIMILAR_LABEL),
        ("abc1.com", "abc2.com", None),
        ("123.com", "456.com", None),
        ("moviehaven.com", "moviehavens.com", None),
        ("xn--caf-dma1234.com", "xn--caf-dma99.com", None),
        (OLD, OLD, None),
    ],
)
def test_name_patterns(one: str, other: str, expected: Kind | None) -> None:
    assert pattern(one, other) is pattern(other, one) is expected


@pytest.mark.parametrize(("carriers", "worth"), [(0, 0.9), (1, 0.45), (2, 0.225), (3, 0.112), (4, 0.0), (None, 0.0)])
def test_strength(carriers: int | None, worth: float) -> None:
    assert strength(0.9, carriers) == pytest.approx(worth, abs=0.0011)


@given(st.floats(0, 1), st.integers(0, 50), st.integers(0, 50))
def test_strength_never_grows_with_the_number_of_carriers(weight: float, fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    assert 0 <= strength(weight, more) <= strength(weight, fewer) <= 1


SHARED = st.builds(shared, st.sampled_from(Kind), st.none() | st.integers(0, 6))


@given(st.lists(SHARED, max_size=20))
def test_no_single_class_proposes(found: list[Shared]) -> None:
    whole = Link(tuple(found))
    for one in Class:
        assert not Link(tuple(s for s in found if CLASS_OF[s.kind] is one)).proposes
    assert whole.proposes == (sum(worth >= STRONG for worth in whole.classes.values()) >= 2)


@given(st.lists(SHARED, max_size=10), st.integers(0, 9))
def test_one_more_carrier_never_makes_a_link_stronger(found: list[Shared], at: int) -> None:
    if not found:
        return
    one = found[at % len(found)]
    known = COMMON if one.carriers is None else one.carriers + 1
    weaker = [shared(one.kind, known) if s is one else s for s in found]
    before, after = Link(tuple(found)).classes, Link(tuple(weaker)).classes
    assert all(after.get(kind, 0.0) <= worth + 1e-9 for kind, worth in before.items())


def test_names_addresses_and_icons_are_never_strong_but_for_a_long_label() -> None:
    weak = {kind for kind, weight in WEIGHTS.items() if weight < STRONG}
    assert weak == {Kind.FAVICON, Kind.ADDRESS, Kind.SIMILAR_LABEL}
    assert WEIGHTS.keys() == CLASS_OF.keys() == WORDS.keys() == set(Kind)


@pytest.mark.parametrize(
    ("kinds", "before", "since", "doubt"),
    [
        ((Kind.TEXT, Kind.ANALYTICS), AT, AT + timedelta(days=1), False),  # younger: it copied, or moved
        ((Kind.TEXT, Kind.ANALYTICS), AT, AT - timedelta(days=1), True),  # older: it may be what was copied
        ((Kind.TEXT, Kind.ANALYTICS), AT, None, True),
        ((Kind.TEXT, Kind.ANALYTICS), None, AT, True),
        ((Kind.TEXT, Kind.CERTIFICATE_KEY), AT, AT - timedelta(days=1), False),  # nobody copies a key
        ((Kind.ANALYTICS, Kind.REGISTRANT), None, None, False),
    ],
)
def test_who_may_be_the_original(
    kinds: tuple[Kind, ...], before: datetime | None, since: datetime | None, doubt: bool
) -> None:
    assert may_be_the_original(linked(*kinds), before, since) is doubt


def test_values() -> None:
    assert name_servers(["NS2.host.net.", "ns1.host.net"]) == name_servers(["ns1.host.net", "ns2.host.net"])
    assert name_servers(["ns1.host.net"]) is name_servers([]) is None
    assert [is_public(a) for a in ("8.8.8.8", "127.0.0.1", "10.1.2.3", "2001:4860::1", "x")] == [
        True,
        False,
        False,
        True,
        False,
    ]


NAMES = st.sampled_from("abcdefghij")
LINKS = st.lists(st.tuples(NAMES, NAMES), max_size=20)


@given(LINKS)
def test_clusters_are_an_equivalence(links: list[tuple[str, str]]) -> None:
    found = clusters(links)
    members = [name for cluster in found for name in cluster]
    assert len(members) == len(set(members))  # nobody is in two
    of = {name: cluster for cluster in found for name in cluster}
    for one, other in links:  # symmetric, and what is linked is together
        assert one == other or of[one] == of[other]
    assert found == clusters([(other, one) for one, other in links]) == clusters(links[::-1])
    # No more than the links make: without those of a cluster, none of its members is in any.
    for cluster in found:
        rest = clusters([pair for pair in links if not cluster & set(pair)])
        assert not any(cluster & other for other in rest)
        assert len(cluster) > 1


@given(LINKS, LINKS)
def test_another_link_only_joins(links: list[tuple[str, str]], more: list[tuple[str, str]]) -> None:
    joined = clusters([*links, *more])
    assert all(any(cluster <= whole for whole in joined) for cluster in clusters(links))
