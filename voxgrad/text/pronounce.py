"""One written word to its phones: our own table, the dictionary, its base with an ending, the network."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import filterfalse
from string import ascii_lowercase
from typing import Final, Literal

from voxgrad.text.dictionary import PREFERRED_VARIANTS, additions, is_vowel, lookup, predict
from voxgrad.text.rules import word_set

Source = Literal["dictionary", "derived", "espeak-ng", "homograph", "inline", "letters", "lexicon", "network", "spelt"]
"""``dictionary``: it or our additions to it; ``derived``: regularly from it; ``espeak-ng``: it reads other
languages; ``homograph``: chosen by context;
``inline``: phones in braces; ``letters``: characters as the official front end writes them; ``lexicon``: the
user's; ``network``: a guess; ``spelt``: the names of the letters."""

LONGEST_WORD: Final = 40
"""Letters; what is longer is no word, and is spelt: the network would need a step for each letter."""
_SPEAKABLE: Final = frozenset("aeiouy")
"""A word with none of these is an acronym, whatever its case."""


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """The phones of a word, and where they come from; of a homograph, the sense that was chosen too."""

    phones: tuple[str, ...]
    source: Source
    sense: str = ""


@lru_cache(maxsize=16384)
def pronounce(word: str) -> Pronunciation:
    """The pronunciation of a word as ``normalize`` writes it: in capitals where it is to be spelt."""
    if (known := find(word)) is not None:
        return known
    base = re.fullmatch("([^A-Z.]*[^A-Z.'])'s", word)
    if base is not None:
        guess = pronounce(base[1])
        return Pronunciation(with_s(guess.phones), guess.source)
    if is_told_by_accent(word):
        return Pronunciation(_accented(word), "derived")
    if not word.isascii():
        return pronounce(re.sub("[^a-z']", "", without_accents(word)))
    return _guess(re.sub("[^a-z]", "", word.lower()))


def _guess(letters: str) -> Pronunciation:
    drawn_out = next(filter(None, map(find, _without_runs(letters))), None)
    if drawn_out is not None:
        return Pronunciation(drawn_out.phones, "derived")
    if len(letters) > LONGEST_WORD or not _SPEAKABLE.intersection(letters):
        return _spell(letters)
    if (derived := derive(letters)) is not None:
        return Pronunciation(derived, "derived")
    # Only UW may come without stress from the network; the table's bare vowels were never trained.
    phones = tuple("UW0" if phone == "UW" else phone for phone in predict(letters) if phone[0] != "<")
    return Pronunciation(phones, "network") if phones else _spell(letters)


@lru_cache(maxsize=16384)
def find(word: str) -> Pronunciation | None:
    """The pronunciation of a word that needs no guess, or None."""
    if word == "A" or (len(word) > 1 and re.fullmatch(r"(?:[A-Z]\.?)+(?:'?s)?'?", word)):
        return _spell(word.removesuffix("'"))
    lower = word.lower()
    for candidate in dict.fromkeys((lower, lower.removesuffix("'"), lower.removeprefix("'"), lower.strip("'"))):
        if (phones := _known(candidate, PREFERRED_VARIANTS.get(candidate, 1))) is not None:
            return Pronunciation(phones, "dictionary")
    if re.fullmatch(r"(?:[a-z]\.)+", lower):
        return _spell(lower)
    return _extended(lower)


def _extended(word: str) -> Pronunciation | None:
    """A possessive, or a contraction that no dictionary has whole."""
    written = re.fullmatch(r"(.*)('s|s')", word) or _CONTRACTION.fullmatch(word)
    base = written and find(written[1])
    return written and base and Pronunciation(_contracted(base.phones, written[2]), base.source)


_CONTRACTION: Final = re.compile(r"('?[^\W\d_](?:[^\W\d_]|')*)('(?:d|ll|re|ve)|n't)")
_RUN: Final = re.compile(r"(.)\1{2,}")


