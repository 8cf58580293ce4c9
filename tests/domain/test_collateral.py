"""What else would have gone dark: the worst finding of each case, what was measured last, and what is not known."""

from notifier.domain.collateral import Finding, by_safety, finding, reasons
from notifier.domain.safety import Safety, Signal


def signal(name: str, value: str, weight: Safety = Safety.CLEAR) -> Signal:
    return Signal(name, value, "a test", weight)


def test_the_worst_finding_counts_and_the_last_measurement() -> None:
    found = finding(
        "c",
        [
            (Safety.SECOND_REVIEW, [signal("popular", "x.com", Safety.SECOND_REVIEW), signal("host_names", "3")]),
            (
                Safety.REROUTE,
                [
                    signal("host_names", "at least 500", Safety.REROUTE),
                    signal("platform", "x.com", Safety.REROUTE),
                    signal("mail_active", "yes", Safety.SECOND_REVIEW),
                    signal("name_server_dependents", "unknown", Safety.SECOND_REVIEW),
                ],
            ),
            (Safety.CLEAR, [signal("parked", "no")]),
        ],
    )
    assert found == Finding("c", Safety.REROUTE, 500, None, ("host_names", "platform"))


def test_what_was_not_measured_is_unknown_and_not_nothing() -> None:
    unknown = finding("a", [(Safety.SECOND_REVIEW, [signal("host_names", "unknown", Safety.SECOND_REVIEW)])])
    none = finding("b", [(Safety.CLEAR, [signal("host_names", "0")])])
    assert (unknown.hosts, none.hosts, finding("d", []).hosts) == (None, 0, None)
    sums = by_safety([unknown, none, finding("d", [])])
    assert (sums[Safety.SECOND_REVIEW].unknown, sums[Safety.CLEAR].cases, sums[Safety.CLEAR].unknown) == (1, 2, 1)


def test_a_case_with_two_reasons_stands_in_both() -> None:
    two = Finding("a", Safety.REROUTE, None, None, ("host_names", "platform"))
    one = Finding("b", Safety.REROUTE, None, None, ("platform",))
    assert list(reasons([two, one]).items()) == [
        ((Safety.REROUTE, "platform"), 2), ((Safety.REROUTE, "host_names"), 1),
    ]  # fmt: skip
