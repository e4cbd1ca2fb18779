"""The door to Praat."""

import numpy as np
import parselmouth

from voxgrad.audio.io import Waveform, resample

ANALYSIS_RATE = 16000


def to_praat(waveform: Waveform) -> parselmouth.Sound:
    """Hand a waveform to Praat, at 16 kHz at most: its analyses need no more, and take far longer on more."""
    analysed = resample(waveform, min(waveform.rate, ANALYSIS_RATE))
    return parselmouth.Sound(analysed.samples.astype(np.float64), analysed.rate)
