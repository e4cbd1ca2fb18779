"""Phones of all languages but English, written in IPA, as token ids beside those of English.

A consonant that English has too is the token of English. All others, and all vowels, are tokens of their own, whose
embedding begins as that of the nearest phone of English. Each language has a blank of its own, which stands between all
tokens and so tells the network the language.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.rules import table
from voxgrad.text.symbols import BLANK, BLANK_LABEL, PHONE_IDS, SYMBOLS, VOCABULARY_SIZE

_MOST_LANGUAGES: Final = 64
_SHARED: Final = table("""
    p P, b B, t T, d D, k K, ɡ G, f F, v V, θ TH, ð DH, s S, z Z, ʃ SH, ʒ ZH, t͡ʃ CH, d͡ʒ JH, h HH, m M, n N, ŋ NG,
    l L, ɹ R, j Y, w W
""")
"""Consonants that are tokens of English."""
_CONSONANTS: Final = table("""
    r R, ɾ D, ʁ R, x HH, ɣ G, β V, ʎ L, ɲ N, ç SH, ʝ Y, ʋ V, ʔ T, ɕ SH, ʑ ZH, ʂ SH, ʐ ZH, c K, ɟ G, ɸ F, χ HH, ʀ R,
    ɽ R, ɻ R, ʈ T, ɖ D, ɳ N, ɭ L, ɦ HH, ħ HH, ʕ R, ɥ W, ɬ L, q K, ɰ W, ɫ L, ʍ W
""")
_VOWELS: Final = table("""
    i IY, y IY, ɨ IH, ʉ UW, ɯ UW, u UW, ɪ IH, ʏ IH, ʊ UH, e EY, ø ER, ɘ AH, ɵ UH, ɤ AH, o OW, ə AH, ɛ EH, œ ER, ɜ ER,
    ɞ ER, ʌ AH, ɔ AO, æ AE, ɐ AH, a AA, ɑ AA, ɒ AO, iː IY, yː IY, ɨː IH, uː UW, ɪː IH, ʊː UH, eː EY, øː ER, oː OW,
    əː AH, ɛː EH, œː ER, ɔː AO, æː AE, aː AA, ɑː AA, ĩ IY, ỹ IY, ũ UW, ɪ̃ IH, ʊ̃ UH, ẽ EY, õ OW, ɛ̃ EH, œ̃ ER, ɔ̃ AO, ã AA,
    ɑ̃ AA, ɐ̃ AH, ɨ̃ IH, ə̃ AH
