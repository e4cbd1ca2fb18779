"""Clips that are there more than once, and texts that many clips claim."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from voxgrad.preparation.recording import PreparedClip

_PAIR = 2  # of two, either may be wrong
_LONGER = 1.5
_BY_SECONDS = 0.5
"""How much longer the longest clip of a text is than the shortest; takes of one sentence differ by less."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of clips, by id.

    Attributes:
        audio: the same samples under several names.
        texts: one text of clips whose lengths differ too much for it, so that some of them say something else.
    """

    audio: tuple[tuple[str, ...], ...]
    texts: tuple[tuple[str, ...], ...]

    def reasons(self, made: Sequence[PreparedClip]) -> dict[str, list[str]]:
        """What is to be said of clips, by id; of the first of several with the same audio nothing."""
        clips = {one.clip.id: one.clip for one in made}
        found: dict[str, list[str]] = defaultdict(list)
        for first, *others in self.audio:
            for name in others:
                same = clips[name].normalised == clips[first].normalised
                found[name].append(
                    f"its audio is that of {first}{'' if same else ', which has another text'}"
                )
        for group in self.texts:
            usual = median(clips[name].seconds for name in group)
            for name in group:
                if len(group) == _PAIR or _unlike([clips[name].seconds, usual]):
                    found[name].append(
                        f"it lasts {clips[name].seconds:.1f} s, and the {len(group)} clips with its text "
                        f"{usual:.1f} s (median): one of them says another"
                    )
        return found


def duplicates(made: Sequence[PreparedClip]) -> Duplicates:
    """Finds clips with the same audio, and texts of clips of too different length of one speaker."""
    seconds = {one.clip.id: one.clip.seconds for one in made}
    audio = _groups(made, lambda one: hashlib.sha256(one.flac).hexdigest())
    texts = _groups(made, lambda one: f"{one.clip.speaker}\n{one.clip.normalised.lower()}")
    return Duplicates(audio, tuple(group for group in texts if _unlike([seconds[name] for name in group])))


def _unlike(seconds: Sequence[float]) -> bool:
    return max(seconds) > max(_LONGER * min(seconds), min(seconds) + _BY_SECONDS)


def _groups(made: Sequence[PreparedClip], key: Callable[[PreparedClip], str]) -> tuple[tuple[str, ...], ...]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in made:
        found[key(one)].append(one.clip.id)
    return tuple(tuple(group) for group in found.values() if len(group) > 1)
