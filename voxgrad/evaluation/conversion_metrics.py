"""How much of a recording a conversion keeps: its words, its melody, its timing, and nothing of its voice."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxgrad.audio.io import Waveform
from voxgrad.audio.praat import f0_track
from voxgrad.evaluation.clip_metrics import Figures
from voxgrad.evaluation.perceptual_metrics import PerceptualMetrics, similarity, words

_STEP: Final = 0.01
_NEAR: Final = 0.04
"""Seconds that a border between words may be off by."""
_FEWEST: Final = 3
"""Values that a correlation is taken of."""


def kept(
    metrics: PerceptualMetrics, source: Waveform, converted: Waveform, text: str, normalised: str
) -> tuple[Figures, Figures]:
    """Figures of a recording, and of what became of it, without those that need embeddings.

    Args:
        metrics: models that hear.
        source: the recording.
        converted: the same words at the same times.
        text: what is said.
        normalised: as words.
    """
    heard: list[Figures] = [
        {
            "seconds": one.seconds,
            "words": float(len(words(normalised))),
            "misheard": metrics.words_misheard(one, normalised),
        }
        for one in (source, converted)
    ]
    timing = timing_kept(metrics.word_times(source, text), metrics.word_times(converted, text))
    return heard[0], {**heard[1], "f0_correlation": f0_correlation(source, converted), **timing}


def timing_kept(before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> Figures:
    """Correlation of the durations of words, and the share of their borders that lie near each other.

    Args:
        before: seconds at which the words of the recording begin and end, (words, 2).
        after: of what became of it.
    """
    if before is None or after is None:
        return {}
    return {
        "duration_correlation": _correlation(np.ptp(before, 1), np.ptp(after, 1)),
        "near_borders": float((np.abs(before - after) <= _NEAR).mean()),
    }


def f0_correlation(source: Waveform, converted: Waveform) -> float | None:
    """Of ln F0 where both are voiced, every 10 ms; None where they hardly ever are."""
    times = np.arange(0.0, min(source.seconds, converted.seconds), _STEP)
    one, other = f0_track(source, times), f0_track(converted, times)
    both = (one > 0) & (other > 0)
    return _correlation(np.log(one[both]), np.log(other[both]))


def likeness(
    embeddings: Sequence[NDArray[np.float32] | None], voice: Sequence[NDArray[np.float32]]
) -> tuple[Figures, Figures]:
    """Similarity to the voice, and to the source's speaker, of a recording and of what became of it.

    Args:
        embeddings: of both.
        voice: of what the voice says by itself.
    """
    source, converted = embeddings
    if source is None or converted is None or not voice:
        return {}, {}
    return (
        {"similarity": similarity(source, voice)},
        {"similarity": similarity(converted, voice), "source_similarity": similarity(converted, [source])},
    )


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if len(one) < _FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])
