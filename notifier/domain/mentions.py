"""Names and addresses in free text: proposals for a person, each with its line. Nothing here submits anything.

Only what is written out is proposed. What can be meant in two ways is shown as refused, with the reason, and never
mended: a sentence must not become a domain. Each line is read alone, in time linear in its length.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from notifier.domain.names import Name, Suffixes, parse
from notifier.domain.scripts import scripts
from notifier.domain.urlparts import cut, refused, shown
from notifier.errors import Refused

MAX_LINE = 65_536  # characters; a longer line is no text that a person wrote
_SHOWN = 500

_MARKS = "\"'`´“”„‟‘’‚‛«»‹›"
# Marks that no name or address has inside: they end one, in prose, in tables and in HTML.
_CUT = '\\s"`“”„‟«»‹›<>＂＜＞|（）「」『』【】《》、，；'
_IN_BRACKETS = r" {0,3}[\[({] {0,2}(?:\.|dot) {0,2}[\])}] {0,3}"
_WORD_DOT = r"[ \t]{1,3}dot[ \t]{1,3}(?=\w)"
# A run without spaces; dots in brackets may have some around them, and so may the slashes of a scheme.
_RUN = re.compile(rf"(?:(?<=[a-z0-9\]]:)//[ \t]{{1,2}}|{_IN_BRACKETS}|{_WORD_DOT}|[^{_CUT}])+", re.IGNORECASE)
_SCHEME = re.compile(
    r"(?<![a-z0-9+.-])\[?(?:h(?:tt|xx|00|\*\*)ps?|f[tx]ps?)\]?[ \t]{0,2}[\[({]?:[\])}]?[ \t]{0,2}[\[({]?[/\\]{2}",
    re.IGNORECASE,
)
_NEXT_ADDRESS = re.compile(r"[,;]+(?=(?:h(?:tt|xx|00)ps?|f[tx]ps?)\[?:)", re.IGNORECASE)
_PARTS = re.compile(r"[^,;]+")
_MARKED_DOT = re.compile(_IN_BRACKETS, re.IGNORECASE)
_SPACED_DOT = re.compile(_WORD_DOT, re.IGNORECASE)
_DOTTED = re.compile(r"[^\W_][.．。｡][^\W_]")
_LABELLED = re.compile(r"[^\W\d_]{2,20}:(?=[^\d/\\\s])")  # Domain:evil.com
_FOUR_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\S*)?")
_MAIL = re.compile(r"[^@\s]+@[^@\s/\\:]+\.[^@\s/\\:]+")
_FULL_STOP = re.compile(r"。(?=[^\x00-\x7f])")  # ends a sentence where no space follows it
_SPACE = re.compile(r"\s")
_CLOSING = frozenset(".,;:!?…。*_" + _MARKS)
_OPENING = _MARKS + "*_(="
_PAIRS = {")": "(", "]": "[", "}": "{"}
# Written without spaces between the words, so that the word before a name would become a part of it.
_UNSPACED = frozenset({"HAN", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
# Top-level domains that people who write about files use more often for those.
_FILES_TOO = frozenset({"zip", "mov", "md", "py", "sh"})


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a text. `line` counts from 1; `text` as written. Either `name`, or a refusal's `code` and `detail`.

    `code` is an intake refusal code, or `uncertain` (it can be meant otherwise), `mail_address`, `nothing_named`.
    """

    line: int
    text: str
    name: Name | None
    code: str | None = None
    detail: str | None = None


def mentions(lines: Iterable[str], suffixes: Suffixes) -> Iterator[Mention]:
    """At least one mention for every line that is not blank, in the order of the text. Never raises for any text.

    A line that holds one address and nothing else is read as a field of a form would be.
    """
    for number, line in enumerate(lines, 1):
        yield from of_line(number, line, suffixes)


def of_field(number: int, text: str, suffixes: Suffixes) -> Mention:
    """The whole text as one name or address, as a field of a form would be read."""
    return _read(number, text, suffixes)


def of_line(number: int, line: str, suffixes: Suffixes) -> Iterator[Mention]:
    """The mentions of one line."""
    text = line.strip()
    if not text:
        return
    if len(text) > MAX_LINE:
        yield _refusal(
            number, text, refused("too_large", text, f"is a line of over {MAX_LINE} characters; break it up")
        )
        return
    runs = list(_runs(text))
    if len(runs) == 1:
        alone = _read(number, _bare(runs[0][1]) or text, suffixes)
        if alone.name is not None or not _LABELLED.match(alone.text):
            yield alone
            return
    found = list(_in_prose(number, text, runs, suffixes))
    yield from found or [_refusal(number, text, refused("nothing_named", text, "names no site that can be read"))]


def _runs(text: str) -> Iterator[tuple[int, str]]:
    """What may be an address, with its place in the text. An address with a scheme keeps its commas."""
    for run in _RUN.finditer(text):
        at = run.start()
        for part in re.split(f"({_NEXT_ADDRESS.pattern})", run[0], flags=re.IGNORECASE):
            scheme = _SCHEME.search(part)
            bare = part[: scheme.start()] if scheme else part
            yield from ((at + piece.start(), piece[0]) for piece in _PARTS.finditer(bare))
            if scheme:
                yield at + scheme.start(), part[scheme.start() :]
            at += len(part)


