"""Bringing clips to one loudness, by plain gain."""

import numpy as np

from voxgrad.audio.io import Waveform
from voxgrad.errors import BadInputError
from voxgrad.specs import AudioSpec

_FRAME_SECONDS = 0.02


def sounding_level(waveform: Waveform, threshold_db: float) -> float:
    """Measure the root-mean-square level of the parts that sound, in dB of full scale.

    Args:
        waveform: n samples; what is left after the last whole frame of 20 ms is not counted.
        threshold_db: frames this far below the loudest one count as pauses; negative.

    Raises:
        BadInputError: it is silent throughout.
    """
    samples = waveform.samples.astype(np.float64)
    # A constant offset is no sound.
    samples -= samples.mean()
    size = min(len(samples), max(1, round(_FRAME_SECONDS * waveform.rate)))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    powers = np.square(frames).mean(axis=1)
    if powers.max() == 0:
        raise BadInputError("a silent sound has no level", "Leave it out, or record it again.")
    sounding = powers[powers >= powers.max() * 10 ** (threshold_db / 10)]
    return float(10 * np.log10(sounding.mean()))


def level_gain(waveform: Waveform, spec: AudioSpec) -> float:
    """Find the gain in dB to bring the sounding part to ``spec.level_dbfs``, or less to keep the peak limit.

    Raises:
        BadInputError: it is silent throughout.
    """
    wanted = spec.level_dbfs - sounding_level(waveform, spec.trim_threshold_db)
    peak = 20 * np.log10(np.abs(waveform.samples).max())
    return float(min(wanted, spec.peak_dbfs - peak))


def amplify(waveform: Waveform, gain_db: float) -> Waveform:
    """Multiply by ``gain_db`` decibels."""
    return Waveform(waveform.samples * np.float32(10 ** (gain_db / 20)), waveform.rate)


def level(waveform: Waveform, spec: AudioSpec) -> Waveform:
    """Bring the sounding part to ``spec.level_dbfs``, or as near as ``spec.peak_dbfs`` allows.

    Raises:
        BadInputError: it is silent throughout.
    """
    return amplify(waveform, level_gain(waveform, spec))
