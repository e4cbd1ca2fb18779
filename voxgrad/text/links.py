"""Addresses, handles and names of files, as they are read out."""

import re
from collections.abc import Callable
from typing import Final

from voxgrad.text.acronyms import letter, spelt
from voxgrad.text.dictionary import lookup

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_DOMAINS: Final = (
    "com|org|net|edu|gov|mil|int|info|biz|dev|app|xyz|io|ai|tv|co|uk|de|fr|eu|ca|au|jp|ch|nl|ie|nz|ly|fm|gg"
)
_ENDINGS: Final = (
    "7z|avi|bak|bat|bin|bmp|c|cfg|cpp|css|csv|dll|doc|docx|dmg|env|exe|flac|gif|git|go|gz|h|hpp|htm|html|ini|ipynb|iso"
    "|java|jpeg|jpg|js|json|jsx|log|m4a|md|mkv|mov|mp3|mp4|npy|npz|odt|ogg|pdf|php|png|ppt|pptx|ps1|psd|pt|py|rar|rb|rs"
    "|rtf|sh|sql|svg|tar|tex|tgz|tif|tiff|toml|ts|tsv|tsx|ttf|txt|wav|webm|webp|whl|xls|xlsx|xml|yaml|yml|zip"
)
_READ: Final = frozenset((
    "bak", "bat", "bin", "dev", "doc", "env", "flac", "gif", "git", "go", "info", "java", "jpeg", "json",
    "log", "rust", "tar", "tex", "toml", "webp", "yaml", "zip", "wav",
))  # fmt: skip
_LABELS: Final = {"json": "jason", "jpeg": "J peg", "edu": "E D U", "co": "co"}
_SIGNS: Final = {
    ".": "dot", "/": "slash", "\\": "backslash", "-": "dash", "_": "underscore", "@": "at", ":": "colon",
    "+": "plus", "=": "equals", "&": "and", "?": "question mark", "#": "hash", "%": "percent", "~": "tilde",
}  # fmt: skip
_PARTS: Final = re.compile(r"[a-z]+(?=[A-Z])|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^A-Za-z0-9]")
_CLOSING: Final = ".,;:!?)]}'\"*"
_REST: Final = r"(?:[/?#][^\s<>\"{}\x02\x03]*+)?+"


def read_out(address: str) -> str:
    """Words, letters and signs of an address.

    >>> read_out("bbc.co.uk/a-b")
    'bbc dot co dot uk slash A. dash B'
    """
    return " ".join(filter(None, map(_part, _PARTS.findall(address))))


def _part(part: str) -> str:
    if not part[0].isalpha():
        return part if part.isdigit() else _SIGNS.get(part, "")
    if len(part) == 1:
        return letter(part)
    low = part.lower()
    if low in _LABELS:
        return _LABELS[low]
    readable = (
        lookup(low) is not None or low in _READ or (len(low) > 3 and re.search("[aeiouy]", low) is not None)
    )
    return low if readable else spelt(low)


def _address(match: re.Match[str]) -> str:
    address = match["address"]
    bare = address.rstrip(_CLOSING)
    return f"{read_out(bare.rstrip('/'))}{address[len(bare) :]}"


def _file(match: re.Match[str]) -> str:
    stem = f"{read_out(match[1])} " if match[1] else ""
    return f"{stem}dot {_part(match[2]) if not match[2][-1].isdigit() else read_out(match[2])}"


def _number_sign(match: re.Match[str]) -> str:
    return f"hashtag {read_out(match[1])}"


_RULES: Final[tuple[Rule, ...]] = tuple(
    (re.compile(pattern), reading)
    for pattern, reading in (
        (rf"(?i:(?<![\w@])(?:https?|ftp|file)://)(?P<address>[\w.~:@\-]++{_REST})", _address),
        (r"(?<![\w.+\-@])(?:mailto:)?(?P<address>[\w.+\-]++@[\w\-]++(?:\.[\w\-]++)++)", _address),
        (rf"(?<![\w@.\-])(?P<address>(?i:www)\.[\w.\-]++(?::\d++)?{_REST})", _address),
        (
            rf"(?<![\w@.\-/])(?P<address>(?:[A-Za-z0-9\-]+\.)+(?:{_DOMAINS})(?![\w\-@]|\.\w)(?::\d++)?{_REST})",
            _address,
        ),
        (r"(?<![\w:/.])(?P<address>[A-Za-z]:(?:\\[\w.\-]*+)++)", _address),
        (r"(?<![\w/.~<])(?P<address>(?:~|\.{1,2})?/[A-Za-z][\w.\-]*+(?:/[\w.\-]++)++)", _address),
        (rf"(?<![\w.@\-])((?:[\w\-]+\.)*[\w\-]{{2,}})\.((?:{_ENDINGS})\b)(?![\w@]|\.\w)", _file),
        (rf"(?<![\w.])()\.((?:{_ENDINGS})\b)(?=[ ,;:!?)]|\.(?!\w)|$)", _file),
        (r"(?<!\w)\.NET\b", lambda _: "dot net"),
        (r"(?<![\w/&])#([A-Za-z]\w*+)", _number_sign),
        (r"(?<![\w.])@(\w++)", lambda match: f"at {read_out(match[1])}"),
    )
)
_GUARD: Final = re.compile(r"[@#/\\_]|\.[A-Za-z0-9]")


def read_links(text: str) -> str:
    """Write out URLs, e-mail addresses, handles, hashtags, paths and names of files."""
    if _GUARD.search(text) is None:
        return text
    for pattern, reading in _RULES:
        text = pattern.sub(reading, text)
    return text
