"""The part of speech of a word, by the classes of the words beside it, which ``word_classes.txt`` lists."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

_ADJECTIVE_ENDINGS: Final = (
    "ous", "ful", "ive", "able", "ible", "ic", "ical", "ish", "less", "ary", "ial", "nal", "ent", "ed",
)  # fmt: skip
_SMALL: Final = (
    "articles", "numbers", "subjects", "singular_subjects", "objects", "do", "modals", "be", "have", "prepositions",
    "conjunctions", "clause_openers", "finite", "adverbs",
)  # fmt: skip
"""Classes whose words are not open."""


@cache
def _classes() -> dict[str, frozenset[str]]:
    """The classes of every word that has any, as ``word_classes.txt`` lists them."""
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
    """Whether a word belongs to no class of small words, and is not a mark."""
    return word[:1].isalpha() and word != "to" and not is_one_of(word, *_SMALL) and not is_modal(word)


def is_adverb(word: str) -> bool:
    """Whether a word may stand between others without changing what they are to each other."""
    ends_in_ly = word.endswith("ly") and not is_one_of(word, "no_adverbs")
    return ends_in_ly or (is_one_of(word, "adverbs", "degrees") and word != "as")


def is_modal(word: str) -> bool:
    """Whether an infinitive without "to" follows: modals, do, and their short forms."""
    short_form = word.endswith(("n't", "'ll", "'d")) and not is_one_of(word, "be", "have")
    return short_form or is_one_of(word, "modals", "do")


def is_adjective(word: str) -> bool:
    """Whether a word is likely an adjective, or a participle."""
    return is_one_of(word, "adjectives") or (len(word) > 4 and word.endswith(_ADJECTIVE_ENDINGS))


def is_plural(word: str) -> bool:
    """Whether a word is likely a plural noun."""
    ends_in_s = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s"))
    return is_one_of(word, "plurals") or (ends_in_s and not is_one_of(word, "no_plurals"))


Part = Literal["adjective", "either", "noun", "past", "verb"]
"""``past`` is a participle after have, or what follows he or she without an -s; ``either`` leans to noun, for
a verb is also possible there: "the road winds through", "oil exports through"."""


def part_of_speech(words: Sequence[str], at: int, parts: frozenset[str]) -> Part | None:
    """What the word at ``at`` is likely to be, or None where its neighbours do not tell.

    ``words`` are in lower case, with marks; ``parts``, what the word can be at all, only decide between close readings.
    """
    place = _Place.of(words, at)
    if place.degree and "adjective" in parts:
        return "adjective"
    word = words[at]
    rules = _S_FORM if word.endswith("s") and not word.endswith("ss") else _BASE_FORM
    return next((part for rule in rules if (part := rule(place, parts)) is not None), None)


@dataclass(frozen=True, slots=True)
class _Place:
    """A word's neighbours within its clause; an empty string stands beyond either end.

    Attributes:
        before: the nearest first, without adverbs.
        after: the next word.
        degree: whether a word such as "very" stands right before.
        urged: whether an adverb such as "please" was left out.
        words: all words and marks.
        at: the word's index in them.
    """

    before: tuple[str, ...]
    after: str
    degree: bool
    urged: bool
    words: Sequence[str]
    at: int

    @classmethod
    def of(cls, words: Sequence[str], at: int) -> "_Place":
        before: list[str] = []
        adverbs: list[str] = []
        for word in reversed(words[max(at - 10, 0) : at]):
            if not word[0].isalpha() and word[0] != "'":
                break
            (adverbs if is_adverb(word) else before).append(word)
        after = words[at + 1] if at + 1 < len(words) and words[at + 1][:1].isalpha() else ""
        degree = at > 0 and is_one_of(words[at - 1], "degrees")
        urged = any(is_one_of(adverb, "imperative_adverbs") for adverb in adverbs)
        return cls(tuple(before), after, degree, urged, words, at)

    def left(self, steps: int = 1) -> str:
        return self.before[steps - 1] if steps <= len(self.before) else ""

    @property
    def takes_object(self) -> bool:
        """Whether an object follows, as only a verb's would."""
        return is_one_of(self.after, "articles", "objects", "numbers") or self.after == "that"


def _attributive(place: _Place, parts: frozenset[str]) -> Part:
    """Within a noun phrase: an adjective where a noun follows, or else the noun."""
    before_noun = is_open(place.after) and not is_one_of(place.after, "verbs_in_s")
    return "adjective" if "adjective" in parts and before_noun else "noun"


def _after_to(place: _Place, parts: frozenset[str]) -> Part | None:
    if place.left() != "to":
        return None
    is_noun = place.left(3) == "from" or is_one_of(place.left(2), "take_a_noun_after_to")
    return _attributive(place, parts) if is_noun else "verb"


def _after_auxiliary(place: _Place, parts: frozenset[str]) -> Part | None:
    word = place.left()
    if is_modal(word) or word in {"help", "helps", "helped"}:
        return "verb"
    if is_one_of(word, "be", "linking"):
        return "adjective"
    if is_one_of(word, "have"):
        return "past" if "past" in parts else _attributive(place, parts)
    return None


def _after_pronoun(place: _Place, parts: frozenset[str]) -> Part | None:
    word, helper = place.left(), place.left(2)
    if not is_one_of(word, "subjects", "singular_subjects", "objects"):
        return None
    if is_one_of(helper, "have") and "past" in parts:
        return "past"
    if is_one_of(helper, "be") or (is_one_of(helper, "keepers") and "adjective" in parts):
        return "adjective"
    if is_one_of(helper, "causatives"):
        bare = "adjective" in parts and helper.startswith(("mak", "made")) and not place.takes_object
        return "adjective" if bare else "verb"
    if is_modal(helper) or is_one_of(word, "subjects"):
        return "verb"
    person = word != "it" and is_one_of(word, "singular_subjects")
    return ("past" if "past" in parts else "verb") if person else _attributive(place, parts)