""")
"""These tables give the nearest phone of English. Their order is that of the ids: append, and change nothing else."""
_STRESSES: Final = {"": "0", "ˈ": "1", "ˌ": "2"}
_FIRST: Final = VOCABULARY_SIZE + _MOST_LANGUAGES
BLANKS: Final = range(BLANK, _FIRST)
"""The ids of the blanks of English and of all other languages."""
NEAREST: Final[dict[str, str]] = {
    **_SHARED,
    **_CONSONANTS,
    **{stress + vowel: near + digit for vowel, near in _VOWELS.items() for stress, digit in _STRESSES.items()},
}
"""The nearest phone of English of every phone; vowels have a stress mark, or none."""
IPA_IDS: Final[dict[str, int]] = {
    **{phone: PHONE_IDS[near] for phone, near in _SHARED.items()},
    **{phone: _FIRST + index for index, phone in enumerate(list(NEAREST)[len(_SHARED) :])},
}
IPA_VOCABULARY_SIZE: Final = _FIRST + len(NEAREST) - len(_SHARED)
"""Ids of English, of the blanks, and of the phones of this module."""

_WRITTEN: Final = {
    "ʧ": "t͡ʃ", "ʤ": "d͡ʒ", "ʦ": "ts", "ʣ": "dz", "g": "ɡ", "ᵻ": "ɨ", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɱ": "m", "ɮ": "l", "ɢ": "ɡ",
    "ɶ": "œ",
}  # fmt: skip
"""Other ways to write a phone."""
_PALATAL, _SYLLABIC, _LONG, _NASAL, _TIE = "ʲ", "\u0329", "ː", "\u0303", "\u0361"
_SIGN: Final = re.compile(
    rf"(?P<phone>(?:t{_TIE}ʃ|d{_TIE}ʒ|[^\W\d_ˈˌʰʷˤ])[{_LONG}ˑ{_PALATAL}\u0300-\u0360\u0362-\u036f]*)|.", re.DOTALL
)
_SILENT: Final = frozenset(" .‿|-'ʰʷˤ˞\u0361")


_LABELS: Final[dict[int, str]] = {token: phone for phone, token in IPA_IDS.items()}


def labels_of(tokens: Sequence[int]) -> list[str]:
    """What tokens stand for: phones, letters, marks, spaces, and ``_`` for blanks.

    The blanks tell the language, and so whether a consonant is written as in English.

    >>> labels_of([BLANK, PHONE_IDS["P"], BLANK]), labels_of([language_blank(0), IPA_IDS["p"], IPA_IDS["ˈo"]])
    (['_', 'P', '_'], ['_', 'p', 'ˈo'])
    """
    own = _LABELS if any(token > BLANK for token in tokens) else {}
    return [BLANK_LABEL if token in BLANKS else own.get(token) or SYMBOLS[token].removeprefix("@") for token in tokens]


def language_blank(index: int) -> int:
    """The blank of a language, by its number."""
    if not 0 <= index < _MOST_LANGUAGES:
        raise ValueError(f"no language has the number {index}")
    return VOCABULARY_SIZE + index


def is_vowel(phone: str) -> bool:
    """Whether a phone of this module is a vowel.

    >>> is_vowel("ˈaː"), is_vowel("t͡ʃ")
    (True, False)
    """
    return phone.strip("ˈˌ") in _VOWELS


def is_phone(label: str) -> bool:
    """Whether a label of an encoded text is a phone of English or another language.

    >>> is_phone("AH0"), is_phone("ˈo"), is_phone(","), is_phone("_")
    (True, True, False, False)
    """
    return label in PHONE_IDS or label in NEAREST


def phones(transcription: str, replaced: dict[str, str] | None = None) -> tuple[str, ...]:
    """The phones of a transcription, each a key of `IPA_IDS`; a long consonant is two.

    Args:
        transcription: IPA, with stress marks before the syllable or the vowel.
        replaced: phones that are written otherwise in a language, such as German ``ɾ`` for ``ʁ``.

    Raises:
        BadInputError: it contains a sign that is no phone; the message gives it and its place.

    >>> phones("ˈokːi"), phones("d͡ʒˈɔɾno"), phones("tʰo")
    (('ˈo', 'k', 'k', 'i'), ('d͡ʒ', 'ˈɔ', 'ɾ', 'n', 'o'), ('t', 'o'))
    """
    written = unicodedata.normalize("NFD", transcription).replace("c\u0327", "ç")
    for sign, plain in _WRITTEN.items():
        written = written.replace(sign, plain)
    found: list[str] = []
    stress = ""
    for match in _SIGN.finditer(written):
        sign, place = match[0], f"character {match.start() + 1} of {transcription!r}"
        if sign in {"ˈ", "ˌ"}:
            stress = sign
        elif match["phone"] is not None:
            for phone in _of_sign(sign, replaced or {}):
                if phone not in NEAREST:
                    raise BadInputError(f"{sign!r}, {place}, is not a known phone", "Write it in IPA.")
                vowel = is_vowel(phone)
                found.append(stress + phone if vowel else phone)
                stress = "" if vowel else stress
        elif sign not in _SILENT and unicodedata.combining(sign) == 0:
            raise BadInputError(f"{sign!r}, {place}, is not IPA", "Write phones in IPA, such as ˈola.")
    return tuple(found)


def inline_ipa(transcription: str) -> str:
    """A transcription as it is written within a text: between slashes, which braces enclose.

    Raises:
        BadInputError: as `phones`, or there are none.
    """
    if not phones(transcription):
        raise BadInputError("there are no phones", "Write phones in IPA, such as ˈola.")
    return f"/{transcription}/"


def _of_sign(written: str, replaced: dict[str, str]) -> Iterator[str]:
    """The phones that a letter with its marks stands for."""
    base = re.match(rf"[td]{_TIE}.|.", written)
    letter = written[0] if base is None else base[0]
    marks = written[len(letter) :]
    letter = replaced.get(letter, letter)
    nasal = unicodedata.normalize("NFC", letter + _NASAL)
    if letter in _VOWELS:
        long = letter + _LONG
        yield nasal if _NASAL in marks and nasal in _VOWELS else long if _LONG in marks and long in _VOWELS else letter
        return
    if _SYLLABIC in marks:
        yield "ə"
    yield letter
    if _LONG in marks:
        yield letter
    if _PALATAL in marks:
        yield "j"
