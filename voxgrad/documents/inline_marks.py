"""Note references, page numbers, superscripts and drop caps in a paragraph: which of them are read.

A superscript can be a note reference or a power, and only the text around it tells. So `voxgrad.documents.html` writes
each of these between control characters, which no document holds, and `resolve_marks` decides when the paragraph ends.
"""

import re
from collections.abc import Iterator
from typing import Final

RAISED: Final = ("\x01", "\x02")
"""Around the content of ``sup``."""
LINK: Final = ("\x03", "\x04", "\x05")
"""Before the target of ``a``, between target and content, and after the content."""
PICTURE: Final = ("\x06", "\x07")
"""Around the alternative text of ``img``."""
_DROPPED: Final = "\x08"
"""In place of a note reference, until the brackets around it are removed too."""

_MARKED: Final = re.compile(r"[\x01-\x08\[⁰¹²³⁴-⁹]")
_CONTROLS: Final = dict.fromkeys(range(1, 9))
_MARKUP: Final = re.compile(r"<[^>]*>|<[^>]*$|\x03[^\x04]*(?:\x04|$)|[\x01-\x07]")
_TAG: Final = re.compile(r"<[^>]*>")
_SUPERSCRIPT: Final = re.compile(r"⁻?[⁰¹²³⁴-⁹]+")
_SUPERSCRIPT_DIGITS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PICTURE: Final = re.compile(r"\x06([^\x06\x07]*)\x07(\s*)")
_TARGET: Final = re.compile(r"\x03([^\x04]*)\x04")
_CANDIDATE: Final = re.compile(
    r"\x01(?P<raised>[^\x01\x02]*)\x02|\x03(?P<target>[^\x04]*)\x04(?P<linked>[^\x03\x05]*)\x05"
)
_AROUND: Final = re.compile(r"(?<!\s)\s*[\[(]\s*\x08[\s,;\x08]*[\])]|\x08(?:[\s,;]*\x08)*")
_BRACKETED: Final = re.compile(
    r"\s?\[(?:(?i:pg|page)\.?\s(?i:\d{1,4}|[ivxlcdm]{1,8})|\d{1,3}|[ivx]{2,5})\]"
    r"|(?<=[\w.,;:!?\"'”’)])\[[A-Z*†‡§]\](?!\w)"
)
"""Page numbers and note references in plain brackets: ``[Pg 19]``, ``[5]``, ``[iv]``; ``[A]`` after a word only."""

_SYMBOLS: Final = re.compile(r"[*∗⁎†‡§¶‖]{1,4}")
_ONE: Final = rf"(?:\d{{1,4}}|{_SYMBOLS.pattern}|#|[ivxl]{{1,6}}|[A-Za-z])"
_SIGN: Final = re.compile(rf"[\[(]?\s*{_ONE}(?:\s*[,;–-]\s*{_ONE})*\s*[\])]?[.:]?|[\[(]?[↩↑⏎^][\ufe0e\ufe0f]?[\])]?")
"""What a link from a text to a note, or back, is made of."""
_REFERENCE: Final = re.compile(r"[\w*∗⁎†‡§¶‖]")
_IN_SQUARES: Final = re.compile(r"\[[^\[\]]{1,60}\]")
_NUMBERS: Final = re.compile(r"\(?\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\)?")
_LETTERS: Final = re.compile(r"[a-c]|[ivx]{2,5}")
_BETWEEN: Final = re.compile(r"[\s,;–-]*")
_AFTER_WORD: Final = re.compile(r"[^\W\d_]{3}$|[.,;:!?”’]$")
_ATTACHED: Final = re.compile(r"(?:[^\W\d_]|[.,;:!?)\]”’»…*%\x08]|(?<=\S)[\"']|\x08[,;]\s)$")
_CITED: Final = re.compile(r"(?i)\b(?:pp?|figs?|nos?|vols?|ch|chaps?|secs?|eqs?|art|ll?|refs?)\.$")
"""Before a number that is read: ``p.12``."""

