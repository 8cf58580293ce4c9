"""Names: a reported text to a checked name in both readings of the suffix list, beside the one lookup alone."""

import time
from collections.abc import Callable, Sequence

import publicsuffixlist
from publicsuffixlist import PublicSuffixList

from notifier.domain.names import Suffixes, parse
from notifier.suffixes import load_suffixes
from tests.bench.measure import Line, Rate, alternate

_COUNT = 50_000
_ENDINGS = ("com", "org", "net", "co.uk", "info", "ru")
_BARE = "registrable name by publicsuffixlist, ICANN section, nothing checked"


async def reading() -> list[Line]:
    """Each for itself, on one core, in this process; the goal for plain names is 100,000 a second."""
    suffixes = load_suffixes()
    with open(publicsuffixlist.PSLFILE, encoding="utf-8") as file:
        bare = PublicSuffixList(file.read(), accept_unknown=False, only_icann=True)
    lines = []
    for what, limit, texts in (
        (
            "plain ASCII names read",
            "lower-case and mixed-case names of two to four labels, no cache of whole names",
            _plain(),
        ),
        ("defanged URLs read", "hxxps://name[.]tld:port/path", _urls()),
        ("names in Unicode read", "one label with letters outside ASCII, mapped and encoded by IDNA2008", _unicode()),
    ):
        hosts = [parse(text, suffixes).host for text in texts]
        measured = await alternate(_reading(suffixes, texts), _looking_up(bare, hosts))
        lines.append(measured.line(what, _BARE, f"one core; {limit}"))
    return lines


def _reading(suffixes: Suffixes, texts: Sequence[str]) -> Rate:
    async def rate(_: int) -> float:
        return _rate(lambda text: parse(text, suffixes), texts)

    return rate


def _looking_up(bare: PublicSuffixList, hosts: Sequence[str]) -> Rate:
    async def rate(_: int) -> float:
        return _rate(bare.privatesuffix, hosts)

    return rate


def _plain() -> list[str]:
    made = [f"{'www.' * (n % 2)}shop-{n}.{_ENDINGS[n % len(_ENDINGS)]}" for n in range(_COUNT)]
    return [name.title() if n % 10 == 0 else name for n, name in enumerate(made)]


def _urls() -> list[str]:
    return [f"hxxps://www[.]shop-{n}[.]{_ENDINGS[n % len(_ENDINGS)]}:8443/a/{n}?b=c" for n in range(_COUNT // 10)]


def _unicode() -> list[str]:
    return [f"bücher-{n}.{_ENDINGS[n % len(_ENDINGS)]}" for n in range(_COUNT // 10)]


def _rate(read: Callable[[str], object], texts: Sequence[str]) -> float:
    began = time.perf_counter()
    for text in texts:
        read(text)
    return len(texts) / (time.perf_counter() - began)
