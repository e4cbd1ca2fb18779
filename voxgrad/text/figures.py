"""Numbers and signs other than dates, sums and measures: fractions, ranges, scores, powers, equations, codes."""

import re
from typing import Final

from voxgrad.text.capitals import letter, spelt
from voxgrad.text.dates import number_in_context
from voxgrad.text.numbers import AMOUNT, NUMBER, cardinal, fraction, ordinal, plural, quantity, year
from voxgrad.text.quantities import SIGNS
from voxgrad.text.rules import Rules, comes_after, text_after, text_before

_PARTS: Final = frozenset((*range(2, 11), 12, 15, 16, 20, 32, 64, 100, 1000))
"""Denominators that are read as such; other pairs are names and days ("9/11", "24/7")."""

_POINTS: Final = frozenset((5, 10, 20, 100))
_SCORE_BEFORE: Final = (
    r"(?i:\b(?:scor|rat|grad|mark|gave|giv|got|get|earn|solid|perfect|review)\w*(?: (?:it|this|that|them|him|her|a|an"
    r"|of|only|just|at|is|was))*:? )$"
)
"""What stands before a mark out of five, ten, twenty or a hundred."""


_RESULT: Final = (
    r"(?i:\b(?:beat|beats|beating|defeat\w*|draw|drew|ended|final|leads?|leading|led|los[et]s?|losing|pass(?:ed|es)|score\w*"
    r"|tied|trail\w*|vote\w*|win|wins|winning|won)\b[^.!?\d]{0,24})$"
)
_RESULT_AFTER: Final = re.compile(
    r" (?:\w+ )?(?:decision|defeat|draw|final|lead|loss|score|thriller|tie|victory|vote|win)\b"
)
_RECORD: Final = re.compile(r" (?:mark|record|season|start)\b")
_SHARES: Final = re.compile(r" (?:\w+ )?(?:basis|blend|chance|mix|odds|partnership|ratio|rule|share|split)\b")


def _slashed(match: re.Match[str]) -> str:
    above, below = match[1], match[2]
    if _is_score(match):
        return f"{cardinal(above)} out of {cardinal(below)}"
    if 0 < int(above) < int(below) in _PARTS:
        return fraction(int(above), int(below))
    return f"{cardinal(above)}{' over ' if len(above) > 2 else ' '}{cardinal(below)}"


def _is_score(match: re.Match[str]) -> bool:
    """Whether ``98/100`` counts points: it lies near the whole, is the whole, or a mark is spoken of."""
    above, below = int(match[1]), int(match[2])
    if below not in _POINTS or above > below or match[1][0] == "0":
        return False
    if re.match(r" of\b", text_after(match, 4)) is not None:
        return False
    given = comes_after(_SCORE_BEFORE, match, 24)
    return given or (above == below and below > 5) or (below == 100 and above >= 10)


def _range(match: re.Match[str]) -> str:
    low, high = match[1], match[2]
    if all(len(bound) == 4 and "1000" <= bound < "2100" for bound in (low, high)):
        return f"{year(low)} to {year(high)}"
    pair = _pair(match) if re.fullmatch(r"(?:0|[1-9]\d{0,2})[-\u2013](?:0|[1-9]\d{0,2})", match[0]) else None
    if pair is not None:
        return pair
    rising = float(low.replace(",", "")) < float(high.replace(",", ""))
    joint = " to " if rising or max(len(low), len(high)) < 3 else " "
    return f"{quantity(low)}{joint}{quantity(high)}"


def _pair(match: re.Match[str]) -> str | None:
    """A score ("won 110-98"), a tie ("2-2"), shares of a hundred ("a 60-40 split"); None for a range."""
    low, high = int(match[1]), int(match[2])
    string, end = match.string, match.end()
    result = comes_after(_RESULT, match, 40)
    if _RECORD.match(string, end) is not None:
        return f"{cardinal(match[1])} and {cardinal(match[2])}"
    shares = low + high == 100 and (low >= high or _SHARES.match(string, end) is not None)
    if low == high or (shares and not result):
        words = (cardinal(match[1]), cardinal(match[2]))
        return " ".join(words) if "-" in "".join(words) else "-".join(words)
    close = 199 >= low > high >= 70 and low > 99
    if close or result or _RESULT_AFTER.match(string, end) is not None:
        return f"{_points(match[1])} to {_points(match[2])}"
    return None


def _points(number: str) -> str:
    """As in a result, where 104 is "one oh four"."""
    if len(number) < 3 or number[1:] == "00":
        return cardinal(number)
    return f"{cardinal(number[0])} {'oh ' if number[1] == '0' else ''}{cardinal(int(number[1:]))}"


def _ratio(match: re.Match[str]) -> str:
    is_verse = comes_after(r"[A-Z][a-z]+ $", match, 12)
    return f"{cardinal(match[1])}{' ' if is_verse else ' to '}{cardinal(match[2])}"


