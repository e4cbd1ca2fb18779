"""Options of `voxgrad say`: what is said (a text, a file, standard input)."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from voxgrad.cli.standard_streams import input_lines
from voxgrad.errors import BadInputError
from voxgrad.unicode import PARAGRAPH, clean

if TYPE_CHECKING:
    from voxgrad.speech.text_input import Utterance

Markup = Literal["plain", "ssml", "markdown", "html"]
_ENDINGS: Final[dict[str, Markup]] = {
    ".ssml": "ssml", ".xml": "ssml", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".xhtml": "html",
}  # fmt: skip
_LONGEST_NAME: Final = 1000
_OTHERS: Final = {
    ".pdf": "PDF has no order of reading: save it as text, HTML or EPUB.",
    ".doc": "Save it as text or HTML.",
    ".docx": "Save it as text or HTML.",
    ".mobi": "Convert it to EPUB.",
    ".azw3": "Convert it to EPUB.",
}


_TEXTS: Final = frozenset({".txt", ".jsonl", ".epub"} | _ENDINGS.keys() | _OTHERS.keys())
"""How files that somebody wants to hear are called."""


@dataclass(frozen=True)
class SayInput:
    """What shall be said.

    Attributes:
        texts: paragraphs, or one SSML document; of standard input they may still be coming.
        listed: utterances with settings of their own, instead.
        one: all of it is one text.
        coming: nobody knows how it ends.
        warnings: what of a document is left out.
        folder: where the sounds of SSML lie.
    """

    texts: Iterable[str]
    listed: "list[Utterance] | None" = None
    one: bool = True
    coming: bool = False
    warnings: tuple[str, ...] = ()
    folder: Path = Path()

    def joined(self) -> str:
        """All of it as one text, each part a paragraph, with no more lines than there are."""
        return PARAGRAPH.join(self.texts)

    def utterances(self) -> "Iterable[Utterance]":
        """A line an utterance; SSML is one."""
        from voxgrad.speech.text_input import Utterance, read_lines
        from voxgrad.text.ssml import is_ssml

        if self.listed is not None:
            return self.listed
        if isinstance(self.texts, list) and any(is_ssml(text) for text in self.texts):
            return [Utterance(text=text) for text in self.texts]
        return read_lines(line for text in self.texts for line in text.splitlines())


@dataclass(frozen=True)
class Reading:
    """How a text is taken.

    Attributes:
        one: all goes into one sound.
        lines: every line has a file of its own.
        markup: what it is written in; None: as its file is called.
        names: of the speakers of a dialogue.
    """

    one: bool
    lines: bool
    markup: Markup | None = None
    names: tuple[str, ...] = ()


def file_named(text: str | None) -> Path | None:
    """The file that a text is the name of, rather than a text to speak."""
    if text is None or len(text) > _LONGEST_NAME or not text.lower().endswith(tuple(_TEXTS)):
        return None
    return path if (path := Path(text)).is_file() else None


def read_input(text: str | None, file: Path | None, reading: Reading) -> SayInput:
    """Find what shall be said: a text, a file, or standard input.

    Args:
        text: from the command line; ``-`` is standard input.
        file: ``-`` is standard input, as one text.
        reading: how it is taken.

    Raises:
        BadInputError: there is nothing, or too much, or it cannot be read.
    """
    if text is not None and file is not None:
        raise BadInputError("a text and a file exclude each other", "Give one of them.")
    if file is not None:
        return _from_file(file, reading)
    if text is not None and text != "-":
        return _document(text, reading, one=not reading.lines)
    # A process without a terminal may have none at all.
    if sys.stdin is None or (text is None and sys.stdin.isatty()):
        raise BadInputError("there is no text", "Give one, name a file with -f, or pipe lines in.")
    lines = input_lines()
    first = next(lines, "")
    if (
        reading.markup not in {None, "plain"}
        or reading.names
        or re.match(r"\ufeff?\s*<(?:speak\b|\?xml)", first)
    ):
        return _document(first + "".join(lines), reading, one=not reading.lines)
    return SayInput(chain([first], lines) if first else (), one=reading.one, coming=True)


def _from_file(file: Path, reading: Reading) -> SayInput:
    from voxgrad.speech.text_input import is_jsonl, read_jsonl
    from voxgrad.unicode import read_text

    ending = file.suffix.lower()
    if ending in _OTHERS and reading.markup is None:
        raise BadInputError(f"{file} is no text", _OTHERS[ending])
    content = "".join(input_lines()) if str(file) == "-" else read_text(file).text
    taken = replace(reading, markup=reading.markup or _ENDINGS.get(ending))
    folder = Path() if str(file) == "-" else file.parent
    if taken.markup is None and is_jsonl(content):
        listed = read_jsonl(content, file.name)
        if reading.one:
            return SayInput([_conversation(listed, file)], folder=folder)
        return SayInput((), listed, one=False, folder=folder)
    return replace(_document(content, taken, one=not reading.lines), folder=folder)


def _document(content: str, reading: Reading, *, one: bool) -> SayInput:
    """A text, made SSML if it is written in something else."""
    content = clean(content)
    from voxgrad.documents.dialogue import dialogue_to_ssml, is_dialogue
    from voxgrad.documents.html import html_to_ssml, markdown_to_ssml
    from voxgrad.text.ssml import is_ssml

    if reading.markup in {"markdown", "html"}:
        convert = markdown_to_ssml if reading.markup == "markdown" else html_to_ssml
        converted = convert(content)
        return SayInput([converted.ssml], one=one, warnings=converted.warnings)
    if reading.markup == "ssml":
        return SayInput([content if is_ssml(content) else f"<speak>{content}</speak>"], one=one)
    if is_ssml(content):
        return SayInput([content], one=one)
    if reading.names and is_dialogue(content, reading.names):
        return SayInput([dialogue_to_ssml(content, reading.names)], one=one)
    return SayInput([content], one=one)


def _conversation(listed: "list[Utterance]", file: Path) -> str:
    """JSON lines as one dialogue."""
    from voxgrad.documents.dialogue import turns_to_ssml
    from voxgrad.text.ssml import is_ssml

    for number, utterance in enumerate(listed, 1):
        if utterance.out is not None or utterance.seed is not None:
            raise BadInputError(
                f"utterance {number} of {file} has an out or a seed of its own, which a part of one file cannot have",
                "Give -d, or leave them out.",
            )
        if is_ssml(utterance.text):
            raise BadInputError(
                f"utterance {number} of {file} is SSML, which has voices of its own", "Give -d."
            )
    turns = [(utterance.voice, utterance.text) for utterance in listed]
    return turns_to_ssml(turns, [1.0 if utterance.speed is None else utterance.speed for utterance in listed])


def chosen_markup(*, ssml: bool, markdown: bool) -> Markup | None:
    """The markup that was asked for.

    Raises:
        BadInputError: two of them.
    """
    if ssml and markdown:
        raise BadInputError("--ssml and --markdown exclude each other", "Give one of them.")
    return "ssml" if ssml else "markdown" if markdown else None


def read_cast(written: list[str] | None) -> dict[str, str]:
    """The voices of a script by name.

    Args:
        written: ``alice=alice@v2,bob=bob`` and the like, in one or several.

    Raises:
        BadInputError: something in it is no pair.

    >>> read_cast(["alice=alice@v2,bob=english:kathleen"])
    {'alice': 'alice@v2', 'bob': 'english:kathleen'}
    """
    cast: dict[str, str] = {}
    for pair in (pair for one in written or () for pair in clean(one).split(",")):
        name, sign, reference = (part.strip() for part in pair.partition("="))
        if not (name and sign and reference):
            raise BadInputError(f"--cast has {pair!r}", "Write NAME=VOICE, such as alice=alice@v2,bob=bob.")
        if cast.setdefault(name, reference) != reference:
            raise BadInputError(f"--cast has two voices for {name}", "Give one of them.")
    return cast
