"""Texts to speak: lines, JSON lines and files; and warnings about what of them cannot be read."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.presets import validated
from voxgrad.settings import Spec, Speed
from voxgrad.speech.results import SpokenPassage
from voxgrad.text.lexicon import refuse_unknown
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.text.unread import NO_MARKS, unread_remarks
from voxgrad.unicode import whole_characters


class Utterance(Spec):
    """Something to be said; what is None is as for the whole list."""

    text: Annotated[str, Field(min_length=1)]
    """Written English."""
    voice: str | None = None
    """A reference."""
    speed: Speed | None = None
    """Above 1 is faster."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Of all noise."""
    out: Annotated[str, Field(min_length=1)] | None = None
    """An audio file."""


def read_lines(lines: Iterable[str]) -> Iterator[Utterance]:
    """A line an utterance; empty ones are left out."""
    return (Utterance(text=line.strip()) for line in lines if line.strip())


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
    """A JSON object a line, with ``text`` and any of ``voice``, ``speed``, ``seed`` and ``out``.

    Args:
        text: the lines; empty ones are left out.
        source: what errors call it.

    Raises:
        BadInputError: a line is none; source and line are named.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        try:
            content = json.loads(whole_characters(json.dumps(json.loads(line), ensure_ascii=False)))
        except ValueError as error:
            raise BadInputError(f"{where} is not JSON ({error})", 'Write {"text": "…"} a line.') from error
        if not isinstance(content, dict):
            raise BadInputError(f"{where} is no JSON object", 'Write {"text": "…"} a line.')
        found.append(validated(Utterance, content, where))
    return found


_NAMED = 20


def warn_unread(
    text: str,
    emit: Emit,
    *,
    strict: bool = False,
    line: int | None = None,
    marks: Mapping[str, str] = NO_MARKS,
) -> None:
    """Warn of what nothing is said for, and of what SSML asks in vain; see `unread_remarks`.

    Raises:
        BadInputError: SSML that cannot be read; or something is left out, and ``strict`` forbids it.
    """
    for warning in read_script(text).warnings if is_ssml(text) else ():
        emit(Said(warning, "warning"))
    for remark in unread_remarks(text, line, marks):
        if strict:
            raise BadInputError(remark, "Leave it out, or write it in English.")
        emit(Said(remark, "warning"))


def warn_unknown(words: Sequence[str], emit: Emit, *, strict: bool) -> None:
    """Warn of words that are guessed.

    Raises:
        BadInputError: there are some, and ``strict`` forbids them.
    """
    if strict:
        refuse_unknown(words)
    if words:
        more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
        shown = ", ".join(words[:_NAMED])
        emit(Said(f"not in the dictionary, pronounced by guess: {shown}{more}", "warning"))


def with_progress(
    pieces: Iterator[SpokenPassage], task: str, total: int | None, emit: Emit
) -> Iterator[SpokenPassage]:
    """Hand pieces on, and tell of each of them."""
    emit(Began(task, total, "passages"))
    done = 0
    for piece in pieces:
        done += bool(piece.durations)
        emit(Advanced(task, done))
        yield piece
    emit(Ended(task))
