"""XARF documents, held against the schemas and parser of the XARF project's own package."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
import xarf as reference
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.xarf import Item, Kind, Party, Work, build, kind_of

T = datetime(2026, 11, 25, 14, 30, 1, 999, tzinfo=UTC)
ID = UUID("6f0f3b4e-2f0a-5d0d-8a39-3d0f0b7a9c55")
US = Party("Example Notifier", "desk@notifier.example", "notifier.example")
ITEM = Item("capture", T, "https://pills-now.example/a?b=c", "Ohio", "a" * 64)
ASCII = "pills-now.example"
# Each is refused by the pattern of content-base.domain (spec 4.2.0): two hyphens in a row, or an IDN TLD.
IDN = ("xn--fa-hia.de", "xn--ggle-55da.com", "xn--80ak6aa92e.xn--p1ai", "shop.xn--fiqs8s")
CATEGORIES = ("opioids", "pharmacy", "piracy", "live-event", "authority-order")


def document(kind: Kind = Kind.FRAUD, **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "report_id": ID,
        "timestamp": T,
        "reporter": US,
        "sender": US,
        "a_label": ASCII,
        "urls": ("https://pills-now.example/x",),
        "description": "Sells opioids.",
        "tags": ("unapproved-opioid", "program:opioids"),
        "works": (Work("A Film", "film", "A Studio"),),
        "evidence": (ITEM,),
        "registrar": "Registrar One",
        "nameservers": ("ns1.pills-now.example",),
        "verified_at": T,
    }
    return build(kind=kind, **(base | changes))


def schema_for(kind: Kind) -> jsonschema_rs.Draft202012Validator:
    """The package's schema of one type, with formats (uri, date-time, email) checked, as its own validator does not."""
    folder = files("xarf") / "schemas"
    read = [json.loads((folder / "xarf-core.json").read_text())]
    read += [json.loads(path.read_text()) for path in (folder / "types").iterdir() if path.name.endswith(".json")]
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in read])
    stem = "content-fraud" if kind is Kind.FRAUD else f"copyright-{kind.value.replace('_', '-')}"
    wanted = {"$ref": f"https://xarf.org/schemas/v4/types/{stem}.json"}
    return jsonschema_rs.Draft202012Validator(wanted, registry=registry, validate_formats=True)


SCHEMAS = {kind.value: schema_for(kind) for kind in Kind}


def faults(made: dict[str, Any]) -> list[str]:
    """What the reference parser (lax) and the schemas find; a warning tells of a field that XARF does not know."""
    through_json = json.loads(json.dumps(made))
    read = reference.parse(through_json)
    found = [str(error) for error in (*read.errors, *read.warnings)]
    found += [error.message for error in SCHEMAS[made["type"]].iter_errors(through_json)]
    return found if read.report is not None else [*found, "no report"]


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("name", [ASCII, *IDN])
def test_every_program_and_name_gives_a_valid_document(category: str, name: str) -> None:
    made = document(kind_of(category), a_label=name, urls=(f"https://{name}/x",))
    assert faults(made) == []
    assert made["source_identifier"] == name


def test_the_check_above_can_fail() -> None:
    assert faults(document() | {"fraud_type": "pharmacy"})
    assert faults(document() | {"domain": "xn--fa-hia.de"})
    assert faults(document() | {"timestamp": "yesterday"})
    assert faults(document() | {"url": "https://a.example/a b"})
    assert faults(document(Kind.LINK_SITE) | {"infringing_url": "not a url"})


@pytest.mark.parametrize("name", IDN)
def test_an_idn_stands_in_the_source_identifier_alone(name: str) -> None:
    assert "domain" not in document(a_label=name)


def test_an_ascii_name_has_its_domain() -> None:
    assert document()["domain"] == ASCII


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("piracy", ("copyright", "link_site")),
        ("live-event", ("copyright", "link_site")),
        ("opioids", ("content", "fraud")),
        ("pharmacy", ("content", "fraud")),
        ("authority-order", ("content", "fraud")),
    ],
)
def test_the_type_follows_the_category(category: str, expected: tuple[str, str]) -> None:
    made = document(kind_of(category))
    assert (made["category"], made["type"]) == expected


