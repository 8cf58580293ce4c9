"""A program's public record as an Atom feed (RFC 4287): quarters that are over, what was put right, and names by the day."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from notifier.domain.hostile import dead
from notifier.services.transparency import Published

_NS = "http://www.w3.org/2005/Atom"
_MOST = 200


def feed(found: Published, address: str, causes: Mapping[str, str]) -> bytes:
    """The whole feed, newest first. `address`: of the program's page. Ids never change, whatever the address does."""
    program, doc = found.program, found.document
    entries = sorted(
        [*_quarters(doc), *_corrections(doc, causes), *_names(found)] if doc else [],
        key=lambda one: (one["updated"], one["published"], one["id"]),
        reverse=True,
    )[:_MOST]
    for one in entries:
        one["id"] = _id(f"{program.id}/{one['id']}")
    root = Element("feed", {"xmlns": _NS, "xml:lang": "en"})
    _text(root, "id", _id(program.id))
    simulated = "SIMULATED: " if doc and doc["simulated"] else ""
    _text(root, "title", f"{simulated}{program.name}: what was asked for, and what came of it")
    newest = max((one["updated"] for one in entries), default=program.effective_from.isoformat())
    _text(root, "updated", _moment(max(newest, doc["made_on"]) if doc else newest))
    SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{address}/feed.atom"})
    SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": address})
    _text(SubElement(root, "author"), "name", program.owner)
    for one in entries:
        entry = SubElement(root, "entry")
        _text(entry, "id", one["id"])
        _text(entry, "title", one["title"])
        _text(entry, "updated", _moment(one["updated"]))
        _text(entry, "published", _moment(one["published"]))
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{address}#{one['at']}"})
        _text(entry, "content", one["text"]).set("type", "text")
    indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode").encode() + b"\n"


def _quarters(doc: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "id": f"quarter/{one['key']}",
            "title": f"Figures of {one['key']}",
            "updated": one["updated"],
            "published": one["published"],
            "at": one["key"],
            "text": _figures(one["rows"]),
        }
        for one in doc["quarters"]
        if one["complete"]
    ]


def _figures(rows: list[Mapping[str, Any]]) -> str:
    """The stages in words; the page has the rest."""
    said = [
        f"{row['figure']}: {'kept back' if row['n'] is None else row['n']}" for row in rows if row["part"] == "funnel"
    ]
    return f"Names by the day on which their case was opened. {', '.join(said)}."


def _corrections(doc: Mapping[str, Any], causes: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {
            "id": f"correction/{one['id']}",
            "title": f"Put right: {one['measure'].replace('_', ' ')}, {causes.get(one['cause'], one['cause'])}",
            "updated": one["back_on"] or one["on"],
            "published": one["on"],
            "at": "corrections",
            "text": _gone(one),
        }
        for one in doc["corrections"]
    ]


def _gone(one: Mapping[str, Any]) -> str:
    if not one["was_gone"]:
        return "We took our request back. The name was never seen to be gone."
    if one["back_on"] is None:
        return "We took our request back. The name was not seen to be back by the last day that is shown."
    return f"We took our request back. The name was gone for {one['days_gone']} days, the first and the last counted."


def _names(found: Published) -> list[dict[str, str]]:
    return [
        {
            "id": f"names/{batch.on.isoformat()}",
            "title": f"Names of ended cases, {batch.on.isoformat()}",
            "updated": batch.updated.isoformat(),
            "published": batch.on.isoformat(),
            "at": "names",
            "text": "\n".join([*(dead(one.name) for one in batch.names), *_gone_again(batch.gone)]),
        }
        for batch in found.batches
    ]


def _gone_again(gone: int) -> list[str]:
    return [f"{gone} of this day were taken off the list."] if gone else []


def _id(of: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'trusted-notifier/transparency/{of}')}"


def _moment(day: str) -> str:
    return f"{day}T00:00:00Z"


def _text(parent: Element, name: str, text: str) -> Element:
    found = SubElement(parent, name)
    found.text = text
    return found
