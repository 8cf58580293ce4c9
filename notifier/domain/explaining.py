"""A program in plain words: what each rule asks for and of whom, who is asked in what order, how long everything takes.

Made from the program's data alone, so that the words can never say something else than the rules do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from notifier.domain import rules
from notifier.domain.calendar import Wait
from notifier.domain.facts import in_words
from notifier.domain.program import LadderStep, Program, Windows
from notifier.domain.rules import Recipient, Rule
from notifier.domain.transparency import Transparency


@dataclass(frozen=True, slots=True)
class RuleWords:
    """One rule. `guards`: the steps before which it must pass; empty when it is one of several (`part_of`).

    `evidence` and `said`: kinds and report fields that can satisfy it; neither when we look ourselves.
    """

    id: str
    type: str
    asks: str
    guards: tuple[str, ...]
    part_of: tuple[str, ...]
    rejects: bool
    evidence: tuple[str, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A program as sentences."""

    about: tuple[str, ...]
    rules: tuple[RuleWords, ...]
    ladder: tuple[str, ...]
    windows: tuple[str, ...]

    @property
    def text(self) -> str:
        """Everything on one page of plain text."""
        return "\n".join(_lines(self))


def explain(program: Program) -> Explanation:
    """The words for a program."""
    return Explanation(
        about=tuple(_about(program)),
        rules=tuple(_rule_words(rule, program) for rule in program.rules),
        ladder=tuple(_step(place, step) for place, step in enumerate(program.ladder, 1)),
        windows=tuple(_windows(program.windows)),
    )


def _about(program: Program) -> Iterator[str]:
    yield f"{program.id}: {program.name}. Category {program.category}, owner {program.owner}."
    yield f"Version {program.version}, in effect from {program.effective_from}. Digest {program.digest}."
    yield f"It may ask for {_listed(sorted(program.measures))}; if nothing else is said, for {program.default_measure}."
    second = "Every case" if program.second_review else "A case that is marked so, or that something speaks against,"
    yield f"{second} needs two approvals, each with a stated reason."
    by = "needs a person each time" if program.escalation == "person" else "was approved before, where nothing changed"
    yield f"To ask for more {by}; to ask for less never waits."
    yield f"It rests on: {program.basis}"
    yield f"Appeal: {program.appeal}"
    if program.hops_to:
        yield f"Read which names of theirs follow others, once a person has accepted that: {_listed(sorted(program.hops_to))}."
    yield from _told_to_the_public(program.transparency)


def _told_to_the_public(told: Transparency) -> Iterator[str]:
    if told.public:
        named = (
            "domain names of ended cases that were seen to succeed" if told.names == "after_end" else "no domain name"
        )
        registries = "each registry by its name" if told.registries else "no registry by its name"
        yield f"Public, {told.delay_days} days late: its figures, {registries}, {named}, and everything that was put right."
    else:
        yield "Nothing of it is public."
    if told.suppress_below:
        yield f"Numbers below {told.suppress_below} are kept back from the public, and under grants that do not lift that."


# Whoever knows how such a rule looks can look otherwise.
_OUR_LOOKS = (rules.ConductContinues, rules.NotSignalled, rules.NotCompromised, rules.StreamMatched, rules.OnTarget)


def for_the_public(program: Program) -> tuple[str, ...]:
    """What each rule asks for, once each, but for how we look at a site ourselves."""
    ours = "We look at the site ourselves, and see that it goes on."
    guarding = [rule for rule in program.rules if not isinstance(rule, rules.AnyOf)]
    told = [ours if isinstance(rule, _OUR_LOOKS) else words(rule) for rule in guarding]
    return tuple(dict.fromkeys(told))


def _rule_words(rule: Rule, program: Program) -> RuleWords:
    part_of = tuple(r.id for r in program.rules if isinstance(r, rules.AnyOf) and rule.id in r.of)
    parts = [r for r in program.rules if isinstance(rule, rules.AnyOf) and r.id in rule.of]
    every = [rule, *parts]
    said = dict.fromkeys(f"statements.{rule.statement}" for rule in every if isinstance(rule, _BY_STATEMENT))
    return RuleWords(
        id=rule.id,
        type=rule.type,
        asks=words(rule),
        guards=() if part_of else tuple(str(step) for step in Recipient if step in rule.steps),
        part_of=part_of,
        rejects=rule.hard,
        evidence=tuple(dict.fromkeys(kind for each in every for kind in each.evidence)),
        said=tuple(dict.fromkeys([*said, *(name for each in every for name in each.said)])),
    )


_BY_STATEMENT = (rules.Stated, rules.Explained)


def words(rule: Rule) -> str:
    """What a rule asks for, with its numbers, as a sentence."""
    return _WORDS[type(rule)](rule)


