"""Written English to words and punctuation: one deterministic string, stable when normalised again."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.abbreviations import (
    SHORT,
    is_stuck,
    letter,
    lower,
    read_formulas,
    spelt,
    unshout,
    write_out,
)
from voxgrad.text.addresses import read_codes, read_links
from voxgrad.text.characters import to_ascii, unread
from voxgrad.text.dates import number_in_context, read_dates, read_times
from voxgrad.text.lexicon import BRACED, is_inline
from voxgrad.text.marked_text import without_html
from voxgrad.text.numbers import (
    AMOUNT,
    NUMBER,
    cardinal,
    count,
    fraction,
    ordinal,
    plural,
    quantity,
    read_numerals,
    year,
)
from voxgrad.text.pronounce import is_stutter, is_told_by_accent, without_accents
from voxgrad.text.quantities import (
    SIGNS,
    UNITS,
    read_counts_per,
    read_foreign_numbers,
    read_money,
    read_quantities,
    read_rates,
)
from voxgrad.unicode import clean

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_PARTS: Final = frozenset((*range(2, 11), 12, 15, 16, 20, 32, 64, 100, 1000))
"""Denominators that are read as such; other pairs are names and days ("9/11", "24/7")."""

_POINTS: Final = frozenset((5, 10, 20, 100))
_SCORE_BEFORE: Final = re.compile(
    r"(?i:\b(?:scor|rat|grad|mark|gave|giv|got|get|earn|solid|perfect|review)\w*(?: (?:it|this|that|them|him|her|a|an"
    r"|of|only|just|at|is|was))*:? )$"
)
"""What stands before a mark out of five, ten, twenty or a hundred."""


_RESULT: Final = re.compile(
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
        return f"{count(above)} out of {count(below)}"
    if 0 < int(above) < int(below) in _PARTS:
        return fraction(str(int(above)), str(int(below)))
    return f"{count(above)}{' over ' if len(above) > 2 else ' '}{count(below)}"


def _is_score(match: re.Match[str]) -> bool:
    """Whether ``98/100`` counts points: it lies near the whole, is the whole, or a mark is spoken of."""
    above, below = int(match[1]), int(match[2])
    if below not in _POINTS or above > below or match[1][0] == "0":
        return False
    if re.match(r" of\b", match.string[match.end() : match.end() + 4]) is not None:
        return False
    given = _SCORE_BEFORE.search(match.string[max(match.start() - 24, 0) : match.start()]) is not None
    return given or (above == below and below > 5) or (below == 100 and above >= 10)


def _mixed(match: re.Match[str]) -> str:
    return quantity(f"{match[1]} {match[2]}/{match[3]}")


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
    result = _RESULT.search(string[max(match.start() - 40, 0) : match.start()]) is not None
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
    return f"{cardinal(number[0])} {'oh ' if number[1] == '0' else ''}{cardinal(str(int(number[1:])))}"


def _ratio(match: re.Match[str]) -> str:
    is_verse = (
        re.search(r"[A-Z][a-z]+ $", match.string[max(match.start() - 12, 0) : match.start()]) is not None
    )
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
    return f"{quantity(match[1])} times ten to the power of {sign}{cardinal(str(int(match[3])))}"


def _product(match: re.Match[str]) -> str:
    joint = "times" if re.match(r"[\d. ]{1,12}=", match.string[match.end() :][:13]) else "by"
    return f"{match[1]} {joint} "


def _decimal(match: re.Match[str]) -> str:
    follows_word = match.string[match.start() - 1 : match.start()].isalpha()
    precedes_word = re.match("-?[A-Za-z]", match.string[match.end() : match.end() + 2]) is not None
    return f"{' ' if follows_word else ''}{quantity(match[0])}{' ' if precedes_word else ''}"


def _code(match: re.Match[str]) -> str:
    """Letters and figures in one word: ``MP3``, ``B2B``, ``H2O``."""
    parts = [_code_part(part) for part in re.findall(r"\d+|IP(?=v)|[A-Za-z]+", match[0])]
    return _without_stop(" ".join(parts), match)


def _joined_letters(match: re.Match[str]) -> str:
    """``AT&T``, ``Q&A``, ``M&Ms``."""
    right = f"{match[2]}'s" if match[3] and len(match[2]) == 1 else spelt(match[2]) + match[3]
    return f"{spelt(match[1])} and {'A' if right == 'A.' else right}"


def _resolution(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])} {cardinal(match[2])} {match[3].upper()}"


def _without_stop(words: str, match: re.Match[str]) -> str:
    """The letter A needs no full stop where no article can stand."""
    at_end = re.match(r"[,;:!?)]|\.?$", match.string[match.end() : match.end() + 2]) is not None
    return words[:-1] if at_end and words.endswith("A.") else words


def _code_part(part: str) -> str:
    if part.isdigit() or (part.islower() and len(part) > 2 and set(part) & set("aeiouy")):
        return part
    if len(part) == 1:
        return letter(part)
    return (
        spelt(part) if (part.isupper() and len(part) < 4) or not set(part.lower()) & set("aeiouy") else part
    )


def _hyphenated_code(match: re.Match[str]) -> str:
    return f"{letter(match[1]) if len(match[1]) == 1 else match[1]} "


def _plural_number(match: re.Match[str]) -> str:
    return plural(count(match[1]))


def _compile(*rules: tuple[str, Callable[[re.Match[str]], str] | str]) -> tuple[Rule, ...]:
    return tuple(
        (
            re.compile(pattern),
            (lambda match, words=reading: match.expand(words)) if isinstance(reading, str) else reading,
        )
        for pattern, reading in rules
    )


_FUNCTIONS: Final = {
    "sin": "sine", "cos": "cosine", "tan": "tangent", "log": "log", "ln": "ln", "exp": "exp", "sqrt": "square root",
}  # fmt: skip
_VALUE: Final = r"(?:-?\d{1,6}|[A-Za-z])"


def _function(match: re.Match[str]) -> str:
    name, prime, inner = match.groups()
    inner = letter(inner) if inner == "A" else inner
    return f"{_FUNCTIONS.get(name, name)}{' prime' if prime else ''} of {inner}"


_EQUATION: Final = _compile(
    (rf"(?<!\w)([fgh]|P(?=\([A-Z])|{'|'.join(_FUNCTIONS)})('?)\(({_VALUE}(?:, {_VALUE})*)\)", _function),
    (r"\b([nxyz]|\d{1,3})/(?=(?:[nxyz]|\d{1,3})\b)(?:(?<=[nxyz]/)|(?=[nxyz]))", r"\1 over "),
)
_COEFFICIENTS: Final = _compile(
    (r"(?<![\w.])(\d{1,4})([abknxyz])\b(?! (?!minus|plus|times|over)[a-z]{3})", r"\1 \2"),
    (r"(?<=[=+] )([a-z])([xyz])\b(?= ?[-+=]|$)", r"\1 \2"),
    (r"(?:(?<=\d)|(?<=\b[xyz]))\((?=[\da-z])", " ("),
)
_EARLY: Final = _compile(
    (rf"([{SIGNS}])\s?-(?=\.?\d)", lambda match: f"minus {match[1]}"),
    (rf"(?:(?<=[\s(=<>~\"'*/+])|^)-(?=[{SIGNS}]?\.?\d)", "minus "),
    (r"#\s?(?=\d)", " number "),
    (r"~\s?(?=[$£€]?\.?\d)", " approximately "),
    (r"(?<=\d)\s?!=\s?", " is not equal to "),
    (r"(?<=\d)\s?\*\s?(?=\d)", " times "),
    (r"(?<=\d)/(?=\d+\s?=)", " divided by "),
    (r"(?<=\d)-(?=\d+\s?=)", " minus "),
    (r"\b([A-Z]+)-(\d{1,3})s\b", lambda match: f"{spelt(match[1])} {plural(count(match[2]))}"),
    (r"\b(7\d7)s\b", _plural_number),
    (r"\b(40[13])\(?([bk])\)?(?!\w)", lambda match: f"four oh {cardinal(match[1][2])} {match[2].upper()}"),
    (r"(?<![A-Za-z0-9'])([A-Z][A-Za-z]*+)-(?=\d)", _hyphenated_code),
    (r"\b(7|10|14|21)(20|80|40|60)([pi])\b", _resolution),
    (r"(\d(?: ?(?:cm|mm|m|km|in|ft|px)\b|''|['\"])?)(?<!\b0)\s?[xX]\s?(?=\d)", _product),
    (rf"(?<![\w.])({AMOUNT})[eE]([+-]?)(\d{{1,3}})\b", _scientific),
)
_LATE: Final = _compile(
    (r"((?<!\d)\d++(?:\.\d++)?|\b[A-Za-z]{1,2}|\))\^(-?)(\d{1,9}|[A-Za-z]\b)(?!\w)", _power),
    (r"(?<=\d)(st|nd|rd|th)\s?[-\u2013]\s?(?=\d{1,3}(?:st|nd|rd|th)\b)", lambda match: f"{match[1]} to "),
    (rf"\b({NUMBER})(?i:st|nd|rd|th)\b", lambda match: ordinal(match[1].replace(",", ""))),
    (r"\b(\d{1,9})(?:\s+|-)([1-9]\d?)/([2-9]|[1-9]\d)\b(?!/)", _mixed),
    (r"\b(\d{1,4})/(\d{1,4})\b(?![/\d])", _slashed),
    (r"(?<![\w.:,])(\d{1,3}):(\d{1,3})(?![\w:]|\.\d)", _ratio),
    (rf"({AMOUNT})[xX]\b", lambda match: f"{quantity(match[1])} times"),
    (rf"(?<![\w,.-])({AMOUNT})(?:-| ?\u2013 ?)({AMOUNT})(?!\w|-\d|[.,]\d)", _range),
    (rf"(?<![\d.])(?:{NUMBER})?\.\d++(?!\.\d)", _decimal),
    (r"(?<![\w.,])([01])s\b", _plural_number),
    (r"(?<![A-Za-z0-9])(?:[A-Za-z]++\d|\d++[A-Za-z])[A-Za-z0-9]*+(?:-[A-Za-z]*+\d[A-Za-z0-9]*+)*+", _code),
    (NUMBER, number_in_context),
)
_LETTERED: Final = _compile(
    (r"\s?(?:<=|=<)\s?", " less than or equal to "),
    (r"\s?>=\s?", " greater than or equal to "),
    (r"(?<![<-])<\s?(?=-?\.?\d)|(?<=[\w)]) < (?=\w)|(?<=\b\w)<(?=\w\b)", " less than "),
    (r"(?<![>=-])>\s?(?=-?\.?\d)|(?<=[\w)]) > (?=\w)|(?<=\b\w)>(?=\w\b)", " greater than "),
    (r"(?<![\w&])([A-Z]{1,3})&([A-Z]{1,3})(s?)(?![\w&])", _joined_letters),
    (r"\b([A-G])#(?!\w)", lambda match: f"{letter(match[1])} sharp"),
    (r"\bA(?=[+*](?!\w)| ?& [B-Z]\b)", "A."),
    (r"([$£€])\1+", lambda match: match[1]),
    (r"(?<= )<->(?= )|(?<= )[-=]+>(?= )", "--"),
)
_SIGNS: Final = str.maketrans(
    {
        "&": " and ",
        "%": " percent ",
        "+": " plus ",
        "=": " equals ",
        "@": " at ",
        "\u2013": "-",
        "‰": " per mille ",
    }
    | {"$": " dollars ", "£": " pounds ", "€": " euros ", "¥": " yen ", "¢": " cents ", "₹": " rupees "}
    | {"₩": " won ", "₽": " rubles ", "₺": " lira ", "₪": " shekels ", "₱": " pesos ", "₿": " bitcoin "}
    | {"°": " degrees ", "μ": " mu ", "Ω": " omega "}
    | dict.fromkeys("#*/<>\\^_`{|}~", " ")
)
_MATHS: Final = re.compile(rf"=|\b(?:[fghP]|{'|'.join(_FUNCTIONS)})'?\(|\b[nxyz]/|/[nxyz]\b")
_CHEMISTRY: Final = re.compile(r"[A-Za-z][A-Z\d]")
_SIGN: Final = re.compile(r"[^\w\s.,;:!?'\"()\[\]\x02\x03-]")


def expand(text: str) -> str:
    """Addresses, abbreviations, Roman numerals, figures, money, measures, dates, times and signs as words.

    Args:
        text: as ``to_ascii`` returns it.

    Returns:
        Letters, apostrophes, hyphens, quotation marks, brackets and punctuation only; no digit.
    """
    text = read_numerals(write_out(read_links(read_foreign_numbers(text))))
    if _MATHS.search(text) is not None:
        text = _apply(_EQUATION, _apply(_COEFFICIENTS, text) if "=" in text else text)
    if _CHEMISTRY.search(text) is not None:
        text = read_formulas(text)
    if _SIGN.search(text) is not None:
        text = _apply(_LETTERED, text)
    if re.search(r"\d", text) is not None:
        text = read_codes(_apply(_EARLY, text))
        text = read_quantities(read_money(read_times(read_dates(read_counts_per(text)))))
        text = _apply(_LATE, text)
    return read_rates(text).translate(_SIGNS)


def _apply(rules: tuple[Rule, ...], text: str) -> str:
    for pattern, reading in rules:
        text = pattern.sub(reading, text)
    return text


class NothingToSayError(BadInputError):
    """A text has no word in it; the scripts of those that it has are named."""

    def __init__(self, scripts: Iterable[str] = ()) -> None:
        named = " and ".join(dict.fromkeys(script for script in scripts if script))
        message = f"the text has no words to speak{f', only {named} letters' if named else ''}"
        super().__init__(message, "Give at least one word in English, in Latin letters.")


_MOST_PASSES: Final = 6
"""Writing one thing out may complete an abbreviation ("1/2etc."), so a text is read until it is stable."""

_SPACING: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\.{4,}", "..."),
        (r"([!?,;:])\1+", r"\1"),
        (r" ?-{2,} ?|(?<= )-(?= )", " -- "),
        (r" {2,}", " "),
        (r" (?=[,;:!?)\]]|\.(?:[ \"')]|$))", ""),
        (r"(?<=[(\[]) ", ""),
    )
)
_SPACES: Final = re.compile(r"\s+")
_SPACED_RANGE: Final = re.compile(
    r"(?<=[\d%]) - (?=[$£€]?\d)|(?<=[ap]m) - (?=\d)|(?<=[ap]\.m\.) - (?=\d)"
    r"|(?<=[\da-z)]) - (?=\(?(?:\d+[a-z]?|[a-z])(?![a-z]))"
)
_BEFORE_MINUS: Final = re.compile(r"(?:^|[ (=])(?:[$£€]?[\d.,]+[a-z]?|[a-z]|[\da-z()]+\^\d|[\w +*-]+\))$")
_EQUALS_AFTER: Final = re.compile(r"[$£€]?[\w.,^+*/() -]{1,24}=")
_LOOSE_HYPHEN: Final = re.compile(r"(?<![A-Za-z0-9'.\x03\-])-(?![-\d.])|(?<!-)-(?![A-Za-z0-9\-.'\x03])")

_STUCK: Final = re.compile(r"(?<=[\w\"')])[.!?][\"')\]]?(?=[A-Z])")
_SENTENCE_START: Final = re.compile(r"(?:^|[.!?\"'(-])\s*$")
_STUTTER: Final = re.compile(
    r"(?<![\w'./-])([A-Za-z]{1,3})(?:--? ?(?i:\1)(?![A-Za-z'])){0,6}+--? ?(?=((?i:\1)[A-Za-z']+))"
)

# What must pass unread is represented by one control character, which no rule knows.
_PHONES, _WORD = "\x02", "\x03"
_BRACES: Final = re.compile(rf"{BRACED.pattern}|[{{}}]")
_LETTERS: Final = "A-Za-zÀ-ÖØ-öø-ÿ"
_WORDS: Final = re.compile(r"[^\W\d_]++")
_JOINED_LETTERS: Final = re.compile(r"(?<=[^\W\d_])\x04(?=[^\W\d_])")
_LATIN: Final = re.compile(r"[a-zà-öø-ÿ]+")
_SPAN_OR_WORD: Final = re.compile(rf"{BRACED.pattern}|[{_LETTERS}]++(?!\.[\w-]+\.[a-z])")
_SHIELD: Final = re.compile(f"[{_PHONES}{_WORD}]")
_CAPITALS: Final = re.compile(r"\b[A-Z]+\b")
_BESIDE_SHIELD: Final = re.compile(
    rf"(?<=[\w{_PHONES}{_WORD}])-?(?={_PHONES})|(?<={_PHONES})-?(?=[\w{_WORD}])|(?<=\w)(?={_WORD})|(?<={_WORD})(?=\w)"
)


def normalize(text: str, known: Callable[[str], bool] | None = None) -> str:
    """Write out everything that is not a word or punctuation.

    Args:
        text: written English, any Unicode. A span ``{HH AH0 L OW1}`` is passed through as it stands; what
            cannot be read is left out.
        known: whether a lower-case word is in the user's lexicon: such a word is neither spelt nor taken
            for an abbreviation.

    Returns:
        Words in lower case, parted by single spaces; what is to be spelt (``FBI``, ``U.S.``, the letter
        ``A``) in capitals; punctuation attached as in print, dashes as `` -- ``, quotation marks straight.
        Accents only where they change how a word is said (``rosé``).

    Raises:
        NothingToSayError: nothing to say.
    """
    written = clean(without_html(text))
    words = _SPACES.sub(" ", _BRACES.sub(_without_braces, _unaccented(written, known)))
    for _ in range(_MOST_PASSES):
        again = _around_shields(words, known)
        if again == words:
            break
        words = again
    if not any(character.isalnum() for character in words):
        raise NothingToSayError(one.script for one in unread(written))
    return words


def _without_braces(match: re.Match[str]) -> str:
    """Phones in braces stay as they are; other braces are no more than a space."""
    return match[0] if is_inline(match[0]) else f" {match[0].strip('{}')} "


def _unaccented(text: str, known: Callable[[str], bool] | None) -> str:
    """ASCII, but for words whose accents tell how they are said; the user's lexicon has words without accents."""
    if text.isascii():
        return to_ascii(text)
    parts, start = list[str](), 0
    for match in _WORDS.finditer(text):
        word = match[0].lower()
        if word.isascii() or _LATIN.fullmatch(word) is None or not is_told_by_accent(word):
            continue
        if known is None or not known(without_accents(word)):
            parts += [to_ascii(text[start : match.start()]), word]
            start = match.end()
    joined = "\x04".join((*parts, to_ascii(text[start:])))
    return _JOINED_LETTERS.sub(" ", joined).replace("\x04", "")


