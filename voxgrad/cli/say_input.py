"""Options of `voxgrad say`: what is said (a text, a file, standard input), and with how many steps."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.speech.text_input import Utterance
from voxgrad.settings import BEST_STEPS, DRAFT_STEPS


@dataclass(frozen=True)
class SayInput:
    """What shall be said.

    Attributes:
        texts: paragraphs; of standard input they may still be coming.
        listed: utterances with settings of their own, instead.
        one: all of it is one text.
        coming: nobody knows how it ends.
    """

    texts: Iterable[str]
    listed: "list[Utterance] | None" = None
    one: bool = True
    coming: bool = False

    def joined(self) -> str:
        """All of it as one text."""
        return "\n\n".join(self.texts)

    def utterances(self) -> "Iterable[Utterance]":
        """A line an utterance."""
        from voxgrad.speech.text_input import read_lines

        if self.listed is not None:
            return self.listed
        return read_lines(line for text in self.texts for line in text.splitlines())


def read_input(text: str | None, file: Path | None, *, one: bool, lines: bool) -> SayInput:
    """Find what shall be said: a text, a file, or standard input.

    Args:
        text: from the command line; ``-`` is standard input.
        file: ``-`` is standard input, as one text.
        one: all goes into one sound.
        lines: every line has a file of its own.

    Raises:
        BadInputError: there is nothing, or too much, or it cannot be read.
    """
    from voxgrad.speech.text_input import is_jsonl, read_jsonl, read_text

    if text is not None and file is not None:
        raise BadInputError("a text and a file exclude each other", "Give one of them.")
    if file is not None:
        content = "".join(_standard_input()) if str(file) == "-" else read_text(file)
        if is_jsonl(content):
            if one:
                raise BadInputError(
                    f"{file} lists utterances, which go into files of their own",
                    'Give -d, or an "out" with each of them.',
                )
            return SayInput((), read_jsonl(content, file.name), one=False)
        return SayInput([content], one=not lines)
    if text is not None and text != "-":
        return SayInput([text], one=not lines)
    # A process without a terminal may have none at all.
    if sys.stdin is None or (text is None and sys.stdin.isatty()):
        raise BadInputError("there is no text", "Give one, name a file with -f, or pipe lines in.")
    return SayInput(_standard_input(), one=one, coming=True)


def _standard_input() -> Iterator[str]:
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        raise BadInputError("standard input is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        raise BadInputError(f"standard input cannot be read ({error})", "Give a text.") from error


def chosen_steps(steps: int | None, *, draft: bool, best: bool, max_rtf: float | None) -> dict[str, int]:
    """The setting ``steps`` where one was asked for; nothing where the default or a measurement decides.

    Raises:
        BadInputError: two of them were given, or a factor that is no number.

    >>> chosen_steps(None, draft=True, best=False, max_rtf=None), chosen_steps(8, draft=False, best=False, max_rtf=None)
    ({'steps': 4}, {'steps': 8})
    """
    given = [
        name
        for name, asked in {
            "--steps": steps is not None,
            "--draft": draft,
            "--best": best,
            "--max-rtf": max_rtf is not None,
        }.items()
        if asked
    ]
    if len(given) > 1:
        raise BadInputError(f"{' and '.join(given)} exclude each other", "Give one of them.")
    if max_rtf is not None and not max_rtf > 0:
        raise BadInputError("--max-rtf is no number above 0", "Give a number such as 0.3.")
    if draft or best:
        return {"steps": DRAFT_STEPS if draft else BEST_STEPS}
    return {} if steps is None else {"steps": steps}
