"""Checks of the submitter's word: what is described, stated and explained, who was asked before, who else reports."""

from collections.abc import Callable, Mapping
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.facts import OURS, Finding, Hearing, failed, in_words, passed, unknown
from notifier.domain.rules import Rule


def _described(rule: rules.Described, on: Hearing) -> Finding:
    longest = max((len(submission.report.summary) for submission in on.facts.reports), default=None)
    if longest is None:
        return unknown(rule, "there is no report", "report what happens on the site")
    if longest < rule.min_chars:
        return failed(
            rule,
            f"the description has {longest} characters, and {rule.min_chars} are asked for",
            "describe what the site does, in plain language",
        )
    return passed(rule, f"the conduct is described in {longest} characters")


def _stated(rule: rules.Stated, on: Hearing) -> Finding:
    answers = [getattr(stated, rule.statement) for stated in on.statements()]
    words = rule.statement.replace("_", " ")
    if False in answers:
        return failed(rule, f"a report says no to {words}", f"withdraw that report, or state {rule.statement}")
    if True not in answers:
        return unknown(rule, f"no report states {words}", f"state {rule.statement}")
    return passed(rule, f"{words} is stated")


def _explained(rule: rules.Explained, on: Hearing) -> Finding:
    texts = [getattr(stated, rule.statement) for stated in on.statements()]
    longest = max((len(text) for text in texts if text), default=0)
    words = rule.statement.replace("_", " ")
    if not longest:
        return unknown(rule, f"no report states {words}", f"state {rule.statement} in words")
    if longest < rule.min_chars:
        return failed(
            rule,
            f"{words} has {longest} characters, and {rule.min_chars} are asked for",
            f"explain {rule.statement} so that a stranger can check it",
        )
    return passed(rule, f"{words} is explained")


def _laws_explained(rule: rules.LawsExplained, on: Hearing) -> Finding:
    laws = [law for stated in on.statements() for law in stated.laws]
    if not laws:
        return unknown(rule, "no law is named", "name the laws broken, and why the conduct breaks each")
    explained = {law.law.casefold() for law in laws if len(law.why) >= rule.min_chars}
    if len(explained) < rule.minimum:
        return failed(
            rule,
            f"laws explained in {rule.min_chars} characters or more: {len(explained)}; {rule.minimum} must be",
            "say of each law why the conduct breaks it",
        )
    return passed(rule, f"laws named and explained: {len(explained)}")


def _human_reviewed(rule: rules.HumanReviewed, on: Hearing) -> Finding:
    reviews = [stated.human_review for stated in on.statements() if stated.human_review]
    if not reviews:
        return unknown(rule, "no person is named who reviewed", "state human_review: who, and when")
    past = [review.at for review in reviews if on.past(review.at)]
    if not past:
        return failed(rule, "the review is dated in the future", "state when the review ended")
    if on.before_registration(max(past)):
        return failed(rule, "the last review was made before the present registration", "review the site as it is now")
    if on.now - max(past) > rule.max_age:
        return failed(
            rule,
            f"the last review was {max(past):%Y-%m-%d %H:%M} UTC, over {in_words(rule.max_age)} ago",
            "review it again",
        )
    return passed(rule, f"a person reviewed the evidence on {max(past):%Y-%m-%d %H:%M} UTC")


def _prior_contact(rule: rules.PriorContact, on: Hearing) -> Finding:
    contacts = asked_before(on)
    wrong: list[str] = []
    missing: list[str] = []
    used: list[str] = []
    for party in rule.parties:
        asked = [(key, item) for key, item in contacts if item.party == party]
        used += [key for key, _ in asked]
        if not asked:
            missing.append(party)
        elif not _settled_nothing([item for _, item in asked], rule, on):
            wrong.append(party)
    if wrong:
        return failed(
            rule,
            f"the contact with the {' and the '.join(wrong)} is not over: it is too new, or they acted",
            f"wait {in_words(rule.wait)} for an answer; if they acted, add a capture taken since that shows it goes on",
            used,
            again_at=max(min(i.contacted_at for _, i in contacts if i.party == party) + rule.wait for party in wrong),
        )
    if missing:
        older = any(on.before_registration(item.contacted_at) for _, item in on.evidence(ev.PriorContact, ours=True))
        since = " since the present registration" if older else ""
        return unknown(
            rule,
            f"no contact with the {' and the '.join(missing)} is shown{since}",
            "ask them first, and add prior_contact with the time, address and answer",
        )
    return passed(rule, f"asked before, and it goes on: {', '.join(rule.parties)}", used)


def asked_before(on: Hearing) -> list[tuple[str, ev.PriorContact]]:
    """Contacts about this registration that have happened, our own notices among them: those are ours to count."""
    return [
        (key, item)
        for key, item in on.evidence(ev.PriorContact, ours=True)
        if on.past(item.contacted_at) and not on.before_registration(item.contacted_at)
    ]


def _settled_nothing(contacts: list[ev.PriorContact], rule: rules.PriorContact, on: Hearing) -> bool:
    acted = [item.responded_at or item.contacted_at for item in contacts if item.response == "acted"]
    if acted:  # whatever was asked before or since, they did something: only a later look shows that it goes on
        return any(
            capture.captured_at > max(acted) and (capture.finding == "infringing" or capture.limb or capture.offers)
            for _, capture in on.captures()
            if capture.finding not in ("lawful", "unclear")
        )
    if any(item.response in ("declined", "undeliverable") for item in contacts):
        return True
    return any(on.now - item.contacted_at >= rule.wait for item in contacts)


def _corroborated(rule: rules.Corroborated, on: Hearing) -> Finding:
    # Of another category is another matter, and two people of one organisation are one voice (C-109).
    category = on.program.category
    told = {
        submission.organisation
        for submission in on.facts.reports
        if submission.category == category and submission.by != OURS
    }
    if not on.facts.reports:
        return unknown(rule, "there is no report", "report what happens on the site")
    count = f"{len(told)} organisations report it as {category}" if len(told) != 1 else f"one reports it as {category}"
    if len(told) < rule.organisations:
        return failed(rule, count, f"a report of {rule.organisations} different organisations is asked for")
    return passed(rule, count)


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.Described: _described,
    rules.Stated: _stated,
    rules.Explained: _explained,
    rules.LawsExplained: _laws_explained,
    rules.HumanReviewed: _human_reviewed,
    rules.PriorContact: _prior_contact,
    rules.Corroborated: _corroborated,
}
