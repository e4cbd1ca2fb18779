"""Pauses in synthesised audio: where a passage sounds, and silences of a given length in place of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from voxgrad.audio.io import Samples

_WINDOW: Final = 0.005  # seconds
_QUIET: Final = -45.0  # dB below the loudest window; vocoded silence lies at -55, weak consonants at -40
_FADE: Final = 0.005  # seconds; so that no joint clicks
_REACH: Final = 0.08  # seconds that a pause may lie beside where the durations have it


@dataclass(frozen=True, slots=True)
class Cut:
    """Samples ``start`` to ``stop`` become ``length`` samples of silence."""

    start: int
    stop: int
    length: int


@dataclass(frozen=True)
class Cuts:
    """What is done to the silences of a passage: in order, none overlapping."""

    cuts: tuple[Cut, ...] = ()

    def apply(self, samples: Samples, rate: int) -> Samples:
        """Samples (n,) with each cut replaced, and what remains faded in and out beside it."""
        pieces: list[Samples] = []
        position = 0
        for cut in (*self.cuts, Cut(len(samples), len(samples), 0)):
            if cut.start > position:
                pieces.append(faded(samples[position : cut.start], rate))
            pieces.append(np.zeros(cut.length, np.float32))
            position = cut.stop
        return np.concatenate(pieces)

    def moved(self, sample: float) -> float:
        """Where a sample of the passage lies afterwards; within a cut, as far into its silence."""
        shift = 0.0
        for cut in self.cuts:
            if sample < cut.start:
                break
            if sample < cut.stop:
                return cut.start + shift + (sample - cut.start) / (cut.stop - cut.start) * cut.length
            shift += cut.length - (cut.stop - cut.start)
        return sample + shift


def cuts_for(samples: Samples, rate: int, pauses: Sequence[tuple[float, float, float]]) -> Cuts:
    """Cut off the silence at both ends, and make the pauses within last as long as they are asked to.

    Args:
        samples: (n,) of a passage.
        rate: Hz.
        pauses: in order: seconds between which a pause lies by the durations, and its length.

    Returns:
        Without the cuts, nothing would be quieter than 45 dB below the loudest 5 ms at either end, or in the pauses.
    """
    window = round(_WINDOW * rate)
    quiet = _quiet_windows(samples, window)
    if quiet.all():
        return Cuts()
    sounding = np.flatnonzero(~quiet)
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    cuts = [Cut(0, first * window, 0)]
    for begin, end, seconds in pauses:
        low, high = (
            int(np.clip(time * rate / window, first + 1, max(last - 1, first + 1)))
            for time in (begin - _REACH, end + _REACH)
        )
        start, stop = _quietest(samples, quiet, window, low, high)
        if start * window >= cuts[-1].stop:
            cuts.append(Cut(start * window, stop * window, round(seconds * rate)))
    stop = min(last * window, len(samples))
    return Cuts((*cuts, Cut(max(stop, cuts[-1].stop), len(samples), 0)))


def faded(samples: Samples, rate: int) -> Samples:
    """A copy that begins and ends in silence, by slopes of 5 ms."""
    faded = samples.astype(np.float32)
    length = min(round(_FADE * rate), len(samples) // 2)
    slope = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))).astype(np.float32)
    faded[:length] *= slope
    faded[len(faded) - length :] *= slope[::-1]
    return faded


def _quiet_windows(samples: Samples, window: int) -> npt.NDArray[np.bool_]:
    level = _levels(samples, window)
    loudest = level.max(initial=0.0)
    return np.asarray(level <= loudest * 10 ** (_QUIET / 20))


def _levels(samples: Samples, window: int) -> npt.NDArray[np.float64]:
    """Root mean square of each window, the last one filled up with silence."""
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % window)).reshape(-1, window)
    return np.asarray(np.sqrt(np.square(padded).mean(axis=1)))


def _quietest(
    samples: Samples, quiet: npt.NDArray[np.bool_], window: int, low: int, high: int
) -> tuple[int, int]:
    """The longest quiet run that touches windows ``low`` to ``high``, in full; without one, the quietest window."""
    best, start = (0, 0), low
    while start < high:
        if not quiet[start]:
            start += 1
            continue
        begin, stop = start, start
        while begin > 0 and quiet[begin - 1]:
            begin -= 1
        while stop < len(quiet) and quiet[stop]:
            stop += 1
        best = max(best, (begin, stop), key=lambda run: run[1] - run[0])
        start = stop
    if best[1] > best[0]:
        return best
    level = _levels(samples[low * window : high * window], window) if high > low else np.zeros(1)
    at = low + int(level.argmin())
    return at, at
