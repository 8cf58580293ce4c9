"""Ids of one process follow each other, whatever they are of."""

from uuid import UUID

from notifier.store.ids import new_id


def test_the_later_is_the_greater_also_within_a_millisecond() -> None:
    """RFC 9562 §5.7: version 7, variant 0b10."""
    found = [new_id() for _ in range(5_000)]
    assert found == sorted(found)
    assert {(UUID(one).version, UUID(one).variant) for one in found} == {(7, "specified in RFC 4122")}
    assert len(set(found)) == len(found)
