"""Numbers as other countries write them, rewritten as the rules for English numbers expect them: ``1,000,000.50``.

Grouped by spaces (SI, ISO 80000-1), by full stops with a decimal comma, by apostrophes (Switzerland), in pairs (India).
A number that could as well be something else, such as an IP address or a telephone number, is left alone.
"""

import re
from typing import Final

from voxgrad.text.quantities import SIGNS, UNITS

_START: Final = r"(?<![\w.,'/+()-])"
_SPACED: Final = re.compile(
    rf"{_START}(?<!\d )(?P<whole>[1-9]\d{{0,2}}(?: \d{{3}})+)(?P<places>,\d{{1,2}}|\.\d+)?(?![\w/'()-]|[.,]\d| \d)"
)
_POINTED: Final = re.compile(
    rf"{_START}(?P<whole>[1-9]\d{{0,2}}(?:\.\d{{3}})+)(?P<places>,\d{{1,3}})?(?![\w/-]|[.,]\d)"
)
_APOSTROPHES: Final = re.compile(r"(?<![\w.,'/-])[1-9]\d{0,2}(?:'\d{3})+(?![\w'/-]|\"|,\d)")
_INDIAN: Final = re.compile(rf"{_START}[1-9]\d?(?:,\d\d)+,\d{{3}}(?![\w/-]|,\d)")
_UNIT: Final = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
_DECIMAL_COMMA: Final = re.compile(
    rf"(?:{_START}|(?<=[{SIGNS}])|(?<=[{SIGNS}] ))(?P<whole>\d+),(?P<places>\d{{1,2}})"
    rf"(?= ?(?:(?:{_UNIT})(?![A-Za-z])|[%‰°€₽₺₩₹]|EUR\b|(?:million|billion)\b))"
)
_DECIMAL_COMMA_OF_MONEY: Final = re.compile(r"(?<=€)( ?\d+),(\d\d)(?![\d,.])")
_CALL: Final = re.compile(
    r"(?i:\b(?:call|dial|phone|ring|text|fax|tel|telephone|mobile|number|extension|no)\b[.:]? ?(?:is )?)$"
)
_GUARD: Final = re.compile(r"\d[ .,']\d")
_BYTE: Final = 256


def read_foreign_numbers(text: str) -> str:
    """Rewrite numbers of other countries.

    >>> read_foreign_numbers("1 000 000 and 1.000.000,50 and 1'000 and 1,00,000 and 3,5 km")
    '1,000,000 and 1,000,000.50 and 1,000 and 100,000 and 3.5 km'
    """
    if _GUARD.search(text) is None:
        return text
    text = _SPACED.sub(_spaced, text)
    text = _POINTED.sub(_pointed, text)
    text = _APOSTROPHES.sub(lambda match: match[0].replace("'", ","), text)
    text = _INDIAN.sub(lambda match: f"{int(match[0].replace(',', '')):,}", text)
    text = _DECIMAL_COMMA_OF_MONEY.sub(r"\1.\2", text)
    return _DECIMAL_COMMA.sub(r"\g<whole>.\g<places>", text)


def _spaced(match: re.Match[str]) -> str:
    whole, places = match["whole"], match["places"]
    one_group = whole.count(" ") == 1
    # "7 200 ml bottles" are seven of them; "7 000" and "12 345" are one number.
    if one_group and not places and whole.index(" ") == 1 and not whole.endswith("000"):
        return match[0]
    if _CALL.search(match.string[max(match.start() - 16, 0) : match.start()]) is not None:
        return match[0]
    return whole.replace(" ", ",") + (f".{places[1:]}" if places else "")


def _pointed(match: re.Match[str]) -> str:
    whole, places = match["whole"], match["places"]
    groups = whole.split(".")
    if not places and (
        len(groups) == 2 or (len(groups) == 4 and all(int(group) < _BYTE for group in groups))
    ):
        return match[0]  # an English decimal, or the address of a machine
    return whole.replace(".", ",") + (f".{places[1:]}" if places else "")
