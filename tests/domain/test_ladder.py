"""Whose turn it is, by the program's own order; and whom no look-up may make a recipient."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.catalog import Catalog, load_catalog
from notifier.domain.epp import Measure
from notifier.domain.ladder import Rung, askable, next_rung
from notifier.domain.look import Delegation, Hosting, Look, Registration
from notifier.domain.recipient import Found, Nobody, barred, host, mailbox, registrar
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Scope, Target
from notifier.errors import Invalid

CATALOG = load_catalog(Path(__file__).parents[2] / "config")
H, R, Y = Recipient.HOST, Recipient.REGISTRAR, Recipient.REGISTRY
ALL = {H: "p.host", R: "p.registrar", Y: "p.registry"}
WHOLE = Target("pills-shop.com", Scope.DOMAIN, "pills-shop.com", "pills-shop.com", None, "com", "pills-shop.com")
AT = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def catalog() -> Catalog:
    return CATALOG


@pytest.mark.parametrize(
    ("ways", "passed", "proven", "turn"),
    [
        (ALL, (), (), Rung(H, "p.host", Measure.CONTENT_REMOVAL)),
        (ALL, (), (H,), Rung(R, "p.registrar", Measure.HOLD)),
        (ALL, (), (R,), Rung(H, "p.host", Measure.CONTENT_REMOVAL)),  # the host was asked by nobody yet
        (ALL, (), (H, R), Rung(Y, "p.registry", Measure.HOLD)),
        (ALL, (H,), (), Rung(R, "p.registrar", Measure.HOLD)),
        (ALL, (H,), (R,), Rung(Y, "p.registry", Measure.HOLD)),
        (ALL, (R,), (), Rung(Y, "p.registry", Measure.HOLD)),  # never back to one before
        (ALL, (H, R, Y), (), None),
        ({Y: "p.registry"}, (), (), Rung(Y, "p.registry", Measure.HOLD)),
        ({H: "p.host"}, (H,), (), None),
        ({}, (), (), None),
    ],
)
def test_whose_turn_it_is(
    catalog: Catalog,
    ways: dict[Recipient, str],
    passed: tuple[Recipient, ...],
    proven: tuple[Recipient, ...],
    turn: Rung | None,
) -> None:
    assert next_rung(catalog.programs["piracy"], ways, passed, proven) == turn


@given(
    ways=st.sets(st.sampled_from(list(Recipient))),
    passed=st.lists(st.sampled_from(list(Recipient)), unique=True),
    proven=st.sets(st.sampled_from(list(Recipient))),
    program=st.sampled_from(sorted(CATALOG.programs)),
)
def test_each_turn_comes_once_and_the_ladder_ends(
    ways: set[Recipient], passed: list[Recipient], proven: set[Recipient], program: str
) -> None:
    asked: list[Recipient] = []
    while (rung := next_rung(CATALOG.programs[program], {w: w for w in ways}, (*passed, *asked), proven)) is not None:
        assert rung.step in ways
        assert rung.step not in {*passed, *proven, *asked}
        asked.append(rung.step)
        assert len(asked) <= 3
    order = [step.recipient for step in CATALOG.programs[program].ladder]
    assert [order.index(step) for step in asked] == sorted(order.index(step) for step in asked)


@pytest.mark.parametrize(("scope", "safety"), list(itertools.product(Scope, Safety)))
def test_a_shared_name_is_never_put_to_a_registrar_or_registry(scope: Scope, safety: Safety) -> None:
    target = Target("a.pills.com", scope, "pills.com", "a.pills.com", None, "com", "a.pills.com")
    whole = scope is Scope.DOMAIN and safety in (Safety.CLEAR, Safety.SECOND_REVIEW)
    assert [askable(step, target, safety) for step in (H, R, Y)] == [safety is not Safety.REFUSE, whole, whole]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("abuse@a2hosting.com", None),  # C-055: a digit in the name
        ("abuse+net1@x-1.co.uk", None),
        ("report-abuse@host-1.net", None),
        ("abuse@pills-shop.com", "reported name itself"),
        ("abuse@mail.pills-shop.com", "reported name itself"),
        ("noc@host-1.net", "desk of a network"),  # C-058
        ("hostmaster@host-1.net", "desk of a network"),
        ("dns-admin+x@host-1.net", "desk of a network"),
        ("security@host-1.net", "desk of a network"),  # RFC 9116: reports of flaws, not of sites
        ("abuse@ripe.net", "registry or of an authority"),
        ("search-apnic-not-arin@apnic.net", "registry or of an authority"),
        ("abuse@arin.net", "registry or of an authority"),
        ("abuse@undefined.com", "placeholder"),  # C-056
        ("null@host-1.net", "placeholder"),
        ("abuse@example.com", "placeholder"),
        ("abuse@whoisguard.com", "privacy service"),
        ("pw-abc@privacyprotect.org", "privacy service"),
        ("abuse@registrar.example", "no mailbox"),
        ("abuse@192.0.2.1", "no mailbox"),
        ("abuse@a", "no mailbox"),
        ("@host-1.net", "no mailbox"),
    ],
)
def test_which_found_mailboxes_a_machine_never_writes_to(catalog: Catalog, address: str, why: str | None) -> None:
    found = barred(address, WHOLE, catalog.lists, catalog.suffixes)
    assert found is None if why is None else why in (found or "")


def look(registration: Registration | None = None, hosting: Hosting | None = None) -> Look:
    return Look(AT, registration or Registration("found"), Delegation("delegated"), None, hosting)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Registration("absent"), "no such name"),
        (Registration("no_rdap"), "no RDAP"),
        (Registration("inconclusive", detail="rdap_timeout"), "rdap_timeout"),
        (Registration("found"), "names no registrar"),
        (Registration("found", registrar_name="R"), "no abuse contact of R"),
    ],
)
def test_without_a_registrars_contact_nobody_is_guessed(seen: Registration, why: str) -> None:
    found = registrar(look(seen))
    assert isinstance(found, Nobody)
    assert why in found.why


def test_a_registrar_is_known_by_its_iana_id() -> None:
    seen = Registration(
        "found",
        registrar_name="Names & Co",
        registrar_iana_id="292",
        registrar_abuse_email="abuse@names.net",
        registrar_abuse_path="registrar>abuse",
        source="https://rdap.example/domain/x",
    )
    found = registrar(look(seen))
    assert found == Found(
        R, "registrar-292", "Names & Co", "abuse@names.net", "registrar>abuse", "https://rdap.example/domain/x", AT
    )
    assert isinstance(found, Found)
    assert Found.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "nobody has looked"),
        (Hosting("absent"), "no address"),
        (Hosting("several", detail="its addresses lie with A, B"), "A, B"),
        (Hosting("inconclusive", detail="rdap_rate_limited"), "rdap_rate_limited"),
        (Hosting("found", ("192.0.2.1",), "N", "Net"), "has no abuse contact"),
    ],
)
def test_without_a_hosts_contact_nobody_is_guessed(seen: Hosting | None, why: str) -> None:
    found = host(look(hosting=seen))
    assert isinstance(found, Nobody)
    assert why in found.why


@pytest.mark.parametrize(
    "text", ["", "abuse", "abuse@", "a b@c.net", "abuse@c.net, d@e.net", "<abuse@c.net>", "x@y\nBcc: z@w.net"]
)
def test_a_mailbox_that_a_person_gives_is_one_whole_mailbox(text: str) -> None:
    with pytest.raises(Invalid):
        mailbox(text)
    assert mailbox(" mailto:abuse@host-1.net ") == "abuse@host-1.net"
