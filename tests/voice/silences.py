"""Silences measured in audio, by a rule of the tests' own: what lies 42 dB below the loudest 2 ms."""

import numpy as np
import numpy.typing as npt

_QUIET = 10 ** (-42 / 20)


def silences(samples: npt.NDArray[np.float32], rate: int, least: float = 0.09) -> list[float]:
    """Seconds of every silence of at least ``least`` seconds between two sounds, in order."""
    window = round(0.002 * rate)
    level = np.sqrt(np.square(samples[: len(samples) // window * window]).reshape(-1, window).mean(1))
    quiet = level < _QUIET * level.max()
    borders = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    lengths = [
        (stop - start) * window / rate
        for start, stop in zip(borders[::2], borders[1::2], strict=True)
        if start > 0 and stop < len(quiet)
    ]
    return [length for length in lengths if length >= least]


def edges(samples: npt.NDArray[np.float32], rate: int) -> tuple[float, float]:
    """Seconds before the first sound and after the last."""
    loud = np.flatnonzero(np.abs(samples) > _QUIET * np.abs(samples).max())
    return float(loud[0] / rate), float((len(samples) - 1 - loud[-1]) / rate)
