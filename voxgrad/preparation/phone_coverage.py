"""Which phones a dataset has, beside those of English, and how much more would help."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from voxgrad.text.symbols import CONSONANTS, VOWELS
from voxgrad.training.alignment import labels
from voxgrad.training.dataset import Clip

ENOUGH = 20
"""Times that each phone should be said: fewer leave its sound to chance."""

ENGLISH: dict[str, float] = {
    "AA": 18.8,
    "AE": 23.8,
    "AH": 110.7,
    "AO": 17.7,
    "AW": 4.7,
    "AY": 13.4,
    "B": 17.4,
    "CH": 5.3,
    "D": 48.5,
    "DH": 32.6,
    "EH": 29.9,
    "ER": 26.4,
    "EY": 16.4,
    "F": 18.9,
    "G": 6.6,
    "HH": 15.4,
    "IH": 59.6,
    "IY": 35.1,
    "JH": 5.4,
    "K": 31.1,
    "L": 36.6,
    "M": 26.5,
    "N": 76.1,
    "NG": 8.0,
    "OW": 11.3,
    "OY": 1.0,
    "P": 22.5,
    "R": 44.9,
    "S": 48.6,
    "SH": 8.8,
    "T": 73.2,
    "TH": 4.0,
    "UH": 3.1,
    "UW": 17.1,
    "V": 21.7,
    "W": 22.6,
    "Y": 4.9,
    "Z": 31.0,
    "ZH": 0.7,
}
"""Of a thousand phones in the 13,100 transcripts of LJSpeech, as `voxgrad.text` reads them."""


@dataclass(frozen=True, slots=True)
class PhoneCount:
    """One phone: how often it is said, and of a thousand phones here and in English."""

    phone: str
    count: int
    here: float
    english: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a dataset has of English.

    Attributes:
        phones: all 39, the most frequent of English first.
        minutes_more: of ordinary text, after which every phone can be expected to be said `ENOUGH` times.
        scarcest: the phone that needs so many; empty where none does.
    """

    phones: tuple[PhoneCount, ...]
    minutes_more: float
    scarcest: str

    @property
    def rare(self) -> tuple[PhoneCount, ...]:
        """The phones that are said too rarely, the rarest first."""
        return tuple(sorted((one for one in self.phones if one.count < ENOUGH), key=lambda one: one.count))


def coverage(clips: Iterable[Clip]) -> Coverage:
    """Counts the phones of clips; there is at least one clip."""
    known = list(clips)
    names = (*VOWELS, *CONSONANTS)
    counted = Counter(label.rstrip("012") for clip in known for label in labels(clip.tokens))
    counts = {name: counted[name] for name in names}
    total = max(1, sum(counts.values()))
    per_minute = 60 * total / sum(clip.seconds for clip in known)
    phones = tuple(
        PhoneCount(name, counts[name], 1000 * counts[name] / total, ENGLISH[name])
        for name in sorted(names, key=lambda name: -ENGLISH[name])
    )
    wanting = {one.phone: (ENOUGH - one.count) / (one.english / 1000 * per_minute) for one in phones}
    scarcest = max(wanting, key=lambda phone: wanting[phone])
    more = max(0.0, wanting[scarcest])
    return Coverage(phones, more, scarcest if more > 0 else "")
