"""Roman numerals, where a name, a title or a division of a work stands before them."""

import re
from collections.abc import Callable
from typing import Final

from voxgrad.text.numbers import ROMAN, cardinal, ordinal, roman

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_REGNAL: Final = (
    "Albert|Alexander|Alfonso|Amenhotep|Antiochus|Artaxerxes|Benedict|Boniface|Carlos|Catherine|Charles|Christian"
    "|Clement|Constantine|Cyrus|Darius|Edmund|Edward|Elizabeth|Emmanuel|Eugene|Felipe|Ferdinand|Francis|Franz"
    "|Frederick|Friedrich|George|Gregory|Gustav|Hadrian|Harald|Harold|Henri|Henry|Innocent|Isabella|Ivan|James|Joan"
    "|John|Joseph|Juan|Julius|Justinian|Katherine|Leo|Leopold|Louis|Margaret|Mary|Mehmed|Napoleon|Nebuchadnezzar"
    "|Nicholas|Otto|Paul|Pedro|Peter|Philip|Philippe|Pius|Pope|Ptolemy|Rameses|Ramesses|Ramses|Richard|Robert"
    "|Rudolf|Sargon|Sixtus|Suleiman|Theodosius|Thutmose|Umberto|Urban|Victor|Wilhelm|William|Xerxes"
)
_DIVISIONS: Final = (
    "Act|Appendix|Article|Book|Canto|Chapter|Class|Division|Episode|Level|Part|Phase|Scene|Section|Stage|Title|Type"
    "|Volume|War"
)
_LONG_ROMAN: Final = rf"(?=[IVXL]{{2}})(?!XL\b){ROMAN}"
_REGNAL_STOP: Final = r"(?:\.(?=[,;]|\s+[a-z]))?"
_NO_PRONOUN: Final = r"(?!I\b(?![,;:)]|\.(?! [A-Z])|$| of [A-Z]))"
_GUARD: Final = re.compile(
    r" (?:[IVXL]{2,}|[VXL])\b| I(?:[,;:.)]|$| of\b)|\b(?:[A-Z][a-z]+|[A-Z]{3,}) I\b|[es] [ivxl]{2,}\b"
)


def _regnal(match: re.Match[str]) -> str:
    return f"{match[1]} the {ordinal(str(roman(match[2])))}"


def _sequel(match: re.Match[str]) -> str:
    return f"{match[1]} {cardinal(str(roman(match[2])))}"


def _division(match: re.Match[str]) -> str:
    numerals = re.sub(ROMAN, lambda numeral: cardinal(str(roman(numeral[0]))), match[2])
    return f"{match[1]} {re.sub('[-–]', ' to ', numerals)}"


def _lower_numeral(match: re.Match[str]) -> str:
    numeral = match[2].upper()
    return f"{match[1]} {cardinal(str(roman(numeral)))}" if re.fullmatch(ROMAN, numeral) else match[0]


def _century(match: re.Match[str]) -> str:
    return ordinal(str(roman(match[1])))


_RULES: Final[tuple[Rule, ...]] = tuple(
    (re.compile(pattern), reading)
    for pattern, reading in (
        (
            rf"\b((?:{_DIVISIONS})s?|(?:{_DIVISIONS.upper()})S?) ({ROMAN}(?:(?:, |,? and | to | or |[-–]){ROMAN})*)",
            _division,
        ),
        (r"\b(pages?|volume|chapter) ([ivxl]{2,})\b", _lower_numeral),
        (
            (
                rf"\b((?:act|appendix|article|book|chapter|figure|number|page|part|scene|section|volume)s?)"
                rf" ({_LONG_ROMAN})"
            ),
            _sequel,
        ),
        (rf"\b({ROMAN})(?= (?:century|centuries|dynasty|Dynasty|Olympiad)\b)", _century),
        (
            rf"\b((?i:king|queen|pope|emperor|empress|tsar|czar|kaiser|sultan) [A-Z][a-z]+) ({ROMAN}){_REGNAL_STOP}",
            _regnal,
        ),
        (
            rf"\b((?i:{_REGNAL})(?: (?!the\b|and\b)[A-Z][a-z]+)?) {_NO_PRONOUN}({ROMAN}){_REGNAL_STOP}",
            _regnal,
        ),
        (rf"\b([A-Z][a-z]+) ({_LONG_ROMAN})(?!\.\w)", _sequel),
    )
)


def read_numerals(text: str) -> str:
    """Write out Roman numerals; the pronoun and a person's initial are none."""
    if _GUARD.search(text) is not None:
        for pattern, reading in _RULES:
            text = pattern.sub(reading, text)
    return text
