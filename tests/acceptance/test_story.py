"""The comparison of the chaos test: it is silent about a true story, and names what a forged one hides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.sandbox.ledger import Line

from .story import Entry, Notice, differences

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def started(second: float, attempt: int = 1) -> Entry:
    return Entry(at(second), "notice.send_started", {"attempt": attempt})


def sent(second: float, attempt: int = 1) -> Entry:
    return Entry(at(second), "notice.sent", {"attempt": attempt})


def deferred(second: float, attempt: int = 1) -> Entry:
    return Entry(at(second), "notice.deferred", {"attempt": attempt})


def uncertain(second: float) -> Entry:
    return Entry(at(second), "notice.uncertain")


def settled(second: float, arrived: bool) -> Entry:
    return Entry(at(second), "notice.settled", {"arrived": arrived})


def line(second: float, result: str = "accepted", **changes: str) -> Line:
    known = {"party": "verisign", "key": "<k@x>", "notice": "n", "domain": "a.com", "measure": "hold", "sha256": "1"}
    return Line(at(second).isoformat(), "smtp", result, **{**known, **changes})  # type: ignore[arg-type]


SENT = Notice("n", "smtp", "verisign", "<k@x>", "a.com", "hold", "sent", frozenset(), (started(0), sent(2)))
BOUNCED = replace(
    SENT, state="bounced", tasks=frozenset({"no_contact"}), entries=(started(0), Entry(at(2), "notice.undeliverable"))
)
DOUBT = replace(SENT, state="uncertain", tasks=frozenset({"uncertain"}), entries=(started(0), uncertain(2)))
AGAIN = replace(SENT, entries=(started(0), deferred(2), started(60, 2), sent(62, 2)))
HOOK = replace(SENT, channel="webhook", key="k", party="pir", entries=(started(0), started(60, 2), sent(62, 2)))


def hook(second: float, result: str = "accepted", **changes: str) -> Line:
    return replace(line(second, result, key="k", party="pir", **changes), channel="webhook")


@pytest.mark.parametrize(
    ("notice", "log"),
    [
        (SENT, [line(1)]),
        (SENT, [line(0.5, "deferred"), line(1)]),  # a second try within one attempt
        (AGAIN, [line(1, "deferred"), line(61)]),
        (AGAIN, [line(61)]),
        (BOUNCED, [line(1, "refused")]),
        (BOUNCED, []),  # refused at RCPT, where no key is known
        (DOUBT, []),
        (DOUBT, [line(1)]),
        (HOOK, [hook(1), hook(61)]),
        (replace(HOOK, entries=(started(0), started(1, 2), sent(3), sent(4, 2))), [hook(2), hook(3.5)]),  # side by side
        (HOOK, [hook(1, "cut", notice="", domain="", measure=""), hook(61)]),
        (replace(SENT, entries=(started(0), uncertain(2), settled(9, True))), [line(1)]),
        (
            replace(SENT, entries=(started(0), uncertain(2), settled(9, False), started(10, 2), sent(11, 2))),
            [line(10.5)],
        ),
    ],
)
def test_a_true_story(notice: Notice, log: list[Line]) -> None:
    assert differences([notice], [*log, Line(at(0).isoformat(), "smtp", "cut", where="smtp.connect")]) == []


@pytest.mark.parametrize(
    ("notice", "log", "told"),
    [
        (SENT, [line(1), line(1.5)], "double"),
        (DOUBT, [line(1), line(30)], "double"),
        (HOOK, [hook(1), hook(61, sha256="2")], "double"),
        (SENT, [], "lost"),
        (SENT, [line(1, "refused")], "lost"),
        (SENT, [line(1), line(1, key="<other@x>")], "stranger"),
        (SENT, [line(1, domain="b.com")], "another domain"),
        (SENT, [line(1, measure="delete")], "another measure"),
        (SENT, [line(1, party="pir")], "another party"),
        (SENT, [line(1, notice="m")], "another id"),
        (SENT, [line(1, notice="", domain="", measure="")], "says no name"),
        (BOUNCED, [line(1)], "we say that it was refused"),
        (replace(BOUNCED, tasks=frozenset()), [], "no task"),
        (replace(DOUBT, tasks=frozenset()), [], "no task"),
        (replace(SENT, state="queued"), [], "not settled"),
        (replace(SENT, state="sending"), [line(1)], "not settled"),
        (SENT, [line(-1)], "before we say that we began"),
        (replace(SENT, entries=(started(0), deferred(2))), [line(1)], "put off by our word"),
        (replace(SENT, entries=(started(0), deferred(2))), [line(1)], "entries end with nothing"),
        (replace(AGAIN, entries=(*AGAIN.entries, started(99, 3), sent(100, 3))), [line(61)], "begun again after"),
        (replace(SENT, entries=(started(0), started(60, 2), sent(61, 2))), [line(60.5)], "may have arrived"),
        (
            replace(SENT, entries=(started(0), uncertain(2), started(60, 2), sent(61, 2))),
            [line(60.5)],
            "may have arrived",
        ),
        (AGAIN, [line(1, "deferred")], "accepted by our word"),
        (replace(HOOK, entries=(started(0), deferred(2), started(60, 2), sent(62, 2))), [hook(1), hook(61)], "put off"),
        (AGAIN, [line(30)], "accepted by our word"),
        (replace(DOUBT, entries=(started(0), sent(2))), [line(1)], "entries end with sent"),
        (replace(SENT, entries=(started(0), uncertain(2), settled(9, True))), [], "not so"),
        (replace(DOUBT, entries=(started(0), uncertain(2), settled(9, False))), [line(1)], "not so"),
    ],
)
def test_a_forged_story(notice: Notice, log: list[Line], told: str) -> None:
    found = differences([notice], log)
    assert any(told in one for one in found), found


def test_two_names_swapped_between_two_notices() -> None:
    other = replace(SENT, id="m", key="<m@x>", domain="b.com")
    log = [line(1, domain="b.com", notice="m"), line(1, key="<m@x>")]
    assert len([one for one in differences([SENT, other], log) if "another domain" in one]) == 2
