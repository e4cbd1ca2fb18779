"""Dates, years, decades, times of day and durations."""

import re
from typing import Final

from voxgrad.text.abbreviations import MONTHS
from voxgrad.text.numbers import cardinal, counted, ordinal, plural, year
from voxgrad.text.rules import Rules, comes_after, text_after, text_before

MONTH_NAMES: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_MONTH: Final = rf"(?P<month>(?i:{'|'.join(MONTH_NAMES)})|(?:{'|'.join(MONTHS)})\b)"
_DAY_MONTHS: Final = "|".join(
    (
        *(name.title() for name in MONTH_NAMES),
        *MONTHS,
        *(name for name in MONTH_NAMES if name not in {"march", "may"}),
        # In lower case these two are verbs, unless nothing follows the figure.
        r"(?:march|may)(?= \d\d?(?:[.,;:!?)]|$))",
    )
)
"""Months before a day; abbreviations with a full stop have been written out in lower case by then."""
_PIVOT: Final = 40
"""Two figures below this are a year of this century, from it on of the last."""

COUNTED_NOUN: Final = re.compile(
    r" (?!always|messrs|across|does|perhaps|plus|this|towards|unless|was|less|sees|marks|its|has)"
    r"(?:people|men|women|children|feet|fish|sheep|[a-z]{3,}s)\b"
)
_BEFORE_YEAR: Final = (
    r"(?i:\b(?:the|this|that|in|of|since|by|until|till|circa|year|during|from|to|and|or|early|late|mid|january|february"
    r"|march|april|may|june|july|august|september|october|november|december|\w+day|'s)[ ,]{1,2}| to |-)$"
)
_SURE_YEAR: Final = r"(?i:\b(?:in|since|by|until|till|circa|year|during) )$"
_HOUSE: Final = (
    r" (?:[NSEW]\. |North |South |East |West )?(?:[A-Z][a-z]+ ){1,2}(?:street|avenue|road|drive|lane"
    r"|boulevard|court|place|(?i:st|ave|street|avenue|road|drive|lane|boulevard))\b"
    r"|(?: (?:North|South|East|West|north|south|east|west)) [A-Z]"
)


def number_in_context(match: re.Match[str]) -> str:
    """A whole number without a sign or a unit: a year or a house number where it looks like one, or a count."""
    number = match[0]
    if len(number) != 4 or not number.isdigit() or not "1000" <= number <= "9999":
        return cardinal(number)
    after = text_after(match, 40)
    before = text_before(match, 12)
    counted = COUNTED_NOUN.match(after) is not None
    if re.match(_HOUSE, after) is not None:
        return year(number)
    if "1100" <= number < "2100":
        is_count = counted and number[2:] != "00" and not re.search(_BEFORE_YEAR, before)
        return cardinal(number) if is_count else year(number)
    if number < "3000" and not counted and re.search(_SURE_YEAR, before) and not re.match(r" B\.?C", after):
        return year(number)
    return cardinal(number)


def full_year(number: str) -> str:
    """A year of two or four figures in full.

    >>> full_year("63"), full_year("21"), full_year("1815")
    ('nineteen sixty-three', 'twenty twenty-one', 'eighteen fifteen')
    """
    if len(number) == 2:
        return year(f"{20 if int(number) < _PIVOT else 19}{number}")
    return year(number)


def _date(match: re.Match[str], *, day_first: bool = False) -> str:
    first, second, number = match["first"], match["second"], match["year"]
    month, day = (second, first) if day_first else (first, second)
    if int(month) > 12 >= int(day):
        month, day = day, month
    if not (0 < int(month) <= 12 and 0 < int(day) <= 31):
        return match[0]
    words = f"{MONTH_NAMES[int(month) - 1]} {ordinal(int(day))}"
    return f"{words}, {full_year(number)}" if number else words


def _month_day(match: re.Match[str]) -> str:
    """``Jan 1``: an ordinal, except where it counts what follows ("in March 20 men came")."""
    in_month = comes_after(r"(?i:\bin )$", match, 4)
    if in_month and COUNTED_NOUN.match(text_after(match, 24)) is not None:
        return match[0]
    last = f" to {ordinal(int(match['last']))}" if match["last"] else ""
    return f"{MONTHS.get(match['month'], match['month'])} {ordinal(int(match['day']))}{last}"


def _day_month(match: re.Match[str]) -> str:
    article = "" if comes_after(r"(?i:\bthe )$", match, 5) else "the "
    return f"{article}{ordinal(int(match['day']))} of {MONTHS.get(match['month'], match['month'])}"


