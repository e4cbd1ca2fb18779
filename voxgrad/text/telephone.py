"""Numbers that are read figure by figure: telephone numbers, codes, versions, addresses of machines."""

import re
from collections.abc import Callable
from typing import Final

from voxgrad.text.numbers import cardinal, digits

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_FEWEST_DIGITS: Final = 7
_BEFORE: Final = r"(?<![\w.,$£€/-])"
_AFTER: Final = r"(?![\w-]|[.,/]\d)"


def _group(number: str) -> str:
    return f"{cardinal(number[0])} hundred" if re.fullmatch("[1-9]00", number) else digits(number)


def _groups(written: str) -> str:
    """Groups of figures parted by pauses; a leading 1 joins the area code."""
    groups = re.findall(r"\d+", written)
    words = [_group(group) for group in groups]
    if groups[0] == "1" and len(groups) > 1:
        words[:2] = [f"{words[0]}{', ' if written[0] == '+' else ' '}{words[1]}"]
    return ("plus " if written[0] == "+" else "") + ", ".join(words)


def _telephone(match: re.Match[str]) -> str:
    extension = match[2]
    return _groups(match[1]) + (f", extension {digits(extension)}" if extension else "")


def _international(match: re.Match[str]) -> str:
    return _groups(match[0]) if sum(map(str.isdigit, match[0])) >= _FEWEST_DIGITS + 1 else match[0]


def _local(match: re.Match[str]) -> str:
    """``555-1234``, but not the range ``500-1000``."""
    is_range = match[2][-1] == "0" and int(match[1]) < int(match[2])
    return match[0] if is_range else f"{digits(match[1])}, {digits(match[2])}"


def _vanity(match: re.Match[str]) -> str:
    return f"one {_group(match[1])} {match[2].replace('-', ' ')}"


def _coded(match: re.Match[str]) -> str:
    return match[1] + digits(match[2])


def _machine(match: re.Match[str]) -> str:
    words = " dot ".join(cardinal(part) for part in match[1].split("."))
    if match[2]:
        words += f" {'colon' if match[2][0] == ':' else 'slash'} {cardinal(match[2][1:])}"
    return words


def _version(match: re.Match[str]) -> str:
    prefix = "version " if match[1] else ""
    return prefix + " point ".join(cardinal(part) for part in match[2].split("."))


_RULES: Final[tuple[Rule, ...]] = tuple(
    (re.compile(pattern), reading)
    for pattern, reading in (
        (rf"{_BEFORE}(\d{{1,3}}(?:\.\d{{1,3}}){{3}})(:\d{{1,5}}|/\d\d?)?{_AFTER}", _machine),
        (
            (
                rf"(?<![\w.,$£€/+-])((?:\+?1[ .-]?)?(?:\(\d{{3}}\)[ -]?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}})"
                rf"(?:,? ?(?i:x|ext\.?|extension) ?(\d{{1,6}}))?{_AFTER}"
            ),
            _telephone,
        ),
        (rf"{_BEFORE}\+\d{{1,4}}(?:[ .-]?\(?\d{{1,12}}\)?){{1,6}}{_AFTER}", _international),
        (rf"{_BEFORE}1-(8\d\d)-([A-Z][A-Z-]{{3,12}}){_AFTER}", _vanity),
        (
            rf"{_BEFORE}(?:\d{{3}}-\d\d-\d{{4}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}){_AFTER}",
            lambda match: _groups(match[0]),
        ),
        (rf"{_BEFORE}\(?0\d{{1,4}}\)?[ -]\d{{3,4}}[ -]?\d{{3,4}}{_AFTER}", lambda match: _groups(match[0])),
        (rf"{_BEFORE}0\d{{2,4}}[ -]\d{{6}}{_AFTER}", lambda match: _groups(match[0])),
        (rf"{_BEFORE}(\d{{3}})-(\d{{4}}){_AFTER}", _local),
        (
            (
                r"(\b(?i:PIN|passcode|password|area code|zip code|postcode|flight|extension)"
                r"(?i: number| code)?(?: is|:)? )"
                rf"(\d{{3,}}){_AFTER}"
            ),
            _coded,
        ),
        (
            (
                r"(\b(?i:call|called|calling|calls|dial|dialed|dialing|dials|phone|phoned|ring|text)"
                r"(?: us| me| us at| me at)? )"
                rf"([1-9]11|999|112|988|000|\d{{7,}}){_AFTER}"
            ),
            _coded,
        ),
        (
            r"(?<![\w.])(v(?=\d\d?(?!\d))|V(?=\d+\.\d)|[vV]er\. ?|v\. ?)(\d{1,9}(?:\.\d{1,9})*+)(?![\d.]\d)",
            _version,
        ),
        (r"(?<![\w.$£€,])(?!\d\d?\.\d\d?\.[12]\d{3}(?![\d.]))()(\d{1,9}(?:\.\d{1,9}){2,}+)(?!\d)", _version),
        (r"(?<=[Vv]ersion )()(\d{1,9}(?:\.\d{1,9})++)(?!\d)", _version),
    )
)


def read_codes(text: str) -> str:
    """Write out telephone numbers, versions, IP addresses and the like."""
    if re.search(r"\d[-.) /]\(?\d|\+\d|\d{3}|\d-[A-Z]|[vV]\.? ?\d", text) is None:
        return text
    for pattern, reading in _RULES:
        text = pattern.sub(reading, text)
    return text
