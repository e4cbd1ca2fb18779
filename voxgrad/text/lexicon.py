"""The user's own pronunciations: ``lexicon.txt``, phones in braces, IPA, X-SAMPA, and spellings.

Phones are the 39 of ARPABET. Of vowels without a stress digit the first gets 1, unless another has it, all others 0.
A word of another language is written after its code, with IPA between slashes: ``es:Xàtiva  /ˈʃativa/``.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.events import few
from voxgrad.text import ipa
from voxgrad.text.dictionary import CONSONANTS, PHONES, VOWELS, is_vowel
from voxgrad.text.espeak import transcribe
from voxgrad.text.languages import language_of
from voxgrad.text.pronounce import pronounce, with_s
from voxgrad.text.rules import table
from voxgrad.text.symbols import ENGLISH
from voxgrad.unicode import clean

LEXICON: Final = "lexicon.txt"
"""What the file is called in a store's home, and in datasets and voices."""

BRACED: Final = re.compile(r"\{ *+[A-Za-z0-9][A-Za-z0-9 ]*+\}")
"""What may be phones in braces; see `is_inline`."""
_WORD: Final = re.compile(r"[A-Za-z'.-]*[A-Za-z][A-Za-z'.-]*")
_FOREIGN_WORD: Final = re.compile(r"[^\W\d_](?:[\w'.-]*\w)?")
_SLASHES: Final = re.compile(r"/([^/]+)/")
_EDGES: Final = "'-"
"""Marks that may stand at a word of another language, and are not part of it."""
_PHONE: Final = re.compile("|".join(PHONES))
_HOW: Final = f"Write phones of {' '.join((*VOWELS, *CONSONANTS))}, vowels with the stress 0, 1 or 2."


@dataclass(frozen=True)
class Lexicon:
    """Pronunciations that go before those of every dictionary: lower-case words, each once, in alphabetical order."""

    entries: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Lexicon":
        """Reads a file.

        Raises:
            BadInputError: it cannot be read, or a line of it; names file and line.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadInputError(f"{path.name} is not UTF-8 text", "Save it as UTF-8.") from error
        except OSError as error:
            message = f"the lexicon {path} cannot be read ({error.strerror})"
            raise BadInputError(message, "Give the path of a text file.") from error
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, source: str) -> "Lexicon":
        """Reads the content of a file, which errors call ``source``.

        Raises:
            BadInputError: a line cannot be read, or a word occurs twice with different phones.
        """
        entries: dict[str, tuple[str, ...]] = {}
        lines: dict[str, int] = {}
        for number, line in enumerate(clean(text).split("\n"), 1):
            word, *phones = line.partition("#")[0].split() or ("",)
            if not word:
                continue
            at, word = f"{source}:{number}", word.lower()
            read = _entry(word, phones, at)
            if entries.setdefault(word, read) != read:
                raise BadInputError(
                    f"{at}: {word} is already in line {lines[word]}, with other phones", "Keep one of them."
                )
            lines.setdefault(word, number)
        return cls(tuple(sorted(entries.items())))

    @classmethod
    def gather(cls, home: Path, *sources: Path | None) -> "Lexicon":
        """The lexicon of a store's home, if it has one, and others as one: where several have a word, the last decides.

        None among the others is passed over.

        Raises:
            BadInputError: see `read`.
        """
        own = home / LEXICON
        entries: dict[str, tuple[str, ...]] = {}
        for path in (own if own.exists() else None, *sources):
            if path is not None:
                entries.update(cls.read(path).entries)
        return cls(tuple(sorted(entries.items())))

    @cached_property
    def _by_word(self) -> dict[str, tuple[str, ...]]:
        return dict(self.entries)

    @cached_property
    def dotted(self) -> re.Pattern[str] | None:
        """Finds in a text the words that are written with a full stop, which elsewhere parts words."""
        words = [re.escape(word) for word, _ in reversed(self.entries) if "." in word and ":" not in word]
        return re.compile(rf"(?<![\w'.])(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None

    def lookup(self, word: str) -> tuple[str, ...] | None:
        """The phones of a word, or None. Its possessive, and quotation marks around it, need no entry."""
        if not self.entries or word == "A":  # an entry for "a" is meant for the article
            return None
        lower = word.lower()
        for candidate in (lower, lower.removesuffix("'"), lower.strip("'")):
            if candidate in self._by_word:
                return self._by_word[candidate]
        base = self._by_word.get(lower[:-2]) if lower.endswith("'s") else None
        return None if base is None else with_s(base)

    def lookup_in(self, language: str, word: str) -> tuple[str, ...] | None:
        """The phones of a word of another language than English, whose entries begin with its code: ``es:hola``."""
        return self._by_word.get(f"{language}:{word.lower().strip(_EDGES)}") if self.entries else None

    def knows(self, word: str) -> bool:
        """Whether ``word``, in lower case, has an entry of its own; not for a letter, which may stand for itself."""
        return len(word) > 1 and word in self._by_word

    def __bool__(self) -> bool:
        return bool(self.entries)

    @property
    def text(self) -> str:
        """The lexicon as a file, always the same for the same entries."""
        return "".join(f"{word}  {written_phones(word, phones)}\n" for word, phones in self.entries)

    @property
    def sha256(self) -> str:
        """Of ``text``: 64 hex digits that change when a pronunciation does, not when a remark does."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def settings(self) -> dict[str, str]:
        """What a manifest and a fingerprint keep of it: nothing where it is empty."""
        return {"lexicon": self.sha256} if self else {}


