"""Written text of a language beside English to what espeak-ng reads: words, plain numbers and marks.

Links, abbreviations, dates, times, sums of money, quantities, Roman numerals, ordinals and signs are written out by
the rules of `languages.yaml`. Numbers and words stay, because espeak-ng knows how to read them.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from voxgrad.text.characters import without_unread
from voxgrad.text.languages import Language
from voxgrad.text.marked_text import without_html
from voxgrad.text.rules import text_after, text_before
from voxgrad.unicode import clean

_QUOTES: Final = str.maketrans({**dict.fromkeys('«»“”„‟"‹›¿¡', " "), "’": "'", "‘": "'", "…": "."})
_LINK: Final = re.compile(
    r"(?<![\w@.])(?:https?://)?(?:[\w.+-]+@)?(?:[a-z0-9-]{2,}\.)+"
    r"(?:com|org|net|edu|gov|info|eu|es|fr|it|pt|br|de|at|ch|nl|be|pl|mx|ar|io|tv|uk)(?!\w)(?:/[\w./?=&%-]*(?<=\w))?"
)
_ISO_DATE: Final = re.compile(r"(?<![\d./-])(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![\d./-]*\d)")
_DATE: Final = re.compile(
    r"(?<![\d./-])(?P<day>\d{1,2})(?P<sign>[./-])(?P<month>\d{1,2})(?P=sign)(?P<year>\d{4})(?![\d./-]*\d)"
)
_YEAR: Final = re.compile(r"(?<![\d.,])(1[1-9])(\d\d)(?![\d.,]*\d|\s?[€$£%])")
_ROMAN: Final = re.compile(
    r"(?<![\w.'-])(?=[IVX])(?P<tens>X{0,3})(?P<ones>IX|IV|V?I{0,3})(?P<ending>[a-zè]+)?(?![\w'])(?P<dot>\.)?"
)
_ROMAN_ONES: Final = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_DEGREE: Final = re.compile(r"(?<=\d)°(?=\s(?!sopra|sotto|nord|sud|est|ovest|gradi|dentro|fuori)[a-z]{4})")
"""What Italian writes for the sign of an ordinal."""
_DOT_OF_ORDINAL: Final = re.compile(r"(?<=\d)\.(?=[ºª])")
_MINUS: Final = re.compile(r"(?<!\w)[-−](?=\d)")
_RANGE: Final = re.compile(r"(?<![\d–-])(?P<first>\d[\d.,]*)\s?[–-]\s?(?=(?P<last>\d[\d.,]*)(?P<more>[–-]\d)?)")
_DIGITS: Final = re.compile(r"(?<![\d.,])(?:(?<!\d )0\d{2,}|(?<=\d[ /-])\d{6,}|\d{9,})(?![\d.,]*\d)")
_FRACTION: Final = re.compile(r"(?<![\d/.,])[123]/[234](?![\d/]|[.,]\d)")
_FRACTIONS: Final = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾"}
_LEFT_OUT: Final = re.compile(r"[*_~^|\\<>©®™→←]|(?<=[^\W\d_])/(?=[^\W\d_])")
_DASH: Final = re.compile(r"\s+[-–—]+\s+|—|(?<!\d)–(?!\d)")
_BEFORE_MARK: Final = re.compile(r" (?=[,;!?)]|[.:](?:\s|$))")
_SPACE: Final = re.compile(r"\s+")
INLINE: Final = re.compile(r"(\{/[^{}/]+/\})")
"""Phones of a text, in IPA."""
MARKS: Final = re.compile(r"([!?(),:;.]+(?!\d)|(?<!\d)[.,:]+|--)")
"""Marks between clauses."""

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def normalize(text: str, language: Language) -> str:
    """A text without what is not read, and with dates, times, money and the like as words.

    >>> from voxgrad.text.languages import language_of
    >>> normalize("El Sr. Ruiz pagó 12,50 € el 3/5/1998.", language_of("es"))
    'El señor Ruiz pagó 12 euros con 50 el 3 de mayo de 1998.'
    """
    parts = INLINE.split(without_html(clean(text)))
    parts[::2] = [_written_out(part, language) for part in parts[::2]]
    return _BEFORE_MARK.sub("", _SPACE.sub(" ", "".join(parts))).strip()


def _written_out(text: str, language: Language) -> str:
    written = without_unread(text).translate(_QUOTES)
    for pattern, rule in _rules(language):
        written = pattern.sub(rule, written)
    return written


def _rules(language: Language) -> Iterator[_Rule]:
    """Patterns in the order of their use, with what gives the replacements."""
    yield _LINK, lambda match: _link(match, language)
    yield language.abbreviated, lambda match: _abbreviation(match, language)
    yield _ISO_DATE, lambda match: _date(match, language)
    yield _DATE, lambda match: _date(match, language)
    yield language.times, lambda match: _time(match, language)
    if language.code == "de":
        yield _YEAR, lambda match: f"{match[1]} hundert {match[2].lstrip('0')} "
    yield language.sums, lambda match: _money(match, language)
    yield language.currencies, lambda match: language.money[match[0]][1]
    yield language.quantities, lambda match: _quantity(match, language)
    yield _ROMAN, lambda match: _roman(match, language)
    if language.code == "it":
        yield _DEGREE, lambda _: "º"
    yield _DOT_OF_ORDINAL, lambda _: ""
    if language.ordinals:
        yield language.ordinal, lambda match: _ordinal(match, language)
    for pattern, word in language.agreeing:
        yield pattern, lambda _, word=word: word  # type: ignore[misc]
    yield _MINUS, lambda _: f"{language.minus} "
    yield _RANGE, lambda match: _range(match, language)
    yield _DIGITS, lambda match: " ".join(match[0])
    yield _FRACTION, lambda match: _FRACTIONS.get(match[0], match[0])
    yield language.signed, lambda match: _sign(match, language)
    yield _LEFT_OUT, lambda _: " "
    yield _DASH, lambda _: " -- "


def _link(match: re.Match[str], language: Language) -> str:
    address = re.sub("[_?=&%-]", " ", match[0].removeprefix("http://").removeprefix("https://"))
    return address.replace(".", f" {language.dot} ").replace("/", f" {language.slash} ")


def _abbreviation(match: re.Match[str], language: Language) -> str:
    plain = re.sub(r"\s", "", match[0])
    word = next(said for key, said in language.spelt_out.items() if key.replace(" ", "") == plain)
    ends = match[0].endswith(".") and match.end() == len(match.string.rstrip())
    return f"{word}." if ends else word


def _date(match: re.Match[str], language: Language) -> str:
    day, month = int(match["day"]), int(match["month"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    said = language.first if language.first and day == 1 else day
    return language.date.format(day=said, month=language.months.split()[month - 1], year=match["year"])


def _time(match: re.Match[str], language: Language) -> str:
    hour, minute = int(match["hour"]), (match["minute"] or match["past"]).lstrip("0")
    whole, divided = language.hours.get(hour, language.time)
    return divided.format(hour=hour, minute=minute) if minute else whole.format(hour=hour)


def _money(match: re.Match[str], language: Language) -> str:
    whole = re.sub(r"[. ]", "", match["a"] or match["c"])
    rest, scale = match["b"] or match["d"], match["scale"] or match["scale_after"]
    one, several, *of_them = language.money[match["before"] or match["after"]]
    if scale:
        named = of_them[0] if of_them and scale not in {"mil", "mille", "mila"} else several
        return f"{whole}{',' if rest else ''}{rest or ''} {scale} {named}"
    said = one if whole == "1" else f"{whole} {several}"
    joint = f" {language.cents}" if language.cents else ""
    return f"{said}{joint} {rest.lstrip('0')}" if rest and rest.strip("0") else said


def _quantity(match: re.Match[str], language: Language) -> str:
    one, several = language.units[match["unit"]]
    return one if match["number"] == "1" else f"{match['number']} {several}"


def _roman(match: re.Match[str], language: Language) -> str:
    """A Roman numeral up to 39, where it is no word and no initial."""
    value, dot = 10 * len(match["tens"]) + _ROMAN_ONES.index(match["ones"]), match["dot"] or ""
    if match["ending"]:
        known = match["ending"] in language.ordinal_endings
        return f"{value}{match['ending']}{dot}" if known else match[0]
    found, after = re.search(r"(\w{3,})\s$", text_before(match, 24)), re.match(r"\s(\w+)", text_after(match, 24))
    before, following = "" if found is None else found[1], "" if after is None else after[1]
    is_numbered = before in language.numbered or following in language.numbered
    is_name = before.istitle() and not is_numbered
    is_initial = not is_name or following.istitle() or match["tens"] != ""
    if len(match[0].rstrip(".")) == 1 and not is_numbered and is_initial:
        return match[0]
    if value > language.roman_ordinals or not (is_name or "º" in language.roman) or (language.code == "de" and not dot):
        return f"{value} {dot}"
    said = language.roman.format(number=value, word=language.ordinals.get(value, value))
    if before.endswith("a") or before == "Isabel" or (following.endswith("a") and not (is_name or is_numbered)):
        said = said.replace("º", "ª")
    return said if language.code == "de" and text_after(match, 1) else f"{said}{dot}"


def _ordinal(match: re.Match[str], language: Language) -> str:
    """An ordinal; a German one is declined by the words beside it, as far as these tell."""
    word = language.ordinals.get(int(match["number"]))
    if word is None or match["next"] in language.never_counted:
        return match[0]
    if not language.has_dotted_ordinals:
        return word
    *_, before_last, last = ("", "", *text_before(match, 40).lower().split())
    if last in language.declining:
        return word if last == "der" and before_last not in language.prepositions else f"{word}n"
    is_strong = match["next"] in language.months.split() and last not in {"die", "das", "dieser", "jeder"}
    return f"{word}r" if is_strong or last in {"ein", "kein", "mein", "dein", "sein", "ihr", "unser"} else word


def _range(match: re.Match[str], language: Language) -> str:
    first, last = (int(re.sub(r"\D", "", match[name])) for name in ("first", "last"))
    counts = first < last and not match["more"] and not match["first"].startswith("0")
    return f"{match['first']} {language.to} " if counts else f"{match['first']} "


def _sign(match: re.Match[str], language: Language) -> str:
    sign = match[0].strip()
    after_figure = language.signs.get(f"1{sign}") if text_before(match, 1).isdecimal() else None
    return f" {after_figure or language.signs[sign]} "
