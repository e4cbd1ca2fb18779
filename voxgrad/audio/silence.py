"""Where a recording is silent: cutting the silence off both ends, and cutting a long one at its pauses."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from voxgrad.audio.io import Waveform
from voxgrad.audio.praat import to_praat
from voxgrad.settings import AudioSpec

_LOWEST_PITCH = 100.0
_WINDOWS = 6.4
_STEP = 0.01
_SHORTEST_PAUSE = 0.15
_WIDENED = 0.3
_QUIET = 0.15  # of the way from the quiet frames to the loud ones, in dB

Span = tuple[float, float]
"""Start and stop in seconds."""


def speech_span(waveform: Waveform, spec: AudioSpec) -> Span:
    """Find the first and the last sound, with a margin.

    Sound is where Praat's intensity lies less than ``-spec.trim_threshold_db`` below its maximum. A clip too
    short for Praat's window (64 ms) sounds throughout.

    Returns:
        Start and stop, within the sound and never equal.
    """
    if waveform.seconds <= _WINDOWS / _LOWEST_PITCH + _STEP:
        return 0.0, waveform.seconds
    times, decibels = _intensity(waveform)
    sounding = times[decibels >= decibels.max() + spec.trim_threshold_db]
    start = max(0.0, float(sounding[0]) - spec.trim_margin)
    return start, min(waveform.seconds, float(sounding[-1]) + spec.trim_margin + 1 / waveform.rate)


def part(waveform: Waveform, span: Span) -> Waveform:
    """What lies between two times, as a copy, so that the rest is not kept in memory by it."""
    first, last = (round(time * waveform.rate) for time in span)
    return Waveform(waveform.samples[first : max(last, first + 1)].copy(), waveform.rate)


def trim(waveform: Waveform, spec: AudioSpec) -> Waveform:
    """Keep the `speech_span`, never empty."""
    return part(waveform, speech_span(waveform, spec))


def pauses(waveform: Waveform) -> list[Span]:
    """Find the stretches of at least 0.15 s in which nobody speaks, in order; those at the ends too.

    Quiet is near the level of the recording's own background: its 5th percentile of Praat's intensity, and 15 % of
    the way from there to the 95th, which speech lies near.
    """
    times, decibels = _intensity(waveform)
    low, high = np.percentile(decibels, [5, 95])
    quiet = np.concatenate([[False], decibels < low + max(_QUIET * (high - low), 1.0), [False]])
    borders = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    found = zip(times[borders[::2]], times[borders[1::2] - 1], strict=True)
    return [(float(start), float(stop)) for start, stop in found if stop - start >= _SHORTEST_PAUSE]


def cutting_pauses(waveform: Waveform, spec: AudioSpec) -> list[Span]:
    """Choose the pauses at which a long recording is cut, in order.

    It is cut at every pause of ``spec.pause_seconds``, then every piece that is longer than ``spec.max_seconds`` at
    its longest pause, until none is. A piece without any pause stays as long as it is. Silence at the ends is no
    pause.
    """
    first, last = _SHORTEST_PAUSE, waveform.seconds - _SHORTEST_PAUSE
    found = [pause for pause in pauses(waveform) if first < pause[0] and pause[1] < last]
    chosen = [pause for pause in found if pause[1] - pause[0] >= spec.pause_seconds]
    spans = pieces(chosen, waveform.seconds)
    while spans:
        start, stop = spans.pop()
        inside = [pause for pause in found if start < pause[0] and pause[1] < stop and pause not in chosen]
        if stop - start <= spec.max_seconds or not inside:
            continue
        longest = max(inside, key=lambda pause: pause[1] - pause[0])
        chosen.append(longest)
        spans += [(start, _middle(longest)), (_middle(longest), stop)]
    return sorted(chosen)


def into_silence(span: Span, silences: Sequence[Span], around: Span) -> Span:
    """Widen a span that somebody marked, so that it begins and ends in silence.

    Args:
        span: as it was marked, often a little too narrow or too wide.
        silences: the pauses of the recording, in order.
        around: where the spans before and after end and begin; they are not touched.

    Returns:
        The span, at most 0.3 s longer at each end. Where no pause is so near, an end stays where it is.

    >>> into_silence((1.0, 2.0), [(0.5, 0.9), (1.9, 2.6)], (0.0, 3.0))
    (0.7, 2.3)
    """
    start, stop = span
    before = [silence for silence in silences if silence[0] < start and silence[1] > start - _WIDENED]
    after = [silence for silence in silences if silence[1] > stop and silence[0] < stop + _WIDENED]
    if before:
        start = max(before[-1][0], start - _WIDENED, min(around[0], start))
    if after:
        stop = min(after[0][1], stop + _WIDENED, max(around[1], stop))
    return round(start, 6), round(stop, 6)


def pieces(cuts: Sequence[Span], seconds: float) -> list[Span]:
    """What lies between the middles of pauses.

    >>> pieces([(1.0, 2.0)], 4.0)
    [(0.0, 1.5), (1.5, 4.0)]
    """
    return list(pairwise([0.0, *map(_middle, cuts), seconds]))


def _middle(span: Span) -> float:
    return (span[0] + span[1]) / 2


def _intensity(waveform: Waveform) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times in seconds and decibels, every 10 ms."""
    intensity = to_praat(waveform).to_intensity(_LOWEST_PITCH, _STEP)
    return intensity.xs(), intensity.values[0]