_POWER: Final = re.compile(r"[-−–]?\d{1,3}|[nkx]")
_FRACTION: Final = re.compile(r"\s*[/⁄]\s*\d")
_YEAR: Final = re.compile(r"(?<![\d.,])(?:1[4-9]|20)\d\d$")
_LAST_WORD: Final = re.compile(r"(?P<number>\d\s?)?(?P<letters>[^\W\d_]+)$")
_IN_BRACKETS: Final = re.compile(r"\(([^()]{1,40})\)$")
_FORMULA: Final = re.compile(r"[\w\s.,^]*[-+−–*/=×·±][-\w\s.,^+−–*/=×·±]*|[A-Za-z]{1,2}|\d+")
_ISOTOPE: Final = re.compile(r"(?!(?:Am|As|At|He|I|In|No)\b)[A-Z][a-z]?(?![A-Za-z])")
_UNITS: Final = re.compile(r"km|cm|mm|dm|nm|[µμ]m|ft|yds?|mi|ha|kg|sec|min|mol|rad|deg|sin|cos|tan|cot|log|exp")
_SHORT_WORDS: Final = re.compile(
    r"(?i)a[dhmnst]|b[cey]|ce|do|eu|go|h[aei]|i[dfnst]|la|m[ey]|no|o[fhnrx]|p[am]|so|t[ov]|u[knps]|we|ii|iv|vi|x[ivx]"
    r"|[djs]r|st"
)
"""Of two letters. A number after them is a note reference; other two letters are variables, as in ``mc``."""
_TRADE_MARKS: Final = frozenset(("TM", "SM", "®", "©", "™"))
_WINDOW: Final = 100  # characters
_LONGEST_CAP: Final = 3
_QUOTES: Final = "“‘\"'"


def resolve_marks(paragraph: str, *, is_heading: bool = False) -> tuple[str, list[str]]:
    r"""A paragraph without what is not read in it.

    Args:
        paragraph: escaped text with elements of SSML, and with candidates between control characters.
        is_heading: a number at its beginning belongs to it, and may be a link to the table of contents.

    Returns:
        The paragraph without control characters, and the targets of its note references.

    >>> resolve_marks("The claim\x011\x02 that E = mc\x012\x02 is old.")
    ('The claim that E = mc^2 is old.', [])
    """
    if _MARKED.search(paragraph) is None:
        return paragraph, []
    text = _SUPERSCRIPT.sub(lambda match: f"\x01{match[0].translate(_SUPERSCRIPT_DIGITS)}\x02", paragraph)
    text = _PICTURE.sub(_pictured, text)
    notes: list[str] = []
    text = "".join(_resolved(text, "", notes, is_heading=is_heading))
    text = _BRACKETED.sub("", _AROUND.sub("", text))
    return _TARGET.sub("", text).translate(_CONTROLS), notes


def _plain(text: str) -> str:
    return _MARKUP.sub("", text)


def _after(match: re.Match[str]) -> str:
    return _plain(match.string[match.end() : match.end() + _WINDOW])


def _pictured(match: re.Match[str]) -> str:
    """The alternative text of a drop cap, or of letters within a word; of any other picture the space after it."""
    before, after = _plain(match.string[max(match.start() - _WINDOW, 0) : match.start()]), _after(match)
    written, space = match[1].strip(), match[2]
    letters = written.lstrip(_QUOTES)
    begins, follows = not before.strip().strip(_QUOTES), before[-1:].isalpha()
    if not letters.isalpha() or len(letters) > _LONGEST_CAP:
        return space
    if len(letters) > 1:
        return written if not space and after[:1].islower() and (begins or follows) else space
    if not space and (after[:1].isalpha() or follows):
        return written
    if begins and (after[:1].isalpha() or after[:1] in {"'", "’"}):
        return f"{written}{space}" if letters in "AIO" else written
    return space


