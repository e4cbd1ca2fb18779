"""Values of SSML's ``say-as``, ``prosody``, ``emphasis`` and ``break``."""

import math
import re
import string
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from voxgrad.text.capitals import letter
from voxgrad.text.characters import to_ascii
from voxgrad.text.dates import MONTH_NAMES, full_year
from voxgrad.text.marked_text import LONGEST_PAUSE, Prosody
from voxgrad.text.normalize import normalize
from voxgrad.text.numbers import cardinal, counted, digits, ordinal, quantity, roman, roman_words
from voxgrad.text.rules import table

_NAMES: Final = {",": "comma", " ": "space"} | table("""
    . dot, : colon, ; semicolon, ! exclamation mark, ? question mark, - dash, _ underscore, / slash, \\ backslash, @ at,
    # hash, $ dollar, % percent, & ampersand, * asterisk, + plus, = equals, ( left parenthesis, ) right parenthesis,
    [ left bracket, ] right bracket, { left brace, } right brace, < less than, > greater than, | vertical bar, ~ tilde,
    ^ caret, ' apostrophe, " quotation mark, ` backtick
""")
_ROMAN: Final = re.compile(r"(?=[IVXLC])(?:XC|XL|L?X{0,3}|C{1,3})(?:IX|IV|V?I{0,3})")
_ORDERS: Final = frozenset(("mdy", "dmy", "ymd", "ydm", "md", "dm", "ym", "my", "y", "m", "d"))


def say_as(text: str, kind: str, format_: str = "") -> str:
    """Words for what an element of a kind (``interpret-as``) and a format holds, which `normalize` leaves as they are.

    Raises:
        ValueError: the text is not of this kind, or the format is unknown.

    >>> say_as("21", "ordinal"), say_as("3/4/2021", "date", "dmy"), say_as("B2", "characters")
    ('twenty-first', 'the third of april, twenty twenty-one', 'B two')
    """
    words = _KINDS[kind](" ".join(to_ascii(text).split()), format_)
    if not words:
        raise ValueError(text)
    return words


# Each returns an empty string for what is not of its kind.


def _characters(text: str, _: str) -> str:
    names = _NAMES | {sign: letter(sign) if sign.isalpha() else digits(sign) for sign in text if sign.isalnum()}
    return " ".join(names[sign] for sign in text if sign != " " and sign in names)


def _cardinal(text: str, _: str) -> str:
    plain = text.replace(",", "").replace(" ", "")
    if _ROMAN.fullmatch(plain):
        return roman_words(plain)
    match = re.fullmatch(r"([+-]?)(\d*)(\.\d+)?", plain)
    if match is None or not (match[2] or match[3]):
        return ""
    sign = {"-": "minus ", "+": "plus "}.get(match[1], "")
    whole = str(int(match[2])) if match[2] else ""
    return sign + quantity(whole + (match[3] or ""))


def _ordinal(text: str, _: str) -> str:
    plain = text.replace(",", "")
    if _ROMAN.fullmatch(plain):
        return ordinal(roman(plain))
    match = re.fullmatch(r"(\d{1,15})\s?(?:st|nd|rd|th)?\.?", plain, re.IGNORECASE)
    return "" if match is None else ordinal(int(match[1]))


def _digits(text: str, _: str) -> str:
    if not re.fullmatch(r"[\d\s.,-]*\d[\d\s.,-]*", text):
        return ""
    return " ".join(digits(sign) if sign.isdigit() else "point" for sign in text if sign.isdigit() or sign == ".")


def _fraction(text: str, _: str) -> str:
    match = re.fullmatch(r"(?:(\d{1,9})(?:\s?\+\s?|\s))?(\d{1,9})\s?/\s?(\d{1,9})", text)
    if match is None or int(match[3]) == 0:
        return ""
    above, below = str(int(match[2])), str(int(match[3]))
    if below == "1":
        part = f"{cardinal(above)} over one"
    else:
        part = quantity(f"0 {above}/{below}").removeprefix("zero and ")
        part = re.sub("^a (half|quarter)$", r"one \1", part) if not match[1] else part
    return f"{cardinal(int(match[1]))} and {part}" if match[1] else part