def test_a_pharmacy_is_other_fraud_told_by_tags() -> None:
    made = document()
    assert made["fraud_type"] == "other"
    assert made["tags"] == ["pharmacy:unapproved-opioid", "program:opioids"]


def test_a_site_of_copies() -> None:
    made = document(Kind.COPYRIGHT)
    assert faults(made) == []
    assert (made["infringing_url"], made["work_title"]) == ("https://pills-now.example/x", "A Film")


@pytest.mark.parametrize(
    ("kind", "expected"), [("film", "movie"), ("music", "music"), ("book", "ebook"), ("sculpture", "other")]
)
def test_work_categories(kind: str, expected: str) -> None:
    assert document(Kind.LINK_SITE, works=(Work("W", kind),))["work_category"] == expected


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ((), "http://pills-now.example/"),
        (("javascript:alert(1)", "ftp://a.example/"), "http://pills-now.example/"),
        (("https://faß.de/straße?ü=1",), "https://xn--fa-hia.de/stra%C3%9Fe?%C3%BC=1"),
        (("HTTPS://A.example:8443",), "https://a.example:8443/"),
        (("http://[2001:db8::1]/x",), "http://[2001:db8::1]/x"),
        (("https://user:pw@a.example/x#part",), "https://a.example/x"),
        (("https://a.example:99999/", "https://b.example/"), "https://b.example/"),
        (('https://a.example/"<script>',), "https://a.example/%22%3Cscript%3E"),
        (("https://a.example/a b\r\nc",), "https://a.example/a%20b%20c"),
        (("https://a.example/100%?a%2Fb",), "https://a.example/100%25?a%2Fb"),
    ],
)
def test_the_url_is_the_first_that_can_be_written_as_a_uri(urls: tuple[str, ...], expected: str) -> None:
    made = document(urls=urls)
    assert made["url"] == expected
    assert faults(made) == []


def test_the_limits_of_the_schema() -> None:
    made = document(
        description="d" * 5000,
        tags=[f"t{number}" for number in range(50)],
        evidence=[ITEM] * 80,
        works=(Work("w" * 900, "film", "r" * 900),),
    )
    assert len(made["description"]) <= 1000
    assert len(made["tags"]) == 20
    assert len(made["evidence"]) == 50
    assert faults(made) == []
    assert faults(document(Kind.LINK_SITE, works=(Work("w" * 900, "film", "r" * 900),))) == []


def test_each_evidence_hash_is_that_of_its_payload() -> None:
    (item,) = document()["evidence"]
    payload = base64.b64decode(item["payload"])
    assert item["hash"] == "sha256:" + hashlib.sha256(payload).hexdigest()
    assert item["size"] == len(payload)
    entry = json.loads(payload)
    assert entry["sha256"] == "a" * 64
    assert entry["at"] == "2026-11-25T14:30:01Z"


def test_the_same_input_gives_the_same_document() -> None:
    assert document() == document()
    assert document()["report_id"] == str(ID)
    assert document()["timestamp"] == "2026-11-25T14:30:01Z"


ANYTHING = st.text(max_size=60)


@given(text=ANYTHING, kind=st.sampled_from(list(Kind)), name=st.sampled_from([ASCII, *IDN]))
def test_no_text_from_outside_makes_it_invalid(text: str, kind: Kind, name: str) -> None:
    made = document(
        kind,
        a_label=name,
        urls=(text, "https://a.example/" + text),
        description=text,
        tags=(text, f"{text}:{text}"),
        works=(Work(text, text, text),),
        evidence=(Item(text, T, text, text),),
        registrar=text,
        nameservers=(text,),
    )
    assert faults(made) == []
    assert "_internal" not in made