NONE: Final = Lexicon()


def language_and_word(word: str) -> tuple[str, str]:
    """The language of an entry, and its word.

    >>> language_and_word("es:Xàtiva"), language_and_word("Siobhan")
    (('es', 'Xàtiva'), ('en', 'Siobhan'))
    """
    named = re.fullmatch(r"([a-z]{2,3}):(\S+)", word, re.IGNORECASE)
    return (named[1].lower(), named[2]) if named else (ENGLISH, word)


def written_phones(word: str, phones: Iterable[str]) -> str:
    """The phones of an entry, as a lexicon's file has them."""
    return " ".join(phones) if language_and_word(word)[0] == ENGLISH else f"/{''.join(phones)}/"


def _entry(word: str, phones: list[str], at: str) -> tuple[str, ...]:
    """The phones of a line."""
    language, plain = language_and_word(word)
    if language == ENGLISH:
        _check_word(word, phones, at)
        return checked(phones, at)
    if _FOREIGN_WORD.fullmatch(plain) is None:
        raise BadInputError(f"{at}: {plain} is not a word", "Write one word after the colon, of letters.")
    written = _SLASHES.fullmatch(" ".join(phones))
    if written is None:
        raise BadInputError(f"{at}: {word} has no IPA between slashes", f"Write it after the word: {word}  /ˈola/.")
    try:
        return ipa.phones(written[1], language_of(language).phones)
    except BadInputError as error:
        raise BadInputError(f"{at}: {error.message}", error.hint) from error


def refuse_unknown(words: Collection[str]) -> None:
    """Refuses words that no dictionary has, if there are any.

    Raises:
        BadInputError: naming them.
    """
    if words:
        raise BadInputError(
            f"not in any dictionary: {few(list(words))}",
            "Add them to a lexicon, one `word  PHONES` per line, and pass it with --lexicon.",
        )


def is_inline(braced: str) -> bool:
    r"""Whether what stands in braces is phones; a name is text, and so is the ``{n}`` of a formula.

    >>> is_inline("{HH AH0 L OW1}"), is_inline("{name}"), is_inline("{n}")
    (True, False, False)
    """
    phones = braced.strip("{}").split()
    is_letter = len(phones) == 1 and re.fullmatch("[a-z]", phones[0]) is not None
    return bool(phones) and not is_letter and all(_PHONE.fullmatch(phone.upper()) for phone in phones)


