"""What a person is told while a text is read."""

from collections.abc import Iterator, Sequence

from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.speech.spoken import Piece
from voxgrad.text.characters import dropped
from voxgrad.text.lexicon import refuse_unknown

_NAMED = 20


def tell_unread(text: str, emit: Emit) -> None:
    """Warn of symbols that nothing is said for."""
    if not_read := dropped(text):
        more = " …" if len(not_read) > _NAMED else ""
        emit(Said(f"not read: {' '.join(not_read[:_NAMED])}{more}", "warning"))


def tell_unknown(words: Sequence[str], emit: Emit, *, strict: bool) -> None:
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


def told(pieces: Iterator[Piece], task: str, total: int | None, emit: Emit) -> Iterator[Piece]:
    """Hand pieces on, and tell of each of them."""
    emit(Began(task, total, "passages"))
    for done, piece in enumerate(pieces, 1):
        emit(Advanced(task, done))
        yield piece
    emit(Ended(task))
