"""Telephone numbers, codes and versions; addresses of the web and of machines; names of files."""

import re
from typing import Final

from voxgrad.text.capitals import letter, spelt
from voxgrad.text.dates import COUNTED_NOUN
from voxgrad.text.dictionary import lookup
from voxgrad.text.numbers import cardinal, digits
from voxgrad.text.rules import Rules, comes_after, table, word_set

_FEWEST_DIGITS: Final = 7
_BEFORE: Final = r"(?<![\w.,$£€/-])"
_AFTER: Final = r"(?![\w-]|[.,/]\d)"


def _group(number: str) -> str:
    return f"{cardinal(number[0])} hundred" if re.fullmatch("[1-9]00", number) else digits(number)


def _groups(written: str) -> str:
    """Groups of figures parted by pauses; a leading 1 joins the area code."""
    groups = re.findall(r"\d+", written)
    prefixes = 2 if groups[0] == "1" else 1  # "eight hundred"
    words = [*map(_group, groups[:prefixes]), *map(digits, groups[prefixes:])]
    if groups[0] == "1" and len(groups) > 1:
        words[:2] = [f"{words[0]}{', ' if written[0] == '+' else ' '}{words[1]}"]
    return ("plus " if written[0] == "+" else "") + ", ".join(words)


def _telephone(match: re.Match[str]) -> str:
    extension = match[2]
    return _groups(match[1]) + (f", extension {digits(extension)}" if extension else "")


def _international(match: re.Match[str]) -> str:
    if sum(map(str.isdigit, match[0])) <= _FEWEST_DIGITS:
        return match[0]
    code = re.match(_COUNTRY, match[0])
    if code is None or not match[0][1:].isdigit():
        return _groups(match[0])
    return _groups(f"{code[0]} {_parted(match[0][code.end() :])}")


def _parted(number: str) -> str:
    """A telephone number without marks, as it is usually grouped.

    >>> _parted("5551234567"), _parted("15551234567"), _parted("02079460958")
    ('555 123 4567', '1 555 123 4567', '020 7946 0958')
    """
    sizes = {7: (3,), 8: (4,), 10: (4, 3) if number[0] == "0" else (3, 3)}.get(len(number), (3, 3, 3))
    if len(number) == 11:
        sizes = (3, 4) if number.startswith("02") else (5, 3) if number[0] == "0" else (1, 3, 3)
    groups, rest = list[str](), number
    for size in sizes:
        groups, rest = [*groups, rest[:size]], rest[size:]
    return " ".join((*groups, rest))


def _unmarked(match: re.Match[str]) -> str:
    """A number of seven figures or more that is called, or that is written as in North America."""
    number = match[0]
    if COUNTED_NOUN.match(match.string, match.end()) is not None:
        return number
    called = comes_after(_CALLED, match, 40)
    american = re.fullmatch(r"1?[2-9]\d\d[1-9]\d{6}", number) is not None
    is_round = number.endswith("0000")
    return _groups(_parted(number)) if (american or called) and not is_round else number


def _local(match: re.Match[str]) -> str:
    """``555-1234``, but not the range ``500-1000``."""
    is_range = match[2][-1] == "0" and int(match[1]) < int(match[2])
    return match[0] if is_range else f"{digits(match[1])}, {digits(match[2])}"


def _each_digit(match: re.Match[str]) -> str:
    return re.sub(r"\d+", lambda number: digits(number[0]), match[0])


def _machine(match: re.Match[str]) -> str:
    words = " dot ".join(cardinal(part) for part in match[1].split("."))
    if match[2]:
        words += f" {'colon' if match[2][0] == ':' else 'slash'} {cardinal(match[2][1:])}"
    return words


def _version(match: re.Match[str]) -> str:
    return ("version " if match[1] else "") + " point ".join(map(cardinal, match[2].split(".")))


def _book_number(match: re.Match[str]) -> str:
    """An ISBN, and other numbers in groups: digit by digit, a pause between the groups."""
    groups = [
        " ".join(digits(figure) if figure.isdigit() else letter(figure) for figure in group)
        for group in re.split("[ -]", match[2])
    ]
    return f"{match[1].rstrip()} {', '.join(filter(None, groups))}"


def _long_groups(match: re.Match[str]) -> str:
    return _groups(match[0]) if sum(map(str.isdigit, match[0])) >= _FEWEST_GROUPED else match[0]


