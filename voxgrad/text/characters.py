"""Any Unicode text to ASCII and a few signs that are read; another script is an error that names it."""

import re
import unicodedata
from typing import Final

from voxgrad.errors import BadInputError

_REPLACED: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ′´`＇‹›", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑­⁃", "-"),
        **dict.fromkeys("—―⸺⸻", "--"),
        "–": "\u2013",  # an en dash stays until ranges are read
        "−": "-",
        "…": "...",
        "。": ".",
        "、": ",",
        "⁄": "/",
        "℉": "°F",
        "˚": "°",
        "µ": "μ",
        "\u2126": "Ω",
        "×": " times ",
        "÷": " divided by ",
        "±": " plus or minus ",
        "≤": " less than or equal to ",
        "⩽": " less than or equal to ",
        "≥": " greater than or equal to ",
        "⩾": " greater than or equal to ",
        "≠": " is not equal to ",
        "≈": " approximately ",
        "∼": "~",
        "∞": " infinity ",
        "√": " the square root of ",
        "→": " to ",
        "⇒": " to ",
        "§": " section ",
        "©": " copyright ",
        "№": "No. ",
        "₤": "£",
        "￡": "£",
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
        # Their compatibility forms would be read as letters of the word before them.
        **dict.fromkeys("™℠®", " "),
    }
)
_KEPT: Final = frozenset("$£€¥¢₹₩₽₺₪₱₿\u2013°‰μΩ")
"""Signs that are read by what stands beside them."""
_GREEK: Final = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "ο": "omicron",
    "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi",
    "ω": "omega", "Γ": "gamma", "Δ": "delta", "Θ": "theta", "Λ": "lambda", "Ξ": "xi", "Π": "pi", "Σ": "sigma",
    "Φ": "phi", "Ψ": "psi", "Ω": "omega",
}  # fmt: skip
_NAMES: Final = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
_LATIN: Final = frozenset(("LATIN", "MODIFIER", "FEMININE", "MASCULINE"))
_SYMBOLS: Final = frozenset(("So", "Sm", "Sc", "Sk", "Co", "Cn", "Cs", "No", "Nl", "Lm"))

_VULGAR_FRACTION: Final = re.compile(r"(\d?)([¼-¾⅐-⅞↉])")
_SUPERSCRIPT: Final = re.compile(r"(?<=[\d)])[⁺⁻]?[⁰¹²³⁴-⁹]+(?!\w)|(?<![A-Za-z]{3})(?<=[A-Za-z])⁻?[²³⁴-⁹]+")
"""A power; after a longer word it is the sign of a footnote."""
_SUPERSCRIPT_DIGITS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_GROUPED_DIGITS: Final = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_GREEK_SIGN: Final = re.compile(
    rf"(?<![\u0370-\u03ff\u1f00-\u1fff])[{''.join(_GREEK)}](?![\u0370-\u03ff\u1f00-\u1fff\u0300-\u036f])"
)
_UNIT_BEFORE: Final = re.compile(r"\d\s?[kM]?$")


def to_ascii(text: str) -> str:
    """Replace typographic signs, strip accents, drop what cannot be read (emoji, controls).

    Returns:
        ASCII, the en dash, and signs of currencies and units that ``expand`` reads. A lone Greek letter is
        a symbol, and is written by its name.

    Raises:
        BadInputError: letters of another script than the Latin.
    """
    if text.isascii():
        return text
    text = _GROUPED_DIGITS.sub("", text)
    text = _SUPERSCRIPT.sub(
        lambda match: f"^{match[0].translate(_SUPERSCRIPT_DIGITS).replace('+', '')}", text
    )
    text = _VULGAR_FRACTION.sub(_fraction, text).translate(_REPLACED)
    # Some letters only show their replacement once they are decomposed (long s with a dot, ligatures).
    decomposed = unicodedata.normalize("NFKD", text).translate(_REPLACED)
    named = _GREEK_SIGN.sub(_greek_sign, decomposed)
    return "".join(_ascii(character, position, named) for position, character in enumerate(named))


def dropped(text: str) -> tuple[str, ...]:
    """The symbols of a text that nothing is said for, such as emoji and box drawing.

    Accents, spaces, controls and punctuation are no symbols.

    Returns:
        Each character once, in the order of the text.
    """
    if text.isascii():
        return ()
    return tuple(character for character in dict.fromkeys(text) if _is_dropped(character))


def _is_dropped(character: str) -> bool:
    if character.isascii() or character in _KEPT or character in _GREEK:
        return False
    if unicodedata.category(character) not in _SYMBOLS:
        return False
    replaced = unicodedata.normalize("NFKD", character.translate(_REPLACED)).translate(_REPLACED)
    return not any(
        (part.isascii() and not part.isspace()) or part in _KEPT or part in _GREEK for part in replaced
    )


def _fraction(match: re.Match[str]) -> str:
    return f"{match[1]} {match[2]}"


def _greek_sign(match: re.Match[str]) -> str:
    sign, string = match[0], match.string
    after = string[match.end() : match.end() + 1]
    before = string[max(match.start() - 3, 0) : match.start()]
    if sign in "μΩ" and _UNIT_BEFORE.search(before) is not None and (sign == "Ω" or after.isalpha()):
        return sign
    return f"{' ' if before[-1:].isalnum() else ''}{_GREEK[sign]}{' ' if after.isalnum() else ''}"


def _ascii(character: str, position: int, text: str) -> str:
    if character.isascii() or (character in _KEPT and not _is_in_greek_word(position, text)):
        return character
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":  # accents; joiners and other marks without width
        return ""
    name = unicodedata.name(character, "")
    if category[0] == "L" or category == "Nd":
        script = name.split(" ")[0].split("-")[0]
        if script not in _LATIN:
            raise BadInputError(
                f"the text holds {_NAMES.get(script, script.capitalize())} letters ({character!r})",
                "Write it in English, with Latin letters",
            )
    return " "


def _is_in_greek_word(position: int, text: str) -> bool:
    beside = text[max(position - 1, 0) : position] + text[position + 1 : position + 2]
    return text[position] in "μΩ" and any("\u0370" <= other <= "\u03ff" for other in beside)
