"""Draws a sample report for each program that the demonstration leaves out. `more.py LISTS TLDS > more.ndjson`

LISTS and TLDS as for `draw.py`, whose names these are not. All but the names is invented.
"""

import csv
import json
import sys
from pathlib import Path

from draw import DAY, NOT_SHOWN, SEED, SITE_LIKE, Report, at, capture, law, mark, order, sampled

EVENT = "sample-final-2026"  # config/events/sample.toml


def contact(party: str, name: str, clock: str) -> Report:
    return {
        "kind": "prior_contact",
        "party": party,
        "address": f"abuse@{party}.example",
        "contacted_at": at(clock),
        "response": "none",
        "summary": f"Sample: the {party} of {name} was asked to end the stream at once; nothing came back.",
        "sha256": mark(name, "contact", party),
    }


def stated(clock: str, **more: object) -> Report:
    return {
        "good_faith": True,
        "accuracy": True,
        "no_csam": True,
        "human_review": {"reviewer": "Sample Reviewer", "at": at(clock)},
        **more,
    }


def live_event(name: str, number: int) -> Report:
    """A stream that runs forty seconds behind the official feed, on a site that does nothing else."""
    title = "Sample final 2026"
    points = [
        {"stream_at": f"{DAY}T13:5{i}:40Z", "feed_at": f"{DAY}T13:5{i}:00Z", "similarity": 97 - i} for i in range(4)
    ]
    stream = {
        "kind": "stream_match",
        "url": f"https://{name}/live",
        "stream_url": "https://edge.stream.example/live.m3u8",
        "event": EVENT,
        "feed": "sample-feed-1",
        "method": "perceptual hash of one frame a second, Hamming distance",
        "vantage": "residential-es",
        "points": points,
        "sha256": mark(name, "stream"),
        "feed_sha256": mark("feed", EVENT),
    }
    evidence = [
        stream,
        capture(name, "live", "13:52", "residential-es", finding="infringing"),
        sampled(name, f"{SEED}-{number}", at("13:10"), 0, [title, "Sample semi-final 2026"]),
        contact("host", name, "13:45"),
    ]
    return {
        "external_id": f"sample-{number:03}",
        "program": "live-event",
        "domain": name,
        "urls": [f"https://{name}/live"],
        "priority": "urgent",
        "event_window": EVENT,
        "summary": "Demonstration; the evidence is invented. The site is said to stream the event as it runs, unlicensed.",
        "works": [{"title": title, "kind": "other", "right_holder": "Sample League"}],
        "statements": stated(
            "13:55",
            laws=[law("17 U.S.C. 501", "The broadcast is shown to the public without a licence while it runs.")],
            authorisation={"right_holders": ["Sample League"], "statement": "Sample: the league asked for this."},
            licensed_check="The league's list of licensed broadcasters was read today; this site is not on it.",
            justification="The host was asked at once and the stream goes on; it is worth nothing after the event.",
        ),
        "evidence": evidence,
    }


def authority_order(name: str, number: int) -> Report:
    """An order that lists the name, under the law relied on."""
    ordered = {
        "kind": "court_order",
        "issuer": "Sample District Court",
        "reference": f"SAMPLE-ORDER-{number}",
        "issued_on": "2026-10-20",
        "jurisdiction": "US",
        "provisions": ["17 U.S.C. 502"],
        "domains": [name],
        "orders": "Sample: the registry is told to take the name out of the zone.",
        "reasons": "Sample: whole works are offered to the public on it without a licence.",
        "redress": "Sample: any party affected may apply to the court within 14 days.",
        "report_effect_to": "clerk@court.example",
        "standing": "final",
        "sha256": mark("order", number),
    }
    return {
        "external_id": f"sample-{number:03}",
        "program": "authority-order",
        "domain": name,
        "summary": "Demonstration; the evidence is invented. A court is said to have ordered that this name be held.",
        "statements": stated("13:40", jurisdiction="US"),
        "evidence": [ordered],
    }


def main(lists: Path, tlds: Path) -> None:
    with tlds.open(encoding="utf-8", newline="") as file:
        operator = {row["tld"]: row["registry"] for row in csv.DictReader(file)}
    listed = (lists / "nextdns-piracy/streaming-video").read_text("utf-8").split()
    like = [n for n in listed if n.count(".") == 1 and SITE_LIKE.search(n) and not NOT_SHOWN.search(n)]
    names = order((n for n in like if operator.get(n.rpartition(".")[2]) == "verisign"), "more")
    for number, (build, name) in enumerate(zip((live_event, authority_order), names, strict=False), 201):
        print(json.dumps(build(name, number), ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