def _unstuck(match: re.Match[str]) -> str:
    return f"{match[0]} " if is_stuck(match.string, match.start(), match.end()) else match[0]


def _stuttered(match: re.Match[str]) -> str:
    """A word's beginning before the word, as in "Wh- what", joined to it and in lower case."""
    part, word = match[1], match[2]
    if (
        part.isupper()
        and word.islower()
        and not _SENTENCE_START.search(match.string, max(match.start() - 4, 0), match.start())
    ):
        return match[0]  # "an S-shaped curve"
    if not is_stutter(part.lower(), word.lower()) or ("--" in match[0] and part.lower() in "aeiou"):
        return match[0]
    return f"{part.lower()}-" * len(re.findall(r"-+", match[0]))


def _around_shields(text: str, known: Callable[[str], bool] | None) -> str:
    shielded, kept = _shield(text, known)
    words = _once(_SPACED_RANGE.sub(_spaced_range, shielded) if " - " in shielded else shielded)
    if known is not None:
        words = _CAPITALS.sub(lambda run: run[0].lower() if known(run[0].lower()) else run[0], words)
    if not kept:
        return words
    unread = iter(kept)
    return _SHIELD.sub(lambda _: next(unread), _BESIDE_SHIELD.sub(" ", words))


def _shield(text: str, known: Callable[[str], bool] | None) -> tuple[str, tuple[str, ...]]:
    """Replace phones and the user's own words; they come back in the same order."""
    kept: list[str] = []

    def shield(match: re.Match[str]) -> str:
        written = match[0]
        if written[0] == "{":
            kept.append(written)
            return _PHONES
        if not written.isascii():
            kept.append(written)
            return _WORD
        if known is None or not _may_be_misread(written):
            return written
        word = written.lower()
        if not known(word) and not (written[:-1].isupper() and written[-1] == "s" and known(word[:-1])):
            return written
        kept.append(word)
        return _WORD

    if known is None and "{" not in text and text.isascii():
        return text, ()
    shielded = _SPAN_OR_WORD.sub(shield, text)
    return _BESIDE_SHIELD.sub(" ", shielded), tuple(kept)


def _may_be_misread(word: str) -> bool:
    return not word[1:].islower() or word in SHORT or word in UNITS


def _spaced_range(match: re.Match[str]) -> str:
    string, start, end = match.string, match.start(), match.end()
    before = string[max(start - 32, 0) : start]
    is_equation = "=" in before or _EQUALS_AFTER.match(string, end, end + 26) is not None
    if is_equation and _BEFORE_MINUS.search(before) is not None:
        return " minus "
    is_range = before[-1:] in "0123456789%m." and string[end] in "0123456789$£€"
    return "\u2013" if is_range else match[0]


def _once(text: str) -> str:
    text = _STUCK.sub(_unstuck, text).replace("()", " ")
    if "-" in text:
        text = _STUTTER.sub(_stuttered, text)
    expanded = _space(expand(unshout(_space(text))))
    return _space(lower(_LOOSE_HYPHEN.sub("", expanded)))


def _space(text: str) -> str:
    for pattern, replacement in _SPACING:
        text = pattern.sub(replacement, text)
    return text.strip()