def _after_relative(place: _Place, parts: frozenset[str]) -> Part | None:
    if place.left() not in {"that", "which"}:
        return None
    subject = place.left(2)
    # After a comma "which" begins a relative clause; at the very start it asks.
    opens = subject == "" and place.left() == "which" and "," in place.words[: place.at][-3:]
    relative = (opens or is_plural(subject)) and place.after != ""
    return "verb" if relative else _attributive(place, parts)


def _in_noun_phrase(place: _Place, parts: frozenset[str]) -> Part | None:
    word = place.left()
    owner = word.endswith(("'s", "s'")) and not is_one_of(word, "be")
    if is_one_of(word, "amounts"):
        return "adjective"
    if word in {"this", "that"} and is_modal(place.left(2)) and place.takes_object:
        return "verb"
    if owner or is_one_of(word, "articles", "numbers", "prepositions"):
        return _attributive(place, parts)
    return None


def _after_conjunction(place: _Place, parts: frozenset[str]) -> Part | None:
    if not is_one_of(place.left(), "conjunctions"):
        return None
    if place.takes_object:
        return "verb"
    joined = place.at - 1 - place.words[: place.at][::-1].index(place.left())
    return part_of_speech(place.words, joined - 1, parts) if joined > 0 else None


def _at_start(place: _Place, parts: frozenset[str]) -> Part | None:
    if place.left() == "":
        if place.takes_object or place.urged:
            return "verb"
        return "noun" if place.after == "of" or is_one_of(place.after, "finite") else None
    if is_one_of(place.left(), "clause_openers"):
        return _attributive(place, parts)
    return None


def _base_after_open(place: _Place, parts: frozenset[str]) -> Part | None:
    """After a noun: a verb without -s needs a plural subject, or an auxiliary before the subject."""
    word = place.left()
    if word == "":
        return None
    pair = "and" in place.before[1:4] and (place.takes_object or place.after == "to")
    if pair and not any(is_one_of(other, "articles") for other in place.before[:3]):
        return "verb"
    kept = place.after == "" and any(is_one_of(other, "keepers") for other in place.before[1:4])
    if is_one_of(place.after, "finite") or is_adjective(word) or ("adjective" in parts and kept):
        return _attributive(place, parts)
    if is_plural(word) and not is_one_of(word, "verbs_in_s"):
        # "he makes progress" has a verb before it, "a police escort" no plural.
        compound = is_one_of(place.left(2), "singular_subjects", "subjects") or place.left(2) in {"a", "an"}
        return _attributive(place, parts) if compound else "verb"
    return "verb" if _is_inverted(place) or (place.takes_object and "and" in place.before[1:4]) else "either"


def _is_inverted(place: _Place) -> bool:
    """Whether an auxiliary waits for its verb: "does the machine record", "let the reader object"."""
    for steps, word in enumerate(place.before[1:6], 2):
        if word == "to" or is_one_of(word, "prepositions", "be"):
            return False
        if is_one_of(word, "causatives") and not is_one_of(word, "have"):
            return steps > 2 and is_one_of(place.left(steps - 1), "articles")
        if is_modal(word):
            asked = place.left(steps + 1)
            return asked in {"", "and", "but", "so", "what"} or is_one_of(asked, "clause_openers")
    return False


def _s_after_pronoun(place: _Place, _parts: frozenset[str]) -> Part | None:
    word, earlier = place.left(), place.left(2)
    if word == "who" or is_one_of(word, "singular_subjects"):
        return "verb"
    if word in {"that", "which"}:
        return "verb" if is_open(earlier) and not is_plural(earlier) else "noun"
    return "verb" if word == "this" else None  # no plural follows it


def _s_in_noun_phrase(place: _Place, parts: frozenset[str]) -> Part | None:
    word = place.left()
    small = word in {"", "to", "her"} or is_one_of(word, "be", "have", "clause_openers")
    return "noun" if small or _in_noun_phrase(place, parts) is not None else None


def _s_after_open(place: _Place, _parts: frozenset[str]) -> Part | None:
    """After a singular noun an object makes it a verb; so does a noun, for plurals rarely stand before one."""
    word, after = place.left(), place.after
    if not is_open(word) or is_plural(word) or is_adjective(word):
        return "noun"
    if is_one_of(after, "finite") or after.endswith("ed"):
        return "noun"
    is_verb = place.takes_object or is_adverb(after) or (is_open(after) and not after.endswith("ing"))
    return "verb" if is_verb else "either"


def _s_after_conjunction(place: _Place, parts: frozenset[str]) -> Part | None:
    joined = place.left(2)
    if is_one_of(place.left(), "conjunctions") and is_open(joined) and is_open(place.after):
        # "tills the soil and produces grain": a plural would rather be joined to another.
        return "noun" if joined.endswith("s") or place.after.endswith("ed") else "verb"
    return _after_conjunction(place, parts)


_Rule = Callable[[_Place, frozenset[str]], Part | None]
_BASE_FORM: Final[tuple[_Rule, ...]] = (
    *(_after_to, _after_auxiliary, _after_pronoun, _after_relative, _in_noun_phrase, _after_conjunction, _at_start),
    _base_after_open,
)
_S_FORM: Final[tuple[_Rule, ...]] = (_s_after_pronoun, _s_in_noun_phrase, _s_after_conjunction, _s_after_open)
