"""Checks of the pharmacy test: its three limbs, and what the registers say. Unverified is no evidence."""

from collections.abc import Callable, Mapping
from typing import Any

from notifier.domain import evidence as ev
from notifier.domain import rules
from notifier.domain.checks_conflicts import latest_checks, licences, sentences
from notifier.domain.facts import Finding, Hearing, failed, in_words, passed, same, unknown, within
from notifier.domain.rules import Rule


def _limb_proven(rule: rules.LimbProven, on: Hearing) -> Finding:
    captures = [(key, c) for key, c in on.captures() if c.limb in rule.limbs and c.finding not in ("lawful", "unclear")]
    if not captures:
        return unknown(
            rule,
            "no capture shows a limb of the test",
            f"capture what proves one of: {', '.join(rule.limbs)}",
        )
    proven: list[str] = []
    short: list[str] = []
    for limb in sorted({c.limb for _, c in captures if c.limb}):
        lack = _lack(limb, [c for _, c in captures if c.limb == limb], on)
        if lack:
            short.append(f"{limb}: {lack}")
        else:
            proven.append(limb)
    used = [key for key, _ in captures]
    if len(proven) < rule.minimum:
        return failed(
            rule,
            f"{len(proven)} limbs are proven ({'; '.join(short)})",
            "add what is missing for a limb, or prove another one",
            used,
        )
    return passed(rule, f"proven with a capture and a law: {', '.join(proven)}", used)


def _lack(limb: str, captures: list[ev.Capture], on: Hearing) -> str:
    """What a limb that captures show still lacks; empty if nothing."""
    if not _has_law(limb, on):
        return "no law of a stated jurisdiction"
    if limb == "unapproved_drug" and not any(capture.offers for capture in captures):
        return "the capture names no product (offers)"
    if limb != "unlicensed":
        return ""
    refuted = _licensed_in(on)
    told = {
        check.jurisdiction
        for _, check in latest_checks(on).values()
        if check.result == "unlicensed" and same(check.jurisdiction) not in refuted
    }
    if not told:
        return "no register says so"
    shipped = _ships_to(on)
    if not any(within(place, told_of) for place in shipped for told_of in told):
        named = ", ".join(sorted(told))
        return f"nothing shows that it ships to {named} (ships_to, or a test purchase that got so far)"
    return ""


def _ships_to(on: Hearing) -> set[str]:
    """Jurisdictions that pages of the shop, or orders tried there, show it to ship to."""
    found = {capture.ships_to for _, capture in on.captures() if capture.ships_to}
    if any("us_shipping" in capture.shows for _, capture in on.captures()):
        found.add("US")
    for _, order in on.evidence(ev.TestPurchase):
        counts = on.on_target(order.url) and on.past(order.ordered_at) and not on.before_registration(order.ordered_at)
        if counts and order.ships_to and order.result != "refused":
            found.add(order.ships_to)
    return found


def _has_law(limb: str, on: Hearing) -> bool:
    return any(
        law.limb in (None, limb) and (law.jurisdiction or stated.jurisdiction)
        for stated in on.statements()
        for law in stated.laws
    )


def _licensed_in(on: Hearing) -> set[str]:
    return {same(check.jurisdiction) for _, check in latest_checks(on).values() if check.result == "licensed"}


def _licence_source(rule: rules.LicenceSource, on: Hearing) -> Finding:
    latest = latest_checks(on)
    ask = "read a register or reviewer now, and add licence_check with its source and time"
    if not latest:
        older = any(on.before_registration(check.checked_at) for _, check in on.evidence(ev.LicenceCheck))
        return unknown(rule, f"no register was read{' since the present registration' if older else ''}", ask)
    used = [key for key, _ in latest.values()]
    licensed = _licensed_in(on)
    recent = [check for _, check in latest.values() if on.now - check.checked_at <= rule.max_age]
    against = [
        check
        for check in recent
        if check.result in ("unlicensed", "not_recommended") and same(check.jurisdiction) not in licensed
    ]
    if against:
        said = ", ".join(sorted({f"{check.source} ({check.jurisdiction}): {check.result}" for check in against}))
        return passed(rule, said, used, sentences(licences(on)))
    if licensed:
        return failed(rule, "a register says that it is licensed", "withdraw the report, or settle it there", used)
    if not recent:
        return failed(rule, f"every register was read over {in_words(rule.max_age)} ago", ask, used)
    return failed(rule, "the source only says `unverified`, which is not evidence", ask, used)


CHECKS: Mapping[type[Rule], Callable[[Any, Hearing], Finding]] = {
    rules.LimbProven: _limb_proven,
    rules.LicenceSource: _licence_source,
}