def _date(text: str, format_: str) -> str:
    if not format_:
        words = normalize(text)
        return words if re.search(r"[a-z]", words) else ""
    order = format_.lower() if format_.lower() in _ORDERS else ""
    numbers = re.findall(r"\d+", text)
    if order and len(numbers) == 1 < len(order) and len(numbers[0]) == 8:  # 20210304
        sizes = [4 if part == "y" else 2 for part in order]
        numbers = [numbers[0][sum(sizes[:at]) : sum(sizes[: at + 1])] for at in range(len(sizes))]
    if not order or len(numbers) != len(order) or not re.fullmatch(r"[\d\s./,-]+", text):
        return ""
    return _spoken_date(dict(zip(order, numbers, strict=True)), day_first=format_[0].lower() == "d")


def _spoken_date(parts: dict[str, str], *, day_first: bool) -> str:
    month, day, year = (parts.get(part) for part in "mdy")
    if not 0 < int(month or 1) <= 12 or not 0 < int(day or 1) <= 31 or len(year or "2000") not in {2, 4}:
        return ""
    said = ""
    if month and day:
        name, number = MONTH_NAMES[int(month) - 1], ordinal(int(day))
        said = f"the {number} of {name}" if day_first else f"{name} {number}"
    elif month:
        said = MONTH_NAMES[int(month) - 1]
    elif day:
        said = ordinal(int(day))
    if not year:
        return said
    return f"{said}{', ' if day else ' ' if said else ''}{full_year(year)}"


def _time(text: str, _: str) -> str:
    clock = re.fullmatch(r"(\d{1,2})(?:[:.]([0-5]\d))?(?:[:.]([0-5]\d))?\s?(?:([ap])\.?m?\.?)?", text, re.IGNORECASE)
    span = re.fullmatch(r"(?:(\d{1,3})['m]\s?)?(?:(\d{1,2})(?:\"|''|s))?", text)
    if clock is not None and int(clock[1]) <= 24:
        hour, minute, second, half = clock.groups()
        seconds = f":{second}" if second else ""
        return normalize(f"{hour}:{minute or '00'}{seconds}{f' {half.lower()}.m.' if half else ''}")
    parts = ((span[1], "minute"), (span[2], "second")) if span is not None else ()
    return " ".join(counted(number, unit) for number, unit in parts if number)


def _telephone(text: str, _: str) -> str:
    match = re.fullmatch(
        r"(\+?)([\d\s().\-/]*\d[\d\s().\-/]*)(?:\s?(?:x|ext\.?|extension)\s?(\d+))?", text, re.IGNORECASE
    )
    if match is None:
        return ""
    groups = ", ".join(digits(group) for group in re.findall(r"\d+", match[2]))
    return f"{'plus ' if match[1] else ''}{groups}{f', extension {digits(match[3])}' if match[3] else ''}"


def _unit(text: str, _: str) -> str:
    return normalize(text) if text.strip(string.punctuation + " ") else ""


SPELT: Final = frozenset(("characters", "spell-out", "verbatim", "letters"))
"""Kinds of which every letter is said."""
_KINDS: Final[dict[str, Callable[[str, str], str]]] = {
    **dict.fromkeys(SPELT, _characters), "cardinal": _cardinal,
    "number": _cardinal, "ordinal": _ordinal, "digits": _digits, "fraction": _fraction, "date": _date, "time": _time,
    "telephone": _telephone, **dict.fromkeys(("unit", "measure", "currency", "address", "name"), _unit),
}  # fmt: skip
KINDS: Final = frozenset((*_KINDS, "expletive", "bleep"))
"""What ``interpret-as`` may be; the last two are not said, but a tone is heard."""


_EMPHASES: Final = {
    "strong": (0.85, 2.0, 3.0),
    "moderate": (0.92, 1.0, 1.5),
    "none": (1.0, 0.0, 0.0),
    "reduced": (1.1, -1.0, -2.0),
}
"""Levels of emphasis: factor of the rate, semitones, decibels."""
_RATES: Final = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 4 / 3, "x-fast": 1.75}
_PITCHES: Final = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
_VOLUMES: Final = {
    "silent": -math.inf, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0,
}  # fmt: skip
_NUMBER: Final = r"([+-]?)(\d+\.?\d*|\.\d+)"
_DURATION: Final = re.compile(r"\+?(\d+\.?\d*|\.\d+)\s*(ms|s)")
_SLOWEST, _FASTEST = 0.05, 20.0
_HIGHEST_HERTZ: Final = 1000.0
_MOST_SEMITONES: Final = 48.0
_MOST_DECIBELS: Final = 60.0


