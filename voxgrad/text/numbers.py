"""Numbers as English words, the patterns that find them, and Roman numerals."""

import re
from typing import Final

from voxgrad.text.rules import Rules, table, text_after

_SMALL: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = ("", "thousand", "million", "billion", "trillion")
_MOST_DIGITS: Final = 3 * len(_SCALES)
_ORDINALS: Final = table("one first, two second, three third, five fifth, eight eighth, nine ninth, twelve twelfth")
NUMBER: Final = r"(?<!\d)(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)"
"""A whole number as written, with or without commas."""
# Starting at a run's first digit only, and never giving one back, keeps a megabyte of digits linear.
AMOUNT: Final = rf"(?:{NUMBER}(?:\.\d++)?|(?<![\d.])\.\d++)"
"""A number that may have decimal places."""
FRACTION: Final = r"(?<![\d/.,])(?:\d{1,9}[ -])?[1-9]\d?/(?:[2-9]|10|12|16|32|64)(?![\d/])"
"""A simple fraction, or a whole number and a fraction."""
ROMAN: Final = r"(?=[IVXL]+\b)(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?!\w)"
"""A Roman numeral below ninety; longer ones are rarely numbers in English prose."""
_ROMAN: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def digits(number: str) -> str:
    """Each digit by its name.

    >>> digits("007")
    'zero zero seven'
    """
    return " ".join(_SMALL[int(digit)] for digit in number)


def quantity(amount: str) -> str:
    """A number that may have decimal places or be a fraction.

    >>> quantity("1,000.25"), quantity(".5"), quantity("2 1/2")
    ('one thousand point two five', 'point five', 'two and a half')
    """
    if "/" in amount:
        *before, numerator, denominator = re.split("[ /-]", amount)
        part = fraction(numerator, denominator)
        return f"{cardinal(before[0])} and {re.sub('^one (?=half|quarter)', 'a ', part)}" if before else part
    whole, point, places = amount.partition(".")
    if not point:
        return cardinal(whole)
    return f"{cardinal(whole)} point {digits(places)}" if whole else f"point {digits(places)}"


