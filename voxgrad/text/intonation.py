"""Which questions rise at their end, and by how much every token does.

Source: Beckman and Ayers, Guidelines for ToBI Labelling, 1997: yes-no questions of American English end high (L* H-H%),
as do statements that are asked; others fall. What a network learns from read speech falls always.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from voxgrad.text.dictionary import is_vowel
from voxgrad.text.part_of_speech import is_adverb, is_modal, is_one_of
from voxgrad.text.symbols import Encoded, Word

_ENDS: Final = frozenset(".!?")
_CLAUSES: Final = frozenset(",;:-")
_OPEN: Final = frozenset(
    "who whom whose what when where why which how who's what's when's where's why's how's who've who'd who'll".split()  # noqa: SIM905
)
_ALSO_BEFORE: Final = frozenset(("to", "well", "oh", "yes", "no", "okay", "hey"))
_PRONOUNS: Final = ("articles", "subjects", "singular_subjects", "objects")
_AUXILIARIES: Final = ("do", "modals", "be", "have")
_LINKS: Final = ("prepositions", "conjunctions")
"""Classes of words, see `parts_of_speech`."""
_SONORANTS: Final = frozenset(("M", "N", "NG", "L", "R", "W", "Y"))


def question_rises(encoded: Encoded) -> list[float] | None:
    """How far every token of questions that rise does, 0 to 1: a line from the last stressed vowel to the end.

    None where nothing rises. ``encoded`` is of the package's own front end.
    """
    raised = [0.0] * len(encoded.tokens)
    for words, mark in _questions(encoded):
        clauses = _clauses(encoded, words)
        if _rises(clauses):
            first, last = _nucleus(encoded, clauses[-1]), _last_voiced(encoded, words[-1])
            # The voice may last into the mark and the blank after it.
            for token in range(first, min(mark + 2, len(raised))):
                raised[token] = min((token - first + 1) / max(last - first + 1, 2), 1.0)
    return raised if any(raised) else None


def _questions(encoded: Encoded) -> Iterator[tuple[list[Word], int]]:
    """The words of every sentence that a question mark ends, and the mark's token."""
    start = 0
    for token, label in enumerate(encoded.phones):
        if label == "?" and (words := [word for word in encoded.words if start <= word.start < token]):
            yield words, token
        if label in _ENDS:
            start = token


def _clauses(encoded: Encoded, words: Sequence[Word]) -> list[list[Word]]:
    clauses: list[list[Word]] = [[]]
    for word, following in zip(words, (*words[1:], None), strict=True):
        clauses[-1].append(word)
        if following is not None and _CLAUSES.intersection(encoded.phones[word.stop : following.start]):
            clauses.append([])
    return clauses


def _rises(clauses: Sequence[Sequence[Word]]) -> bool:
    read = [[word.word.lower() for word in clause] for clause in clauses]
    if "or" in read[-1][1:-1] or (len(read) > 1 and read[-1][0] == "or"):
        return False
    # The first words that decide what kind of question a clause is: "and in which".
    openings = {next((word for word in clause if word in _OPEN or not _may_precede(word)), "") for clause in read}
    has_auxiliary = any(is_modal(word) or is_one_of(word, "be", "have") for word in openings - _OPEN)
    return has_auxiliary or not _OPEN & openings


def _may_precede(word: str) -> bool:
    return word in _ALSO_BEFORE or is_one_of(word, *_LINKS) or is_adverb(word)


def _nucleus(encoded: Encoded, words: Sequence[Word]) -> int:
    """The token of the vowel that the last stress is on: of a word with a meaning, else of an auxiliary."""
    ranks = ((*_PRONOUNS, *_LINKS, *_AUXILIARIES), (*_PRONOUNS, *_LINKS), ())
    strong = next(
        found for weak in ranks if (found := [word for word in words if not is_one_of(word.word.lower(), *weak)])
    )
    vowels = [token for token in range(strong[-1].start, strong[-1].stop) if is_vowel(encoded.phones[token])]
    stressed = [token for token in vowels if encoded.phones[token].endswith("1")]
    return (stressed or vowels or [strong[-1].start])[-1]


def _last_voiced(encoded: Encoded, word: Word) -> int:
    """The last token of a word that has a pitch: a vowel's or a sonorant's."""
    voiced = [
        token
        for token in range(word.start, word.stop)
        if is_vowel(encoded.phones[token]) or encoded.phones[token] in _SONORANTS
    ]
    return voiced[-1] if voiced else word.stop - 1
