"""Writes tlds.csv: every top-level domain and the operator it belongs to. `derive.py JOINED.csv > tlds.csv`

JOINED.csv has for each top-level domain: tld, type, iana_manager_2025_11, group, rdap_base_iana_2025_11,
abuse_email, abuse_form, abuse_api, abuse_as_of (see README.md for where they come from).

An operator is never guessed: a wrong one is a notice to the wrong party. Managers of IANA's root zone are joined
under one operator only where they are listed in OPERATORS; any other manager is a registry of its own. Managers
that share a name and are different parties stand in NAMESAKES.
"""

import csv
import re
import sys
import unicodedata

COLUMNS = ("tld", "kind", "registry", "manager", "rdap", "abuse_email", "abuse_form", "abuse_api", "abuse_as_of")

# Operator: the names it has in IANA's root zone. The `group` column is not followed where it disagrees with the
# manager: it puts .circle, .got and .jot (Amazon) and .onl (iRegistry, which also has .rich) under Identity Digital.
OPERATORS = {
    "verisign": (
        "VeriSign Global Registry Services",
        "VeriSign, Inc.",
        "VeriSign Information Services, Inc.",
        "VeriSign Sarl",
    ),
    "pir": ("Public Interest Registry", "Public Interest Registry (PIR)"),
    "registry-services": ("Registry Services, LLC",),
    "identity-digital": (
        "Binky Moon, LLC",
        "Dog Beach, LLC",
        "Identity Digital Limited",
        "Internet Computer Bureau Limited",
    ),
    "radix": ("Radix Technologies Inc.", "Radix Technologies Inc. SEZC"),
    "google": ("Charleston Road Registry Inc.",),
    "amazon": ("Amazon Registry Services, Inc.", "Amazon Registry Services, INC"),
    "xyz": ("XYZ.COM LLC",),
    "nominet": ("Nominet UK",),
    "dns-belgium": ("DNS Belgium vzw/asbl",),
}
BY_MANAGER = {manager: operator for operator, managers in OPERATORS.items() for manager in managers}

# Regulators of different countries under one name: Bahrain and Oman, Burkina Faso and Togo.
NAMESAKES = {
    "bh": "tra-bahrain",
    "xn--mgbcpq6gpa1a": "tra-bahrain",
    "om": "tra-oman",
    "xn--mgb9awbf": "tra-oman",
    "bf": "arcep-burkina-faso",
    "tg": "arcep-togo",
}

MAX_ID = 60


def registry_id(tld: str, manager: str) -> str:
    """The operator's id, or one made of the manager's name: letters, digits and hyphens, cut between words."""
    if known := NAMESAKES.get(tld) or BY_MANAGER.get(manager):
        return known
    plain = unicodedata.normalize("NFKD", manager).encode("ascii", "ignore").decode().casefold()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return slug if len(slug) <= MAX_ID else slug[: MAX_ID + 1].rpartition("-")[0]


def one_form(text: str) -> str:
    """The address of a form; of several the English one."""
    urls = re.findall(r"https?://[^\s|]+", text)
    return next((url for url in urls if "/en/" in url), urls[0] if urls else "")


def through(text: str) -> str:
    """Who relays reports that come by API, in one word."""
    found = re.search(r"cleandns|godaddy", text.casefold())
    return found[0] if found else ""


def main(source: str) -> None:
    with open(source, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    for row in sorted(rows, key=lambda row: row["tld"]):
        manager = " ".join(row["iana_manager_2025_11"].split())
        out.writerow(
            (
                row["tld"],
                row["type"],
                registry_id(row["tld"], manager),
                manager,
                row["rdap_base_iana_2025_11"],
                " ".join(row["abuse_email"].split()),
                one_form(row["abuse_form"]),
                through(row["abuse_api"]),
                row["abuse_as_of"],
            )
        )


if __name__ == "__main__":
    main(sys.argv[1])
