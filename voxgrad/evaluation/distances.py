"""How far a spoken sentence lies from a recording of it: spectrum, pitch, voicing, durations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from voxgrad.audio.io import Samples, Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import f0_track
from voxgrad.settings import MelSpec
from voxgrad.training.alignment import labels

COEFFICIENTS = 13
_AUDIBLE = 5.0
"""Nepers below the loudest frame: quieter ones say nothing of a voice."""
_DECIBELS = 20 / math.log(10)


@dataclass(frozen=True)
class Distances:
    """Distances of synthesised audio from a recording.

    Attributes:
        mel_cepstral_distortion: dB.
        f0_error: cents, root mean square over the frames that are voiced in both; None where there are none.
        f0_shift: semitones from the recording's median to the audio's; None where one has no voiced frame.
        voicing_error: share of the frames that are voiced in one only.
        length: seconds of the audio for a second of the recording.
        spectral_detail: of the audio over that of the recording; see :func:`spectral_detail`. None for a recording that
            has none.
    """

    mel_cepstral_distortion: float
    f0_error: float | None
    f0_shift: float | None
    voicing_error: float
    length: float
    spectral_detail: float | None


def distances(audio: Samples, recording: Samples, spec: MelSpec) -> Distances:
    """Compare audio with a recording of the same words, frame by frame along the warping of their cepstra.

    Args:
        audio: (n,) samples at the mel's rate.
        recording: likewise.
        spec: whose frames and bands are used.

    Raises:
        BadInputError: one of them is shorter than a frame.
    """
    said, meant = (mel_cepstrum(samples, spec) for samples in (audio, recording))
    pairs = warp(said, meant)
    here, there = (_f0(one, spec, frames) for one, frames in ((audio, len(said)), (recording, len(meant))))
    along, beside = here[pairs[:, 0]], there[pairs[:, 1]]
    both = (along > 0) & (beside > 0)
    cents = 1200 * np.log2(along[both] / beside[both])
    voiced = bool((here > 0).any() and (there > 0).any())
    return Distances(
        distortion(said[pairs[:, 0]], meant[pairs[:, 1]]),
        float(np.sqrt(np.square(cents).mean())) if both.any() else None,
        12 * math.log2(float(np.median(here[here > 0]) / np.median(there[there > 0]))) if voiced else None,
        float(((along > 0) != (beside > 0)).mean()),
        len(audio) / len(recording),
        _ratio(*(spectral_detail(samples, spec) for samples in (audio, recording))),
    )


def spectral_detail(samples: Samples, spec: MelSpec) -> float:
    """The local variance of the log-mel: the square of how far a band lies from the mean of its neighbours, averaged.

    An averaged mel has little, for averages blur harmonics and formants. Frames far below the loudest are left out.

    Args:
        samples: (n,) at the mel's rate.
        spec: of the mel.
    """
    mel = log_mel(torch.from_numpy(samples), spec).numpy()
    level = mel.mean(0)
    audible = mel[:, level > level.max() - _AUDIBLE]
    return float(np.square(audible[1:-1] - 0.5 * (audible[2:] + audible[:-2])).mean())


def _ratio(one: float, other: float) -> float | None:
    return one / other if other > 0 else None


def mel_cepstrum(samples: Samples, spec: MelSpec) -> NDArray[np.float32]:
    """Compute the coefficients 1 to 13 of the cosine transform of the log-mel (Kubichek, 1993).

    The 0th, which is loudness, is left out. ln|S| = c0 + Σ c_k cos kω over the mel bands, so that a distance of the
    coefficients is one of the smoothed spectra.

    Returns:
        (frames, 13).
    """
    mel = log_mel(torch.from_numpy(samples), spec).numpy()
    angles = (np.arange(spec.n_mels) + 0.5) * np.pi / spec.n_mels
    waves = np.cos(np.arange(1, COEFFICIENTS + 1)[:, None] * angles) * 2 / spec.n_mels
    cepstrum: NDArray[np.float32] = (waves @ mel).T.astype(np.float32)
    return cepstrum


def distortion(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mel-cepstral distortion in dB of paired frames (Kubichek, 1993): (10 / ln 10) √(2 Σ Δc²), mean over the pairs.

    >>> two = np.zeros((1, 13), np.float32)
    >>> two[0, 0] = 1.0
    >>> round(distortion(two, np.zeros((1, 13), np.float32)), 3)  # a cosine of one neper
    6.142
    """
    return float(_DECIBELS / 2 * np.sqrt(2 * np.square(one - other).sum(1)).mean())


def phone_seconds(tokens: Sequence[int], durations: Sequence[int], spec: MelSpec) -> NDArray[np.float64]:
    """Seconds of every phone and mark of a text; a blank or a space belongs to what it follows.

    Args:
        tokens: of the text.
        durations: frames of every token.
        spec: of the mel.
    """
    seconds: list[float] = []
    for label, frames in zip(labels(tokens), durations, strict=True):
        if label:
            seconds.append(0.0)
        if seconds:
            seconds[-1] += frames * spec.seconds_per_frame
    return np.array(seconds)


def _f0(samples: Samples, spec: MelSpec, frames: int) -> NDArray[np.float64]:
    """Hz at the centre of every mel frame, 0 where it is not voiced."""
    times = (np.arange(frames, dtype=np.float64) + 0.5) * spec.seconds_per_frame
    return f0_track(Waveform(samples, spec.sample_rate), times)


def warp(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the path of least distance through two sequences (Sakoe & Chiba, 1978, symmetric steps, no window).

    Args:
        one: (frames, features).
        other: (other frames, features).

    Returns:
        (pairs, 2) indices of frames, from the first of both to the last of both; neither ever goes back.
    """
    squares = np.square(one).sum(1)[:, None] + np.square(other).sum(1)[None] - 2 * one @ other.T
    path: NDArray[np.int64] = _accumulated(np.sqrt(np.maximum(squares, 0)).astype(np.float64))
    return path


@numba.njit(cache=True)
def _accumulated(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    path = np.empty((rows + columns - 1, 2), np.int64)
    i, j, place = rows, columns, len(path)
    while i > 0:
        place -= 1
        path[place] = i - 1, j - 1
        diagonal, up, left = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if diagonal <= up and diagonal <= left:
            i, j = i - 1, j - 1
        elif up <= left:
            i -= 1
        else:
            j -= 1
    return path[place:]
