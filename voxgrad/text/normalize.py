"""Written English to words and punctuation: one deterministic string, stable when normalised again."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.abbreviations import SHORT, is_stuck, write_out
from voxgrad.text.addresses import read_codes, read_links
from voxgrad.text.capitals import lower, read_formulas, unshout
from voxgrad.text.characters import to_ascii, unread
from voxgrad.text.dates import read_dates, read_times
from voxgrad.text.figures import (
    SIGN_NAMES,
    read_coefficients,
    read_comparisons,
    read_figures,
    read_functions,
    read_operators,
)
from voxgrad.text.lexicon import BRACED, is_inline
from voxgrad.text.marked_text import without_html
from voxgrad.text.numbers import read_numerals
from voxgrad.text.pronounce import is_stutter, is_told_by_accent, without_accents
from voxgrad.text.quantities import (
    UNITS,
    read_counts_per,
    read_foreign_numbers,
    read_money,
    read_quantities,
    read_rates,
    read_units,
)
from voxgrad.text.rules import Rules, text_before
from voxgrad.unicode import clean


class NothingToSayError(BadInputError):
    """A text has no word in it; the scripts of those that it has are named."""

    def __init__(self, scripts: Iterable[str] = ()) -> None:
        named = " and ".join(dict.fromkeys(script for script in scripts if script))
        message = f"the text has no words to speak{f', only {named} letters' if named else ''}"
        super().__init__(message, "Give at least one word in Latin letters.")


_MOST_PASSES: Final = 6
"""Writing one thing out may complete an abbreviation ("1/2etc."), so a text is read until it is stable."""

_SPACING: Final = Rules(
    (r"\.{4,}", "..."),
    (r"([!?,;:])\1+", r"\1"),
    (r" ?-{2,} ?|(?<= )-(?= )", " -- "),
    (r" {2,}", " "),
    (r" (?=[,;:!?)\]]|\.(?:[ \"')]|$))", ""),
    (r"(?<=[(\[]) ", ""),
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
_ADDRESS: Final = r"\.[\w-]+\.[a-z]"
_WORDS: Final = re.compile(rf"[^\W\d_]++(?!{_ADDRESS})")
_JOINED_LETTERS: Final = re.compile(r"(?<=[^\W\d_])\x04(?=[^\W\d_])")
_LATIN: Final = re.compile(r"[a-zà-öø-ÿ]+")
_SPAN_OR_WORD: Final = re.compile(rf"{BRACED.pattern}|[{_LETTERS}]++(?!{_ADDRESS})")
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
        again = _around_shields(words if words.isascii() else _unaccented(words, known), known)
        if again == words:
            break
        words = again
    if not any(character.isalnum() for character in words):
        raise NothingToSayError(part.script for part in unread(written))
    return words


def _without_braces(match: re.Match[str]) -> str:
    """Phones in braces stay as they are; other braces are no more than a space."""
    return match[0] if is_inline(match[0]) else f" {match[0].strip('{}')} "


def _unaccented(text: str, known: Callable[[str], bool] | None) -> str:
    """ASCII, but for words whose accents tell how they are said; the user's lexicon and addresses have no accents."""
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
        may_be_misread = not written[1:].islower() or written in SHORT or written in UNITS
        if known is None or not may_be_misread:
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


def _spaced_range(match: re.Match[str]) -> str:
    string, end = match.string, match.end()
    before = text_before(match, 32)
    is_equation = "=" in before or _EQUALS_AFTER.match(string, end, end + 26) is not None
    if is_equation and _BEFORE_MINUS.search(before) is not None:
        return " minus "
    is_range = before[-1:] in "0123456789%m." and string[end] in "0123456789$£€"
    return "\u2013" if is_range else match[0]


def _once(text: str) -> str:
    text = _STUCK.sub(_unstuck, text).replace("()", " ")
    if "-" in text:
        text = _STUTTER.sub(_stuttered, text)
    expanded = _space(_expand(unshout(_space(text))))
    return _space(lower(_LOOSE_HYPHEN.sub("", expanded)))


def _expand(text: str) -> str:
    """Addresses, abbreviations, Roman numerals, figures, money, measures, dates, times and signs as words."""
    text = read_numerals(write_out(read_links(read_foreign_numbers(text))))
    text = read_comparisons(read_formulas(read_functions(read_coefficients(text))))
    if re.search(r"\d", text) is not None:
        text = read_codes(read_operators(text))
        text = read_figures(read_quantities(read_money(read_times(read_dates(read_counts_per(text))))))
    return read_units(read_rates(text)).translate(SIGN_NAMES)


def _space(text: str) -> str:
    return _SPACING(text).strip()
