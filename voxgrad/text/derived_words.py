"""Words that the dictionary lacks but whose parts it has: regular endings, prefixes, compounds.

The network guesses such words worse than the dictionary's own stem with the ending's one sound.
"""

from collections.abc import Iterator
from typing import Final

from voxgrad.text.dictionary import lookup

_SIBILANTS: Final = {"S", "Z", "SH", "ZH", "CH", "JH"}
_VOICELESS: Final = {"P", "T", "K", "F", "TH", *_SIBILANTS} - {"Z", "ZH", "JH"}
_VOWELS: Final = "aeiou"
_SHORTEST_STEM: Final = 3
_SHORTEST_PART: Final = 4

_ADDED: Final = {
    "ness": ("N", "AH0", "S"),
    "less": ("L", "AH0", "S"),
    "ful": ("F", "AH0", "L"),
    "ly": ("L", "IY0"),
    "man": ("M", "AH0", "N"),
    "men": ("M", "IH0", "N"),
}
"""Endings that leave the spelling of the stem alone, but for a final y."""
_FUSED: Final = {"ing": ("IH0", "NG"), "er": ("ER0",), "ers": ("ER0", "Z"), "est": ("AH0", "S", "T")}
"""Endings that may double its last letter or take its e."""
_PREFIXES: Final = {
    "un": ("AH0", "N"),
    "non": ("N", "AA2", "N"),
    "mis": ("M", "IH0", "S"),
    "dis": ("D", "IH0", "S"),
    "re": ("R", "IY0"),
    "over": ("OW2", "V", "ER0"),
    "under": ("AH2", "N", "D", "ER0"),
}
_NO_PARTS: Final = frozenset(
    (
        "able",
        "ably",
        "ally",
        "city",
        "eries",
        "mony",
        "nial",
        "ories",
        "ration",
        "rations",
        "solute",
        "tenancy",
        "vident",
    )
)
"""In the dictionary, but seen at a word's end they are mostly not that word."""


def with_s(phones: tuple[str, ...]) -> tuple[str, ...]:
    """The phones with the ending of a possessive or a plural.

    >>> with_s(("K", "AE1", "T")), with_s(("D", "AO1", "G")), with_s(("R", "OW1", "Z"))
    (('K', 'AE1', 'T', 'S'), ('D', 'AO1', 'G', 'Z'), ('R', 'OW1', 'Z', 'IH0', 'Z'))
    """
    if phones[-1] in _SIBILANTS:
        return (*phones, "IH0", "Z")
    return (*phones, "S" if phones[-1] in _VOICELESS else "Z")


def with_d(phones: tuple[str, ...]) -> tuple[str, ...]:
    """The phones with the ending of a past tense.

    >>> with_d(("W", "AO1", "K")), with_d(("IH1", "M")), with_d(("L", "IH1", "F", "T"))
    (('W', 'AO1', 'K', 'T'), ('IH1', 'M', 'D'), ('L', 'IH1', 'F', 'T', 'IH0', 'D'))
    """
    if phones[-1] in {"T", "D"}:
        return (*phones, "IH0", "D")
    return (*phones, "T" if phones[-1] in _VOICELESS else "D")


def derive(word: str) -> tuple[str, ...] | None:
    """The phones of a word built regularly from words of the dictionary, or None.

    Args:
        word: letters a to z, not itself in the dictionary.
    """
    return _inflected(word) or _prefixed(word) or _compound(word)


def _inflected(word: str) -> tuple[str, ...] | None:
    if word.endswith("s") and not word.endswith("ss"):
        stems = (
            word[:-1],
            f"{word[:-3]}y" if word.endswith("ies") else "",
            word[:-2] if word.endswith("es") else "",
        )
        stem = _first_known(stems)
        if stem is not None:
            return with_s(stem)
    if word.endswith("ed"):
        stem = _first_known(_stems(word[:-2]))
        if stem is not None:
            return with_d(stem)
    for ending, phones in _FUSED.items():
        stem = _first_known(_stems(word[: -len(ending)])) if word.endswith(ending) else None
        if stem is not None:
            return (*stem, *phones)
    for ending, phones in _ADDED.items():
        base = word.removesuffix(ending)
        if base != word:
            # A stem in -y shows as -i- (happily); the stem may itself be derived (unaffectedly).
            stem = _first_known((base, f"{base[:-1]}y" if base.endswith("i") else ""))
            stem = _inflected(base) or _prefixed(base) if stem is None else stem
            if stem is not None:
                # One L is heard in "finally", and the y of "happily" is weak.
                joint = stem[:-1] if (stem[-1], phones[0]) == ("L", "L") else stem
                weak = (*joint[:-1], "AH0") if (joint[-1], ending) == ("IY0", "ly") else joint
                return (*weak, *phones)
    return None


def _prefixed(word: str) -> tuple[str, ...] | None:
    for prefix, phones in _PREFIXES.items():
        rest = word.removeprefix(prefix)
        if rest != word and len(rest) >= _SHORTEST_PART and rest not in _NO_PARTS:
            stem = lookup(rest) or _inflected(rest)
            if stem is not None:
                return (*phones, *stem)
    return None


def _compound(word: str) -> tuple[str, ...] | None:
    for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
        first, second = lookup(word[:cut]), lookup(word[cut:])
        if first is not None and second is not None and word[cut:] not in _NO_PARTS:
            # The first part bears the stress, as in "housemaid".
            return (*first, *(phone.replace("1", "2") for phone in second))
    return None


def _stems(base: str) -> Iterator[str]:
    doubled = len(base) > _SHORTEST_STEM and base[-1] == base[-2] and base[-1] not in _VOWELS
    yield from (base, base[:-1]) if doubled else (f"{base}e", base)
    if base.endswith("i"):
        yield f"{base[:-1]}y"


def _first_known(stems: tuple[str, ...] | Iterator[str]) -> tuple[str, ...] | None:
    return next((phones for stem in stems if len(stem) >= _SHORTEST_STEM and (phones := lookup(stem))), None)
