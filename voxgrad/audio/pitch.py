"""The height of a voice."""

import numpy as np

from voxgrad.audio.io import Waveform
from voxgrad.audio.praat import to_praat

_FLOOR = 60.0
_CEILING = 500.0


def median_f0(waveform: Waveform) -> float | None:
    """Find the median fundamental frequency of the voiced frames in Hz, by Praat's autocorrelation method.

    Returns:
        None where nothing is voiced, or where the sound is shorter than three of the longest periods (50 ms).
    """
    if waveform.seconds <= 3 / _FLOOR:
        return None
    pitch = to_praat(waveform).to_pitch(pitch_floor=_FLOOR, pitch_ceiling=_CEILING)
    frequencies = pitch.selected_array["frequency"]
    voiced = frequencies[frequencies > 0]
    return float(np.median(voiced)) if len(voiced) else None
