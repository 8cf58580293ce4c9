"""The seeded draw: by hand with sort and sha256sum, and what does not count as the draw of a seed."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import sampling
from notifier.errors import Invalid

PAGES = [f"https://a.example/{i}" for i in range(12)]


def by_hand(tmp_path: Path, seed: str, pages: list[str], size: int) -> tuple[list[str], str]:
    """The draw and the list's digest with the shell's own tools, as the module's text says."""
    (tmp_path / "list").write_text("".join(f"{page}\n" for page in pages), encoding="utf-8")
    script = """
set -eu; export LC_ALL=C
sort -u list | while IFS= read -r page; do
  printf '%s %s\\n' "$(printf '%s\\n%s' "$1" "$page" | sha256sum | cut -d' ' -f1)" "$page"
done | sort | head -n "$2" | cut -d' ' -f2-
sort -u list | sha256sum | cut -d' ' -f1
"""
    done = subprocess.run(
        ["sh", "-c", script, "sh", seed, str(size)], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    *drawn, digest = done.stdout.splitlines()
    return drawn, digest


def test_anybody_can_repeat_it_with_sort_and_sha256sum(tmp_path: Path) -> None:
    pages = [*PAGES, "https://a.example/é", "https://a.example/Z", PAGES[0]]
    drawn = sampling.draw("2026-11-25 draw", pages, 5)
    assert by_hand(tmp_path, "2026-11-25 draw", pages, 5) == (list(drawn.items), drawn.population_sha256)
    assert drawn.population == 14


def test_a_mark_is_what_sha256sum_prints() -> None:
    # printf '%s\n%s' 7 https://a.example/1 | sha256sum
    assert (
        sampling.mark("7", "https://a.example/1") == "b378293b72a41d12e351ef0b6412a9c643b2009f7e2c4752303ce20ab5d94adf"
    )


@given(st.lists(st.sampled_from(PAGES), min_size=1, max_size=30), st.text("abc1", min_size=1, max_size=4), st.data())
def test_order_and_repetition_of_the_list_do_not_matter(pages: list[str], seed: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(set(pages))))
    drawn = sampling.draw(seed, pages, size)
    assert drawn == sampling.draw(seed, sorted(set(pages), reverse=True), size)
    assert len(set(drawn.items)) == size
    assert set(drawn.items) <= set(pages)
    assert sampling.objection(seed, drawn.items[::-1], pages) == ""
    assert sampling.draw(seed, pages, size).items == sampling.draw(seed, pages, len(set(pages))).items[:size]


def test_another_seed_draws_other_pages() -> None:
    draws = {sampling.draw(str(seed), PAGES, 4).items for seed in range(20)}
    assert len(draws) > 15


GOOD = sampling.draw("s", PAGES, 4)
OTHER = next(page for page in PAGES if page not in GOOD.items)


@pytest.mark.parametrize(
    ("seed", "items", "population", "count", "sha256", "why"),
    [
        ("s", GOOD.items, PAGES, 12, GOOD.population_sha256, ""),
        ("s", GOOD.items, PAGES, None, None, ""),
        ("t", GOOD.items, PAGES, 12, None, "draws other pages"),
        ("s", [*GOOD.items[:3], OTHER], PAGES, 12, None, "draws other pages"),  # one page was exchanged
        ("s", GOOD.items, PAGES, 13, None, "12 different addresses, and 13 were stated"),
        ("s", GOOD.items, PAGES, 12, "0" * 64, "not the one whose digest was stated"),
        ("s", [*GOOD.items, "https://b.example/"], PAGES, 12, None, "not on the list"),
    ],
)
def test_what_is_no_draw_of_the_seed(
    seed: str, items: list[str], population: list[str], count: int | None, sha256: str | None, why: str
) -> None:
    found = sampling.objection(seed, items, population, count=count, sha256=sha256)
    assert bool(found) is bool(why)
    assert why in found


@pytest.mark.parametrize(("seed", "size"), [("", 1), ("a\nb", 1), ("s", 0), ("s", 13)])
def test_a_draw_that_cannot_be_made_is_refused(seed: str, size: int) -> None:
    with pytest.raises(Invalid):
        sampling.draw(seed, PAGES, size)
