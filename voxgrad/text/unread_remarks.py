"""Where a text holds what nothing is said for, in sentences for people."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from voxgrad.events import few
from voxgrad.text.characters import Unread, unread
from voxgrad.text.lexicon import misspelt_phones
from voxgrad.text.marked_text import Mark, Segment, without_tags
from voxgrad.text.passages import sentences
from voxgrad.text.ssml import Script, is_ssml, read_script

NO_MARKS: Final[Mapping[str, str]] = MappingProxyType({})
_NAMED: Final = 20
_SHOWN: Final = 60
"""Characters of what is quoted."""


def unread_remarks(text: str, line: int | None = None, marks: Mapping[str, str] = NO_MARKS) -> Iterator[str]:
    r"""What nothing is said for in a text or SSML, with its place; and phones in braces that are none.

    Args:
        text: plain or SSML.
        line: that a plain text begins at; None: lines are named where it has several.
        marks: what marks of SSML are called, to name a place after them.

    Raises:
        BadInputError: SSML that cannot be read.

    >>> list(unread_remarks("Hello 你好.\nSo 😀 {HH AX0 L OW1} 😀."))[0]
    'not read: 你好 (Chinese, line 1), 😀 (line 2, 2 times)'
    """
    if is_ssml(text):
        script = read_script(text)
        plain = " ".join(item.content.text for item in script.items if isinstance(item, Segment))
        placed = _in_sentences(script, marks)
    else:
        plain = without_tags(text)
        placed = _in_lines(plain, line)
    described: dict[str, str] = {}
    counts = Counter[str]()
    for part, place, paragraph in placed:
        counts[part.text] += 1
        if part.text not in described:
            quoted = _quoted(part.text, paragraph) if paragraph and len(described) < _NAMED else ""
            described[part.text] = ", ".join(filter(None, (part.script, ": ".join(filter(None, (place, quoted))))))
    if described:
        yield f"not read: {few([_described(part, told, counts[part]) for part, told in described.items()], _NAMED)}"
    if misspelt := list(dict.fromkeys(misspelt_phones(plain))):
        yield f"read as text, because not all of it is phones: {few(misspelt, _NAMED)}"


def _in_lines(plain: str, line: int | None) -> Iterator[tuple[Unread, str, str]]:
    at, position = 1 if line is None else line, 0
    is_told = line is not None or "\n" in plain.strip()
    for part in unread(plain):
        at, position = at + plain.count("\n", position, part.start), part.start
        yield part, f"line {at}" if is_told else "", ""


def _in_sentences(script: Script, marks: Mapping[str, str]) -> Iterator[tuple[Unread, str, str]]:
    """With what the mark before it is called, and the paragraph."""
    after = ""
    for segment in (item for item in script.items if isinstance(item, Segment)):
        passed = [
            (offset, marks[event.name])
            for offset, event in segment.content.events
            if isinstance(event, Mark) and event.name in marks
        ]
        for part in unread(segment.content.text):
            mark = next((name for offset, name in reversed(passed) if offset <= part.start), after)
            yield part, mark, segment.content.text
        after = passed[-1][1] if passed else after


def _quoted(written: str, paragraph: str) -> str:
    """The sentence of a paragraph that holds something."""
    sentence = next((sentence for sentence in sentences(paragraph) if written in sentence), paragraph)
    return f"“{_cut(sentence)}”"


def _described(part: str, told: str, count: int) -> str:
    """Such as ``λόγος (Greek, line 3)``."""
    more = ", ".join(filter(None, (told, f"{count} times" if count > 1 else "")))
    return f"{_cut(part)} ({more})" if more else _cut(part)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN].rstrip()} …"
