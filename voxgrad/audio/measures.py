"""What a clip is like: Praat's measures of the voice, numpy's of the recording; reverberation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import parselmouth

from voxgrad.audio.io import Samples, Waveform
from voxgrad.audio.praat import CEILING, FLOOR

_FRAME_SECONDS = 0.01
_QUIETEST = 10
"""Percentile of the frames that count as background."""
_BEST_SNR = 99.0
_FFT = 512
_BANDWIDTH_DB = -65.0
"""Below the loudest band: between what speech has at 10 kHz and what an upsampled recording has beyond its edge."""
_FLAT = 1.5 / 32768
_FLATS = 3


@dataclass(frozen=True)
class Measures:
    """The measures of a clip before it was levelled."""

    f0_hz: float | None
    """Median fundamental frequency; None where nothing is voiced."""
    f0_low_hz: float | None
    """5th percentile of it."""
    f0_high_hz: float | None
    """95th percentile."""
    intensity_db: float
    """Praat's mean intensity, in dB above 20 µPa if full scale were one pascal."""
    loudness_lufs: float
    """ITU-R BS.1770."""
    harmonicity_db: float | None
    """Median over the voiced frames of Praat's harmonics-to-noise ratio."""
    snr_db: float
    """Frames with speech over the quietest tenth."""
    bandwidth_hz: float
    """Highest frequency within 65 dB of the loudest."""


def measure(piece: Waveform, clip: Waveform, analysed: Waveform, loudness: float) -> Measures:
    """Measure a clip; ``piece`` has the silence around it, which shows the background; ``analysed`` is at 16 kHz."""
    f0, harmonicity = _voice(analysed)
    low, median, high = np.percentile(f0, [5, 50, 95]).round(1).tolist() if len(f0) else (None, None, None)
    power = float(np.square(clip.samples, dtype=np.float64).mean())
    return Measures(
        median,
        low,
        high,
        round(float(10 * np.log10(max(power, 1e-12) / 4e-10)), 2),
        round(max(loudness, -99.0), 2),
        round(float(np.median(harmonicity)), 2) if len(harmonicity) else None,
        round(snr(piece), 2),
        round(bandwidth(clip)),
    )


