"""How long a room sounds on: by how fast sound fades where speech stops."""

import numpy as np
import numpy.typing as npt

from voxgrad.audio.io import Waveform

_STEP = 0.005
_WINDOW = 0.02
_LOUD = 15.0  # dB below the loudest frames, from where a fall may begin
_ABOVE_NOISE = 8.0  # dB: below, the noise decides
_FROM, _TO, _LEAST = (
    5.0,
    35.0,
    15.0,
)  # dB below where a fall begins: what is fitted, and how much there must be
_RIPPLE = 0.3  # dB that a frame may rise within a fall


def decay_times(waveform: Waveform) -> list[float]:
    """Measure the reverberation time T60 in seconds after every sound that stops, where it can be measured.

    A line is fitted to the fall of the level, in frames of 20 ms, from 5 dB to at most 35 dB below its beginning, and
    continued to 60 dB. Speech itself fades too: the
    median of a dry recording is near 0.2 s, and of a room that sounds on longer it is near the room's T60. Noise hides
    falls, so that a noisy recording has few or none.
    """
    samples = waveform.samples.astype(np.float64)
    step, size = round(_STEP * waveform.rate), round(_WINDOW * waveform.rate)
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
    slope = np.polyfit(np.arange(len(levels)) * _STEP, levels, 1)[0]
    return [round(float(-60 / slope), 3)]
