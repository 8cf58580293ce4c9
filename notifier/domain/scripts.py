"""Writing systems of a label, and what its letters look like in Latin. Advice for a person, never identity."""

import unicodedata

# Sets of scripts that one language mixes in ordinary words (UTS 39, 5.2 "highly restrictive").
_USUAL = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)

# Letters that a reader takes for Latin ones: our own small table of the scripts used to imitate brand names.
_CYRILLIC = dict(zip("авеѕіјкмнорсутхһԁԛԝӏѵгпьё", "abesijkmhopcytxhdqwlvrnbe", strict=True))
_GREEK = dict(zip("αβγεηικνορτυχωϲϳ", "abyenikvoptuxwcj", strict=True))
_ARMENIAN = dict(zip("օսոհցզյ", "ounhgqj", strict=True))
_LATIN = dict(zip("ıɡɑłøđħŧɩʟſ", "igalodhtils", strict=True))
_LOOKS = str.maketrans(_CYRILLIC | _GREEK | _ARMENIAN | _LATIN)


def scripts(label: str) -> frozenset[str]:
    """Script names of the letters: the first word of the Unicode name, HAN for ideographs. Marks have none."""
    found = set()
    for char in label:
        if unicodedata.category(char)[0] != "L":
            continue
        word = unicodedata.name(char, "UNKNOWN").split(" ")[0]
        if word in ("MODIFIER", "IDEOGRAPHIC", "KATAKANA-HIRAGANA", "FEMININE", "MASCULINE"):
            continue
        found.add("HAN" if word == "CJK" else word)
    return frozenset(found)


def mixed_scripts(label: str) -> tuple[str, ...]:
    """Sorted script names when the label mixes scripts that no language mixes; empty otherwise."""
    found = scripts(label)
    if len(found) < 2 or any(found <= usual for usual in _USUAL):
        return ()
    return tuple(sorted(found))


def skeleton(label: str) -> str:
    """What the label looks like in plain Latin letters: accents dropped, look-alike letters replaced."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c))
    return plain.casefold().translate(_LOOKS)
