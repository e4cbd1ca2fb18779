"""Numbers as English words."""

from typing import Final

_SMALL: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = ("", "thousand", "million", "billion", "trillion")
_MOST_DIGITS: Final = 3 * len(_SCALES)
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ROMAN: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def digits(number: str) -> str:
    """Each digit by its name.

    >>> digits("007")
    'zero zero seven'
    """
    return " ".join(_SMALL[int(digit)] for digit in number)


def cardinal(number: str) -> str:
    """A run of digits as a count; one by one with leading zeros or more digits than there are names for.

    >>> cardinal("1063"), cardinal("20000")
    ('one thousand sixty-three', 'twenty thousand')
    """
    if len(number) > _MOST_DIGITS or (len(number) > 1 and number[0] == "0"):
        return digits(number)
    value = int(number)
    if value == 0:
        return _SMALL[0]
    words: list[str] = []
    for power, scale in reversed(tuple(enumerate(_SCALES))):
        group = value // 1000**power % 1000
        if group:
            words.append(_below_thousand(group))
            words.append(scale)
    return " ".join(word for word in words if word)


def ordinal(number: str) -> str:
    """A run of digits as a place in a row.

    >>> ordinal("3"), ordinal("21"), ordinal("40")
    ('third', 'twenty-first', 'fortieth')
    """
    return _ordinal_word(cardinal(number))


def year(number: str) -> str:
    """Four digits as a year, without an "and".

    >>> year("1830"), year("1802"), year("1900"), year("2004"), year("2026")
    ('eighteen thirty', 'eighteen oh two', 'nineteen hundred', 'two thousand four', 'twenty twenty-six')
    """
    century, rest = number[:2], number[2:]
    if number[1:3] == "00" or century == "10":
        return cardinal(number)
    if rest == "00":
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest[0] == '0' else ''}{cardinal(rest.lstrip('0'))}"


def plural(words: str) -> str:
    """The last word of a number in the plural.

    >>> plural("eighteen thirty"), plural("six")
    ('eighteen thirties', 'sixes')
    """
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}{'es' if words.endswith('x') else 's'}"


def fraction(numerator: str, denominator: str) -> str:
    """A simple fraction.

    >>> fraction("1", "2"), fraction("3", "4"), fraction("5", "8"), fraction("1", "20")
    ('one half', 'three quarters', 'five eighths', 'one twentieth')
    """
    parts = {2: "half", 4: "quarter"}.get(int(denominator), ordinal(denominator))
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
    return sum(-value if value < after else value for value, after in zip(values, following, strict=True))


def _below_thousand(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    words = [_SMALL[hundreds], "hundred"] if hundreds else []
    if rest >= len(_SMALL):
        tens, ones = divmod(rest, 10)
        words.append(_TENS[tens] + (f"-{_SMALL[ones]}" if ones else ""))
    elif rest:
        words.append(_SMALL[rest])
    return " ".join(words)


def _ordinal_word(words: str) -> str:
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return head + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