def _decade(match: re.Match[str]) -> str:
    number = match[1]
    return plural(year(number) if len(number) == 4 else cardinal(number))


def _short_years(match: re.Match[str]) -> str:
    return f"{year(match[1])} to {cardinal(match[2])}" if match[2] > match[1][2:] else match[0]


def _past(minute: str) -> str:
    """Minutes after the hour: " oh five", " thirty", and nothing for "00"."""
    if minute == "00":
        return ""
    return f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = match["hour"], match["minute"], match["second"], match["half"]
    words = cardinal(int(hour)) + _past(minute)
    if minute == "00" and not half and second is None:
        words += " o'clock" if 0 < int(hour) <= 12 else " hundred"
    if second is not None and int(second):
        words += f" and {counted(second, 'second')}"
    return f"{words} {half.lower()}.m." if half else words


def _duration(match: re.Match[str]) -> str:
    """``1:02:33`` without the parts that are zero, and all that is written of ``1h 2m``."""
    parts = zip(match.groups(), ("hour", "minute", "second"), strict=True)
    said = [counted(number, unit) for number, unit in parts if number and (int(number) or ":" not in match[0])]
    return ", ".join(said) or "zero seconds"


def _military(match: re.Match[str]) -> str:
    minute = "hundred" if match[2] == "00" else cardinal(match[2])
    return f"zero {cardinal(match[1])} {minute} hours"


def _clock(match: re.Match[str]) -> str:
    """``1730`` and ``0630`` as a clock of 24 hours shows them."""
    return re.sub(r"\d{4}", lambda time: _four_digits(time[0]), re.sub(r"\s?[-\u2013]\s?", " to ", match[0]))


def _four_digits(time: str) -> str:
    hour, minute = time[:2], time[2:]
    words = f"oh {cardinal(hour[1])}" if hour[0] == "0" else cardinal(hour)
    return words + (_past(minute) or " hundred")


def _clock_hours(match: re.Match[str]) -> str:
    is_count = match[1] in {"1000", "2000"} and not comes_after(_AT, match, 12)
    return f"{match[1] if is_count else _four_digits(match[1])} hours"


def _from_hours(match: re.Match[str]) -> str:
    """The first of two times."""
    hour, _, minute = match["first"].partition(":")
    half = match["first_half"]
    return f"{cardinal(int(hour))}{_past(minute or '00')}{f' {half.lower()}.m.' if half else ''} to "


_HALF: Final = r"\s?(?P<half>[AaPp])\.?\s?[Mm]\b\.?"
_UNSIGNED: Final = r"(?<![\d.,:/$£€-])"
_CLOCK: Final = rf"{_UNSIGNED}(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
_FOUR: Final = r"(?:0[1-9]|1\d|2[0-3])[0-5]\d"
_UNREAD: Final = r"(?<![\w.,:/$£€+-])"
_NO_CODE: Final = "".join(
    rf"(?<!\b{word} )" for word in ("code", "room", "number", "no", "dash", "slash", "dot", "colon")
)
_AT: Final = r"(?i:\b(?:at|by|until|till|before|after|from|around|about) )$"
_ALONE: Final = r"(?![\w%°]|[-.,:/]\d| (?:[ckm]?m|ft|kg|lbs?|feet|people|men|women|children|[a-z]{3,}s)\b)"
_ISO: Final = r"(?<![\w/-])(?P<year>[12]\d{3})-(?P<first>0[1-9]|1[0-2])-(?P<second>0[1-9]|[12]\d|3[01])"
_SHORT_MONTHS: Final = "|".join(MONTHS)
_MONTH_DAY: Final = (
    rf"\b(?P<month>{_DAY_MONTHS}) (?P<day>0?[1-9]|[12]\d|3[01])"
    r"(?:\s?[-\u2013]\s?(?P<last>[1-9]|[12]\d|3[01]))?(?!\w|[:/%]|[.,-]\d|\s?[%°]|\s?[AaPp]\.?[Mm]\b)"
)
_FROM_HOURS: Final = (
    rf"{_UNSIGNED}(?P<first>[01]?\d(?::[0-5]\d)?)\s?(?P<first_half>[AaPp])?(?:(?<=[AaPp])\.?[Mm]\.?)?"
    r"\s?(?:-|\u2013)\s?(?=[01]?\d(?::[0-5]\d)?\s?[AaPp]\.?[Mm]\b)"
)