def cardinal(number: str | int) -> str:
    """Digits, with commas or without, as a count; one by one with leading zeros or more than there are names for.

    >>> cardinal("1063"), cardinal("20,000")
    ('one thousand sixty-three', 'twenty thousand')
    """
    figures = str(number).replace(",", "")
    if len(figures) > _MOST_DIGITS or (len(figures) > 1 and figures[0] == "0"):
        return digits(figures)
    value = int(figures)
    if value < len(_SMALL):
        return _SMALL[value]
    groups = [(value // 1000**power % 1000, scale) for power, scale in enumerate(_SCALES)]
    return " ".join(f"{_below_thousand(group)} {scale}".rstrip() for group, scale in reversed(groups) if group)


def ordinal(number: str | int) -> str:
    """A number as a place in a row.

    >>> ordinal("3"), ordinal("21"), ordinal("40")
    ('third', 'twenty-first', 'fortieth')
    """
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    return head + (_ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"))


def year(number: str) -> str:
    """Four digits as a year or a house number: in pairs, without an "and".

    >>> year("1802"), year("1900"), year("2004"), year("2026"), year("1066")
    ('eighteen oh two', 'nineteen hundred', 'two thousand four', 'twenty twenty-six', 'ten sixty-six')
    """
    century, rest = number[:2], number[2:]
    if number[1:3] == "00":
        return cardinal(number)
    if rest == "00":
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest[0] == '0' else ''}{cardinal(rest.lstrip('0'))}"


def counted(number: str, unit: str) -> str:
    """A number of things.

    >>> counted("05", "minute"), counted("1", "hour")
    ('five minutes', 'one hour')
    """
    return f"{cardinal(int(number))} {unit}{'' if int(number) == 1 else 's'}"


def plural(words: str) -> str:
    """The last word of a number in the plural.

    >>> plural("eighteen thirty"), plural("six")
    ('eighteen thirties', 'sixes')
    """
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}{'es' if words.endswith('x') else 's'}"


def fraction(numerator: str | int, denominator: str | int) -> str:
    """A simple fraction.

    >>> fraction("1", "2"), fraction("3", "4"), fraction("5", "8"), fraction("1", "100")
    ('one half', 'three quarters', 'five eighths', 'one hundredth')
    """
    parts = {2: "half", 4: "quarter"}.get(int(denominator), ordinal(denominator).removeprefix("one "))
    if int(numerator) != 1:
        parts = "halves" if parts == "half" else f"{parts}s"
    return f"{cardinal(numerator)} {parts}"


def roman(numeral: str) -> int:
    """The value of a well-formed Roman numeral.

    >>> roman("XIV")
    14
    """
    values = [_ROMAN[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-value if value < successor else value for value, successor in zip(values, following, strict=True))


def _below_thousand(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    words = [_SMALL[hundreds], "hundred"] if hundreds else []
    if rest >= len(_SMALL):
        tens, ones = divmod(rest, 10)
        words.append(_TENS[tens] + (f"-{_SMALL[ones]}" if ones else ""))
    elif rest:
        words.append(_SMALL[rest])
    return " ".join(words)


_REGNAL: Final = (
    "Albert|Alexander|Alfonso|Amenhotep|Antiochus|Artaxerxes|Benedict|Boniface|Carlos|Catherine|Charles|Christian"
    "|Clement|Constantine|Cyrus|Darius|Edmund|Edward|Elizabeth|Emmanuel|Eugene|Felipe|Ferdinand|Francis|Franz"
    "|Frederick|Friedrich|George|Gregory|Gustav|Hadrian|Harald|Harold|Henri|Henry|Innocent|Isabella|Ivan|James|Joan"
    "|John|Joseph|Juan|Julius|Justinian|Katherine|Leo|Leopold|Louis|Margaret|Mary|Mehmed|Napoleon|Nebuchadnezzar"
    "|Nicholas|Otto|Paul|Pedro|Peter|Philip|Philippe|Pius|Pope|Ptolemy|Rameses|Ramesses|Ramses|Richard|Robert"
    "|Rudolf|Sargon|Sixtus|Suleiman|Theodosius|Thutmose|Umberto|Urban|Victor|Wilhelm|William|Xerxes"
)
_BOOKS: Final = (
    "act|appendix|article|book|canto|chapter|figure|line|number|page|paragraph|part|plate|psalm|scene|section|table"
    "|verse|volume"
)
"""What is numbered to any height, and in small letters too."""
_GRADES: Final = "class|division|episode|level|phase|stage|title|type|war"
_FULL: Final = r"(?=[IVXLCDM]+\b)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?!\w)"
_NO_HEADING: Final = "C[CDILMV]|C[ILV][IV]|D[CDIM]|D[CIV][IV]|M[CDIM]|M[CDIV][IV]|MIX"
_SMALL_LETTERS: Final = r"(?=[ivxl]+\b)(?:xl|l?x{0,3})(?:ix|iv|v?i{0,3})(?!\w)"
_IN_BOOK: Final = rf"(?:(?!(?:[CDLM]|CD|D[CDM]|M[CDM]|CM)\b){_FULL}|{_SMALL_LETTERS})"
_JOINT: Final = r"(?:, |,? (?:and|or|to) |[-\u2013])(?![Ii] )"
_LONG_ROMAN: Final = rf"(?=[IVXL]{{2}})(?!XL\b){ROMAN}"
_REGNAL_STOP: Final = r"(?:\.(?=[,;]|\s+[a-z]))?"
_NO_PRONOUN: Final = r"(?!I\b(?![,;:)]|\.(?! [A-Z])|$| of [A-Z]))"
_GUARD: Final = (
    r"\b[IVXLCDM]{2,}\b|\b[VX]\b|^I\.| I(?:[,;:.)]|$| of\b)|\b(?:[A-Z][a-z]+|[A-Z]{3,}) I\b|\b[ivxl]{2,}\b"
    r"|[a-z] [ivx](?:[,.;:]|$)"
)
_TITLE: Final = re.compile(
    r"(?:The|An?|And|At|By|Of|On|In|From|To|For|How|What|When|Where|Which|Who|Why|With|My|Our|His|Her|Its|Some) "
    r"|(?!.\.)[^.!?]*$"
)
"""What follows the number of a heading, and not a person's initial."""


def roman_words(numeral: str) -> str:
    """A Roman numeral, in capitals or not, as a count."""
    return cardinal(roman(numeral.upper()))


def _regnal(match: re.Match[str]) -> str:
    return f"{match[1]} the {ordinal(roman(match[2]))}"


def _division(match: re.Match[str]) -> str:
    name, numerals = match[1], match[2]
    ends = re.match(r"$|[,;:.)\]\"'-]| of\b", text_after(match, 3)) is not None
    if len(numerals) == 1 and not (ends or (numerals in "IVX" and name[0].isupper()) or numerals in "vx"):
        return match[0]
    words = re.sub("[-\u2013]", " to ", numerals)
    return f"{name} " + re.sub(r"\b(?i:[IVXLCDM]+)\b", lambda numeral: roman_words(numeral[0]), words)


def _heading(match: re.Match[str]) -> str:  # one letter only where a title, or nothing, follows its full stop
    numeral, mark = match[1], match[2]
    title = _TITLE.match(match.string, match.end()) is not None
    if len(numeral) == 1 and not (numeral in "IVX" and (mark == "." or (mark == ". " and title))):
        return match[0]
    return roman_words(numeral) + {". ": ", ", ") ": ", "}.get(mark, mark)


read_numerals: Final = Rules(
    (rf"^((?!(?:{_NO_HEADING})\b){_FULL})(\. (?=[A-Z\"'(\d])|\.?$|(?=:| --))", _heading),
    (r"^((?=[ivx]{2})(?:x{0,3})(?:ix|iv|v?i{0,3})\b)([.)] )", _heading),
    (r"(?<=\()(?=[ivx]{2})(?:x{0,3})(?:ix|iv|v?i{0,3})(?=\))", lambda match: roman_words(match[0])),
    (rf"\b((?i:{_BOOKS})s?) ({_IN_BOOK}(?:{_JOINT}{_IN_BOOK})*+)", _division),
    (rf"\b((?i:{_GRADES})s?) ((?:{ROMAN}|{_SMALL_LETTERS})(?:{_JOINT}{ROMAN})*+)", _division),
    (
        r"\bM{1,2}(?=[MCDXLVI]{3,}\b)(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})\b",
        lambda match: year(str(roman(match[0]))),
    ),
    (rf"\b({ROMAN})(?= (?:century|centuries|dynasty|Dynasty|Olympiad)\b)", lambda match: ordinal(roman(match[1]))),
    (rf"\b((?i:king|queen|pope|emperor|empress|tsar|czar|kaiser|sultan) [A-Z][a-z]+) ({ROMAN}){_REGNAL_STOP}", _regnal),
    (rf"\b((?i:{_REGNAL})(?: (?!the\b|and\b)[A-Z][a-z]+)?) {_NO_PRONOUN}({ROMAN}){_REGNAL_STOP}", _regnal),
    (rf"\b([A-Z][a-z]+) ({_LONG_ROMAN})(?!\.\w)", lambda match: f"{match[1]} {roman_words(match[2])}"),
    guard=_GUARD,
)
"""Writes out Roman numerals; the pronoun and a person's initial are none."""