def _power(match: re.Match[str]) -> str:
    base, sign, exponent = match[1], match[2], match[3]
    if base.isalpha() and len(base) > 1 and not set(base.lower()) & set("aeiouy"):
        base = spelt(base)
    if exponent in "23" and not sign and base != "10":
        return f"{base} {'squared' if exponent == '2' else 'cubed'} "
    return f"{base} to the power of {'minus ' if sign else ''}{exponent} "


def _scientific(match: re.Match[str]) -> str:
    sign = "minus " if match[2] == "-" else ""
    return f"{quantity(match[1])} times ten to the power of {sign}{cardinal(int(match[3]))}"


def _product(match: re.Match[str]) -> str:
    return f"{match[1]} {'times' if re.match(r'[0-9. ]{1,12}=', text_after(match, 13)) else 'by'} "


def _decimal(match: re.Match[str]) -> str:
    follows_word = text_before(match, 1).isalpha()
    precedes_word = re.match("-?[A-Za-z]", text_after(match, 2)) is not None
    return f"{' ' if follows_word else ''}{quantity(match[0])}{' ' if precedes_word else ''}"


def _code(match: re.Match[str]) -> str:
    """Letters and figures in one word: ``MP3``, ``B2B``, ``H2O``."""
    words = " ".join(map(_code_part, re.findall(r"\d+|IP(?=v)|[A-Za-z]+", match[0])))
    # The letter A needs no full stop where no article can stand.
    at_end = re.match(r"[,;:!?)]|\.?$", text_after(match, 2)) is not None
    return words[:-1] if at_end and words.endswith("A.") else words


def _code_part(part: str) -> str:
    vowels = set(part.lower()) & set("aeiouy")
    if part.isdigit() or (part.islower() and len(part) > 2 and vowels):
        return part
    if len(part) == 1:
        return letter(part)
    return spelt(part) if (part.isupper() and len(part) < 4) or not vowels else part


def _joined_letters(match: re.Match[str]) -> str:
    """``AT&T``, ``Q&A``, ``M&Ms``."""
    right = f"{match[2]}'s" if match[3] and len(match[2]) == 1 else spelt(match[2]) + match[3]
    return f"{spelt(match[1])} and {'A' if right == 'A.' else right}"


def _plural_number(match: re.Match[str]) -> str:
    return plural(cardinal(match[1]))


_FUNCTIONS: Final = {
    "sin": "sine", "cos": "cosine", "tan": "tangent", "log": "log", "ln": "ln", "exp": "exp", "sqrt": "square root",
}  # fmt: skip
_VALUE: Final = r"(?:-?\d{1,6}|[A-Za-z])"


def _function(match: re.Match[str]) -> str:
    name, prime, inner = match.groups()
    return f"{_FUNCTIONS.get(name, name)}{' prime' if prime else ''} of {letter(inner) if inner == 'A' else inner}"