def _in_prose(number: int, line: str, runs: list[tuple[int, str]], suffixes: Suffixes) -> Iterator[Mention]:
    read_to = 0
    for place, (at, run) in enumerate(runs):
        if at < read_to:
            continue
        text = _bare(run)
        if not _SCHEME.match(text):
            yield from _bare_name(number, text, suffixes)
            continue
        mention = _read(number, text, suffixes)
        if mention.name is None and _host_is_missing(text):
            # What follows may be the host, or a part of it: then nobody knows which.
            read_to = _end_of_word(line, at + len(run))
            following = next((runs[i] for i in range(place + 1, len(runs)) if runs[i][0] >= read_to), None)
            if following and _names_something(following[1]) and not _SCHEME.match(following[1]):
                read_to = following[0] + len(following[1])
            mention = _refusal(
                number, line[at:read_to], refused("no_host", line[at:read_to], "names no host for certain")
            )
        yield mention


def _end_of_word(line: str, start: int) -> int:
    space = _SPACE.search(line, start)
    return space.start() if space else len(line)


def _host_is_missing(text: str) -> bool:
    try:
        return "." not in cut(text).host
    except Refused as refusal:
        return refusal.code == "no_host"


def _bare_name(number: int, text: str, suffixes: Suffixes) -> Iterator[Mention]:
    """What a run of characters without a scheme says within a line; nothing for ordinary words."""
    if (labelled := _LABELLED.match(text)) and _names_something(text[labelled.end() :]):
        text = text[labelled.end() :]
    if not _names_something(text):
        return
    if _MAIL.fullmatch(text):
        why = "is a mail address; report the site by itself if it is meant"
        yield _refusal(number, text, refused("mail_address", text, why))
        return
    mention = _read(number, text, suffixes)
    if mention.name is None and (stop := _FULL_STOP.search(text)) and _DOTTED.search(text[: stop.start()]):
        text = text[: stop.start()]
        mention = _read(number, text, suffixes)
    if mention.name is None:
        if _is_meant(text):
            yield mention
        return
    if doubt := _doubt(text, mention.name):
        mention = _refusal(
            number, text, refused("uncertain", text, f"{doubt}; if {mention.name.host} is meant, report it")
        )
    yield mention


def _names_something(text: str) -> bool:
    return bool(
        _DOTTED.search(text) or _MARKED_DOT.search(text) or _SPACED_DOT.search(text) or "xn--" in text.lower()
    )  # fmt: skip


def _is_meant(text: str) -> bool:
    """Whether whoever wrote it meant an address, so that a refusal is worth showing. A word with a dot is not enough."""
    low = text.lower()
    marked = _MARKED_DOT.search(text) or _FOUR_NUMBERS.fullmatch(text)
    return bool(marked) or low.startswith("www.") or "xn--" in low or "\\" in text or "@" in text


def _doubt(text: str, name: Name) -> str | None:
    """Why a run of characters in a sentence may be no name at all, though it can be read as one."""
    if _SPACED_DOT.search(text):
        return "the word dot may be meant"
    for label in name.unicode.split("."):
        if scripts(label) & _UNSPACED and any(c.isascii() and c.isalpha() for c in label):
            return "where the name begins or ends cannot be told"
    if _MARKED_DOT.search(text) or text.lower().startswith("www."):
        return None
    written = re.split(r"[.．。｡]", re.split(r"[/?#:]", text, maxsplit=1)[0].rstrip("."))
    if written[-1].istitle() and len(written[-1]) > 1:
        return "a sentence may end and the next begin there"
    if name.url is None and len(written) == 2 and written[-1].lower() in _FILES_TOO:
        return "a file may be meant"
    return None


def _read(number: int, text: str, suffixes: Suffixes) -> Mention:
    try:
        return Mention(number, text, parse(text, suffixes))
    except Refused as refusal:
        return _refusal(number, text, refusal)


def _refusal(number: int, text: str, refusal: Refused) -> Mention:
    return Mention(number, text if len(text) <= _SHOWN else shown(text), None, refusal.code, refusal.detail)


def _bare(run: str) -> str:
    """Without what closes a sentence, or a bracket that was opened before the run."""
    text = run.strip().lstrip(_OPENING)
    open_ones = {closing: text.count(closing) - text.count(opening) for closing, opening in _PAIRS.items()}
    end = len(text)
    emphasised = run.strip().startswith("_")  # _evil.com_ is emphasis; alone behind a name it may belong to it
    while end and (text[end - 1] in _CLOSING or open_ones.get(text[end - 1], 0) > 0):
        if text[end - 1] == "_" and not emphasised:
            break
        end -= 1
        if text[end] in open_ones:
            open_ones[text[end]] -= 1
    return text[:end]
