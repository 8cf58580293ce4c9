"""The manifest: its digest is worked out here by hand from the RFC 8785 form, not by the code that makes it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

from notifier.domain.manifest import HeldFile, Listed, manifest

AT = datetime(2026, 11, 2, 14, tzinfo=UTC)
ONE = Listed("e1", "capture", "a" * 64, AT, "f" * 64)
TWO = Listed("e2", "screenshot", "b" * 64, AT + timedelta(minutes=1), None)
FILE = HeldFile("f" * 64, 12, "image/png")

EXPECTED = (
    '{"case":"TN-2026-000001","domain":"evil.com","evidence":['
    '{"file":"' + "f" * 64 + '","file_held":true,"id":"e1","kind":"capture","received_at":"2026-11-02T14:00:00+00:00",'
    '"sha256":"' + "a" * 64 + '"},'
    '{"file":null,"file_held":false,"id":"e2","kind":"screenshot","received_at":"2026-11-02T14:01:00+00:00",'
    '"sha256":"' + "b" * 64 + '"}],'
    '"files":[{"media_type":"image/png","sha256":"' + "f" * 64 + '","size":12}],'
    '"registration":"D1@2020-01-01T00:00:00+00:00","version":1}'
)
EPOCH = "D1@2020-01-01T00:00:00+00:00"


def test_the_exact_text_and_its_digest() -> None:
    made = manifest("TN-2026-000001", "evil.com", EPOCH, [TWO, ONE], [FILE])
    assert made.body == EXPECTED
    assert made.sha256 == hashlib.sha256(EXPECTED.encode()).hexdigest()


def test_order_and_zone_do_not_matter() -> None:
    elsewhere = Listed("e1", "capture", "a" * 64, AT.astimezone(timezone(timedelta(hours=-5))), "f" * 64)
    one = manifest("TN-2026-000001", "evil.com", EPOCH, [elsewhere, TWO], [FILE, FILE])
    assert one.body == EXPECTED


def test_a_file_that_is_not_held_is_told() -> None:
    told = json.loads(manifest("TN-1", "evil.com", None, [ONE], []).body)
    assert (told["evidence"][0]["file_held"], told["files"], told["registration"]) == (False, [], None)
