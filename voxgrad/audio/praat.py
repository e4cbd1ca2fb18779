"""Praat (parselmouth): handing audio over, measuring pitch, and shifting it."""

import numpy as np
import parselmouth
from numpy.typing import NDArray
from parselmouth.praat import call, run

from voxgrad.audio.io import Waveform, resample

ANALYSIS_RATE = 16000


def to_praat(waveform: Waveform) -> parselmouth.Sound:
    """Hand a waveform to Praat, at 16 kHz at most: its analyses need no more, and take far longer on more."""
    analysed = resample(waveform, min(waveform.rate, ANALYSIS_RATE))
    return parselmouth.Sound(analysed.samples.astype(np.float64), analysed.rate)


FLOOR = 60.0
CEILING = 500.0
_SEED = 1
_STEP = 0.005  # seconds between frames of a track


def median_f0(waveform: Waveform) -> float | None:
    """Find the median fundamental frequency of the voiced frames in Hz, by Praat's autocorrelation method.

    Returns:
        None where nothing is voiced, or where the sound is shorter than three of the longest periods (50 ms).
    """
    if waveform.seconds <= 3 / FLOOR:
        return None
    pitch = to_praat(waveform).to_pitch(pitch_floor=FLOOR, pitch_ceiling=CEILING)
    frequencies = pitch.selected_array["frequency"]
    voiced = frequencies[frequencies > 0]
    return float(np.median(voiced)) if len(voiced) else None


def f0_track(waveform: Waveform, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the fundamental frequency in Hz at each of ``times`` (seconds), by Praat's autocorrelation method.

    Returns:
        0 where it is not voiced, or where the sound is shorter than three of the longest periods.
    """
    if waveform.seconds <= 3 / FLOOR:
        return np.zeros(len(times))
    pitch = to_praat(waveform).to_pitch(time_step=_STEP, pitch_floor=FLOOR, pitch_ceiling=CEILING)
    frequencies = pitch.selected_array["frequency"]
    nearest = np.rint((times - pitch.xs()[0]) / _STEP).astype(int)
    return np.asarray(frequencies[nearest.clip(0, len(frequencies) - 1)], np.float64)


def f0_of_frames(waveform: Waveform, frames: int, seconds_per_frame: float) -> NDArray[np.float64]:
    """Hz at the centre of every frame: (frames,), 0 where not voiced."""
    return f0_track(waveform, (np.arange(frames, dtype=np.float64) + 0.5) * seconds_per_frame)


def log_f0_track(waveform: Waveform, frames: int, seconds_per_frame: float) -> NDArray[np.float64]:
    """Ln F0 at the centre of every frame: (frames,), 0 where not voiced."""
    f0 = f0_of_frames(waveform, frames, seconds_per_frame)
    return np.where(f0 > 0, np.log(np.maximum(f0, 1.0)), 0.0)


def shift(waveform: Waveform, pitch: float, formants: float) -> Waveform:
    """Make another voice of a voice, by Praat's change of gender: as many seconds; peaks may pass full scale.

    Of at least 50 ms of speech, the median fundamental frequency is multiplied by ``pitch``, the formants by
    ``formants``, below 1 for a longer vocal tract.
    """
    median = median_f0(waveform)
    sound = parselmouth.Sound(waveform.samples.astype(np.float64), waveform.rate)
    # 0 leaves the pitch as it is, for sounds with none; 1, 1 keep the range of the pitch and the duration.
    target = 0.0 if median is None else median * pitch
    # Praat draws where unvoiced pieces come from; the same sound shall always become the same.
    run(f"random_initializeWithSeedUnsafelyButPredictably: {_SEED}")
    changed = call(sound, "Change gender", FLOOR, CEILING, formants, target, 1.0, 1.0)
    return Waveform(changed.values[0].astype(np.float32), waveform.rate)


def bend(waveform: Waveform, times: NDArray[np.float64], semitones: NDArray[np.float64]) -> Waveform:
    """Raise the pitch by a curve, formants kept: Praat's manipulation, resynthesised by overlap-add, as many samples.

    At ``times`` (points,), rising seconds, it is raised by ``semitones``, and by what is interpolated between. Speech
    of at least 50 ms; it stays as it was where nothing is voiced.
    """
    sound = parselmouth.Sound(waveform.samples.astype(np.float64), waveform.rate)
    manipulation = call(sound, "To Manipulation", 0.01, FLOOR, CEILING)
    tier = call(manipulation, "Extract pitch tier")
    points = int(call(tier, "Get number of points"))
    if not points:
        return waveform
    bent = call("Create PitchTier", "bent", 0.0, waveform.seconds)
    for point in range(1, points + 1):
        time = call(tier, "Get time from index", point)
        factor = 2 ** (np.interp(time, times, semitones) / 12)
        call(bent, "Add point", time, call(tier, "Get value at index", point) * float(factor))
    call([bent, manipulation], "Replace pitch tier")
    samples = call(manipulation, "Get resynthesis (overlap-add)").values[0].astype(np.float32)
    length = len(waveform.samples)
    return Waveform(np.pad(samples[:length], (0, max(0, length - len(samples)))), waveform.rate)