def _resolved(text: str, tail: str, notes: list[str], *, is_heading: bool) -> Iterator[str]:
    """The pieces of a text whose candidates are decided one by one, by what is read before them: ``tail`` at first."""
    position = 0
    for match in _CANDIDATE.finditer(text):
        between = text[position : match.start()]
        before, plain = _plain(f"{tail}{between}"), _plain(match[0]).strip()
        if match["raised"] is None:
            is_note = _is_linked_note(match, plain, before, is_heading=is_heading)
        else:
            is_note = _is_raised_note(match, plain, before)
        if is_note:
            # What leads back to the text, or stands in a row of links, refers to no note.
            if before[-1:].strip() and _REFERENCE.search(plain):
                notes += _TARGET.findall(match[0])
            kept = _DROPPED + "".join(_TAG.findall(_TARGET.sub("", match[0])))
        elif match["raised"] is None:
            kept = "".join(_resolved(match["linked"], before, notes, is_heading=is_heading))
        else:
            kept = _raised(match, plain, before)
        yield between
        yield kept
        tail, position = f"{tail}{between}{kept}"[-_WINDOW:], match.end()
    yield text[position:]


def _is_linked_note(match: re.Match[str], plain: str, before: str, *, is_heading: bool) -> bool:
    """Whether a link is a note reference: raised, a symbol, in square brackets, or a number stuck to a word."""
    if _SIGN.fullmatch(plain) is None:
        return False
    if RAISED[0] in match["linked"] or _IN_SQUARES.fullmatch(plain) or not plain.strip("[]()").isalnum():
        return True
    after = _after(match)
    if not before.strip():  # the number of a note, which leads back to the text
        is_number = plain.strip("(.:)").isdecimal() and "#" in match["target"]
        return is_number and not is_heading and after[:1].isspace() and bool(after.strip())
    if before[-1] in "([":
        return after[:1] in {")", "]"}
    within_word = match.string[match.end() : match.end() + 1].isalnum()
    return bool(_ATTACHED.search(before)) and not _CITED.search(before) and not within_word


def _is_raised_note(match: re.Match[str], plain: str, before: str) -> bool:
    if _IN_SQUARES.fullmatch(plain) or _SYMBOLS.fullmatch(plain):
        return True
    if LINK[0] in match["raised"]:
        return _SIGN.fullmatch(plain) is not None
    if _NUMBERS.fullmatch(plain):
        return not _is_read(plain, before, _after(match))
    return _LETTERS.fullmatch(plain) is not None and _AFTER_WORD.search(before) is not None


def _is_read(number: str, before: str, after: str) -> bool:
    """Whether a raised number is a power, part of a fraction, or that of an isotope."""
    if not number.isdecimal() or _FRACTION.match(after):
        return number.isdecimal()
    if not before or before[-1].isspace():
        return _ISOTOPE.match(after) is not None
    if before[-1].isdecimal():
        return _YEAR.search(before) is None
    if (bracket := _IN_BRACKETS.search(before)) is not None:
        return _FORMULA.fullmatch(bracket[1]) is not None
    word = _LAST_WORD.search(before)
    return word is not None and _is_power(number, word["letters"], has_factor=word["number"] is not None)


def _is_power(number: str, letters: str, *, has_factor: bool) -> bool:
    """Whether a raised number after letters is their power: they are a variable, a unit or a function."""
    if len(letters) == 1:
        return number != "1" or letters not in "AIa"
    is_variable = len(letters) == 2 and _SHORT_WORDS.fullmatch(letters) is None
    return number != "1" and (has_factor or is_variable or _UNITS.fullmatch(letters) is not None)


def _raised(match: re.Match[str], plain: str, before: str) -> str:
    """How a superscript that is no note reference is written."""
    content = match["raised"]
    if plain in _TRADE_MARKS or (before.endswith(_DROPPED) and _BETWEEN.fullmatch(plain)):
        return ""
    if before[-1:].isdecimal() and _FRACTION.match(_after(match)):
        return f" {content}"
    is_base = before[-1:] == ")" or before[-1:].isalnum()
    if is_base and _POWER.fullmatch(plain) and (not plain.isalpha() or not before[-2:].isalpha()):
        return "^" + content.replace("−", "-").replace("–", "-")
    return content