def misspelt_phones(text: str) -> Iterator[str]:
    """What was meant for phones in braces, and is text: of several words in capitals, half at least are phones.

    >>> list(misspelt_phones("{HH AX0 L OW1}, {HH AH0} and {first name}"))
    ['{HH AX0 L OW1}']
    """
    for braced in BRACED.finditer(text):
        written = braced[0].strip("{}").split()
        phones = sum(_PHONE.fullmatch(word) is not None for word in written)
        if len(written) // 2 <= phones < len(written) and len(written) > 1 and braced[0].isupper():
            yield braced[0]


def inline(braced: str) -> tuple[str, ...]:
    """The phones of ``{HH AH0 L OW1}``.

    >>> inline("{hh ah l ow1}")
    ('HH', 'AH0', 'L', 'OW1')

    Raises:
        BadInputError: something in it is not a phone, or it is empty.
    """
    return checked(braced.strip("{}").split(), braced)


def checked(phones: Iterable[str], where: str) -> tuple[str, ...]:
    """Phones in capitals, with the stress that is missing; the rule stands at the head of this module.

    >>> checked(["v", "ao", "k", "s", "ah"], ""), checked(["AH", "L", "OW1"], "")
    (('V', 'AO1', 'K', 'S', 'AH0'), ('AH0', 'L', 'OW1'))

    Raises:
        BadInputError: not a phone, or none at all; begins with ``where``.
    """
    complete = []
    for phone in phones:
        if _PHONE.fullmatch(phone.upper()) is None:
            raise BadInputError(f"{where}: {phone} is not a phone", _HOW)
        complete.append(phone.upper())
    if not complete:
        raise BadInputError(f"{where}: there are no phones", _HOW)
    is_stressed = any(phone[-1] == "1" for phone in complete)
    for index, phone in enumerate(complete):
        if phone in VOWELS:
            complete[index], is_stressed = f"{phone}{0 if is_stressed else 1}", True
    return tuple(complete)


def _check_word(word: str, phones: list[str], at: str) -> None:
    if re.fullmatch(r".+\(\d+\)", word) is not None:
        raise BadInputError(
            f"{at}: {word} is a second pronunciation, but a lexicon has one per word",
            "Keep one of them, without the number.",
        )
    if _WORD.fullmatch(word) is None:
        raise BadInputError(
            f"{at}: {word} is not a word",
            "Write `word  PHONES`; words have the letters a to z, apostrophes, hyphens and full stops.",
        )
    if not phones:
        raise BadInputError(f"{at}: {word} has no phones", f"Add them after the word. {_HOW}")


# A vowel that never bears stress has its digit already; "1" and "2" before a vowel come from the stress marks.
_IPA: Final = table("""
    t͡ʃ CH, tʃ CH, ʧ CH, d͡ʒ JH, dʒ JH, ʤ JH, p P, b B, t T, d D, k K, g G, ɡ G, f F, v V, θ TH, ð DH, s S, z Z, ʃ SH,
    ʒ ZH, h HH, m M, n N, ŋ NG, l L, ɫ L, r R, ɹ R, ɻ R, j Y, w W, ʍ W, ɾ D, n̩ AH0 N, l̩ AH0 L, m̩ AH0 M, eɪ EY,
    ei EY, aɪ AY, ai AY, ɔɪ OY, ɔi OY, oɪ OY, aʊ AW, au AW, oʊ OW, əʊ OW, ou OW, ɪə IY AH0, eə EH AH0, ɛə EH AH0,
    ʊə UH AH0, i IY, ɪ IH, e EH, ɛ EH, æ AE, a AE, ɑ AA, ɒ AA, ɔ AO, o OW, ʊ UH, u UW, ʉ UW, ʌ AH, ɐ AH, ə AH0, ɜ ER,
    ɝ ER, ɚ ER0, ɜ˞ ER, ə˞ ER0, ɨ IH, ᵻ IH
""")
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
    """A transcription of one word or several as phones of ours.

    ``alphabet`` is ``ipa``, ``x-sampa`` (and ASCII IPA where it agrees), or ``x-arpabet``, whose phones spaces part.

    Raises:
        BadInputError: it contains a sound that English does not have; the message gives it and its place.

    >>> to_phones("ʃɪˈvɔːn", "ipa"), to_phones("SI'vO:n", "x-sampa")
    (('SH', 'IH0', 'V', 'AO1', 'N'), ('SH', 'IH0', 'V', 'AO1', 'N'))
    """
    if alphabet == "x-arpabet":
        return checked(transcription.split(), repr(transcription))
    table = _IPA if alphabet == "ipa" else _SAMPA
    sounds = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
    phones: list[str] = []
    stress = ""
    for match in re.finditer(f"({sounds})|.", transcription, re.DOTALL):
        for phone in table[match[1]].split() if match[1] else ():
            bears = bool(stress) and is_vowel(phone)
            phones.append(f"{phone.rstrip('0')}{stress}" if bears else phone)
            stress = "" if bears else stress
        if match[0] in _STRESSES:
            stress = _STRESSES[match[0]]
        elif not match[1] and match[0] not in _PASSED_OVER:
            raise BadInputError(
                f"{match[0]!r}, character {match.start() + 1} of {transcription!r}, is not a sound of English",
                f"Write it in {alphabet}, or in phones with the alphabet x-arpabet.",
            )
    return checked(phones, repr(transcription))


