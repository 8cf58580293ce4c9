"""A notice's fields in the places that a desk's JSON has for them, and places in its answer."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from notifier.adapter import Attachment, Identity, RenderedNotice
from registries.mail_message import reply_address

Scalar = str | int | bool
XARF = "xarf."
OUR_FIELDS = frozenset(
    {
        "notice_id",
        "case_ref",
        "version",
        "purpose",
        "agreement_id",
        "recipient_name",
        "domain",
        "measure",
        "measure_word",
        "subject",
        "text",
        "html",
        "xarf",
        "digest",
        "issued_at",
        "thread_key",
        "until",
        "reply_token",
        "reply_address",
        "organisation",
        "contact",
        "first_reference",
    }
)
FILE_FIELDS = frozenset({"filename", "media_type", "sha256", "content"})


def ours(notice: RenderedNotice, identity: Identity, first_reference: str) -> dict[str, Any]:
    """Every field of OUR_FIELDS. `first_reference`: the desk's id of the notice that is withdrawn, else empty."""
    plain = ("notice_id", "case_ref", "version", "purpose", "agreement_id", "recipient_name", "domain", "measure_word")
    return {
        **{name: getattr(notice, name) for name in (*plain, "subject", "text", "html", "digest", "thread_key")},
        "measure": notice.measure.value,
        "xarf": json.loads(notice.xarf),
        "issued_at": notice.issued_at.astimezone(UTC).isoformat(),
        "until": notice.until.astimezone(UTC).isoformat() if notice.until else "",
        "reply_token": notice.reply_token,
        "reply_address": reply_address(notice.reply_token, identity),
        "organisation": identity.organisation,
        "contact": identity.mail_from,
        "first_reference": first_reference,
    }


def body(
    fields: Mapping[str, str],
    constants: Mapping[str, Any],
    files: tuple[str, Mapping[str, str]] | None,
    known: Mapping[str, Any],
    attachments: tuple[Attachment, ...],
) -> dict[str, Any]:
    """The desk's JSON. A field that this notice does not have is left out."""
    leaves: dict[str, Any] = dict(constants)
    for path, name in fields.items():
        value = found(known["xarf"], name.removeprefix(XARF)) if name.startswith(XARF) else known[name]
        if value is not None and value != "":
            leaves[path] = value
    if files is not None:
        place, names = files
        leaves[place] = [planted({path: _of_file(file, name) for path, name in names.items()}) for file in attachments]
    return planted(leaves)


def planted(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Values at dotted paths as one object. Raises ValueError where two paths cannot both be."""
    root: dict[str, Any] = {}
    for path in sorted(leaves):
        place, parts = root, path.split(".")
        for part in parts[:-1]:
            below = place.setdefault(part, _Node())
            if not isinstance(below, _Node):
                raise ValueError(f"{path} lies below another value")
            place = below
        if parts[-1] in place:
            raise ValueError(f"{path} is given twice")
        place[parts[-1]] = leaves[path]
    grown = _lists(root, "")
    if not isinstance(grown, dict):
        raise ValueError("expected names at the top, not numbers")
    return grown


def found(document: Any, path: str) -> Any:
    """What stands at a dotted path; None when nothing does."""
    for part in path.split("."):
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list) and part.isascii() and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    return document


def holds(document: Any, where: Mapping[str, list[Scalar]]) -> bool:
    """Whether at every path stands one of its values; true is not 1."""
    return all(
        any(type(value) is type(at) and value == at for value in values)
        for at, values in ((found(document, path), values) for path, values in where.items())
    )


class _Node(dict[str, Any]):
    """A branch that grew from a path, told from an object that is itself a value."""


def _lists(node: dict[str, Any], path: str) -> dict[str, Any] | list[Any]:
    grown = {key: _lists(value, f"{path}{key}.") if isinstance(value, _Node) else value for key, value in node.items()}
    if not any(key.isascii() and key.isdigit() for key in grown):
        return grown
    try:
        return [grown[str(place)] for place in range(len(grown))]
    except KeyError as gap:
        raise ValueError(f"{path}{gap.args[0]} is missing in the list") from gap


def _of_file(file: Attachment, name: str) -> str:
    return base64.b64encode(file.content).decode("ascii") if name == "content" else str(getattr(file, name))
