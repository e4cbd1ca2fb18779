"""Dates, years, decades, times of day and durations."""

import re
from collections.abc import Callable
from typing import Final

from voxgrad.text.abbreviations import MONTHS
from voxgrad.text.numbers import cardinal, count, ordinal, plural, year

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NAMES: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_MONTH: Final = rf"(?P<month>(?i:{'|'.join(_NAMES)})|(?:{'|'.join(MONTHS)})\b)"
_DAY_MONTHS: Final = "|".join(
    (
        *(name.title() for name in _NAMES),
        *MONTHS,
        *(name for name in _NAMES if name not in {"march", "may"}),
        # In lower case these two are verbs, unless nothing follows the figure.
        r"(?:march|may)(?= \d\d?(?:[.,;:!?)]|$))",
    )
)
"""Months before a day; abbreviations with a full stop have been written out in lower case by then."""
_PIVOT: Final = 40
"""Two figures below this are a year of this century, from it on of the last."""
_HALF: Final = r"\s?(?P<half>[AaPp])\.?\s?[Mm]\b\.?"
_CLOCK: Final = (
    r"(?<![\d.,:/$£€-])(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
)

COUNTED_NOUN: Final = re.compile(
    r" (?!always|messrs|across|does|perhaps|plus|this|towards|unless|was|less|sees|marks|its|has)"
    r"(?:people|men|women|children|feet|fish|sheep|[a-z]{3,}s)\b"
)
_BEFORE_YEAR: Final = re.compile(
    r"(?i:\b(?:the|this|that|in|of|since|by|until|till|circa|year|during|from|to|and|or|early|late|mid|january|february"
    r"|march|april|may|june|july|august|september|october|november|december|\w+day|'s)[ ,]{1,2}| to |-)$"
)
_SURE_YEAR: Final = re.compile(r"(?i:\b(?:in|since|by|until|till|circa|year|during) )$")
_HOUSE: Final = re.compile(
    r" (?:[NSEW]\. |North |South |East |West )?(?:[A-Z][a-z]+ ){1,2}(?:street|avenue|road|drive|lane"
    r"|boulevard|court|place|(?i:st|ave|street|avenue|road|drive|lane|boulevard))\b"
    r"|(?: (?:North|South|East|West|north|south|east|west)) [A-Z]"
)


def number_in_context(match: re.Match[str]) -> str:
    """A whole number without a sign or a unit: a year or a house number where it looks like one, or a count."""
    number, string = match[0], match.string
    if len(number) != 4 or not number.isdigit() or not "1000" <= number <= "9999":
        return count(number)
    after = string[match.end() : match.end() + 40]
    before = string[max(match.start() - 12, 0) : match.start()]
    counted = COUNTED_NOUN.match(after) is not None
    if _HOUSE.match(after) is not None:
        return year(number)
    if "1100" <= number < "2100":
        return (
            cardinal(number)
            if counted and number[2:] != "00" and not _BEFORE_YEAR.search(before)
            else year(number)
        )
    if number < "3000" and not counted and _SURE_YEAR.search(before) and not re.match(r" B\.?C", after):
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


def _day(day: str) -> str:
    return ordinal(str(int(day)))


def _date(match: re.Match[str], *, day_first: bool = False) -> str:
    first, second, number = match["first"], match["second"], match["year"]
    month, day = (second, first) if day_first else (first, second)
    if int(month) > 12 >= int(day):
        month, day = day, month
    if not (0 < int(month) <= 12 and 0 < int(day) <= 31):
        return match[0]
    words = f"{_NAMES[int(month) - 1]} {_day(day)}"
    return f"{words}, {full_year(number)}" if number else words


def _dotted_date(match: re.Match[str]) -> str:
    return _date(match, day_first=True)


def _iso_date_and_time(match: re.Match[str]) -> str:
    return f"{_date(match)} at "


def _month_day(match: re.Match[str]) -> str:
    """``Jan 1``: an ordinal, except where it counts what follows ("in March 20 men came")."""
    after, before = match.string[match.end() :][:24], match.string[max(match.start() - 4, 0) : match.start()]
    if COUNTED_NOUN.match(after) is not None and re.search(r"(?i:\bin )$", before) is not None:
        return match[0]
    last = f" to {_day(match['last'])}" if match["last"] else ""
    return f"{_month(match['month'])} {_day(match['day'])}{last}"


def _month_year(match: re.Match[str]) -> str:
    return f"{_month(match['month'])} {match['rest']}"


def _day_month(match: re.Match[str]) -> str:
    article = (
        "" if re.search(r"(?i:\bthe )$", match.string[max(match.start() - 5, 0) : match.start()]) else "the "
    )
    return f"{article}{_day(match['day'])} of {_month(match['month'])}"


def _month(written: str) -> str:
    return MONTHS.get(written, written)


def _decade(match: re.Match[str]) -> str:
    number = match[1]
    return plural(year(number) if len(number) == 4 else cardinal(number))