def _listed(items: Any, last: str = "or") -> str:
    shown = [str(item).replace("_", " ") for item in items]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _span(span: timedelta) -> str:
    return in_words(span) if span.total_seconds() % 60 == 0 else f"{span.total_seconds():g} seconds"


def _pervasive(rule: rules.Pervasive) -> str:
    told = {
        "stated": "with its seed told",
        "recorded": "with its seed, its day, and the number and digest of the pages drawn from",
        "verified": "with its seed and the whole list of pages, from which the draw is repeated",
    }[rule.draw]
    judged = "two people, apart," if rule.reviewers == 2 else "a person"
    named = ", and the work on it is named" if rule.identified else ""
    return (
        f"A random sample of at least {rule.min_pages} pages, or all pages, {told}. A page infringes where {judged} say "
        f"so{named}. The low end of the {_percent(rule.confidence)} interval (Wilson) of the infringing share is at least "
        f"{_percent(rule.lower_bound)}; from {_percent(rule.solely_dedicated)} on it may be called solely dedicated."
    )


def _conduct(rule: rules.ConductContinues) -> str:
    return (
        f"After the letter's window, captures from at least {rule.min_vantages} vantages each show: one of "
        f"{len(rule.substances)} listed substances or a product of the letter on offer; {_listed(rule.consumer_signs)}; "
        f"and {_listed(rule.control_signs)}."
    )


def _stream(rule: rules.StreamMatched) -> str:
    return (
        f"The stream was held against the event's official feed: at least {rule.min_points} moments seen in both, at "
        f"least {rule.min_similarity} % alike, over {_span(rule.min_span)} or more, the stream at most "
        f"{_span(rule.max_delay)} behind and never ahead, the last of them at most {_span(rule.max_age)} ago."
    )


def _contact(rule: rules.PriorContact) -> str:
    was = "was" if len(rule.parties) == 1 else "were"
    return (
        f"The {_listed(rule.parties, 'and')} {was} asked before, and declined, could not be reached, or gave no answer that "
        f"settled it within {_span(rule.wait)}; where they acted, a later capture shows that it goes on."
    )


def _window(rule: rules.InEventWindow) -> str:
    early = f"{_span(rule.opens_before)} before its start" if rule.opens_before else "its start"
    return (
        f"A registered event is named, by an organisation that it is registered for, and runs now: from {early} until its "
        f"end. An event lasts at most {_span(rule.max_length)}."
    )


_WORDS: Mapping[type[Rule], Callable[[Any], str]] = {
    rules.TargetSafe: lambda r: (
        "The name may be touched at all, and the step fits it: where a name is shared, only the host is asked."
    ),
    rules.NotAlreadyDown: lambda r: "The name is registered and in the zone when we look.",
    rules.NotCompromised: lambda r: "Somebody looked whether the site was broken into, and nothing shows that it was.",
    rules.NotSignalled: lambda r: (
        f"None of these was found for the name: {_listed(r.refuses)}; and {_listed(r.measured, 'and')} was looked for."
    ),
    rules.Described: lambda r: f"A report describes what happens in at least {r.min_chars} characters.",
    rules.Stated: lambda r: f"A report states {_listed([r.statement])}, and none denies it.",
    rules.Explained: lambda r: f"A report explains {_listed([r.statement])} in at least {r.min_chars} characters.",
    rules.LawsExplained: lambda r: (
        f"At least {r.minimum} law is named, with at least {r.min_chars} characters of why the conduct breaks it."
    ),
    rules.HumanReviewed: lambda r: f"A named person looked at the evidence, at most {_span(r.max_age)} ago.",
    rules.PriorContact: _contact,
    rules.Corroborated: lambda r: (
        f"At least {r.organisations} different organisations report it under the program's category."
    ),
    rules.ConflictsWeighed: lambda r: (
        f"Whatever speaks for the site ({_listed(r.grounds)}) is put to a second person, who states why it does not hold."
    ),
    rules.AnyOf: lambda r: f"At least one of these holds: {', '.join(r.of)}.",
    rules.OnTarget: lambda r: (
        "A capture shows a page of the name itself, not a login, a country wall or a parking page."
    ),
    rules.Fresh: lambda r: f"The newest capture is at most {_span(r.max_age)} old.",
    rules.SampleFloor: lambda r: f"At least {r.min_pages} different infringing pages are shown.",
    rules.Pervasive: _pervasive,
    rules.Breadth: lambda r: (
        f"Works of at least {r.min_right_holders} right holders are named, or at least {r.min_works} works."
    ),
    rules.Authorised: lambda r: "Every right holder of a named work consented.",
    rules.JudgmentsTold: lambda r: "What courts said about the site is told, for and against.",
    rules.LetterIssued: lambda r: f"A warning letter was sent that cites at least {r.min_statutes} provision.",
    rules.LetterNamesTarget: lambda r: "The letter lists the name, or what ties it to the letter's network is told.",
    rules.LetterDuePassed: lambda r: "The letter's working days are over, to the minute, in its calendar's zone.",
    rules.LetterUnanswered: lambda r: "After that a named person found the answer missing or inadequate.",
    rules.ProductsNamed: lambda r: f"The letter names at least {r.minimum} product of class {_listed(r.classes)}.",
    rules.ConductContinues: _conduct,
    rules.LimbProven: lambda r: (
        f"At least {r.minimum} of these is shown by a capture, under a law of a stated jurisdiction: {_listed(r.limbs)}. "
        "Unlicensed also needs a register that says so for a place that it ships to; an unapproved drug is named."
    ),
    rules.LicenceSource: lambda r: (
        f"A register read at most {_span(r.max_age)} ago says unlicensed or not recommended; unverified says nothing."
    ),
    rules.InEventWindow: _window,
    rules.StreamMatched: _stream,
    rules.Adjudicated: lambda r: (
        f"An order in force, or a judgment, of the last {_span(r.max_age)} lists the name as it is registered now."
    ),
    rules.VerifiedBefore: lambda r: (
        f"An act on the name as registered now, under {_listed(r.programs)}, was verified in the last {_span(r.max_age)}."
    ),
    rules.OrderIssued: lambda r: f"There is an order, and it names at least {r.min_provisions} provision.",
    rules.OrderNamesTarget: lambda r: "The order lists this very name, and covers it as it is registered now.",
    rules.OrderInForce: lambda r: "The order has not run out, and is neither stayed nor lifted.",
    rules.OrderJurisdiction: lambda r: "The order was given under the law that the report relies on.",
    rules.OrderTells: lambda r: f"The order comes with: {_listed(r.parts, 'and')}.",
}


