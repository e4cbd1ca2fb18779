"""Languages beside English: how their texts are read, by espeak-ng, as token ids.

Dates, times, sums of money and abbreviations are written out by rules of `languages.yaml`; numbers and words are read
by espeak-ng, a clause at a time, because words change beside each other (French liaison).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cache, cached_property, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Final

import yaml

from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text.characters import unread, without_unread
from voxgrad.text.espeak import transcribe
from voxgrad.text.ipa import IPA_IDS, language_blank, phones
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.pronounce import Source
from voxgrad.text.symbols import BLANK_LABEL, CHARACTER_IDS, ENGLISH, PUNCTUATION, Encoded, Word
from voxgrad.unicode import clean


@dataclass(frozen=True)
class Language:
    """How a language is written; the fields are those of `languages.yaml`."""

    code: str
    name: str
    number: int
    """Of its blank; see `voxgrad.text.ipa.language_blank`."""
    espeak: str
    months: str
    date: str
    time: Sequence[str]
    money: dict[str, Sequence[str]]
    cents: str
    minus: str
    joints: str
    abbreviations: dict[str, str]
    phones: dict[str, str] = field(default_factory=dict)
    ordinals: bool = False

    @cached_property
    def abbreviated(self) -> re.Pattern[str]:
        """Finds its abbreviations."""
        longest_first = sorted(self.spelt_out, key=len, reverse=True)
        return re.compile(rf"(?<![\w.])(?:{'|'.join(map(_spaced, longest_first))})(?!\w)")

    @cached_property
    def spelt_out(self) -> dict[str, str]:
        """Its abbreviations, with those that a sentence begins with."""
        first = {key[0].upper() + key[1:]: said[0].upper() + said[1:] for key, said in self.abbreviations.items()}
        return {**first, **self.abbreviations}

    @cached_property
    def never_last(self) -> frozenset[str]:
        """Abbreviations that end no sentence, without their last full stop."""
        dotted = (key.removesuffix(".") for key in self.spelt_out if key.endswith("."))
        return frozenset(dotted) - {"etc", "usw", "ecc", "enz"}

    @cached_property
    def sums(self) -> re.Pattern[str]:
        """Finds sums of money, the sign before or after."""
        signs = "|".join(re.escape(sign) for sign in sorted(self.money, key=len, reverse=True))
        number = r"\d{1,3}(?:[. ]\d{3})+|\d+"
        return re.compile(
            rf"(?:(?P<before>{signs})\s?(?P<a>{number})(?:,(?P<b>\d\d?))?(?![\d.,]*\d)"
            rf"|(?<![\d.,])(?P<c>{number})(?:,(?P<d>\d\d?))?\s?(?P<after>{signs}))"
        )


def _spaced(abbreviation: str) -> str:
    return re.escape(abbreviation).replace(r"\ ", r"\s?")


@cache
def languages() -> dict[str, Language]:
    """All languages beside English, by their codes."""
    content = yaml.safe_load(Path(__file__).with_name("languages.yaml").read_text(encoding="utf-8"))
    return {code: Language(code=code, number=number, **entry) for number, (code, entry) in enumerate(content.items())}


def language_of(code: str) -> Language:
    """A language by its code, or by that of a country's variety, such as ``pt-BR``.

    Raises:
        BadInputError: there is none.
    """
    known = languages()
    plain = re.split("[-_]", code.lower())[0]
    if plain not in known:
        raise BadInputError(f"there is no language {code}", f"Give one of {', '.join((ENGLISH, *known))}.")
    return known[plain]


AUTO: Final = "auto"
"""In place of a code: the language of each paragraph is guessed."""


def guessed(text: str, possible: Sequence[str]) -> str:
    """The language of a text, one of those that are possible, by py3langid (Lui and Baldwin, 2012, langid.py).

    Raises:
        BadInputError: the package is not installed.
    """
    if len(possible) == 1:
        return possible[0]
    if find_spec("py3langid") is None:
        message = "to guess languages needs py3langid, which is not installed"
        raise BadInputError(message, "Install it: pip install 'voxgrad[languages]'.")
    import py3langid  # noqa: PLC0415 - of an extra

    py3langid.set_languages(list(possible))
    found: str = py3langid.classify(text)[0]
    return found


def known_language(code: str) -> str:
    """The plain code of a language, English included, such as ``pt`` for ``pt-BR``.

    Raises:
        BadInputError: there is none.
    """
    return ENGLISH if re.split("[-_]", code.lower())[0] == ENGLISH else language_of(code).code


def encode(text: str, spec: TextSpec, lexicon: Lexicon) -> Encoded:
    """Encode a text in the language of the settings; what cannot be read is left out.

    Raises:
        BadInputError: nothing to say, or espeak-ng is not installed.
    """
    language = language_of(spec.language)
    normalised = normalize(text, language)
    labels: list[str] = []
    words: list[Word] = []
    for piece in _pieces(normalised, language, lexicon):
        if isinstance(piece, str):  # a mark
            if labels and labels[-1] != piece:
                labels.append(piece)
            continue
        for written, said, source in piece:
            if labels and labels[-1] != "(":
                labels.append(" ")
            words.append(Word(written, said, source, "", len(labels), len(labels) + len(said)))
            labels.extend(said)
    if not words:
        raise NothingToSayError(part.script for part in unread(clean(text)))
    ids = {**CHARACTER_IDS, **IPA_IDS, BLANK_LABEL: language_blank(language.number)}
    if spec.add_blank:
        words = [replace(word, start=2 * word.start + 1, stop=2 * word.stop) for word in words]
        blanks = [BLANK_LABEL] * (2 * len(labels) + 1)
        blanks[1::2] = labels
        labels = blanks
    tokens = tuple(ids[label] for label in labels)
    return Encoded(tokens, normalised, tuple(labels), tuple(words), (), language.code)


_QUOTES: Final = str.maketrans({**dict.fromkeys('«»“”„‟"‹›', " "), "’": "'", "‘": "'", "¿": " ", "¡": " ", "…": "."})
_DASH: Final = re.compile(r"\s+[-–—]+\s+|—|(?<!\d)–(?!\d)")
_DATE: Final = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?![\d./-]*\d)")
_TIME: Final = re.compile(
    r"(?<![\d:.,])([01]?\d|2[0-4])(?:[:h]|\s?h\s?|\.(?=\d\d\s(?:uur|Uhr)))([0-5]\d)?(?!\d)(?:\s?(?:Uhr|uur|h|horas|heures))?\b"
)
_YEAR: Final = re.compile(r"(?<![\d.,])(1[1-9])(\d\d)(?![\d.,]*\d)")
_ORDINAL: Final = re.compile(r"(?<![\d.,])(\d{1,3})\.(?=\s+(?:[a-zäöü]|(?P<name>[A-ZÄÖÜ][a-zäöü]+)))")
_MINUS: Final = re.compile(r"(?<![\w\d])[-−](?=\d)")
_RANGE: Final = re.compile(r"(?<=\d)\s?[–-]\s?(?=\d)")
_MARK: Final = re.compile(r"[!?(),:;.]+(?!\d)|(?<!\d)[.,:]+|--")
_SPACE: Final = re.compile(r"\s+")


def normalize(text: str, language: Language) -> str:
    """A text without what is not read, and with dates, times, money and abbreviations as words.

    >>> normalize("El Sr. Ruiz pagó 12,50 € el 3/5/1998.", language_of("es"))
    'El señor Ruiz pagó 12 euros con 50 el 3 de mayo de 1998.'
    """
    written = without_unread(clean(text)).translate(_QUOTES)
    written = language.abbreviated.sub(lambda match: _abbreviation(match, language), written)
    written = _DATE.sub(lambda match: _date(match, language), written)
    written = _TIME.sub(lambda match: _time(match, language), written)
    written = language.sums.sub(lambda match: _money(match, language), written)
    written = _MINUS.sub(f"{language.minus} ", written)
    if language.ordinals:
        written = _ORDINAL.sub(_ordinal, written)
        written = _YEAR.sub(lambda match: f"{match[1]} hundert {match[2].lstrip('0')} ", written)
    written = _RANGE.sub(" ", written) if language.code != "de" else _RANGE.sub(" bis ", written)
    written = _DASH.sub(" -- ", written)
    return _SPACE.sub(" ", written).strip()


def _abbreviation(match: re.Match[str], language: Language) -> str:
    plain = re.sub(r"\s", "", match[0])
    word = next(said for key, said in language.spelt_out.items() if key.replace(" ", "") == plain)
    ends = match[0].endswith(".") and match.end() == len(match.string.rstrip())
    return f"{word}." if ends else word


def _date(match: re.Match[str], language: Language) -> str:
    day, month = int(match[1]), int(match[3])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    return language.date.format(day=day, month=language.months.split()[month - 1], year=match[4])


def _time(match: re.Match[str], language: Language) -> str:
    if match[2] is None and "h" not in match[0]:
        return match[0]
    hour, minute = str(int(match[1])), (match[2] or "0").lstrip("0")
    whole, divided = language.time
    return divided.format(hour=hour, minute=minute) if minute else whole.format(hour=hour)


def _money(match: re.Match[str], language: Language) -> str:
    whole = re.sub(r"[. ]", "", match["a"] or match["c"])
    rest = match["b"] or match["d"]
    name = language.money[match["before"] or match["after"]][whole != "1"]
    joint = f" {language.cents}" if language.cents else ""
    return f"{whole} {name}{joint} {rest.lstrip('0')}" if rest and rest.strip("0") else f"{whole} {name}"


_ORDINALS: Final = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
_DECLINED: Final = frozenset("am im vom zum beim bis den dem des der seit ab".split())  # noqa: SIM905
_TENS: Final = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_ONES: Final = (
    *("", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)


def _ordinal(match: re.Match[str]) -> str:
    """A German ordinal, declined after the words that ask for it."""
    number = int(match[1])
    if not 1 <= number <= 99:
        return match[0]
    ones, tens = (number, "") if number < 20 else (number % 10, _TENS[number // 10])
    if tens:
        word = f"{_ONES[ones]}und{tens}ste" if ones else f"{tens}ste"
    else:
        word = _ORDINALS.get(number, f"{_ONES[ones]}te")
    before = match.string[: match.start()].split()
    return f"{word}n" if before and before[-1].lower() in _DECLINED else word


_Said = tuple[str, tuple[str, ...], Source]
"""A written word, its phones, and where they come from."""
_WORD: Final = re.compile(r"\{/[^{}/]+/\}|[^\s{}]+")
_INLINE: Final = re.compile(r"\{/([^{}/]+)/\}")


def _pieces(normalised: str, language: Language, lexicon: Lexicon) -> Iterator[str | list[_Said]]:
    """Marks, and between them the words of a clause with their phones."""
    start = 0
    for match in (*_MARK.finditer(normalised), None):
        stop = len(normalised) if match is None else match.start()
        if said := list(_clause(normalised[start:stop], language, lexicon)):
            yield said
        if match is not None:
            yield from (mark for mark in dict.fromkeys(match[0]) if mark in PUNCTUATION)
            start = match.end()


def _clause(text: str, language: Language, lexicon: Lexicon) -> Iterator[_Said]:
    """The words of a clause; espeak-ng reads what stands between those that the user gave phones for."""
    waiting: list[str] = []
    for word in _WORD.findall(text):
        inline = _INLINE.fullmatch(word)
        given = phones(inline[1], language.phones) if inline else lexicon.lookup_in(language.code, word)
        if given is None:
            if any(map(str.isalnum, word)) or word in "%&+=°§@€$£":
                waiting.append(word)
            continue
        yield from _spoken(waiting, language)
        waiting = []
        yield word.strip("{}"), given, "inline" if inline else "lexicon"
    yield from _spoken(waiting, language)


def _spoken(words: Sequence[str], language: Language) -> Iterator[_Said]:
    """Words as espeak-ng says them beside each other."""
    said = transcribe(" ".join(words), language.espeak) if words else ()
    for word, transcribed in zip(words, _assigned(words, said, language), strict=True):
        parts = filter(None, (phones(part, language.phones) for part in transcribed.split()))
        joined = [phone for part in parts for phone in (" ", *part)]
        if joined:
            yield word.strip("'-"), tuple(joined[1:]), "espeak-ng"


def _assigned(words: Sequence[str], said: Sequence[str], language: Language) -> list[str]:
    """What was said for each written word: a number is several words, and some words are said as one.

    By the least cost of a division of ``said`` among the words; the cost of a word is how far what it is given is from
    what it sounds like alone.
    """
    if len(words) == len(said) and not any(character.isdigit() for word in words for character in word):
        return list(said)
    alone = [_alone(word, language.espeak) for word in words]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for sound, count in alone:
        reached: dict[int, tuple[float, int]] = {}
        for start, (cost, _) in best[-1].items():
            for stop in range(start, min(start + count + 2, len(said)) + 1):
                distance = cost + _distance(sound, "".join(said[start:stop]))
                if stop not in reached or distance < reached[stop][0]:
                    reached[stop] = (distance, start)
        best.append(reached)
    stops = [len(said)]
    if len(said) not in best[-1]:  # far more words than their parts alone: all of it is the last one's
        return [*[""] * (len(words) - 1), " ".join(said)]
    for reached in reversed(best[1:]):
        stops.append(reached[stops[-1]][1])
    return [" ".join(said[start:stop]) for start, stop in pairwise(reversed(stops))]


@lru_cache(maxsize=16384)
def _alone(word: str, voice: str) -> tuple[str, int]:
    said = transcribe(word, voice)
    return "".join(said), len(said)


_MARKS_OF_STRESS: Final = re.compile("[ˈˌː\u0361-]")


def _distance(one: str, other: str) -> float:
    """How far two transcriptions are from each other, in phones."""
    a, b = _MARKS_OF_STRESS.sub("", one), _MARKS_OF_STRESS.sub("", other)
    return max(len(a), len(b)) * (1 - SequenceMatcher(None, a, b, autojunk=False).ratio())
