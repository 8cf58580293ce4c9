"""Draws the 200 sample reports from public lists, the same ones every time. `draw.py LISTS TLDS > reports.ndjson`

LISTS has samples/pharmacy_2000.csv and the folder nextdns-piracy; TLDS is ../registries/tlds.csv. The names are
real and were named by others. Everything else in a report (letters, captures, works, people) is invented here.
"""

import csv
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from notifier.domain import sampling

SEED = "20261125"
DAY = "2026-11-02"  # the day on which the demonstration starts, at 14:00 UTC

PIRACY = {"identity-digital", "radix"}
DRUG_LIKE = re.compile(r"tramadol|codein|diazep|valium|pharm|apothe|rx|pill|meds|medic|drug|tablet|generic")
SITE_LIKE = re.compile(r"movie|torrent|pirate|stream|putlocker|watch|anime|warez|yts|series|rarbg|1337x|mp3|cuevana")
# Nothing indecent, and no name that may well be an honest shop, forum or program.
NOT_SHOWN = re.compile(
    r"sex|porn|xxx|penis|viagra|cialis|levitra|adult|hentai|teen|xmovie|webtorrent|mac-torrents"
    r"|forum|consult|wellness|clinic|femedic|medic\w*hq|watchkobe|thoughtpaint"
)

Report = dict[str, Any]


def order(names: Iterable[str], what: str) -> list[str]:
    """The names in an order that depends on nothing but seed and purpose."""
    return sorted(set(names), key=lambda name: hashlib.sha256(f"{SEED}/{what}/{name}".encode()).digest())


def mark(*parts: object) -> str:
    """An evidence digest. No file stands behind it; its preimage says so."""
    return hashlib.sha256("/".join(["sample", *map(str, parts)]).encode()).hexdigest()


def at(clock: str, day: str = DAY) -> str:
    return f"{day}T{clock}:00Z"


def spelled(name: str, number: int) -> str:
    """As people send names: plain, capital, with www, defanged, as an address."""
    forms = (name, name, name, name.upper(), f"www.{name}", name.replace(".", "[.]"), f"hxxps://{name}/", f"{name}.")
    return forms[number % len(forms)]


def law(text: str, why: str, jurisdiction: str = "US") -> Report:
    return {"law": text, "why": why, "jurisdiction": jurisdiction}


def contact(party: str, name: str, day: str, response: str = "none") -> Report:
    return {
        "kind": "prior_contact",
        "party": party,
        "address": f"abuse@{party}.example",
        "contacted_at": at("09:30", day),
        "response": response,
        "summary": f"Sample: the {party} of {name} was asked to end this; answer: {response.replace('_', ' ')}.",
        "sha256": mark(name, "contact", party),
    }


def capture(name: str, page: str, clock: str, vantage: str, day: str = DAY, **more: Any) -> Report:
    return {
        "kind": "capture",
        "url": f"https://{name}/{page}",
        "captured_at": at(clock, day),
        "vantage": vantage,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)",
        "http_status": 200,
        "sha256": mark(name, "capture", page, vantage),
        **more,
    }


def snapshots(name: str) -> list[Report]:
    asked = {"domain": name, "queried_at": at("06:10")}
    return [
        {"kind": "rdap_snapshot", "server": f"https://rdap.example/domain/{name}", "statuses": ["active"], **asked},
        {"kind": "dns_snapshot", "server": "a.nic.example", "rrtype": "NS", "rcode": "NOERROR", **asked},
    ]


def screenshot(name: str, page: str) -> Report:
    picture = {"captured_at": at("11:20"), "sha256": mark(name, "picture", page), "media_type": "image/png"}
    return {"kind": "screenshot", "url": f"https://{name}/{page}", **picture}


def stated(**more: Any) -> Report:
    return {
        "good_faith": True,
        "accuracy": True,
        "no_csam": True,
        "human_review": {"reviewer": "Sample Reviewer", "at": at("13:40")},
        "justification": "Host and registrar were asked in October and the site went on unchanged.",
        "compromise_check": {"result": "not_compromised", "why": "The whole site is the shop; no other content."},
        **more,
    }


def report(program: str, name: str, number: int, summary: str, statements: Report, evidence: list[Report]) -> Report:
    asked = [contact(party, name, "2026-10-15") for party in ("host", "registrar")]
    return {
        "external_id": f"sample-{number:03}",
        "program": program,
        "domain": spelled(name, number),
        "urls": [f"https://{name}/", f"https://{name}/page-1"],
        "summary": f"Demonstration; the evidence is invented. {summary}",
        "statements": statements,
        "evidence": [*evidence, *asked, *snapshots(name)],
    }


