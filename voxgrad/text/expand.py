"""What is written short, in full: a table of patterns, applied in order, each with its reading."""

import re
from collections.abc import Callable
from typing import Final

from voxgrad.text.numbers import cardinal, digits, fraction, ordinal, plural, roman, year

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

# Starting at a run's first digit only, and never giving one back, keeps a megabyte of digits linear.
_NUMBER: Final = r"(?<!\d)(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)"
_SCALE: Final = r"hundred|thousand|million|billion|trillion"
_CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
}

_TITLES: Final = {
    "Adm": "admiral", "Capt": "captain", "Cmdr": "commander", "Col": "colonel", "Cpl": "corporal",
    "Drs": "doctors", "Ft": "fort", "Gen": "general", "Gov": "governor", "Hon": "honorable",
    "Lt": "lieutenant", "Maj": "major", "Messrs": "messrs", "Mr": "mister", "Mrs": "missus", "Ms": "ms",
    "Mt": "mount", "Prof": "professor", "Pvt": "private", "Rev": "reverend", "Sen": "senator",
    "Sgt": "sergeant", "Supt": "superintendent",
}  # fmt: skip
"""Before a name."""
_AFTER: Final = {
    "Ave": "avenue", "Blvd": "boulevard", "Bros": "brothers", "Co": "company", "Corp": "corporation",
    "Dept": "department", "Esq": "esquire", "Inc": "incorporated", "Jr": "junior", "Ltd": "limited",
    "Rd": "road", "Sr": "senior", "approx": "approximately", "etc": "et cetera", "viz": "namely",
    "vs": "versus",
}  # fmt: skip
"""After a name or anywhere; at the end of the text their full stop is the sentence's too."""
_MONTHS: Final = {
    "Jan": "january", "Feb": "february", "Aug": "august", "Sept": "september", "Oct": "october",
    "Nov": "november", "Dec": "december",
}  # fmt: skip
_COUNTED: Final = {
    "Ch": "chapter", "Fig": "figure", "No": "number", "Nos": "numbers", "Sec": "section", "Vol": "volume",
    "p": "page", "pp": "pages",
}  # fmt: skip
"""Before a number."""

_REGNAL: Final = (
    "Alexander|Artaxerxes|Benedict|Charles|Clement|Cyrus|Darius|Edward|Elizabeth|Ferdinand|Francis|Frederick|George|"
    "Gregory|Henry|Ivan|James|John|Leo|Leopold|Louis|Mary|Napoleon|Nebuchadnezzar|Nicholas|Paul|Peter|Philip|Pius|"
    "Pope|Ptolemy|Richard|Sargon|Urban|Wilhelm|William|Xerxes"
)
_DIVISIONS: Final = (
    "Act|Appendix|Article|Book|Canto|Chapter|Class|Division|Part|Phase|Scene|Section|Title|Type|Volume|War"
)
_ROMAN: Final = r"(?=[IVXL]+\b)(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})\b"


def _plain(number: str) -> str:
    """A number without a sign or a unit: a year where four digits look like one, or else a count."""
    bare = number.replace(",", "")
    if bare == number and len(number) == 4 and number[0] in "12" and "1100" <= number < "2100":
        return year(number)
    return cardinal(bare)


def _count(number: str) -> str:
    return cardinal(number.replace(",", ""))


def _decimal(whole: str, places: str) -> str:
    return f"{_count(whole)} point {digits(places)}" if whole else f"point {digits(places)}"


def _money(match: re.Match[str]) -> str:
    one, many, small_one, small_many = _CURRENCIES[match["sign"]]
    whole, places, scale = match["whole"], match["places"], match["scale"]
    if scale:
        return f" {_decimal(whole, places) if places else _count(whole)} {scale.lower()} {many}"
    if places and len(places) != 2:
        return f" {_decimal(whole, places)} {many}"
    parts: list[str] = []
    large, small = int(whole.replace(",", "")[:30]), int(places) if places else 0
    if large or not small:
        parts.append(f"{_count(whole)} {one if large == 1 else many}")
    if small:
        parts.append(f"{cardinal(str(small))} {small_one if small == 1 else small_many}")
    return f" {', '.join(parts)}"


def _time(match: re.Match[str]) -> str:
    hour, minute, half = match["hour"], match["minute"], match["half"]
    words = cardinal(str(int(hour)))
    if minute and int(minute):
        words += f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    elif not half:
        words += " o'clock"
    return f"{words} {half.lower()}.m." if half else words


def _slashed(match: re.Match[str]) -> str:
    above, below = match[1], match[2]
    if 0 < int(above) < int(below) <= 100:
        return fraction(str(int(above)), str(int(below)))
    return f"{_plain(above)} {_plain(below)}"


def _mixed(match: re.Match[str]) -> str:
    part = fraction(match[2], match[3])
    return f"{_count(match[1])} and {part.replace('one half', 'a half')}"


def _range(match: re.Match[str]) -> str:
    joint = " to " if int(match[1]) < int(match[2]) else " "
    return f"{_plain(match[1])}{joint}{_plain(match[2])}"


def _regnal(match: re.Match[str]) -> str:
    return f"{match[1]} the {ordinal(str(roman(match[2])))}"


