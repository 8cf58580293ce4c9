"""Forms of pages, read within bounds: nothing but the page's own fields, each once."""

import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from aiohttp import web

from notifier.errors import Invalid
from notifier.web.upload import Upload

_ZONED = re.compile(r"(?:[Zz]|[+-]\d{2}:?\d{2})\Z")


def moment(text: str) -> str:
    """What a browser's date-time field holds, in UTC as its label says, as RFC 3339; a zone that is there stays."""
    return text if _ZONED.search(text) else f"{text}Z"


async def read(request: web.Request, fields: Collection[str], max_bytes: int) -> dict[str, str]:
    """The fields that were filled in. Raises Invalid, TooLarge."""
    given, _ = await read_with_list(request, fields, "", 0, max_bytes)
    return given


async def read_with_list(
    request: web.Request, fields: Collection[str], listed: str, most: int, max_bytes: int
) -> tuple[dict[str, str], list[str]]:
    """The same, and the values of the one field that may come more than once, such as boxes that are ticked."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Invalid("send the page's own form")
    body = await Upload(request, request.content_type, max_bytes).content()
    try:
        bound = max(20, len(fields)) + most
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=bound, errors="strict")
    except ValueError:
        raise Invalid("the form cannot be read; send the page's own form") from None
    many = [value for name, value in pairs if name == listed]
    pairs = [(name, value) for name, value in pairs if name != listed]
    given = dict(pairs)
    if len(given) != len(pairs) or not given.keys() <= set(fields):
        raise Invalid("the form has fields that are not the page's own")
    return {name: value.replace("\r\n", "\n").strip() for name, value in given.items()}, many
