"""The world follows from seed and name; each act leaves the statuses that RFC 5731 and the verbs' meanings demand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import Invalid
from notifier.sandbox.world import REGISTRARS, Act, Content, World

AT = datetime(2026, 3, 2, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,12}\.(com|org|net)", fullmatch=True)
ACTS = st.lists(st.sampled_from([a for a in Act if a not in (Act.PURGE, Act.REREGISTER)]), max_size=8)


def world(**settings: object) -> World:
    return World("seed", names=("a.com", "b.com", "foo.co.uk"), **settings)  # type: ignore[arg-type]


def test_two_worlds_of_one_seed_are_the_same_and_of_two_seeds_are_not() -> None:
    names = [f"n{number}.com" for number in range(50)]
    one, two, other = (World(seed, names=names) for seed in ("s", "s", "t"))
    assert [one.find(n) for n in names] == [two.find(n) for n in names]
    assert [one.find(n) for n in names] != [other.find(n) for n in names]
    assert {one.find(n).registrar for n in names} == set(REGISTRARS)  # type: ignore[union-attr]
    assert len({one.find(n).handle for n in names}) == 50  # type: ignore[union-attr]


@given(NAMES)
def test_dates_are_in_order_and_nothing_expires_within_a_year_of_the_base(name: str) -> None:
    found = World("s", names=[name], base=AT).find(name)
    assert found is not None
    assert datetime(2021, 3, 1, tzinfo=UTC) <= found.registered_at < datetime(2025, 7, 18, tzinfo=UTC)
    assert AT + timedelta(days=365) <= found.expires_at < AT + timedelta(days=730)


@pytest.mark.parametrize(
    ("act", "gained", "delegated", "content"),
    [
        (Act.LOCK, {"serverTransferProhibited", "serverUpdateProhibited", "serverDeleteProhibited"}, True, "served"),
        (Act.HOLD, {"serverHold", "serverTransferProhibited", "serverUpdateProhibited"}, False, "served"),
        (Act.CLIENT_HOLD, {"clientHold", "clientTransferProhibited"}, False, "served"),
        (Act.DELETE, {"pendingDelete", "redemptionPeriod"}, False, "served"),
        (Act.REMOVE_CONTENT, set(), True, "removed"),
        (Act.UNDELEGATE, set(), False, "served"),
    ],
)
def test_what_an_act_leaves(act: Act, gained: set[str], delegated: bool, content: str) -> None:
    here = world()
    before = here.find("a.com")
    after = here.do(act, "a.com", AT, "registry")
    assert before is not None
    assert gained <= set(after.statuses)
    assert set(after.statuses) - set(before.statuses) - gained == set()
    assert (after.delegated, after.content) == (delegated, content)
    assert after.last_changed_at == (before.registered_at if act is Act.REMOVE_CONTENT else AT)
    assert [change.act for change in here.history("a.com")] == ["created", act]
    assert here.find("b.com") == world().find("b.com")


@given(NAMES, ACTS)
def test_status_sets_are_always_ones_that_epp_allows(name: str, acts: list[Act]) -> None:
    here = World("s", names=[name])
    for hours, act in enumerate(acts):
        statuses = here.do(act, name, AT + timedelta(hours=hours), "registry").statuses
        assert len(statuses) == len(set(statuses)) >= 1
        if "ok" in statuses:
            assert statuses == ("ok",)


@given(NAMES, ACTS)
def test_restore_brings_back_what_was_registered(name: str, acts: list[Act]) -> None:
    here = World("s", names=[name])
    before = here.find(name)
    for act in [a for a in acts if a is not Act.TRANSFER]:
        here.do(act, name, AT, "registry")
    after = here.do(Act.RESTORE, name, AT, "registry")
    assert before is not None
    for field in ("statuses", "delegated", "nameservers", "content", "handle"):
        assert getattr(after, field) == getattr(before, field)


def test_delete_clears_what_may_not_stand_beside_pending_delete() -> None:
    here = world()
    here.do(Act.LOCK, "a.com", AT, "registry")
    assert not [s for s in here.do(Act.DELETE, "a.com", AT, "registry").statuses if s.endswith("DeleteProhibited")]


def test_an_act_that_changes_nothing_leaves_no_line() -> None:
    here = world()
    here.do(Act.HOLD, "a.com", AT, "registry")
    again = here.do(Act.HOLD, "a.com", AT + timedelta(days=1), "registry")
    assert again.last_changed_at == AT
    assert len(here.history("a.com")) == 2


def test_purged_then_registered_again_is_another_registration() -> None:
    here = world()
    old = here.find("a.com")
    here.do(Act.PURGE, "a.com", AT, "registry")
    assert here.find("a.com") is None
    with pytest.raises(Invalid) as refused:
        here.do(Act.HOLD, "a.com", AT, "registry")
    assert refused.value.code == "not_registered"
    new = here.do(Act.REREGISTER, "a.com", AT + timedelta(days=40), "registrant")
    assert old is not None
    assert new.handle != old.handle
    assert new.registered_at == AT + timedelta(days=40)
    assert (new.delegated, new.content) == (True, Content.SERVED)


def test_a_transfer_frees_a_client_hold_but_not_a_server_hold() -> None:
    here = world()
    here.do(Act.CLIENT_HOLD, "a.com", AT, "registrar")
    freed = here.do(Act.TRANSFER, "a.com", AT, "registrant")
    assert freed.delegated
    assert not [s for s in freed.statuses if s.startswith("client")]
    here.do(Act.HOLD, "b.com", AT, "registry")
    assert not here.do(Act.TRANSFER, "b.com", AT, "registrant").delegated


def test_an_older_version_can_be_read() -> None:
    here = world()
    here.do(Act.HOLD, "a.com", AT, "registry")
    before = here.find("a.com", AT - timedelta(seconds=1))
    at = here.find("a.com", AT)
    assert before is not None
    assert at is not None
    assert (before.delegated, at.delegated) == (True, False)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("a.com", "a.com"),
        ("www.deep.A.com.", "a.com"),
        ("foo.co.uk", "foo.co.uk"),
        ("www.foo.co.uk", "foo.co.uk"),
        ("co.uk", None),
        ("com", None),
        ("unknown.com", None),
        ("a.dev", None),
        ("", None),
    ],
)
def test_a_host_is_found_below_its_zone(host: str, found: str | None) -> None:
    registration = world().find(host)
    assert (registration.a_label if registration is not None else None) == found


def test_register_all_registers_below_the_longest_zone() -> None:
    zoned = World("s", register_all=True, zones=("com", "uk", "co.uk"))
    for host, expected in {"www.x.com": "x.com", "www.y.co.uk": "y.co.uk", "z.uk": "z.uk"}.items():
        found = zoned.find(host)
        assert found is not None
        assert found.a_label == expected
    assert zoned.find("x.dev") is None
    anything = World("s", register_all=True).find("www.x.dev")
    assert anything is not None
    assert anything.a_label == "x.dev"


@pytest.mark.parametrize("name", ["com", "", "faß.de", "."])
def test_what_is_no_registrable_a_label_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        World("s", names=[name])
    assert refused.value.code == "invalid_name"
