"""The input of `voxgrad say`: a text, a file, standard input, or a list of JSON lines."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from voxgrad.errors import BadInputError
from voxgrad.presets import validated
from voxgrad.settings import Spec, Speed
from voxgrad.unicode import PARAGRAPH, clean, read_lines, read_text, whole_characters

Markup = Literal["plain", "ssml", "markdown", "html"]
_ENDINGS: Final[dict[str, Markup]] = {
    ".ssml": "ssml", ".xml": "ssml", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".xhtml": "html",
}  # fmt: skip
_LONGEST_NAME: Final = 1000
_OTHERS: Final = {
    ".pdf": "A PDF has no reading order: save it as text, HTML or EPUB.",
    ".doc": "Save it as text or HTML.",
    ".docx": "Save it as text or HTML.",
    ".mobi": "Convert it to EPUB.",
    ".azw3": "Convert it to EPUB.",
}
_TEXTS: Final = (".txt", ".jsonl", ".epub", *_ENDINGS, *_OTHERS)
"""Endings of files that a user may want to hear."""


class Utterance(Spec):
    """A line of a list; None means the value of the whole list."""

    text: Annotated[str, Field(min_length=1)]
    """Written English."""
    voice: str | None = None
    """A reference."""
    speed: Speed | None = None
    """Speed; above 1 is faster."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Of all noise."""
    out: Annotated[str, Field(min_length=1)] | None = None
    """An audio file."""


@dataclass(frozen=True)
class SayInput:
    """What is to be spoken."""

    texts: Iterable[str]
    """One document, or lines of standard input, which may still be coming."""
    listed: list[Utterance] | None = None
    """Utterances with settings of their own, instead."""
    one: bool = True
    """All of it is one text."""
    coming: bool = False
    """Whether its end is not known yet."""
    warnings: tuple[str, ...] = ()
    """What of a document is left out."""
    folder: Path = Path()
    """Where the sounds of SSML lie."""

    def joined(self) -> str:
        """All of it as one text with a paragraph for each part, without additional lines."""
        return PARAGRAPH.join(self.texts)

    def utterances(self) -> Iterable[Utterance]:
        """One utterance per line, without empty lines; SSML is one utterance."""
        from voxgrad.text.ssml import is_ssml

        if self.listed is not None:
            return self.listed
        if isinstance(self.texts, list) and any(is_ssml(text) for text in self.texts):
            return [Utterance(text=text) for text in self.texts]
        lines = (line.strip() for text in self.texts for line in text.splitlines())
        return (Utterance(text=line) for line in lines if line)


def file_named(text: str | None) -> Path | None:
    """The file that a text names; None if it is a text to speak."""
    if text is None or len(text) > _LONGEST_NAME or not text.lower().endswith(_TEXTS):
        return None
    return path if (path := Path(text)).is_file() else None


def read_input(
    text: str | None, file: Path | None, *, markup: Markup | None, names: Sequence[str], one: bool, lines: bool
) -> SayInput:
    """Find what shall be said: a text, a file, or standard input, which is ``-``, and as a file is one text.

    The markup, unless it is given, is as the file is called; ``names`` are those of the speakers of a dialogue. All of
    it goes into ``one`` sound, or each of its ``lines`` into one of its own.

    Raises:
        BadInputError: there is nothing, or too much, or it cannot be read.
    """
    if text is not None and file is not None:
        raise BadInputError("a text and a file cannot be combined", "Give one of them.")
    if file is not None:
        ending = file.suffix.lower()
        if ending in _OTHERS and markup is None:
            raise BadInputError(f"{file} is not a text file", _OTHERS[ending])
        piped = str(file) == "-"
        content, folder = ("".join(input_lines()), Path()) if piped else (read_text(file).text, file.parent)
        markup = markup or _ENDINGS.get(ending)
        if markup is not None or not is_jsonl(content):
            return _document(content, markup, names, one=not lines, folder=folder)
        listed = read_jsonl(content, file.name)
        if one:
            return SayInput([_conversation(listed, file)], folder=folder)
        return SayInput((), listed, one=False, folder=folder)
    if text is not None and text != "-":
        return _document(text, markup, names, one=not lines)
    # A process without a terminal may have none at all.
    if sys.stdin is None or (text is None and sys.stdin.isatty()):
        raise BadInputError("no text is given", "Give a text or -f FILE, or pipe lines to standard input.")
    coming = input_lines()
    first = next(coming, "")
    marked = markup not in {None, "plain"} or re.match(r"\ufeff?\s*<(?:speak\b|\?xml)", first)
    if marked or names:
        return _document(first + "".join(coming), markup, names, one=not lines)
    return SayInput(chain([first], coming) if first else (), one=one, coming=True)