def changed(prosody: Prosody, name: str, value: str) -> Prosody:
    """A prosody under one more attribute, with a value as SSML 1.0 and 1.1 write them.

    Raises:
        ValueError: the value is invalid; the message says which are valid.

    >>> changed(Prosody(), "rate", "80%").rate, changed(Prosody(), "pitch", "+2st").semitones
    (0.8, 2.0)
    """
    return {"rate": _rate, "pitch": _pitch, "volume": _volume}[name](prosody, value)


def emphasised(prosody: Prosody, level: str) -> Prosody:
    """A prosody under an emphasis.

    Raises:
        ValueError: there is no such level; says which there are.
    """
    if level not in _EMPHASES:
        raise ValueError(f"Give one of {', '.join(_EMPHASES)}.")
    rate, semitones, decibels = _EMPHASES[level]
    return replace(
        prosody, rate=prosody.rate * rate, semitones=prosody.semitones + semitones, decibels=prosody.decibels + decibels
    )


def pause_seconds(time: str) -> float:
    """The seconds of a break's ``time``.

    Raises:
        ValueError: it is not a time, or longer than a pause may be.

    >>> pause_seconds("500ms"), pause_seconds("1.5s")
    (0.5, 1.5)
    """
    match = _DURATION.fullmatch(time.strip())
    seconds = math.inf if match is None else float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > LONGEST_PAUSE:
        raise ValueError(f"Give a time such as 500ms or 1.5s, at most {LONGEST_PAUSE:g}s.")
    return seconds


def _rate(prosody: Prosody, value: str) -> Prosody:
    factor = _RATES.get(value)
    if factor is None and (match := re.fullmatch(rf"{_NUMBER}(%?)", value)):
        sign, number, percent = match[1], float(match[2]), match[3]
        factor = number / 100 if percent else number
        if sign and percent:
            factor = 1 + factor if sign == "+" else 1 - factor
        elif sign == "-":
            factor = None
    if factor is None or factor <= 0:
        named = ", ".join(_RATES)
        raise ValueError(f"Give one of {named}, a factor such as 1.2, or a percentage such as 80% or +10%.")
    return replace(prosody, rate=min(max(prosody.rate * factor, _SLOWEST), _FASTEST))


def _pitch(prosody: Prosody, value: str) -> Prosody:
    if value in _PITCHES:
        return _raised(prosody, _PITCHES[value])
    match = re.fullmatch(rf"{_NUMBER}\s?(st|%|Hz|hz)", value)
    if match is not None:
        sign, number, unit = match[1], float(match[2]), match[3].lower()
        signed = -number if sign == "-" else number
        if unit == "st" and number <= _MOST_SEMITONES:
            return _raised(prosody, signed)
        if unit == "%" and (factor := 1 + signed / 100 if sign else number / 100) > 0:
            return _raised(prosody, 12 * math.log2(factor))
        if unit == "hz" and sign and number <= _HIGHEST_HERTZ:
            return replace(prosody, hertz=prosody.hertz + signed)
        if unit == "hz" and 0 < number <= _HIGHEST_HERTZ:
            return replace(prosody, target=number, semitones=0.0, hertz=0.0)
    raise ValueError(f"Give one of {', '.join(_PITCHES)}, +2st, -10%, +20Hz or 200Hz.")


def _raised(prosody: Prosody, semitones: float) -> Prosody:
    total = prosody.semitones + semitones
    return replace(prosody, semitones=min(max(total, -_MOST_SEMITONES), _MOST_SEMITONES))


def _volume(prosody: Prosody, value: str) -> Prosody:
    decibels = _VOLUMES.get(value)
    if decibels is None and (match := re.fullmatch(rf"{_NUMBER}\s?(dB|db|%?)", value)):
        sign, number, unit = match[1], float(match[2]), match[3].lower()
        if unit == "db":
            decibels = -number if sign == "-" else number
        else:  # SSML 1.0: 0 to 100, or a change of it; a percentage of the voice's own
            share = number / 100
            share = {"+": 1 + share, "-": 1 - share}.get(sign, share)
            decibels = 20 * math.log10(share) if share > 0 else -math.inf if share == 0 else None
    if decibels is None or decibels > _MOST_DECIBELS:
        raise ValueError(f"Give one of {', '.join(_VOLUMES)}, decibels such as +6dB, or a percentage.")
    return replace(prosody, decibels=min(prosody.decibels + decibels, _MOST_DECIBELS))
