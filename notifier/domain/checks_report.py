"""Checks every program shares: the target, what the submitter states, prior contact, captures at all."""

from collections.abc import Callable, Mapping
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.facts import Finding, Hearing, failed, in_words, passed, unknown
from notifier.domain.rules import Recipient, Rule
from notifier.domain.safety import Safety, Scope


def _target_safe(rule: rules.TargetSafe, on: Hearing) -> Finding:
    facts, name = on.facts, on.facts.target
    if facts.safety is None:
        return unknown(rule, f"the safety of {name} was not measured", "we measure it; nothing is asked of you")
    if facts.safety is Safety.REFUSE:
        return failed(rule, f"{name} is protected and may not be touched", "report another name, or ask its owner")
    if facts.step is not Recipient.HOST and (facts.scope is not Scope.DOMAIN or facts.safety is Safety.REROUTE):
        return failed(
            rule,
            f"{name} shares its domain with others, so the {facts.step} is not asked",
            "ask the host or the owner",
        )
    second = "; a second reviewer is needed" if facts.safety is Safety.SECOND_REVIEW else ""
    return passed(rule, f"{name} may be the subject of a notice to the {facts.step}{second}")


def _not_already_down(rule: rules.NotAlreadyDown, on: Hearing) -> Finding:
    if on.facts.registered is False:
        return failed(rule, f"{on.facts.target} is not registered", "withdraw the report, or name another domain")
    if on.facts.already_down:
        return failed(rule, f"{on.facts.target} is down already", "withdraw the report; we cannot be credited for it")
    if on.facts.already_down is None:
        return unknown(
            rule, f"no conclusive look at {on.facts.target} was had", "we look again; nothing is asked of you"
        )
    return passed(rule, f"{on.facts.target} is registered and delegated")


def _not_compromised(rule: rules.NotCompromised, on: Hearing) -> Finding:
    hacked = [key for key, capture in on.captures() if "compromised" in capture.shows]
    checks = [stated.compromise_check.result for stated in on.statements() if stated.compromise_check]
    if hacked or "compromised" in checks:
        return failed(rule, "the site looks hacked", "tell its owner and host; a registry is not asked", hacked)
    if "unsure" in checks or not checks:
        return unknown(
            rule,
            "it was not settled whether the site is hacked",
            "look at its age, root page and behaviour without a search referrer, and state compromise_check",
        )
    return passed(rule, "the submitter looked for signs of a hacked site and found none")


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
    if on.now - max(past) > rule.max_age:
        return failed(
            rule,
            f"the last review was {max(past):%Y-%m-%d %H:%M} UTC, over {in_words(rule.max_age)} ago",
            "review it again",
        )
    return passed(rule, f"a person reviewed the evidence on {max(past):%Y-%m-%d %H:%M} UTC")


def _prior_contact(rule: rules.PriorContact, on: Hearing) -> Finding:
    contacts = [(key, item) for key, item in on.evidence(ev.PriorContact) if on.past(item.contacted_at)]
    wrong: list[str] = []
    missing: list[str] = []
    used: list[str] = []
    for party in rule.parties:
        asked = [(key, item) for key, item in contacts if item.party == party]
        used += [key for key, _ in asked]
        if not asked:
            missing.append(party)
        elif not any(_settled_nothing(item, rule, on) for _, item in asked):
            wrong.append(party)
    if wrong:
        return failed(
            rule,
            f"the contact with the {' and the '.join(wrong)} is not over: it is too new, or they acted",
            f"wait {rule.wait} for an answer; if they acted, add a capture taken since that shows it goes on",
            used,
        )
    if missing:
        return unknown(
            rule,
            f"no contact with the {' and the '.join(missing)} is shown",
            "ask them first, and add prior_contact with the time, address and answer",
        )
    return passed(rule, f"asked before, and it goes on: {', '.join(rule.parties)}", used)


def _settled_nothing(contact: ev.PriorContact, rule: rules.PriorContact, on: Hearing) -> bool:
    if contact.response == "acted":
        acted = contact.responded_at or contact.contacted_at
        return any(c.finding == "infringing" and c.captured_at > acted for _, c in on.captures())
    if contact.response in ("declined", "undeliverable"):
        return True
    return on.now - contact.contacted_at >= rule.wait


def _on_target(rule: rules.OnTarget, on: Hearing) -> Finding:
    captures = on.evidence(ev.Capture)
    if not captures:
        return unknown(rule, "there is no capture", f"capture pages of {on.facts.target}")
    good = [key for key, capture in captures if not on.objection(capture)]
    if not good:
        why = "; ".join(sorted({on.objection(capture) for _, capture in captures}))
        return failed(
            rule,
            f"no capture counts: {why}",
            f"capture {on.facts.target} from a vantage that sees the pages",
            [key for key, _ in captures],
        )
    return passed(rule, f"{len(good)} of {len(captures)} captures are of {on.facts.target}", good)


def _fresh(rule: rules.Fresh, on: Hearing) -> Finding:
    captures = on.captures()
    if not captures:
        return unknown(rule, "there is no capture that counts", f"capture pages of {on.facts.target}")
    key, newest = max(captures, key=lambda pair: pair[1].captured_at)
    taken = f"the newest capture was taken {newest.captured_at:%Y-%m-%d %H:%M} UTC"
    if on.now - newest.captured_at > rule.max_age:
        return failed(rule, f"{taken}, over {in_words(rule.max_age)} ago", "capture the pages again", [key])
    return passed(rule, taken, [key])


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.TargetSafe: _target_safe,
    rules.NotAlreadyDown: _not_already_down,
    rules.NotCompromised: _not_compromised,
    rules.Described: _described,
    rules.Stated: _stated,
    rules.Explained: _explained,
    rules.LawsExplained: _laws_explained,
    rules.HumanReviewed: _human_reviewed,
    rules.PriorContact: _prior_contact,
    rules.OnTarget: _on_target,
    rules.Fresh: _fresh,
}
