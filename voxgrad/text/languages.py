"""Languages beside English: how they are written, by `languages.yaml`, and which of them a text is in."""

import re
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from voxgrad.errors import BadInputError
from voxgrad.text.ipa import language_blank
from voxgrad.text.rules import word_set
from voxgrad.text.symbols import BLANK, ENGLISH

_MAY_BE_LAST: Final = word_set("etc usw ecc enz itd itp UU m C Chr a.m p.m a.C d.C v.Chr n.Chr n.e p.n.e J.-C a.u.b")


@dataclass(frozen=True)
class Language:
    """How a language is written; the fields are those of `languages.yaml`."""

    code: str
    name: str
    greeting: str
    number: int
    """Of its blank; see `blank_of`."""
    espeak: str
    country: str = field(default="", kw_only=True)
    """Whose variety it is, where that has another code than the language."""
    months: str
    date: str
    time: Sequence[str]
    money: dict[str, Sequence[str]]
    units: dict[str, Sequence[str]]
    signs: dict[str, str]
    cents: str
    minus: str
    to: str
    dot: str
    slash: str
    joints: str
    abbreviations: dict[str, str]
    phones: dict[str, str] = field(default_factory=dict)
    hours: dict[int, Sequence[str]] = field(default_factory=dict)
    hour_sign: str = "h"
    clock: str = "h"
    first: str = ""
    ordinals: dict[int, str] = field(default_factory=dict)
    ordinal_endings: Sequence[str] = ()
    declining: Sequence[str] = ()
    prepositions: Sequence[str] = ()
    never_counted: Sequence[str] = ()
    counted: Sequence[tuple[int, str, str]] = ()
    roman: str = "{number}"
    roman_ordinals: int = 39
    numbered: Sequence[str] = ()

    @cached_property
    def abbreviated(self) -> re.Pattern[str]:
        """Finds its abbreviations."""
        longest_first = sorted(self.spelt_out, key=len, reverse=True)
        return re.compile(rf"(?<![\w.&])(?:{'|'.join(map(_spaced, longest_first))})(?!\w)")

    @cached_property
    def spelt_out(self) -> dict[str, str]:
        """Its abbreviations, with those that a sentence begins with."""
        first = {key[0].upper() + key[1:]: said[0].upper() + said[1:] for key, said in self.abbreviations.items()}
        return {**first, **self.abbreviations}

    @cached_property
    def never_last(self) -> frozenset[str]:
        """Words of its abbreviations that end no sentence, without their last full stop."""
        words = (word for key in self.spelt_out for word in key.split())
        return frozenset(word.removesuffix(".") for word in words if word.endswith(".")) - _MAY_BE_LAST

    @cached_property
    def has_dotted_ordinals(self) -> bool:
        """Whether "3." is the third."""
        return "." in self.ordinal_endings

    @cached_property
    def times(self) -> re.Pattern[str]:
        """Finds times, such as 14:30 and 14h30; 14.30 before the word for the clock, or after Italian "alle"."""
        dot = rf"\.(?=\d\d\s?(?:{self.clock})\b)"
        if self.code == "it":
            dot += r"|(?<=[lr]e\s\d)\.|(?<=[lr]e\s\d\d)\."
        return re.compile(
            rf"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4])"
            rf"(?:(?::|{dot})(?P<minute>[0-5]\d)(?:\s?(?:{self.clock}))?|\s?{self.hour_sign}\s?(?P<past>[0-5]\d))"
            rf"(?![\w:]|[.,]\d)"
        )

    @cached_property
    def sums(self) -> re.Pattern[str]:
        """Finds sums of money, the sign before or after."""
        signs = _any_of(self.money)
        number, scale = r"\d{1,3}(?:[. ]\d{3})+|\d+", r"(?:[Mm]il(?!li?m)|[Bb]i|Mrd|mld)\w*"
        return re.compile(
            rf"(?:(?P<before>{signs})\s?(?P<a>{number})(?:,(?P<b>\d\d?))?(?![\d.,]*\d)(?:\s(?P<scale>{scale}))?"
            rf"|(?<![\d.,])(?P<c>{number})(?:,(?P<d>\d\d?))?(?:\s(?P<scale_after>{scale}))?\s?(?P<after>{signs}))"
        )

    @cached_property
    def currencies(self) -> re.Pattern[str]:
        """Finds signs of money without a sum."""
        return re.compile(rf"(?:{_any_of(self.money)})(?!\w)")

    @cached_property
    def quantities(self) -> re.Pattern[str]:
        """Finds a number with the sign of a unit."""
        number = r"\d+(?:[., ]\d+)*"
        return re.compile(rf"(?<![\w.,/])(?P<number>{number})\s?(?P<unit>{_any_of(self.units)})(?![\w²³/])")

    @cached_property
    def agreeing(self) -> list[tuple[re.Pattern[str], str]]:
        """Finds figures before a noun that they agree with, each with what is said for it."""
        return [
            (re.compile(rf"(?<![\w.,:/+-])(?<!\d ){number}(?=\s(?:{noun})\b)"), word)
            for number, noun, word in self.counted
        ]

    @cached_property
    def ordinal(self) -> re.Pattern[str]:
        """Finds ordinals in figures."""
        number = r"(?<![\w.,])(?P<number>\d{1,3})"
        if self.has_dotted_ordinals:
            return re.compile(rf"{number}\.(?=\s+(?:[a-zäöüß]|(?P<next>[A-ZÄÖÜ][a-zäöüß]+)))")
        return re.compile(rf"{number}(?:{_any_of(self.ordinal_endings)})(?!\w)(?P<next>)")

    @cached_property
    def signed(self) -> re.Pattern[str]:
        """Finds its signs; those that begin with a 1 stand after a figure."""
        after = [re.escape(sign[1:]) for sign in self.signs if sign[0] == "1"]
        return re.compile("|".join([*(rf"(?<=\d)\s?{sign}" for sign in after), _any_of(self.signs)]))