read_dates: Final = Rules(
    (rf"{_ISO}(?![\w-])", _date),
    (rf"{_ISO}T(?=\d\d:)", lambda match: f"{_date(match)} at "),
    (r"(?<![\w/.-])(?P<year>[12]\d{3})/(?P<first>\d{1,2})/(?P<second>\d{1,2})(?![\w/])", _date),
    (r"(?<![\w/.-])(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>[12]\d{3}|\d\d)(?![\w/])", _date),
    (r"(?<![\w/.-])(?P<first>\d{1,2})-(?P<second>\d{1,2})-(?P<year>[12]\d{3})(?![\w-])", _date),
    (
        r"(?<![\w/.-])(?P<first>\d{1,2})\.(?P<second>\d{1,2})\.(?P<year>[12]\d{3})(?![\w-]|\.\d)",
        lambda match: _date(match, day_first=True),
    ),
    (r"(?<=\bon )(?!9/11)(?P<first>\d{1,2})/(?P<second>\d{1,2})(?P<year>)(?![\w/]| of\b)", _date),
    (r"(?<=\bdue )(?P<first>\d{1,2})/(?P<second>\d{1,2})(?P<year>)(?![\w/]| of\b)", _date),
    (rf"(?<![\w$£€.,:/-])(?P<day>0?[1-9]|[12]\d|3[01]) (?!may\b){_MONTH}(?![A-Za-z])", _day_month),
    (_MONTH_DAY, _month_day),
    (
        rf"\b({_SHORT_MONTHS}) ('?\d{{1,2}}(?:st|nd|rd|th)?|[12]\d{{3}})\b",
        lambda match: f"{MONTHS[match[1]]} {match[2]}",
    ),
    (rf"(?:(?<=\dth )|(?<=\d(?:st|nd|rd) ))({_SHORT_MONTHS})\b", lambda match: MONTHS[match[1]]),
    (r"(?<![\w,.-])([12]\d{3})\s?[-\u2013/]\s?(\d\d)\b(?![-,./:]?\d)", _short_years),
    (r"\b(\d{1,3}) ?h(?:rs?)? ?(\d{1,2})(?: ?m(?:ins?)?(?: ?(\d{1,2}) ?s(?:ecs?)?)?)?\b", _duration),
    (r"\b()(\d{1,3}) ?m(?:in)? ?(\d{1,2}) ?s(?:ec)?\b", _duration),
    (r"(?<=\d0s)\s?[-\u2013]\s?(?='?\d0s|[12]\d\d0s)", " to "),
    (r"\b(1\d\d0|20\d0)'?s\b", _decade),
    (r"(?<![\w.])'?([2-9]0)'?s\b", _decade),
    (r"(?<![\w.])'(\d\d)\b(?!')", lambda match: _past(match[1])[1:] or "oh zero"),
)
"""Writes out dates, decades and shortened years; a year that stands alone is left to its context."""
read_times: Final = Rules(
    (_FROM_HOURS, _from_hours),
    (rf"{_UNSIGNED}(?P<first>[012]?\d:[0-5]\d)(?P<first_half>)\s?[-\u2013]\s?(?=[012]?\d:[0-5]\d\b)", _from_hours),
    (r"\b0(\d)(\d\d)\s?(?:hours|hrs|h)\b", _military),
    (rf"{_UNREAD}({_FOUR})\s?(?:hours|hrs|h)\b(?! (?:a|ago|each|in|later|of|on|per)\b)", _clock_hours),
    (rf"{_UNREAD}{_FOUR}(?= ?(?:GMT|UTC|[BCEMP][DES]T|Z|[Zz]ulu|local time)\b)", _clock),
    (rf"{_UNREAD}0[1-9][0-5]\d\s?[-\u2013]\s?{_FOUR}{_ALONE}", _clock),
    (rf"(?i:\b(?:between|from) ){_FOUR} (?:and|to) {_FOUR}{_ALONE}", _clock),
    (rf"(?i:\b(?:at|by|until|till|before|after)(?: about| around)? )2[1-3][0-5]\d{_ALONE}", _clock),
    (rf"{_UNREAD}{_NO_CODE}0[1-9][0-5]\d{_ALONE}", _clock),
    (f"{_CLOCK}{_HALF}", _time),
    (
        rf"{_UNSIGNED}(?P<hour>1[0-2]|0?[1-9]){_HALF}",
        lambda match: f"{cardinal(int(match['hour']))} {match['half'].lower()}.m.",
    ),
    (r"(?<!at )(?<![\d.,:/])(\d{1,2}):([0-5]\d):([0-5]\d)(?:\.0+)?(?![\d:])", _duration),
    (rf"{_CLOCK.replace('[:.]', ':')}(?P<half>)", _time),
    guard=r"\d(?::\d|\s?[AaPp]\.?\s?[Mm])|\d ?[hm]|\b[012]\d{3}\b",
)
"""Writes out times of day and durations."""