def input_lines() -> Iterator[str]:
    """The lines of standard input as they come, in any of the usual encodings.

    Raises:
        BadInputError: it is not text, or cannot be read.
    """
    try:
        yield from read_lines(sys.stdin.buffer, "standard input")
    except OSError as error:
        raise BadInputError(f"standard input cannot be read ({error.strerror})", "Give a text.") from error


def _document(
    content: str, markup: Markup | None, names: Sequence[str], *, one: bool, folder: Path = Path()
) -> SayInput:
    """A text, made SSML if it is written in something else."""
    from voxgrad.documents.dialogues import dialogue_to_ssml, is_dialogue
    from voxgrad.documents.html import html_to_ssml
    from voxgrad.documents.markdown import markdown_to_ssml
    from voxgrad.text.ssml import is_ssml

    content = clean(content)
    warnings: tuple[str, ...] = ()
    if markup in {"markdown", "html"}:
        converted = (markdown_to_ssml if markup == "markdown" else html_to_ssml)(content)
        content, warnings = converted.ssml, converted.warnings
    elif not is_ssml(content):
        if markup == "ssml":
            content = f"<speak>{content}</speak>"
        elif names and is_dialogue(content, names):
            content = dialogue_to_ssml(content, names)
    return SayInput([content], one=one, warnings=warnings, folder=folder)


def is_jsonl(text: str) -> bool:
    """Whether a text is a list of JSON objects, by its first line.

    >>> is_jsonl('{"text": "hello"}'), is_jsonl("{HH AH0 L OW1}, he said.")
    (True, False)
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def read_jsonl(text: str, source: str) -> list[Utterance]:
    """Read one JSON object per line, without empty lines.

    Raises:
        BadInputError: a line is not a JSON object; the message names ``source`` and the line.
    """
    utterances = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        try:
            content = json.loads(whole_characters(json.dumps(json.loads(line), ensure_ascii=False)))
        except ValueError as error:
            raise BadInputError(
                f"{where} is not JSON ({error})", 'Write one object like {"text": "…"} per line.'
            ) from error
        if not isinstance(content, dict):
            raise BadInputError(f"{where} is not a JSON object", 'Write one object like {"text": "…"} per line.')
        utterances.append(validated(Utterance, content, where))
    return utterances


def _conversation(listed: list[Utterance], file: Path) -> str:
    from voxgrad.documents.dialogues import turns_to_ssml
    from voxgrad.text.ssml import is_ssml

    for number, utterance in enumerate(listed, 1):
        if utterance.out is not None or utterance.seed is not None:
            raise BadInputError(
                f"utterance {number} of {file} has out or seed, which only separate files can have",
                "Use -d, or remove them.",
            )
        if is_ssml(utterance.text):
            raise BadInputError(f"utterance {number} of {file} is SSML, which selects voices itself", "Give -d.")
    turns = [(utterance.voice, utterance.text) for utterance in listed]
    return turns_to_ssml(turns, [1.0 if utterance.speed is None else utterance.speed for utterance in listed])


def read_cast(written: list[str] | None) -> dict[str, str]:
    """The voices of a script by name, as ``--cast`` has them, in one or several.

    Raises:
        BadInputError: something in it is not a pair.

    >>> read_cast(["alice=alice@v2,bob=english:kathleen"])
    {'alice': 'alice@v2', 'bob': 'english:kathleen'}
    """
    cast: dict[str, str] = {}
    for pair in (pair for option in written or () for pair in clean(option).split(",")):
        name, sign, reference = (part.strip() for part in pair.partition("="))
        if not (name and sign and reference):
            raise BadInputError(f"--cast has {pair!r}", "Write NAME=VOICE, such as alice=alice@v2,bob=bob.")
        if cast.setdefault(name, reference) != reference:
            raise BadInputError(f"--cast has two voices for {name}", "Give one of them.")
    return cast
