"""IPA and X-SAMPA to ARPABET: English sounds, as dictionaries write them.

Sources: the IPA chart of 2020; X-SAMPA (Wells, 1995); Kirshenbaum's ASCII IPA for what people type.
"""

import re
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.lexicon import checked
from voxgrad.text.symbols import PHONES, is_vowel

# A vowel that never bears stress has its digit already; "1" and "2" before a vowel come from the stress marks.
_IPA: Final = {
    "t͡ʃ": "CH", "tʃ": "CH", "ʧ": "CH", "d͡ʒ": "JH", "dʒ": "JH", "ʤ": "JH",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "ɡ": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɫ": "L", "r": "R",
    "ɹ": "R", "ɻ": "R", "j": "Y", "w": "W", "ʍ": "W", "ɾ": "D", "n̩": "AH0 N", "l̩": "AH0 L", "m̩": "AH0 M",
    "eɪ": "EY", "ei": "EY", "aɪ": "AY", "ai": "AY", "ɔɪ": "OY", "ɔi": "OY", "oɪ": "OY", "aʊ": "AW", "au": "AW",
    "oʊ": "OW", "əʊ": "OW", "ou": "OW", "ɪə": "IY AH0", "eə": "EH AH0", "ɛə": "EH AH0", "ʊə": "UH AH0",
    "i": "IY", "ɪ": "IH", "e": "EH", "ɛ": "EH", "æ": "AE", "a": "AE", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "o": "OW",
    "ʊ": "UH", "u": "UW", "ʉ": "UW", "ʌ": "AH", "ɐ": "AH", "ə": "AH0", "ɜ": "ER", "ɝ": "ER", "ɚ": "ER0", "ɜ˞": "ER",
    "ə˞": "ER0", "ɨ": "IH", "ᵻ": "IH",
}  # fmt: skip
_SAMPA: Final = {
    "tS": "CH", "t_S": "CH", "dZ": "JH", "d_Z": "JH",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "f": "F", "v": "V", "T": "TH", "D": "DH", "s": "S",
    "z": "Z", "S": "SH", "Z": "ZH", "h": "HH", "m": "M", "n": "N", "N": "NG", "l": "L", "5": "L", "r": "R", "r\\": "R",
    "j": "Y", "w": "W", "W": "W", "4": "D", "n=": "AH0 N", "l=": "AH0 L", "m=": "AH0 M",
    "eI": "EY", "aI": "AY", "OI": "OY", "aU": "AW", "oU": "OW", "@U": "OW", "I@": "IY AH0", "e@": "EH AH0",
    "E@": "EH AH0", "U@": "UH AH0",
    "i": "IY", "I": "IH", "e": "EH", "E": "EH", "{": "AE", "&": "AE", "a": "AE", "A": "AA", "Q": "AA", "O": "AO",
    "o": "OW", "U": "UH", "u": "UW", "V": "AH", "@": "AH0", "3": "ER", "3`": "ER", "@`": "ER0", "R": "ER",
}  # fmt: skip
_STRESSES: Final = {"ˈ": "1", "ˌ": "2", '"': "1", "%": "2", "'": "1", ",": "2"}
_PASSED_OVER: Final = frozenset(" .ː:ˑ‿|\u0361\u200d/[]-")
ALPHABETS: Final = {
    "ipa": "ipa", "x-sampa": "x-sampa", "xsampa": "x-sampa", "sampa": "x-sampa", "x-arpabet": "x-arpabet",
    "arpabet": "x-arpabet", "x-cmu": "x-arpabet", "cmu": "x-arpabet",
}  # fmt: skip
"""What `to_phones` reads, by all of its names."""


def to_phones(transcription: str, alphabet: str) -> tuple[str, ...]:
    """A transcription as phones of ours.

    Args:
        transcription: of one word or several.
        alphabet: ``ipa``, ``x-sampa`` (and ASCII IPA where it agrees), or ``x-arpabet``, whose phones spaces part.

    Raises:
        BadInputError: something in it is no sound of English; it is named, and where it stands.

    >>> to_phones("ʃɪˈvɔːn", "ipa"), to_phones("SI'vO:n", "x-sampa")
    (('SH', 'IH0', 'V', 'AO1', 'N'), ('SH', 'IH0', 'V', 'AO1', 'N'))
    """
    if alphabet == "x-arpabet":
        return checked(transcription.split(), repr(transcription))
    table = _IPA if alphabet == "ipa" else _SAMPA
    longest = max(map(len, table))
    phones: list[str] = []
    stress, position = "", 0
    while position < len(transcription):
        sizes = (size for size in range(longest, 0, -1) if transcription[position : position + size] in table)
        size = next(sizes, 0)
        if size:
            for phone in table[transcription[position : position + size]].split():
                bears = bool(stress) and is_vowel(phone)
                phones.append(f"{phone.rstrip('0')}{stress}" if bears else phone)
                stress = "" if bears else stress
        elif transcription[position] in _STRESSES:
            stress = _STRESSES[transcription[position]]
        elif transcription[position] not in _PASSED_OVER:
            raise BadInputError(
                f"{transcription[position]!r}, character {position + 1} of {transcription!r}, is no sound of English",
                f"Write it in {alphabet}, or in phones with the alphabet x-arpabet.",
            )
        position += max(size, 1)
    return checked(phones, repr(transcription))


def read_pronunciation(written: str) -> tuple[str, ...] | None:
    """Phones of ARPABET in capitals, or a transcription between slashes; None where it is neither.

    >>> read_pronunciation("K AE1 T"), read_pronunciation("/kæt/"), read_pronunciation("cat")
    (('K', 'AE1', 'T'), ('K', 'AE1', 'T'), None)

    Raises:
        BadInputError: as `to_phones`.
    """
    if re.fullmatch(r"/[^/]+/|\[[^\[\]]+\]", written.strip()):
        inner = written.strip()[1:-1]
        return to_phones(inner, "x-sampa" if inner.isascii() else "ipa")
    pieces = written.split()
    return checked(pieces, written) if pieces and all(piece in PHONES for piece in pieces) else None
