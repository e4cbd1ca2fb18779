"""Cutting the silence off both ends."""

import numpy as np

from voxgrad.audio.io import Waveform
from voxgrad.audio.praat import to_praat
from voxgrad.specs import AudioSpec

_LOWEST_PITCH = 100.0
_WINDOWS = 6.4
_STEP = 0.01


def trim(waveform: Waveform, spec: AudioSpec) -> Waveform:
    """Keep what lies between the first and the last sound, with a margin.

    Sound is where Praat's intensity lies less than ``-spec.trim_threshold_db`` below its maximum. A clip too
    short for Praat's window (64 ms) comes back as it is.

    Returns:
        A part of ``waveform``, never empty.
    """
    if waveform.seconds <= _WINDOWS / _LOWEST_PITCH + _STEP:
        return waveform
    intensity = to_praat(waveform).to_intensity(_LOWEST_PITCH, _STEP)
    decibels = intensity.values[0]
    times = intensity.xs()[np.flatnonzero(decibels >= decibels.max() + spec.trim_threshold_db)]
    first = max(0, round((times[0] - spec.trim_margin) * waveform.rate))
    last = round((times[-1] + spec.trim_margin) * waveform.rate)
    # A copy, so that the silence is not kept in memory by the part that remains.
    return Waveform(waveform.samples[first : last + 1].copy(), waveform.rate)
