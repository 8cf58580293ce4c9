"""Checks of drug programs: the warning letter and what follows it, the three limbs of the pharmacy test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.facts import Finding, Hearing, failed, in_words, passed, same, unknown
from notifier.domain.rules import Rule
from notifier.errors import Invalid

_NO_LETTER = "there is no warning letter"
_ADD_LETTER = "add the warning_letter: number, day, recipient, provisions, products and response window"


@dataclass(frozen=True, slots=True)
class _Letter:
    """The letter that counts: its newest copy, all copies of it, their evidence ids, and the due instant.

    `due` is None, and `undue` says why, when no calendar can count the window.
    """

    newest: ev.WarningLetter
    copies: tuple[ev.WarningLetter, ...]
    ids: tuple[str, ...]
    due: datetime | None
    undue: str


def _letter(on: Hearing) -> _Letter | None:
    """Of the letters about the target (or else of all) the one issued last.

    Evidence is only ever added, so a later assessment is a second copy: the one assessed last speaks, and the
    latest due instant of any copy holds, so that a second copy can never shorten the window.
    """
    letters = on.evidence(ev.WarningLetter)
    if not letters:
        return None
    about = [pair for pair in letters if _lists(pair[1], on) or pair[1].link_to_network]
    _, last = max(about or letters, key=lambda pair: (pair[1].issued_on, pair[1].reference))
    copies = [(key, item) for key, item in letters if same(item.reference) == same(last.reference)]
    never = datetime.min.replace(tzinfo=UTC)
    newest = max((item for _, item in copies), key=lambda item: item.assessed_at or never)
    due, undue = _due([item for _, item in copies], on)
    return _Letter(newest, tuple(item for _, item in copies), tuple(key for key, _ in copies), due, undue)


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
    names = {name.casefold().removesuffix(".") for name in letter.domains}
    return any(name == on.facts.target or name.endswith("." + on.facts.target) for name in names)


def _letter_issued(rule: rules.LetterIssued, on: Hearing) -> Finding:
    letter = _letter(on)
    if letter is None:
        return unknown(rule, _NO_LETTER, _ADD_LETTER)
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
    letter = _letter(on)
    if letter is None:
        return unknown(rule, _NO_LETTER, _ADD_LETTER)
    if any(_lists(copy, on) for copy in letter.copies):
        return passed(rule, f"letter {letter.newest.reference} lists {on.facts.target}", letter.ids)
    if any(copy.link_to_network for copy in letter.copies):
        return passed(
            rule,
            f"{on.facts.target} is not listed; its link to the letter's network is documented",
            letter.ids,
        )
    return failed(
        rule,
        f"letter {letter.newest.reference} does not list {on.facts.target}, and no link is shown",
        "document in link_to_network what ties the name to the recipient, or wait for a letter that lists it",
        letter.ids,
    )


def _letter_due_passed(rule: rules.LetterDuePassed, on: Hearing) -> Finding:
    letter = _letter(on)
    if letter is None:
        return unknown(rule, _NO_LETTER, _ADD_LETTER)
    if letter.due is None:
        return unknown(rule, f"the due day cannot be counted: {letter.undue}", "give a calendar that covers the days")
    window = letter.newest.response_due
    text = f"the {window.working_days} working days ({window.calendar}) end {letter.due:%Y-%m-%d %H:%M} UTC"
    if on.now < letter.due:
        return failed(rule, text, "wait until then", letter.ids)
    return passed(rule, text, letter.ids)


def _letter_unanswered(rule: rules.LetterUnanswered, on: Hearing) -> Finding:
    letter = _letter(on)
    if letter is None:
        return unknown(rule, _NO_LETTER, _ADD_LETTER)
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
    letter = _letter(on)
    if letter is None:
        return unknown(rule, _NO_LETTER, _ADD_LETTER)
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
    letter = _letter(on)
    if letter is None or letter.due is None:
        why = _NO_LETTER if letter is None else f"the due day cannot be counted: {letter.undue}"
        return unknown(rule, why, _ADD_LETTER)
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


def _limb_proven(rule: rules.LimbProven, on: Hearing) -> Finding:
    captures = [(key, c) for key, c in on.captures() if c.limb in rule.limbs and c.finding not in ("lawful", "unclear")]
    if not captures:
        return unknown(
            rule,
            "no capture shows a limb of the test",
            f"capture what proves one of: {', '.join(rule.limbs)}",
        )
    unlicensed = any(
        item.result == "unlicensed" and on.past(item.checked_at) for _, item in on.evidence(ev.LicenceCheck)
    )
    proven: list[str] = []
    short: list[str] = []
    for limb in sorted({c.limb for _, c in captures if c.limb}):
        if not _has_law(limb, on):
            short.append(f"{limb}: no law of a stated jurisdiction")
        elif limb == "unlicensed" and not unlicensed:
            short.append(f"{limb}: no register says so")
        else:
            proven.append(limb)
    used = [key for key, _ in captures]
    if len(proven) < rule.minimum:
        return failed(
            rule,
            f"{len(proven)} limbs are proven ({'; '.join(short)})",
            "add the law and its jurisdiction",
            used,
        )
    return passed(rule, f"proven with a capture and a law: {', '.join(proven)}", used)


def _has_law(limb: str, on: Hearing) -> bool:
    return any(
        law.limb in (None, limb) and (law.jurisdiction or stated.jurisdiction)
        for stated in on.statements()
        for law in stated.laws
    )


def _licence_source(rule: rules.LicenceSource, on: Hearing) -> Finding:
    latest: dict[tuple[str, str], tuple[str, ev.LicenceCheck]] = {}
    for key, check in on.evidence(ev.LicenceCheck):
        place = (same(check.source), same(check.jurisdiction))
        if on.past(check.checked_at) and (place not in latest or check.checked_at >= latest[place][1].checked_at):
            latest[place] = key, check
    ask = "read a register or reviewer now, and add licence_check with its source and time"
    if not latest:
        return unknown(rule, "no register was read", ask)
    used = [key for key, _ in latest.values()]
    recent = [check for _, check in latest.values() if on.now - check.checked_at <= rule.max_age]
    if any(check.result == "licensed" for _, check in latest.values()):
        return failed(rule, "a register says that it is licensed", "withdraw the report, or settle it there", used)
    against = [check for check in recent if check.result in ("unlicensed", "not_recommended")]
    if against:
        said = ", ".join(sorted({f"{check.source} ({check.jurisdiction}): {check.result}" for check in against}))
        return passed(rule, said, used)
    if not recent:
        return failed(rule, f"every register was read over {in_words(rule.max_age)} ago", ask, used)
    return failed(rule, "the source only says `unverified`, which is not evidence", ask, used)


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.LetterIssued: _letter_issued,
    rules.LetterNamesTarget: _letter_names_target,
    rules.LetterDuePassed: _letter_due_passed,
    rules.LetterUnanswered: _letter_unanswered,
    rules.ProductsNamed: _products_named,
    rules.ConductContinues: _conduct_continues,
    rules.LimbProven: _limb_proven,
    rules.LicenceSource: _licence_source,
}
