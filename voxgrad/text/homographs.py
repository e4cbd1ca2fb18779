"""Words that are written alike and said otherwise: the sense is chosen by cues, or by the part of speech.

``homographs.txt`` has the senses with their phones, and ``cues.txt`` what tells them. Where nothing tells, a word is
said as always.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from voxgrad.text.part_of_speech import is_one_of, part_of_speech
from voxgrad.text.pronounce import Pronunciation
from voxgrad.text.rules import text_before

_REACH: Final = 10
"""Words on either side that cues can lie in."""
_NEXT_BEST: Final = {
    "adjective": ("adjective", "noun"),
    "noun": ("noun", "adjective"),
    "either": ("noun", "adjective"),
    "verb": ("verb",),
    "past": ("past", "verb"),
}
"""Which senses a part of speech may choose, the first that a word has."""
_CAPITAL_TELLS: Final = frozenset(("august", "job", "lima", "nice", "polish", "reading"))
_UNCAPITALISED: Final = re.compile(r"\b(?:[a-z][\w']*|The|A|In|At|From|To|My|Our),? $")
"""Before a name within a sentence; small words can begin one."""
_HOMOGRAPH: Final = re.compile(r"(?<![\w\\])_(?![\w\\])|CAPITAL|<(?P<parts>[^>]*)>(?!\w)")


@cache
def senses() -> dict[str, dict[str, tuple[str, ...]]]:
    """Phones by word and sense."""
    text = Path(__file__).with_name("homographs.txt").read_text(encoding="ascii")
    table: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in text.splitlines():
        word, sense, *phones = line.split()
        table.setdefault(word, {})[sense] = tuple(phones)
    return table


def choose(words: Sequence[str], at: int, *, capital: bool = False) -> Pronunciation | None:
    """The sense of a word in its context; None if it is not a homograph, or the context does not decide.

    ``words`` are in lower case, with marks; ``capital``: it was written with one within a sentence.
    """
    word = words[at]
    known = senses().get(word)
    if known is None:
        return None
    sense = _read(words, at) if word == "read" else _sense(words, at, frozenset(known), capital=capital)
    return None if sense is None else Pronunciation(known[sense], "homograph", sense)


def capitals(text: str, normalised: Sequence[str]) -> frozenset[int]:
    """Which words of ``normalised`` were names: written with a capital after a word without one.

    Only words are looked at whose capital tells something.
    """
    names: set[int] = set()
    for word in _CAPITAL_TELLS.intersection(normalised):
        written = list(re.finditer(rf"(?<![\w'-])(?i:{word})(?![\w'-])", text))
        read = [index for index, other in enumerate(normalised) if other == word]
        if len(written) == len(read):
            names.update(
                index
                for index, match in zip(read, written, strict=True)
                if match[0].istitle() and _UNCAPITALISED.search(text_before(match, 40))
            )
    return frozenset(names)


@cache
def _written_cues() -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    """The lists by name, and for each word its senses with their patterns, as the file has them."""
    lists: dict[str, str] = {}
    cues: dict[str, list[tuple[str, str]]] = {}
    for line in Path(__file__).with_name("cues.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("$"):
            name, lists[name] = line.split(" ", 1)
        elif line and not line.startswith("#"):
            word, sense, cue = line.split(" ", 2)
            cues.setdefault(word, []).append((sense, cue))
    return lists, cues


@cache
def cues(word: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The cues of a word, each a sense and what to find around the word; compiled only when it is met."""
    lists, written = _written_cues()
    full = ((sense, re.sub(r"\$[A-Z]+", lambda match: lists[match[0]], cue)) for sense, cue in written.get(word, ()))
    return tuple((sense, re.compile(_HOMOGRAPH.sub(_as_rendered, cue))) for sense, cue in full)


def _as_rendered(match: re.Match[str]) -> str:
    if match[0] == "CAPITAL":
        return r"<\w*\^>"
    return r"<\w*\^?>" if match[0] == "_" else rf"<{match['parts']}\^?>"


def _sense(words: Sequence[str], at: int, known: frozenset[str], *, capital: bool) -> str | None:
    part = part_of_speech(words, at, known)
    before, after = " ".join(words[max(at - _REACH, 0) : at]), " ".join(words[at + 1 : at + 1 + _REACH])
    seen = f"{before} <{'' if part is None else part}{'^' if capital else ''}> {after}".strip()
    for sense, cue in cues(words[at]):
        if cue.search(seen) is not None:
            return sense
    return None if part is None else next((sense for sense in _NEXT_BEST[part] if sense in known), None)


def _read(words: Sequence[str], at: int) -> str | None:
    """Whether "read" rhymes with "reed" or with "red"."""
    part = part_of_speech(words, at, frozenset(("past", "verb", "noun")))
    before = [word for word in words[max(at - 4, 0) : at] if word[-2:] != "ly"]
    helper, nearest = ["", "", *before][-2:]
    plural = is_one_of(nearest, "subjects", "plurals") or nearest.endswith("s")
    if part is None:
        return "past" if words[at + 1 : at + 2] == ["by"] else None
    if nearest == "and":
        return "present" if _governed(words[:at]) else "past"
    if part == "verb" and plural and not is_one_of(helper, "do", "modals", "causatives"):
        around = _around(words, at)
        now, earlier = (any(is_one_of(word, when) for word in around) for when in ("now", "earlier"))
        return "present" if now and not earlier else None
    return "present" if part in {"noun", "verb"} else "past"  # "either": a singular subject has no -s


def _around(words: Sequence[str], at: int) -> list[str]:
    """Nearby words; a past tense, which is no participle after a form of be, as "was"."""
    near = [*words[max(at - _REACH, 0) : at], *words[at + 1 : at + 1 + _REACH]]
    return [
        "was" if len(word) > 3 and word.endswith("ed") and not is_one_of(before, "be") else word
        for before, word in zip(["", *near], near, strict=False)
    ]


def _governed(before: Sequence[str]) -> bool:
    """Whether "to" or an auxiliary earlier in the clause governs what comes."""
    near = before[-8:]
    governs = any(word == "to" or is_one_of(word, "modals", "do") for word in near)
    return governs and not any(is_one_of(word, "have") for word in near)
