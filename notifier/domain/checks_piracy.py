"""Checks of a piracy program: clear and pervasive infringement, on behalf of those whose works they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules, sampling
from notifier.domain.checks_conflicts import lawful_judgments, sentences
from notifier.domain.facts import Finding, Hearing, failed, page_of, passed, same, unknown
from notifier.domain.measures import wilson
from notifier.domain.report import Work
from notifier.domain.rules import Rule


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What the random samples say: pages counted, infringing ones, and the interval of the share in 0..1."""

    pages: int
    infringing: int
    low: float
    high: float
    solely_dedicated: bool
    evidence: tuple[str, ...]

    @property
    def words(self) -> str:
        """As it stands in a notice."""
        share = f"{self.infringing} of {self.pages} sampled pages infringe"
        return f"{share} (interval {100 * self.low:.1f}-{100 * self.high:.1f} %)"


def sample_result(rule: rules.Pervasive, on: Hearing) -> SampleResult | None:
    """The pooled result over all random samples, each page of the target once; None if there is no such page.

    A page counts as infringing only if every judgement of it says so, so one sample cannot outvote another.
    """
    verdicts: dict[str, bool] = {}
    used: list[str] = []
    for key, sample in on.evidence(ev.Sample):
        if _objection(sample, rule, on):
            continue
        used.append(key)
        for item in filter(lambda item: on.on_target(item.url), sample.items):
            page = page_of(item.url)
            agreed = _agreed(item, rule.reviewers) and (item.work is not None or not rule.identified)
            verdicts[page] = verdicts.get(page, True) and agreed
    if not verdicts:
        return None
    infringing = sum(verdicts.values())
    low, high = wilson(infringing, len(verdicts), rule.confidence)
    return SampleResult(len(verdicts), infringing, low, high, low >= rule.solely_dedicated, tuple(used))


def _objection(sample: ev.Sample, rule: rules.Pervasive, on: Hearing) -> str:
    """Why a sample tells nothing of the whole site; empty if it does."""
    if sample.method == "chosen":
        return "the pages were picked by hand"
    if sample.drawn_at is not None and not on.past(sample.drawn_at):
        return "the draw is dated in the future"
    if on.before_registration(sample.drawn_at):
        return "it is not said that the pages were drawn since the present registration (drawn_at)"
    drawn = list(dict.fromkeys(item.url for item in sample.items))
    if sample.method == "census":
        every = sample.population if sample.population is not None else len(set(sample.pages)) or None
        if every is None:
            return "a census says how many pages there are (population)"
        return "" if every == len(drawn) else f"a census of {every} pages has {every} pages, not {len(drawn)}"
    if rule.draw != "stated" and None in (sample.drawn_at, sample.population, sample.population_sha256):
        return "the draw's day, and number and digest of the list drawn from, were not recorded"
    if sample.pages:
        return sampling.objection(
            sample.seed, drawn, sample.pages, count=sample.population, sha256=sample.population_sha256
        )
    return "the list drawn from was not sent" if rule.draw == "verified" else ""


def _agreed(item: ev.SampledPage, reviewers: int) -> bool:
    second = item.second_label if reviewers > 1 else item.second_label or item.label
    return item.label == second == "infringing"


def _sample_floor(rule: rules.SampleFloor, on: Hearing) -> Finding:
    shown = {page_of(c.url): key for key, c in on.captures() if c.finding == "infringing"}
    for key, sample in on.evidence(ev.Sample):
        pages = [i for i in sample.items if on.on_target(i.url) and _agreed(i, reviewers=1)]
        shown |= {page_of(item.url): key for item in pages}
    used = sorted(set(shown.values()))
    if not shown:
        return unknown(
            rule,
            "no page is shown to infringe",
            "label captures or sampled pages that a person found infringing",
        )
    if len(shown) < rule.min_pages:
        return failed(
            rule,
            f"{len(shown)} infringing pages are shown; fewer than {rule.min_pages} do not show a whole site",
            "ask the site or its host to remove these pages; a domain is not taken for them",
            used,
        )
    return passed(rule, f"{len(shown)} infringing pages are shown", used)


