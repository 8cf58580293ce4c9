"""Checks of the warning letter and what follows it: its window, the answer, and the sale going on after that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.facts import Finding, Hearing, failed, passed, same, unknown
from notifier.domain.rules import Rule
from notifier.errors import Invalid

_ADD_LETTER = "add the warning_letter: number, day, recipient, provisions, products and response window"
# Of two assessments of one instant the one that speaks for the recipient holds.
_FAVOUR = ("none", "inadequate", "pending", "adequate")


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter that counts: its newest copy, all copies of it, their evidence ids, and the due instant.

    `due` is None, and `undue` says why, when no calendar can count the window.
    """

    newest: ev.WarningLetter
    copies: tuple[ev.WarningLetter, ...]
    ids: tuple[str, ...]
    due: datetime | None
    undue: str


def the_letter(on: Hearing) -> Letter | None:
    """Of the letters about the target (or else of all) the one issued last.

    Evidence is only ever added, so a later assessment is a second copy: the one assessed last speaks, and the
    latest due instant of any copy holds, so that a second copy can never shorten the window.
    """
    letters = on.evidence(ev.WarningLetter)
    if not letters:
        return None
    about = [pair for pair in letters if _lists(pair[1], on) or _linked(pair[1], on)]
    _, last = max(about or letters, key=lambda pair: (pair[1].issued_on, same(pair[1].reference)))
    copies = [(key, item) for key, item in letters if same(item.reference) == same(last.reference)]
    never = datetime.min.replace(tzinfo=UTC)
    newest = max(
        (item for _, item in copies),
        key=lambda item: (item.assessed_at or never, _FAVOUR.index(item.response), ev.digest(item)),
    )
    due, undue = _due([item for _, item in copies], on)
    return Letter(newest, tuple(item for _, item in copies), tuple(key for key, _ in copies), due, undue)


def _no_letter(rule: Rule, on: Hearing) -> Finding:
    """Without any letter: one that is cited by its number must have been given by the organisation before."""
    cited = sorted({item.reference for _, item in on.evidence(ev.LetterCited)})
    if cited:
        return unknown(
            rule,
            f"letter {cited[0]} is cited, and your organisation gave no letter of that number under this program",
            "add that warning_letter once, whole; after that its number is enough for every other name",
        )
    return unknown(rule, "there is no warning letter", _ADD_LETTER)


def _linked(letter: ev.WarningLetter, on: Hearing) -> bool:
    """Whether what ties the target to the letter's network is documented, in a copy or where the letter is cited."""
    if letter.link_to_network:
        return True
    cited = [item for _, item in on.evidence(ev.LetterCited) if same(item.reference) == same(letter.reference)]
    return any(item.link_to_network for item in cited)


def _due(copies: list[ev.WarningLetter], on: Hearing) -> tuple[datetime | None, str]:
    dues: list[datetime] = []
    for copy in copies:
        calendar = on.calendars.get(copy.response_due.calendar)
        if calendar is None:
            return None, f"there is no calendar {copy.response_due.calendar}"
        try:
            dues.append(calendar.deadline(copy.received_on or copy.issued_on, copy.response_due.working_days))
        except Invalid as error:
            return None, error.detail
    return max(dues), ""


def _lists(letter: ev.WarningLetter, on: Hearing) -> bool:
    """Whether the letter lists the target as it is registered now: who registered it since was not written to."""
    if on.before_registration_day(letter.issued_on):
        return False
    names = {name.casefold().removesuffix(".") for name in letter.domains}
    return any(name == on.facts.target or name.endswith("." + on.facts.target) for name in names)


def _letter_issued(rule: rules.LetterIssued, on: Hearing) -> Finding:
    letter = the_letter(on)
    if letter is None:
        return _no_letter(rule, on)
    named = f"letter {letter.newest.reference} of {letter.newest.issued_on}"
    if max(copy.issued_on for copy in letter.copies) > on.now.date():
        return failed(rule, f"{named} is dated in the future", "give the day of the letter", letter.ids)
    if len(set(letter.newest.statutes)) < rule.min_statutes:
        return failed(rule, f"{named} cites too few provisions", "list the provisions it cites", letter.ids)
    return passed(
        rule,
        f"{named} to {letter.newest.recipient} cites {len(letter.newest.statutes)} provisions",
        letter.ids,
    )


def _letter_names_target(rule: rules.LetterNamesTarget, on: Hearing) -> Finding:
    letter = the_letter(on)
    if letter is None:
        return _no_letter(rule, on)
    if any(_lists(copy, on) for copy in letter.copies):
        return passed(rule, f"letter {letter.newest.reference} lists {on.facts.target}", letter.ids)
    if any(_linked(copy, on) for copy in letter.copies):
        return passed(
            rule,
            f"{on.facts.target} is not listed; its link to the letter's network is documented",
            letter.ids,
        )
    if on.before_registration_day(letter.newest.issued_on):
        why = f"{on.facts.target} was registered anew after letter {letter.newest.reference}, and no link is shown"
    else:
        why = f"letter {letter.newest.reference} does not list {on.facts.target}, and no link is shown"
    return failed(
        rule,
        why,
        "document in link_to_network what ties the name to the recipient, or wait for a letter that lists it",
        letter.ids,
    )


