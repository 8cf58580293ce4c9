"""The public suffix list in two readings: ICANN section (the registry) and private section (who runs the zone)."""

from functools import cache, lru_cache
from pathlib import Path

import publicsuffixlist
from publicsuffixlist import PublicSuffixList

_HEADER_LINES = 40
_SUFFIXES_KEPT = 4096


class PublicSuffixes:
    """Implements `domain.names.Suffixes` over the list that ships with the `publicsuffixlist` package.

    Hosts are canonical: lower-case A-labels, no root dot. Nothing matches under an unlisted top-level domain.
    `*.name` makes `name` itself a suffix too, in both sections: the careful reading.
    """

    __slots__ = ("_all", "_icann", "_is_icann", "version")

    def __init__(self, text: str) -> None:
        self.version = _version(text)
        self._icann = PublicSuffixList(text, accept_unknown=False, only_icann=True)
        self._all = PublicSuffixList(text, accept_unknown=False)
        # A suffix of both sections together is the same for millions of names.
        self._is_icann = lru_cache(_SUFFIXES_KEPT)(self._icann.is_public)

    def icann_registrable(self, host: str) -> str | None:
        """The name registered at the registry, or None for a public suffix and an unknown top-level domain."""
        return self._icann.privatesuffix(host)

    def is_public_suffix(self, host: str) -> bool:
        """Whether the host itself is a suffix of the ICANN section."""
        return self._icann.is_public(host)

    def private_suffix(self, host: str) -> str | None:
        """The private-section suffix (github.io, ru.com) that the host equals or lies under, or None."""
        longest = self._all.publicsuffix(host)
        if longest is None or self._is_icann(longest):
            return None
        return longest


@cache
def load_suffixes() -> PublicSuffixes:
    """The bundled list; no network. Raises ValueError when the installed list carries no version."""
    return PublicSuffixes(Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8"))


def _version(text: str) -> str:
    for line in text.splitlines()[:_HEADER_LINES]:
        key, _, value = line.removeprefix("//").strip().partition(": ")
        if key == "VERSION" and value:
            return f"publicsuffix.org {value}"
    raise ValueError("the public suffix list has no VERSION line; install a release of publicsuffixlist from 2024 on")
