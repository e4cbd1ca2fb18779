"""Text to token ids in two modes, ``voxgrad`` and ``official``, which docs/text.md compares.

In both, the user's lexicon and phones in braces, ``{HH AH0 L OW1}``, go before everything else.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path
from string import ascii_lowercase
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text.characters import unread, without_unread
from voxgrad.text.dictionary import is_vowel, lookup
from voxgrad.text.homographs import capitals, choose
from voxgrad.text.lexicon import BRACED, NONE, Lexicon, inline
from voxgrad.text.normalize import NothingToSayError, normalize
from voxgrad.text.pronounce import Pronunciation, find, is_stutter, pronounce, stuttered, without_accents
from voxgrad.text.symbols import (
    BLANK,
    BLANK_LABEL,
    CHARACTER_IDS,
    ENGLISH,
    PHONE_IDS,
    PUNCTUATION,
    Encoded,
    Word,
    with_blanks,
)
from voxgrad.unicode import clean

_IDS: Final = {**CHARACTER_IDS, **PHONE_IDS, BLANK_LABEL: BLANK}

MOST_GUESSES: Final = 5000
"""Different unknown words in one text; a text with more of them is no English, and would take minutes."""


def encode(text: str, spec: TextSpec, lexicon: Lexicon = NONE) -> Encoded:
    """Encode a text, any Unicode; what cannot be read is left out.

    Raises:
        BadInputError: not Unicode, nothing to say, or thousands of words that no dictionary has.
    """
    require_unicode(text)
    if spec.language != ENGLISH:
        # Only here, because English needs none of it.
        from voxgrad.text import espeak_tokens  # noqa: PLC0415

        return espeak_tokens.encode(text, spec, lexicon)
    normalised = normalize(text, known=lexicon.knows)
    if spec.frontend == "voxgrad":
        labels, words = _separated(normalised, text, lexicon)
        unknown = dict.fromkeys(word.word for word in words if word.source == "network")
    else:
        normalised = _MONEY.sub(r"\1, ", without_accents(normalised))
        labels, words, unknown = _attached(normalised, lexicon)
    if not words:
        raise NothingToSayError
    if spec.add_blank:
        labels, words = with_blanks(labels, words)
    tokens = tuple(map(_IDS.__getitem__, labels))
    return Encoded(tokens, normalised, tuple(labels), tuple(words), tuple(unknown))


def encode_transcript(text: str, spec: TextSpec, lexicon: Lexicon = NONE) -> Encoded:
    """Encode what is said in a recording, of which nothing may be left out; see `encode`.

    Raises:
        BadInputError: as `encode`; letters of another script, or braces that do not hold phones.
    """
    written = clean(text)
    for part in unread(written):
        if part.script:
            message = f"the text contains {part.script} letters ({part.text[:40]!r})"
            raise BadInputError(message, "Write it with Latin letters.")
    for braced in BRACED.finditer(written):
        inline(braced[0])
    return encode(text, spec, lexicon)


def require_unicode(text: str) -> None:
    """Refuses what came in from a command line in another encoding.

    Raises:
        BadInputError: the text cannot be written as UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        hint = "Set the terminal to UTF-8, or use ASCII."
        raise BadInputError("the text is not UTF-8", hint) from error


def _word(written: str, said: Pronunciation, start: int) -> Word:
    return Word(written, said.phones, said.source, said.sense, start, start + len(said.phones))


_PIECES: Final = re.compile(
    r"\{[^{}]*\}"  # phones
    r"|(?:[A-Za-z]\.){2,}(?:'?s\b)?"  # U.S., p.m.
    r"|\b[A-HJ-Z]\.(?= \w)"  # an initial: its full stop is no pause
    r"|'?[A-Za-zà-ÿ]+(?:['-][A-Za-zà-ÿ]+)*'?"
    r"|--|[!(),.:;?\[\]]"
)
_MARKS: Final = {"--": "-", "[": "(", "]": ")"}