def _contracted(phones: tuple[str, ...], ending: str) -> tuple[str, ...]:
    """What ``'s``, ``'d`` and the like add, to any word and to each other: "y'all'd've".

    >>> _contracted(("IH1", "T"), "'d"), _contracted(("Y", "UW1"), "'ll")
    (('IH1', 'T', 'AH0', 'D'), ('Y', 'UW1', 'L'))
    """
    if ending in {"'s", "s'"}:
        return with_s(phones)
    if ending in {"'re", "n't"}:
        return phones + (("ER0",) if ending == "'re" else ("AH0", "N", "T"))
    last = {"'d": "D", "'ll": "L", "'ve": "V"}[ending]
    syllable = phones[-1] in {"T", "D"} if ending == "'d" else not is_vowel(phones[-1])
    return (*phones, "AH0", last) if syllable else (*phones, last)


def _without_runs(word: str) -> Iterator[str]:
    """What a word such as "sooo" or "cooool" may be drawn out from."""
    if _RUN.search(word) is not None:
        once, twice = _RUN.sub(r"\1", word), _RUN.sub(r"\1\1", word)
        yield from (base for base in ((once, twice) if word[-1] == word[-3] else (twice, once)) if len(base) > 1)


_NO_STUTTER: Final = word_set("b-ball b-boy b-boys c-clamp d-day e-edition h-hour s-shaped t-test t-tests")


def is_stutter(part: str, word: str) -> bool:
    """Whether letters before a hyphen are the beginning of the word after it, said before it ("wh-what")."""
    letter_or_onset = len(part) == 1 or _SPEAKABLE.isdisjoint(part)
    begins = len(word) > len(part) and word.startswith(part) and not _SPEAKABLE.isdisjoint(word)
    return letter_or_onset and begins and f"{part}-{word}" not in _NO_STUTTER


def stuttered(letters: str, following: tuple[str, ...]) -> tuple[str, ...]:
    """The phones of a word's beginning that is said before the word, as in "wh-what" and "s-s-stop".

    >>> stuttered("th", ("DH", "AE1", "T")), stuttered("e", ("EH1", "V", "R", "IY0"))
    (('DH', 'AH0'), ('EH0',))
    """
    if is_vowel(following[0]):
        return (f"{following[0][:2]}0",)
    sounds = len(re.sub("[tscpw]h|kn|gn|wr|qu|ps", "-", letters))
    onset = [phone for phone in following[:sounds] if not is_vowel(phone)]
    return (*onset, "AH0")