_FEWEST_GROUPED: Final = 9
_COUNTRY: Final = r"\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})"
_CALLED: Final = (
    r"(?i:\b(?:call|cell|contact|dial|fax|helpline|hotline|mobile|number(?! of)|phone|reach|ring|rang|tel|telephone"
    r"|text|whatsapp)\w*\b\.?[^.!?\d]{0,24})$"
)
_SERVICE: Final = r"(?:[1-9]11|999|112|988|101|000)"
_TELEPHONE: Final = (
    rf"(?<![\w.,$£€/+-])((?:\+?1[ .-]?)?(?:\(\d{{3}}\)[ -]?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}})"
    rf"(?:,? ?(?i:x|ext\.?|extension) ?(\d{{1,6}}))?{_AFTER}"
)
_SECRET: Final = (
    r"(\b(?i:PIN|passcode|password|code|postcode|flight|extension)(?i: number| code)?(?: is|:)? )"
    rf"(\d{{3,}}){_AFTER}"
)
_SERVICES: Final = (
    r"(?i:\b(?:call|dial|phone|ring|text)(?:s|ed|ing)?(?: us| me)?(?: at| on)?) "
    rf"{_SERVICE}(?:(?:, | or |, or ){_SERVICE})*{_AFTER}(?! people)"
)
_PREFIXED_VERSION: Final = (
    r"(?<![\w.])(v(?=\d\d?(?!\d))|V(?=\d+\.\d)|[vV]er\. ?|v\. ?)(\d{1,9}(?:\.\d{1,9})*+)(?![\d.]\d)"
)
read_codes: Final = Rules(
    (rf"{_BEFORE}(\d{{1,3}}(?:\.\d{{1,3}}){{3}})(:\d{{1,5}}|/\d\d?)?{_AFTER}", _machine),
    (_TELEPHONE, _telephone),
    (rf"{_BEFORE}\+\d{{1,4}}(?:[ .-]?\(?\d{{1,12}}\)?){{1,6}}{_AFTER}", _international),
    (
        rf"{_BEFORE}1-(8\d\d)-([A-Z][A-Z-]{{3,12}}){_AFTER}",
        lambda match: f"one {_group(match[1])} {match[2].replace('-', ' ')}",
    ),
    (
        rf"{_BEFORE}(?:\d{{3}}-\d\d-\d{{4}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}){_AFTER}",
        lambda match: _groups(match[0]),
    ),
    (rf"{_BEFORE}\(?0\d{{1,4}}\)?[ -]\d{{3,4}}[ -]?\d{{3,4}}{_AFTER}", lambda match: _groups(match[0])),
    (rf"{_BEFORE}0\d{{2,4}}[ -]\d{{6}}{_AFTER}", lambda match: _groups(match[0])),
    (rf"(\bIS[BS]N(?:-?1[03])?:? ?)(\d[\d -]{{6,16}}[\dXx]){_AFTER}", _book_number),
    (rf"{_BEFORE}\d{{1,8}}(?:-\d{{1,12}}){{2,7}}{_AFTER}", _long_groups),
    (rf"{_BEFORE}(?:\d{{2,6}}-\d{{7,12}}|\d{{6,12}}-\d{{2,6}}){_AFTER}", _long_groups),
    (rf"{_BEFORE}(\d{{3}})-(\d{{4}}){_AFTER}", _local),
    (_SECRET, lambda match: match[1] + digits(match[2])),
    (_SERVICES, _each_digit),
    (rf"(?i:\btext(?:s|ed|ing)? [\"']?\w+[\"']? to )\d{{5,6}}{_AFTER}", _each_digit),
    (rf"{_BEFORE}\d{{7,15}}{_AFTER}", _unmarked),
    (_PREFIXED_VERSION, _version),
    (r"(?<![\w.$£€,])(?!\d\d?\.\d\d?\.[12]\d{3}(?![\d.]))()(\d{1,9}(?:\.\d{1,9}){2,}+)(?!\d)", _version),
    (r"(?<=[Vv]ersion )()(\d{1,9}(?:\.\d{1,9})++)(?!\d)", _version),
    guard=r"\d[-.) /]\(?\d|\+\d|\d{3}|\d-[A-Z]|[vV]\.? ?\d",
)
"""Writes out telephone numbers, versions, IP addresses and the like."""