def _step(place: int, step: LadderStep) -> str:
    asked = str(step.measure).replace("_", " ")
    return f"{place}. The {step.recipient} is asked for {asked} and has {_wait(step.window)}."


def _wait(wait: Wait) -> str:
    if wait.working_days:
        return f"{wait.working_days} working days ({wait.calendar})"
    return _span(wait.length)


_WINDOW_WORDS: Mapping[str, str] = {
    "cancel_window": "After the approval a notice waits {} and may be cancelled.",
    "verify_gap": "Two looks that agree, {} apart, verify an act.",
    "cure_gap": "Pages are gone when two looks {} apart say so.",
    "claim_deadline": "A claimed act may stay unseen for {}.",
    "recheck_max_age": "The last look before a notice leaves is at most {} old.",
    "evidence_max_age": "The newest capture is at most {} old when a notice leaves.",
    "validity": "A notice lapses {} after it left.",
    "clock_skew": "A submitter's clock may be {} ahead of ours.",
    "retention": "A case's files are kept for {} after its end.",
    "refresh": "What is held without fresh evidence for {} lapses, and everyone told is asked to restore it.",
    "refresh_warning": "Whoever looks after it is warned {} before that.",
}


def _windows(windows: Windows) -> Iterator[str]:
    for each in fields(Windows):
        if each.name == "cancel_window" and not windows.cancel_window:
            yield "A notice leaves with its approval."
        elif each.name != "watch":
            yield _WINDOW_WORDS[each.name].format(_span(getattr(windows, each.name)))
    last = _span(windows.watch[-1])
    yield f"A verified act is looked at {len(windows.watch)} more times, the last time {last} after it."


def _field(name: str) -> str:
    return "any report" if name == "report" else f"report field {name}"


def _lines(shown: Explanation) -> Iterator[str]:
    yield from shown.about
    yield ""
    yield "Who is asked"
    yield from (f"  {line}" for line in shown.ladder)
    yield ""
    yield "What must hold (unknown is never enough)"
    for rule in shown.rules:
        yield f"  {rule.id} ({rule.type})"
        yield f"    {rule.asks}"
        if rule.part_of:
            yield f"    One of several: see {', '.join(rule.part_of)}."
        elif len(rule.guards) < len(Recipient):
            yield f"    Only before: {', '.join(rule.guards)}."
        if rule.rejects:
            yield "    If it does not hold, that is a reason to reject."
        shows = [*(f"evidence {kind}" for kind in rule.evidence), *(_field(name) for name in rule.said)]
        yield f"    Shown by: {', '.join(shows) or 'our own look'}."
    yield ""
    yield "How long everything takes"
    yield from (f"  {line}" for line in shown.windows)
