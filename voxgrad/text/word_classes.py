"""Classes of English words: the small ones that hold sentences together, some frequent others, and endings.

``word_classes.txt`` has them by what they tell of the word beside them. A word in no class of small words is
open: a noun, an adjective or a verb.
"""

from functools import cache
from pathlib import Path
from typing import Final

_ADJECTIVE_ENDINGS: Final = (
    "ous",
    "ful",
    "ive",
    "able",
    "ible",
    "ic",
    "ical",
    "ish",
    "less",
    "ary",
    "ial",
    "nal",
    "ent",
)


_SMALL: Final = (
    *(
        "articles",
        "numbers",
        "subjects",
        "singular_subjects",
        "objects",
        "do",
        "modals",
        "be",
        "have",
        "prepositions",
    ),
    *("conjunctions", "clause_openers", "finite", "adverbs"),
)
"""Classes whose words are not open."""


@cache
def _classes() -> dict[str, frozenset[str]]:
    """The classes of every word that has any."""
    text = Path(__file__).with_name("word_classes.txt").read_text(encoding="ascii")
    found: dict[str, set[str]] = {}
    for name, _, words in (line.partition(":") for line in text.splitlines() if line[:1] != "#"):
        for word in words.split():
            found.setdefault(word, set()).add(name)
    return {word: frozenset(names) for word, names in found.items()}


def is_one_of(word: str, *classes: str) -> bool:
    """Whether a word, in lower case, belongs to any of the classes."""
    return not _classes().get(word, frozenset()).isdisjoint(classes)


def is_open(word: str) -> bool:
    """Whether a word belongs to no class of small words, and is none of the marks."""
    return word[:1].isalpha() and word != "to" and not is_one_of(word, *_SMALL) and not is_modal(word)


def is_adverb(word: str) -> bool:
    """Whether a word may stand between others without changing what they are to each other."""
    return (is_one_of(word, "adverbs", "degrees") and word != "as") or (
        word.endswith("ly") and not is_one_of(word, "no_adverbs")
    )


def is_modal(word: str) -> bool:
    """Whether an infinitive without "to" follows: modals, do, and their short forms."""
    return is_one_of(word, "modals", "do") or (
        word.endswith(("n't", "'ll", "'d")) and not is_one_of(word, "be", "have")
    )


def is_adjective(word: str) -> bool:
    """Whether a word is likely an adjective, or a participle."""
    return is_one_of(word, "adjectives") or (len(word) > 4 and word.endswith((*_ADJECTIVE_ENDINGS, "ed")))


def is_plural(word: str) -> bool:
    """Whether a word is likely a plural noun."""
    return is_one_of(word, "plurals") or (
        len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "us", "is", "'s"))
        and not is_one_of(word, "no_plurals")
    )