def _short_years(match: re.Match[str]) -> str:
    return f"{year(match[1])} to {cardinal(match[2])}" if match[2] > match[1][2:] else match[0]


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = match["hour"], match["minute"], match["second"], match["half"]
    words = cardinal(str(int(hour)))
    if int(minute):
        words += f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    elif not half and second is None:
        words += " o'clock" if 0 < int(hour) <= 12 else " hundred"
    if second is not None and int(second):
        words += f" and {_counted(second, 'second')}"
    return f"{words} {half.lower()}.m." if half else words


def _duration(match: re.Match[str]) -> str:
    parts = zip((match[1], match[2], match[3]), ("hour", "minute", "second"), strict=True)
    return ", ".join(_counted(number, unit) for number, unit in parts if int(number)) or "zero seconds"


def _lettered_duration(match: re.Match[str]) -> str:
    parts = zip(match.groups(), ("hour", "minute", "second"), strict=True)
    return ", ".join(_counted(number, unit) for number, unit in parts if number)


def _military(match: re.Match[str]) -> str:
    minute = "hundred" if match[2] == "00" else cardinal(match[2])
    return f"zero {cardinal(match[1])} {minute} hours"


def _clock(match: re.Match[str]) -> str:
    """``1730`` and ``0630`` as a clock of 24 hours shows them."""
    return re.sub(r"\d{4}", lambda time: _four_digits(time[0]), re.sub(r"\s?[-\u2013]\s?", " to ", match[0]))


def _four_digits(time: str) -> str:
    hour, minute = time[:2], time[2:]
    words = f"oh {cardinal(hour[1])}" if hour[0] == "0" else cardinal(hour)
    if minute == "00":
        return f"{words} hundred"
    return f"{words} {'oh ' if minute[0] == '0' else ''}{cardinal(str(int(minute)))}"


def _clock_hours(match: re.Match[str]) -> str:
    is_count = (
        match[1] in {"1000", "2000"}
        and _AT.search(match.string, max(match.start() - 12, 0), match.start()) is None
    )
    return f"{match[1] if is_count else _four_digits(match[1])} hours"


def _counted(number: str, unit: str) -> str:
    return f"{cardinal(str(int(number)))} {unit}{'' if int(number) == 1 else 's'}"


def _hour(match: re.Match[str]) -> str:
    return f"{cardinal(str(int(match['hour'])))} {match['half'].lower()}.m."


def _hours(match: re.Match[str]) -> str:
    first, half = _bare_time(match["first"]), match["first_half"]
    return f"{first}{f' {half.lower()}.m.' if half else ''} to "


def _bare_time(written: str) -> str:
    hour, _, minute = written.partition(":")
    words = cardinal(str(int(hour)))
    if not minute:
        return words
    return words + (
        "" if minute == "00" else f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    )


_FOUR: Final = r"(?:0[1-9]|1\d|2[0-3])[0-5]\d"
_UNREAD: Final = r"(?<![\w.,:/$£€+-])"
_NO_CODE: Final = "".join(
    rf"(?<!\b{word} )" for word in ("code", "room", "number", "no", "dash", "slash", "dot", "colon")
)
_AT: Final = re.compile(r"(?i:\b(?:at|by|until|till|before|after|from|around|about) )$")
_ALONE: Final = r"(?![\w%°]|[-.,:/]\d| (?:[ckm]?m|ft|kg|lbs?|feet|people|men|women|children|[a-z]{3,}s)\b)"

