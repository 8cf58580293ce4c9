"""Authentication-Results (RFC 8601), as our own mail server wrote them; anybody else's are not read. Pure.

Our server must remove fields of its own name that come from outside (RFC 8601 §5), and puts its own above the others:
so only the topmost field that tells of DMARC counts.
"""

import re

from notifier.domain.mail_match import domain_of, sole_author
from notifier.domain.mime import Mail

_LONGEST = 8_000
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RESULT = re.compile(r"([a-z0-9_-]+)(?:\s*/\s*[0-9]+)?\s*=\s*([a-z0-9_-]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"([a-z0-9-]+)\s*\.\s*([a-z0-9-]+)\s*=\s*(\S+)", re.IGNORECASE)


def dmarc_pass(mail: Mail, authserv_id: str | None) -> bool:
    """Whether our server says that the mail's one author domain passed DMARC (RFC 7489). False where it does not say."""
    author = sole_author(mail)
    if not authserv_id or author is None:
        return False
    for value in mail.all("authentication-results"):
        results = _results(value, authserv_id)
        told = [(result, of) for method, result, of in results or () if method == "dmarc"]
        if told:  # the topmost; what stands below may have come from outside
            return all(result == "pass" and of in (None, domain_of(author)) for result, of in told) and any(
                of is not None for _, of in told
            )
    return False


def _results(value: str, authserv_id: str) -> list[tuple[str, str, str | None]] | None:
    """Method, result and header.from of each statement; None when another server wrote it or it cannot be read."""
    if len(value) > _LONGEST:
        return None
    text = _without_comments(value)
    if text is None:
        return None
    first, *statements = _split(text)
    named = first.split()
    version = named[1:] in ([], ["1"])
    if not named or named[0].strip('"').lower() != authserv_id.lower() or not version:
        return None
    found: list[tuple[str, str, str | None]] = []
    for statement in statements:
        result = _RESULT.match(statement.strip())
        if result is None:
            continue
        of = next(
            (
                v.strip('"').rstrip(".").lower()
                for kind, name, v in _PROPERTY.findall(statement[result.end() :])
                if (kind.lower(), name.lower()) == ("header", "from")
            ),
            None,
        )
        found.append((result[1].lower(), result[2].lower(), None if of is None else of.rpartition("@")[2]))
    return found


def _split(text: str) -> list[str]:
    """By semicolons outside quotes; a quoted text (a reason) is emptied, so that nothing in it is read as a result."""
    return _QUOTED.sub(lambda q: q[0] if re.fullmatch(r'"[A-Za-z0-9@._-]*"', q[0]) else '""', text).split(";")


def _without_comments(text: str) -> str | None:
    """RFC 5322 §3.2.2: comments nest, and a quoted parenthesis is none. None when one is not closed."""
    kept: list[str] = []
    depth, quoted, skip = 0, False, False
    for char in text:
        if skip:
            skip = False
        elif char == "\\":
            skip = True
        elif char == '"' and not depth:
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
            continue
        elif char == ")" and not quoted and depth:
            depth -= 1
            kept.append(" ")
            continue
        if not depth:
            kept.append(char)
    return None if depth or quoted else "".join(kept)
