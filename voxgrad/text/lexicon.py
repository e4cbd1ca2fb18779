"""The user's own pronunciations: a file ``lexicon.txt``, and phones in braces within a text.

A lexicon's line is a word and its phones, ``voxgrad  V AA1 K S G R AE2 D``, parted by spaces or tabs; what
follows a ``#`` is a remark. Phones are the 39 of ARPABET, their vowels with a stress digit (0 none, 1 primary,
2 secondary) or without: of the vowels written without one, the first gets 1 unless another vowel has it
already, and all others get 0.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.pronounce import with_s
from voxgrad.text.symbols import CONSONANTS, VOWELS
from voxgrad.unicode import clean

LEXICON: Final = "lexicon.txt"
"""What the file is called in a store's home, and in datasets and voices."""

BRACED: Final = re.compile(r"\{ *+[A-Za-z0-9][A-Za-z0-9 ]*+\}")
"""What may be phones in braces; see `is_inline`."""
_NAMED: Final = 20
"""Unknown words that an error names."""
_WORD: Final = re.compile(r"[A-Za-z'.-]*[A-Za-z][A-Za-z'.-]*")
_PHONE: Final = re.compile(rf"(?:{'|'.join(CONSONANTS)})|({'|'.join(VOWELS)})([012])?")
_HOW: Final = f"Write phones of {' '.join((*VOWELS, *CONSONANTS))}, vowels with the stress 0, 1 or 2."


@dataclass(frozen=True)
class Lexicon:
    """Pronunciations that go before those of every dictionary.

    Attributes:
        entries: words in lower case with their phones, each once, in alphabetical order.
    """

    entries: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Lexicon":
        """Reads a file.

        Raises:
            BadInputError: it cannot be read, or a line of it; names file and line.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadInputError(f"{path.name} is not UTF-8 text", "Save it as UTF-8.") from error
        except OSError as error:
            raise BadInputError(
                f"the lexicon {path} cannot be read ({error.strerror})", "Give the path of a text file."
            ) from error
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, source: str) -> "Lexicon":
        """Reads the content of a file.

        Args:
            text: lines as the module describes them.
            source: what errors call it.

        Raises:
            BadInputError: a line cannot be read, or a word occurs twice with different phones.
        """
        entries: dict[str, tuple[str, ...]] = {}
        lines: dict[str, int] = {}
        for number, line in enumerate(clean(text).split("\n"), 1):
            word, *phones = line.partition("#")[0].split() or ("",)
            if not word:
                continue
            at, word = f"{source}:{number}", word.lower()
            _check_word(word, phones, at)
            read = checked(phones, at)
            if entries.setdefault(word, read) != read:
                raise BadInputError(
                    f"{at}: {word} stands in line {lines[word]} already, with other phones",
                    "Keep one of them.",
                )
            lines.setdefault(word, number)
        return cls(tuple(sorted(entries.items())))

    @classmethod
    def gather(cls, home: Path, *sources: Path | None) -> "Lexicon":
        """The store's own lexicon, if it has one, and others as one: where several have a word, the last decides.

        Args:
            home: the store's folder.
            sources: files, the most specific last; None is passed over.

        Raises:
            BadInputError: see `read`.
        """
        own = home / LEXICON
        entries: dict[str, tuple[str, ...]] = {}
        for path in (own if own.exists() else None, *sources):
            if path is not None:
                entries.update(cls.read(path).entries)
        return cls(tuple(sorted(entries.items())))

    @cached_property
    def _by_word(self) -> dict[str, tuple[str, ...]]:
        return dict(self.entries)

    @cached_property
    def dotted(self) -> re.Pattern[str] | None:
        """Finds in a text the words that are written with a full stop, which elsewhere parts words."""
        words = [re.escape(word) for word, _ in reversed(self.entries) if "." in word]
        return re.compile(rf"(?<![\w'.])(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None

    def lookup(self, word: str) -> tuple[str, ...] | None:
        """The phones of a word, or None. Its possessive, and quotation marks around it, need no entry."""
        if not self.entries or word == "A":  # an entry for "a" is meant for the article
            return None
        lower = word.lower()
        for candidate in (lower, lower.removesuffix("'"), lower.strip("'")):
            if candidate in self._by_word:
                return self._by_word[candidate]
        base = self._by_word.get(lower[:-2]) if lower.endswith("'s") else None
        return None if base is None else with_s(base)

    def knows(self, word: str) -> bool:
        """Whether ``word``, in lower case, has an entry of its own; not for a letter, which may stand for itself."""
        return len(word) > 1 and word in self._by_word

    def __bool__(self) -> bool:
        return bool(self.entries)

    @property
    def text(self) -> str:
        """The lexicon as a file, always the same for the same entries."""
        return "".join(f"{word}  {' '.join(phones)}\n" for word, phones in self.entries)

    @property
    def sha256(self) -> str:
        """Of ``text``: 64 hex digits that change when a pronunciation does, not when a remark does."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def settings(self) -> dict[str, str]:
        """What a manifest and a fingerprint keep of it: nothing where it is empty."""
        return {"lexicon": self.sha256} if self else {}