_DATES: Final[tuple[Rule, ...]] = tuple(
    (re.compile(pattern), reading)
    for pattern, reading in (
        (
            (
                r"(?<![\w/-])(?P<year>[12]\d{3})-(?P<first>0[1-9]|1[0-2])-(?P<second>0[1-9]|[12]\d|3[01])"
                r"(?![\w-])"
            ),
            _date,
        ),
        (
            r"(?<![\w/-])(?P<year>[12]\d{3})-(?P<first>0[1-9]|1[0-2])-(?P<second>0[1-9]|[12]\d|3[01])T(?=\d\d:)",
            _iso_date_and_time,
        ),
        (r"(?<![\w/.-])(?P<year>[12]\d{3})/(?P<first>\d{1,2})/(?P<second>\d{1,2})(?![\w/])", _date),
        (r"(?<![\w/.-])(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>[12]\d{3}|\d\d)(?![\w/])", _date),
        (r"(?<![\w/.-])(?P<first>\d{1,2})-(?P<second>\d{1,2})-(?P<year>[12]\d{3})(?![\w-])", _date),
        (
            r"(?<![\w/.-])(?P<first>\d{1,2})\.(?P<second>\d{1,2})\.(?P<year>[12]\d{3})(?![\w-]|\.\d)",
            _dotted_date,
        ),
        (r"(?<=\bon )(?!9/11)(?P<first>\d{1,2})/(?P<second>\d{1,2})(?P<year>)(?![\w/]| of\b)", _date),
        (r"(?<=\bdue )(?P<first>\d{1,2})/(?P<second>\d{1,2})(?P<year>)(?![\w/]| of\b)", _date),
        (rf"(?<![\w$£€.,:/-])(?P<day>0?[1-9]|[12]\d|3[01]) (?!may\b){_MONTH}(?![A-Za-z])", _day_month),
        (
            (
                rf"\b(?P<month>{_DAY_MONTHS}) (?P<day>0?[1-9]|[12]\d|3[01])"
                r"(?:\s?[-\u2013]\s?(?P<last>[1-9]|[12]\d|3[01]))?(?!\w|[:/%]|[.,-]\d|\s?[%°]|\s?[AaPp]\.?[Mm]\b)"
            ),
            _month_day,
        ),
        (
            rf"\b(?P<month>{'|'.join(MONTHS)}) (?P<rest>'?\d{{1,2}}(?:st|nd|rd|th)?|[12]\d{{3}})\b",
            _month_year,
        ),
        (rf"(?<=\dth )({'|'.join(MONTHS)})\b", lambda match: MONTHS[match[1]]),
        (rf"(?<=\d(?:st|nd|rd) )({'|'.join(MONTHS)})\b", lambda match: MONTHS[match[1]]),
        (r"(?<![\w,.-])([12]\d{3})\s?[-\u2013/]\s?(\d\d)\b(?![-,./:]?\d)", _short_years),
        (
            r"\b(\d{1,3}) ?h(?:rs?)? ?(\d{1,2})(?: ?m(?:ins?)?(?: ?(\d{1,2}) ?s(?:ecs?)?)?)?\b",
            _lettered_duration,
        ),
        (r"\b()(\d{1,3}) ?m(?:in)? ?(\d{1,2}) ?s(?:ec)?\b", _lettered_duration),
        (r"(?<=\d0s)\s?[-\u2013]\s?(?='?\d0s|[12]\d\d0s)", lambda _: " to "),
        (r"\b(1\d\d0|20\d0)'?s\b", _decade),
        (r"(?<![\w.])'?([2-9]0)'?s\b", _decade),
        (
            r"(?<![\w.])'(\d\d)\b(?!')",
            lambda match: f"oh {cardinal(match[1][1])}" if match[1][0] == "0" else cardinal(match[1]),
        ),
    )
)
_TIMES: Final[tuple[Rule, ...]] = tuple(
    (re.compile(pattern), reading)
    for pattern, reading in (
        (
            (
                r"(?<![\d.,:/$£€-])(?P<first>[01]?\d(?::[0-5]\d)?)\s?(?P<first_half>[AaPp])?(?:(?<=[AaPp])\.?[Mm]\.?)?\s?(?:-|\u2013)\s?"
                r"(?=[01]?\d(?::[0-5]\d)?\s?[AaPp]\.?[Mm]\b)"
            ),
            _hours,
        ),
        (
            r"(?<![\d.,:/$£€-])(?P<first>[012]?\d:[0-5]\d)(?P<first_half>)\s?[-\u2013]\s?(?=[012]?\d:[0-5]\d\b)",
            _hours,
        ),
        (r"\b0(\d)(\d\d)\s?(?:hours|hrs|h)\b", _military),
        (
            rf"{_UNREAD}({_FOUR})\s?(?:hours|hrs|h)\b(?! (?:a|ago|each|in|later|of|on|per)\b)",
            _clock_hours,
        ),
        (rf"{_UNREAD}{_FOUR}(?= ?(?:GMT|UTC|[BCEMP][DES]T|Z|[Zz]ulu|local time)\b)", _clock),
        (rf"{_UNREAD}0[1-9][0-5]\d\s?[-\u2013]\s?{_FOUR}{_ALONE}", _clock),
        (rf"(?i:\b(?:between|from) ){_FOUR} (?:and|to) {_FOUR}{_ALONE}", _clock),
        (rf"(?i:\b(?:at|by|until|till|before|after)(?: about| around)? )2[1-3][0-5]\d{_ALONE}", _clock),
        (
            rf"{_UNREAD}{_NO_CODE}0[1-9][0-5]\d{_ALONE}",
            _clock,
        ),
        (rf"{_CLOCK}{_HALF}", _time),
        (r"(?<![\d.,:/$£€-])(?P<hour>1[0-2]|0?[1-9]){half}".replace("{half}", _HALF), _hour),
        (r"(?<!at )(?<![\d.,:/])(\d{1,2}):([0-5]\d):([0-5]\d)(?:\.0+)?(?![\d:])", _duration),
        (rf"{_CLOCK.replace('[:.]', ':')}(?P<half>)", _time),
    )
)


def read_dates(text: str) -> str:
    """Write out dates, decades and shortened years; a year that stands alone is left to its context."""
    for pattern, reading in _DATES:
        text = pattern.sub(reading, text)
    return text


def read_times(text: str) -> str:
    """Write out times of day and durations."""
    if re.search(r"\d(?::\d|\s?[AaPp]\.?\s?[Mm])|\d ?[hm]|\b[012]\d{3}\b", text) is None:
        return text
    for pattern, reading in _TIMES:
        text = pattern.sub(reading, text)
    return text