read_coefficients: Final = Rules(
    (r"(?<![\w.])(\d{1,4})([abknxyz])\b(?! (?!minus|plus|times|over)[a-z]{3})", r"\1 \2"),
    (r"(?<=[=+] )([a-z])([xyz])\b(?= ?[-+=]|$)", r"\1 \2"),
    (r"(?:(?<=\d)|(?<=\b[xyz]))\((?=[\da-z])", " ("),
    guard="=",
)
"""Parts the factors in the terms of an equation."""
_FUNCTION: Final = "|".join(_FUNCTIONS)
read_functions: Final = Rules(
    (rf"(?<!\w)([fgh]|P(?=\([A-Z])|{_FUNCTION})('?)\(({_VALUE}(?:, {_VALUE})*)\)", _function),
    (r"\b([nxyz]|\d{1,3})/(?=(?:[nxyz]|\d{1,3})\b)(?:(?<=[nxyz]/)|(?=[nxyz]))", r"\1 over "),
    guard=rf"=|\b(?:[fghP]|{_FUNCTION})'?\(|\b[nxyz]/|/[nxyz]\b",
)
"""Writes out functions and fractions of variables."""
read_operators: Final = Rules(
    (rf"([{SIGNS}])\s?-(?=\.?\d)", r"minus \1"),
    (rf"(?:(?<=[\s(=<>~\"'*/+])|^)-(?=[{SIGNS}]?\.?\d)", "minus "),
    (r"#\s?(?=\d)", " number "),
    (r"~\s?(?=[$£€]?\.?\d)", " approximately "),
    (r"(?<=\d)\s?!=\s?", " is not equal to "),
    (r"(?<=\d)\s?\*\s?(?=\d)", " times "),
    (r"(?<=\d)/(?=\d+\s?=)", " divided by "),
    (r"(?<=\d)-(?=\d+\s?=)", " minus "),
    (r"\b([A-Z]+)-(\d{1,3})s\b", lambda match: f"{spelt(match[1])} {plural(cardinal(match[2]))}"),
    (r"\b(7\d7)s\b", _plural_number),
    (r"\b(40[13])\(?([bk])\)?(?!\w)", lambda match: f"four oh {cardinal(match[1][2])} {match[2].upper()}"),
    (
        r"(?<![A-Za-z0-9'])([A-Z][A-Za-z]*+)-(?=\d)",
        lambda match: f"{letter(match[1]) if len(match[1]) == 1 else match[1]} ",
    ),
    (
        r"\b(7|10|14|21)(20|80|40|60)([pi])\b",
        lambda match: f"{cardinal(match[1])} {cardinal(match[2])} {match[3].upper()}",
    ),
    (r"(\d(?: ?(?:cm|mm|m|km|in|ft|px)\b|''|['\"])?)(?<!\b0)\s?[xX]\s?(?=\d)", _product),
    (rf"(?<![\w.])({AMOUNT})[eE]([+-]?)(\d{{1,3}})\b", _scientific),
)
"""Writes out what is said before a figure or between two, and figures that are no numbers."""
read_figures: Final = Rules(
    (r"((?<!\d)\d++(?:\.\d++)?|\b[A-Za-z]{1,2}|\))\^(-?)(\d{1,9}|[A-Za-z]\b)(?!\w)", _power),
    (r"(?<=\d)(st|nd|rd|th)\s?[-\u2013]\s?(?=\d{1,3}(?:st|nd|rd|th)\b)", r"\1 to "),
    (rf"\b({NUMBER})(?i:st|nd|rd|th)\b", lambda match: ordinal(match[1].replace(",", ""))),
    (
        r"\b(\d{1,9})(?:\s+|-)([1-9]\d?)/([2-9]|[1-9]\d)\b(?!/)",
        lambda match: quantity(f"{match[1]} {match[2]}/{match[3]}"),
    ),
    (r"\b(\d{1,4})/(\d{1,4})\b(?![/\d])", _slashed),
    (r"(?<![\w.:,])(\d{1,3}):(\d{1,3})(?![\w:]|\.\d)", _ratio),
    (rf"({AMOUNT})[xX]\b", lambda match: f"{quantity(match[1])} times"),
    (rf"(?<![\w,.-])({AMOUNT})(?:-| ?\u2013 ?)({AMOUNT})(?!\w|-\d|[.,]\d)", _range),
    (rf"(?<![\d.])(?:{NUMBER})?\.\d++(?!\.\d)", _decimal),
    (r"(?<![\w.,])([01])s\b", _plural_number),
    (r"(?<![A-Za-z0-9])(?:[A-Za-z]++\d|\d++[A-Za-z])[A-Za-z0-9]*+(?:-[A-Za-z]*+\d[A-Za-z0-9]*+)*+", _code),
    (NUMBER, number_in_context),
)
"""Writes out all figures that are left."""
read_comparisons: Final = Rules(
    (r"\s?(?:<=|=<)\s?", " less than or equal to "),
    (r"\s?>=\s?", " greater than or equal to "),
    (r"(?<![<-])<\s?(?=-?\.?\d)|(?<=[\w)]) < (?=\w)|(?<=\b\w)<(?=\w\b)", " less than "),
    (r"(?<![>=-])>\s?(?=-?\.?\d)|(?<=[\w)]) > (?=\w)|(?<=\b\w)>(?=\w\b)", " greater than "),
    (r"(?<![\w&])([A-Z]{1,3})&([A-Z]{1,3})(s?)(?![\w&])", _joined_letters),
    (r"\b([A-G])#(?!\w)", lambda match: f"{letter(match[1])} sharp"),
    (r"\bA(?=[+*](?!\w)| ?& [B-Z]\b)", "A."),
    (r"([$£€])\1+", r"\1"),
    (r"(?<= )<->(?= )|(?<= )[-=]+>(?= )", "--"),
    guard=r"[^\w\s.,;:!?'\"()\[\]\x02\x03-]",
)
"""Writes out comparisons, letters joined by "&", and arrows."""
SIGN_NAMES: Final = str.maketrans(
    {
        "&": " and ", "%": " percent ", "+": " plus ", "=": " equals ", "@": " at ", "\u2013": "-", "‰": " per mille ",
        "$": " dollars ", "£": " pounds ", "€": " euros ", "¥": " yen ", "¢": " cents ", "₹": " rupees ", "₩": " won ",
        "₽": " rubles ", "₺": " lira ", "₪": " shekels ", "₱": " pesos ", "₿": " bitcoin ", "°": " degrees ",
        "μ": " mu ", "Ω": " omega ", **dict.fromkeys("#*/<>\\^_`{|}~", " "),
    }
)  # fmt: skip
"""What signs are called that no rule has read."""