def _division(match: re.Match[str]) -> str:
    return f"{match[1]} {cardinal(str(roman(match[2])))}"


def _compile(*rules: tuple[str, Callable[[re.Match[str]], str]]) -> tuple[Rule, ...]:
    return tuple((re.compile(pattern), reading) for pattern, reading in rules)


def _alternatives(table: dict[str, str]) -> str:
    return "|".join(sorted(table, key=len, reverse=True))


_WORDS: Final = _compile(
    (rf"\b({_alternatives(_TITLES)})\.(?=\s)", lambda match: _TITLES[match[1]]),
    (r"\b(Mr|Mrs|Ms|Messrs)\b(?!\.)", lambda match: _TITLES[match[1]]),
    (r"(?<=[a-z] )Dr\.(?!\s+[A-Z])", lambda _: "drive"),
    (r"\bDr\b\.?(?=\s)", lambda _: "doctor"),
    (r"(?<=[a-z] )St\.(?!\s+[A-Z])", lambda _: "street"),
    (r"\bSt\b\.?(?=\s+[A-Z])", lambda _: "saint"),
    (rf"\b({_alternatives(_COUNTED)})\.\s*(?=\d)", lambda match: f"{_COUNTED[match[1]]} "),
    (rf"\b({_alternatives(_MONTHS)})\.(?=\s+\d)", lambda match: _MONTHS[match[1]]),
    (r"\betc\.(?=\s+[A-Z])", lambda _: "et cetera."),
    (
        rf"\b({_alternatives(_AFTER)})\.(?=([\"')\s]*$)?)",
        lambda match: _AFTER[match[1]] + ("" if match[2] is None else "."),
    ),
    (r"&c\.", lambda _: " et cetera"),
    (rf"\b((?i:{_REGNAL})) (?!I\b(?![.,;:)]|$))({_ROMAN})(?:\.(?=[,;]|\s+[a-z]))?", _regnal),
    (rf"\b((?:{_DIVISIONS})|(?:{_DIVISIONS.upper()})) ({_ROMAN})", _division),
)

_FIGURES: Final = _compile(
    (r"(?<![\w/:.,])#\s?(?=\d)", lambda _: "number "),
    (
        rf"(?P<sign>[$£€¥])\s?(?P<whole>{_NUMBER})(?:\.(?P<places>\d+))?(?:[ -](?P<scale>(?i:{_SCALE}))\b)?",
        _money,
    ),
    (rf"({_NUMBER})\s?¢", lambda match: f"{_count(match[1])} {'cent' if match[1] == '1' else 'cents'}"),
    (
        r"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)\b(?::[0-5]\d\b)?(?:\s?(?P<half>[AaPp])\.?[Mm]\b\.?)?",
        _time,
    ),
    (r"(?<![\d.,:])(?P<hour>1[0-2]|0?[1-9])(?P<minute>)\s?(?P<half>[AaPp])\.?[Mm]\b\.?", _time),
    (r"\b(1[1-9]\d0|20\d0)'?s\b", lambda match: plural(year(match[1]))),
    (r"'?\b([2-9]0)'?s\b", lambda match: plural(cardinal(match[1]))),
    (r"(?<!\w)'(\d\d)\b", lambda match: cardinal(match[1])),
    (rf"\b({_NUMBER})(?:st|nd|rd|th)\b", lambda match: ordinal(match[1].replace(",", ""))),
    (r"\b(\d{1,9})\s+([1-9]\d?)/([2-9]|[1-9]\d)\b(?!/)", _mixed),
    (r"\b(\d{1,4})/(\d{1,4})\b(?![/\d])", _slashed),
    (r"(?<![\w,.-])(\d{1,9})(?:-| ?\u2013 ?)(\d{1,9})\b(?![-,.]\d)", _range),
    (r"(?:(?<=\s)|^)-(?=\.?\d)", lambda _: "minus "),
    (rf"(?<![\d.])({_NUMBER})?\.(\d+)(?!\d|\.\d)", lambda match: f" {_decimal(match[1] or '', match[2])} "),
    (r"(?<=\d)\s?%", lambda _: " percent"),
    (r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", lambda _: " "),
    (_NUMBER, lambda match: _plain(match[0])),
)

_SIGNS: Final = str.maketrans(
    {"&": " and ", "%": " percent ", "+": " plus ", "=": " equals ", "@": " at ", "\u2013": "-"}
    | {"$": " dollars ", "£": " pounds ", "€": " euros ", "¥": " yen ", "¢": " cents "}
    | dict.fromkeys("#*/<>\\^_`{|}~", " ")
)


def expand(text: str) -> str:
    """Abbreviations, Roman numerals, figures, money, times and signs as words.

    Args:
        text: as ``to_ascii`` returns it.

    Returns:
        Letters, apostrophes, hyphens, quotation marks, brackets and punctuation only; no digit.
    """
    for pattern, reading in _WORDS:
        text = pattern.sub(reading, text)
    if any(character.isdigit() for character in text):
        for pattern, reading in _FIGURES:
            text = pattern.sub(reading, text)
    return text.translate(_SIGNS)