def opioids(name: str, number: int) -> Report:
    """A warning letter, its fifteen working days over on 29 September, and the sale going on."""
    drug = ("tramadol", "oxycodone", "hydrocodone", "codeine", "alprazolam")[number % 5]
    product = {"name": drug, "active_ingredient": drug, "violation": ("unapproved", "misbranded", "both")[number % 3]}
    letter = {
        "kind": "warning_letter",
        "reference": f"SAMPLE-LETTER-{number // 25:02}",
        "issued_on": "2026-09-08",
        "recipient": f"Operator of sample network {number // 25}",
        "domains": [name],
        "response_due": {"working_days": 15, "calendar": "us-federal"},
        "statutes": ["21 U.S.C. 331(a)", "21 U.S.C. 353(b)", "21 U.S.C. 355(a)"],
        "products": [{**product, "drug_class": "benzodiazepine" if drug == "alprazolam" else "opioid"}],
        "response": ("none", "inadequate")[number % 4 == 0],
        "assessed_by": "Sample Assessor",
        "assessed_at": at("15:00", "2026-10-05"),
        "sha256": mark("letter", number // 25),
    }
    sale: Report = {"offers": drug, "shows": ["us_shipping", "us_currency", "no_prescription_control"]}
    seen = [
        capture(name, "page-1", "08:05", "residential-us-oh", **sale),
        capture(name, "page-1", "10:40", "mobile-us-ca", referrer="https://search.example/", **sale),
    ]
    order_page = {
        "kind": "test_purchase",
        "url": f"https://{name}/checkout",
        "ordered_at": at("11:00"),
        "product": drug,
        "paid": False,
        "prescription_asked": False,
        "result": "reached_payment",
        "ships_to": "US",
    }
    told = contact("operator", name, "2026-09-08")
    summary = f"The site is said to offer {drug} to consumers in the United States without a prescription."
    laws = [law("21 U.S.C. 353(b)", f"{drug} is sold without the prescription that this provision demands.")]
    evidence = [letter, *seen, order_page, screenshot(name, "page-1"), told]
    return report("opioids", name, number, summary, stated(laws=laws, jurisdiction="US"), evidence)


def pharmacy(name: str, number: int) -> Report:
    """One limb shown, its law, and a register that says so."""
    shown = capture(name, "page-1", "09:15", "residential-gb", limb="no_valid_prescription", shows=["checkout"])
    read = {"kind": "licence_check", "source": "Sample Register", "checked_at": at("09:50"), "jurisdiction": "GB"}
    laws = [law("Human Medicines Regulations 2012, reg. 214", "Prescription medicine is sold without one.", "GB")]
    exceptions = "No telehealth doctor is named anywhere, and nobody is seen in person before the sale."
    summary = "The site is said to sell prescription medicine to anyone who fills in a form, with no doctor involved."
    statements = stated(laws=laws, jurisdiction="GB", exceptions_check=exceptions)
    evidence = [shown, {**read, "result": "not_recommended"}, screenshot(name, "page-1")]
    return report("pharmacy", name, number, summary, statements, evidence)


def piracy(name: str, number: int) -> Report:
    """Twenty-four pages at random, judged by two people, nearly all infringing; a dozen works of four holders."""
    lawful = number % 4
    works = [
        {
            "title": f"Sample Work {number}-{i}",
            "kind": ("film", "series", "music", "book")[i % 4],
            "right_holder": f"Sample Right Holder {'ABCD'[i % 4]}",
        }
        for i in range(12)
    ]
    drawn = sampled(name, f"{SEED}-{number}", at("07:00"), lawful, [work["title"] for work in works])
    holders = sorted({work["right_holder"] for work in works})
    rights = {
        "kind": "rights_statement",
        "right_holder": holders[0],
        "works": [work["title"] for work in works if work["right_holder"] == holders[0]],
        "authorised_by": "Sample Counsel",
        "signed_at": at("12:00", "2026-10-28"),
    }
    evidence = [
        drawn,
        capture(name, "page-9", "08:30", "residential-us", finding="infringing"),
        capture(name, "page-10", "09:45", "mobile-es", finding="infringing", referrer="https://search.example/"),
        screenshot(name, "page-9"),
        rights,
    ]
    court = {"decided_on": "2025-03-11", "jurisdiction": "ES"}
    if number % 20 == 0:
        said = {"held": "unlawful", "summary": "Sample: a court held a mirror of this site unlawful."}
        evidence.append({"kind": "case_law", "court": "Sample Court", "reference": "1/2025", **court, **said})
    if number % 20 == 10:
        ordered = {"issued_on": "2025-03-11", "jurisdiction": "ES", "provisions": ["Sample Act, s. 1"]}
        what = {"orders": "Sample: access providers were told to block this name.", "domains": [name]}
        evidence.append({"kind": "court_order", "issuer": "Sample Court", "reference": "2/2025", **ordered, **what})
    statements = stated(
        laws=[law("17 U.S.C. 501", "Whole works are offered to the public without a licence.")],
        authorisation={"right_holders": holders, "statement": "Sample: the named holders asked for this referral."},
        nexus="The operator curates the links, sells advertising beside them and brands the site as its own.",
        licensed_check="Licences and promotional supply of each named work were looked up; there was none.",
        judgments="Known judgments are listed with the evidence; no court is known to have found the site lawful.",
    )
    summary = "The site is said to offer whole films, series and music to the public, and hardly anything else."
    made = report("piracy", name, number, summary, statements, evidence)
    return {**made, "works": works}


def sampled(name: str, seed: str, drawn_at: str, lawful: int, titles: list[str]) -> Report:
    """Twenty-four of four thousand invented pages, drawn as `notifier sample draw` draws; the first `lawful` are lawful."""
    drawn = sampling.draw(seed, [f"https://{name}/page-{i}" for i in range(1, 4001)], 24)
    items = []
    for i, url in enumerate(drawn.items):
        label = "lawful" if i < lawful else "infringing"
        items.append({"url": url, "label": label, "second_label": label, "work": titles[i % len(titles)]})
    return {
        "kind": "sample",
        "seed": seed,
        "method": "random",
        "drawn_at": drawn_at,
        "population": drawn.population,
        "population_sha256": drawn.population_sha256,
        "items": items,
    }


def item(made: Report, kind: str) -> Report:
    found: Report = next(each for each in made["evidence"] if each["kind"] == kind)
    return found


def without(made: Report, kind: str, **having: str) -> None:
    made["evidence"] = [
        each
        for each in made["evidence"]
        if each["kind"] != kind or any(each[key] != value for key, value in having.items())
    ]


def spoil(made: Report, fault: str) -> Report:
    """Take from a good report what one rule asks for."""
    name = made["urls"][0].split("/")[2]
    match fault:
        case "window open":
            item(made, "warning_letter").update(issued_on="2026-10-26", response="none")
        case "not assessed":
            item(made, "warning_letter").update(response="pending", assessed_by=None, assessed_at=None)
        case "old captures":
            for each in made["evidence"]:
                if each["kind"] == "capture":
                    each["captured_at"] = at("08:05", "2026-10-26")
        case "one vantage":
            without(made, "capture", vantage="mobile-us-ca")
        case "answered":
            item(made, "warning_letter").update(response="adequate", assessment="Sample: the sale had ended.")
        case "four pages":
            chosen = item(made, "sample")
            chosen.update(method="chosen", items=chosen["items"][4:8])
            without(made, "capture")
            page = chosen["items"][0]["url"].rpartition("/")[2]
            made["evidence"].append(capture(name, page, "08:30", "residential-us", finding="infringing"))
        case "hand-picked":
            item(made, "sample").update(method="chosen")
        case "no consent":
            made["statements"]["authorisation"] = None
        case "nobody reviewed":
            made["statements"]["human_review"] = None
        case "unverified only":
            item(made, "licence_check").update(result="unverified")
    return made


SPOILED: dict[str, tuple[str, ...]] = {
    "opioids": ("window open", "not assessed", "old captures", "one vantage", "answered"),
    "piracy": ("four pages", "hand-picked", "no consent", "nobody reviewed"),
    "pharmacy": ("unverified only",),
}


def bare(program: str, target: str, number: int, why: str) -> Report:
    asked = {"urls": [target]} if "/" in target else {"domain": target}
    return {
        "external_id": f"sample-{number:03}",
        "program": program,
        "summary": f"Demonstration; the evidence is invented. {why}",
        **asked,
    }


def misdirected() -> Iterator[tuple[str, str, str]]:
    """Reports that no registry may ever get: refused, or sent on to a platform or an institution."""
    for suffix in ("co.uk", "com.br", "net.au", "org.in"):
        yield "pharmacy", suffix, "Names a public suffix: everyone's registrations, not a site."
    for address in ("192.0.2.10", "http://198.51.100.7/pills", "http://[2001:db8::7]/", "203.0.113.80:8080"):
        yield "opioids", address, "Names an address (reserved for documentation), not a domain."
    for protected in ("verisign.com", "iana.org", "pir.org", "fda.gov", "root-servers.net", "example.com"):
        yield "piracy", protected, "Names what may never be touched."
    for host in ("buy-valium.no-ip.biz", "carisoprodol-bnm.blogspot.com", "hydrocodone-bnm.blogspot.com"):
        yield "opioids", host, "Said to sell opioids; a page under a suffix that many people share."
    for host in ("xenical-qwq.blogspot.com", "zithromax-klm.blogspot.com", "www.reviewspremarin.over-blog.com"):
        yield "pharmacy", host, "Said to be a rogue pharmacy; a page on a platform."
    for host in (
        "proxybay.github.io",
        "1337xtoindia.blogspot.com",
        "fullmuv.blogspot.com",
        "downloadmovietorrent.wordpress.com",
        "streamiza.wordpress.com",
        "4rvard-warez.ucoz.ru",
        "thepiratebay.se.net",
        "thepiratebays.com.se",
        "diva.sfsu.edu",
    ):
        yield "piracy", host, "Said to offer films; a page on a platform, a shared suffix or a university's machine."
    yield "piracy", "thepiratebay.rock", "Names a top-level domain that does not exist."


def main(lists: Path, tlds: Path) -> None:
    with tlds.open(encoding="utf-8", newline="") as file:
        operator = {row["tld"]: row["registry"] for row in csv.DictReader(file)}
    with (lists / "samples/pharmacy_2000.csv").open(encoding="utf-8", newline="") as file:
        shops = [row["reported_host"] for row in csv.DictReader(file)]
    kinds = ("streaming-audio", "streaming-video", "torrent-websites", "warez", "proxies")
    sites = [line for kind in kinds for line in (lists / "nextdns-piracy" / kind).read_text("utf-8").split()]

    def pick(names: list[str], like: re.Pattern[str], fits: Callable[[str], bool], what: str, count: int) -> list[str]:
        plain = [n for n in names if n.count(".") == 1 and like.search(n.partition(".")[0]) and not NOT_SHOWN.search(n)]
        return order((n for n in plain if fits(n.rpartition(".")[2])), what)[:count]

    anything = re.compile("")  # such names under .biz are made of random letters
    rare = pick(shops, DRUG_LIKE, lambda tld: tld == "org", "opioids", 16)
    rare += pick(shops, anything, lambda tld: tld in {"us", "biz"}, "opioids", 9)
    groups: list[tuple[Callable[[str, int], Report], list[str], int]] = [
        (opioids, pick(shops, DRUG_LIKE, lambda tld: tld in {"com", "net"}, "opioids", 80 - len(rare)), 3),
        (opioids, rare, 0),
        (piracy, pick(sites, SITE_LIKE, lambda tld: operator.get(tld) in PIRACY, "piracy", 70), 2),
        (opioids, pick(shops, DRUG_LIKE, lambda tld: tld in {"ru", "su", "eu", "name"}, "far opioids", 6), 2),
        (pharmacy, pick(shops, DRUG_LIKE, lambda tld: tld in {"de", "info", "in", "pl", "at"}, "pharmacy", 5), 1),
        (pharmacy, pick(shops, anything, lambda tld: tld == "xn--p1ai", "idn", 2), 0),
        (piracy, pick(sites, SITE_LIKE, lambda tld: tld in {"to", "ru", "com", "ws"}, "far piracy", 7), 2),
    ]
    rows: list[Report] = []
    faults = {program: list(kinds) for program, kinds in SPOILED.items()}
    for build, names, bad in groups:
        for place, name in enumerate(names):
            made = build(name, len(rows) + 1)
            rows.append(spoil(made, faults[made["program"]].pop(0)) if place < bad else made)
    rows += [bare(program, target, len(rows) + i, why) for i, (program, target, why) in enumerate(misdirected(), 1)]
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