def read_phones(written: str, language: str = ENGLISH) -> tuple[str, ...]:
    """The phones of IPA between slashes, or of a spelling; in English, of phones in capitals and X-SAMPA too.

    The parts of a spelling are pronounced as words are; in English, those in capitals with the stress (``shi VAWN``).

    Raises:
        BadInputError: it is none of these, or there is no such language.

    >>> read_phones("shi VAWN")
    ('SH', 'IY0', 'V', 'AO1', 'N')
    """
    if language != ENGLISH:
        spoken, transcription = language_of(language), _SLASHES.fullmatch(written.strip())
        said = transcription[1] if transcription else "".join(transcribe(written, spoken.espeak))
        if not (found := ipa.phones(said, spoken.phones)):
            hint = "Write IPA between slashes (/ˈʃativa/), or how it sounds."
            raise BadInputError(f"{written!r} is not a pronunciation", hint)
        return found
    if re.fullmatch(r"/[^/]+/|\[[^\[\]]+\]", written.strip()):
        inner = written.strip()[1:-1]
        return to_phones(inner, "x-sampa" if inner.isascii() else "ipa")
    if written.strip() and all(piece in PHONES for piece in written.split()):
        return checked(written.split(), written)
    if not re.fullmatch(r"[A-Za-z'\s-]*[A-Za-z][A-Za-z'\s-]*", written):
        raise BadInputError(
            f"{written!r} is not a pronunciation",
            'Write phones (SH IH0 V AO1 N), IPA between slashes (/ʃɪˈvɔːn/), or how it sounds ("shi VAWN").',
        )
    parts = re.findall("[A-Za-z']+", written)
    stressed = [len(part) > 1 and part.isupper() for part in parts]
    marked = any(stressed) and not all(stressed)
    return tuple(
        phone.replace("1", "0") if marked and not has_stress else phone
        for part, has_stress in zip(parts, stressed, strict=True)
        for phone in pronounce(part.lower()).phones
    )


def with_entry(lexicon: str, word: str, phones: tuple[str, ...], remark: str) -> str:
    """The content of a lexicon's file with a word, and a remark after it, in place of its entry if it has one.

    Raises:
        BadInputError: the word cannot stand in a lexicon.
    """
    if len(word.split()) != 1 or "#" in word:
        raise BadInputError(f"{word!r} is not a word", "Give one, of letters, apostrophes, hyphens and full stops.")
    line = f"{word}  {written_phones(word, phones)}"
    Lexicon.parse(line, "the word")
    kept = without_entry(lexicon, word)
    gap = "" if not kept or kept.endswith("\n") else "\n"
    return f"{kept}{gap}{line}{f'  # {remark}' if remark else ''}\n"


def without_entry(lexicon: str, word: str) -> str:
    """The content of a lexicon without a word."""
    lines = lexicon.splitlines(keepends=True)
    return "".join(line for line in lines if line.partition("#")[0].lower().split()[:1] != [word.lower()])
