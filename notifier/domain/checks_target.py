"""Checks of the target itself and of the captures that show it."""

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
    # What our own looks show against a report counts, though they never count for one.
    hacked = [key for key, capture in on.captures(ours=True) if "compromised" in capture.shows]
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


def _not_signalled(rule: rules.NotSignalled, on: Hearing) -> Finding:
    signals = on.facts.signals
    if signals is None:
        return unknown(rule, "nothing was measured about the target", "we measure it; nothing is asked of you")
    found = [name for name in rule.refuses if _set(signals.get(name))]
    if found:
        named = ", ".join(f"{name} ({signals[name]})" for name in found)
        return failed(rule, f"others depend on {on.facts.target}: {named}", "ask the host to end the stream instead")
    missing = [name for name in rule.measured if name not in signals or signals[name] == "unknown"]
    if missing:
        return unknown(rule, f"not measured yet: {', '.join(missing)}", "we measure it; nothing is asked of you")
    return passed(rule, f"none of {', '.join(rule.refuses)} was found")


def _set(value: str | None) -> bool:
    return value is not None and value.casefold() not in ("", "no", "none", "false", "0", "unknown")


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
    rules.NotSignalled: _not_signalled,
    rules.OnTarget: _on_target,
    rules.Fresh: _fresh,
}