def _separated(normalised: str, text: str, lexicon: Lexicon) -> tuple[list[str], list[Word]]:
    """Labels and words of the mode ``voxgrad``: marks are tokens of their own."""
    labels: list[str] = []
    words: list[Word] = []
    pieces = list(_pieces(normalised, lexicon))
    said = _pronounced(pieces, text, lexicon)
    for index, piece in enumerate(pieces):
        if _is_word(piece) or piece == "(":
            if labels and labels[-1] != "(":
                labels.append(" ")
        elif not labels or labels[-1] == piece:  # nothing to pause after, or "..." and the like
            continue
        if not _is_word(piece):
            labels.append(piece)
            continue
        words.append(_word(piece, said[index], len(labels)))
        labels.extend(said[index].phones)
    if normalised[-1] == "." and pieces[-1][-1] == "." and len(pieces[-1]) > 1:
        labels.append(".")  # one full stop ends both "p.m." and the sentence
    return labels, words


def _is_word(piece: str) -> bool:
    return piece[:1].isalpha() or piece[:1] in {"'", "{"}


def _pieces(normalised: str, lexicon: Lexicon) -> Iterator[str]:
    start = 0
    for match in lexicon.dotted.finditer(normalised) if lexicon.dotted is not None else ():
        yield from _plain_pieces(normalised[start : match.start()], lexicon)
        yield match[0]
        start = match.end()
    yield from _plain_pieces(normalised[start:], lexicon)


def _plain_pieces(text: str, lexicon: Lexicon) -> Iterator[str]:
    for match in _PIECES.finditer(text):
        piece = match[0]
        compound = "-" in piece and piece[0] != "{" and _is_word(piece)
        if compound and lexicon.lookup(piece) is None and (piece.isupper() or find(piece) is None):
            *parts, last = piece.split("-")
            yield from (f"{part}-" if is_stutter(part, last) else part for part in parts if part.strip("'"))
            if last.strip("'"):
                yield last
        else:
            yield _MARKS.get(piece, piece)


def _pronounced(pieces: Sequence[str], text: str, lexicon: Lexicon) -> list[Pronunciation]:
    """How each piece is said; marks have no phones."""
    context = [piece.lower() for piece in pieces]
    names = capitals(text, context)
    guesses: set[str] = set()
    said: list[Pronunciation] = []
    for index in reversed(range(len(pieces))):  # "the" hangs on what follows
        piece, following = pieces[index], said[-1].phones if said else ()
        pronunciation = _fixed(piece, following, lexicon)
        if pronunciation is None:
            chosen = choose(context, index, capital=index in names) if piece.islower() else None
            pronunciation = chosen or pronounce(piece)
        said.append(pronunciation)
        if pronunciation.source == "network":
            guesses.add(piece)
            if len(guesses) > MOST_GUESSES:
                message = f"more than {MOST_GUESSES} different words are in no dictionary"
                raise BadInputError(message, "Check that the text is English, or split it.")
    return said[::-1]


def _fixed(piece: str, following: tuple[str, ...], lexicon: Lexicon) -> Pronunciation | None:
    """How a piece is said that its context does not change, or only the phones of the piece that follows it."""
    if not _is_word(piece):
        return Pronunciation((), "letters")
    if piece[0] == "{":
        return Pronunciation(inline(piece), "inline")
    if piece[-1] == "-":
        return Pronunciation(stuttered(piece[:-1], following), "derived")
    entry = lexicon.lookup(piece)
    if entry is None and piece == "the":
        vowel = "IY0" if following and is_vowel(following[0]) else "AH0"
        return Pronunciation(("DH", vowel), "dictionary")
    return None if entry is None else Pronunciation(entry, "lexicon")


_CHARACTERS: Final = frozenset(ascii_lowercase + PUNCTUATION)
_MONEY: Final = re.compile(
    r"\b(one (?:dollar|pound|euro)|dollars|pounds|euros) "
    r"(?=(?:[a-z]+(?:-[a-z]+)? (?:cents|pence)|one (?:cent|penny))\b)"
)
"""Where the released checkpoints learnt a comma within a sum of money."""
_PIECE: Final = re.compile(r"(?:\{[^{}]*\}|[^ {}])+")
_PART: Final = re.compile(r"\{[^{}]*\}|[^{}]+")
_MARKED: Final = re.compile(r"([^a-z]*)([a-z](?:.*[a-z])?)([^a-z]*)")