NONE: Final = Lexicon()


def refuse_unknown(words: Collection[str]) -> None:
    """Refuses words that no dictionary has, if there are any.

    Raises:
        BadInputError: naming them.
    """
    if words:
        some = list(words)[:_NAMED]
        more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
        raise BadInputError(
            f"no dictionary has {', '.join(some)}{more}",
            "Write their phones into a lexicon, one `word  PHONES` a line, and give it with --lexicon.",
        )


def is_inline(braced: str) -> bool:
    r"""Whether what stands in braces is phones; a name is text, and so is the ``{n}`` of a formula.

    >>> is_inline("{HH AH0 L OW1}"), is_inline("{name}"), is_inline("{n}")
    (True, False, False)
    """
    phones = braced.strip("{}").split()
    is_letter = len(phones) == 1 and re.fullmatch("[a-z]", phones[0]) is not None
    return bool(phones) and not is_letter and all(_PHONE.fullmatch(phone.upper()) for phone in phones)


def misspelt_phones(text: str) -> Iterator[str]:
    """What was meant for phones in braces, and is text: of several words in capitals, half at least are phones.

    >>> list(misspelt_phones("{HH AX0 L OW1}, {HH AH0} and {first name}"))
    ['{HH AX0 L OW1}']
    """
    for braced in BRACED.finditer(text):
        written = braced[0].strip("{}").split()
        phones = sum(_PHONE.fullmatch(word) is not None for word in written)
        if len(written) // 2 <= phones < len(written) and len(written) > 1 and braced[0].isupper():
            yield braced[0]


def inline(braced: str) -> tuple[str, ...]:
    """The phones of ``{HH AH0 L OW1}``.

    >>> inline("{hh ah l ow1}")
    ('HH', 'AH0', 'L', 'OW1')

    Raises:
        BadInputError: something in it is no phone, or it is empty.
    """
    return checked(braced.strip("{}").split(), braced)


def checked(phones: Iterable[str], where: str) -> tuple[str, ...]:
    """Phones in capitals, with the stress that is missing; the rule stands at the head of this module.

    >>> checked(["v", "ao", "k", "s", "ah"], ""), checked(["AH", "L", "OW1"], "")
    (('V', 'AO1', 'K', 'S', 'AH0'), ('AH0', 'L', 'OW1'))

    Raises:
        BadInputError: not a phone, or none at all; begins with ``where``.
    """
    matches = []
    for phone in phones:
        match = _PHONE.fullmatch(phone.upper())
        if match is None:
            raise BadInputError(f"{where}: {phone} is no phone", _HOW)
        matches.append(match)
    if not matches:
        raise BadInputError(f"{where}: there are no phones", _HOW)
    stressed = any(match[2] == "1" for match in matches)
    complete = []
    for match in matches:
        if match[1] is None or match[2] is not None:
            complete.append(match[0])
        else:
            complete.append(f"{match[1]}{0 if stressed else 1}")
            stressed = True
    return tuple(complete)


def _check_word(word: str, phones: list[str], at: str) -> None:
    if re.fullmatch(r".+\(\d+\)", word) is not None:
        raise BadInputError(
            f"{at}: {word} is a second pronunciation, and a lexicon has one for each word",
            "Keep the one that is meant, without the number.",
        )
    if _WORD.fullmatch(word) is None:
        raise BadInputError(
            f"{at}: {word} is no word",
            "Write `word  PHONES`; words have the letters a to z, apostrophes, hyphens and full stops.",
        )
    if not phones:
        raise BadInputError(f"{at}: {word} has no phones", f"Add them after the word. {_HOW}")