def _any_of(signs: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(signs, key=len, reverse=True)))


def _spaced(abbreviation: str) -> str:
    return re.escape(abbreviation).replace(r"\ ", r"\s?")


@cache
def languages() -> dict[str, Language]:
    """All languages beside English, by their codes."""
    import yaml  # noqa: PLC0415 - English needs none of it

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
        raise BadInputError(f"there is no language {code!r}", f"Give one of {named((ENGLISH, *known))}.")
    return known[plain]


def named(codes: Iterable[str]) -> str:
    """Languages for people.

    >>> named(["en", "es"])
    'en (English), es (Spanish)'
    """
    return ", ".join(f"{code} ({name_of(code)})" for code in codes)


def name_of(code: str) -> str:
    """The English name of a language, English included."""
    return "English" if code == ENGLISH else language_of(code).name


def greeting_in(code: str) -> str:
    """Hello, in a language, English included."""
    return "hello" if code == ENGLISH else language_of(code).greeting


def blank_of(code: str) -> int:
    """The token between all others that tells the network a language, English included."""
    return BLANK if code == ENGLISH else language_blank(language_of(code).number)


def locale_of(code: str) -> str:
    """A language with the country whose variety is spoken, English included.

    >>> locale_of("en"), locale_of("pt"), locale_of("de")
    ('en_US', 'pt_BR', 'de_DE')
    """
    return "en_US" if code == ENGLISH else f"{code}_{language_of(code).country or code.upper()}"


AUTO: Final = "auto"
"""In place of a code: the language of each paragraph is guessed."""
_SURE: Final = 0.5


def guessed(text: str, possible: Sequence[str], otherwise: str) -> str:
    """The language of a text, one of those that are possible, by py3langid (Lui and Baldwin, 2012, langid.py).

    Args:
        text: a paragraph.
        possible: codes.
        otherwise: what it is taken for where none is more probable than not, as in "Hola.".

    Raises:
        BadInputError: the package is not installed.
    """
    if len(possible) == 1:
        return possible[0]
    identifier = copy(_identifier())
    identifier.set_languages(possible)
    found, probability = identifier.classify(text)
    return str(found) if probability > _SURE else otherwise


@cache
def _identifier() -> Any:
    if find_spec("py3langid") is None:
        message = "to guess languages needs py3langid, which is not installed"
        raise BadInputError(message, "Install it: pip install 'voxgrad[languages]'.")
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - of an extra

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def known_language(code: str) -> str:
    """The plain code of a language, English included, such as ``pt`` for ``pt-BR``.

    Raises:
        BadInputError: there is none.
    """
    return ENGLISH if re.split("[-_]", code.lower())[0] == ENGLISH else language_of(code).code
