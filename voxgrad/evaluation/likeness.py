"""Identity: likeness to a person, where 0 is that of the most similar other speaker, and 1 the person's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxgrad.audio.io import Samples

Embeddings = NDArray[np.float32]
"""(n, 256), each of length one."""

FEWEST = 8
"""Pieces of recordings: half of them are the reference, half the ceiling."""
SHORTEST, LONGEST = 1.6, 3.0
"""Seconds of a piece. Resemblyzer looks at 1.6 s at a time."""
_APART = 0.05
"""Least distance between a person and the most similar of the others; of 12 people the least was 0.10."""


def piece_seconds(recorded: float, said: float) -> float | None:
    """The length of the pieces into which recordings and speech are cut; None where there is too little of one.

    >>> piece_seconds(200.0, 14.0), piece_seconds(16.0, 14.0), piece_seconds(12.0, 14.0)
    (3.0, 2.0, None)
    """
    seconds = min(recorded / FEWEST, said, LONGEST)
    return seconds if seconds >= SHORTEST else None


def cut(speech: Sequence[Samples], size: int) -> list[Samples]:
    """Pieces of equal length of speech that is put end to end; what is left over is dropped."""
    joined = np.concatenate(speech)
    return [joined[start : start + size] for start in range(0, len(joined) - size + 1, size)]


def other_speakers() -> Embeddings:
    """Readers of LibriSpeech, each by one recording (`tests/benchmarks/other_speakers.py`)."""
    stored = np.load(Path(__file__).with_name("other_speakers.npy"), allow_pickle=False)
    return np.asarray(stored, np.float32)


@dataclass(frozen=True, eq=False)
class Person:
    """What speech is compared with."""

    reference: Embeddings
    """The mean of half of the person's pieces, of length one: (256,)."""
    own: float
    """Similarity of the reference and the other half, in means of as many pieces as the speech has."""
    nearest: float
    """Similarity of the reference and the most similar of the others."""

    @classmethod
    def of(cls, recorded: Embeddings, others: Embeddings, count: int) -> "Person | None":
        """The person of some pieces, to compare ``count`` pieces with.

        A mean of few pieces is less similar than one of many, in the person's own speech too.

        Returns:
            None where one of the others is as similar as the person: the person may be among them.
        """
        reference, rest = _mean(recorded[::2]), recorded[1::2]
        count = min(count, len(rest))
        groups = range(0, len(rest) - count + 1, count)
        own = float(np.mean([_mean(rest[start : start + count]) @ reference for start in groups]))
        nearest = float((others @ reference).max())
        return cls(reference, own, nearest) if own - nearest >= _APART else None

    def similarity(self, said: Embeddings) -> float:
        """Cosine of the mean of what is said and the reference."""
        return float(_mean(said) @ self.reference)

    def identity(self, said: Embeddings) -> float:
        """1 for speech as similar as the person's own, 0 for speech as similar as the nearest other speaker's."""
        return (self.similarity(said) - self.nearest) / (self.own - self.nearest)


def _mean(embeddings: Embeddings) -> Embeddings:
    mean: Embeddings = embeddings.mean(0)
    return mean / np.linalg.norm(mean)
