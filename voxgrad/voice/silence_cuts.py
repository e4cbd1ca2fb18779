"""Cuts in synthesised audio that give its silences the lengths that were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from voxgrad.audio.io import Samples

_WINDOW: Final = 0.005  # seconds
_QUIET: Final = -40.0  # dB below the loudest window; vocoded silence lies at -55
_MARGIN: Final = 0.015  # seconds beside a sound that are kept as silence: weak consonants end there
_FADE: Final = 0.005  # seconds; so that no joint clicks
_REACH: Final = 0.08  # seconds that a silence may lie beside where the durations have it
_NEAR: Final = 0.01  # seconds, where there is none: farther off it would part a consonant from its word


@dataclass(frozen=True, slots=True)
class Cut:
    """Samples ``start`` to ``stop`` become ``length`` samples of silence."""

    start: int
    stop: int
    length: int
    pause: int = -1
    """The number of the pause that it is for; below 0 at the ends."""


@dataclass(frozen=True)
class Cuts:
    """What is done to the silences of a passage: in order, none overlapping."""

    cuts: tuple[Cut, ...] = ()
    """Of samples."""
    lead: int = 0
    """Samples of silence that are left before the first sound."""
    tail: int = 0
    """Samples of silence that are left after the last."""

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

    def borders(self, edges: Sequence[int], gaps: Sequence[tuple[int, int]]) -> list[float]:
        """Where the borders between tokens lie afterwards, in samples.

        Every pause lies in a gap between two edges: no sound before it ends later than it begins, and none after it
        begins before it ends.
        """
        moved = [self.moved(edge) for edge in edges]
        shift = 0
        for cut in self.cuts:
            if cut.pause >= 0:
                before, after = gaps[cut.pause]
                begin, end = cut.start + shift, cut.start + shift + cut.length
                moved = [
                    min(time, begin) if edge <= before else max(time, end) if edge >= after else time
                    for edge, time in enumerate(moved)
                ]
            shift += cut.length - (cut.stop - cut.start)
        return moved


def cuts_for(samples: Samples, rate: int, pauses: Sequence[tuple[float, float, float]]) -> Cuts:
    """Cut off the silence at both ends, and make the pauses within last as long as they are asked to.

    Silent is what lies 40 dB below the loudest 5 ms. Beside every sound up to 15 ms of it are left, as a part of the
    silence that was asked for; at the ends `Cuts.lead` and `Cuts.tail` tell how much. Of every pause, in order, come
    the seconds between which it lies by the durations, and its length.
    """
    window = round(_WINDOW * rate)
    levels = _levels(samples, window)
    quiet = levels <= levels.max(initial=0.0) * 10 ** (_QUIET / 20)
    if quiet.all():
        return Cuts()
    sounding = np.flatnonzero(~quiet)
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    end, margin = min(last * window, len(samples)), round(_MARGIN * rate)
    lead, tail = min(margin, first * window), min(margin, len(samples) - end)
    cuts = [Cut(0, first * window - lead, 0)]
    for number, (begin, stop, seconds) in enumerate(pauses):
        at = (begin - _REACH, begin, stop + _NEAR, stop + _REACH)
        low, inner, outer, high = (
            int(np.clip(time * rate / window, first + 1, max(last - 1, first + 1))) for time in at
        )
        run = _longest_quiet(quiet, low, high) or _quietest(levels, inner, outer)
        kept = min(margin, (run[1] - run[0]) * window // 2, round(seconds * rate) // 2)
        cut = Cut(run[0] * window + kept, run[1] * window - kept, round(seconds * rate) - 2 * kept, number)
        if cut.start >= cuts[-1].stop:
            cuts.append(cut)
    after = max(end + tail, cuts[-1].stop)
    return Cuts((*cuts, Cut(after, len(samples), 0)), lead, max(after - end, 0))


def faded(samples: Samples, rate: int) -> Samples:
    """A copy that begins and ends in silence, by slopes of 5 ms."""
    faded = samples.astype(np.float32)
    length = min(round(_FADE * rate), len(samples) // 2)
    slope = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))).astype(np.float32)
    faded[:length] *= slope
    faded[len(faded) - length :] *= slope[::-1]
    return faded


def _levels(samples: Samples, window: int) -> npt.NDArray[np.float64]:
    """Root mean square of each window, the last one filled up with silence."""
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % window)).reshape(-1, window)
    return np.asarray(np.sqrt(np.square(padded).mean(axis=1)))


def _longest_quiet(quiet: npt.NDArray[np.bool_], low: int, high: int) -> tuple[int, int] | None:
    """The longest quiet run that touches windows ``low`` to ``high``, in full; the first of equal ones."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    runs = [(int(begin), int(stop)) for begin, stop in borders.reshape(-1, 2) if begin < high and stop > low]
    return max(runs, key=lambda run: run[1] - run[0], default=None)


def _quietest(levels: npt.NDArray[np.float64], low: int, high: int) -> tuple[int, int]:
    """The quietest of the windows ``low`` to ``high``, as a run of no length."""
    at = low + (int(levels[low:high].argmin()) if high > low else 0)
    return at, at