def _voice(waveform: Waveform) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Frequency in Hz and harmonicity in dB of the voiced frames.

    One analysis gives both: the height r of the autocorrelation's peak is the share of the periodic power, so that
    the harmonicity is 10 log10 (r / (1 − r)) (Boersma, 1993, equation 4).
    """
    if waveform.seconds <= 3 / FLOOR:
        return np.empty(0), np.empty(0)
    sound = parselmouth.Sound(waveform.samples.astype(np.float64), waveform.rate)
    track = sound.to_pitch(time_step=_FRAME_SECONDS, pitch_floor=FLOOR, pitch_ceiling=CEILING).selected_array
    voiced = track["frequency"] > 0
    periodic = np.clip(track["strength"][voiced], 1e-4, 1 - 1e-5)
    return track["frequency"][voiced], 10 * np.log10(periodic / (1 - periodic))


def snr(waveform: Waveform) -> float:
    """Estimate the signal-to-noise ratio in dB, at most 99: mean power over that of the quietest tenth of the frames.

    It needs pauses: of a sound without any it says how much its level varies.
    """
    size = max(1, round(_FRAME_SECONDS * waveform.rate))
    samples = waveform.samples.astype(np.float64)
    frames = np.resize(samples, max(len(samples) // size, 1) * size).reshape(-1, size)
    powers = frames.var(axis=1)
    noise = powers[powers <= np.percentile(powers, _QUIETEST)].mean()
    signal = powers.mean() - noise
    if signal <= 0:
        return 0.0
    return float(min(_BEST_SNR, 10 * np.log10(signal / max(noise, 1e-12))))


def bandwidth(waveform: Waveform) -> float:
    """Find the highest frequency in Hz that the loud frames hold within 65 dB of their loudest.

    A recording that was once sampled at 8 kHz, or coded by an MP3 of few bits, ends far below half of its rate.
    """
    samples = waveform.samples if len(waveform.samples) >= _FFT else np.resize(waveform.samples, _FFT)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FFT)[:: _FFT // 2] * np.hanning(_FFT)
    powers = np.percentile(np.square(np.abs(np.fft.rfft(frames.astype(np.float32)))), 98, axis=0)
    smooth = np.convolve(powers, np.full(3, 1 / 3), "same")
    held = np.flatnonzero(smooth >= smooth.max() * 10 ** (_BANDWIDTH_DB / 10))
    return float(held[-1]) * waveform.rate / _FFT


def clipped_share(samples: Samples) -> float:
    """Count the samples that stand at the recording's own limit, three or more in a row, as a share of all.

    The limit need not be full scale: a take that was turned down after it had been clipped is found too.
    """
    share = 0
    for limit in (samples.max(), samples.min()):
        flat = np.concatenate([[False], np.abs(samples - limit) <= _FLAT * max(1.0, abs(limit)), [False]])
        borders = np.flatnonzero(np.diff(flat.astype(np.int8)))
        runs = borders[1::2] - borders[::2]
        share += int(runs[runs >= _FLATS].sum())
    return round(share / len(samples), 6)


_DECAY_STEP = 0.005
_DECAY_WINDOW = 0.02
_LOUD = 15.0  # dB below the loudest frames, from where a fall may begin
_ABOVE_NOISE = 8.0  # dB: below, the noise decides
_FROM, _TO, _LEAST = 5.0, 35.0, 15.0  # dB below where a fall begins: what is fitted, and how much it must be
_RIPPLE = 0.3  # dB that a frame may rise within a fall


def decay_times(waveform: Waveform) -> list[float]:
    """Measure the reverberation time T60 in seconds after every sound that stops, where it can be measured.

    A line is fitted to the fall of the level, in frames of 20 ms, from 5 dB to at most 35 dB below its beginning, and
    continued to 60 dB. Speech itself fades too: the median of a dry recording is near 0.2 s; in a reverberant room it
    is near the room's T60. Noise hides falls, so that a noisy recording has few or none.
    """
    samples = waveform.samples.astype(np.float64)
    step, size = round(_DECAY_STEP * waveform.rate), round(_DECAY_WINDOW * waveform.rate)
    if len(samples) < size + 2 * step:
        return []
    power = np.square(np.lib.stride_tricks.sliding_window_view(samples, size)[::step]).mean(1)
    decibels = np.convolve(np.pad(10 * np.log10(power + 1e-12), 1, "edge"), np.full(3, 1 / 3), "valid")
    low, high = np.percentile(decibels, [5, 95])
    found = []
    at = 0
    while at < len(decibels) - 1:
        stop = _fall(decibels, at)
        if stop > at and decibels[at] > high - _LOUD:
            found += _fitted(decibels[at : stop + 1], low + _ABOVE_NOISE)
        at = max(stop, at + 1)
    return found


def _fall(decibels: npt.NDArray[np.float64], at: int) -> int:
    """The frame that the level falls to from a frame on."""
    if decibels[at + 1] >= decibels[at]:
        return at
    while at + 1 < len(decibels) and decibels[at + 1] < decibels[at] + _RIPPLE:
        at += 1
    return at


def _fitted(fall: npt.NDArray[np.float64], audible: float) -> list[float]:
    peak = fall.max()
    first = int(fall.argmax())
    levels = fall[first:]
    levels = levels[levels <= peak - _FROM]
    levels = levels[: int(np.argmax(np.append(levels < max(peak - _TO, audible), True)))]
    if len(levels) < 2 or levels[0] - levels[-1] < _LEAST:
        return []
    slope = np.polyfit(np.arange(len(levels)) * _DECAY_STEP, levels, 1)[0]
    return [round(float(-60 / slope), 3)]
