"""Any Unicode text to ASCII and a few signs that are read, and what of it is left out: other scripts, emoji."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from voxgrad.text.rules import text_after, text_before

_REPLACED: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ′´`＇‹›", "'"), **dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‐‑⁃", "-"),
        **dict.fromkeys("—―⸺⸻", "--"), "−": "-", "…": "...", "。": ".", "、": ",", "⁄": "/",
        "℉": "°F", "˚": "°", "µ": "μ", "\u2126": "Ω", "₤": "£", "￡": "£",
        "×": " times ", "÷": " divided by ", "±": " plus or minus ", **dict.fromkeys("≤⩽", " less than or equal to "),
        **dict.fromkeys("≥⩾", " greater than or equal to "), "≠": " is not equal to ", "≈": " approximately ",
        "∼": "~", "∞": " infinity ", "√": " the square root of ", **dict.fromkeys("→⇒", " to "), "§": " section ",
        "©": " copyright ", "№": "No. ",
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "th", "Ð": "Th", "þ": "th", "Þ": "Th", "ı": "i", "ħ": "h", "ŋ": "ng", "ə": "e",
        "ʻ": "",  # Hawaiʻi
        # Their compatibility forms would be read as letters of the word before them.
        **dict.fromkeys("™℠®", " "),
    }
)  # fmt: skip
"""An en dash stays until ranges are read."""
_KEPT: Final = frozenset("$£€¥¢₹₩₽₺₪₱₿\u2013°‰μΩ")
"""Signs that are read by what stands beside them."""
_GREEK: Final = {
    letter: unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda")
    for letter in "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
}
_NAMES: Final = {
    "CJK": "Chinese", "IDEOGRAPHIC": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean",
}  # fmt: skip
_LATIN: Final = frozenset(("LATIN", "MODIFIER", "FEMININE", "MASCULINE"))
_SYMBOLS: Final = frozenset(("So", "Sm", "Sc", "Sk", "Co", "Cn", "Cs", "No", "Nl", "Lm"))

_VULGAR_FRACTION: Final = re.compile(r"(\d?)([¼-¾⅐-⅞↉])")
_SUPERSCRIPT: Final = re.compile(r"(?<=[\d)])[⁺⁻]?[⁰¹²³⁴-⁹]+(?!\w)|(?<![A-Za-z]{3})(?<=[A-Za-z])⁻?[²³⁴-⁹]+")
"""A power; after a longer word it is the sign of a footnote."""
_SUPERSCRIPT_DIGITS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_GREEK_SIGN: Final = re.compile(
    rf"(?<![\u0370-\u03ff\u1f00-\u1fff])[{''.join(_GREEK)}](?![\u0370-\u03ff\u1f00-\u1fff\u0300-\u036f])"
)
_UNIT_BEFORE: Final = re.compile(r"\d\s?[kM]?$")

# Over the kinds of characters, see `_Kinds`. A phrase begins and ends with words of another script, or with Greek
# letters beside these that are no units.
_WORD: Final = "(?:g[fgm]|f)[fgm]*+"
_UNREAD: Final = re.compile(rf"(?:(?<![a0])g ){{0,3}}+{_WORD}(?:[ .0sm]++{_WORD}| g(?![fgma]))*+|(?P<symbols>s[sm]*+)")
_EMPTIED: Final = re.compile(r"[(\[]\s*+\0[\s\0]*+[)\]]|\0")


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a text that nothing is said for: words of another script, or symbols side by side, as written."""

    text: str
    script: str
    """``Greek`` and the like; of symbols empty."""
    start: int


def unread(text: str) -> Iterator[Unread]:
    """What nothing is said for, in order: words of other scripts than the Latin, and symbols such as emoji.

    A lone Greek letter is a symbol, and is read; so are the figures of any script, away from its letters. Accents,
    spaces and punctuation are not missed. ``text`` is as `clean` returns it.

    >>> [(part.text, part.script) for part in unread("Hello 你好, 世界: πr² is 😀😀.")]
    [('你好, 世界', 'Chinese'), ('😀😀', '')]
    """
    if text.isascii():
        return
    for found in _UNREAD.finditer(text.translate(_KINDS)):
        part = text[found.start() : found.end()]
        yield Unread(part, "" if found["symbols"] else _script(part), found.start())