def _letter_due_passed(rule: rules.LetterDuePassed, on: Hearing) -> Finding:
    letter = the_letter(on)
    if letter is None:
        return _no_letter(rule, on)
    if letter.due is None:
        return unknown(rule, f"the due day cannot be counted: {letter.undue}", "give a calendar that covers the days")
    window = letter.newest.response_due
    text = f"the {window.working_days} working days ({window.calendar}) end {letter.due:%Y-%m-%d %H:%M} UTC"
    if on.now < letter.due:
        return failed(rule, text, "wait until then", letter.ids, again_at=letter.due)
    return passed(rule, text, letter.ids)


def _letter_unanswered(rule: rules.LetterUnanswered, on: Hearing) -> Finding:
    letter = the_letter(on)
    if letter is None:
        return _no_letter(rule, on)
    newest = letter.newest
    if newest.response == "adequate":
        return failed(rule, "the recipient answered adequately", "withdraw the report", letter.ids)
    if newest.response == "pending" or newest.assessed_by is None or newest.assessed_at is None:
        return unknown(
            rule,
            "nobody is named who assessed the response",
            "have it assessed after the due day; add response, assessed_by and assessed_at",
        )
    if letter.due is None:
        return unknown(rule, f"the due day cannot be counted: {letter.undue}", "give a calendar that covers the days")
    if newest.assessed_at < letter.due or not on.past(newest.assessed_at):
        return failed(
            rule,
            "the response was assessed before the due day was over, or in the future",
            "assess it now",
            letter.ids,
        )
    return passed(rule, f"{newest.assessed_by} assessed the response as {newest.response}", letter.ids)


def _products_named(rule: rules.ProductsNamed, on: Hearing) -> Finding:
    letter = the_letter(on)
    if letter is None:
        return _no_letter(rule, on)
    products = {same(p.name) for copy in letter.copies for p in copy.products if p.drug_class in rule.classes}
    classes = " or ".join(rule.classes)
    if not any(copy.products for copy in letter.copies):
        return unknown(rule, "no product is given", f"add the letter's products of class {classes}")
    if len(products) < rule.minimum:
        return failed(
            rule,
            f"{len(products)} products of class {classes} are given",
            f"add at least {rule.minimum}",
            letter.ids,
        )
    return passed(rule, f"{len(products)} products of class {classes} are given", letter.ids)


def _conduct_continues(rule: rules.ConductContinues, on: Hearing) -> Finding:
    letter = the_letter(on)
    if letter is None:
        return _no_letter(rule, on)
    if letter.due is None:
        return unknown(rule, f"the due day cannot be counted: {letter.undue}", "give a calendar that covers the days")
    if not on.captures():
        return unknown(rule, "there is no capture that counts", "capture the offer after the due day")
    sought = {same(name) for name in rule.substances}
    for product in (p for copy in letter.copies for p in copy.products if p.drug_class != "other"):
        sought |= {same(name) for name in (product.name, product.active_ingredient) if name}
    seen: dict[str, set[str]] = {}
    used: list[str] = []
    for key, capture in on.captures():
        if capture.captured_at < letter.due:
            continue
        signs = seen.setdefault(same(capture.vantage), set())
        if capture.offers and same(capture.offers) in sought:
            signs.add("offer")
        if set(rule.consumer_signs).intersection(capture.shows):
            signs.add("consumers")
        if set(rule.control_signs).intersection(capture.shows):
            signs.add("no control")
        used.append(key)
    full = sorted(vantage for vantage, signs in seen.items() if len(signs) == len(_SIGNS))
    if len(full) < rule.min_vantages:
        return failed(
            rule,
            f"since {letter.due:%Y-%m-%d %H:%M} UTC {len(full)} of {len(seen)} vantages show the whole of it",
            f"from {rule.min_vantages} vantages, after that instant, capture the offer of a named substance, "
            "the sale to these consumers, and the missing prescription control",
            used,
        )
    return passed(rule, f"seen from {len(full)} vantages after the due day: {', '.join(full)}", used)


_SIGNS = ("offer", "consumers", "no control")


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.LetterIssued: _letter_issued,
    rules.LetterNamesTarget: _letter_names_target,
    rules.LetterDuePassed: _letter_due_passed,
    rules.LetterUnanswered: _letter_unanswered,
    rules.ProductsNamed: _products_named,
    rules.ConductContinues: _conduct_continues,
}
