"""Spellings and the consistency rules, against RFC 5731 §2.3, RFC 3915 §3.1 and the table of RFC 8056 §2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.epp import EPP_OF_RDAP, RDAP_OF_EPP, canonical, contradictions

# RFC 8056 §2, the whole table, in the order of the RFC (its host-only `linked` included).
RFC_8056 = {
    "addPeriod": "add period",
    "autoRenewPeriod": "auto renew period",
    "clientDeleteProhibited": "client delete prohibited",
    "clientHold": "client hold",
    "clientRenewProhibited": "client renew prohibited",
    "clientTransferProhibited": "client transfer prohibited",
    "clientUpdateProhibited": "client update prohibited",
    "inactive": "inactive",
    "linked": "associated",
    "ok": "active",
    "pendingCreate": "pending create",
    "pendingDelete": "pending delete",
    "pendingRenew": "pending renew",
    "pendingRestore": "pending restore",
    "pendingTransfer": "pending transfer",
    "pendingUpdate": "pending update",
    "redemptionPeriod": "redemption period",
    "renewPeriod": "renew period",
    "serverDeleteProhibited": "server delete prohibited",
    "serverRenewProhibited": "server renew prohibited",
    "serverTransferProhibited": "server transfer prohibited",
    "serverUpdateProhibited": "server update prohibited",
    "serverHold": "server hold",
    "transferPeriod": "transfer period",
}


def test_map_is_that_of_rfc_8056_and_goes_both_ways() -> None:
    assert dict(RDAP_OF_EPP) == RFC_8056
    assert {rdap: epp for epp, rdap in RFC_8056.items()} == dict(EPP_OF_RDAP)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("client hold", "client hold"),
        ("clientHold", "client hold"),
        ("CLIENT HOLD", "client hold"),
        ("client_hold", "client hold"),
        ("  Client   Hold ", "client hold"),
        ("clientHold https://icann.org/epp#clientHold", "client hold"),
        ("clientHold (https://www.icann.org/epp#clientHold)", "client hold"),
        ("https://icann.org/epp#serverHold", "server hold"),
        ("serverTransferProhibited http://www.icann.org/epp#serverTransferProhibited", "server transfer prohibited"),
        ("ok", "active"),
        ("OK https://icann.org/epp#OK", "active"),
        ("update prohibited", "update prohibited"),
        ("Locked", "locked"),
        ("redemptionPeriod", "redemption period"),
    ],
)
def test_every_spelling_reads_as_one(raw: str, expected: str) -> None:
    assert canonical(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "serverManualInzone",
        "Registry Reserved",
        "",
        "hold",
        "clientHold https://icann.org/epp#serverHold",
        "https://icann.org/epp#nothing",
    ],
)
def test_unknown_or_self_contradicting_values_stay_verbatim(raw: str) -> None:
    assert canonical(raw) == raw


def test_a_status_without_a_side_is_not_given_one() -> None:
    assert canonical("transfer prohibited") not in EPP_OF_RDAP


@given(st.text(max_size=60))
def test_canonical_is_idempotent(raw: str) -> None:
    assert canonical(canonical(raw)) == canonical(raw)


@given(st.sampled_from(sorted(RFC_8056)), st.randoms(use_true_random=False))
def test_case_blanks_and_underscores_do_not_matter(epp: str, random: object) -> None:
    words = RFC_8056[epp].split(" ")
    joined = random.choice([" ", "_", "  ", ""]).join(words)  # type: ignore[attr-defined]
    mixed = "".join(random.choice([c.lower(), c.upper()]) for c in joined)  # type: ignore[attr-defined]
    assert canonical(mixed) == RFC_8056[epp]


@pytest.mark.parametrize(
    ("statuses", "parts"),
    [
        (("ok", "clientHold"), ("ok must stand alone",)),
        (("active", "server transfer prohibited"), ("ok must stand alone",)),
        (("active", "inactive"), ("ok must stand alone",)),
        (("pendingDelete", "serverDeleteProhibited"), ("pending delete excludes server delete prohibited",)),
        (("pending transfer", "client transfer prohibited"), ("pending transfer excludes client transfer",)),
        (("pending renew", "server renew prohibited"), ("pending renew excludes server renew",)),
        (("pending update", "client update prohibited"), ("pending update excludes client update",)),
        (("pending delete", "pending update"), ("pending statuses exclude each other",)),
        (("clientHold", "serverManualInzone"), ("serverManualInzone keeps in the zone",)),
        (
            ("pending delete", "client delete prohibited", "server delete prohibited"),
            ("excludes client delete", "excludes server delete"),
        ),
    ],
)
def test_contradictions_are_named(statuses: tuple[str, ...], parts: tuple[str, ...]) -> None:
    found = contradictions(statuses)
    assert len(found) == len(parts)
    assert all(part in sentence for part, sentence in zip(parts, found, strict=True))


@pytest.mark.parametrize(
    "statuses",
    [
        (),
        ("active",),
        ("active", "add period"),
        ("active", "associated"),
        ("ok", "autoRenewPeriod"),
        ("server hold", "server transfer prohibited", "server update prohibited", "server delete prohibited"),
        ("redemption period", "pending delete"),
        ("client transfer prohibited", "inactive"),
        ("pending delete", "server transfer prohibited"),
        ("serverManualInzone",),
        ("active", "something of its own"),
    ],
)
def test_lawful_sets_have_none(statuses: tuple[str, ...]) -> None:
    assert contradictions(statuses) == ()