def without_unread(text: str) -> str:
    """A text with a space for everything that `unread` finds, and for brackets that hold nothing else.

    >>> without_unread("the word (λόγος) here")
    'the word   here'
    """
    kept, position = [], 0
    for part in unread(text):
        kept.append(text[position : part.start])
        position = part.start + len(part.text)
    return _EMPTIED.sub(" ", "\0".join([*kept, text[position:]])) if kept else text


def to_ascii(text: str) -> str:
    """ASCII for a text as `clean` returns it, without accents and what cannot be read.

    The en dash and signs of currencies and units stay; a lone Greek letter is a symbol, and is written by its name.
    """
    if text.isascii():
        return text
    text = _SUPERSCRIPT.sub(
        lambda match: f"^{match[0].translate(_SUPERSCRIPT_DIGITS).replace('+', '')}", without_unread(text)
    )
    text = _VULGAR_FRACTION.sub(r"\1 \2", text).translate(_REPLACED)
    # Some letters only show their replacement once they are decomposed (long s with a dot, ligatures).
    decomposed = unicodedata.normalize("NFKD", text).translate(_REPLACED)
    return "".join(map(_ascii, _GREEK_SIGN.sub(_greek_sign, decomposed)))


class _Kinds(dict[int, str]):
    """The kind of every character that has been met.

    One letter for each: ``f`` a letter of another script, ``g`` a Greek one that may be a symbol, ``s`` a symbol that
    nothing is said for, ``m`` what belongs to the character before it, ``a`` and ``0`` letters and figures that are
    read, space and line end; all else is ``.``.
    """

    def __missing__(self, code: int) -> str:
        self[code] = kind = _kind(chr(code))
        return kind


_KINDS: Final = _Kinds()


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf" or not character.translate(_REPLACED):
        return "m"
    if character.isspace() or unicodedata.decimal(character, None) is not None:
        return "\n" if character == "\n" else " " if character.isspace() else "0"
    parts = unicodedata.normalize("NFKD", character.translate(_REPLACED)).translate(_REPLACED)
    greek = any(part in _GREEK for part in parts)
    accented = any(unicodedata.category(part)[0] == "M" for part in parts)
    if (greek and accented) or any(_is_foreign(part) for part in parts):
        return "f"
    read = "".join(part for part in parts if part.isascii() and not part.isspace())
    if any(map(str.isalnum, read)):
        return "a" if any(map(str.isalpha, read)) else "0"
    if greek:
        return "g"
    is_silent = category not in _SYMBOLS and category[0] != "L"
    return "." if read or is_silent or not _KEPT.isdisjoint(parts) else "s"


def _is_foreign(letter: str) -> bool:
    named = _first_name(letter)
    return unicodedata.category(letter)[0] == "L" and letter not in _GREEK and named not in _LATIN


def _first_name(character: str) -> str:
    return re.split("[ -]", unicodedata.name(character, "other"))[0]


def _script(phrase: str) -> str:
    letters = unicodedata.normalize("NFKC", phrase)
    names = [_first_name(letter) for letter in letters if _is_foreign(letter) or letter in _GREEK]
    scripts = [_NAMES.get(name, name.capitalize()) for name in names]
    return "Japanese" if "Japanese" in scripts else scripts[0]  # Japanese has Chinese characters too


def _greek_sign(match: re.Match[str]) -> str:
    sign, before, after = match[0], text_before(match, 3), text_after(match, 1)
    if sign in "μΩ" and _UNIT_BEFORE.search(before) is not None and (sign == "Ω" or after.isalpha()):
        return sign
    return f"{' ' if before[-1:].isalnum() else ''}{_GREEK[sign]}{' ' if after.isalnum() else ''}"


def _ascii(character: str) -> str:
    if character.isascii() or character in _KEPT:
        return character
    return str(unicodedata.decimal(character, "" if unicodedata.category(character)[0] == "M" else " "))
