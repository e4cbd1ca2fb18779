"""Two voices among the clips of one speaker: clips that fall apart by the colour and the pitch of the voice.

A clip's embedding is the mean cepstrum of its loud frames and its pitch. How much the first differs within a voice is
told by the two halves of every clip, so that no model is needed, and no clip of another speaker.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgrad.preparation.recording import PreparedClip

FEWEST = 8
"""Clips, below which nothing is said."""
_COEFFICIENTS = 20
_QUIET = 40  # percentile of the frames that count as pauses
_PITCH = 0.03  # of log-frequency: half of what the medians of one voice's clips commonly deviate
_APART = 10.0
"""Standard deviations between the means of two clusters: `tests/benchmarks/bench_speakers.py` has what is usual."""
_SMALLEST = 0.05
"""Share of the clips that is a second voice, not an odd clip."""
_ROUNDS = 20
_LEAST = 1e-9
"""Variance: clips may be all alike."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voices:
    """Two voices among the clips of one speaker.

    Attributes:
        speaker: whose clips they are said to be.
        distance: standard deviations between the two.
        clips: of the rarer voice, by id.
        of: how many clips there are.
    """

    speaker: str
    distance: float
    clips: tuple[str, ...]
    of: int


def mixed_voices(made: Sequence[PreparedClip]) -> list[Voices]:
    """The speakers among whose clips there are two voices."""
    found = []
    for speaker in sorted({one.clip.speaker for one in made}):
        theirs = [one for one in made if one.clip.speaker == speaker and one.clip.frames > 1]
        if len(theirs) < FEWEST:
            continue
        distance, rarer = split(
            [one.mel for one in theirs], [one.record["measures"]["f0_hz"] for one in theirs]
        )
        if distance > _APART:
            names = tuple(one.clip.id for one, other in zip(theirs, rarer, strict=True) if other)
            found.append(Voices(speaker, round(distance, 1), names, len(theirs)))
    return found


def split(mels: Sequence[NDArray[np.float32]], f0: Sequence[float | None]) -> tuple[float, NDArray[np.bool_]]:
    """Divides clips in two by their embeddings.

    Args:
        mels: log-mels, (n_mels, frames) each.
        f0: median pitch in Hz; None where nothing is voiced.

    Returns:
        Distance of the clusters' means in standard deviations, and (clips,) which are in the smaller one. The
        distance is 0 where one clip or two would be a cluster.
    """
    halves = np.array([[_cepstrum(half) for half in np.array_split(mel, 2, axis=1)] for mel in mels])
    change = halves[:, 0] - halves[:, 1]
    within = change.T @ change / len(change) / 4  # of the mean of two halves
    within += max(0.1 * np.trace(within) / len(within), _LEAST) * np.eye(len(within))
    cepstra = halves.mean(1) @ np.linalg.cholesky(np.linalg.inv(within))
    pitch = np.log([np.nan if one is None else one for one in f0])
    pitch = (
        np.nan_to_num((pitch - np.nanmedian(pitch)) / _PITCH)
        if np.isfinite(pitch).any()
        else np.zeros(len(f0))
    )
    points = np.concatenate([cepstra, pitch[:, None]], 1)
    points -= points.mean(0)
    _, _, axes = np.linalg.svd(points, full_matrices=False)
    return max((_two_means(points, points @ axis > 0) for axis in axes[:3]), key=lambda found: found[0])


def _cepstrum(mel: NDArray[np.floating]) -> Floats:
    """Means over the loud frames: (n_mels, frames) → (coefficients,), without the loudness."""
    level = mel.mean(0)
    mean = mel[:, level >= np.percentile(level, _QUIET)].mean(1)
    bands = np.arange(len(mean)) + 0.5
    orders = np.arange(1, _COEFFICIENTS + 1)[:, None]
    cepstrum: Floats = np.cos(np.pi * orders * bands / len(mean)) @ mean / len(mean)
    return cepstrum


def _two_means(points: Floats, first: NDArray[np.bool_]) -> tuple[float, NDArray[np.bool_]]:
    """Lloyd's algorithm with two clusters, from a division on."""
    nobody = 0.0, np.zeros(len(points), bool)
    for _ in range(_ROUNDS):
        if first.all() or not first.any():
            return nobody
        centres = points[first].mean(0), points[~first].mean(0)
        nearer = np.square(points - centres[0]).sum(1) < np.square(points - centres[1]).sum(1)
        if (nearer == first).all():
            break
        first = nearer
    smaller = first if 2 * first.sum() <= len(first) else ~first
    if smaller.sum() < max(2, _SMALLEST * len(points)):
        return nobody
    distance = np.linalg.norm(points[smaller].mean(0) - points[~smaller].mean(0))
    return float(distance), smaller