_DOMAINS: Final = (
    "com|org|net|edu|gov|mil|int|info|biz|dev|app|xyz|io|ai|tv|co|uk|de|fr|eu|ca|au|jp|ch|nl|ie|nz|ly|fm|gg"
)
_ENDINGS: Final = (
    "7z|avi|bak|bat|bin|bmp|c|cfg|cpp|css|csv|dll|doc|docx|dmg|env|exe|flac|gif|git|go|gz|h|hpp|htm|html|ini|ipynb|iso"
    "|java|jpeg|jpg|js|json|jsx|log|m4a|md|mkv|mov|mp3|mp4|npy|npz|odt|ogg|pdf|php|png|ppt|pptx|ps1|psd|pt|py|rar|rb|rs"
    "|rtf|sh|sql|svg|tar|tex|tgz|tif|tiff|toml|ts|tsv|tsx|ttf|txt|wav|webm|webp|whl|xls|xlsx|xml|yaml|yml|zip"
)
_MODULES: Final = "console|document|json|math|np|numpy|os|pandas|pd|plt|random|requests|self|sys|tf|torch|window"
"""Names in programs that a full stop and another name follow."""
_READ: Final = word_set("""
    bak bat bin dev doc env flac gif git go info java jpeg json log rust tar tex toml webp yaml zip wav
""")
_LABELS: Final = {"json": "jason", "jpeg": "J peg", "edu": "E D U", "co": "co", "os": "O S"}
_SIGNS: Final = table("""
    . dot, / slash, \\ backslash, - dash, _ underscore, @ at, : colon,
    + plus, = equals, & and, ? question mark, # hash, % percent, ~ tilde
""")
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
    readable = low in _READ or lookup(low) is not None or (len(low) > 3 and re.search("[aeiouy]", low))
    return _LABELS.get(low) or (low if readable else spelt(low))


def _address(match: re.Match[str]) -> str:
    address = match["address"]
    bare = address.rstrip(_CLOSING)
    return f"{read_out(bare.rstrip('/'))}{address[len(bare) :]}"


def _file(match: re.Match[str]) -> str:
    stem = f"{read_out(match[1])} " if match[1] else ""
    return f"{stem}dot {_part(match[2]) if not match[2][-1].isdigit() else read_out(match[2])}"


_FULL_STOP: Final = r"(?=[ ,;:!?)]|\.(?!\w)|$)"
read_links: Final = Rules(
    (rf"(?i:(?<![\w@])(?:https?|ftp|file)://)(?P<address>[\w.~:@\-]++{_REST})", _address),
    (r"(?<![\w.+\-@])(?:mailto:)?(?P<address>[\w.+\-]++@[\w\-]++(?:\.[\w\-]++)++)", _address),
    (rf"(?<![\w@.\-])(?P<address>(?i:www)\.[\w.\-]++(?::\d++)?{_REST})", _address),
    (rf"(?<![\w@.\-/])(?P<address>(?:[A-Za-z0-9\-]+\.)+(?:{_DOMAINS})(?![\w\-@]|\.\w)(?::\d++)?{_REST})", _address),
    (r"(?<![\w:/.])(?P<address>[A-Za-z]:(?:\\[\w.\-]*+)++)", _address),
    (r"(?<![\w/.~<])(?P<address>(?:~|\.{1,2})?/[A-Za-z][\w.\-]*+(?:/[\w.\-]++)++)", _address),
    (rf"(?<![\w.@\-])((?:[\w\-]+\.)*[\w\-]{{2,}})\.((?:{_ENDINGS}|{_ENDINGS.upper()})\b)(?![\w@]|\.\w)", _file),
    (rf"(?<![\w.])({_MODULES})\.([a-z_]\w*)(?![\w@])", _file),
    (r"(?<![\w.])()\.((?:git|bash|zsh|vim|npm|docker|editor|env|prof)[a-z]*)(?![\w@])", _file),
    (rf"(?<![\w.])()\.((?:{_ENDINGS})\b){_FULL_STOP}", _file),
    (r"(?<!\w)\.NET\b", "dot net"),
    (r"(?<![\w/&])#([A-Za-z]\w*+)", lambda match: f"hashtag {read_out(match[1])}"),
    (r"(?<![\w.])@(\w++)", lambda match: f"at {read_out(match[1])}"),
    guard=r"[@#/\\_]|\.[A-Za-z0-9]",
)
"""Writes out URLs, e-mail addresses, handles, hashtags, paths and names of files."""
