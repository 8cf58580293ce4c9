"""The sample reports: each is a valid report, and they split as the demonstration says."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.catalog import Catalog, load_catalog
from notifier.domain import sampling
from notifier.domain.evidence import Sample
from notifier.domain.names import parse
from notifier.domain.policy import CaseFacts, Submission, Supplied, Verdict, evaluate
from notifier.domain.report import ReportIn
from notifier.domain.rule import Recipient
from notifier.domain.safety import Assessment, Safety, Scope, assess
from notifier.errors import Refused
from notifier.resources import folder
from notifier.sandbox.script import BEHAVIOURS

SAMPLES = folder("config") / "samples"
DEMO = tomllib.loads((SAMPLES / "demo.toml").read_text(encoding="utf-8"))
START = datetime(2026, 11, 2, 14, tzinfo=UTC)
MORE = (SAMPLES / "more.ndjson").read_text(encoding="utf-8").splitlines()
LINES = (SAMPLES / "reports.ndjson").read_text(encoding="utf-8").splitlines()

Row = tuple[ReportIn, Assessment | Refused]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(folder("config"))


@pytest.fixture(scope="module")
def rows(catalog: Catalog) -> list[Row]:
    return list(understood(catalog))


def understood(catalog: Catalog, lines: Sequence[str] = LINES) -> Iterator[Row]:
    for line in lines:
        report = ReportIn.model_validate_json(line)
        try:
            name = parse(report.domain or report.urls[0], catalog.suffixes)
        except Refused as refusal:
            yield report, refusal
        else:
            yield report, assess(name, catalog.lists)


def judged(catalog: Catalog, report: ReportIn, assessment: Assessment) -> Verdict:
    facts = CaseFacts(
        target=assessment.target.name,
        scope=assessment.target.scope,
        safety=assessment.safety,
        reports=(Submission("report", "submitter", report),),
        evidence=tuple(Supplied(str(i), "submitter", item) for i, item in enumerate(report.evidence)),
        registered=True,
        already_down=False,
        signals={"mail_active": "no", "popularity": "no"},
        events=catalog.events_of(report.program),
    )
    return evaluate(catalog.programs[report.program], facts, START, catalog.calendars)


def eligible(rows: list[Row]) -> list[tuple[ReportIn, Assessment]]:
    return [
        (report, found)
        for report, found in rows
        if isinstance(found, Assessment) and found.safety not in (Safety.REFUSE, Safety.REROUTE)
    ]


def test_there_are_two_hundred_and_each_has_its_own_id(rows: list[Row]) -> None:
    assert len(rows) == 200
    assert [report.external_id for report, _ in rows] == [f"sample-{i:03}" for i in range(1, 201)]


def test_refused_and_rerouted(rows: list[Row]) -> None:
    found = Counter(what.code if isinstance(what, Refused) else what.safety.value for _, what in rows)
    assert found == {
        "clear": 170,
        "public_suffix": 4,
        "ip_not_domain": 4,
        "invalid_name": 1,
        "refuse": 6,
        "reroute": 15,
    }
    for _, what in rows:
        if isinstance(what, Assessment) and what.safety is Safety.REROUTE:
            assert what.target.scope is Scope.HOST  # so that no registry step can exist
    signals = {s.name for _, what in rows if isinstance(what, Assessment) for s in what.signals}
    assert {"platform", "private_suffix", "university", "protected"} <= signals


def test_names_with_and_without_an_agreement(catalog: Catalog, rows: list[Row]) -> None:
    found: Counter[str] = Counter()
    for report, assessment in eligible(rows):
        tld = assessment.target.tld
        agreement = catalog.agreement_for(report.program, catalog.registry_of[tld], tld)
        found["none" if agreement is None else agreement.id] += 1
    assert found["none"] == 20
    assert found.total() - found["none"] == 150
    registries = {key for key, agreement in catalog.agreements.items() if agreement.party is Recipient.REGISTRY}
    assert set(found) == {*registries, "none"}


def test_no_name_stands_twice(rows: list[Row]) -> None:
    names = [assessment.target.name for _, assessment in eligible(rows)]
    assert len(set(names)) == len(names) == 170


def test_most_pass_and_ten_lack_something_different(catalog: Catalog, rows: list[Row]) -> None:
    verdicts = [judged(catalog, report, assessment) for report, assessment in eligible(rows)]
    lacking = [verdict for verdict in verdicts if not verdict.sufficient]
    assert len(verdicts) - len(lacking) == 160
    kinds = {tuple((f.rule, f.result) for f in verdict.findings if f.rule in verdict.blocking) for verdict in lacking}
    assert len(kinds) == len(lacking) == 10
    assert sum(bool(verdict.rejects) for verdict in lacking) == 1  # four pages: a domain is not taken for them


def test_every_kind_of_evidence_is_there(rows: list[Row]) -> None:
    kinds = Counter(item.kind for report, _ in rows for item in report.evidence)
    assert set(kinds) == {
        "capture",
        "screenshot",
        "sample",
        "rdap_snapshot",
        "dns_snapshot",
        "test_purchase",
        "licence_check",
        "rights_statement",
        "warning_letter",
        "prior_contact",
        "court_order",
        "case_law",
    }


def test_evidence_was_had_before_the_demonstration_starts(rows: list[Row]) -> None:
    assert DEMO["start"] == START
    for report, _ in rows:
        for item in report.evidence:
            moments = [getattr(item, key) for key in type(item).model_fields]
            assert all(moment < START for moment in moments if isinstance(moment, datetime)), report.external_id


def test_every_report_says_that_it_is_made_up() -> None:
    assert all("the evidence is invented" in json.loads(line)["summary"] for line in [*LINES, *MORE])


def test_the_two_programs_beside_the_demonstration_have_a_report_that_passes(catalog: Catalog) -> None:
    rows = list(understood(catalog, MORE))
    assert [report.program for report, _ in rows] == ["live-event", "authority-order"]
    for report, assessment in rows:
        assert isinstance(assessment, Assessment)
        verdict = judged(catalog, report, assessment)
        assert verdict.blocking == (), [f for f in verdict.findings if f.rule in verdict.blocking]
        assert verdict.second_reasons == ()
        assert (
            catalog.agreement_for(report.program, catalog.registry_of[assessment.target.tld], assessment.target.tld)
            is None
        )


def test_the_event_of_the_samples_is_over(catalog: Catalog) -> None:
    """So that nobody can ask for anything under an event that never was."""
    for event in catalog.events.values():
        assert event.released < datetime(2026, 11, 25, tzinfo=UTC)


def test_the_samples_of_pages_are_the_draw_of_their_seed(rows: list[Row]) -> None:
    drawn = [(report, item) for report, _ in rows for item in report.evidence if isinstance(item, Sample)]
    random = [(report, item) for report, item in drawn if item.method == "random"]
    assert len(random) > 70
    for _, item in random[:5]:
        site = item.items[0].url.rpartition("/")[0]
        pages = [f"{site}/page-{i}" for i in range(1, 4001)]
        urls = [page.url for page in item.items]
        assert not sampling.objection(item.seed, urls, pages, count=item.population, sha256=item.population_sha256)


def test_the_mix_is_a_hundred_percent_of_known_behaviours() -> None:
    mix: dict[str, Any] = DEMO["mix"]
    assert set(mix) <= set(BEHAVIOURS)
    assert sum(mix.values()) == 100
    assert (mix["registrar_acts"], mix["obey"], mix["host_acts"]) == (45, 25, 8)
    assert sum(weight for name, weight in mix.items() if name.startswith("decline:")) == 8


def test_every_agreement_has_one_party_that_knows_its_words(catalog: Catalog) -> None:
    parties = DEMO["parties"]
    registries = [key for key, agreement in catalog.agreements.items() if agreement.party is Recipient.REGISTRY]
    assert sorted(a for party in parties for a in party["agreements"]) == sorted(registries)
    assert {party["channel"] for party in parties} == {"smtp", "webhook", "webform"}
    for party in parties:
        words = {"lock", "hold", "delete", *party.get("words", {})}
        for agreement in party["agreements"]:
            assert set(catalog.agreements[agreement].measures.values()) <= words
        assert party["channel"] != "smtp" or party["address"].endswith(".sandbox.test")