def _attached(normalised: str, lexicon: Lexicon) -> tuple[list[str], list[Word], dict[str, None]]:
    """Labels, words and unknown words of the mode ``official``: what stands between two spaces is one word.

    What comes before phones in braces is spelt, for the official front end looks words up only after the last of them.
    """
    labels: list[str] = []
    words: list[Word] = []
    unknown: dict[str, None] = {}
    looked_up = normalised.rfind("}")
    for match in _PIECE.finditer(normalised):
        said = _official(match[0], lexicon, spelt=match.start() < looked_up)
        written = match[0] if said.source == "inline" else match[0].lower()
        if any(map(str.isalpha, written)):
            words.append(_word(written, said, len(labels)))
        if said.source == "letters" and (word := _unknown(written)):
            unknown[word] = None
        labels += [*said.phones, " "]
    return labels[:-1], words, unknown


def _official(written: str, lexicon: Lexicon, *, spelt: bool) -> Pronunciation:
    if "{" in written:
        parts = _PART.findall(written)
        said = (inline(part) if part[0] == "{" else _letters(part.lower()) for part in parts)
        return Pronunciation(tuple(phone for phones in said for phone in phones), "inline")
    word = written.lower()
    marked = _MARKED.fullmatch(word) if lexicon else None
    for before, core, after in () if marked is None else (("", word, ""), marked.groups()):
        if (phones := lexicon.lookup(core)) is not None:
            return Pronunciation((*_letters(before), *phones, *_letters(after)), "lexicon")
    return Pronunciation(_letters(word), "letters") if spelt else _looked_up(word)


def _letters(written: str) -> tuple[str, ...]:
    return tuple(character for character in written if character in _CHARACTERS)


def _unknown(written: str) -> str:
    """The word without its marks where no dictionary has that, else empty."""
    marked = _MARKED.fullmatch(written)
    core = "" if marked is None else marked[2]
    known = any(_looked_up(word).source == "dictionary" for word in (written, core, f"{core}."))
    return "" if known else core


@cache
def _differences() -> dict[str, tuple[str, ...] | None]:
    """Words whose first pronunciation in the official dictionary differs from ours; None: it lacks them."""
    text = Path(__file__).with_name("official.txt").read_text(encoding="ascii")
    entries = (line.partition(" ") for line in text.splitlines())
    return {word: tuple(phones.split()) if phones else None for word, _, phones in entries}


@lru_cache(maxsize=16384)
def _looked_up(word: str) -> Pronunciation:
    """The phones of a lower-case word with its marks attached, or its characters where the dictionary lacks it so."""
    # The official cleaners write Mrs. so, and no dictionary has it: the checkpoints learnt its letters.
    written = "misess" if word == "missus" else word
    phones = _differences()[written] if written in _differences() else lookup(written)
    return Pronunciation(_letters(written), "letters") if phones is None else Pronunciation(phones, "dictionary")


_EDGE_MARKS: Final = "\"'.,:;!?()[]-"


def as_written(text: str, words: Sequence[str]) -> tuple[str, ...]:
    """What was written for each word that is read, where that can be told.

    Where one sign became several words ("$5", "five dollars"), the first has it, and the others nothing.

    >>> as_written("Dr. Smith paid $5 😀.", ["doctor", "smith", "paid", "five", "dollars"])
    ('Dr.', 'Smith', 'paid', '$5', '')
    """
    written = [word for word in without_unread(clean(text)).split() if word.strip(_EDGE_MARKS)]
    plain = [word.strip(_EDGE_MARKS).lower() for word in written]
    read = [word.lower() for word in words]
    origins = [""] * len(words)
    for _, start, stop, first, last in SequenceMatcher(None, plain, read).get_opcodes():
        if stop - start == last - first:
            origins[first:last] = written[start:stop]
        elif last > first:
            origins[first] = " ".join(written[start:stop])
    return tuple(origins)
