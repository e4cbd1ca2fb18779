"""Transcripts that may be wrong, found by comparing every clip's alignment with its peers'."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from voxgrad.preparation.fit import Fit, WordFit
from voxgrad.settings import CheckSpec

FEWEST = 8
"""Clips without which there is no telling what is usual."""

_CONSISTENT = 1.4826  # makes the median absolute deviation a standard deviation (of a normal distribution)
_NARROWEST = 2.0  # nats a frame: below, clips do not differ by anything that is heard
_BROKEN = 4.0
_UNUSUAL_RHYTHM = 6.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """How a clip stands among its peers.

    Attributes:
        deviations: robust standard deviations by which its likelihood lies below their median.
        reason: why it is doubted; empty where it is not.
        words: where it breaks, such as ``…the red house…``.
    """

    deviations: float
    reason: str
    words: str


def doubts(fits: Mapping[str, Fit], checks: CheckSpec) -> dict[str, Doubt]:
    """Compares clips with each other; of fewer than `FEWEST` none is doubted.

    A clip is doubted where its text explains it worse than usual and is hardly better than the same words
    backwards: the less it is better, the less worse it has to be. A noisy clip has the first alone, a text of one
    word the second.

    Args:
        fits: by clip id, of one speaker.
        checks: thresholds.
    """
    if len(fits) < FEWEST:
        return {name: Doubt(0.0, "", "") for name in fits}
    likelihoods = np.array([fit.likelihood for fit in fits.values()])
    rhythms = _deviations(np.array([fit.duration_deviation for fit in fits.values()]), 0.05)
    usual_margin = float(np.median([fit.margin for fit in fits.values()]))
    words = np.array([word.likelihood for fit in fits.values() for word in fit.words])
    word_bound = float(np.median(words)) - _BROKEN * _spread(words, _NARROWEST)
    found = {}
    for (name, fit), below, rhythm in zip(
        fits.items(), -_deviations(likelihoods, _NARROWEST), rhythms, strict=True
    ):
        reason = ""
        if any(below > bound and fit.margin < share * usual_margin for bound, share in checks.doubt_bounds):
            reason = f"the text may be wrong: its alignment is {below:.1f} deviations worse than its peers'"
        elif rhythm > _UNUSUAL_RHYTHM:
            reason = f"words may be missing: its phones' durations are {rhythm:.1f} deviations off"
        found[name] = Doubt(round(float(below), 2), reason, breaking(fit.words, word_bound) if reason else "")
    return found


def breaking(words: tuple[WordFit, ...], bound: float) -> str:
    """The longest run of words below a bound, with at most eight words shown; the worst word if there is none."""
    runs: list[list[WordFit]] = [[]]
    for word in words:
        if word.likelihood < bound:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    shown = longest or [min(words, key=lambda word: word.likelihood)]
    listed = " ".join(word.word for word in shown[:8])
    return f"“{listed}{' …' if len(shown) > 8 else ''}”"


def _deviations(values: np.ndarray, narrowest: float) -> np.ndarray:
    """(n,) → robust standard deviations from the median, (n,)."""
    scaled: np.ndarray = (values - np.median(values)) / _spread(values, narrowest)
    return scaled


def _spread(values: np.ndarray, narrowest: float) -> float:
    return max(_CONSISTENT * float(np.median(np.abs(values - np.median(values)))), narrowest)