def _pervasive(rule: rules.Pervasive, on: Hearing) -> Finding:
    result = sample_result(rule, on)
    draw = f"draw {rule.min_pages} or more pages by a recorded random seed, judged by {rule.reviewers} people"
    if result is None:
        samples = on.evidence(ev.Sample)
        if samples:
            whys = {_objection(sample, rule, on) or f"no page is of {on.facts.target}" for _, sample in samples}
            return failed(
                rule, f"no sample proves a share: {'; '.join(sorted(whys))}", draw, [key for key, _ in samples]
            )
        return unknown(rule, "there is no sample", draw)
    if result.pages < rule.min_pages:
        return failed(rule, f"the sample has {result.pages} pages of this site", draw, result.evidence)
    if result.low < rule.lower_bound:
        return failed(
            rule,
            f"{result.words}; the low end is under {100 * rule.lower_bound:g} %, so it is not pervasive",
            "draw more pages, or have the open ones judged by a second reviewer",
            result.evidence,
        )
    words = "supports" if result.solely_dedicated else "does not support"
    return passed(rule, f"{result.words}; that {words} the words `solely dedicated`", result.evidence)


def _works(on: Hearing) -> list[Work]:
    return [work for submission in on.facts.reports for work in submission.report.works]


def _breadth(rule: rules.Breadth, on: Hearing) -> Finding:
    works = _works(on)
    holders = {same(work.right_holder) for work in works}
    titles = {(same(work.title), same(work.right_holder)) for work in works}
    if not works:
        return unknown(rule, "no work is named", "name the works affected and their right holders")
    count = f"{len(titles)} works of {len(holders)} right holders are named"
    if len(holders) < rule.min_right_holders and len(titles) < rule.min_works:
        return failed(rule, count, f"name {rule.min_works} works, or works of {rule.min_right_holders} right holders")
    return passed(rule, count)


def _authorised(rule: rules.Authorised, on: Hearing) -> Finding:
    works = _works(on)
    signed = [
        (key, item)
        for key, item in on.evidence(ev.RightsStatement)
        if item.signed_at is None or on.past(item.signed_at)
    ]
    covered = {(same(item.right_holder), same(title)) for _, item in signed for title in item.works}
    consenting = {
        same(holder)
        for stated in on.statements()
        if stated.authorisation
        for holder in stated.authorisation.right_holders
    }
    ask = "state authorisation naming the right holder, or add a rights_statement that lists the work"
    if not works or not (covered or consenting):
        return unknown(rule, "no right holder's consent is shown for a named work", ask)
    without = {
        work.right_holder
        for work in works
        if same(work.right_holder) not in consenting and (same(work.right_holder), same(work.title)) not in covered
    }
    used = [key for key, _ in signed]
    if without:
        named = ", ".join(sorted(without)[:5])
        return failed(rule, f"consent does not cover works of {named}", ask, used)
    return passed(rule, "every named work's right holder consented", used)


def _judgments_told(rule: rules.JudgmentsTold, on: Hearing) -> Finding:
    found = lawful_judgments(on)
    lawful = [key for key, _ in found]
    ask = "state judgments: what courts said about this site, for and against, or that none is known"
    if not any(stated.judgments for stated in on.statements()):
        if lawful:
            return failed(rule, "a court found the site lawful, and the report is silent about it", ask, lawful)
        return unknown(rule, "no report says whether a court has judged the site", ask)
    weigh = "; one found the site lawful, and the reviewer must weigh it" if lawful else ""
    return passed(rule, f"the report speaks about judgments{weigh}", lawful, sentences(found))


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.SampleFloor: _sample_floor,
    rules.Pervasive: _pervasive,
    rules.Breadth: _breadth,
    rules.Authorised: _authorised,
    rules.JudgmentsTold: _judgments_told,
}