def without_accents(word: str) -> str:
    """The letters alone.

    >>> without_accents("mâché")
    'mache'
    """
    if word.isascii():
        return word
    return "".join(filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", word)))


def is_told_by_accent(word: str) -> bool:
    """Whether a lower-case word is said otherwise than its letters without accents would be ("rosé", "learnèd")."""
    if word.isascii() or word in additions():
        return not word.isascii()
    plain = without_accents(word)
    if len(word) < 4 or not plain.isascii():
        return False
    if word.endswith(("és", "éd", "ées", "éed")) or word[:-1] in additions():
        return is_told_by_accent(word[:-1])
    known = _known(plain)
    return word.endswith("èd") or (word.endswith(("é", "ée")) and (known is None or known[-1][:2] != "EY"))


def _accented(word: str) -> tuple[str, ...]:
    if word in additions():
        return tuple(additions()[word].split())
    if word.endswith("èd"):
        return (*pronounce(without_accents(word[:-2])).phones, "IH0", "D")
    if word.endswith("s"):
        return with_s(_accented(word[:-1]))
    if word.endswith("d"):
        return with_d(_accented(word[:-1]))
    phones = [phone.replace("1", "0") for phone in pronounce(without_accents(word)).phones]
    return (*(phones[:-1] if is_vowel(phones[-1]) else phones), "EY1")


def _spell(word: str) -> Pronunciation:
    stem = word[:-1].removesuffix("'") if word[-1] == "s" and word[:-1].rstrip("'.").isupper() else word
    # The dictionary's "a." is the letter's name, its "a" the article.
    names = (lookup(f"{letter}.") for letter in stem.lower() if letter in ascii_lowercase)
    phones = tuple(phone for name in names if name is not None for phone in name)
    return Pronunciation(phones if stem == word else with_s(phones), "spelt")


_SIBILANTS: Final = {"S", "Z", "SH", "ZH", "CH", "JH"}
_VOICELESS: Final = {"P", "T", "K", "F", "TH", *_SIBILANTS} - {"Z", "ZH", "JH"}
_VOWELS: Final = "aeiou"
_SHORTEST_STEM: Final = 3
_SHORTEST_PART: Final = 4

_ADDED: Final = {
    "ness": ("N", "AH0", "S"), "less": ("L", "AH0", "S"), "ful": ("F", "AH0", "L"), "ly": ("L", "IY0"),
    "man": ("M", "AH0", "N"), "men": ("M", "IH0", "N"), "shire": ("SH", "ER0"),
}  # fmt: skip
"""Endings that leave the spelling of the stem alone, but for a final y."""
_FUSED: Final = {"ing": ("IH0", "NG"), "er": ("ER0",), "ers": ("ER0", "Z"), "est": ("AH0", "S", "T")}
"""Endings that may double its last letter or take its e."""
_PREFIXES: Final = {
    "un": ("AH0", "N"), "non": ("N", "AA2", "N"), "mis": ("M", "IH0", "S"), "dis": ("D", "IH0", "S"),
    "re": ("R", "IY0"), "over": ("OW2", "V", "ER0"), "under": ("AH2", "N", "D", "ER0"),
}  # fmt: skip
_NO_PARTS: Final = word_set("able ably ally city eries mony nial ories ration rations solute tenancy vident")
"""In the dictionary, but seen at a word's end they are mostly not that word."""


def with_s(phones: tuple[str, ...]) -> tuple[str, ...]:
    """The phones with the ending of a possessive or a plural.

    >>> with_s(("K", "AE1", "T")), with_s(("D", "AO1", "G")), with_s(("R", "OW1", "Z"))
    (('K', 'AE1', 'T', 'S'), ('D', 'AO1', 'G', 'Z'), ('R', 'OW1', 'Z', 'IH0', 'Z'))
    """
    return phones + (("IH0", "Z") if phones[-1] in _SIBILANTS else ("S",) if phones[-1] in _VOICELESS else ("Z",))


def with_d(phones: tuple[str, ...]) -> tuple[str, ...]:
    """The phones with the ending of a past tense.

    >>> with_d(("W", "AO1", "K")), with_d(("IH1", "M")), with_d(("L", "IH1", "F", "T"))
    (('W', 'AO1', 'K', 'T'), ('IH1', 'M', 'D'), ('L', 'IH1', 'F', 'T', 'IH0', 'D'))
    """
    return phones + (("IH0", "D") if phones[-1] in {"T", "D"} else ("T",) if phones[-1] in _VOICELESS else ("D",))


def derive(word: str) -> tuple[str, ...] | None:
    """The phones of a word of letters a to z that is built regularly from words of the dictionary, or None."""
    return _american(word) or _inflected(word) or _prefixed(word) or _compound(word)


_OUR: Final = (
    "arb|ard|arm|behavi|cand|clam|clang|col|demean|dol|enam|endeav|fav|ferv|flav|glam|harb|hon|hum|lab|neighb|od|parl|ranc"
    "|rig|rum|savi?|splend|succ|tum|val|vap|vig"
)
_AMERICAN: Final = (
    (f"({_OUR})our", r"\1or"),
    ("(?<=..)is(?=e[drs]?$|ers$|ing$|ations?$|ational$|able$)", "iz"),
    ("ys(?=e[drs]?$|ers$|ing$)", "yz"),
    ("(?<=[^aeiou])re(?=s?$)", "er"),
    ("(?<=[^aeiou])re(?=d$)", "ere"),
    ("ogue(?=s?$)", "og"),
    ("ae(?=.)|(?:^|(?<=^[cf])|(?<=hom)|(?<=man)|(?<=rrh))oe", "e"),
    ("([aeiou][^aeiou]+[aeiou]|ue)ll(?=ed$|ing$|ers?$|ous$|ery$|ors?$|ists?$)", r"\1l"),
    ("l(?=ments?$|ful(?:ly)?$)", "ll"),
    ("(?<!l)l$", "ll"),
    ("(?<=.en)ce(?=s?$)", "se"),
    ("^sce(?=p)", "ske"),
    ("ou(?=l[dt])", "o"),
    ("sulph", "sulf"),
    ("grey", "gray"),
    ("chequ(?=e)", "check"),
    ("eing$", "ing"),
)
"""Endings and letters of British spellings, with those of the American ones that the dictionary has."""


def _american(word: str, rules: tuple[tuple[str, str], ...] = _AMERICAN) -> tuple[str, ...] | None:
    """The phones of a British spelling, by the American one ("organised", "oesophagus").

    >>> _american("oesophagus")
    ('IH0', 'S', 'AA1', 'F', 'AH0', 'G', 'AH0', 'S')
    """
    for number, (pattern, american) in enumerate(rules, 1):
        spelling = re.sub(pattern, american, word)
        if spelling == word:
            continue
        if phones := _known(spelling) or _inflected(spelling) or _american(spelling, rules[number:]):
            return phones
    return None


def _inflected(word: str) -> tuple[str, ...] | None:
    if word.endswith("s") and not word.endswith("ss"):
        from_y, from_e = word.endswith("ies"), word.endswith("es")
        if stem := _first_known((word[:-1], f"{word[:-3]}y" if from_y else "", word[:-2] if from_e else "")):
            return with_s(stem)
    if word.endswith("in") and (gerund := _known(f"{word}g")):
        return (*gerund[:-1], "N")
    if word.endswith("ed") and (stem := _first_known(_stems(word[:-2]))):
        return with_d(stem)
    for ending, phones in _FUSED.items():
        if word.endswith(ending) and (stem := _first_known(_stems(word[: -len(ending)]))):
            return (*stem, *phones)
    for ending, phones in _ADDED.items():
        if not word.endswith(ending):
            continue
        base = word.removesuffix(ending)
        # A stem in -y shows as -i- (happily); the stem may itself be derived (unaffectedly).
        with_y = f"{base[:-1]}y" if base.endswith("i") else ""
        if stem := _first_known((base, with_y)) or _inflected(base) or _prefixed(base):
            # One L is heard in "finally", and the y of "happily" is weak.
            joint = stem[:-1] if (stem[-1], phones[0]) == ("L", "L") else stem
            weak = (*joint[:-1], "AH0") if (joint[-1], ending) == ("IY0", "ly") else joint
            return (*weak, *phones)
    return None


def _prefixed(word: str) -> tuple[str, ...] | None:
    for prefix, phones in _PREFIXES.items():
        rest = word.removeprefix(prefix)
        if rest == word or len(rest) < _SHORTEST_PART or rest in _NO_PARTS:
            continue
        if stem := _known(rest) or _inflected(rest):
            return (*phones, *stem)
    return None


def _compound(word: str) -> tuple[str, ...] | None:
    for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
        first, second = _known(word[:cut]), _known(word[cut:])
        if first and second and word[cut:] not in _NO_PARTS:
            # The first part bears the stress, as in "housemaid".
            return (*first, *(phone.replace("1", "2") for phone in second))
    return None


def _stems(base: str) -> Iterator[str]:
    doubled = len(base) > _SHORTEST_STEM and base[-1] == base[-2] and base[-1] not in _VOWELS
    yield from (base, base[:-1]) if doubled else (f"{base}e", base)
    if base.endswith("i"):
        yield f"{base[:-1]}y"


def _first_known(stems: tuple[str, ...] | Iterator[str]) -> tuple[str, ...] | None:
    return next((phones for stem in stems if len(stem) >= _SHORTEST_STEM and (phones := _known(stem))), None)


def _known(word: str, variant: int = 1) -> tuple[str, ...] | None:
    own = additions().get(word)
    return lookup(word, variant) if own is None else tuple(own.split())
