"""Loudness and true peak, measured, and brought to what is asked for: by a gain, or by a limiter too.

torchaudio measures as pyloudnorm does, which would bring scipy: the same filters, blocks and gates.
"""

import numpy as np
import torch
import torchaudio
from torch.nn import functional as F

from voxgrad.audio.io import Waveform
from voxgrad.settings import AudioSpec

_BLOCK_SECONDS = 0.4
_OVERSAMPLED = 4
_RISES = 6.0  # dB between samples, far more than recordings do: below, no true peak need be sought
_HEADROOM = 20.0  # dB below, where torchaudio's filters, which clip at full scale, do not
_REACH_SECONDS = 0.005  # that the limiter's gain falls before a peak, and rises after it
_MARGIN = 0.3  # dB below the limit, for other filters find other peaks, and lossy formats raise them
_WIDTH = 32  # zero crossings of the limiter's filter, because speech may have sound up to half of the rate
_CLOSE = 0.02  # LU
_AROUND = 0.1  # of a passage's length: the silence at both ends of it that is measured too, as it is in a file
_AROUND_SECONDS = 0.075, 0.15  # the least and the most of it
_MOST_ROUNDS = 8


def loudness(waveform: Waveform) -> float:
    """Measure the gated loudness in LUFS (ITU-R BS.1770-4); -inf where nothing passes the gate at -70 LUFS.

    A sound shorter than a block of the measurement, 0.4 s, is repeated to the length of one.
    """
    samples = waveform.samples
    block = int(np.ceil(_BLOCK_SECONDS * waveform.rate)) + 1
    if len(samples) < block:
        samples = np.resize(samples, block)
    measured = float(torchaudio.functional.loudness(torch.from_numpy(samples)[None], waveform.rate))
    return measured if np.isfinite(measured) else -np.inf


def true_peak(waveform: Waveform) -> float:
    """Measure the highest magnitude in dB of full scale, between samples too: four times oversampled (BS.1770-4)."""
    samples = torch.from_numpy(waveform.samples)
    between = torchaudio.functional.resample(samples, 1, _OVERSAMPLED).abs().max()
    return _decibels(max(float(between), float(samples.abs().max())))


def level_gain(waveform: Waveform, measured: float, spec: AudioSpec) -> float:
    """Find the gain in dB to bring audio to ``spec.loudness_lufs``, or less to keep the limit of true peaks.

    Audio, not silent, whose ``measured`` `loudness` is too faint for the gate is only brought to the limit.
    """
    wanted = spec.loudness_lufs - measured
    if wanted + _decibels(float(np.abs(waveform.samples).max())) < spec.true_peak_dbtp - _RISES:
        return wanted
    return min(wanted, spec.true_peak_dbtp - true_peak(waveform))


def amplify(waveform: Waveform, gain_db: float) -> Waveform:
    """Multiply by ``gain_db`` decibels."""
    return Waveform(waveform.samples * np.float32(10 ** (gain_db / 20)), waveform.rate)


def _decibels(magnitude: float) -> float:
    return float(20 * np.log10(magnitude))


def level(waveform: Waveform, lufs: float, peak: float) -> Waveform:
    """Bring audio, unless it is silent, to a loudness, and limit its true peaks to ``peak`` dB.

    Limiting makes it quieter, so that the gain before it is raised until what comes out has the loudness.
    """
    limited, gain = limit(waveform, peak), 0.0
    around = round(float(np.clip(_AROUND * waveform.seconds, *_AROUND_SECONDS)) * waveform.rate)
    for _ in range(_MOST_ROUNDS):
        heard = Waveform(np.pad(limited.samples, around), limited.rate)
        lacking = lufs - _HEADROOM - loudness(amplify(heard, -_HEADROOM))
        if not np.isfinite(lacking) or abs(lacking) < _CLOSE:
            break
        gain += lacking
        limited = limit(amplify(waveform, gain), peak)
    return limited


def limit(waveform: Waveform, peak: float) -> Waveform:
    """Lower the gain smoothly around every true peak that would pass ``peak`` dB."""
    goal = peak - _MARGIN
    if not waveform.samples.size or np.abs(waveform.samples).max() < 10 ** ((goal - _RISES) / 20):
        return waveform
    samples = torch.from_numpy(waveform.samples)
    peaks = _peaks(samples)
    allowed = (10 ** (goal / 20) / peaks.clamp(min=1e-9)).clamp(max=1.0)[None]
    reach = round(_REACH_SECONDS * waveform.rate)
    # The lowest of the neighbourhood, smoothed over the same neighbourhood, is nowhere above what is allowed.
    lowest = -F.max_pool1d(-allowed, 2 * reach + 1, stride=1, padding=reach)
    window = torch.hann_window(2 * reach + 3, periodic=False)[1:-1]
    gain = F.conv1d(F.pad(lowest[None], (reach, reach), "replicate"), (window / window.sum())[None, None])[0, 0]
    limited = samples * gain
    excess = _decibels(float(_peaks(limited).max())) - goal
    return amplify(Waveform(limited.numpy(), waveform.rate), min(-excess, 0.0))


def _peaks(samples: torch.Tensor) -> torch.Tensor:
    """The highest magnitude at and right after every sample; the filter is longer than that of `true_peak`."""
    between = torchaudio.functional.resample(samples, 1, _OVERSAMPLED, lowpass_filter_width=_WIDTH).abs()
    return torch.maximum(between.view(-1, _OVERSAMPLED).amax(1), samples.abs())
