"""Any Unicode text to ASCII and the currency signs; text in another script is an error that names it."""

import re
import unicodedata
from typing import Final

from voxgrad.errors import BadInputError

_REPLACED: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ′´`＇", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑­⁃", "-"),
        **dict.fromkeys("—―⸺⸻", "--"),
        "–": "\u2013",  # an en dash stays until ranges are read
        "−": "-",
        "…": "...",
        "⁄": "/",
        "°": " degrees ",
        "×": " times ",
        "÷": " divided by ",
        "±": " plus or minus ",
        "№": "No. ",
        "ß": "ss",
        "ẞ": "SS",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "th",
        "Ð": "Th",
        "þ": "th",
        "Þ": "Th",
        "ı": "i",
        "ħ": "h",
        "ŋ": "ng",
        "ə": "e",
    }
)
_KEPT: Final = frozenset("£€¥¢\u2013")
_NAMES: Final = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
_VULGAR_FRACTION: Final = re.compile(r"(\d?)([¼-¾⅐-⅞])")


def to_ascii(text: str) -> str:
    """Replace typographic signs, strip accents, drop what cannot be read (emoji, controls).

    Returns:
        ASCII, the signs ``£ € ¥ ¢`` and the en dash.

    Raises:
        BadInputError: letters of another script than the Latin.
    """
    if text.isascii():
        return text
    text = _VULGAR_FRACTION.sub(lambda match: f"{match[1]} {match[2]}", text).translate(_REPLACED)
    # Some letters only show their replacement once they are decomposed (long s with a dot, ligatures).
    decomposed = unicodedata.normalize("NFKD", text).translate(_REPLACED)
    return "".join(_ascii(character) for character in decomposed)


def _ascii(character: str) -> str:
    if character.isascii() or character in _KEPT:
        return character
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":  # accents; joiners and other marks without width
        return ""
    name = unicodedata.name(character, "")
    if category[0] == "L" or category == "Nd":
        script = name.split(" ")[0].split("-")[0]
        if script not in {"LATIN", "MODIFIER"}:
            raise BadInputError(
                f"The text holds {_NAMES.get(script, script.capitalize())} letters ({character!r})",
                "Write it in English, with Latin letters",
            )
    return " "
